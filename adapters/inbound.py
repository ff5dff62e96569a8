"""An inbound message compiled: document to Reading. Pure; the hot path of the hub."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from adapters.attaching import compile_attachments
from adapters.authenticating import Check, compile_signature
from adapters.condition import compile_condition
from adapters.contract import Contract
from adapters.filling import Fill, text_rule
from adapters.inline import compiled
from adapters.inlined import Budget, Filled, Needed, With
from adapters.message_declaration import (
    ActionFields,
    AdditionFields,
    AlarmFields,
    DeadlineFields,
    InboundDeclaration,
    LimitFields,
    ReporterFields,
    ReportFields,
    StatedFields,
)
from adapters.path import Get, path_getter
from adapters.rule import compile_rule, is_rule
from adapters.scope import Leaf, Scope
from adapters.value import empty, int_at, number_at, text_at
from adapters.yaml_file import Where
from canonical.codes import ClassCode
from canonical.errors import ContractViolation, HubError, Unacceptable, UnmappedCode, Why
from canonical.lifecycle import BY_ACTION, Party
from canonical.message import Message
from canonical.reading import Reading
from canonical.report import Urgency
from canonical.time import Limit, LimitUnit


@dataclass(frozen=True, slots=True)
class InboundPlan:
    """One declared message, ready to read."""

    name: str
    title: str
    fits: Get
    picks: tuple[tuple[str, Get], ...]
    """What `fits` looks at, to tell a broken message from an unknown one."""
    contract: Contract
    key: Get
    fields: Fill
    """Those of the reading; its parts (report, action, addition, alarm) as objects."""
    intact: Check | None
    """Whether a checksum it carries is its own."""
    ahead: timedelta
    behind: timedelta
    context: frozenset[str]
    """What it needs around the document, such as `$headers.x-name`."""
    leads: bool = False
    """Its states say what the system does as the centre of its own cases."""
    leaves: tuple[Leaf, ...] = ()
    """Its rules, for explanations."""

    def read(self, document: object, known: object, message: Message, edition: str) -> Reading:
        """`known`: the document with what stands around it. Raises Unacceptable, such as UnmappedCode."""
        self.contract.check(document)
        if self.intact:
            self._whole(known, message.at)
        # One validation of the whole: nine small models made one by one cost three times as much.
        fields = self.fields(known)
        fields["system"], fields["kind"], fields["edition"] = message.system, self.name, edition
        try:
            reading: Reading = _validated(fields, extra="ignore")  # a plan makes no names of its own
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
            raise ContractViolation(f"{place}: not a value the hub can hold", at=place) from None
        if self.context:
            _storable(reading)
        if reading.report and reading.report.reported_at:
            self._plausible(reading.report.reported_at, message.at, "reported_at")
        if reading.action and reading.action.stated_at:
            self._plausible(reading.action.stated_at, message.at, "stated_at")
        return reading

    def _whole(self, known: object, at: datetime) -> None:
        assert self.intact is not None
        try:
            holds = self.intact(known, at)
        except HubError:  # what cannot even be computed was not what the sender summed up
            holds = False
        if not holds:
            raise Unacceptable("the checksum is not that of the message", why=Why.UNREADABLE, at="intact")

    def _plausible(self, at: datetime, received: datetime, name: str) -> None:
        if not received - self.behind <= at <= received + self.ahead:
            text = f"{name} lies more than {self.ahead.days} days ahead or {self.behind.days} days behind its receipt"
            raise Unacceptable(text, why=Why.IMPLAUSIBLE, at=name)


_validated = Reading.__pydantic_validator__.validate_python
"""`model_validate` without its options: this runs for every message."""


def _storable(reading: Reading) -> None:
    """What stands around a document went through no reader that refuses what no text column holds."""
    try:
        text = reading.model_dump_json()
    except PydanticSerializationError:  # half a surrogate pair, of bytes that are no text
        raise Unacceptable("a value around the document is not Unicode text", why=Why.UNREADABLE) from None
    if "\\u0000" in text.replace("\\\\", ""):
        raise Unacceptable("a value around the document with the character U+0000", why=Why.UNREADABLE)


def compile_inbound(name: str, declared: InboundDeclaration, contract: Contract, scope: Scope, crs: str) -> InboundPlan:
    """Compile a declaration; what is wrong is added to the scope's findings."""
    leaves: list[Leaf] = []
    scope = replace(scope, names=contract.names, values=contract.values, context=set(), leaves=leaves)
    key = text_rule(declared.external_id, scope, ("external_id",))
    heads = {
        field: text_rule(getattr(declared, field), scope, (field,))
        for field in ("case_key", "visible_no", "reference")
        if getattr(declared, field) is not None
    }
    if declared.fingerprint:
        parts = [text_rule(part, scope, ("fingerprint", index)) for index, part in enumerate(declared.fingerprint)]
        heads["fingerprint"] = lambda document: digest(part(document) for part in parts)
    spoken = (declared.report, declared.action, declared.addition, declared.alarm)
    if any(one is not None for one in spoken) is declared.noted:
        scope.wrong((), "a report, an action, an addition or an alarm is expected, or noted: true and none of them")
    said = dict(_parts(declared, scope, crs))
    fits = compile_condition(declared.when, scope, ("when",))
    picks = () if isinstance(declared.when, str) else tuple(declared.when)
    plan = InboundPlan(
        name=name,
        title=declared.title,
        fits=fits,
        picks=tuple((path, path_getter(path)) for path in picks),
        contract=contract,
        key=key,
        fields=compiled(Filled({"external_id": Needed(key, _blank), **heads, **said}, frozenset(said))),
        intact=compile_signature(declared.intact, scope, ("intact",)) if declared.intact else None,
        ahead=timedelta(days=declared.plausible.ahead_days),
        behind=timedelta(days=declared.plausible.behind_days),
        context=frozenset(),
        leads=declared.action is not None and any(_LEAD in step.kinds for step in declared.action.steps.values()),
    )
    return replace(plan, context=frozenset(scope.context), leaves=tuple(leaves))


