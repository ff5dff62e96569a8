"""What a GetFeature found, written as one collection: GML or GeoJSON, part by part."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np

from maps.crs import Crs
from maps.request import Request
from maps.table import Field, Table
from maps.wfs.order import OneQuery, Order
from maps.writing import geojson, gml
from maps.writing.columns import DECIMALS_OF_DEGREES, DECIMALS_OF_METRES
from maps.writing.identity import xml_id

_WFS = "http://www.opengis.net/wfs/2.0"
SPACES = (
    f'xmlns:wfs="{_WFS}" xmlns:gml="{gml.GML}" xmlns:{gml.PREFIX}="{gml.NAMESPACE}" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SCHEMAS = f"{_WFS} http://schemas.opengis.net/wfs/2.0/wfs.xsd {gml.GML} http://schemas.opengis.net/gml/3.2.1/gml.xsd"
_LONGEST_LINK = 8_000
"""Letters; a filter may be longer than what servers on the way let through."""
_STEPS = 11


@dataclass(frozen=True, slots=True)
class Found:
    """What one query found: all that matched, and what of it is returned."""

    query: OneQuery
    matched: int
    table: Table
    fields: Sequence[Field]
    shaped: bool


def collection(found: Sequence[Found], order: Order, request: Request, pairs: Mapping[str, str]) -> Iterator[str]:
    """GML. Several queries are collections within the collection. `pairs`: the request, for links to other pages."""
    matched, returned = sum(one.matched for one in found), sum(len(one.table) for one in found)
    returned = 0 if order.hits else returned
    yield f"{HEAD}{_opening(found, matched, returned, request)}{_pages(order, matched, returned, request, pairs)}>"
    seen: set[str] = set()
    for one in [] if order.hits else found:
        if len(found) > 1:
            head = f'numberMatched="{one.matched}" numberReturned="{len(one.table)}"'
            yield f'<wfs:member><wfs:FeatureCollection timeStamp="{request.now.isoformat()}" {head}>'
        yield _bounds(one)
        written = gml.members(one.table, one.query.crs, one.fields, shaped=one.shaped)
        for part in _once(one.table.ids, written, seen) if len(found) > 1 else _wrapped(written):
            yield "".join(part)
        if len(found) > 1:
            yield "</wfs:FeatureCollection></wfs:member>"
    yield "</wfs:FeatureCollection>\n"


def json_collection(found: Sequence[Found], crs: Crs) -> Iterator[str]:
    """GeoJSON."""
    matched, returned = sum(one.matched for one in found), sum(len(one.table) for one in found)
    named = (
        "" if crs.degrees else f'"crs":{{"type":"name","properties":{{"name":"urn:ogc:def:crs:EPSG::{crs.code}"}}}},'
    )
    yield f'{{"type":"FeatureCollection",{named}"numberMatched":{matched},"numberReturned":{returned},"features":['
    between = ""
    for one in found:
        for part in geojson.features(one.table, one.query.crs, one.fields, shaped=one.shaped):
            yield between + ",\n".join(part)
            between = ",\n"
    yield "]}\n"


def _opening(found: Sequence[Found], matched: int, returned: int, request: Request) -> str:
    names = ",".join(dict.fromkeys(one.query.type_name for one in found))
    described = urlencode(
        {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "DescribeFeatureType", "TYPENAMES": names}, safe=","
    )  # fmt: skip
    own = f"{gml.NAMESPACE} {request.start}{described}".replace("&", "&amp;")
    return (
        f'<wfs:FeatureCollection {SPACES} timeStamp="{request.now.isoformat()}" numberMatched="{matched}" '
        f'numberReturned="{returned}" xsi:schemaLocation="{_SCHEMAS} {own}"'
    )


def _bounds(one: Found) -> str:
    """The box around the features returned. Its edges may be curves in the CRS: eleven points of each are asked."""
    if not len(one.table) or not one.shaped:
        return ""
    crs, steps = one.query.crs, np.linspace(0.0, 1.0, _STEPS)
    low, high = one.table.bounds[:, :2].min(axis=0), one.table.bounds[:, 2:].max(axis=0)
    xs, ys = np.meshgrid(*(low + (high - low) * steps[:, None]).T)
    points = crs.ordered(crs.from_native(np.column_stack([xs.ravel(), ys.ravel()])))
    decimals = DECIMALS_OF_DEGREES if crs.degrees else DECIMALS_OF_METRES
    (left, bottom), (right, top) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return (
        f'<wfs:boundedBy><gml:Envelope srsName="{crs.name}"><gml:lowerCorner>{left:.{decimals}f} {bottom:.{decimals}f}'
        f"</gml:lowerCorner><gml:upperCorner>{right:.{decimals}f} {top:.{decimals}f}</gml:upperCorner></gml:Envelope>"
        "</wfs:boundedBy>"
    )


def _pages(order: Order, matched: int, returned: int, request: Request, pairs: Mapping[str, str]) -> str:
    """Links to the pages around this one."""
    size = order.count if order.count is not None else returned
    if not pairs or order.hits or not size:
        return ""
    made = ""
    for name, start in (("previous", order.start - size), ("next", order.start + returned)):
        there = (name == "next" and start < matched and returned > 0) or (name == "previous" and order.start > 0)
        query = urlencode({**pairs, "STARTINDEX": str(max(0, start)), "COUNT": str(size)})
        if there and len(query) <= _LONGEST_LINK:
            made += f' {name}="{request.start}{query}"'.replace("&", "&amp;")
    return made


def _wrapped(written: Iterable[list[str]]) -> Iterator[list[str]]:
    return ([f"<wfs:member>{text}</wfs:member>\n" for text in part] for part in written)


def _once(ids: Iterable[str], written: Iterable[list[str]], seen: set[str]) -> Iterator[list[str]]:
    """A feature that several queries find is written once and named after that: an id stands once in a document."""
    left = iter(ids)
    for part in _wrapped(written):
        made = []
        for text, id_ in zip(part, left, strict=False):
            made.append(f'<wfs:member xlink:href="#{xml_id(id_)}"/>\n' if id_ in seen else text)
            seen.add(id_)
        yield made
