"""A door, pull or receiver compiled: bytes to documents, the sender known, the message found, the reading made."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from adapters.around import Around, PathPattern, beside
from adapters.authenticating import Check, authenticate
from adapters.declared import Items
from adapters.inbound import InboundPlan
from adapters.path import Get, path_getter
from adapters.rule import compile_rule
from adapters.scope import Scope
from adapters.shape import Shape
from adapters.shape_json import unreadable
from adapters.value import as_list, as_text
from adapters.yaml_file import Where
from canonical.errors import ContractViolation, Unacceptable, Why
from canonical.message import Message
from canonical.reading import Reading


class Item(NamedTuple):
    """One document of a message, what it was taken out of, and its number from 1."""

    document: Any
    parent: Any
    row: int


@dataclass(frozen=True, slots=True)
class Entrance:
    """How messages of one door, pull or receiver are read."""

    shape: Shape
    checks: tuple[Check, ...] = field(repr=False)
    document: Get
    items: tuple[Get, ...]
    """One getter for every level of lists inside lists; none when a message is one document."""
    places: tuple[str, ...]
    plans: tuple[InboundPlan, ...]
    edition: str
    context: frozenset[str]
    """What rules and checks need around the document."""
    pattern: PathPattern | None = None
    envelope: Shape | None = None
    """Where documents come encrypted: the steps before anything is deciphered."""
    encrypted: bool = False
    """True when the documents come encrypted: who cannot show who he is must not learn what deciphers."""

    def read(self, message: Message, *, authenticated: bool) -> list[Reading | Unacceptable]:
        """Never raises, whatever the bytes are."""
        try:
            whole = self._opened(message, authenticated=authenticated)
            around = Around(message, whole, self.pattern)
            if self.checks and not authenticated:
                authenticate(self.checks, beside(whole, around.members(self.context)), message.at)
            document = self.document(whole)
        except Unacceptable as error:
            return [error]
        if not self.items:
            return [self._one(document, None, 1, around)]
        return [item if isinstance(item, Unacceptable) else self._one(*item, around) for item in self._items(document)]

    def _opened(self, message: Message, *, authenticated: bool) -> Any:  # noqa: ANN401
        """The whole document. What does not decipher is told only to whom the envelope alone shows as the sender."""
        try:
            return self.shape(message)
        except Unacceptable:
            if self.encrypted and self.checks and not authenticated:
                outside = self._envelope(message)
                members = Around(message, outside, self.pattern).members(self.context)
                authenticate(self.checks, beside(outside, members) if outside else members, message.at)
            raise

    def _envelope(self, message: Message) -> Any:  # noqa: ANN401
        """What can be read without the key; a signature may stand in it."""
        try:
            return self.envelope(message) if self.envelope else None
        except Unacceptable:
            return None

    def documents(self, message: Message) -> list[tuple[Any, Any]]:
        """Every document of a message, bare and with what stands around it; none when it cannot be opened."""
        try:
            around = Around(message, self.shape(message), self.pattern)
            items = self._items(self.document(around.whole))
            good = [item for item in items if isinstance(item, Item)]
            members = [around.members(self.context, item.parent, item.row) for item in good]
        except Unacceptable:
            return []
        return [(item.document, beside(item.document, more)) for item, more in zip(good, members, strict=True)]

    def whole(self, message: Message) -> Any:  # noqa: ANN401
        """The document as it came, for a reply that tells something of it; None when it cannot be read."""
        try:
            return self.shape(message)
        except Unacceptable:
            return None

    def kept(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers that rules use: what the journal needs to read the message again. Never those of checks."""
        if "$headers" in self.context:
            return {name: value for name, value in headers.items() if name not in _SECRETIVE}
        used = self._used
        return {name: value for name, value in headers.items() if f"$headers.{name}" in used} if used else {}

    @property
    def _used(self) -> frozenset[str]:
        return frozenset().union(*(plan.context for plan in self.plans))

    def _items(self, document: object) -> list[Item | Unacceptable]:
        items: list[Item | Unacceptable] = [Item(document, None, 1)]
        if not self.items:
            return items
        for get, place in zip(self.items, self.places, strict=True):
            items = [below for item in items for below in _below(item, get, place)]
        return items

    def _one(self, document: Any, parent: Any, row: int, around: Around) -> Reading | Unacceptable:  # noqa: ANN401
        key, known = self.plans[0].key, document
        try:
            if self.context:
                known = beside(document, around.members(self.context, parent, row))
            plan = self._plan(known)
            key = plan.key
            return plan.read(document, known, around.message, self.edition)
        except Unacceptable as error:
            return type(error)(str(error), why=error.why, at=error.at, key=error.key or _key_of(key, known))

    def _plan(self, known: object) -> InboundPlan:
        for plan in self.plans:
            if plan.fits(known):
                return plan
        for plan in self.plans:
            for path, get in plan.picks:
                if get(known) is None or isinstance(get(known), dict | list):
                    raise ContractViolation(f"{path}: missing", at=path)
        place = next((path for plan in self.plans for path, _ in plan.picks), "")
        raise Unacceptable("no declared message fits", why=Why.UNKNOWN_MESSAGE, at=place)


