"""A door compiled: bytes to documents, the secret shown, the message found, the envelope of the reply."""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.declaration import DoorDeclaration, ReplyDeclaration, ReplyRow, Step
from adapters.inbound import InboundPlan
from adapters.rule import Get, Scope, compile_tree, path_getter
from adapters.shape import (
    form_step,
    json_body,
    json_step,
    media_type,
    pick_step,
    soap_body,
    soap_fault,
    soap_step,
    unreadable,
    xml_step,
)
from adapters.value import as_list, as_text
from adapters.yaml_file import Where
from canonical.errors import ContractViolation, Unacceptable, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading

Shape = Callable[[Message], Any]
"""A message's bytes to its document. Raises Unacceptable (why UNREADABLE)."""

_JSON_TYPES = ("application/json", "text/json")
_NUMBER_BITS = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Door:
    """What the system pushes to us, at `/in/<system>/<path_suffix>`."""

    name: str
    path_suffix: str
    media_types: tuple[str, ...]
    max_bytes: int
    wsdl: bytes | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side is answered."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]


def compile_shape(steps: Sequence[Step], charset: str) -> Shape:
    """The declared steps as one function. What is JSON already (stored samples, items of a page) skips the others."""
    compiled = [_step(step, charset) for step in steps]
    plain = json_step(charset)

    def shape(message: Message) -> Any:  # noqa: ANN401
        if _is_json(message):
            return plain(message.body, message)
        document: Any = message.body
        for step in compiled:
            document = step(document, message)
        return document

    return shape


def _is_json(message: Message) -> bool:
    kind = media_type(message)
    return kind in _JSON_TYPES or (not kind and message.body[:64].lstrip()[:1] in (b"{", b"["))


def _step(step: Step, charset: str) -> Callable[[Any, Message], Any]:
    if step.form is not None:
        return form_step(step.form, charset)
    if step.soap is not None:
        return soap_step(step.soap, charset)
    if step.pick is not None:
        return pick_step(path_getter(step.pick), step.pick)
    if step.xml is not None:
        return xml_step(charset, step.xml.lists, or_text=step.xml.or_text)
    return json_step(charset)


@dataclass(frozen=True, slots=True)
class Entrance:
    """How messages of one door or pull are read."""

    shape: Shape
    shown: Get | None
    """The secret the message shows; None when the door asks for none."""
    header: str
    secret: bytes = field(repr=False)
    document: Get
    items: Get | None
    plans: tuple[InboundPlan, ...]
    edition: str

    def read(self, message: Message, *, authenticate: bool) -> list[Reading | Unacceptable]:
        """Never raises, whatever the bytes are."""
        try:
            whole = self.shape(message)
            if authenticate:
                self._authenticate(whole, message)
            document = self.document(whole)
        except Unacceptable as error:
            return [error]
        many = [document] if self.items is None else as_list(self.items(document))
        return [self._one(one, message) for one in many]

    def _authenticate(self, whole: object, message: Message) -> None:
        if self.header:
            given: object = message.headers.get(self.header, "")
        elif self.shown:
            given = self.shown(whole)
        else:
            return
        if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "replace"), self.secret):
            raise Unacceptable("the secret shown is not the agreed one", why=Why.UNAUTHENTICATED)

    def _one(self, document: object, message: Message) -> Reading | Unacceptable:
        key = self.plans[0].key
        try:
            plan = self._plan(document)
            key = plan.key
            return plan.read(document, message, self.edition)
        except Unacceptable as error:
            return type(error)(str(error), why=error.why, at=error.at, key=error.key or _key_of(key, document))

    def _plan(self, document: object) -> InboundPlan:
        for plan in self.plans:
            if plan.fits(document):
                return plan
        for plan in self.plans:
            for path, get in plan.picks:
                if get(document) is None or isinstance(get(document), dict | list):
                    raise ContractViolation(f"{path}: missing", at=path)
        raise Unacceptable("no declared message fits", why=Why.UNKNOWN_MESSAGE, at=self.plans[0].picks[0][0])


def _key_of(key: Get, document: object) -> str:
    """The external id as far as it can be read: it must not fail twice."""
    try:
        return as_text(key(document))[:200]
    except (Unacceptable, TypeError):
        return ""


@dataclass(frozen=True, slots=True)
class _ReplyPlan:
    declared: ReplyRow
    body: Get

    def fits(self, outcome: Outcome) -> bool:
        row = self.declared
        return (not row.verdict or outcome.verdict in row.verdict) and (not row.why or outcome.why in row.why)


