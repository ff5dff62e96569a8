"""How the other side's answer to an outbound message reads: HTTP 200 is not success."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from adapters.around import Around, beside
from adapters.condition import compile_condition
from adapters.declaration import AnswerDeclaration, AnswerRow
from adapters.path import ANYTHING, Get
from adapters.rule import compile_rule
from adapters.scope import Scope
from adapters.shape import Shape, compile_shape
from adapters.value import text_at
from adapters.yaml_file import Where
from canonical.errors import Duplicate, HubError, InDoubt, Refused, Unacceptable, Unauthenticated, Unavailable
from canonical.message import Message
from canonical.reading import Answer

_SHOWN, _LONGEST_CODE = 200, 40
_OK = 200
"""The status of an answer that carries none, such as a stored sample."""
LONGEST_WAIT = 3600.0
"""Seconds we leave a system alone at the most, whatever it asks for."""
_DIGITS = 9
_LONG_NUMBER = re.compile(r"[0-9]{7,}")


@dataclass(frozen=True, slots=True)
class _Row:
    statuses: range
    when: Get | None
    then: str
    text: Get
    code: Get
    quotes: bool
    """Whether it has words of the answer, which are nice to have."""
    external_id: Get
    visible_no: Get

    @property
    def needs_document(self) -> bool:
        """Whether the status alone does not do."""
        return self.when is not None or self.then == "accepted"


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """One declared way of judging."""

    shape: Shape
    rows: tuple[_Row, ...]
    context: frozenset[str]
    """What its rows use around the document, such as `$headers.location`."""

    def judge(self, answer: Message) -> tuple[Answer, Any]:
        """The answer and its document. Raises Refused, Unavailable, Unauthenticated or InDoubt."""
        document, known, read = None, None, False
        unreadable: InDoubt | None = None
        for row in self.rows:
            if (answer.status or _OK) not in row.statuses:
                continue
            if unreadable and (row.needs_document or row.then == "absent"):
                continue
            if row.needs_document and not read:
                try:
                    document, read = self._read(answer), True
                except InDoubt as error:
                    if answer.status < _ERRORS:
                        raise
                    unreadable = error  # a gateway's page: a later row may know it by its status alone
                    continue
                known = around_answer(document, answer, self.context)
            if row.when is not None and not row.when(known):
                continue
            if row.quotes and not read and not unreadable:
                known = self._as_far_as_read(answer)
            return _ended(row, known, answer), document
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:  # RFC 6585: not looked at yet, whatever else it says
            raise _unavailable("too many requests (HTTP 429)", answer)
        raise unreadable or InDoubt(f"{answer.system}: the answer fits no declared row (HTTP {answer.status})")

    def _as_far_as_read(self, answer: Message) -> Any:  # noqa: ANN401
        try:
            return around_answer(self._read(answer), answer, self.context)
        except InDoubt:  # the row knows it by its status: what it says is lost, not how it ended
            return None

    def _read(self, answer: Message) -> Any:  # noqa: ANN401
        if not answer.body and _empty_on_purpose(answer):
            return None
        try:
            return self.shape(answer)
        except Unacceptable as error:
            raise InDoubt(f"{answer.system}: the answer cannot be read: {error} (HTTP {answer.status})") from None


_ERRORS = 400
_BODILESS = frozenset({201, 202, 204, 205})


def _empty_on_purpose(answer: Message) -> bool:
    """A body that is not there because there is nothing to say; else it may be one that was lost."""
    bodiless = answer.status in _BODILESS or answer.method == "HEAD"
    return bodiless or answer.headers.get("content-length") == "0"


def around_answer(document: object, answer: Message, context: frozenset[str]) -> Any:  # noqa: ANN401
    """The document of an answer with what rules use around it."""
    return beside(document, Around(answer, document).members(context)) if context else document


def compile_answer(declared: AnswerDeclaration, scope: Scope, where: Where, charset: str) -> AnswerPlan:
    """Compile a declaration; what is wrong is added to the scope's findings."""
    scope = replace(scope, context=set(), answering=True)
    rows = tuple(_row(row, scope, (*where, "rows", index)) for index, row in enumerate(declared.rows))
    shape = compile_shape(declared.shape, scope, (*where, "shape"), charset)
    return AnswerPlan(shape, rows, frozenset(scope.context))


