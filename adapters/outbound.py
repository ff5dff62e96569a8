"""An outbound message compiled: canonical values to the other side's body. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from uuid import UUID

from adapters.before import Declarations, Question, answers_seen, compile_before, item_seen
from adapters.charset import contradiction
from adapters.charset import written as encoded
from adapters.contract import Contract
from adapters.declaration import Common
from adapters.explain import near
from adapters.inbound import digest
from adapters.message_declaration import OutboundDeclaration
from adapters.path import ANYTHING, Get, Names, parts_of, path_getter, put_member
from adapters.rule import compile_rule, compile_tree
from adapters.rule_step import as_bytes
from adapters.scope import FILE_BYTES, FILE_PLACES, FILES_ASKED_FOR, USES_FILES, Scope
from adapters.shape_json import write_json
from adapters.shape_xml import xml_text
from adapters.value import as_list, as_text, empty, text_at
from adapters.writing import csv_body, fields_body, fields_parts, multipart, multipart_body, percent, urlencoded_body
from canonical.case import Binding, Case, Completion, Share
from canonical.errors import ContractViolation
from canonical.message import Message
from canonical.place import Coordinate, Place
from canonical.reading import FileContent, Outbound
from canonical.report import Attachment, Urgency
from canonical.time import Due, Limit, LimitUnit

_BINDING: Names = {
    name: {} for name in ("external_id", "case_key", "visible_no", "reference", "fingerprint", "round")
} | {"extra": {"*": {}}}
_FILE: Names = {"url": {}, "name": {}, "id": {}} | dict.fromkeys(("content", "media", "size"), FILE_BYTES)
_FILES: Names = {"[]": _FILE}
VIEW: Names = {
    "case": {
        name: {}
        for name in (
            "no", "reference", "sequence", "title", "description", "class", "given_class", "address", "lon", "lat", "x",
            "y", "crs", "area", "county", "street", "community", "grid", "given_area", "urgency", "channel", "result",
            "received_at", "reported_at", "filed_at", "due_at", "disposed_at", "closed_at", "evaluation", "source",
            "leader_assigned",
        )
    }
    | {"reporter": {"name": {}, "phone": {}, "withheld": {}}, "attachments": _FILES},
    "action": {
        name: {}
        for name in (
            "kind", "at", "stated_at", "reason", "result", "actor", "unit", "officer", "due_at", "until_at", "basis",
            "target", "standard",
        )
    }
    | {"limit": {"value": {}, "unit": {}}, "attachments": _FILES},
    "binding": _BINDING,
    "source": _BINDING,
    "unit": {},
    "joint": {name: {} for name in ("share", "lead", "lead_name", "completion", "report_in_by", "answer_by")},
    "area": {"city": {}, "county": {}, "street": {}, "community": {}},
    "now": {},
    "id": {},
    "session": {},
    "pull": {
        "since": {}, "until": {}, "page": {}, "page_size": {}, "offset": {}, "cursor": {}, "item": ANYTHING,
        "items": ANYTHING,
    },
    "file": _FILE,
    "before": {},
    "hub": {"url": {}, "system": {}},
    "body": ANYTHING,
    "query": ANYTHING,
    "headers": ANYTHING,
    "sealed": {"body": {}, "path": {}, "method": {}, "content_type": {}},
}  # fmt: skip
"""Every path an outbound rule may use. `binding` is the one addressed, `source` the same system's own report.