@dataclass(frozen=True, slots=True)
class ReplyPlans:
    """The envelopes of one door."""

    declared: ReplyDeclaration
    rows: tuple[_ReplyPlan, ...]
    charset: str

    def reply(self, message: Message, outcome: Outcome) -> Reply:
        """The first envelope that fits, filled."""
        plan = next(row for row in self.rows if row.fits(outcome))
        words = self.declared.words.get(outcome.why, "") if outcome.why else ""
        values = {
            "words": words, "text": outcome.text, "case_no": outcome.case_no, "why": str(outcome.why or ""),
            "verdict": str(outcome.verdict), "number": message.id.int & _NUMBER_BITS,
        }  # fmt: skip
        return Reply(plan.declared.status, *self._sealed(plan, values), headers={})

    def _sealed(self, plan: _ReplyPlan, values: Mapping[str, Any]) -> tuple[str, bytes]:
        declared, charset = self.declared, self.charset
        body = plan.body(values)
        if plan.declared.fault:
            return "text/xml; charset=utf-8", soap_fault(plan.declared.fault, as_text(body))
        if declared.format == "soap":
            return "text/xml; charset=utf-8", soap_body(declared.namespace, declared.element, body)
        if declared.format == "text":
            return f"text/plain; charset={charset}", as_text(body).encode(charset, "replace")
        return f"application/json; charset={charset}", json_body(body, charset)


_REPLY_NAMES = {name: {} for name in ("words", "text", "case_no", "why", "verdict", "number")}  # type: ignore[var-annotated]
_VERDICTS = frozenset(Verdict) - {Verdict.WAITING, Verdict.ACKNOWLEDGED, Verdict.PARKED}


def compile_reply(declared: ReplyDeclaration, scope: Scope, where: Where, charset: str) -> ReplyPlans:
    """Compile a door's envelopes; every verdict and reason must find one."""
    scope = replace(scope, names=_REPLY_NAMES, writing=True)
    missing = [str(why) for why in Why if why not in declared.words]
    if missing:
        scope.wrong((*where, "words"), f"no words for {', '.join(missing)}")
    rows = tuple(
        _ReplyPlan(row, compile_tree(row.body, scope, (*where, "rows", index, "body")))
        for index, row in enumerate(declared.rows)
    )
    cases = [(verdict, why) for verdict in _VERDICTS for why in (None, *Why)]
    unanswered = {f"{v}/{w}" for v, w in cases if not any(row.fits(Outcome(v, why=w)) for row in rows)}
    if unanswered:
        scope.wrong(
            (*where, "rows"), f"no row fits {', '.join(sorted(unanswered)[:5])}; end with a row without verdict and why"
        )
    if declared.format == "soap" and not (declared.element and declared.namespace):
        scope.wrong(where, "a SOAP reply needs element and namespace")
    return ReplyPlans(declared, rows, charset)


def compile_entrance(
    declared: DoorDeclaration, plans: Iterable[InboundPlan], scope: Scope, where: Where, edition: str, charset: str
) -> Entrance:
    """Compile a door; what is wrong is added to the scope's findings."""
    if not any(step.json_ or step.soap is not None or step.xml is not None for step in declared.shape):
        scope.wrong((*where, "shape"), "one of json, soap, xml is needed: a document must come of the bytes")
    asked = declared.authenticate
    secret = ""
    if asked:
        if (asked.from_ is None) == (asked.header is None):
            scope.wrong((*where, "authenticate"), "either from (a path) or header is expected")
        secret = _given_secret(asked.secret, scope, (*where, "authenticate", "secret"))
    return Entrance(
        shape=compile_shape(declared.shape, charset),
        shown=path_getter(asked.from_) if asked and asked.from_ else None,
        header=asked.header.lower() if asked and asked.header else "",
        secret=secret.encode(),
        document=_document(declared.document),
        items=path_getter(declared.items) if declared.items and declared.items != "." else _itself(declared.items),
        plans=tuple(plans),
        edition=edition,
    )


def _itself(path: str | None) -> Get | None:
    return None if path is None else lambda document: document


def _document(path: str) -> Get:
    if path == ".":
        return lambda document: document
    get = path_getter(path)

    def document(whole: object) -> Any:  # noqa: ANN401
        value = get(whole)
        if value is None:
            raise unreadable(f"{path} is missing")
        return value

    return document


def _given_secret(names: str | tuple[str, ...], scope: Scope, where: Where) -> str:
    wanted = (names,) if isinstance(names, str) else names
    unknown = [name for name in wanted if name not in scope.secrets]
    for name in unknown:
        scope.wrong(where, f"'{name}' is no declared secret; add it under secrets")
    given = next((value for name in wanted if (value := scope.secrets.get(name))), "")
    if not given and not unknown:
        scope.wrong(where, f"no secret is given: {' or '.join(wanted)}")
    return given


def entrance_of_items(plans: Iterable[InboundPlan], edition: str) -> Entrance:
    """How items split out of a page are read: they are JSON and were fetched by us."""
    return Entrance(
        shape=compile_shape((Step.model_validate("json"),), "utf-8"),
        shown=None,
        header="",
        secret=b"",
        document=lambda document: document,
        items=None,
        plans=tuple(plans),
        edition=edition,
    )
