"""The API of OGC API - Features for one scope, as OpenAPI 3.0."""

from collections.abc import Iterable
from typing import Any

from maps.contact import Contact
from maps.features.documents import property_of
from maps.features.links import CSV, GEOJSON, HTML, JSON, SCHEMA, address
from maps.features.order import CRS84, CRS_NAMES, LANGUAGES
from maps.features.problem import TYPE
from maps.limits import Limits
from maps.request import Request
from maps.table import Layer

Document = dict[str, Any]
_LIST: Document = {"type": "array", "items": {"type": "string"}}


def openapi(
    title: str, abstract: str, layers: Iterable[Layer], request: Request, limits: Limits, contact: Contact
) -> Document:  # fmt: skip
    """The document."""
    paths = {
        "/": _get("landing", "Landing page", JSON),
        "/api": _get("api", "This document", JSON),
        "/conformance": _get("conformance", "What it conforms to", JSON),
        "/collections": _get("collections", "The collections", JSON),
    }
    for layer in layers:
        name, path = layer.name, f"/collections/{layer.name}"
        columns = [_parameter(field.name, property_of(field), field.title) for field in layer.fields]
        paths |= {
            path: _get(name, layer.title, JSON),
            f"{path}/queryables": _get(f"{name}.queryables", f"{layer.title}: queryables", SCHEMA),
            f"{path}/items": _get(f"{name}.items", layer.abstract, GEOJSON, *_items(layer, limits), *columns, csv=True),
            f"{path}/items/{{id}}": _get(
                f"{name}.item", f"{layer.title}: one of them", GEOJSON, _ID, _CRS, *_moment(layer)
            ),
        }
    return {
        "openapi": "3.0.3", "info": {"title": title, "description": abstract, "version": "1.0.0"} | _asked_of(contact),
        "servers": [{"url": address(request, "").partition("?")[0]}], "paths": paths,
        "components": {"responses": {"Problem": {"description": "What is wrong", "content": {TYPE: {}}}}},
    }  # fmt: skip


def _asked_of(contact: Contact) -> Document:
    name = ", ".join(filter(None, (contact.organisation, contact.person, contact.phone)))
    told = {key: value for key, value in (("name", name), ("email", contact.email)) if value}
    return {"contact": told} if told else {}


def _get(name: str, summary: str, type_: str, *parameters: Document, csv: bool = False) -> Document:
    forms = ["json", "html", *(["csv"] if csv else [])]
    content: Document = {type_: {}, HTML: {}} | ({CSV: {}} if csv else {})
    wrong = {status: {"$ref": "#/components/responses/Problem"} for status in ("400", "404")}
    asked = [_parameter("f", {"type": "string", "enum": forms}, "Format"), *parameters]
    responses = {"200": {"description": summary, "content": content}, **wrong}
    return {"get": {"operationId": name, "summary": summary, "parameters": asked, "responses": responses}}


def _parameter(name: str, schema: Document, text: str, *, explode: bool | None = None) -> Document:
    told: Document = {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
    return told if explode is None else told | {"style": "form", "explode": explode}


_ID: Document = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_URI: Document = {"type": "string", "format": "uri", "default": CRS84, "enum": list(CRS_NAMES)}
_CRS = _parameter("crs", _URI, "CRS of the answer, with its axis order")


def _moment(layer: Layer) -> list[Document]:
    text = "When the cases were received: an instant or an interval a/b, .. for an open end"
    return [_parameter("datetime", {"type": "string"}, text)] if layer.timed else []


def _items(layer: Layer, limits: Limits) -> list[Document]:
    numbers = {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}
    size = {"type": "integer", "minimum": 1, "maximum": limits.features, "default": limits.page}
    start = {"type": "integer", "minimum": 0, "default": 0}
    language = {"type": "string", "enum": list(LANGUAGES), "default": "cql2-text"}
    return [
        _parameter("limit", size, "Features of a page"),
        _parameter("offset", start, "Features before the page; follow the link `next` instead"),
        _parameter("bbox", numbers, "Features that meet this box", explode=False),
        _parameter("bbox-crs", _URI, "CRS of bbox"), _CRS,
        *(_moment(layer) or [_parameter("datetime", {"type": "string"}, "Without effect here")]),
        _parameter("filter", {"type": "string"}, "A condition in CQL2"),
        _parameter("filter-lang", language, "How the filter is written"),
        _parameter("filter-crs", _URI, "CRS of shapes in the filter"),
        _parameter("sortby", _LIST, "Columns, each after + or -", explode=False),
        _parameter("properties", _LIST, "Columns to show", explode=False),
    ]  # fmt: skip
