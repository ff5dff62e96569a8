"""Arguments as a WSDL wants them: what is empty becomes absent or nil, what does not fit is told by its place.

It knows zeep's types and no case. Values are citizens' data: refusals name members and what is expected, never a value.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from lxml import etree
from zeep.xsd import AnySimpleType, Choice, ComplexType, Element, Nil
from zeep.xsd.elements import Any as AnyElement
from zeep.xsd.types import builtins

from canonical.errors import ContractViolation

TEXT = "#text"
"""Member that is the text of an element which has attributes too, as in every other tree of a declaration."""
_TEXT = "_value_1"
"""The same in zeep's words."""
_ABSENT = object()
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_ZONE = r"(Z|[+-][0-9]{2}:[0-9]{2})?"
_DAY, _HOUR = r"-?[0-9]{4,}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"

_WRITTEN: tuple[tuple[type, re.Pattern[str], str], ...] = (
    (builtins.Boolean, re.compile("true|false|0|1"), "true or false"),
    (builtins.Integer, _INTEGER, "a whole number"),
    (builtins.Decimal, _NUMBER, "a number"),
    (builtins.Double, re.compile(rf"{_NUMBER.pattern}([eE][+-]?[0-9]+)?"), "a number"),
    (builtins.Float, re.compile(rf"{_NUMBER.pattern}([eE][+-]?[0-9]+)?"), "a number"),
    (builtins.DateTime, re.compile(f"{_DAY}T{_HOUR}{_ZONE}"), "a time as 2026-03-16T09:12:33+08:00"),
    (builtins.Date, re.compile(_DAY + _ZONE), "a day as 2026-03-16"),
    (builtins.Time, re.compile(_HOUR + _ZONE), "a time of day as 09:12:33"),
)
"""What may stand in elements of these types, and nothing empty."""


def fitted(element: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 zeep has no types to name
    """What zeep is given for the body `element`. Raises ContractViolation that names place and expectation."""
    if not isinstance(element.type, ComplexType):  # one value, bare in the body
        return dict(arguments)
    made = _complex(element.type, arguments, "")
    return made if isinstance(made, dict) else {}


def misfits(
    element: Any, tree: object, leaf: Callable[[object], bool], sealed: Collection[str] = ()  # noqa: ANN401
) -> Iterator[tuple[tuple[str | int, ...], str]]:  # fmt: skip
    """Names in a declared tree that the body has not, and names it must have that the tree has not: place and words.

    `leaf`: what only gets a value later. `sealed`: members that are added later.
    """
    if isinstance(element.type, ComplexType):
        yield from _misfits(element.type, tree, leaf, (), {name.removeprefix("@") for name in sealed})


def _misfits(
    type_: Any, tree: object, leaf: Callable[[object], bool], at: tuple[str | int, ...], more: Collection[str] = ()  # noqa: ANN401
) -> Iterator[tuple[tuple[str | int, ...], str]]:  # fmt: skip
    if isinstance(tree, list):
        for number, item in enumerate(tree):
            yield from _misfits(type_, item, leaf, (*at, number))
    if leaf(tree) or not isinstance(tree, Mapping) or _is_array(type_):
        return
    members, attributes = dict(_members(type_)), dict(type_.attributes)
    given = {_TEXT if name == TEXT else name.removeprefix("@"): name for name in tree}
    for name, stated in given.items():
        if name not in members and name not in attributes:
            yield (*at, stated), f"no such member{_near(stated, [*members, *attributes])}"
        elif name in members and isinstance(getattr(members[name], "type", None), ComplexType):
            yield from _misfits(members[name].type, tree[stated], leaf, (*at, stated))
    for name in _required(type_):
        if name not in given and name not in more:
            yield at, f"{name} is missing: the WSDL wants it"


def _element(element: Any, value: object, at: str) -> Any:  # noqa: ANN401
    """One element's value, or _ABSENT."""
    if isinstance(element, AnyElement):
        return etree.fromstring(value) if isinstance(value, str) and value.lstrip().startswith("<") else value
    if not isinstance(element, Element):  # a repeated choice or sequence: a list of objects, one member each
        return value
    if element.accepts_multiple:
        many = value if isinstance(value, list) else ([] if _empty(value) else [value])
        return [_one(element, item, f"{at}.{number}") for number, item in enumerate(many)]
    if isinstance(value, list) and not _is_array(element.type):
        raise ContractViolation(f"{at}: one is expected, not a list", at=at)
    return _one(element, value, at)


def _one(element: Any, value: object, at: str) -> Any:  # noqa: ANN401
    if value is None or (value == "" and not _holds_empty(element.type)):
        return _nothing(element, at)
    if isinstance(element.type, ComplexType):
        return _complex(element.type, value, at)
    return _simple(element.type, value, at)


def _nothing(element: Any, at: str) -> Any:  # noqa: ANN401
    if element.nillable:
        return Nil
    if element.is_optional:
        return _ABSENT
    if _holds_empty(element.type):
        return ""
    raise ContractViolation(f"{at}: {_expectation(element.type)} is expected, and it is empty", at=at)


def _complex(type_: Any, value: object, at: str) -> Any:  # noqa: ANN401
    members = dict(_members(type_))
    if _is_array(type_):
        return value if isinstance(value, list) else [value]
    attributes = dict(type_.attributes)
    if not isinstance(value, Mapping):
        if not _of_text(type_):
            raise ContractViolation(f"{at}: {_expectation(type_)} is expected", at=at)
        value = {TEXT: value}
    made: dict[str, Any] = {}
    for given, below in value.items():
        name = _TEXT if given == TEXT else given.removeprefix("@")
        place = f"{at}.{given}".lstrip(".")
        if name in members and not (given.startswith("@") and name in attributes):
            one = _text(members[name], below, place) if _of_text(type_) else _element(members[name], below, place)
        elif name in attributes:
            one = _ABSENT if _empty(below) else _simple(attributes[name].type, below, place)
        else:
            raise ContractViolation(f"{place}: no such member{_near(given, [*members, *attributes])}", at=place)
        if one is not _ABSENT:
            made[name] = one
    _whole(type_, made, at)
    return made


def _whole(type_: Any, made: Mapping[str, Any], at: str) -> None:  # noqa: ANN401
    missing = [name for name in _required(type_) if name not in made]
    if missing:
        where = f"{at}: " if at else ""
        raise ContractViolation(f"{where}{', '.join(missing)} is missing", at=at)


def _text(element: Any, value: object, at: str) -> Any:  # noqa: ANN401
    """The text of an element with attributes."""
    if _empty(value):
        return ""
    return _simple(element.type, value, at)


def _simple(type_: Any, value: object, at: str) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping | list):
        raise ContractViolation(f"{at}: {_expectation(type_)} is expected", at=at)
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    for kind, pattern, words in _WRITTEN:
        if isinstance(type_, kind):
            if not pattern.fullmatch(text):
                raise ContractViolation(f"{at}: {words} is expected", at=at)
            return text
    return str(value).lower() if isinstance(value, bool) else str(value)


