"""`gridhub db`: the database's schema."""

import typer

from gateway.cli.shared import Config, out, run

commands = typer.Typer(help="The database. 数据库", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="db")


@commands.command("upgrade")
def upgrade(config: Config = None) -> None:
    """Bring the database to the newest schema. `serve` and `work` do this too when they start."""
    from gateway.database import database
    from gateway.settings import settings
    from storage.schema import newest

    async def job() -> None:
        async with database(settings(config)):
            out.print(f"schema {newest()}")

    run(job)
