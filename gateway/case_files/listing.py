"""Which files a case has: what each shows, whose message brought it, and whether its bytes are here."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from canonical.case import Event
from canonical.lifecycle import BY_ACTION, ActionKind, Party
from canonical.time import in_shanghai
from gateway.views import View
from storage.attachments import FileRow, FileState
from storage.file_rows import JOINED, address_of, part_of


class Shows(StrEnum):
    """What a file is to the case."""

    BEFORE = "before"
    """处置前: what was found."""
    AFTER = "after"
    """处置后: what was done, and how it was checked."""
    EVIDENCE = "evidence"
    """What a request, a return or a remark rests on."""


_K = ActionKind
_OF_ACTION: Mapping[ActionKind, Shows] = MappingProxyType(
    dict.fromkeys((_K.COLLECT, _K.JOIN, _K.VERIFY, _K.FILE), Shows.BEFORE)
    | dict.fromkeys((_K.DISPOSE, _K.ANSWER, _K.SETTLE, _K.CHECK, _K.CLOSE, _K.FORCE_CLOSE), Shows.AFTER)
)
_OF_REMARK: Mapping[Party, Shows] = MappingProxyType(
    {Party.SOURCE: Shows.BEFORE, Party.OWNER: Shows.AFTER, Party.JOINT: Shows.AFTER}
)
"""Files that come by themselves are kept with a remark; what they show depends on who sent them."""


def shows(event: Event) -> Shows:
    """What the files show that came with this event."""
    action = event.action
    if action.kind is ActionKind.COMMENT:
        return _OF_REMARK.get(action.actor.party, Shows.EVIDENCE)
    return _OF_ACTION.get(action.kind, Shows.EVIDENCE)


def file_id(url: str) -> str:
    """A file's name in addresses of ours, whatever its own address holds."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def files_view(rows: Sequence[FileRow], events: Sequence[Event]) -> list[View]:
    """The files in the order in which the case got them."""
    brought = dict(reversed(list(_brought(events))))
    return [_view(row, brought.get(row.url)) for row in rows]


def _brought(events: Sequence[Event]) -> Iterator[tuple[str, Event]]:
    """Address to the event that brought it first."""
    for event in events:
        report = event.action.report
        for attachment in (*event.action.attachments, *(report.attachments if report else ())):
            part = part_of(attachment.url)
            yield address_of(attachment.url), event
            if part:
                yield f"{JOINED}{part.file_id}", event


def _view(row: FileRow, event: Event | None) -> View:
    return {
        "id": file_id(row.url), "shows": shows(event) if event else Shows.EVIDENCE, "name": row.name,
        "state": row.state, "sha256": row.sha256 or None, "size": row.size if row.sha256 else None,
        "media": row.media or None, "picture": row.media.startswith("image/"), "text": row.text,
        "system": row.system, "seq": event.seq if event else None,
        "action": event.action.kind if event else None,
        "action_title": BY_ACTION[event.action.kind].title if event else "",
        "message": str(event.message_id) if event and event.message_id else None,
        "at": in_shanghai(event.action.at).isoformat() if event else None,
    }  # fmt: skip


def chosen(rows: Sequence[FileRow], name: str) -> FileRow | None:
    """The file that is here under this digest or id; None: the case has none."""
    there = (row for row in rows if row.state is FileState.STORED)
    return next((row for row in there if name in (row.sha256, file_id(row.url))), None)