def _parts(declared: InboundDeclaration, scope: Scope, crs: str) -> Iterator[tuple[str, Get]]:
    if declared.report:
        yield "report", _report(declared.report, scope, crs)
    if declared.action:
        yield "action", _stated(declared.action, scope)
    if declared.addition:
        yield "addition", _addition(declared.addition, scope)
    if declared.alarm:
        yield "alarm", _alarm(declared.alarm, scope)


def digest(parts: Iterable[str | None]) -> str:
    """Fingerprint of some texts; empty when all of them are."""
    texts = [part or "" for part in parts]
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest() if any(texts) else ""


_LEAD = Party.LEAD_SYSTEM


def _blank(_key: object) -> str:
    """Two reports with blank ids would pass for one said twice."""
    raise ContractViolation("the external id is empty", at="external_id")


def _class(text: str) -> ClassCode:
    return ClassCode.parse(text)


def _urgency(text: str) -> Urgency:
    try:
        return Urgency(text)
    except ValueError:
        raise ValueError(f"{', '.join(Urgency)} is expected, not '{text}'") from None


def _crs(text: str) -> str:
    """The form only: which EPSG codes can be converted, whoever converts them knows."""
    if not _CRS.fullmatch(text):
        raise ValueError(f"EPSG:<number>, {', '.join(_UNNUMBERED)} or LOCAL:<name> is expected, not '{text}'")
    return text


_UNNUMBERED = ("GCJ-02", "BD-09", "BD-09MC")
"""Those without a number of the EPSG registry."""
_CRS = re.compile(rf"EPSG:[0-9]{{4,6}}|{'|'.join(_UNNUMBERED)}|LOCAL:[a-z0-9][a-z0-9_-]*")


def _flag(text: str) -> bool:
    if text not in _FLAGS:
        raise ValueError(f"yes or no is expected, not '{text}'")
    return _FLAGS[text]


def _share(text: str) -> str:
    if text not in _SHARES:
        raise ValueError(f"lead or joint is expected, not '{text}'")
    return text


_FLAGS = {"yes": True, "no": False, "true": True, "false": False}
_SHARES = frozenset({"lead", "joint"})


def _coded(node: object, convert: Callable[[str], Any], scope: Scope, where: Where) -> Get:
    """A rule whose value the hub has a closed list of: it must go through a code table."""
    if isinstance(node, dict) and is_rule(node) and not _says(node, "codes"):
        scope.wrong(where, "this needs a code table: add codes: TABLE")
    return compile_rule(node, scope, where, convert)


