"""What the tests of systems share: loading a folder with demonstration secrets, messages, a case to write about."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

import adapters
from adapters import System
from canonical.case import Action, Binding, Case
from canonical.message import Message
from canonical.reading import Outbound
from canonical.time import SHANGHAI

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=SHANGHAI)
ID = UUID("01890000-0000-7000-8000-000000000001")
FOLDERS = list(adapters.shipped().values())
_TYPES = {".json": "application/json", ".xml": "text/xml; charset=utf-8"}
_CASE: dict[str, Any] = {
    "id": str(ID), "no": "34022026052000001", "sequence": 1, "stage": "dispatched", "version": 3, "source": "x",
    "received_at": "2026-05-20T08:30:00+08:00",
    "assignments": [{"round": 1, "unit": "u1", "dispatched_at": "2026-05-20T10:00:00+08:00"}],
}  # fmt: skip


def loaded(folder: Path, **secrets: str) -> System:
    """The system of a folder, every declared secret `demo-<name>` unless given."""
    declared = yaml.safe_load((folder / "system.yaml").read_text(encoding="utf-8")).get("secrets", {})
    return adapters.load(folder, {name: f"demo-{name}" for name in declared} | secrets)


def inbound(body: bytes, *, door: str = "", content_type: str = "", at: datetime = NOW, token: str = "") -> Message:
    """A message as it comes through a door."""
    return Message(
        system="s",
        body=body,
        at=at,
        id=ID,
        door=door,
        content_type=content_type,
        headers={"token": token} if token else {},
    )


def sample(path: Path) -> Message:
    """A stored sample `<door>.<what>.in.<ext>` as a message of that door."""
    return inbound(path.read_bytes(), door=path.name.split(".")[0], content_type=_TYPES[path.suffix])


def case_of(**facts: Any) -> Case:
    """A dispatched case with these facts."""
    return Case.model_validate(_CASE | facts)


def outbound_of(message: str, given: dict[str, Any]) -> Outbound:
    """An outbound message from the `given` part of a stored sample."""
    return Outbound(
        message=message,
        case=case_of(**given.get("case", {})),
        action=Action.model_validate(given["action"]),
        binding=_binding(given.get("binding"), "owner"),
        source_binding=_binding(given.get("source_binding"), "source"),
        area_names=given.get("area_names", {}),
    )


def _binding(facts: dict[str, Any] | None, role: str) -> Binding | None:
    if facts is None:
        return None
    return Binding.model_validate({"case_id": str(ID), "system": "s", "role": role} | facts)


def written(system: System, outbound: Outbound) -> tuple[Message, Any]:
    """The message written, and its document read back from the bytes."""
    message = system.write(outbound, now=NOW, id=ID)
    body = message.body
    if message.content_type.startswith("multipart/form-data"):
        body = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
    return message, json.loads(body)
