"""The commonest rules, each of which can say what its lines would be (see inline)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.inline import Code
from adapters.path import Get
from adapters.time_pattern import MARKED, TimePattern
from adapters.value import as_list, empty, text_at


@dataclass(frozen=True, slots=True)
class First:
    """The first that is not empty."""

    getters: tuple[Get, ...]

    def __call__(self, document: Any) -> Any:  # noqa: ANN401
        for getter in self.getters:
            if not empty(value := getter(document)):
                return value
        return None

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        first, *rest = (*self.getters, _nothing)
        code.value(first, into, document)
        for getter in rest:
            with code.block(f"if not {into} and {code.thing(empty)}({into})"):
                code.value(getter, into, document)


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A value, or what stands for an empty one."""

    get: Get
    default: Get

    def __call__(self, document: Any) -> Any:  # noqa: ANN401
        return self.default(document) if empty(value := self.get(document)) else value

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        code.value(self.get, into, document)
        with code.block(f"if not {into} and {code.thing(empty)}({into})"):
            code.value(self.default, into, document)


@dataclass(frozen=True, slots=True)
class LookUp:
    """What a code table has for a value."""

    get: Get
    hits: Mapping[str, Any]
    rare: Callable[[object], Any]
    """What becomes of everything else. Raises UnmappedCode, ContractViolation."""

    def __call__(self, document: Any) -> Any:  # noqa: ANN401
        given = self.get(document)
        return self.hits[given] if type(given) is str and given in self.hits else self.rare(given)

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        hits = code.thing(self.hits)
        code.value(self.get, into, document)
        with code.block(f"if type({into}) is str and {into} in {hits}"):
            code.line(f"{into} = {hits}[{into}]")
        with code.block(f"elif {into} is not None"):
            code.line(f"{into} = {code.thing(self.rare)}({into})")


@dataclass(frozen=True, slots=True)
class Timed:
    """A time as its patterns read it."""

    get: Get
    parse: Callable[[object], datetime | None]
    first: TimePattern | None
    """Of its patterns, where nothing else is to be done."""

    def __call__(self, document: Any) -> datetime | None:  # noqa: ANN401
        return self.parse(self.get(document))

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        code.value(self.get, into, document)
        if self.first is None or not self.first.length:
            with code.block(f"if {into} is not None"):
                code.line(f"{into} = {code.thing(self.parse)}({into})")
            return
        local, quick = code.local(), self.first
        marked = f"len({into}) == {quick.length} and {into}{MARKED} == {quick.marks!r}"
        with code.block(f"if type({into}) is str and {marked}"):
            with code.block("try"):
                code.line(f"{local} = {code.thing(datetime.fromisoformat)}({into})")
                code.line(f"{into} = {code.thing(datetime.combine)}({local}, {local}.time(), {code.thing(quick.zone)})")
            with code.block("except ValueError"):
                code.line(f"{into} = {code.thing(self.parse)}({into})")
        with code.block(f"elif {into} is not None"):
            code.line(f"{into} = {code.thing(self.parse)}({into})")


@dataclass(frozen=True, slots=True)
class Text:
    """A value as one text; numbers become text."""

    get: Get
    at: str

    def __call__(self, document: Any) -> str | None:  # noqa: ANN401
        value = self.get(document)
        return value if value is None else text_at(value, self.at)

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        code.value(self.get, into, document)
        with code.block(f"if type({into}) is not str and {into} is not None"):
            code.line(f"{into} = {code.thing(text_at)}({into}, {self.at!r})")


@dataclass(frozen=True, slots=True)
class Needed:
    """A text that must not be blank."""

    get: Get
    blank: Callable[[object], Any]
    """Raises ContractViolation."""

    def __call__(self, document: Any) -> Any:  # noqa: ANN401
        value = self.get(document)
        return self.blank(value) if not value or value.isspace() else value

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        code.value(self.get, into, document)
        with code.block(f"if not {into} or {into}.isspace()"):
            code.line(f"{into} = {code.thing(self.blank)}({into})")


@dataclass(frozen=True, slots=True)
class Filled:
    """Several values by name, those that are empty left out: the keyword arguments of a canonical value."""

    getters: Mapping[str, Get]
    parts: frozenset[str] = frozenset()
    """Those that are left out only when there is none at all."""

    def __call__(self, document: Any) -> dict[str, Any]:  # noqa: ANN401
        values = ((name, get(document)) for name, get in self.getters.items())
        return {name: value for name, value in values if value or (name in self.parts and value is not None)}

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        value = code.local()
        code.line(f"{into} = {{}}")
        for name, get in self.getters.items():
            code.value(get, value, document)
            with code.block(f"if {value} is not None" if name in self.parts else f"if {value}"):
                code.line(f"{into}[{name!r}] = {value}")


@dataclass(frozen=True, slots=True)
class With:
    """Values of which one of some must be there, else there is nothing."""

    fill: Filled
    some: tuple[str, ...]

    def __call__(self, document: Any) -> dict[str, Any] | None:  # noqa: ANN401
        fields = self.fill(document)
        return fields if any(name in fields for name in self.some) else None

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        code.value(self.fill, into, document)
        with code.block("if " + " and ".join(f"{name!r} not in {into}" for name in self.some)):
            code.line(f"{into} = None")


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit: a number and its unit."""

    value: Get
    unit: Get
    made: Callable[[object, Any], Any]
    """Both to the limit. Raises ContractViolation."""

    def __call__(self, document: Any) -> Any:  # noqa: ANN401
        given = self.value(document)
        return None if empty(given) else self.made(given, self.unit(document))

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        unit = code.local()
        code.value(self.value, into, document)
        with code.block(f"if not {into} and {code.thing(empty)}({into})"):
            code.line(f"{into} = None")
        with code.block("else"):
            code.value(self.unit, unit, document)
            code.line(f"{into} = {code.thing(self.made)}({into}, {unit})")


@dataclass(frozen=True, slots=True)
class Every:
    """What a list's items give, those without `needed` left out."""

    many: Get
    fill: Filled
    needed: str

    def __call__(self, document: Any) -> tuple[dict[str, Any], ...]:  # noqa: ANN401
        made = [self.fill(item) for item in as_list(self.many(document))]
        return tuple(fields for fields in made if self.needed in fields)

    def write(self, code: Code, into: str, document: str) -> None:
        """As Inline says."""
        item, fields, kept = code.local(), code.local(), code.local()
        code.value(self.many, into, document)
        code.line(f"{kept} = []")
        with code.block(f"for {item} in {into} if type({into}) is list else {code.thing(as_list)}({into})"):
            code.document(item)
            code.value(self.fill, fields, item)
            with code.block(f"if {self.needed!r} in {fields}"):
                code.line(f"{kept}.append({fields})")
        code.line(f"{into} = {code.thing(tuple)}({kept})")


def _nothing(_document: object) -> None:
    return None
