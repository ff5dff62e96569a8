"""What OGC API - Features says of itself: landing page, conformance, collections, queryables."""

from collections.abc import Iterable
from typing import Any

from maps.contact import Contact
from maps.features.links import CSV, GEOJSON, HTML, JSON, OPENAPI, SCHEMA, address, here, link
from maps.features.order import CRS84, CRS_NAMES
from maps.request import Request
from maps.table import Field, Kind, Layer, Shape

Document = dict[str, Any]

CONFORMS_TO = (
    *(f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{one}" for one in ("core", "oas30", "html", "geojson")),
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    *(
        f"http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/{one}"
        for one in ("queryables", "queryables-query-parameters", "filter", "features-filter")
    ),
    *(
        f"http://www.opengis.net/spec/cql2/1.0/conf/{one}"
        for one in (
            "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison",
            "basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions",
        )
    ),
)  # fmt: skip
_TYPES: dict[Kind, Document] = {
    Kind.TEXT: {"type": "string"}, Kind.WHOLE: {"type": "integer"}, Kind.NUMBER: {"type": "number"},
    Kind.FLAG: {"type": "boolean"}, Kind.INSTANT: {"type": "string", "format": "date-time"},
    Kind.DAY: {"type": "string", "format": "date"},
}  # fmt: skip
_SHAPES = {Shape.POINT: "geometry-point", Shape.SURFACE: "geometry-polygon-or-multipolygon"}


def landing(title: str, abstract: str, request: Request, shown: str, contact: Contact) -> Document:
    """The first page."""
    links = [
        *here(request, "", JSON, shown),
        link("service-desc", OPENAPI, "接口说明 the API", address(request, "/api", {"f": "json"})),
        link("service-doc", HTML, "接口说明网页 the API, for people", address(request, "/api", {"f": "html"})),
        link("conformance", JSON, "符合的标准 what it conforms to", address(request, "/conformance")),
        link("data", JSON, "图层 the collections", address(request, "/collections")),
    ]
    asked = f"联系 Contact: {contact.text}" if contact.text else ""
    described = " · ".join(filter(None, (abstract, asked, contact.terms)))
    return {"title": title, "description": described, "links": links}


def conformance(request: Request, shown: str) -> Document:
    """What the service conforms to."""
    return {"conformsTo": list(CONFORMS_TO), "links": here(request, "/conformance", JSON, shown)}


def collections(layers: Iterable[Layer], request: Request, shown: str) -> Document:
    """All collections of the scope."""
    listed = [collection(layer, request, "") for layer in layers]
    return {"links": here(request, "/collections", JSON, shown), "crs": list(CRS_NAMES), "collections": listed}


def collection(layer: Layer, request: Request, shown: str) -> Document:
    """One collection. `shown`: json or html; empty where it stands in a list."""
    path, (west, south, east, north) = f"/collections/{layer.name}", layer.extent
    extent: Document = {"spatial": {"bbox": [[west, south, east, north]], "crs": CRS84}}
    if layer.timed:
        extent["temporal"] = {
            "interval": [[None, None]], "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian",
        }  # fmt: skip
    items = [
        link("items", type_, title, address(request, f"{path}/items", {"f": form}))
        for type_, title, form in ((GEOJSON, "要素 the features", "json"), (HTML, "网页 for people", "html"),
                                   (CSV, "表格 for spreadsheets", "csv"))
    ]  # fmt: skip
    links = [
        *(here(request, path, JSON, shown) if shown else [link("self", JSON, layer.title, address(request, path))])
    ]
    queryable = address(request, f"{path}/queryables")
    links += [
        *items,
        link("http://www.opengis.net/def/rel/ogc/1.0/queryables", SCHEMA, "可查询字段 queryables", queryable),
    ]
    return {
        "id": layer.name, "title": layer.title, "description": layer.abstract, "itemType": "feature",
        "extent": extent, "crs": list(CRS_NAMES) if shown else ["#/crs"],
        "storageCrs": "http://www.opengis.net/def/crs/EPSG/0/4490", "links": links,
    }  # fmt: skip


def queryables(layer: Layer, request: Request, shown: str) -> Document:
    """The columns that filters may name, as a JSON schema."""
    path = f"/collections/{layer.name}/queryables"
    properties = {"id": {"title": "标识", "type": "string"}}
    properties |= {field.name: property_of(field) for field in layer.fields}
    properties["geometry"] = {"title": "几何", "format": _SHAPES[layer.shape]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": address(request, path), "type": "object",
        "title": layer.title, "description": layer.abstract, "properties": properties, "additionalProperties": False,
    } | ({"links": here(request, path, SCHEMA, shown)} if shown == "html" else {})  # fmt: skip


def property_of(field: Field) -> Document:
    """One column as a JSON schema."""
    return {"title": field.title, **_TYPES[field.kind]}