def _row(declared: AnswerRow, scope: Scope, where: Where) -> _Row:
    assert scope.names is ANYTHING
    if not declared.http and not declared.when:
        scope.wrong(where, "a row needs http, when or both")
    return _Row(
        statuses=_statuses(declared.http),
        when=compile_condition(declared.when, scope, (*where, "when"), fold=True) if declared.when else None,
        then=declared.then,
        text=_optional(declared.text, scope, (*where, "text")),
        code=_optional(declared.code, scope, (*where, "code")),
        quotes=declared.text is not None or declared.code is not None,
        external_id=_optional(declared.external_id, scope, (*where, "external_id")),
        visible_no=_optional(declared.visible_no, scope, (*where, "visible_no")),
    )


def _optional(node: object, scope: Scope, where: Where) -> Get:
    if node is None:
        return lambda _document: ""
    get = compile_rule(node, scope, where)
    at = ".".join(map(str, where))
    return lambda document: text_at(get(document), at)


def _statuses(pattern: str | None) -> range:
    if pattern is None:
        return range(100, 600)
    first = int(pattern.replace("x", "0"))
    return range(first, first + (100 if pattern.endswith("xx") else 1))


def _ended(row: _Row, document: object, answer: Message) -> Answer:
    if row.then == "absent":
        return Answer(absent=True)
    if row.then == "accepted":
        try:
            return Answer(external_id=row.external_id(document), visible_no=row.visible_no(document))
        except Unacceptable:
            raise InDoubt(f"{answer.system}: accepted, but the id in the answer cannot be read") from None
    if row.then == "duplicate":
        raise _duplicate(row, document, answer)
    raise _ERROR[row.then](_quoted(row, document, answer), answer)


def _duplicate(row: _Row, document: object, answer: Message) -> Duplicate:
    text = _quoted(row, document, answer)
    try:
        return Duplicate(text, external_id=row.external_id(document), visible_no=row.visible_no(document))
    except Unacceptable:  # it has it, under a name that cannot be read
        return Duplicate(text)


def _quoted(row: _Row, document: object, answer: Message) -> str:
    """Its code, and what the other side said, short and without long numbers: it may quote a citizen."""
    said = _LONG_NUMBER.sub("***", _said(row.text, document))[:_SHOWN]
    code = "".join(_said(row.code, document).split())[:_LONGEST_CODE]
    return " ".join(filter(None, (code, said))) or f"{answer.system} answered HTTP {answer.status}"


def _said(get: Get, document: object) -> str:
    try:
        return str(get(document))
    except Unacceptable:
        return ""


def _unavailable(text: str, answer: Message) -> Unavailable:
    return Unavailable(text, retry_after=_asked_to_wait(answer))


def _asked_to_wait(answer: Message) -> float | None:
    """Seconds of its Retry-After, which may be an instant by the clock that wrote its Date (RFC 9110, 10.2.3)."""
    after = answer.headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]+", after):
        return min(float(after[:_DIGITS]), LONGEST_WAIT)
    until = _instant(after)
    if until is None:
        return None
    seconds = (until - (_instant(answer.headers.get("date", "")) or answer.at)).total_seconds()
    return min(seconds, LONGEST_WAIT) if seconds > 0 else None


def _instant(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_ERROR: dict[str, Callable[[str, Message], HubError]] = {
    "refused": lambda text, _answer: Refused(text),
    "unavailable": _unavailable,
    "unauthenticated": lambda text, _answer: Unauthenticated(text),
    "in_doubt": lambda text, _answer: InDoubt(text),
}
