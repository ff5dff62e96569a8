"""`gridhub retention`: what is kept for how long, and cutting what is not."""

from typing import Annotated, Any

import typer

from gateway.cli.shared import AsJson, Config, emit, out, run, store

commands = typer.Typer(help="What is kept for how long, and cutting the rest. 留存与清理", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="retention")


@commands.command("cut")
def cut(
    dry_run: Annotated[bool, typer.Option("--dry-run/--do-it", help="Count only, or cut for good.")] = True,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Cut what city.yaml does not keep; without --do-it it is only counted. Workers do this every night.

    Evidence stays: what an open case rests on always, and that of an ended one as long as retention.evidence says. May be
    ended at any instant; what was cut by then is in the ledger.
    """
    from gateway.configuration import policy
    from gateway.hub import clock, fresh_id
    from gateway.settings import settings
    from gateway.views import row_view
    from storage.retention import Retention

    keep = policy(settings(config).config)

    async def job() -> list[Any] | None:
        async with store(config) as opened:
            retention = Retention(opened, keep, run=fresh_id())
            found: list[Any] | None = await (retention.counted(clock()) if dry_run else retention.cut(clock))
            return found

    cuts = run(job)
    if cuts is None:
        out.print("another process is cutting just now")
        raise typer.Exit(1)
    if as_json:
        emit({"dry_run": dry_run, "cuts": [row_view(one) for one in cuts]})
        return
    for one in cuts:
        out.print(
            f"{one.class_:<10} {one.what:<7} {one.rows:>12,} rows {one.bytes:>16,} bytes  {one.part}", highlight=False
        )
    said = "would be cut; --do-it cuts" if dry_run else "cut"
    out.print(f"{sum(one.rows for one in cuts):,} {said}" if cuts else "nothing is due")


@commands.command("ledger")
def ledger(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50, config: Config = None, as_json: AsJson = False
) -> None:
    """What was cut, newest first: when, what, of before which day, by which policy."""
    from gateway.views import row_view
    from storage.retention import Retention
    from storage.retention_rules import Keep

    async def job() -> list[Any]:
        async with store(config) as opened:
            from gateway.hub import fresh_id

            found: list[Any] = await Retention(opened, Keep(), run=fresh_id()).ledger(limit=limit)
            return found

    rows = run(job)
    if as_json:
        emit([row_view(row) for row in rows])
        return
    for row in rows:
        out.print(
            f"{row.at:%Y-%m-%d %H:%M}  {row.class_:<10} {row.what:<7} {row.rows:>12,} rows {row.bytes:>16,} bytes  of "
            f"before {row.before:%Y-%m-%d}  {row.part}",
            highlight=False,
        )
