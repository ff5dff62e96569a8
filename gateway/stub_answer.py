"""Answers that a folder judges accepted: found by trying small documents against its own rows, never known by a name.

A sample `samples/<message>.answer.<ext>` is answered as it stands instead.
"""

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters import System
from adapters.answer import around_answer
from adapters.declaration import AnswerDeclaration, AnswerRow
from adapters.path import parts_of, path_getter
from adapters.samples import ID, NOW
from adapters.shape_declaration import Step
from adapters.shape_xml import soap_body, xml_text
from adapters.trace import paths_of
from canonical.errors import Duplicate, HubError, InDoubt, Misconfigured, Refused, Unauthenticated, Unavailable
from canonical.message import Message

_EXPRESSION = re.compile(
    r"(?:num|text|trim)?\(?doc\.((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)\)?\s*(?:==|>=|<=|in\s*\[)\s*('[^']*'|\"[^\"]*\"|-?[0-9.]+|true|false)"
)
_ECHO = re.compile(r"(?:text\()?doc\.([\w.]+)\)?\s*[!=]=\s*(?:text\()?doc\[['\"]\$asked['\"]\]\.([\w.]+)\)?")
_HAS = re.compile(r"has\(doc\.((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)\)")
_TYPES = {".json": "application/json", ".xml": "text/xml", ".txt": "text/plain"}
_COOKIE = "SESSION=stub-token; Path=/"


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other side says."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def message(self, system: str) -> Message:
        """As the hub would have it."""
        length = {"content-length": str(len(self.body))}
        return Message(
            system=system, body=self.body, at=NOW, id=ID, content_type=self.content_type, status=self.status,
            headers={**self.headers, **length},
        )  # fmt: skip


class NoAnswer(Misconfigured):
    """No document was found that the rows judge accepted."""


def stored(folder: Path, name: str) -> Answered | None:
    """The sample answer to a message, when the folder has one."""
    for path in sorted(folder.glob(f"samples/{name}.answer.*")):
        return Answered(path.read_bytes(), _TYPES.get(path.suffix, "application/octet-stream"))
    return None


def stored_answers(folder: Path, system: System) -> Iterator[tuple[Path, str]]:
    """(file, message) of every sample answer to a message that the system declares."""
    for path in sorted(folder.glob("samples/*.answer.*")):
        name = path.name.partition(".answer.")[0]
        if name in system.writers:
            yield path, name


def accepted(
    system: System, name: str, declared: AnswerDeclaration, *, more: Mapping[str, Any] | None = None, number: int = 1,
    holds: Callable[[Answered], bool] | None = None, asked: Message | None = None,
) -> Answered:  # fmt: skip
    """An answer to message `name` that is judged accepted and `holds`. `more`: path to what it must say.

    `asked`: the message it answers, where the rows compare the answer with it.

    Raises NoAnswer with what to write instead.
    """
    try:
        for candidate in _candidates(declared, {**_echoes(declared, asked), **(more or {})}, number):
            if _judged(system, name, candidate, asked) and (holds is None or holds(candidate)):
                return candidate
    except _NotMade as error:
        raise NoAnswer(f"{error}; put an answer at samples/{name}.answer.json 请放一份回执样例") from None
    raise NoAnswer(
        f"no small document was found that `answers` judges accepted for {name}; put an answer at"
        f" samples/{name}.answer.json 没有试出被判为成功的回执, 请放一份样例"
    )


def judged_as(
    system: System, name: str, declared: AnswerDeclaration, then: str, *, asked: Message | None = None
) -> Answered | None:
    """An answer to message `name` that is judged `then`, such as refused, absent or unauthenticated; None: none found.

    A row that asks for an HTTP status alone is enough.
    """
    with suppress(_NotMade):
        for candidate in _candidates(declared, _echoes(declared, asked), 1, then):
            if verdict_of(system, name, candidate, asked) == then:
                return candidate
    return None


def _echoes(declared: AnswerDeclaration, asked: Message | None) -> dict[str, Any]:
    """What the rows want to hear again of what was asked: path to value."""
    if asked is None:
        return {}
    known = around_answer({}, Message(system="", body=b"", at=NOW, id=ID, asked=asked), frozenset({"$asked"}))
    return {path: path_getter(f"$asked.{place}")(known) for path, place in _compared(declared)}


