"""Addresses within the service: they carry the token that a client showed in its own."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from maps.request import Request

Link = dict[str, str]
JSON, HTML, GEOJSON, CSV = "application/json", "text/html", "application/geo+json", "text/csv"
HERE, OTHERWISE = "本页 this document", "其他格式 this document otherwise"
SCHEMA, OPENAPI = "application/schema+json", "application/vnd.oai.openapi+json;version=3.0"


def address(request: Request, path: str, query: Mapping[str, str] | None = None) -> str:
    """The address of a path below the service."""
    asked = "&".join(part for part in (request.token, urlencode(query or {}, safe=":/,")) if part)
    return f"{request.url}{quote(path)}{'?' if asked else ''}{asked}"


def link(rel: str, type_: str, title: str, href: str) -> Link:
    """One link."""
    return {"href": href, "rel": rel, "type": type_, "title": title}


def here(
    request: Request, path: str, type_: str, shown: str, query: Mapping[str, str] | None = None
) -> list[Link]:  # fmt: skip
    """This document, and the other way to read it. `shown`: json or html; `query`: what it was asked with besides."""
    as_json = link("self", type_, HERE, address(request, path, {**(query or {}), "f": "json"}))
    as_html = link("self", HTML, HERE, address(request, path, {**(query or {}), "f": "html"}))
    other = as_html if shown == "json" else as_json
    return [as_json if shown == "json" else as_html, other | {"rel": "alternate", "title": OTHERWISE}]
