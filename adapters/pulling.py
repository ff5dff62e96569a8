"""What the hub asks for by itself, compiled: where an answer tells of further pages, and where a token stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from adapters.answer import around_answer
from adapters.declaration import PullDeclaration, SignIn
from adapters.path import Get
from adapters.rule import compile_rule
from adapters.scope import Scope
from adapters.value import as_list, as_text, int_at, text_at
from adapters.yaml_file import Where
from canonical.errors import Unacceptable, Unauthenticated
from canonical.message import Message

_YES = frozenset({"true", "1", "yes", "y"})


@dataclass(frozen=True, slots=True)
class Pull:
    """What the hub asks the system for by itself."""

    name: str
    declared: PullDeclaration
    items: Get
    details: Get | None
    total: Get | None
    cursor: Get | None
    more: Get | None
    context: frozenset[str]
    listing: frozenset[str] = frozenset()
    """What `items` and `detail` use around the answer, such as what was asked."""

    def listed(self, items: Get, document: object, answer: Message) -> tuple[Any, ...]:
        """The items in an answer, by one of the two rules."""
        return tuple(as_list(items(around_answer(document, answer, self.listing))))

    def following(
        self, document: object, answer: Message, rows: Sequence[Any], page: int
    ) -> tuple[int | None, bool, str]:
        """(number of all items, whether another page follows, what it is asked with) as far as the answer tells."""
        known = around_answer(document, answer, self.context)
        total = _number(known, self.total)
        cursor = text_at(self.cursor(known), "cursor") if self.cursor else ""
        return total, self._more(known, rows, total, cursor, page), cursor

    def _more(self, known: object, rows: Sequence[Any], total: int | None, cursor: str, page: int) -> bool:
        """The answer says it, or holds a cursor, or counts, or the page was full."""
        declared = self.declared
        if self.more is not None:
            return text_at(self.more(known), "more").lower() in _YES
        if self.cursor is not None:
            return bool(cursor)
        if not rows or (declared.changed and total is None and declared.page_size == 1):
            return False
        reached = (page - declared.first_page) * declared.page_size + len(rows)
        return len(rows) >= declared.page_size if total is None else reached < total


@dataclass(frozen=True, slots=True)
class Token:
    """What signing in gave."""

    value: str = field(repr=False)
    seconds: int
    """Its life; 0: unknown."""


@dataclass(frozen=True, slots=True)
class SignInPlan:
    """How a session token is fetched."""

    message: str
    token: Get
    life: Get | None
    end: Get | None
    lifetime: int
    context: frozenset[str]

    def read(self, document: object, answer: Message) -> Token:
        """The token in an answer. Raises Unauthenticated when there is none."""
        known = around_answer(document, answer, self.context)
        value = self.token(known)
        if not isinstance(value, str | int) or value in ("", True, False):
            raise Unauthenticated(f"{answer.system}: signed in, but the answer holds no token")
        return Token(as_text(value), max(self._seconds(known, answer.at), 0))

    def _seconds(self, known: object, now: datetime) -> int:
        if self.end is not None and isinstance(end := self.end(known), datetime):
            return int((end - now).total_seconds())
        try:
            return self.lifetime if self.life is None else int_at(self.life(known), "expires_in")
        except Unacceptable:
            return self.lifetime


def compile_pull(name: str, declared: PullDeclaration, scope: Scope) -> Pull:
    """Compile a declaration; what is wrong is added to the scope's findings."""
    scope, where = replace(scope, context=set(), answering=True), ("pulls", name)
    total, cursor, more = (_place(getattr(declared, key), scope, (*where, key)) for key in ("total", "cursor", "more"))
    bare = replace(scope, context=set())
    items = _place(declared.items, bare, (*where, "items"))
    details = _place(declared.detail.items, bare, (*where, "detail", "items")) if declared.detail else None
    assert items is not None
    return Pull(
        name, declared, items, details, total, cursor, more, frozenset(scope.context), frozenset(bare.context)
    )  # fmt: skip


def compile_sign_in(declared: SignIn, scope: Scope) -> SignInPlan:
    """Compile a declaration; what is wrong is added to the scope's findings."""
    scope = replace(scope, context=set(), answering=True)
    token, life, end = (
        _place(getattr(declared, key), scope, ("sign_in", key)) for key in ("token", "expires_in", "expires_at")
    )
    assert token is not None
    return SignInPlan(declared.message, token, life, end, declared.lifetime, frozenset(scope.context))


def _place(node: object, scope: Scope, where: Where) -> Get | None:
    """A path, or a rule for what no path reaches: a header, a part of a text."""
    if node is None:
        return None
    return compile_rule(node, scope, where) if isinstance(node, Mapping) else scope.path(as_text(node), where)


def _number(known: object, place: Get | None) -> int | None:
    try:
        return None if place is None else int_at(place(known), "total")
    except Unacceptable:
        return None