What is made first can be used by what is made later, so that it can be signed: `body`, then `seal` over it, then
`query`, then the path, then the headers, which see `sealed` (the bytes as they travel) and the headers before them.
What was asked before is there already for all of them: `before` has the names that the message declares.
"""

_VALUES: Mapping[str, tuple[str, ...]] = {
    "case.urgency": tuple(Urgency),
    "action.limit.unit": tuple(LimitUnit),
    "case.reporter.withheld": ("true", "false"),
    "joint.share": tuple(Share),
    "joint.completion": tuple(Completion),
}
"""What the hub itself may write where a list is closed: a table must know all of it, or the rest by `*`."""

_COUNTY, _STREET, _COMMUNITY = 6, 9, 12


@dataclass(frozen=True, slots=True)
class OutboundFacts:
    """What the runtime must know before it sends."""

    repeat: str
    """After an in-doubt sending: `safe` resend; `guarded` resend, for the other side knows our number again and says so
    (an answer row with `then: duplicate`); `never` park for a person."""
    description: str


@dataclass(frozen=True, slots=True)
class OutboundPlan:
    """One declared message, ready to write."""

    name: str
    system: str
    declared: OutboundDeclaration
    path: Get
    query: Mapping[str, Get]
    headers: Mapping[str, Get]
    soap_headers: tuple[Get, ...]
    body: Get
    seal: Mapping[str, Get]
    contract: Contract | None
    charset: str
    digested: tuple[Get, ...]
    before: tuple[Question, ...] = ()
    files: frozenset[str] = frozenset()
    """Where files stand that it uses with their bytes: of FILE_PLACES, and FILES_ASKED_FOR."""
    encoded: bool = False
    """True when the path is that of a URL."""

    def document(self, view: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """The body before it becomes bytes. Raises UnmappedCode, ContractViolation, Unauthenticated."""
        document = self.body(view)
        if self.declared.without_empty:
            document = _without_empty(document)
        for name, get in self.seal.items():
            put_member(document, name, get({**view, "body": document}))
        if self.contract:
            self.contract.check(document)
        return document

    def message(
        self, view: Mapping[str, Any], *, now: datetime, id: UUID, travelled: Message | None = None  # noqa: A002
    ) -> Message:  # fmt: skip
        """The whole message. SOAP: path `path#Operation`, body the JSON of the ordered arguments.

        `travelled`: a message of this kind whose very bytes go again; what stands around them is made for them.
        """
        document = self.document(view)
        query: dict[str, str] = {}
        around: dict[str, Any] = {**view, "body": document, "query": query}
        for name, get in self.query.items():
            if value := text_at(get(around), f"query.{name}"):
                query[name] = value
        if self.soap_headers and isinstance(document, dict):
            document = {**document, "$headers": [get(around) for get in self.soap_headers]}
        body, content_type = self._written(document, id)
        if travelled is not None:
            body, content_type = travelled.body, travelled.content_type
        path = _joined(text_at(self.path(around), "path"), query, self.charset)
        if self.encoded:  # what is signed must be what travels
            path = quote(path, safe=_URL)
        headers: dict[str, str] = {}
        around |= {
            "headers": headers,
            "sealed": {
                "body": body, "path": path, "method": self.declared.method, "content_type": content_type,
            },
        }  # fmt: skip
        for name, get in self.headers.items():
            if value := text_at(get(around), f"headers.{name}"):
                headers[name.lower()] = value
        stated = headers.pop("content-type", content_type)
        content_type = stated if travelled is None else content_type
        return Message(
            system=self.system, body=body, at=now, id=id, door=self.name, content_type=content_type,
            headers=MappingProxyType(headers), method=self.declared.method, path=path, content=document,
        )  # fmt: skip

    @property
    def sealed_within(self) -> tuple[str, ...]:
        """What of its body is only good for a while: signatures, a session's token, the time."""
        body = str(self.declared.body)
        found = {
            "seal": bool(self.seal), "soap_headers": bool(self.soap_headers),
            "session": bool(re.search(r"\bsession\b", body)), "now": bool(re.search(r"\bnow\b", body)),
        }  # fmt: skip
        return tuple(name for name, there in found.items() if there)

    def view(self, outbound: Outbound, around: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
        """All that its rules may use, files with their bytes where it uses them. `names`: before and file, if any."""
        seen = {**view_of(outbound, around, self.files), **names}
        contents = outbound.contents
        if "file" in names and "file" in self.files:
            seen["file"] = with_content(names["file"], contents)
        if "before" in names and FILES_ASKED_FOR in self.files:
            seen["before"] = {name: _with_contents(one, contents) for name, one in names["before"].items()}
        return seen

    def carried(self, outbound: Outbound, names: Mapping[str, Any]) -> list[str]:
        """Addresses of the files whose bytes it carries; each once. `names` as for `view`."""
        found = [one.url for one in outbound.case.attachments if "case.attachments" in self.files]
        found += [one.url for one in outbound.action.attachments if "action.attachments" in self.files]
        found += [file_url(names["file"])] if "file" in names and "file" in self.files else []
        if FILES_ASKED_FOR in self.files:
            found += filter(None, (file_url(one) for each in names.get("before", {}).values() for one in as_list(each)))
        return list(dict.fromkeys(found))

    def fingerprint(self, view: Mapping[str, Any]) -> str:
        """Digest of the declared fields of the body; empty when none are declared. Raises ContractViolation."""
        if not self.digested:
            return ""
        document = self.body(view)
        return digest(text_at(get(document), "fingerprint") for get in self.digested)

    def _written(self, document: object, id: UUID) -> tuple[bytes, str]:  # noqa: A002
        try:
            return self._sealed(document, id)
        except TypeError as error:  # bytes where only text can stand
            kind = self.declared.format
            raise ContractViolation(f"{self.name}: the body cannot be written as {kind}: {error}") from None

    def _sealed(self, document: object, id: UUID) -> tuple[bytes, str]:  # noqa: A002
        if document is None:
            return b"", self.declared.content_type
        body, content_type = self._formatted(document, "utf-8" if self.charset == "auto" else self.charset, id)
        return body, self.declared.content_type or content_type

    def _formatted(self, document: Any, charset: str, id: UUID) -> tuple[bytes, str]:  # noqa: A002, ANN401
        declared, boundary = self.declared, f"gridhub-{id.hex}"
        match declared.format:
            case "xml":
                text = xml_text(declared.root, document, charset, declared.namespace)
                return text.encode(charset, "xmlcharrefreplace"), f"text/xml; charset={charset}"
            case "form":
                return multipart_body(declared.part, write_json(document, charset), boundary, charset)
            case "urlencoded":
                return urlencoded_body(declared.part, write_json(document, charset)), _FORM
            case "fields":
                return fields_body(document, charset), _FORM
            case "multipart":
                return multipart(fields_parts(document, charset), boundary, charset)
            case "text":
                return encoded(as_text(document), charset), f"text/plain; charset={charset}"
            case "bytes":
                return as_bytes(document), "application/octet-stream"
            case "csv":
                return csv_body(as_list(document), charset), f"text/csv; charset={charset}"
        json = "application/json" if charset == "utf-8" else f"application/json; charset={charset}"
        return write_json(document, charset), json


_URL = "%/:?[]@!$&'()*+,;=-._~"
"""What stays as it is in the path and query of a URL; what is encoded already stays so too."""
_FORM = "application/x-www-form-urlencoded"


def _joined(path: str, query: Mapping[str, str], charset: str) -> str:
    if not query:
        return path
    pairs = ("=".join(percent(one, charset, space="%20") for one in pair) for pair in query.items())
    return f"{path}{'&' if '?' in path else '?'}{'&'.join(pairs)}"


def _without_empty(document: object) -> Any:  # noqa: ANN401
    if isinstance(document, dict):
        return {name: _without_empty(value) for name, value in document.items() if not empty(value)}
    return [_without_empty(item) for item in document] if isinstance(document, list) else document


def compile_outbound(
    name: str, declared: OutboundDeclaration, contract: Contract | None, scope: Scope, charset: str, common: Common,
    declarations: Declarations,
) -> OutboundPlan:  # fmt: skip
    """Compile a declaration; what is wrong is added to the scope's findings."""
    names = {**VIEW, "before": answers_seen(name, declarations), "file": item_seen(name, declarations, _FILE)}
    scope = replace(scope, names=names, values=_VALUES, writing=True, context=set())
    if declared.format in {"form", "urlencoded"} and not declared.part:
        scope.wrong(("format",), "a form needs the name of its part: add part: NAME")
    _agreed(declared, common, charset, scope)
    if declared.format == "xml" and not declared.root:
        scope.wrong(("format",), "xml needs its root element: add root: NAME")
    if (declared.seal or common.seal) and declared.body is not None and not isinstance(declared.body, dict):
        scope.wrong(("seal",), "only an object can get further members")
    for name in (*common.seal, *declared.seal) if isinstance(declared.body, dict) else ():
        *way, _ = parts_of(name)
        if way and not isinstance(declared.body.get(way[0]), dict):
            scope.wrong(("seal", name), f"the body has no object '{way[0]}' to add to" + near(way[0], declared.body))
    if declared.format in {"fields", "multipart"} and not isinstance(declared.body, dict):
        scope.wrong(("format",), "a form needs a body with named members")
    if declared.fingerprint and not isinstance(declared.body, dict):
        scope.wrong(("fingerprint",), "only an object has fields to digest")
    sealing = {**common.seal, **declared.seal} if isinstance(declared.body, dict) else {}
    plan = OutboundPlan(
        name=name,
        system="",
        declared=declared,
        path=compile_rule(declared.path, scope, ("path",)),
        query=_rules({**common.query, **declared.query}, scope, "query"),
        headers=_rules({**common.headers, **declared.headers}, scope, "headers"),
        soap_headers=tuple(
            compile_rule({"xml": block.model_dump()}, scope, ("soap_headers", number))
            for number, block in enumerate((*common.soap_headers, *declared.soap_headers))
        ),
        body=compile_tree(declared.body, scope, ("body",)),
        seal=_rules(sealing, scope, "seal"),
        contract=contract,
        charset=charset,
        digested=tuple(path_getter(path) for path in declared.fingerprint),
        before=compile_before(declared, scope),
    )
    places = scope.context.intersection((*FILE_PLACES, FILES_ASKED_FOR))
    return replace(plan, files=frozenset(places if USES_FILES in scope.context else ()))


def _agreed(declared: OutboundDeclaration, common: Common, charset: str, scope: Scope) -> None:
    """The content type says the charset that is written."""
    headers = {name.lower(): (name, value) for name, value in {**common.headers, **declared.headers}.items()}
    name, header = headers.get("content-type", ("", None))
    for where, said in ((("content_type",), declared.content_type), (("headers", name), header)):
        if stated := contradiction(said, charset):
            scope.wrong(where, f"says charset {stated}, and the body is written in {charset}: add charset: {stated}")


def _rules(nodes: Mapping[str, Any], scope: Scope, where: str) -> dict[str, Get]:
    return {name: compile_rule(node, scope, (where, name)) for name, node in nodes.items()}


def view_of(outbound: Outbound, around: Mapping[str, Any], files: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The canonical values under the names of VIEW. `files`: the places where files are shown with their bytes.

    What has no bytes at hand does not stand there at all.
    """
    action = outbound.action
    case_files, action_files = (
        _files(one.attachments, outbound.contents if place in files else None)
        for one, place in ((outbound.case, "case.attachments"), (action, "action.attachments"))
    )
    return dict(around) | {
        "case": {**_case(outbound.case), "attachments": case_files},
        "action": {
            "kind": str(action.kind),
            "at": action.at,
            "stated_at": action.stated_at,
            "reason": action.reason,
            "result": action.result,
            "actor": action.actor.name,
            "unit": action.unit,
            "officer": action.officer,
            "due_at": _at(action.due),
            "until_at": action.until,
            "basis": action.basis,
            "target": action.target,
            "standard": action.standard,
            "limit": _limit(action.limit),
            "attachments": action_files,
        },
        "binding": _binding(outbound.binding),
        "source": _binding(outbound.source_binding),
        "unit": outbound.unit_name,
        "joint": _called(outbound),
        "area": dict(outbound.area_names),
    }


def around(*, now: datetime, id: UUID, session: str, hub: Mapping[str, str]) -> dict[str, Any]:  # noqa: A002
    """What every message that is written may use."""
    return {"now": now, "id": str(id), "session": session, "hub": dict(hub)}


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
        "leader_assigned": case.leader_assigned,
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


def _called(outbound: Outbound) -> dict[str, Any]:
    called = outbound.called
    if called is None:
        return {"share": str(Share.LEAD)}
    return {
        "share": str(Share.JOINT),
        "lead": called.lead,
        "lead_name": outbound.lead_name,
        "completion": str(called.completion),
        "report_in_by": called.report_in_by,
        "answer_by": called.answer_by,
    }


def _limit(limit: Limit | None) -> dict[str, Any]:
    return {"value": limit.value, "unit": str(limit.unit)} if limit else {}


def _files(
    attachments: tuple[Attachment, ...], contents: Mapping[str, FileContent] | None
) -> list[dict[str, Any]]:  # fmt: skip
    if contents is None:
        return [attachment.model_dump() for attachment in attachments]
    return [with_content(one.model_dump(), contents) for one in attachments if one.url in contents]


def with_content(item: object, contents: Mapping[str, FileContent]) -> Any:  # noqa: ANN401
    """An item with the bytes of the file it is, or was asked for."""
    if not isinstance(item, dict):
        return item
    if "$file" in item:
        return {**item, "$file": with_content(item["$file"], contents)}
    found = contents.get(str(item.get("url")))
    return item if found is None else {**item, "content": found.content, "media": found.media, "size": found.size}


def _with_contents(answers: object, contents: Mapping[str, FileContent]) -> Any:  # noqa: ANN401
    if not isinstance(answers, list):
        return answers
    return [with_content(one, contents) if isinstance(one, dict) and "$file" in one else one for one in answers]


def file_url(item: object) -> str:
    """The address of the file that an item is, or was asked for; empty when it is none."""
    while isinstance(item, dict) and "$file" in item:
        item = item["$file"]
    url = item.get("url") if isinstance(item, dict) else None
    return url if isinstance(url, str) else ""


def _binding(binding: Binding | None) -> dict[str, Any]:
    return binding.model_dump(mode="json") if binding else {}
