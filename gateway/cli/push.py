"""`gridhub push`: a file of messages through the bulk door of a running hub."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shared import err, out


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def push(
        system: Annotated[str, typer.Argument(help="The system that the messages are of, as in systems.yaml.")],
        file: Annotated[
            Path, typer.Argument(help="One message a line, as JSON; .gz is unpacked; - is standard input.")
        ],
        url: Annotated[str, typer.Option(help="Where the hub is.")] = "http://127.0.0.1:8000",
        path: Annotated[str, typer.Option(help="What follows the system's name in the door's address.")] = "",
        header: Annotated[
            list[str] | None, typer.Option(help="A header the door asks for, as 'name: value'; may be given again.")
        ] = None,
        verdicts: Annotated[
            Path | None, typer.Option(help="Where the verdicts go, a line each; given again, it goes on after them.")
        ] = None,
        patience: Annotated[float, typer.Option(help="Seconds the hub may be away before it is given up.")] = 60.0,
    ) -> None:
        """Push a file of messages into a running hub, a verdict for every line. 批量导入

        What is in the hub already is told so and changes nothing: pushing a file again is harmless. Ends with 1 when a
        line was not accepted, with 4 when the hub stayed away.
        """
        from gateway.push import Pushed, lines_of, pushed_before
        from gateway.push import push as push_lines

        headers = dict(_header(text) for text in header or ())
        if str(file) != "-" and not file.is_file():
            raise typer.BadParameter(f"{file} is no file", param_hint="FILE")
        done = pushed_before(verdicts) if verdicts else Pushed()
        kept = verdicts.open("ab") if verdicts else None

        def told(row: bytes) -> None:
            if kept is not None:
                kept.write(row)
                kept.flush()

        def progress(now: Pushed) -> None:
            err.print(f"{now.line:,} lines: {now.accepted:,} accepted, {now.others.total():,} not", highlight=False)

        try:
            push_lines(
                url, system, lines_of(file), done, path=path.strip("/"), headers=headers, told=told, progress=progress,
                patience=patience,
            )  # fmt: skip
        finally:
            if kept is not None:
                kept.close()
        out.print(f"{done.line:,} lines: {done.accepted:,} accepted", highlight=False)
        for reason, count in done.others.most_common():
            out.print(f"{count:>12,} {reason}", highlight=False)
        if done.others:
            raise typer.Exit(1)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise typer.BadParameter(f"'{text}' is no header: write 'name: value'", param_hint="--header")
    return name.strip().lower(), value.strip()
