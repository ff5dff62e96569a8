"""A card of the board, opened: what the system's folder says of it, what lacks a row, and what came and went last."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapters.code_table import read_code_table
from adapters.samples import READINGS
from adapters.trace import told
from adapters.yaml_file import read_yaml
from canonical.lifecycle import ActionKind
from canonical.rights import EVERYTHING
from gateway.board.codes import waiting
from gateway.configuration import ConnectedSystem
from gateway.hub import Hub
from gateway.masking import masked_text
from gateway.systems_page import leaves
from gateway.views import View, row_view
from gateway.wire import PREFIX
from storage.code_rows import CodeRows
from storage.journal_search import JournalSearch, Sought

MOST_ROWS, MOST_SAMPLES, MOST_MESSAGES = 2000, 50, 20
_LONGEST = 20_000
"""Characters of a sample that are shown."""
_READ = ("external_id", "case_key", "visible_no", "reference", "report", "action", "addition", "alarm", "noted")


async def opened(hub: Hub, name: str) -> View:
    """What stands behind the card of one system; of one that is connected no longer, its messages alone."""
    found = await JournalSearch(hub.store).find(Sought(system=name), EVERYTHING, limit=MOST_MESSAGES)
    view: View = {"messages": [row_view(row) for row in found.rows]}
    connected = hub.configuration.systems.get(name)
    if connected is None:
        return view
    declared = await asyncio.to_thread(_declared, connected)
    drift = [one.missing for one in await waiting(hub, system=name)]
    added = await CodeRows(hub.store).all(name)
    return view | declared | {
        "drift": [row_view(one) for one in drift], "added_rows": [row_view(row) for row in added],
    }  # fmt: skip


def _declared(connected: ConnectedSystem) -> View:
    """The folder, as far as people ask for it."""
    system, folder = connected.system, connected.folder
    return {
        "declaration": {
            "adapter": folder.name, "protocol": system.connector.protocol,
            "doors": [
                {"name": door.name, "path": f"{PREFIX}{system.role.id}/{door.path.text}".rstrip("/"),
                 "methods": list(door.methods)}
                for door in system.doors
            ],
            "pulls": [
                {"name": pull.name, "every_seconds": connected.every or pull.declared.every} for pull in system.pulls
            ],
            "receivers": [{"name": one.name, "kind": one.declared.kind} for one in system.receivers],
            "subscription": system.subscription is not None,
            "outbound": [
                {"name": name, "title": one.description, "repeat": one.repeat} for name, one in system.outbound.items()
            ],
            "tells": _words(system.role.tells), "cannot_be_told": _words(system.role.unsupported),
        },
        "mapping": {"tables": list(_tables(folder)), "messages": list(_messages(folder))},
        "samples": list(_samples(folder)),
    }  # fmt: skip


def _words(table: Mapping[str, Mapping[ActionKind, str]]) -> dict[str, dict[str, str]]:
    """As JSON has it: keys are words."""
    return {party: {str(kind): said for kind, said in row.items()} for party, row in table.items()}


def _tables(folder: Path) -> Iterator[View]:
    for path in sorted(folder.glob("codes/*.csv")):
        table = read_code_table(path, [], name=path.name)
        if table is None:
            continue
        rows = [{name: row[name] for name in table.columns} for row in table.rows.values()]
        yield {
            "name": path.stem, "way": "writes" if table.reverse else "reads", "columns": list(table.columns),
            "rows": rows[:MOST_ROWS], "more": max(0, len(rows) - MOST_ROWS),
        }  # fmt: skip


def _messages(folder: Path) -> Iterator[View]:
    for path in sorted(folder.glob("messages/*.yaml")):
        file = read_yaml(path, [], name=path.name)
        if file is None:
            continue
        data: Mapping[str, Any] = file.data
        tree = {key: data[key] for key in _READ if key in data} if data["direction"] == "in" else data.get("body", {})
        yield {
            "name": path.stem, "title": data.get("title", path.stem), "direction": data["direction"],
            "fields": [{"field": where, "rule": told(node)} for where, node in leaves(tree)],
        }  # fmt: skip


def _samples(folder: Path) -> Iterator[View]:
    """Invented, and masked all the same: nobody has to know that it is a sample before looking away."""
    paths = [path for path in sorted(folder.glob("samples/*")) if ".in." in path.name or ".out." in path.name]
    for path in paths[:MOST_SAMPLES]:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            text = ""  # in another charset, or no text at all: its reading says what it is
        golden = path.with_name(path.name.split(".in.")[0] + ".reading.json")
        known = list(_people(golden)) if golden.is_file() else []
        reading = golden.read_text(encoding="utf-8") if golden.is_file() else ""
        yield {
            "name": path.name, "text": masked_text(text, *known)[:_LONGEST],
            "reading": masked_text(reading, *known)[:_LONGEST],
        }  # fmt: skip


def _people(golden: Path) -> Iterator[str]:
    try:
        readings = READINGS.validate_json(golden.read_bytes())
    except ValidationError:  # it is to be refused: nobody is named
        return
    for reading in readings:
        if reading.report is not None:
            yield reading.report.reporter.name
            yield reading.report.reporter.phone
