"""`gridhub serve` and `gridhub work`."""

from typing import Annotated

import typer

from gateway.cli.shared import Config, run

JsonLog = Annotated[bool, typer.Option("--json-log", help="Log lines as JSON.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""

    @app.command()
    def serve(
        config: Config = None,
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8080,
        processes: Annotated[
            int, typer.Option(help="Intake processes; more than one needs GRIDHUB_DATABASE_URL.", min=1)
        ] = 1,
        work: Annotated[
            bool | None,
            typer.Option(
                "--work/--no-work", help="Do the workers' job in this process too; default: with the embedded database."
            ),
        ] = None,
        json_log: JsonLog = False,
    ) -> None:
        """Open the doors: intake at /in/SYSTEM, API at /api. 启动服务

        Without GRIDHUB_DATABASE_URL an embedded PostgreSQL is started in GRIDHUB_DATA (default ./.gridhub).
        """
        from gateway import serve as serving
        from gateway.configuration import load
        from gateway.hub import wire
        from gateway.log import set_up
        from gateway.settings import settings
        from gateway.work import Role

        set_up(json=json_log)
        told = settings(config)
        if processes > 1 and not told.database_url:
            raise typer.BadParameter("several processes need GRIDHUB_DATABASE_URL", param_hint="--processes")
        configuration = load(told.config, told.environment)
        working = not told.database_url if work is None else work

        async def one() -> None:
            from gateway.database import database

            async with database(told) as url:
                hub = wire(told, url, configuration=configuration)
                await serving.serve(hub, host, port, roles=Role if working else ())

        async def prepare() -> None:
            from gateway.database import database

            async with database(told):
                pass

        if processes == 1:
            run(one)
        else:
            run(prepare)
            serving.export(told.config, told.database_url, json=json_log)
            serving.serve_in_processes(host, port, processes)

    @app.command()
    def work(
        config: Config = None,
        role: Annotated[
            str,
            typer.Option(
                help="What to do, by comma: deliver, poll, receive, fetch, subscribe, clock, reconcile, announce, relay."
            ),
        ] = "all",
        metrics_port: Annotated[
            int | None,
            typer.Option(
                help="Serve /metrics and /health at this port; default: nowhere.",
                min=1,
                max=65535,
                envvar="GRIDHUB_METRICS_PORT",
            ),
        ] = None,
        metrics_host: Annotated[str, typer.Option(help="Address of the metrics port.")] = "127.0.0.1",
        json_log: JsonLog = False,
    ) -> None:
        """Deliver, poll, receive, fetch files and subscribe, beside `gridhub serve --no-work`. 启动后台工作进程

        Any number of these may run, on any machine that reaches the database.
        """
        from gateway.cli.shared import hub
        from gateway.log import set_up
        from gateway.serve import work as work_until_stopped
        from gateway.work import Role

        set_up(json=json_log)
        try:
            named = Role if role.strip() == "all" else (Role(name.strip()) for name in role.split(","))
            roles = frozenset(named)
        except ValueError as error:
            raise typer.BadParameter(f"{error}; known: {', '.join(Role)}", param_hint="--role") from None

        async def job() -> None:
            async with hub(config) as wired:
                await work_until_stopped(wired, roles, host=metrics_host, metrics_port=metrics_port)

        run(job)