def _says(node: Any, key: str) -> bool:  # noqa: ANN401
    """Whether a rule, or one that goes on with it, has the key."""
    return isinstance(node, dict) and (key in node or _says(node.get("then"), key))


def _time(node: object, scope: Scope, where: Where) -> Get:
    if not isinstance(node, dict) or not (_says(node, "time") or "expr" in node or node.get("from") == "$at"):
        scope.wrong(where, 'this needs a pattern: add time: "yyyy-MM-dd HH:mm:ss"')
    return compile_rule(node, scope, where)


def _report(declared: ReportFields, scope: Scope, crs: str) -> Get:
    base: Where = ("report",)
    getters = _texts_and_codes(declared, scope, base)
    if declared.reported_on is not None:
        on = _time(declared.reported_on, scope, (*base, "reported_on"))
        getters["reported_on"] = lambda document: at.date() if (at := on(document)) else None
    if declared.reported_at is not None:
        getters["reported_at"] = _time(declared.reported_at, scope, (*base, "reported_at"))
    if declared.coordinate:
        getters["coordinate"] = _coordinate(declared, scope, crs)
    if declared.reporter:
        getters["reporter"] = _reporter(declared.reporter, scope)
    if declared.attachments:
        getters["attachments"] = compile_attachments(declared.attachments, scope, (*base, "attachments"))
    for field in ("deadline", "sign_deadline"):
        if (node := getattr(declared, field)) is not None:
            getters[field] = _deadline(node, scope, (*base, field))
    return Filled(getters)


def _texts_and_codes(declared: ReportFields, scope: Scope, base: Where) -> dict[str, Get]:
    getters: dict[str, Get] = {}
    for field in (
        "title",
        "description",
        "given_class",
        "address",
        "given_area",
        "channel",
        "opinion",
        "collector",
        "settled",
    ):
        if (node := getattr(declared, field)) is not None:
            getters[field] = text_rule(node, scope, (*base, field))
    for field, name, convert in (
        ("class_code", "class_", _class),
        ("urgency", "urgency", _urgency),
        ("share", "share", _share),
        ("leader_assigned", "leader_assigned", _flag),
    ):
        if (node := getattr(declared, name)) is not None:
            getters[field] = _coded(node, convert, scope, (*base, name.rstrip("_")))
    if declared.extra:
        extra = {key: text_rule(node, scope, (*base, "extra", key)) for key, node in declared.extra.items()}
        getters["extra"] = Filled(extra)
    return getters


def _nowhere(_document: object) -> None:
    return None


def _coordinate(declared: ReportFields, scope: Scope, crs: str) -> Get:
    assert declared.coordinate is not None
    where: Where = ("report", "coordinate")
    x = compile_rule(declared.coordinate.x, scope, (*where, "x"))
    y = compile_rule(declared.coordinate.y, scope, (*where, "y"))
    said = declared.coordinate.crs or crs
    if not said:
        scope.wrong(where, "the CRS is not declared: add crs here or in system.yaml, as EPSG:4490")
    written = compile_rule(said, scope, (*where, "crs"), _crs) if said else _nowhere

    def get(document: object) -> dict[str, Any] | None:
        given_x, given_y = x(document), y(document)
        crs = text_at(written(document), "coordinate.crs")
        if (empty(given_x) and empty(given_y)) or not crs:
            return None
        return {"x": number_at(given_x, "coordinate.x"), "y": number_at(given_y, "coordinate.y"), "crs": crs}

    return get


def _reporter(declared: ReporterFields, scope: Scope) -> Get:
    where: Where = ("report", "reporter")
    getters = {
        field: text_rule(getattr(declared, field), scope, (*where, field))
        for field in ("name", "phone")
        if getattr(declared, field) is not None
    }
    if declared.withheld is not None:
        getters["withheld"] = _coded(declared.withheld, _flag, scope, (*where, "withheld"))
    return Filled(getters)


def _limit(given: object, unit: LimitUnit | None) -> Limit:
    if unit is None:
        raise ContractViolation("a limit without its unit", at="limit.unit")
    return _limit_of(given if type(given) is str else text_at(given, "limit.value"), unit)


