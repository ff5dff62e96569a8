"""`gridhub maps`."""

from typing import Annotated

import typer

from gateway.cli.serve import JsonLog
from gateway.cli.shared import Config, run


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def maps(
        config: Config = None,
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8090,
        processes: Annotated[
            int, typer.Option(help="Map processes; more than one needs GRIDHUB_DATABASE_URL.", min=1)
        ] = 1,
        json_log: JsonLog = False,
    ) -> None:
        """Serve grids and live cases to GIS clients below /ogc/, beside `gridhub serve`. 启动地图服务

        It only reads, in processes of its own, so that drawing does not slow intake. Who may see what, maps.yaml says;
        without it the centre alone, with its token. Beside /ogc/ stand /health, /health/live and /metrics. Base maps are
        read from GRIDHUB_DATA, where upstream fetch keeps them.
        """
        from gateway.log import set_up
        from gateway.maps import app as serving
        from gateway.serve import export
        from gateway.settings import settings

        set_up(json=json_log)
        told = settings(config)
        if processes > 1 and not told.database_url:
            raise typer.BadParameter("several processes need GRIDHUB_DATABASE_URL", param_hint="--processes")
        configuration = serving.configured(told)

        async def one() -> None:
            from gateway.database import database
            from gateway.upstream.keeping import folder_of
            from storage.store import Store

            async with database(told) as url:
                await serving.serve(serving.MapApp(configuration, Store(url), tiles=folder_of(told)), host, port)

        async def prepare() -> None:
            from gateway.database import database

            async with database(told):
                pass

        if processes == 1:
            run(one)
        else:
            run(prepare)
            export(told.config, told.database_url, json=json_log)
            serving.serve_in_processes(host, port, processes)
