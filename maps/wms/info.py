"""GetFeatureInfo: the features at a pixel, written for people and for clients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from html import escape

import orjson
import shapely
from lxml import etree

from canonical.time import SHANGHAI
from maps.request import Answer
from maps.table import Table

_GML, _OURS = "http://www.opengis.net/gml", "https://gridhub.example/maps"


def written(format_: str, tables: Sequence[Table]) -> Answer:
    """The features in a format of INFO_FORMATS, which is what the answer says it is."""
    answer = _WRITERS[format_](tables)
    return answer if answer.content_type.startswith(format_) else replace(answer, content_type=format_)


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _told(value: object) -> str:
    """For people: the time of Shanghai, yes and no."""
    if isinstance(value, datetime):
        return f"{value.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    return ("是" if value else "否") if isinstance(value, bool) else _value(value)


def _html(tables: Sequence[Table]) -> Answer:
    parts = [_page_of(table) for table in tables if len(table)]
    body = "".join(parts) or "<p>没有要素 nothing here</p>"
    page = (
        '<!DOCTYPE html><html lang="zh"><head><meta charset="utf-8"><title>GetFeatureInfo</title><style>'
        "body{font:14px sans-serif;margin:8px}table{border-collapse:collapse;margin-bottom:8px}"
        "th,td{border:1px solid #ccc;padding:2px 6px;text-align:left;vertical-align:top}th{background:#f3f3f3}"
        f"</style></head><body>{body}</body></html>"
    )
    return Answer("text/html; charset=utf-8", page.encode(), headers=_QUIET)


_QUIET = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}
"""What people wrote may look like a script."""


def _page_of(table: Table) -> str:
    features = []
    for row in range(len(table)):
        lines = "".join(
            f"<tr><th>{escape(field.title)}</th><td>{escape(_told(table.columns[field.name][row]))}</td></tr>"
            for field in table.layer.fields
        )
        features.append(f"<table>{lines}</table>")
    return f"<h3>{escape(table.layer.title)}</h3>{''.join(features)}"


def _json(tables: Sequence[Table]) -> Answer:
    features = [
        {
            "type": "Feature",
            "id": table.ids[row],
            "geometry": orjson.Fragment(shapely.to_geojson(table.geometry[row])),
            "properties": {field.name: table.columns[field.name][row] for field in table.layer.fields},
        }
        for table in tables
        for row in range(len(table))
    ]
    return Answer("application/json", orjson.dumps({"type": "FeatureCollection", "features": features}))


def _gml(tables: Sequence[Table]) -> Answer:
    """As MapServer and others answer: a layer element with one feature element for each, which clients read."""
    root = etree.Element("msGMLOutput", nsmap={"gml": _GML})
    for table in tables:
        layer = etree.SubElement(root, f"{table.layer.name}_layer")
        for row in range(len(table)):
            feature = etree.SubElement(layer, f"{table.layer.name}_feature")
            _bounded(feature, table.bounds[row].tolist())
            for field in table.layer.fields:
                etree.SubElement(feature, field.name).text = _legal(_value(table.columns[field.name][row]))
    body = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Answer("application/vnd.ogc.gml", body)


def _bounded(feature: etree._Element, box: Sequence[float]) -> None:
    west, south, east, north = box
    around = etree.SubElement(feature, f"{{{_GML}}}boundedBy")
    corners = etree.SubElement(around, f"{{{_GML}}}Box", srsName="EPSG:4490")
    etree.SubElement(corners, f"{{{_GML}}}coordinates").text = f"{west:.7f},{south:.7f} {east:.7f},{north:.7f}"


def _legal(text: str) -> str:
    return "".join(one for one in text if one >= " " or one in "\t\n\r")


def _plain(tables: Sequence[Table]) -> Answer:
    lines = [
        f"{table.ids[row]}: "
        + "; ".join(f"{one.title} {_told(table.columns[one.name][row])}" for one in table.layer.fields)
        for table in tables
        for row in range(len(table))
    ]
    return Answer("text/plain; charset=utf-8", "\n".join(lines or ["nothing here"]).encode())


_WRITERS: Mapping[str, Callable[[Sequence[Table]], Answer]] = {
    "text/html": _html, "application/json": _json, "application/geo+json": _json, "application/vnd.ogc.gml": _gml,
    "text/xml": _gml, "text/plain": _plain,
}  # fmt: skip
