"""`gridhub grids`: the registry of grids, and how unit grids and an industry's lie in each other."""

import csv
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import grids_check
from gateway.cli.grids_reattribute import reattribute
from gateway.cli.shared import AsJson, Config, Day, city, day_of, emit, err, line, missing, run, store


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    grids = typer.Typer(no_args_is_help=True, help="Grids: which there are, and how they lie in each other. 网格台账")
    app.add_typer(grids, name="grids")
    grids.command()(reattribute)
    grids_check.add_to(grids)

    @grids.command("list")
    def listed(config: Config = None, as_json: AsJson = False) -> None:
        """Every set of grids with its days. 网格台账"""
        found = [_view(one) for one in city(config).city.locator.registry.sets]
        if as_json:
            emit(found)
            return
        for one in found:
            until = one["valid_to"] or "open"
            line(f"{one['edition'] or one['set']}  {one['title']}  {one['valid_from'] or 'always'} to {until}")
            people = f"{one['with_people']} of {one['cells']} cells know households or people"
            line(f"{one['cells']} cells; {people}", indent=4)

    @grids.command()
    def crosswalk(
        set_: Annotated[str, typer.Argument(metavar="SET", help="The industry's set, such as landscape.")],
        day: Day = "",
        cases: Annotated[
            int, typer.Option(help="Count the cases received in as many days before; 0: no database is asked.", min=0)
        ] = 0,
        output: Annotated[Path | None, typer.Option("--output", "-o", help="CSV file; default: the terminal.")] = None,
        config: Config = None,
        as_json: AsJson = False,
    ) -> None:
        """How much of each unit grid lies in which grid of an industry, by area and by cases. 网格对照

        Made by laying one over the other. With --output it is a CSV with one row a pair.
        """
        from dataclasses import asdict

        from gateway.hub import clock
        from routing.crosswalk import crosswalk as compared

        at = day_of(day, "--day") or clock().date()
        registry = city(config).city.locator.registry
        industry = next((one for one in registry.on(at) if one.name == set_), None)
        if industry is None:
            known = ", ".join(one.name for one in registry.on(at)[1:]) or "none"
            missing(f"no set '{set_}' holds on {at}; of industries there is {known}")
        counted = run(lambda: _counted(config, industry.edition, at, cases)) if cases else {}
        shares = compared(registry.base(at).index, industry.index, counted)
        rows = [{key: _rounded(value) for key, value in asdict(one).items()} for one in shares]
        if as_json:
            emit(rows)
            return
        if output is not None:
            with output.open("w", encoding="utf-8-sig", newline="") as opened:
                _write(opened, rows)
            err.print(f"{len(rows)} pairs in {output}", markup=False, highlight=False)
            return
        for one in rows:
            share = f"{one['of_unit_grid']:.1%} of it, {one['of_industry_grid']:.1%} of {one['industry_grid']}"
            many = f", {one['cases']} cases" if cases else ""
            line(f"{one['unit_grid']}  {one['industry_grid']:<12} {one['area']:>12,.0f} m2  {share}{many}")
        line(f"{len(rows)} pairs of {registry.base(at).edition or 'base'} and {industry.edition}")


def _view(one: Any) -> dict[str, Any]:  # noqa: ANN401 a GridSet
    cells = one.index.cells.values()
    people = sum(cell.households is not None or cell.population is not None for cell in cells)
    return {
        "edition": one.edition, "set": one.name, "title": one.title, "cells": len(one.index),
        "valid_from": one.valid_from.isoformat() if one.valid_from > date.min else "",
        "valid_to": one.valid_to.isoformat() if one.valid_to < date.max else "", "source": one.source, "crs": one.crs,
        "file": one.file, "with_people": people,
    }  # fmt: skip


async def _counted(config: Path | None, edition: str, day: date, days: int) -> dict[tuple[str, str], int]:
    from canonical.time import SHANGHAI
    from storage.grid_cases import cases_by_grids

    end = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + timedelta(days=1)
    async with store(config) as opened:
        return await cases_by_grids(opened, edition, end - timedelta(days=days + 1), end)


def _rounded(value: Any) -> Any:  # noqa: ANN401
    return round(value, 6) if isinstance(value, float) else value


def _write(opened: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401 a file
    from canonical.tables import harmless

    names = ("unit_grid", "industry_grid", "area", "of_unit_grid", "of_industry_grid", "cases", "of_cases")
    writer = csv.DictWriter(opened, names, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: harmless(one) if isinstance(one, str) else one for name, one in row.items()})
