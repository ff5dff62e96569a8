"""OGC API - Features: requests answered from the atlas."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape

import orjson

from maps.atlas import Atlas, Query, TooMany, UnknownLayer
from maps.contact import NOBODY, Contact
from maps.crs import Crs
from maps.features import documents, html
from maps.features.form import form_of
from maps.features.links import CSV, GEOJSON, HTML, JSON, OPENAPI, SCHEMA, Link, address, here, link
from maps.features.openapi import openapi
from maps.features.order import PLAIN, Items, crs_of, items_of, single, when_of
from maps.features.problem import Problem, report
from maps.filtering.evaluate import mask_of
from maps.filtering.problem import BadFilter
from maps.limits import Limits
from maps.request import Answer, Effort, Request
from maps.table import Field, Layer, Table
from maps.writing import csv, geojson
from maps.writing.columns import plain

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class FeaturesService:
    """Safe to share between threads."""

    atlas: Atlas
    limits: Limits
    title: str
    abstract: str
    contact: Contact = NOBODY

    def answer(self, request: Request) -> Answer:
        """The answer to any request; what is wrong with it is a problem document."""
        made = self._tried(request)
        return replace(made, headers={**made.headers, "vary": "authorization, accept"})

    def _tried(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except Problem as problem:
            return report(problem)
        except BadFilter as bad:
            return report(Problem(f"filter: {bad}"))
        except TooMany as too_many:
            return report(Problem(f"datetime: {too_many}"))
        except UnknownLayer as unknown:
            return report(Problem(f"no collection '{str(unknown)[:_SHOWN]}'; see /collections", 404))

    def _answer(self, request: Request) -> Answer:
        if request.method != "GET":
            raise Problem("only GET", 405)
        match request.path.strip("/").split("/"):
            case [("" | "conformance" | "api" | "collections") as name]:
                return self._about(name, request)
            case ["collections", name, *rest]:
                return self._collection(self.atlas.layer(name, request.scope), rest, request)
        raise Problem("nothing stands here; see the landing page", 404)

    # --- what the service is ---

    def _about(self, name: str, request: Request) -> Answer:
        shown = _form(request)
        layers = self.atlas.layers(request.scope)
        if name == "":
            return _told(documents.landing(self.title, self.abstract, request, shown, self.contact), self.title, shown)
        if name == "conformance":
            return _told(documents.conformance(request, shown), "Conformance", shown)
        if name == "collections":
            return _told(documents.collections(layers, request, shown), self.title, shown)
        told = openapi(self.title, self.abstract, layers, request, self.limits, self.contact)
        return _told(told, f"{self.title}: API", shown, OPENAPI)

    def _collection(self, layer: Layer, rest: Sequence[str], request: Request) -> Answer:
        match rest:
            case []:
                shown = _form(request)
                return _told(documents.collection(layer, request, shown), layer.title, shown)
            case ["queryables"]:
                shown = _form(request)
                return _told(documents.queryables(layer, request, shown), layer.title, shown, SCHEMA)
            case ["items"]:
                return self._items(layer, request)
            case ["items", *parts]:  # a code may hold a slash
                return self._item(layer, "/".join(parts), request)
        raise Problem("nothing stands here; see /collections", 404)

    # --- features ---

    def _items(self, layer: Layer, request: Request) -> Answer:
        keys = single(request.pairs, PLAIN | {field.name for field in layer.fields})
        shown = form_of(keys.get("f"), request.accept, csv_too=True)
        order = items_of(keys, layer, request.now, self.limits)
        if shown == "html":
            order = replace(order, limit=min(order.limit, html.MOST_ROWS))
        table = self.atlas.select(layer.name, Query(request.now, when=order.when), request.scope)
        if order.condition is not None:
            table = table.take(mask_of(order.condition, table))
        table = table.ordered(order.sort) if order.sort else table
        part = table.take(slice(order.offset, order.offset + order.limit))
        fields = _fields(layer, order)
        if shown == "csv":
            named = {"content-disposition": f'attachment; filename="{layer.name}.csv"'}
            rows = ("".join(one).encode() for one in csv.lines(part, order.crs, fields))
            return Answer(f"{CSV}; charset=utf-8", rows, headers=named | _crs(order.crs), effort=Effort(len(part)))
        links = _pages(keys, layer, order, len(table), request, shown)
        if shown == "html":
            page = _page(part, fields, len(table), links, request, keys.get("datetime", ""))
            return replace(page, effort=Effort(len(part)))
        body = _streamed(part, fields, order.crs, len(table), links, request)
        return Answer(GEOJSON, body, headers=_crs(order.crs), effort=Effort(len(part)))

    def _item(self, layer: Layer, id_: str, request: Request) -> Answer:
        keys = single(request.pairs, ("f", "crs", *(["datetime"] if layer.timed else [])))
        shown, crs, when = form_of(keys.get("f"), request.accept), crs_of(keys, "crs"), when_of(keys, request.now)
        table = self.atlas.select(layer.name, Query(request.now, when=when, ids=frozenset({id_})), request.scope)
        if not len(table):
            raise Problem(f"no feature '{id_[:_SHOWN]}' in {layer.name}", 404)
        path = f"/collections/{layer.name}"
        links = [
            *here(request, f"{path}/items/{id_}", GEOJSON, shown, {key: keys[key] for key in keys if key != "f"}),
            link("collection", JSON, layer.title, address(request, path)),
        ]
        if shown == "html":
            columns = [(html.head_of(field), plain(table.columns[field.name][0])) for field in layer.fields]
            rows = ([escape(name), escape(text)] for name, text in columns)
            page = html.page(id_, [html.links(links), html.table(["字段 column", "值 value"], rows)])
            return replace(page, effort=Effort(1))
        [[text]] = geojson.features(table, crs, layer.fields, by_registry=True)
        body = f'{text[:-1]},"links":{orjson.dumps(links).decode()}}}'
        return Answer(GEOJSON, body.encode(), headers=_crs(crs), effort=Effort(1))


def _crs(crs: Crs) -> dict[str, str]:
    return {"content-crs": f"<{crs.name}>"}


def _form(request: Request) -> str:
    return form_of(single(request.pairs, ("f",)).get("f"), request.accept)


def _told(told: documents.Document, title: str, shown: str, type_: str = JSON) -> Answer:
    if shown == "html":
        return html.document(title, told)
    return Answer(type_, orjson.dumps(told))


def _fields(layer: Layer, order: Items) -> Sequence[Field]:
    if order.properties is None:
        return layer.fields
    return [field for field in layer.fields if field.name in order.properties]


def _pages(
    keys: Mapping[str, str], layer: Layer, order: Items, matched: int, request: Request, shown: str
) -> list[Link]:
    """This page, the same otherwise, the one before and the one behind."""
    path, type_ = f"/collections/{layer.name}/items", GEOJSON if shown == "json" else HTML

    def other(**changes: str) -> str:
        return address(request, path, {**keys, **changes})

    forms: Sequence[tuple[str, str, str]] = (("json", GEOJSON, "GeoJSON"), ("html", HTML, "HTML"), ("csv", CSV, "CSV"))
    links = [link("self" if one == shown else "alternate", kind, title, other(f=one)) for one, kind, title in forms]
    links.sort(key=lambda one: one["rel"] != "self")
    if order.offset + order.limit < matched:
        behind = other(offset=str(order.offset + order.limit), limit=str(order.limit))
        links.append(link("next", type_, "下一页 next page", behind))
    if order.offset:
        before = other(offset=str(max(0, order.offset - order.limit)), limit=str(order.limit))
        links.append(link("prev", type_, "上一页 previous page", before))
    return [*links, link("collection", JSON, layer.title, address(request, f"/collections/{layer.name}"))]


def _page(
    table: Table, fields: Sequence[Field], matched: int, links: list[Link], request: Request, when: str
) -> Answer:  # fmt: skip
    path, query = f"/collections/{table.layer.name}/items/", {"datetime": when} if when and table.layer.timed else {}
    columns = [[escape(plain(value)) for value in table.columns[field.name]] for field in fields]
    rows = zip((html.anchor(address(request, path + id_, query), id_) for id_ in table.ids), *columns, strict=True)
    heads = ["标识 id", *map(html.head_of, fields)]
    said = html.paragraph(f"共 {matched} 个要素，本页 {len(table)} 个 {len(table)} of {matched} features")
    return html.page(table.layer.title, [html.links(links), said, html.table(heads, rows)])


def _streamed(
    table: Table, fields: Sequence[Field], crs: Crs, matched: int, links: list[Link], request: Request
) -> Iterator[bytes]:
    head = {
        "type": "FeatureCollection", "timeStamp": request.now.isoformat(), "numberMatched": matched,
        "numberReturned": len(table), "links": links,
    }  # fmt: skip
    yield orjson.dumps(head)[:-1] + b',"features":['
    between = ""
    for part in geojson.features(table, crs, fields, by_registry=True):
        yield (between + ",\n".join(part)).encode()
        between = ",\n"
    yield b"]}\n"
