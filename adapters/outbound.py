"""An outbound message compiled: canonical values to the other side's body. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from adapters.contract import Contract, Names
from adapters.declaration import OutboundDeclaration
from adapters.inbound import digest
from adapters.rule import Get, Scope, compile_rule, compile_tree, path_getter
from adapters.shape import json_body, multipart_body, urlencoded_body, xml_text
from adapters.value import as_text, text_at
from canonical.case import Binding, Case
from canonical.message import Message
from canonical.place import Coordinate, Place
from canonical.reading import Outbound
from canonical.report import Attachment
from canonical.time import Due, Limit

_BINDING: Names = {
    name: {} for name in ("external_id", "case_key", "visible_no", "reference", "fingerprint", "round")
} | {"extra": {"*": {}}}
_FILES: Names = {"[]": {"url": {}, "name": {}, "id": {}}}
VIEW: Names = {
    "case": {
        name: {}
        for name in (
            "no", "reference", "sequence", "title", "description", "class", "given_class", "address", "lon", "lat", "x",
            "y", "crs", "area", "county", "street", "community", "grid", "given_area", "urgency", "channel", "result",
            "received_at", "reported_at", "filed_at", "due_at", "disposed_at", "closed_at", "evaluation", "source",
        )
    }
    | {"reporter": {"name": {}, "phone": {}, "withheld": {}}, "attachments": _FILES},
    "action": {
        name: {}
        for name in ("kind", "at", "stated_at", "reason", "result", "actor", "unit", "due_at", "target", "standard")
    }
    | {"limit": {"value": {}, "unit": {}}, "attachments": _FILES},
    "binding": _BINDING,
    "source": _BINDING,
    "unit": {},
    "area": {"city": {}, "county": {}, "street": {}, "community": {}},
    "now": {},
    "id": {},
    "session": {},
    "pull": {"since": {}, "until": {}, "page": {}, "page_size": {}},
}  # fmt: skip
"""Every path an outbound rule may use. `binding` is the one addressed, `source` the same system's own report."""

_COUNTY, _STREET, _COMMUNITY = 6, 9, 12


@dataclass(frozen=True, slots=True)
class OutboundFacts:
    """What the runtime must know before it sends."""

    repeat: str
    """After an in-doubt sending: `safe` resend; `guarded` resend, and a refusal then means that the first one arrived;
    `never` park for a person."""
    description: str