@lru_cache(maxsize=256)
def _limit_of(given: str, unit: LimitUnit) -> Limit:
    """The same few budgets come with every message. Raises ContractViolation."""
    try:
        return Limit(value=int_at(given, "limit.value"), unit=unit)
    except ValidationError:
        raise ContractViolation("limit.value: not a budget of time", at="limit.value") from None


def _compiled_limit(declared: LimitFields | DeadlineFields, scope: Scope, where: Where) -> Get:
    value = compile_rule(declared.value, scope, (*where, "value"))
    return Budget(value, _coded(declared.unit, LimitUnit, scope, (*where, "unit")), _limit)


def _deadline(declared: DeadlineFields, scope: Scope, where: Where) -> Get:
    getters: dict[str, Get] = {}
    for field in ("at", "since"):
        if (node := getattr(declared, field)) is not None:
            getters[field] = _time(node, scope, (*where, field))
    if declared.value is not None:
        getters["limit"] = _compiled_limit(declared, scope, where)
    return With(Filled(getters), ("at", "limit"))


def _fields(declared: ActionFields, scope: Scope, where: Where) -> dict[str, Get]:
    getters: dict[str, Get] = {}
    for field in ("reason", "basis", "result", "actor_name", "unit"):
        if (node := getattr(declared, field)) is not None:
            getters[field] = text_rule(node, scope, (*where, field))
    for field in ("stated_at", "until"):
        if (node := getattr(declared, field)) is not None:
            getters[field] = _time(node, scope, (*where, field))
    if declared.limit:
        getters["limit"] = _compiled_limit(declared.limit, scope, (*where, "limit"))
    if declared.deadline:
        getters["deadline"] = _deadline(declared.deadline, scope, (*where, "deadline"))
    if declared.attachments:
        getters["attachments"] = compile_attachments(declared.attachments, scope, (*where, "attachments"))
    return getters


def _stated(declared: StatedFields, scope: Scope) -> Get:
    status = text_rule(declared.status, scope, ("action", "status"))
    for given, step in declared.steps.items():
        for party, kind in step.kinds.items():
            if party not in BY_ACTION[kind].who:
                theirs = ", ".join(sorted(one.action for one in BY_ACTION.values() if party in one.who))
                text = f"{kind} is not for who has the part {party} in a case; that does: {theirs}"
                scope.wrong(("action", "steps", given, "kinds", str(party)), text)
    common = _fields(declared, scope, ("action",))
    steps = {
        given: (step.kinds, compiled(Filled(common | _fields(step, scope, ("action", "steps", given)))))
        for given, step in declared.steps.items()
    }

    def get(document: object) -> dict[str, Any] | None:
        given = status(document)
        if given not in steps:
            raise UnmappedCode("the status has no row in the message's steps", at="action.status")
        kinds, fill = steps[given]
        return {"kinds": kinds, "given": given, **fill(document)} if kinds else None

    return get


def _addition(declared: AdditionFields, scope: Scope) -> Get:
    where: Where = ("addition",)
    getters: dict[str, Get] = {}
    if declared.remark is not None:
        getters["remark"] = text_rule(declared.remark, scope, (*where, "remark"))
    if declared.stated_at is not None:
        getters["stated_at"] = _time(declared.stated_at, scope, (*where, "stated_at"))
    if declared.attachments:
        getters["attachments"] = compile_attachments(declared.attachments, scope, (*where, "attachments"))
    return With(Filled(getters), ("remark", "attachments"))


def _alarm(declared: AlarmFields, scope: Scope) -> Get:
    where: Where = ("alarm",)
    device = text_rule(declared.device, scope, (*where, "device"))
    kind = text_rule(declared.kind, scope, (*where, "kind"))
    value = compile_rule(declared.value, scope, (*where, "value"))
    at = _time(declared.at, scope, (*where, "at")) if declared.at is not None else lambda _document: None
    active = _coded(declared.active, _flag, scope, (*where, "active")) if declared.active is not None else None

    def get(document: object) -> dict[str, Any] | None:
        named, what, measured = device(document), kind(document), value(document)
        if not named or not what:
            return None
        number = None if empty(measured) else number_at(measured, "alarm.value")
        holds = bool(active(document)) if active else number is None  # who tells no state and no value tells an alarm
        return {"device": named, "kind": what, "active": holds, "value": number, "at": at(document)}

    return get
