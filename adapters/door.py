"""A door compiled: its path, its handshakes, and what comes through it."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.around import Around, PathPattern, path_pattern
from adapters.authenticating import Check, authenticate, compile_checks
from adapters.condition import compile_condition
from adapters.declaration import DoorDeclaration, Handshake
from adapters.entrance import Entrance, compile_items, entrance
from adapters.inbound import InboundPlan
from adapters.path import Get
from adapters.reply import Reply, envelope
from adapters.rule import compile_tree
from adapters.scope import Scope
from adapters.served_wsdl import ServedWsdl
from adapters.shape import Shape, compile_shape
from adapters.shape_declaration import Step
from adapters.yaml_file import Where
from canonical.errors import Unacceptable
from canonical.message import Message


@dataclass(frozen=True, slots=True)
class HandshakePlan:
    """A question a door answers by itself."""

    declared: Handshake
    shape: Shape
    when: Get
    checks: tuple[Check, ...] = field(repr=False)
    body: Get
    context: frozenset[str]
    charset: str

    def answer(self, message: Message, pattern: PathPattern) -> Reply | None:
        """The answer; None when the message is no such question. Raises Unacceptable when it is not authenticated."""
        if message.method != self.declared.method:
            return None
        try:
            whole: Any = self.shape(message) if message.body else {}
        except Unacceptable:
            return None
        members = Around(message, whole, pattern).members(self.context)
        known = {**whole, **members} if isinstance(whole, dict) else members
        if not self.when(known):
            return None
        authenticate(self.checks, known, message.at)
        content_type, body = envelope(self.declared.format, self.body(known), self.declared, self.charset)
        return Reply(self.declared.status, content_type, body, {})


@dataclass(frozen=True, slots=True)
class Door:
    """What the system pushes to us, at `/in/<system>/<path>`."""

    name: str
    path: PathPattern
    methods: tuple[str, ...]
    media_types: tuple[str, ...]
    max_bytes: int
    wsdl: ServedWsdl | None
    handshakes: tuple[HandshakePlan, ...]

    def fits(self, suffix: str) -> bool:
        """True when what followed /in/<system>/ is this door's path."""
        return self.path.match(suffix) is not None

    def handshake(self, message: Message) -> Reply | None:
        """The answer to a question asked before anything is sent; None when the message is to be taken in.

        Raises Unacceptable when the question is not authenticated.
        """
        for plan in self.handshakes:
            if (reply := plan.answer(message, self.path)) is not None:
                return reply
        return None


def compile_door(
    name: str, declared: DoorDeclaration, scope: Scope, where: Where, charset: str, wsdl: ServedWsdl | None
) -> Door:  # fmt: skip
    """The door's public face; what is wrong is added to the scope's findings."""
    shape = compile_shape(declared.shape, scope, (*where, "shape"), charset)
    handshakes = tuple(
        _handshake(one, shape, scope, (*where, "handshakes", index), charset)
        for index, one in enumerate(declared.handshakes)
    )
    pattern = path_pattern(declared.path)
    return Door(name, pattern, declared.methods, declared.media, declared.max_bytes, wsdl, handshakes)


def compile_entrance(
    declared: DoorDeclaration, plans: Iterable[InboundPlan], scope: Scope, where: Where, edition: str, charset: str
) -> Entrance:
    """How a door's messages are read; what is wrong is added to the scope's findings."""
    scope = replace(scope, context=set())
    if not any(step.given[0] in _DOCUMENTS for step in declared.shape):
        scope.wrong((*where, "shape"), f"one of {', '.join(sorted(_DOCUMENTS))} is needed: a document must come of it")
    checks = compile_checks(declared.authenticate, scope, (*where, "authenticate"))
    return entrance(
        compile_shape(declared.shape, scope, (*where, "shape"), charset), plans, edition, document=declared.document,
        items=compile_items(declared.items, scope, (*where, "items")), checks=checks, context=scope.context,
        pattern=path_pattern(declared.path),
        encrypted=_decrypts(declared.shape), envelope=_envelope(declared.shape, scope, where, charset),
    )  # fmt: skip


def _envelope(steps: Sequence[Step], scope: Scope, where: Where, charset: str) -> Shape | None:
    """The steps before the first that deciphers; their findings are told already."""
    before = tuple(itertools.takewhile(lambda step: not _decrypts([step]), steps))
    if not before or len(before) == len(steps):
        return None
    return compile_shape(before, replace(scope, findings=[]), (*where, "shape"), charset)


def _decrypts(steps: Iterable[Step]) -> bool:
    """Whether something is deciphered, be it one member only."""
    return any(
        step.given[0] == "decrypt" or (step.inside is not None and _decrypts(step.inside.shape)) for step in steps
    )


_DOCUMENTS = frozenset({"json", "soap", "xml", "fields", "query", "text", "hex", "ndjson", "csv", "xlsx", "lines"})


def _handshake(declared: Handshake, shape: Shape, scope: Scope, where: Where, charset: str) -> HandshakePlan:
    scope = replace(scope, context=set(), writing=False)
    when = compile_condition(declared.when, scope, (*where, "when")) if declared.when else _always
    checks = compile_checks(declared.authenticate, scope, (*where, "authenticate"))
    body = compile_tree(declared.body, scope, (*where, "body"))
    return HandshakePlan(declared, shape, when, checks, body, frozenset(scope.context), charset)


def _always(_known: object) -> bool:
    return True
