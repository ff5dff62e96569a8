"""What the tests of systems share: loading a folder with demonstration secrets, messages, a case to write about."""

from datetime import datetime
from pathlib import Path
from typing import Any

import adapters
from adapters import System
from adapters.samples import ID, NOW, InboundSample, body_of, outbound_of
from canonical.case import Case
from canonical.message import Message
from canonical.reading import Outbound

__all__ = ["FOLDERS", "ID", "NOW", "case_of", "inbound", "loaded", "outbound_of", "sample", "written"]

FOLDERS = list(adapters.shipped().values())


def loaded(folder: Path, **secrets: str) -> System:
    """The system of a folder with the secrets of its samples, unless given."""
    return adapters.load(folder, adapters.sample_secrets(folder) | secrets)


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
    """A stored sample `<door>.<what>.in.<ext>` as a message of that door, with what stood around it."""
    return InboundSample(path, path).message("s")


def case_of(**facts: Any) -> Case:
    """A dispatched case with these facts."""
    return outbound_of("-", {"case": facts, "action": _ACTION}).case


_ACTION = {"kind": "comment", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00", "reason": "x"}


def written(system: System, outbound: Outbound) -> tuple[Message, Any]:
    """The message written, and its document read back from the bytes."""
    message = system.write(outbound, now=NOW, id=ID)
    return message, body_of(message)
