"""`gridhub load`: grid sets from what offices deliver, checked first, and taken back again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import grids_check
from gateway.cli.shared import AsJson, Config, city, day_of, emit, err, line, run, store

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.geodata import Sheet
    from gateway.grids.loading import Plan

commands = typer.Typer(no_args_is_help=True, help="Grids from files and services into the registry. 网格入库")
_EVERY = 2.0
"""Seconds between two lines that say how far it is."""
_SHOWN = 20
"""Findings and codes a terminal shows; all of them stand in --json."""


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="load")


@commands.command("grids")
def grids(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Shapefile (.shp with its files beside it, or .zip), .gpkg, .geojson, .kml, .mif, .tab, .dxf, .csv or "
            ".xlsx with WKT; or the address of a WFS; or upstream:NAME, a WFS of upstream.yaml.",
        ),
    ],
    set_: Annotated[str, typer.Option("--set", help="base, or the industry's set, such as landscape.")] = "base",
    title: Annotated[str, typer.Option(help="Chinese name of the set; default: as it was.")] = "",
    first: Annotated[str, typer.Option("--from", help="First day it holds, 2026-07-01; default: tomorrow.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day it holds; default: as the set it replaces.")] = "",
    layer: Annotated[str, typer.Option(help="Layer or feature type, where there are several.")] = "",
    crs: Annotated[str, typer.Option(help="CRS, where the file does not say it: EPSG:4548, GCJ-02, LOCAL:name.")] = "",
    encoding: Annotated[str, typer.Option(help="Of text, such as gbk, where the file does not say it.")] = "",
    code: Annotated[str, typer.Option(help="Column of the cells' codes.")] = "",
    name: Annotated[str, typer.Option(help="Column of their names.")] = "",
    manager: Annotated[
        str, typer.Option(help="Column of the division that manages the cell, where another does.")
    ] = "",
    households: Annotated[str, typer.Option(help="Column of households.")] = "",
    population: Annotated[str, typer.Option(help="Column of people.")] = "",
    wfs_version: Annotated[str, typer.Option(help="Of a WFS: 2.0.0, 1.1.0 or 1.0.0.")] = "2.0.0",
    swap_axes: Annotated[
        bool, typer.Option("--swap-axes", help="Of a WFS that gives its axes in the wrong order.")
    ] = False,
    note: Annotated[str, typer.Option("--source", help="Where it comes from; default: the file's name.")] = "",
    by: Annotated[str, typer.Option(help="Who loads it; default: your name on this machine.")] = "",
    report: Annotated[
        Path | None, typer.Option("--report", help="Folder for the report of the topology check, with pictures.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Load a set of grids as a new edition; the one before it ends the day before. 网格入库

    Everything is checked first. Where a cell cannot be taken nothing is written, and each is told by its row. Ends with
    1 then. Gaps, overlaps and the like (gridhub grids check) are told and do not keep a set out.
    """
    from dataclasses import asdict

    from gateway.grids.columns import chosen
    from gateway.grids.drawn import drawn
    from gateway.grids.inside import inside
    from gateway.grids.loading import Wanted, apply, plan
    from gateway.grids.topology import checked
    from gateway.hub import clock

    told = city(config)
    locator, divisions = told.city.locator, told.city.divisions
    path = _registry(config)
    sheet = _sheet(source, layer, crs, encoding, wfs_version, swap_axes, told)
    said = {"code": code, "name": name, "manager": manager, "households": households, "population": population}
    columns = chosen(sheet.columns, said, sheet.rows[0] if sheet.rows else {})
    title_of = note or _named(source)
    wanted = Wanted(set_, title, day_of(first, "--from") or _tomorrow(), day_of(last, "--to"), title_of, sheet.crs)
    cells = drawn(sheet, columns, set_, divisions, file=_named(source), note=f"from {title_of}")
    made = plan(wanted, cells, locator.registry)
    made.findings[:0] = [*sheet.findings, *inside(sheet, locator.districts, locator.systems, file=_named(source))]
    with err.status(f"checking {len(made.new.index):,} cells"):
        found = checked(made.new, locator.districts)
    page = grids_check.report(found, report) if report else None
    written = not made.refused and not dry_run
    if written:
        apply(made, path, divisions, by=by or _operator(), now=clock())
    if as_json:
        view = _view(made, sheet, columns)
        findings = [asdict(one) for one in made.findings]
        emit(view | {"written": written, "findings": findings, "topology": grids_check.view(found)})
    else:
        _print(made, sheet, columns)
        grids_check.show(found)
        if page:
            line(f"report 报告: {page}")
        _ending(made, written=written)
    if made.refused:
        raise typer.Exit(1)


@commands.command("list")
def list_loads(config: Config = None, as_json: AsJson = False) -> None:
    """What was loaded, when and by whom. 入库记录"""
    from gateway.grids.table import loads

    found = [dict(one.cells) for one in loads(_registry(config).parent)]
    if as_json:
        emit(found)
        return
    for one in found:
        gone = f", taken back 已撤销 {one['undone_at'][:16]}" if one["undone_at"] else ""
        line(f"{one['loaded_at'][:16]}  {one['edition']}  {one['cells']} cells by {one['by']}{gone}")
        line(f"from {one['source']}", indent=4)
    line(f"{len(found)} loads 次入库")


