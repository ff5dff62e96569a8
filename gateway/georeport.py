"""GeoReport v2 on the wire: cases as service requests, classes as services, their questions, errors, in JSON and XML.

https://wiki.open311.org/GeoReport_v2. What is shown here is public: never a reporter, and of a description only what
was filed by an app that told its user so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi.responses import Response

from adapters.code_table import CodeTable
from adapters.shape_json import write_json
from adapters.shape_xml import xml_text
from canonical.case import Case, Event
from canonical.codes import ClassKind
from canonical.lifecycle import ENDED, STAGE_TITLES
from canonical.time import in_shanghai
from gateway.masking import masked_text
from routing.catalogue import Catalogue, CatalogueClass

Row = Mapping[str, Any]
MEDIA = {"json": "application/json; charset=utf-8", "xml": "text/xml; charset=utf-8"}
_CHANGED = "2026-11-22T00:00:00+08:00"
"""When what an app must know of this server last changed."""
OPEN, CLOSED = "open", "closed"
_ITEMS = {
    "services": "service",
    "service_requests": "request",
    "service_request_updates": "request_update",
    "errors": "error",
    "attributes": "attribute",
    "values": "value",
    "endpoints": "endpoint",
    "formats": "format",
}
"""What XML calls one row of a list."""
_GROUPS = {ClassKind.PART: "部件", ClassKind.EVENT: "事件"}
_ANYWHERE = {"access-control-allow-origin": "*"}
"""All of it is public: applications inside a browser may read it as well."""


@dataclass(frozen=True, slots=True)
class Names:
    """The city's names of what a request speaks of."""

    catalogue: Catalogue
    units: Mapping[str, str]
    """Unit id to name."""


def written(name: str, value: Sequence[Row] | Row, form: str, *, status: int = 200) -> Response:
    """An answer. JSON leaves the outermost name out, as the specification has it."""
    body = write_json(value, "utf-8") if form == "json" else xml_text(name, _tree(name, value), "utf-8").encode()
    return Response(body, status, {"content-type": MEDIA[form], **_ANYWHERE})


def failed(form: str, status: int, *problems: str) -> Response:
    """One error for each problem."""
    rows = [{"code": status, "description": problem} for problem in problems]
    return written("errors", rows, form if form in MEDIA else "xml", status=status)


def _tree(name: str, value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {key: _tree(key, below) for key, below in value.items()}
    return {_ITEMS[name]: [_tree("", row) for row in value]} if isinstance(value, list | tuple) else value


def discovery(url: str, city: str) -> Row:
    """Where this server is and what it speaks, for apps that know only the city's address."""
    endpoint = {
        "specification": "http://wiki.open311.org/GeoReport_v2", "url": url, "changeset": _CHANGED,
        "type": "production",
        "formats": [kind.partition(";")[0] for kind in MEDIA.values()],
    }  # fmt: skip
    contact = f"{city}: the municipal centre hands out API keys"
    return {"changeset": _CHANGED, "contact": contact, "key_service": contact, "endpoints": [endpoint]}


def questions(table: CodeTable | None) -> dict[str, list[Row]]:
    """Service to its attributes in order, from a table whose key is `service_code attribute[code]`."""
    found: dict[str, list[Row]] = {}
    for key, row in (table.rows if table else {}).items():
        code, _, name = key.removesuffix("]").partition(" attribute[")
        found.setdefault(code, []).append(_attribute(name, row.cells))
    return {code: sorted(rows, key=lambda row: int(row["order"])) for code, rows in found.items()}


def _attribute(name: str, told: Mapping[str, str]) -> Row:
    order, pairs = told.get("order", ""), [pair.partition("=") for pair in told.get("values", "").split(";")]
    return {
        "variable": True,
        "code": name,
        "datatype": told.get("datatype", "") or "string",
        "required": told.get("required") == "yes",
        "datatype_description": None,
        "order": int(order) if order.isascii() and order.isdigit() else 0,
        "description": told["canonical"],
        "values": [{"key": key.strip(), "name": (said or key).strip()} for key, _, said in pairs if key.strip()],
    }


def service(one: CatalogueClass, catalogue: Catalogue, *, asks: bool) -> Row:
    """A class as a row of the service list. `asks`: it has questions of its own."""
    conditions = "；".join(row.condition for row in catalogue.of_class.get(one.code, ()))
    return {
        "service_code": str(one.code),
        "service_name": one.name,
        "description": conditions or one.name,
        "metadata": asks,
        "type": "realtime",
        "keywords": one.name,
        "group": _GROUPS[one.code.kind],
    }


def status(case: Case) -> str:
    """`open` or `closed`."""
    return CLOSED if case.ended else OPEN


def request(case: Case, names: Names, *, told: bool) -> Row:
    """A case as a service request. `told`: its description came through this interface, and may be shown by it."""
    known = names.catalogue.classes.get(case.class_code) if case.class_code else None
    latest, place = case.assignment, case.place
    notes = case.result if case.ended and case.result else STAGE_TITLES[case.stage]
    return {
        "service_request_id": case.no,
        "status": status(case),
        "status_notes": public(notes, case),
        "service_name": known.name if known else None,
        "service_code": str(case.class_code) if case.class_code else None,
        "description": (public(case.description, case) or None) if told else None,
        "agency_responsible": names.units.get(latest.unit) if latest else None,
        "service_notice": None,
        "requested_datetime": _stamp(case.received_at),
        "updated_datetime": _stamp(updated(case)),
        "expected_datetime": _stamp(case.due.at) if case.due else None,
        "address": (public(place.address, case) or None) if told else None,
        "address_id": None,
        "zipcode": None,
        "lat": place.lat,
        "long": place.lon,
        "media_url": None,  # pictures show faces and number plates
    }


def update(case: Case, event: Event) -> Row:
    """A step of a case as an update of its request, as apps that follow requests (FixMyStreet) ask for them."""
    ended = event.to in ENDED
    notes = event.action.result if ended and event.action.result else STAGE_TITLES[event.to]
    return {
        "update_id": f"{case.no}-{event.seq}",
        "service_request_id": case.no,
        "status": (CLOSED if ended else OPEN).upper(),
        "external_status_code": event.to,
        "updated_datetime": _stamp(event.action.at),
        "description": public(notes, case),
        "media_url": None,  # as in a request
    }


def public(text: str, case: Case) -> str:
    """A text without the reporter's name and number, and without what looks like a telephone, an identity or e-mail."""
    return masked_text(text, case.reporter.name, case.reporter.phone)


def updated(case: Case) -> datetime:
    """When it moved last."""
    latest = case.assignment
    known = (
        case.received_at, case.filed_at, case.disposed_at, case.closed_at, latest and latest.dispatched_at,
        latest and latest.signed_at, latest and latest.returned_at,
    )  # fmt: skip
    return max(at for at in known if at)


def _stamp(at: datetime) -> str:
    return in_shanghai(at).isoformat(timespec="seconds")
