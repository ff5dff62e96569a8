"""GeoReport v2 on the wire: the same rows as XML and as JSON, both ways, and errors as the specification lists them."""

import json
from collections.abc import Mapping, Sequence

from lxml import etree
from starlette.responses import Response

Row = Mapping[str, object]
_ITEM = {
    "services": "service",
    "service_requests": "request",
    "errors": "error",
    "attributes": "attribute",
    "values": "value",
}
"""What the XML calls one element of a list."""
MEDIA = {"xml": "text/xml; charset=utf-8", "json": "application/json; charset=utf-8"}


class Unreadable(Exception):
    """An answer that is not GeoReport. The text quotes nothing of it."""


def written(name: str, value: Sequence[Row] | Row, form: str, *, status: int = 200) -> Response:
    """An answer: in JSON the outermost name is left out, as the specification's convention has it."""
    if form == "json":
        body = json.dumps(value, ensure_ascii=False).encode()
    else:
        body = etree.tostring(_element(name, value), xml_declaration=True, encoding="utf-8")
    return Response(body, status_code=status, headers={"Content-Type": MEDIA[form]})


def failed(form: str, status: int, *problems: str) -> Response:
    """One error for each problem."""
    return written("errors", [{"code": status, "description": one} for one in problems], form, status=status)


def rows(body: bytes, form: str) -> list[dict[str, str]]:
    """The flat rows of an answer, values as text, absent and null ones left out. Raises Unreadable."""
    return _json_rows(body) if form == "json" else _xml_rows(body)


def questions(body: bytes) -> dict[str, list[str]]:
    """A service definition in JSON: the attributes that must be answered, with the keys to choose from. Raises
    Unreadable."""
    try:
        attributes = json.loads(body)["attributes"]
        required = [one for one in attributes if one["required"] is True]
        return {str(one["code"]): [str(value["key"]) for value in one.get("values") or ()] for one in required}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable("not a service definition") from error


def _element(name: str, value: object) -> etree._Element:
    element = etree.Element(name)
    if isinstance(value, Mapping):
        element.extend(_element(inner, one) for inner, one in value.items())
    elif isinstance(value, list | tuple):
        element.extend(_element(_ITEM[name], one) for one in value)
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    elif value is not None:
        element.text = str(value)
    return element


def _json_rows(body: bytes) -> list[dict[str, str]]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Unreadable("not JSON") from error
    listed = document if isinstance(document, list) else [document]
    if not all(isinstance(one, dict) for one in listed):
        raise Unreadable("not a list of objects")
    return [{name: _text(value) for name, value in one.items() if value not in (None, "")} for one in listed]


def _xml_rows(body: bytes) -> list[dict[str, str]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable("not XML") from error
    return [{str(field.tag): field.text for field in one if field.text and field.text.strip()} for one in root]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