@commands.command("undo")
def undo_load(
    edition: Annotated[str, typer.Argument(help="Such as base@2026-07-01; default: the last load.")] = "",
    without_cases: Annotated[
        bool, typer.Option("--without-cases", help="Do not ask the database whether cases lie in it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken back, and change nothing.")
    ] = False,
    config: Config = None,
) -> None:
    """Take a load back: its edition is removed, and the one before it holds as it did. 撤销入库

    An edition in which cases lie stays: give those cases the grids of another day first (gridhub grids reattribute).
    """
    from gateway.grids.loading import last_load, undo
    from gateway.hub import clock

    path = _registry(config)
    load = last_load(path.parent, edition)
    one = load.cells
    cases = 0 if without_cases else run(lambda: _cases_in(config, one["edition"]))
    line(f"{one['edition']}: {one['cells']} cells of {one['loaded_at'][:16]}, by {one['by']}")
    if one["cut"]:
        line(f"{one['cut']} holds again until {one['cut_until'] or 'further notice 长期'}", indent=4)
    if cases:
        line(f"{cases} cases lie in it 已有案件: gridhub grids reattribute --day DAY first", indent=4, style="red")
        raise typer.Exit(1)
    if dry_run:
        line("nothing was changed (dry run) 未改动")
        return
    undo(load, path, city(config).city.divisions, now=clock())
    line("taken back 已撤销. Restart serve, work and maps, so that they read it.")


def _registry(config: Path | None) -> Path:
    """The city's sets.csv. Raises Misconfigured for a city that keeps one file of unit grids."""
    from canonical.errors import Misconfigured
    from gateway.configuration import grid_registry
    from gateway.grids.loading import ALWAYS
    from gateway.settings import settings

    path = grid_registry(settings(config).config)
    if path.suffix != ".csv":
        raise Misconfigured(ALWAYS.format(file=path.name))
    return path


def _sheet(
    source: str, layer: str, crs: str, encoding: str, version: str, swap_axes: bool, told: Any  # noqa: ANN401
) -> "Sheet":  # fmt: skip
    from connectors.geodata import read, read_wfs
    from gateway.grids.services import service_of

    service = service_of(source, layer, version, told.upstream, swap_axes=swap_axes)
    systems, progress = told.city.locator.systems, _progress("cells 个网格")
    if service is not None:
        return run(lambda: read_wfs(service, crs=crs, systems=systems, progress=progress))  # type: ignore[no-any-return]
    return read(Path(source), layer=layer, crs=crs, encoding=encoding, systems=systems, progress=progress)


def _progress(what: str) -> "Callable[[int, int], None]":
    import time

    shown = time.monotonic()

    def told(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _EVERY:
            shown = time.monotonic()
            err.print(f"{done:,} of {total:,} {what}", highlight=False)

    return told


def _named(source: str) -> str:
    """For people: a file's name, an address without what is asked of it."""
    return source.partition("?")[0] if "://" in source else Path(source).name


def _tomorrow() -> Any:  # noqa: ANN401 a date
    from datetime import timedelta

    from gateway.hub import clock

    return clock().date() + timedelta(days=1)


def _operator() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return "unknown"


async def _cases_in(config: Path | None, edition: str) -> int:
    from storage.grid_cases import cases_in

    async with store(config) as opened:
        return await cases_in(opened, edition)


def _view(made: "Plan", sheet: "Sheet", columns: dict[str, str]) -> dict[str, Any]:
    from dataclasses import asdict
    from datetime import date

    new, compared = made.new, made.difference
    return {
        "edition": new.edition, "cells": len(new.index), "title": new.title, "file": new.file,
        "valid_from": new.valid_from.isoformat(), "valid_to": new.valid_to.isoformat() if new.valid_to < date.max else "",
        "source": new.source, "read_as": sheet.how, "columns": columns, "cut": made.cut.edition if made.cut else "",
        "difference": asdict(compared) if compared else None, "refused": made.refused,
    }  # fmt: skip


def _print(made: "Plan", sheet: "Sheet", columns: dict[str, str]) -> None:
    from canonical.findings import Severity
    from gateway.cli.check import told

    view = _view(made, sheet, columns)
    line(sheet.how)
    line("; ".join(f"{meaning}: column {column}" for meaning, column in columns.items()))
    until = f"to {view['valid_to']}" if view["valid_to"] else "on"
    line(f"{view['cells']:,} cells for {view['edition']} {view['title']}, {view['valid_from']} {until}", style="bold")
    if view["cut"]:
        line(f"{view['cut']} ends the day before; against it:", indent=4)
        for word, chinese in (("added", "新增"), ("gone", "撤销"), ("redrawn", "调整边界"), ("renamed", "更名改数")):
            codes = view["difference"][word]
            shown = ", ".join(codes[:3]) + (" …" if len(codes) > 3 else "")
            line(f"{len(codes):>7,} {word} {chinese}  {shown}", indent=4)
        line(f"{view['difference']['same']:>7,} as they were 不变", indent=4)
    for one in made.findings[:_SHOWN]:
        style = "red" if one.severity is Severity.ERROR else "yellow"
        for text in told(one):
            line(text, style=style)
    if len(made.findings) > _SHOWN:
        line(f"and {len(made.findings) - _SHOWN} more: --json tells all")


def _ending(made: "Plan", *, written: bool) -> None:
    if made.refused:
        line("nothing was written: correct the file, and load it again 未入库", style="red")
    elif written:
        line(f"written 已入库: {made.new.file} and sets.csv. Take it back with gridhub load undo.")
        line("Restart serve, work and maps before that day, so that they read it.")
    else:
        line("nothing was written (dry run) 试运行")
