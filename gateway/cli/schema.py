"""`gridhub schema`: JSON Schema of the canonical case and action."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.shared import emit, out


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema by name."""
    from canonical.announcement import Announcement
    from canonical.case import Action, Case, Event
    from canonical.report import Report
    from canonical.value import Value

    kinds: dict[str, type[Value]] = {"case": Case, "action": Action, "event": Event, "report": Report}
    kinds |= {"announcement": Announcement}
    head = "https://json-schema.org/draft/2020-12/schema"
    return {
        name: {"$schema": head, "$id": f"urn:gridhub:{name}:1", **kind.model_json_schema(mode="serialization")}
        for name, kind in kinds.items()
    }


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def schema(
        name: Annotated[str, typer.Argument(help="case, action, event, report or announcement; default: all.")] = "",
        folder: Annotated[Path | None, typer.Option(help="Write one file each into this folder instead.")] = None,
    ) -> None:
        """JSON Schema of the canonical case and action. 规范模型的 JSON Schema"""
        made = schemas()
        if name and name not in made:
            raise typer.BadParameter(f"one of {', '.join(made)}", param_hint="NAME")
        chosen = {name: made[name]} if name else made
        if folder is None:
            emit(made[name] if name else made)
            return
        import json

        folder.mkdir(parents=True, exist_ok=True)
        for key, value in chosen.items():
            path = folder / f"{key}.schema.json"
            path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            out.print(str(path))
