"""How a platform's own cases are read for comparing, compiled. Pure: the gateway asks, the routing compares."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from adapters.answer import around_answer
from adapters.condition import compile_condition
from adapters.contract import Contract
from adapters.explain import near
from adapters.inbound import InboundPlan
from adapters.path import ANYTHING, Get
from adapters.reconcile_declaration import ComparedItem, ReconcileDeclaration
from adapters.rule import compile_rule, is_rule
from adapters.scope import Scope
from adapters.value import as_list, int_at, text_at
from adapters.yaml_file import Where
from canonical.errors import ContractViolation, Unacceptable
from canonical.lifecycle import ENDED, Stage
from canonical.message import Message
from canonical.reconciliation import Theirs

ENTRANCE = "reconcile"
"""The door's name of items that were compared and are taken over; the declaration can have no other of this name."""
PARTS = ("source", "owner", "both", "lead_system")
_AT: Where = ("reconcile",)
_NEEDS = {"query": ("ask",), "list": ("pull",), "told": ("why", "stale")}
_ONLY = {"why": ("told",), "ask": ("query", "list"), "pull": ("list",), "messages": ("query",)}
_SHORTEST = 300
_WORDS: Mapping[str, frozenset[Stage]] = {
    "open": frozenset(Stage) - ENDED, "ended": ENDED, "any": frozenset(Stage),
}  # fmt: skip
_STAGES: Mapping[str, Stage] = {stage.value: stage for stage in Stage}
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Reconciling:
    """The compiled `reconcile` of one system."""

    declared: ReconcileDeclaration
    parts: tuple[str, ...]
    """`source`, `owner`: which cases are compared."""
    items: Get
    context: frozenset[str]
    external_id: Get | None
    reference: Get | None
    state: Get | None
    stages: Mapping[str, Get]
    """By part, `""` for any."""
    changed_at: Get | None
    times: Mapping[str, Get]
    attachments: Get | None
    expected: Get | None
    messages: tuple[str, ...] = ()

    def heard(self, document: object, answer: Message) -> tuple[Any, ...]:
        """The items in the answer to a question about one case; none when it knows none."""
        return tuple(as_list(self.items(around_answer(document, answer, self.context))))

    def theirs(self, item: object, *, external_id: str = "") -> Theirs:
        """One item as it is compared. Never raises: what cannot be read is its `trouble`.

        `external_id`: what it was asked by, where the item itself tells none.
        """
        trouble: list[str] = []
        key = self._text(self.external_id, item, "external_id", trouble) or external_id
        reference = self._text(self.reference, item, "reference", trouble)
        state = self._text(self.state, item, "state", trouble)
        if not key and not reference:
            trouble.append("it has no id")
            key = f"?{hashlib.sha256(orjson.dumps(item, default=str)).hexdigest()[:_DIGEST]}"
        stages = self._stages(item, state, trouble)
        times = {name: at for name, get in self.times.items() if (at := self._time(get, item, name, trouble))}
        changed_at, attachments = self._time(self.changed_at, item, "changed_at", trouble), self._files(item, trouble)
        expected = bool(trouble) or self.expected is None or bool(self.expected(item))
        return Theirs(
            external_id=key, reference=reference, state=state, stages=stages, trouble="; ".join(trouble),
            changed_at=changed_at, times=times, attachments=attachments, expected=expected, row=item,
        )  # fmt: skip

    def _stages(self, item: object, state: str, trouble: list[str]) -> dict[str, frozenset[Stage] | None]:
        if self.state is None or not self.stages:
            return {}
        if not state:
            trouble.append("it tells no state")
            return {}
        try:
            return {part: get(item) for part, get in self.stages.items()}
        except Unacceptable as error:
            trouble.append(str(error))
            return {}

    @staticmethod
    def _text(get: Get | None, item: object, name: str, trouble: list[str]) -> str:
        try:
            return text_at(get(item), name) if get is not None else ""
        except Unacceptable as error:
            trouble.append(str(error))
            return ""

    @staticmethod
    def _time(get: Get | None, item: object, name: str, trouble: list[str]) -> datetime | None:
        try:
            at = get(item) if get is not None else None
        except Unacceptable as error:
            trouble.append(f"{name}: {error}")
            return None
        return at if isinstance(at, datetime) else None

    def _files(self, item: object, trouble: list[str]) -> int | None:
        try:
            value = self.attachments(item) if self.attachments is not None else None
            if value is None or isinstance(value, list):
                return None if self.attachments is None else len(value or ())
            return int_at(value, "attachments")
        except Unacceptable as error:
            trouble.append(str(error))
            return None


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around `reconcile` in its declaration."""

    roles: tuple[str, ...]
    pulls: Mapping[str, tuple[str, ...]]
    """Name to inbound messages."""
    inbound: Mapping[str, InboundPlan]
    unlisted: Mapping[str, str] = field(default_factory=dict)
    """Pulls that do not list what it has, and why."""


def compile_reconcile(declared: ReconcileDeclaration, scope: Scope, around: Around) -> Reconciling:
    """Compile a declaration; what is wrong is added to the scope's findings."""
    _fits(declared, scope, around)
    messages = declared.messages if declared.by == "query" else around.pulls.get(declared.pull, ())
    bare = replace(scope, context=set(), answering=True)
    items = _place(declared.items, bare, (*_AT, "items"))
    plans = [around.inbound[name] for name in messages if name in around.inbound]
    inside = _inside(scope, [plan.contract for plan in plans])
    item, at = declared.item, (*_AT, "item")
    _readable(declared, item, scope)
    compiled = Reconciling(
        declared=declared,
        parts=declared.cases or around.roles,
        items=items,
        context=frozenset(bare.context),
        external_id=_rule(item.external_id, inside, (*at, "external_id")),
        reference=_rule(item.reference, inside, (*at, "reference")),
        state=_rule(item.state, inside, (*at, "state")),
        stages=dict(_stages(declared, inside)),
        changed_at=_time(item.changed_at, inside, (*at, "changed_at")),
        times={name: get for name, node in item.times.items() if (get := _time(node, inside, (*at, "times", name)))},
        attachments=_rule(item.attachments, inside, (*at, "attachments")),
        expected=compile_condition(item.expected, inside, (*at, "expected")) if item.expected else None,
        messages=messages,
    )
    for name in sorted(inside.context):
        scope.wrong(at, f"what is compared is read of the item alone; {name} is not there")
    return compiled


