"""`gridhub grids check`: gaps, overlaps, codes, names and sizes of a grid set, as a report with pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.shared import AsJson, Config, Day, city, day_of, emit, err, line, missing

if TYPE_CHECKING:
    from gateway.grids.topology import CheckedSet


def add_to(grids: typer.Typer) -> None:
    """Register the command."""

    @grids.command()
    def check(
        set_: Annotated[str, typer.Argument(metavar="[SET]", help="The set: base, or an industry's.")] = "base",
        day: Day = "",
        output: Annotated[
            Path | None,
            typer.Option("--output", "-o", help="Folder for report.html, flaws.geojson and flaws.csv; made if needed."),
        ] = None,
        config: Config = None,
        as_json: AsJson = False,
    ) -> None:
        """Look for gaps, overlaps, slivers, and codes that do not fit places and names. 网格拓扑检查

        Unit grids are also compared with the districts and with 300 to 500 households or about 1,000 people each. Ends
        with 1 when something is severe. With --output there is a report with pictures.
        """
        from gateway.grids.topology import checked
        from gateway.hub import clock

        told = city(config).city.locator
        at = day_of(day, "--day") or clock().date()
        one = next((one for one in told.registry.on(at) if one.name == set_), None)
        if one is None:
            missing(
                f"no set '{set_}' holds on {at}; known: {', '.join(one.name for one in told.registry.on(at)) or 'none'}"
            )
        with err.status(f"checking {len(one.index):,} cells") as status:
            made = checked(
                one, told.districts, lambda what, done, whole: status.update(f"{what}, {done} of {whole} done")
            )
            page = report(made, output) if output is not None else None
        if as_json:
            emit(view(made))
        else:
            line(made.title, style="bold")
            show(made)
        if page is not None:
            err.print(f"report 报告: {page}", markup=False, highlight=False, soft_wrap=True)
        if made.found.severe:
            raise typer.Exit(1)


def report(made: "CheckedSet", folder: Path) -> Path:
    """Write the report into a folder; gives its page. Raises Misconfigured where it cannot be written."""
    from canonical.errors import Misconfigured
    from gateway.hub import clock
    from maps.topology.report import write_report

    try:
        return write_report(made.found, folder, cells=made.cells, areas=made.areas, title=made.title, now=clock())
    except OSError as error:
        raise Misconfigured(f"{folder}: {error.strerror or 'not written'}: name a folder that may be written") from None


def show(made: "CheckedSet") -> None:
    """Each kind with its number, and the worst of it."""
    from maps.topology import TITLES

    found = made.found
    line(f"topology 拓扑: {found.cells:,} cells of {found.area / 1e6:,.1f} km2")
    for one in found.tallies:
        title = TITLES[one.kind]
        size = f", {one.area:,.1f} m2" if one.area else ""
        style = "red" if one.severe else ""
        line(
            f"{one.count:>7,}  {title.english} {title.chinese}{size}{', severe 严重' if one.severe else ''}",
            style=style,
        )
        worst = next(flaw for flaw in found.flaws if flaw.kind is one.kind)
        line(worst.text, indent=9)
    looked = sum(one.count for one in found.tallies if not one.severe)
    line(f"{found.severe:,} severe 严重问题, {looked:,} to look at 需要查看")


def view(made: "CheckedSet") -> dict[str, Any]:
    """For machines."""
    from maps.topology import TITLES

    found = made.found
    kinds = [
        {
            "kind": one.kind, "title": TITLES[one.kind].english, "title_zh": TITLES[one.kind].chinese,
            "count": one.count, "area_m2": round(one.area, 2), "severe": one.severe,
        }
        for one in found.tallies
    ]  # fmt: skip
    flaws = [
        {
            "kind": one.kind, "codes": one.codes, "area_m2": round(one.area, 2), "severe": one.severe,
            "text": one.text, "text_zh": one.chinese,
        }
        for one in found.flaws
    ]  # fmt: skip
    return {
        "set": made.set.name, "edition": made.set.edition, "cells": found.cells, "area_m2": round(found.area, 2),
        "severe": found.severe, "kinds": kinds, "flaws": flaws,
    }  # fmt: skip