@dataclass(frozen=True, slots=True)
class OutboundPlan:
    """One declared message, ready to write."""

    name: str
    system: str
    declared: OutboundDeclaration
    path: Get
    headers: Mapping[str, Get]
    body: Get
    contract: Contract | None
    charset: str
    digested: tuple[Get, ...]

    def document(self, view: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """The body before it becomes bytes. Raises UnmappedCode, ContractViolation, Unauthenticated."""
        document = self.body(view)
        if self.contract:
            self.contract.check(document)
        return document

    def message(self, view: Mapping[str, Any], *, now: datetime, id: UUID) -> Message:  # noqa: A002
        """The whole message. SOAP: path `path#Operation`, body the JSON of the ordered arguments."""
        body, content_type = self._sealed(self.document(view), id)
        headers = {name.lower(): text_at(get(view), f"headers.{name}") for name, get in self.headers.items()}
        return Message(
            system=self.system, body=body, at=now, id=id, door=self.name, content_type=content_type,
            headers=MappingProxyType(headers), method=self.declared.method, path=text_at(self.path(view), "path"),
        )  # fmt: skip

    def fingerprint(self, view: Mapping[str, Any]) -> str:
        """Digest of the declared fields of the body; empty when none are declared."""
        if not self.digested:
            return ""
        document = self.body(view)
        return digest(as_text(get(document)) for get in self.digested)

    def _sealed(self, document: object, id: UUID) -> tuple[bytes, str]:  # noqa: A002
        charset, part = self.charset, self.declared.part
        if document is None:
            return b"", ""
        if self.declared.format == "xml":
            return xml_text(self.declared.root, document, charset).encode(charset), f"text/xml; charset={charset}"
        text = json_body(document, charset)
        if self.declared.format == "form":
            return multipart_body(part, text, f"gridhub-{id.hex}", charset)
        if self.declared.format == "urlencoded":
            return urlencoded_body(part, text), "application/x-www-form-urlencoded"
        return text, "application/json" if charset == "utf-8" else f"application/json; charset={charset}"


def compile_outbound(
    name: str, declared: OutboundDeclaration, contract: Contract | None, scope: Scope, charset: str, system: str
) -> OutboundPlan:
    """Compile a declaration; what is wrong is added to the scope's findings."""
    scope = replace(scope, names=VIEW, writing=True)
    if declared.format in {"form", "urlencoded"} and not declared.part:
        scope.wrong(("format",), "a form needs the name of its part: add part: NAME")
    if declared.format == "xml" and not declared.root:
        scope.wrong(("format",), "xml needs its root element: add root: NAME")
    if declared.fingerprint and not isinstance(declared.body, dict):
        scope.wrong(("fingerprint",), "only an object has fields to digest")
    return OutboundPlan(
        name=name,
        system=system,
        declared=declared,
        path=compile_rule(declared.path, scope, ("path",)),
        headers={header: compile_rule(node, scope, ("headers", header)) for header, node in declared.headers.items()},
        body=compile_tree(declared.body, scope, ("body",)),
        contract=contract,
        charset=charset,
        digested=tuple(path_getter(path) for path in declared.fingerprint),
    )


def view_of(outbound: Outbound, *, now: datetime, id: UUID, session: str) -> dict[str, Any]:  # noqa: A002
    """The canonical values under the names of VIEW."""
    action = outbound.action
    return _around(now, id, session) | {
        "case": _case(outbound.case),
        "action": {
            "kind": str(action.kind),
            "at": action.at,
            "stated_at": action.stated_at,
            "reason": action.reason,
            "result": action.result,
            "actor": action.actor.name,
            "unit": action.unit,
            "due_at": _at(action.due),
            "target": action.target,
            "standard": action.standard,
            "limit": _limit(action.limit),
            "attachments": _files(action.attachments),
        },
        "binding": _binding(outbound.binding),
        "source": _binding(outbound.source_binding),
        "unit": outbound.unit_name,
        "area": dict(outbound.area_names),
    }


def pull_view(pull: Mapping[str, Any], *, now: datetime, id: UUID, session: str) -> dict[str, Any]:  # noqa: A002
    """What a message that asks (for a page, for a session) may use."""
    return _around(now, id, session) | {"pull": dict(pull)}


def _around(now: datetime, id: UUID, session: str) -> dict[str, Any]:  # noqa: A002
    return {"now": now, "id": str(id), "session": session}


def _case(case: Case) -> dict[str, Any]:
    return {
        "no": case.no,
        "reference": case.reference,
        "sequence": case.sequence,
        "title": case.title,
        "description": case.description,
        "class": str(case.class_code) if case.class_code else "",
        "given_class": case.given_class,
        "urgency": str(case.urgency),
        "channel": case.channel,
        "result": case.result,
        "evaluation": case.evaluation,
        "source": case.source,
        "received_at": case.received_at,
        "reported_at": case.reported_at,
        "filed_at": case.filed_at,
        "due_at": _at(case.due),
        "disposed_at": case.disposed_at,
        "closed_at": case.closed_at,
        "reporter": case.reporter.model_dump(),
        "attachments": _files(case.attachments),
        **_place(case.place),
    }


def _place(place: Place | None) -> dict[str, Any]:
    place = place or Place()
    area = (place.grid or "")[:_COMMUNITY] or place.area or ""
    raw = place.raw or Coordinate(x=0, y=0, crs="")
    return {
        "address": place.address,
        "lon": place.lon,
        "lat": place.lat,
        "x": raw.x if place.raw else None,
        "y": raw.y if place.raw else None,
        "crs": raw.crs,
        "area": area,
        "county": area[:_COUNTY] if len(area) >= _COUNTY else "",
        "street": area[:_STREET] if len(area) >= _STREET else "",
        "community": area if len(area) == _COMMUNITY else "",
        "grid": place.grid,
        "given_area": place.given_area,
    }


def _at(due: Due | None) -> datetime | None:
    return due.at if due else None


def _limit(limit: Limit | None) -> dict[str, Any]:
    return {"value": limit.value, "unit": str(limit.unit)} if limit else {}


def _files(attachments: tuple[Attachment, ...]) -> list[dict[str, Any]]:
    return [attachment.model_dump() for attachment in attachments]


def _binding(binding: Binding | None) -> dict[str, Any]:
    return binding.model_dump(mode="json") if binding else {}