def _fits(declared: ReconcileDeclaration, scope: Scope, around: Around) -> None:
    """Every way of comparing has what it needs, and nothing of another's."""
    for key in _NEEDS[declared.by]:
        if not getattr(declared, key):
            scope.wrong((*_AT, key), f"by: {declared.by} needs {key}" + _MEANING.get(key, ""))
    for key, by in _ONLY.items():
        if getattr(declared, key) and declared.by not in by:
            scope.wrong((*_AT, key), f"{key} is for by: {' or '.join(by)}, and this is by: {declared.by}")
    _timed(declared, scope)
    _referring(declared, scope, around)


def _timed(declared: ReconcileDeclaration, scope: Scope) -> None:
    if declared.daily and declared.every:
        scope.wrong((*_AT, "every"), "daily says when already: one of the two")
    if 0 < declared.every < _SHORTEST:
        scope.wrong((*_AT, "every"), f"at least {_SHORTEST} seconds are expected")


def _referring(declared: ReconcileDeclaration, scope: Scope, around: Around) -> None:
    if declared.pull and declared.pull not in around.pulls:
        scope.wrong((*_AT, "pull"), f"no pull '{declared.pull}'" + near(declared.pull, around.pulls))
    if declared.pull in around.unlisted:
        scope.wrong((*_AT, "pull"), f"'{declared.pull}' is no list of all it has: {around.unlisted[declared.pull]}")
    for name in declared.messages:
        if name not in around.inbound:
            scope.wrong((*_AT, "messages"), f"no inbound message '{name}'" + near(name, around.inbound))
    for part in declared.cases:
        if part not in around.roles:
            scope.wrong((*_AT, "cases"), f"'{part}' is not among its roles ({', '.join(around.roles)})")


_MEANING = {
    "why": ": one line that says why it cannot be asked",
    "stale": ": nothing but silence can be seen",
}


def _readable(declared: ReconcileDeclaration, item: ComparedItem, scope: Scope) -> None:
    if declared.by == "told":
        if item != ComparedItem() or declared.states:
            scope.wrong((*_AT, "by"), "told: nothing is asked, so that no item can be read")
        return
    if declared.by == "list" and item.external_id is None and item.reference is None:
        scope.wrong((*_AT, "item"), "external_id (or reference) is missing: by what are its items known?")
    if (item.state is None) != (not declared.states):
        lacking = "states: the code table of its words" if item.state is not None else "item.state: where it stands"
        scope.wrong((*_AT, "states"), f"{lacking} is missing")


def _inside(scope: Scope, contracts: list[Contract]) -> Scope:
    """Items are of the messages' contract, where all have the same one."""
    first = contracts[0] if contracts else None
    if first is None or any(one.names != first.names for one in contracts):
        return replace(scope, names=ANYTHING, context=set())
    return replace(scope, names=first.names, values=first.values, context=set())


def _place(node: object, scope: Scope, where: Where) -> Get:
    return compile_rule(node, scope, where) if isinstance(node, Mapping) else scope.path(str(node), where)


def _rule(node: object, scope: Scope, where: Where) -> Get | None:
    return None if node is None else compile_rule(node, scope, where)


def _time(node: object, scope: Scope, where: Where) -> Get | None:
    if isinstance(node, dict) and not ({"time", "expr", "then"} & set(node)):
        scope.wrong(where, 'this needs a pattern: add time: "yyyy-MM-dd HH:mm:ss"')
    return _rule(node, scope, where)


def _stages(declared: ReconcileDeclaration, scope: Scope) -> Iterator[tuple[str, Get]]:
    """The state through each column of its table that says something about our stages."""
    node, where = declared.item.state, (*_AT, "item", "state")
    if node is None or not declared.states:
        return
    if not is_rule(node) or {"codes", "then", "default"} & set(node):
        scope.wrong(where, "a rule that gives its own word is expected, such as {from: status}; states has the table")
        return
    table = scope.tables.get(declared.states)
    if table is None:
        scope.wrong((*_AT, "states"), f"no table codes/{declared.states}.csv" + near(declared.states, scope.tables))
        return
    columns = {"": "canonical"} | {part: part for part in PARTS if part in table.columns}
    for part, column in columns.items():
        yield part, compile_rule({**node, "codes": f"{declared.states}.{column}"}, scope, where, stages_of)


def stages_of(text: str) -> frozenset[Stage]:
    """The stages that a cell names. Raises ValueError that says what is expected."""
    found: frozenset[Stage] = frozenset()
    for word in text.split():
        if word in _WORDS:
            found |= _WORDS[word]
        elif word in _STAGES:
            found |= {_STAGES[word]}
        else:
            known = [*_STAGES, *_WORDS]
            raise ValueError(f"'{word}' is no stage" + near(word, known) + "; or write text only or quarantine")
    if not found:
        raise ContractViolation("no stage is named")
    return found