def _members(type_: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    for name, element in type_.elements_nested:
        if isinstance(element, Element | AnyElement) or element.accepts_multiple:
            yield name, element
        else:
            yield from _members(element)


def _needed(type_: Any) -> Iterator[str]:  # noqa: ANN401
    """Members that must be there whatever else is."""
    for name, element in type_.elements_nested:
        if isinstance(element, Choice) or element.is_optional:
            continue
        if isinstance(element, Element):
            if not element.nillable and element.default is None and not _of_text(type_):
                yield name
        elif not isinstance(element, AnyElement) and not element.accepts_multiple:
            yield from _needed(element)


def _required(type_: Any) -> list[str]:  # noqa: ANN401
    attributes = [name for name, one in type_.attributes if getattr(one, "required", False)]
    return [*_needed(type_), *attributes]


def _of_text(type_: Any) -> bool:  # noqa: ANN401
    """An element of text and attributes."""
    return isinstance(type_, ComplexType) and isinstance(getattr(type_, "_element", None), Element)


def _is_array(type_: Any) -> bool:  # noqa: ANN401
    return isinstance(type_, ComplexType) and type_._array_type is not None


def _holds_empty(type_: Any) -> bool:  # noqa: ANN401
    """Whether "" is a value of it: a text is, a number or a time is not."""
    if isinstance(type_, AnySimpleType):
        return not isinstance(type_, tuple(kind for kind, _, _ in _WRITTEN))
    return _of_text(type_)


def _expectation(type_: Any) -> str:  # noqa: ANN401
    if isinstance(type_, ComplexType):
        return f"an object with {', '.join([name for name, _ in _members(type_)][:6]) or 'attributes'}"
    return next((words for kind, _, words in _WRITTEN if isinstance(type_, kind)), "a text")


def _empty(value: object) -> bool:
    return value is None or value == ""


def _near(name: str, known: list[str]) -> str:
    found = get_close_matches(name.removeprefix("@"), known, n=1)
    return f"; did you mean '{found[0]}'?" if found else f"; there are {', '.join(known[:8])}" if known else ""
