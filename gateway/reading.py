"""Reading one message from a file, outside the hub: for integrators and for tests of samples."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import adapters
from adapters import System
from canonical.errors import HubError, Misconfigured, Unacceptable
from canonical.findings import Severity
from canonical.message import Message
from canonical.reading import Reading
from gateway.configuration import Configuration
from gateway.configuration import read as read_configuration
from gateway.hub import clock, fresh_id
from gateway.settings import settings
from routing.rules import source_due


def read_file(system: str, file: Path, door: str, config: Path | None) -> list[dict[str, Any]]:
    """The readings of the message in `file`, as JSON values; `error` where it is not acceptable.

    `system`: one of the city, a folder, or a shipped adapter.
    """
    told = settings(config)
    configuration, _ = read_configuration(told.config, os.environ, unset=Severity.WARNING)
    if configuration is None:
        raise Misconfigured(f"{told.config} cannot be read: try gridhub check")
    _, found = found_system(system, configuration)
    message = message_of(file.read_bytes(), system=found.role.id, http=file.suffix == ".http", now=clock())
    return [view(content, configuration) for content in _readings(found, message, door)]


def found_system(given: str, configuration: Configuration | None) -> tuple[Path, System]:
    """Folder and system: one of the city, a folder, or a shipped adapter. Raises Misconfigured."""
    connected = configuration.systems.get(given) if configuration else None
    if connected:
        return connected.folder, connected.system
    folder = Path(given) if (Path(given) / "system.yaml").is_file() else adapters.shipped().get(given)
    if folder is not None:
        return folder, bare(folder.resolve())
    known = ", ".join(sorted({*adapters.shipped(), *(configuration.systems if configuration else ())}))
    raise Misconfigured(f"'{given}' is neither a folder with a system.yaml nor a system; known: {known}")


def bare(folder: Path) -> System:
    """The system of a folder without any city, with the secrets of its samples. Raises Misconfigured."""
    return adapters.load(folder, adapters.sample_secrets(folder))


def message_of(raw: bytes, *, system: str, http: bool, now: datetime) -> Message:
    """A message from a body, or from a whole HTTP request (request line, headers, blank line, body)."""
    headers: dict[str, str] = {}
    if http:
        head, _, raw = raw.partition(b"\r\n\r\n") if b"\r\n\r\n" in raw else raw.partition(b"\n\n")
        lines = head.decode("latin-1").splitlines()[1:]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Message(
        system=system, body=raw, at=now, id=fresh_id(), content_type=headers.get("content-type", ""), headers=headers
    )  # fmt: skip


def _readings(system: System, message: Message, door: str) -> list[Reading | Unacceptable]:
    """Through the door named; else through the first door or pull that makes something of it."""
    from dataclasses import replace

    names = [door] if door else [*(one.name for one in system.doors), *(one.name for one in system.pulls)]
    attempts = [_through(system, replace(message, door=name)) for name in names]
    if not attempts:
        return [Unacceptable(f"{system.role.id} declares nothing inbound")]
    return next((one for one in attempts if one and all(isinstance(each, Reading) for each in one)), attempts[0])


def _through(system: System, message: Message) -> list[Reading | Unacceptable]:
    if message.door not in {pull.name for pull in system.pulls}:
        return system.read(message)
    try:
        page = system.page(message.door, message, now=message.at, ids=fresh_id)
    except Unacceptable as error:
        return [error]
    except HubError:  # not a page: read it as one item, and let that say what is wrong
        return system.read(message)
    return [reading for item in page.items for reading in system.read(item)]


def view(content: Reading | Unacceptable, configuration: Configuration) -> dict[str, Any]:
    """One reading with its place located and its deadline computed."""
    if isinstance(content, Unacceptable):
        return {"error": str(content), "why": str(content.why), "at": content.at, "external_id": content.key}
    shown: dict[str, Any] = content.model_dump(mode="json", exclude_defaults=True)
    if content.report:
        [place] = configuration.city.locator.locate([content.report], clock().date())
        shown["place"] = place.model_dump(mode="json", exclude_defaults=True)
        due = source_due(content.report.deadline, clock(), configuration.city)
        shown["source_due"] = due.model_dump(mode="json") if due else None
        if content.report.class_code:
            shown["report"]["class_code"] = str(content.report.class_code)
    return shown
