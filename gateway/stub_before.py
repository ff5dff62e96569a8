"""What the answer to a question must hold so that the message that asks it can be written: read from the rules.

A platform that is only played makes its salts, ids and versions up; they only have to be there.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.before import asked_message
from adapters.message_declaration import BeforeEach, OutboundDeclaration
from adapters.rule import is_rule
from adapters.trace import paths_of

_OURS = ("$file", "$status")
"""What the hub itself puts beside an answer."""
_WALK = re.compile(r"doc\.([\w.]+)\.(?:map|filter|exists|all)\(\s*(\w+)\s*,")
_NUMBER = re.compile(r"[0-9]+\.")
"""An item of a list: every item is answered alike."""


def read_later(name: str, declarations: Mapping[str, OutboundDeclaration]) -> dict[str, str]:
    """Path in the answer to question `name` to how it is used: `path` where it is an address, else `value`."""
    found: dict[str, str] = {}
    for declared in declarations.values():
        for entry, one in declared.before.items():
            if asked_message(one) != name:
                continue
            users = [declared, *_later(entry, declared, declarations)]
            for user in users:
                _note(found, _below(user, f"before.{entry}"))
            for other in declared.before.values():
                if isinstance(other, BeforeEach) and other.each == f"before.{entry}" and other.ask in declarations:
                    _note(found, _below(declarations[other.ask], "file"))
    return {path: how for path, how in found.items() if not any(other.startswith(f"{path}.") for other in found)}


def _later(
    entry: str, declared: OutboundDeclaration, declarations: Mapping[str, OutboundDeclaration]
) -> Iterator[OutboundDeclaration]:  # fmt: skip
    """The questions of the same message that are asked after this one."""
    names = list(declared.before)
    for later in names[names.index(entry) + 1 :]:
        asked = asked_message(declared.before[later])
        if asked in declarations:
            yield declarations[asked]


def _note(found: dict[str, str], used: Iterator[tuple[str, str]]) -> None:
    for path, how in used:
        if path.partition(".")[0] not in _OURS and found.get(path) != "path":
            found[path] = how


def _below(declared: OutboundDeclaration, place: str) -> Iterator[tuple[str, str]]:
    """(path below the place, how it is used) of every rule of a message that looks there."""
    nodes = (("path", declared.path), *(("value", one) for one in _nodes(declared)))
    for how, node in nodes:
        whole = how == "path" and isinstance(node, Mapping) and isinstance(node.get("from"), str)
        for path in _looked_at(node):
            if path.startswith(f"{place}."):
                yield _NUMBER.sub("", path.removeprefix(f"{place}."), count=1), "path" if whole else "value"


def _nodes(declared: OutboundDeclaration) -> Iterator[Any]:
    yield from (declared.body, declared.seal, declared.query, declared.headers)
    yield from (block.model_dump() for block in declared.soap_headers)


def _looked_at(node: Any) -> Iterator[str]:  # noqa: ANN401
    """Every path, also of rules deep inside a tree, and those of `each` below the list it goes through."""
    if isinstance(node, list):
        for one in node:
            yield from _looked_at(one)
    if not isinstance(node, Mapping):
        return
    if is_rule(node):
        yield from paths_of(node)
        for walked, item in _WALK.findall(str(node.get("expr", ""))):
            yield from (f"{walked}.{path}" for path in re.findall(rf"\b{item}\.([\w.]+)", node["expr"]))
    for below in node.values():
        yield from _looked_at(below)
    if "each" in node:
        lists = node.get("from")
        for path in _looked_at(node["each"]):
            yield from (f"{one}.{path}" for one in ([lists] if isinstance(lists, str) else lists or []))