_SECRETIVE = frozenset({"authorization", "cookie", "proxy-authorization"})
_LONGEST_KEY = 200


def _below(item: Item | Unacceptable, get: Get, place: str) -> Iterator[Item | Unacceptable]:
    if isinstance(item, Unacceptable):
        yield item
        return
    try:
        many = get(item.document)
    except Unacceptable as error:  # a rule that cannot make a list of this
        yield error
        return
    if many is None and isinstance(item.document, dict) and place in item.document:
        return  # null: what some languages write for an empty list
    if many is None:
        yield ContractViolation(f"{place}: missing; a list is expected", at=place)
        return
    for row, one in enumerate(as_list(many), 1):
        yield Item(one, item.document, row)


def _key_of(key: Get, document: object) -> str:
    """The external id as far as it can be read: it must not fail twice."""
    try:
        return as_text(key(document))[:_LONGEST_KEY]
    except (Unacceptable, TypeError):
        return ""


def entrance(
    shape: Shape,
    plans: Iterable[InboundPlan],
    edition: str,
    *,
    document: str = ".",
    items: Sequence[tuple[str, Get]] = (),
    checks: tuple[Check, ...] = (),
    context: Iterable[str] = (),
    pattern: PathPattern | None = None,
    encrypted: bool = False,
    envelope: Shape | None = None,
) -> Entrance:
    """Put the parts together. `items`: place and getter of every level; `context`: what the checks need."""
    given = tuple(plans)
    return Entrance(
        shape=shape,
        checks=checks,
        document=_document(document),
        items=tuple(get for _, get in items),
        places=tuple(place for place, _ in items),
        plans=given,
        edition=edition,
        context=frozenset(context).union(*(plan.context for plan in given)),
        pattern=pattern,
        encrypted=encrypted,
        envelope=envelope,
    )


def compile_items(declared: Items, scope: Scope, where: Where) -> list[tuple[str, Get]]:
    """Place and getter of every level of lists; what is wrong is added to the scope's findings."""
    scope = replace(scope, context=set())
    levels = () if declared is None else declared if isinstance(declared, tuple) else (declared,)
    compiled = [
        (one, path_getter(one)) if isinstance(one, str) else ("items", compile_rule(one, scope, where))
        for one in levels
    ]
    for name in sorted(scope.context):
        scope.wrong(where, f"the list is made of the document alone; {name} can be used in messages")
    return compiled


def _document(path: str) -> Get:
    get = path_getter(path)
    if path == ".":
        return get

    def document(whole: object) -> Any:  # noqa: ANN401
        value = get(whole)
        if value is None:
            raise unreadable(f"{path} is missing")
        return value

    return document
