"""`gridhub report`: assessment, briefing and unit statement, on the terminal or as a file."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.shared import Config, err, missing, out, run, store

if TYPE_CHECKING:
    from gateway.report.formats import Report

FORMATS = ("table", "xlsx", "csv", "json", "html", "pdf")
_BYTES = frozenset({"xlsx", "pdf"})
_FAILED = 2
commands = typer.Typer(help="Reports for people: assessment, briefing, unit statement. 报表", no_args_is_help=True)

Form = Annotated[
    str,
    typer.Option(
        "--format", "-f", help="table, xlsx, csv, json, html or pdf; default: by the file's ending, else table."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="File to write. xlsx and pdf go to a file of the report's name where none is given."
    ),
]
Edition = Annotated[
    int | None,
    typer.Option(min=0, help="Edition of a closed period; 0: as things are now; default: the newest there is."),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="report")


@commands.command("assessment")
def assessment(
    period: Annotated[str, typer.Option(help="2026-10, 2026-W42, 2026-10-12, 2026-Q3 or 2026.")],
    by: Annotated[
        str,
        typer.Option(
            help="unit, district, street, community, grid, system, source, class, level, collector, acceptor, duty_chief or dispatcher."
        ),
    ] = "unit",
    columns: Annotated[str, typer.Option(help="Only these indicators, by id or title, by comma.")] = "",
    edition: Edition = None,
    form: Form = "",
    output: Output = None,
    config: Config = None,
) -> None:
    """The assessment sheet of a period, with ranks, charts and where each figure comes from. 考核表"""

    async def make(desk: Any) -> "Report":  # noqa: ANN401
        from canonical.rights import EVERYTHING
        from gateway.report.reports import Asked, assessment_report

        wanted = [one.strip() for one in columns.replace("，", ",").split(",") if one.strip()]
        return await assessment_report(desk, Asked(period, by, edition, wanted), scope=EVERYTHING)

    _tell(make, form, output, config)


@commands.command("briefing")
def briefing(
    day: Annotated[str, typer.Option(help="The day: 2026-10-12.")] = "",
    week: Annotated[str, typer.Option(help="The week: 2026-W42.")] = "",
    form: Form = "",
    output: Output = None,
    config: Config = None,
) -> None:
    """What happened on a day or in a week, against the one before, in sentences and charts. 日报、周报"""

    async def make(desk: Any) -> "Report":  # noqa: ANN401
        from canonical.rights import EVERYTHING
        from gateway.report.reports import briefing_report

        return await briefing_report(desk, day=day, week=week, scope=EVERYTHING)

    _tell(make, form, output, config)


@commands.command("unit")
def unit(
    unit: Annotated[str, typer.Option(help="Id or name of the unit in units.csv.")],
    period: Annotated[str, typer.Option(help="2026-10, 2026-W42, 2026-10-12, 2026-Q3 or 2026.")],
    edition: Edition = None,
    form: Form = "",
    output: Output = None,
    config: Config = None,
) -> None:
    """One unit's cases of a period with every clock, its figures, and the cases that count against it. 单位对账单"""

    async def make(desk: Any) -> "Report":  # noqa: ANN401
        from canonical.rights import EVERYTHING
        from gateway.report.reports import unit_report

        return await unit_report(desk, unit, period, edition, scope=EVERYTHING)

    _tell(make, form, output, config)


def _tell(make: "Callable[[Any], Awaitable[Report]]", form: str, output: Path | None, config: Path | None) -> None:
    """Make the report and show or write it; what cannot be made is told with what to do."""
    from canonical.errors import Unacceptable, Why
    from gateway.refusal import Refusal

    chosen = _format(form, output)

    async def job() -> "Report":
        async with store(config) as opened:
            return await make(_Desk(opened, config))

    try:
        made: Report = run(job)
    except Refusal as error:
        missing(f"{error}\n  {error.hint}" if error.hint else str(error))
    except Unacceptable as error:
        if error.why is Why.UNKNOWN_MESSAGE:
            missing(str(error))
        err.print(f"gridhub: {error}", markup=False, highlight=False)
        raise typer.Exit(_FAILED) from None
    _show(made, chosen, output)


class _Desk:
    """What a report is made with, though no system's address or secret may be set here."""

    def __init__(self, opened: Any, config: Path | None) -> None:  # noqa: ANN401
        from gateway.cli.shared import city
        from gateway.hub import clock

        self.store, self.configuration, self.now = opened, city(config), clock


def _format(form: str, output: Path | None) -> str:
    ending = output.suffix.lower().lstrip(".") if output else ""
    chosen = form.lower() or {"htm": "html"}.get(ending, ending) or "table"
    if chosen not in FORMATS:
        raise typer.BadParameter(f"'{chosen}' is none of {', '.join(FORMATS)}", param_hint="--format 格式")
    return chosen


def _show(made: "Report", form: str, output: Path | None) -> None:
    from gateway.report.terminal import show

    if form == "table" and output is None:
        show(made.document, out)
        return
    content = _content(made, form)
    if output is None and form in _BYTES:
        output = Path(f"{made.document.name}.{form}")
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise typer.BadParameter(f"cannot write 无法写入 {output}: {error.strerror}", param_hint="--output") from None
    out.print(str(output), highlight=False, markup=False, soft_wrap=True)


def _content(made: "Report", form: str) -> bytes:
    from gateway.report.formats import Format, written_as

    return _text(made) if form == "table" else written_as(made, Format(form))


def _text(made: "Report") -> bytes:
    import io

    from rich.console import Console

    from gateway.report.terminal import show

    file = io.StringIO()
    show(made.document, Console(file=file, width=100, force_terminal=False))
    return file.getvalue().encode()
