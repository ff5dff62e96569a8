"""Several rules of one document at once: the fields of a canonical value, and texts, which most fields are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.path import Get
from adapters.rule import compile_rule, is_rule
from adapters.scope import Scope
from adapters.value import text_at
from adapters.yaml_file import Where

Fill = Callable[[Any], dict[str, Any]]
"""A document to the keyword arguments of a canonical value; what is empty is left out."""


@dataclass(frozen=True, slots=True)
class Member:
    """The text of one member of a document. Most rules are no more than this, so that it costs no call."""

    name: str
    at: str

    def __call__(self, document: Any) -> str | None:  # noqa: ANN401
        value = document.get(self.name) if type(document) is dict else None
        return value if value is None else text_at(value, self.at)


def filled(getters: Mapping[str, Get]) -> Fill:
    """All of them at once, those that are empty left out."""
    members = tuple((field, get.name, get) for field, get in getters.items() if isinstance(get, Member))
    others = tuple((field, get) for field, get in getters.items() if not isinstance(get, Member))

    def fill(document: Any) -> dict[str, Any]:  # noqa: ANN401
        fields: dict[str, Any] = {}
        given: Get = document.get if type(document) is dict else _nothing
        for field, name, member in members:
            value: Any = given(name)
            if type(value) is not str:
                value = None if value is None else member(document)
            if value:
                fields[field] = value
        for field, get in others:
            if value := get(document):
                fields[field] = value
        return fields

    return fill


def _nothing(_name: str) -> None:
    return None


def text_rule(node: object, scope: Scope, where: Where) -> Get:
    """A rule whose value must be one text; numbers become text."""
    get = compile_rule(node, scope, where)
    if not is_rule(node):
        return get
    at = ".".join(map(str, where))
    if isinstance(node, dict) and set(node) == {"from"} and isinstance(path := node["from"], str) and "." not in path:
        return Member(path, at)

    def text(document: object) -> str | None:
        value = get(document)
        return value if type(value) is str or value is None else text_at(value, at)

    return text
