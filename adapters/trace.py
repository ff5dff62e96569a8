"""How a reading came about, field by field: the rule, the raw value it began with, the value it gave, and what is left.

For people who connect a platform. Values are shown as they are: whoever prints them masks them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.entrance import Entrance
from adapters.inbound import InboundPlan
from adapters.path import path_getter
from adapters.rule import is_rule
from adapters.rule_step import UnknownCode
from adapters.scope import Leaf
from adapters.system import System
from adapters.value import empty
from canonical.errors import HubError, Unacceptable, UnmappedCode
from canonical.message import Message
from canonical.reading import Reading

MOST = 2000
"""Unused places told of one document."""


@dataclass(frozen=True, slots=True)
class TracedField:
    """One field of the reading."""

    field: str
    """Key in the declaration, such as report.address."""
    line: int
    rule: str
    """The rule, short."""
    raw: tuple[tuple[str, Any], ...]
    """(path, value there) of every path it looks at."""
    value: Any
    trouble: str
    """Why it gave no value, when it is refused."""
    table: str = ""
    """Where a row is missing, such as codes/kinds.csv, when a code has none."""
    code: str = ""
    """The code without a row."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One document of a message, read and explained."""

    kind: str
    """Name of the declared message; empty when none fits."""
    file: str
    content: Reading | Unacceptable
    fields: tuple[TracedField, ...]
    unused: tuple[tuple[str, Any], ...]
    """(path, value) of what no rule looks at and is not empty."""


def trace(system: System, message: Message) -> list[Traced]:
    """Every document of the message, its reading explained; what cannot be opened gives one entry without fields."""
    entrance = system.entrances.get(message.door or next(iter(system.entrances), ""))
    contents = system.read(message)
    if entrance is None:
        return [_bare(content) for content in contents]
    documents = entrance.documents(message)
    if len(documents) != len(contents):
        return [_bare(content) for content in contents]
    return [
        _traced(entrance, known, document, content)
        for (document, known), content in zip(documents, contents, strict=True)
    ]


def _bare(content: Reading | Unacceptable) -> Traced:
    return Traced("", "", content, (), ())


def _traced(entrance: Entrance, known: Any, document: Any, content: Reading | Unacceptable) -> Traced:  # noqa: ANN401
    plan = next((plan for plan in entrance.plans if plan.fits(known)), None)
    if plan is None:
        return Traced("", "", content, (), tuple(_places(document)))
    file = f"messages/{plan.name}.yaml"
    fields = tuple(_status(_field(leaf, known), content, file) for leaf in plan.leaves)
    used = {path for leaf in plan.leaves for path in paths_of(leaf.node)} | {path for path, _ in plan.picks}
    used |= _deeper(plan, used)
    return Traced(plan.name, file, content, fields, tuple(_unused(document, used)))


def _field(leaf: Leaf, known: Any) -> TracedField:  # noqa: ANN401
    raw = tuple((path, path_getter(path)(known)) for path in paths_of(leaf.node))
    value, trouble, table, code = None, "", "", ""
    try:
        value = leaf.get(known)
    except HubError as error:
        trouble = str(error)
        if isinstance(error, UnknownCode):
            table, code = error.table, error.code
    return TracedField(".".join(map(str, leaf.where)), leaf.line, told(leaf.node), raw, value, trouble, table, code)


def _status(field: TracedField, content: Reading | Unacceptable, file: str) -> TracedField:
    """A status that the message's steps do not know fails as a whole reading, not as a rule."""
    if field.field != "action.status" or not isinstance(content, UnmappedCode) or content.at != field.field:
        return field
    return replace(field, trouble=str(content), table=f"{file} action.steps", code=str(field.value))


_IN_EXPRESSION = re.compile(r"\bdoc((?:\.[A-Za-z_]\w*)+)(?!\w*\()")


def paths_of(node: object) -> tuple[str, ...]:
    """Every path a rule looks at, rules inside it included; those inside `each` begin at an item and are left out."""
    if not isinstance(node, Mapping):
        return tuple(path for one in node for path in paths_of(one)) if isinstance(node, list) else ()
    found: list[str] = []
    for key, below in node.items():
        if key == "from" and is_rule(node):
            found += [below] if isinstance(below, str) else list(below)
        elif key == "expr" and isinstance(below, str):
            found += [path[1:] for path in _IN_EXPRESSION.findall(below)]
        elif key == "text" and isinstance(below, str):
            found += [piece.partition("}")[0] for piece in below.split("{")[1:]]
        elif key in {"if", "unless"} and isinstance(below, Mapping):
            found += list(below)
        elif key in {"of", "object", "default", "xml", "tree"}:
            found += paths_of(below if key != "object" else list(below.values()))
        elif key == "pairs":
            found.append(below.get("from", "."))
    return tuple(dict.fromkeys(found))


def told(node: object) -> str:
    """A rule in one line, as it is declared."""
    if isinstance(node, Mapping):
        return "{" + ", ".join(f"{key}: {told(below)}" for key, below in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(told(one) for one in node) + "]"
    return _PLAIN.get(node, str(node)) if isinstance(node, bool) or node is None else _text(node)


_PLAIN: dict[object, str] = {True: "true", False: "false", None: "null"}


def _text(node: object) -> str:
    """A text with its quotes where it would not be seen, or not be taken for a text, without them."""
    text = str(node)
    hidden = not text or text != text.strip() or text[0] in "{[&*!|>'\"%@`#," or ": " in text
    return f'"{text}"' if isinstance(node, str) and hidden else text


def _deeper(plan: InboundPlan, used: set[str]) -> set[str]:
    """Lists that attachments and `each` go through count as used whole."""
    return {path.rsplit(".", 1)[0] for path in used if path.rsplit(".", 1)[-1].isdigit() and plan.name}


def _unused(document: Any, used: set[str]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if "." in used:
        return
    for path, value in _places(document):
        parents = {path.rsplit(".", count)[0] for count in range(path.count(".") + 1)}
        if not parents & used:
            yield path, value


def _places(document: Any, where: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Every leaf that is not empty, at most MOST."""
    waiting, told_of = [(where, document)], 0
    while waiting and told_of < MOST:
        place, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting = [(f"{place}.{name}".strip("."), below) for name, below in value.items()] + waiting
        elif isinstance(value, list):
            waiting = [(f"{place}.{index}".strip("."), below) for index, below in enumerate(value)] + waiting
        elif not empty(value):
            told_of += 1
            yield place, value
