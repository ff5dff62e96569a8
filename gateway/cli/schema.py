"""`gridhub schema`: JSON Schema of the canonical case and action, and of reports."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.shared import emit, out


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema by name."""
    from pydantic import TypeAdapter

    from assessment.briefing import Briefing
    from assessment.sheet import Sheet
    from assessment.unit_statement import UnitStatement
    from canonical.announcement import Announcement
    from canonical.case import Action, Case, Event
    from canonical.report import Report

    kinds: dict[str, type] = {"case": Case, "action": Action, "event": Event, "report": Report}
    kinds |= {"announcement": Announcement}
    kinds |= {"assessment_sheet": Sheet, "briefing": Briefing, "unit_statement": UnitStatement}
    head = "https://json-schema.org/draft/2020-12/schema"
    return {
        name: {"$schema": head, "$id": f"urn:gridhub:{name}:1", **TypeAdapter(kind).json_schema(mode="serialization")}
        for name, kind in kinds.items()
    }


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def schema(
        name: Annotated[
            str,
            typer.Argument(
                help="case, action, event, report, announcement, assessment_sheet, briefing or unit_statement; default: all."
            ),
        ] = "",
        folder: Annotated[Path | None, typer.Option(help="Write one file each into this folder instead.")] = None,
    ) -> None:
        """JSON Schema of the canonical case and action, and of reports. 规范模型的 JSON Schema"""
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