def _compared(declared: AnswerDeclaration) -> list[tuple[str, str]]:
    """(path in the answer, place in what was asked) that rows compare."""
    return [pair for row in declared.rows if isinstance(row.when, str) for pair in _ECHO.findall(row.when)]


def example_asked(declared: AnswerDeclaration) -> Message:
    """A message with a value wherever the rows compare."""
    body: Any = {}
    for _, place in _compared(declared):
        body = _put(body, parts_of(place)[1:], "1")
    query = "&".join(f"{place.partition('.')[2]}=1" for _, place in _compared(declared))
    return Message(system="", body=b"", at=NOW, id=ID, path=f"/?{query}", content=body)


def _judged(system: System, name: str, candidate: Answered, asked: Message | None) -> bool:
    return verdict_of(system, name, candidate, asked) == "accepted"


_RAISED: Mapping[type[HubError], str] = {
    Duplicate: "duplicate", Refused: "refused", Unauthenticated: "unauthenticated", Unavailable: "unavailable",
    InDoubt: "in_doubt",
}  # fmt: skip


def verdict_of(system: System, name: str, candidate: Answered, asked: Message | None = None) -> str:
    """How the folder judges an answer: `accepted`, `absent`, or the word of what is raised, such as `refused`."""
    try:
        told = system.judge(name, replace(candidate.message(system.role.id), asked=asked))
    except HubError as error:
        return next((word for kind, word in _RAISED.items() if isinstance(error, kind)), "in_doubt")
    return "absent" if told.absent else "accepted"


class _NotMade(Exception):
    """A step of the shape that nobody here writes."""


def _candidates(
    declared: AnswerDeclaration, more: Mapping[str, Any], number: int, then: str = "accepted"
) -> Iterator[Answered]:
    for row in declared.rows:
        if row.then != then:
            continue
        wanted = dict(_wanted(row))
        ids = dict.fromkeys(_paths(row.external_id) + _paths(row.visible_no), f"SIM-{number}")
        for said in ({**wanted, **ids, **more}, {**ids, **wanted, **more}, {**wanted, **more}):
            for typed in (said, {path: _typed(value) for path, value in said.items()}):
                made = _answered(row, declared.shape, typed)
                yield made
                if not made.body.isascii():  # a platform of an older charset writes so
                    yield replace(made, body=made.body.decode("utf-8").encode("gb18030"))


def _paths(rule: Any) -> list[str]:  # noqa: ANN401
    return list(paths_of(rule)) if isinstance(rule, dict) else [rule] if isinstance(rule, str) else []


def _typed(value: Any) -> Any:  # noqa: ANN401
    """A text as the number or truth it stands for."""
    if not isinstance(value, str):
        return value
    return {"true": True, "false": False}.get(value, int(value) if re.fullmatch(r"-?[0-9]{1,9}", value) else value)


def _wanted(row: AnswerRow) -> Iterator[tuple[str, Any]]:
    """(path, value) that make the row's condition true."""
    if isinstance(row.when, str):
        yield from ((path, "1") for path in _HAS.findall(row.when))
        for path, literal in _EXPRESSION.findall(row.when):
            yield path, literal[1:-1] if literal[0] in "'\"" else json.loads(literal)
        return
    for path, test in row.when.items():
        yield path, _fitting(test)


def more_of(rule: object, *, left: bool) -> dict[str, Any]:
    """Where an expression compares to learn whether more follows, and what it then must find; empty: it is none."""
    expression = rule.get("expr") if isinstance(rule, Mapping) else getattr(rule, "expr", None)
    found = _EXPRESSION.findall(expression) if isinstance(expression, str) else []
    return {path: (one[1:-1] if one[0] in "'\"" else json.loads(one)) if left else "" for path, one in found}


def _fitting(test: Any) -> Any:  # noqa: ANN401
    if isinstance(test, list):
        return test[0] if test else ""
    if not isinstance(test, Mapping):
        return test
    [(kind, bound)] = test.items()
    return _FITTING[kind](bound)


