"""What stands around a document while it is read: headers, query, topic, the whole it was taken out of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from adapters.charset import AUTO
from adapters.shape import query_of
from canonical.message import Message
from canonical.time import in_shanghai

_PARAMETER = re.compile(r"\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A door's path, such as `devices/{device}/alarms`."""

    expression: re.Pattern[str]
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the segments that vary."""
        return tuple(self.expression.groupindex)

    def match(self, suffix: str) -> dict[str, str] | None:
        """Named segments of the path, or None when it is another door's."""
        found = self.expression.fullmatch(suffix.partition("?")[0].strip("/"))
        return found.groupdict() if found else None


def path_pattern(path: str) -> PathPattern:
    """Compile a door's path."""
    parts = _PARAMETER.split(path.strip("/"))
    expression = "".join(
        re.escape(part) if index % 2 == 0 else f"(?P<{part}>[^/]+)" for index, part in enumerate(parts)
    )
    return PathPattern(re.compile(expression), path.strip("/"))


class Around(NamedTuple):
    """The surroundings of one message; items of it add `$parent` and `$row`."""

    message: Message
    whole: Any
    pattern: PathPattern | None = None

    def members(self, used: frozenset[str], parent: object = None, row: int = 0) -> dict[str, Any]:
        """The members that rules use, under their names. Raises Unacceptable for a query that cannot be read."""
        return {
            name.partition(".")[0]: _MEMBERS[name.partition(".")[0]](self, parent, row)
            for name in used
        }  # fmt: skip

    def headers(self) -> Mapping[str, str]:
        """The message's headers."""
        return dict(self.message.headers)

    def path(self) -> dict[str, str]:
        """Segments by number, and by name where the door's path names them."""
        bare = self.message.path.partition("?")[0].strip("/")
        segments = {str(number): segment for number, segment in enumerate(bare.split("/")) if segment}
        return segments | ((self.pattern.match(bare) or {}) if self.pattern else {})


def beside(document: object, members: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """A document with what stands around it; what is no object has room for nothing else."""
    if type(document) is dict:
        return {**document, **members}
    return dict(members) if members else document


def _topic(around: Around, _parent: object, _row: int) -> dict[str, str]:
    bare = around.message.path.partition("?")[0]
    return {str(number): level for number, level in enumerate(bare.split("/"))}


def _body(around: Around, _parent: object, _row: int) -> str:
    return around.message.body.decode("utf-8", "surrogateescape")


def _asked(sent: Message | None) -> dict[str, Any] | None:
    if sent is None:
        return None
    return {
        "body": sent.content, "query": query_of(sent.path), "headers": dict(sent.headers),
        "path": sent.path.partition("?")[0], "method": sent.method,
    }  # fmt: skip


_MEMBERS: Mapping[str, Any] = {
    "$headers": lambda around, _parent, _row: around.headers(),
    "$query": lambda around, _parent, _row: query_of(around.message.path, AUTO),
    "$path": lambda around, _parent, _row: around.path(),
    "$topic": _topic,
    "$whole": lambda around, _parent, _row: around.whole,
    "$parent": lambda _around, parent, _row: parent,
    "$row": lambda _around, _parent, row: row,
    "$at": lambda around, _parent, _row: in_shanghai(around.message.at),  # the journal gives it back in another zone
    "$body": _body,
    "$method": lambda around, _parent, _row: around.message.method,
    "$door": lambda around, _parent, _row: around.message.door,
    "$status": lambda around, _parent, _row: around.message.status or None,
    "$asked": lambda around, _parent, _row: _asked(around.message.asked),
}
