"""`gridhub assess`: facts brought up to date, periods closed and compared, figures traced to their cases."""

from typing import Annotated, Any

import typer

from gateway.cli.shared import NOT_FOUND, AsJson, Config, emit, err, out, run, store

commands = typer.Typer(
    help="Assessment: facts, closed periods, and what a figure is made of. 考核", no_args_is_help=True
)

_Period = Annotated[str, typer.Option("--period", "-p", help="2026-10, 2026-10-03, 2026-W44, 2026-Q3 or 2026.")]
_By = Annotated[str, typer.Option("--by", help="district, street, community, grid, unit, system, ..., or a post.")]
_Edition = Annotated[
    int | None, typer.Option("--edition", min=0, help="Closed edition; 0: of today. Default: the latest closed one.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="assess")


def _configuration(config: Any) -> Any:  # noqa: ANN401
    """The city's tables; systems' addresses and secrets may be unset here."""
    import os

    from canonical.errors import Misconfigured
    from canonical.findings import Severity
    from gateway.configuration import read
    from gateway.settings import settings

    found, findings = read(settings(config).config, os.environ, unset=Severity.WARNING)
    wrong = [str(one) for one in findings if one.severity is Severity.ERROR]
    if found is None or wrong:
        raise Misconfigured("\n".join(wrong) or "the city's configuration cannot be read: try gridhub check")
    return found


def with_city(config: Any, job: Any) -> Any:  # noqa: ANN401
    """`job(store, configuration)`, its refusals as our own end."""
    from gateway.assessment.sheets import UnknownFigure

    configuration = _configuration(config)

    async def told() -> Any:  # noqa: ANN401
        async with store(config) as opened:
            return await job(opened, configuration)

    try:
        return run(told)
    except UnknownFigure as error:
        err.print(f"gridhub: {error}", markup=False)
        raise typer.Exit(NOT_FOUND) from None


@commands.command("update")
def update(
    whole: Annotated[bool, typer.Option("--whole", help="Of all cases, also of those that did not move.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Bring the facts up to date with all that happened. Workers with the role clock do this every night.

    May be ended at any instant and called at any number of places: what is left is done by the next one.
    """
    from gateway.assessment.facts import spending
    from gateway.hub import clock
    from gateway.views import row_view
    from storage.facts import Facts

    async def job(opened: Any, configuration: Any) -> Any:  # noqa: ANN401
        return await Facts(opened, spending(configuration)).update(clock, whole=whole)

    done = with_city(config, job)
    if as_json:
        emit(row_view(done))
    else:
        out.print(f"run {done.number}: {done.cases:,} cases moved, {done.facts:,} facts written", highlight=False)
    if done.trouble:
        err.print(f"their history cannot be folded, their facts stay as they were: {done.trouble}", markup=False)
        raise typer.Exit(1)


@commands.command("close")
def close(
    period: _Period,
    actor: Annotated[str, typer.Option("--actor", help="Who closes it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; needed where it is closed already.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Close a period: its figures are kept as they are. Closed again with a reason, it gets the next edition.

    A closed edition never changes, and each of its figures can be traced for ever.
    """
    from gateway.assessment.closing import close as closed
    from gateway.hub import clock
    from gateway.views import row_view

    async def job(opened: Any, configuration: Any) -> Any:  # noqa: ANN401
        return await closed(opened, configuration, period, by=actor, reason=reason, now=clock)

    edition = with_city(config, job)
    if as_json:
        emit(row_view(edition))
        return
    said = f"{edition.period} edition {edition.edition}, run {edition.run}, rules {edition.rules}, {edition.digest}"
    out.print(said, highlight=False)


@commands.command("list")
def list_(
    period: Annotated[str, typer.Option("--period", "-p")] = "", config: Config = None, as_json: AsJson = False
) -> None:
    """Closed periods and their editions: when, by whom, why, of which facts and rules."""
    from gateway.views import row_view
    from storage.assessment_editions import listed

    async def job(opened: Any, _configuration: Any) -> Any:  # noqa: ANN401
        return await listed(opened, period)

    rows = with_city(config, job)
    if as_json:
        emit([row_view(row) for row in rows])
        return
    for row in rows:
        out.print(
            f"{row.period:<10} edition {row.edition}  closed {row.closed_at:%Y-%m-%d %H:%M} by {row.closed_by}  run "
            f"{row.run}  {row.rules}  {row.digest[:12]}  {row.reason}",
            highlight=False, markup=False,
        )  # fmt: skip
    if not rows:
        out.print("no period is closed")


@commands.command("diff")
def diff(
    period: _Period,
    old: Annotated[int | None, typer.Option("--old", min=1, help="Default: the edition before.")] = None,
    new: Annotated[int | None, typer.Option("--new", min=1, help="Default: the latest.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What two editions of a period have different: which figures, from what to what, and the cases behind it."""
    from canonical.rights import EVERYTHING
    from gateway.assessment.api import difference_view
    from gateway.assessment.closing import difference

    async def job(opened: Any, configuration: Any) -> Any:  # noqa: ANN401
        return await difference(opened, configuration, period, old, new, scope=EVERYTHING)

    found = with_city(config, job)
    if as_json:
        emit(difference_view(found, EVERYTHING))
        return
    out.print(
        f"{found.new.period}: edition {found.old.edition} and {found.new.edition} ({found.new.reason})", markup=False
    )
    if found.rules_changed:
        out.print(f"rules: {found.old.rules} -> {found.new.rules}", markup=False, highlight=False)
    for one in found.figures:
        cases = f"  cases: {' '.join(one.cases)}" if one.cases else ""
        said = f"{one.by} {one.name}  {one.title}: {_number(one.old)} -> {_number(one.new)}{cases}"
        out.print(said, markup=False, highlight=False, soft_wrap=True)


@commands.command("figure")
def figure(
    column: Annotated[str, typer.Argument(help="Counter or rate of indicators.yaml.")],
    period: _Period,
    by: _By = "unit",
    subject: Annotated[str, typer.Option("--of", help="Id of who is assessed; *: all together.")] = "*",
    edition: _Edition = None,
    counter: Annotated[
        str, typer.Option("--counter", help="Which of its counters is listed; default: the first.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    after: Annotated[str, typer.Option(help="`next` of the page before.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """A figure down to its facts: formula, counters, and the cases and events that were counted."""
    from canonical.rights import EVERYTHING
    from gateway.assessment.api import fact_view, figure_view
    from gateway.assessment.tracing import Where, behind, traced
    from gateway.hub import clock

    where = Where(period, by, subject, column, edition)

    async def job(opened: Any, configuration: Any) -> Any:  # noqa: ANN401
        found = await traced(opened, configuration, where, now=clock(), scope=EVERYTHING)
        page = await behind(
            opened, configuration, where, counter=counter, after=after, limit=limit, now=clock(), scope=EVERYTHING
        )  # fmt: skip
        return found, page

    found, page = with_city(config, job)
    if as_json:
        emit(figure_view(found) | {"facts": [fact_view(one) for one in page.facts], "next": page.following})
        return
    out.print(f"{found.title} = {_number(found.figure.value)}    {found.formula}", markup=False, highlight=False)
    kept = f"edition {found.edition}" if found.edition else "not closed"
    out.print(
        f"{found.period} {by} {subject}: {kept}, run {found.run}, rules {found.rules}", markup=False, highlight=False
    )
    for part in found.parts:
        sign = "-" if part.sign < 0 else ""
        out.print(f"  {part.place:<11} {sign}{part.counter.title} {part.value:g}", markup=False, highlight=False)
    for one in page.facts:
        times = "  ".join(f"{name} {at:%m-%d %H:%M:%S}" for name, at in _times(one) if at)
        events = "+".join(str(seq) for seq in sorted({one.seq, one.done_seq} - {0}))
        said = f"{one.case_no}  {one.what:<16} event {events:<6} {times}  {one.unit} {one.person} {one.result}"
        out.print(said, markup=False, highlight=False, soft_wrap=True)
    if page.following:
        out.print(f"more: --after {page.following}", markup=False, highlight=False, soft_wrap=True)


def _times(fact: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
    from canonical.time import in_shanghai

    named = (("at", fact.at), ("due", fact.due_at), ("done", fact.done_at if fact.due_at else None))
    return [(name, in_shanghai(at) if at else None) for name, at in named]


def _number(value: float | None) -> str:
    return "无基数" if value is None else f"{value:g}"