_FITTING: Mapping[str, Callable[[Any], Any]] = {
    "contains": str,
    "present": lambda wanted: None if wanted == "no" else "1",
    "matches": lambda pattern: re.sub(r"\|.*|[\^$()?+*]", "", str(pattern)).replace("\\d", "1").replace("\\", ""),
    "above": lambda bound: float(bound) + 1,
    "below": lambda bound: float(bound) - 1,
}


def _answered(row: AnswerRow, steps: Sequence[Step], said: Mapping[str, Any]) -> Answered:
    document: Any = {}
    headers: dict[str, str] = {}
    for path, value in said.items():
        if path.startswith("$headers."):
            headers[path.removeprefix("$headers.")] = _COOKIE if path.endswith("cookie") else str(value)
        elif value is not None and not path.startswith(("$status", "$at")):
            document = _put(document, parts_of(path.removeprefix("$whole.")) if path != "." else (), value)
    body, kind = written(document, steps)
    status = int((row.http or "200").replace("x", "0"))
    return Answered(body, kind, status, headers)


def _put(document: Any, parts: Sequence[str], value: Any) -> Any:  # noqa: ANN401
    """The document with a value at a path, whatever has to be made on the way."""
    if not parts:
        return value
    first, *rest = parts
    if first.isdigit():
        rows = list(document) if isinstance(document, list) else []
        rows += [{}] * (int(first) + 1 - len(rows))
        rows[int(first)] = _put(rows[int(first)], rest, value)
        return rows
    members = dict(document) if isinstance(document, dict) else {}
    return members | {first: _put(members.get(first), rest, value)}


# The steps of a shape, the other way


def written(document: Any, steps: Sequence[Step]) -> tuple[bytes, str]:  # noqa: ANN401
    """The bytes that these steps read as the document, and their content type."""
    kind = _KINDS.get(steps[0].given[0], "application/octet-stream")
    for step in reversed(steps):
        name, declared = step.given
        if name not in _WRITERS:
            raise _NotMade(f"answers of shape '{name}' are not made up")
        document = _WRITERS[name](document, declared)
    return document if isinstance(document, bytes) else str(document).encode(), kind


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    return [_plain(below) for below in value] if isinstance(value, list) else value


def _xml(document: Any, declared: Any) -> bytes:  # noqa: ANN401
    if declared.or_text and isinstance(document, dict) and set(document) == {"text"}:
        return str(document["text"]).encode()
    if isinstance(document, dict) and len(document) == 1:
        [(root, tree)] = document.items()
        return xml_text(root, _plain(tree), "utf-8").encode()
    return xml_text("answer", _plain(document), "utf-8").encode()


def _inside(document: Any, declared: Any) -> Any:  # noqa: ANN401
    parts = parts_of(declared.path)
    inner = document
    for part in [*parts[:-1], declared.as_ or parts[-1]]:
        inner = inner.get(part, {}) if isinstance(inner, dict) else {}
    return _put(document, parts, written(inner, declared.shape)[0].decode())


def _operation(document: Any, element: str | tuple[str, ...]) -> tuple[str, Any]:  # noqa: ANN401
    """Name and content of the operation's element."""
    if isinstance(element, str):
        return element, _plain(document)
    name = next((one for one in element if one in document), element[0])
    return name, _plain(document.get(name, {}))


_WRITERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "json": lambda document, _: json.dumps(_plain(document), ensure_ascii=False).encode(),
    "xml": _xml,
    "soap": lambda document, declared: soap_body("", *_operation(document, declared.element), declared.version),
    "pick": lambda document, path: _put({}, parts_of(path), document),
    "text": lambda document, _: document.get("text", "ok") if isinstance(document, dict) else str(document),
    "base64": lambda document, _: base64.b64encode(document if isinstance(document, bytes) else str(document).encode()),
    "gunzip": lambda document, _: gzip.compress(document, mtime=0),
    "inside": _inside,
}
_KINDS = {"json": "application/json", "xml": "text/xml", "soap": "text/xml", "text": "text/plain"}
