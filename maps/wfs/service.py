"""WFS 2.0: requests answered from the atlas."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from lxml import etree

from maps.atlas import Atlas, Query, TooMany, UnknownLayer
from maps.contact import NOBODY, Contact
from maps.filtering.evaluate import GEOMETRY, local, mask_of
from maps.filtering.fes import document
from maps.filtering.problem import BadFilter
from maps.limits import Limits
from maps.request import Answer, Doubled, Effort, Request
from maps.table import Field, Table
from maps.wfs.capabilities import capabilities
from maps.wfs.collection import HEAD, SPACES, Found, collection, json_collection
from maps.wfs.order import (
    BY_ID,
    CSV_TYPE,
    GML_TYPE,
    KeyValues,
    OneQuery,
    Order,
    order_of,
    pairs_of,
)
from maps.wfs.problem import Problem, report
from maps.wfs.schema import schema
from maps.writing import csv, geojson, gml
from maps.writing.identity import xml_id

_VERSIONS = ("2.0.0", "2.0.2")
Ask = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WfsService:
    """Safe to share between threads."""

    atlas: Atlas
    limits: Limits
    title: str
    abstract: str
    contact: Contact = NOBODY

    def answer(self, request: Request) -> Answer:
        """The answer to any request; what is wrong with it is an exception report."""
        try:
            return self._answer(request)
        except Problem as problem:
            return report(problem)
        except BadFilter as bad:
            return report(Problem(f"FILTER: {bad}", "InvalidParameterValue", "FILTER"))
        except Doubled as doubled:
            return report(Problem(f"{doubled}: given twice, with two values", locator=f"{doubled}"))
        except UnknownLayer as unknown:
            text = f"TYPENAMES: no layer '{str(unknown)[:60]}'; see the capabilities"
            return report(Problem(text, locator="TYPENAMES"))
        except TooMany as too_many:
            return report(Problem(str(too_many), "OperationProcessingFailed"))

    def _answer(self, request: Request) -> Answer:
        if request.method == "POST" and not request.content_type.startswith("application/x-www-form"):
            return self._xml(request)
        keys = request.keys()
        if request.method == "POST":
            raise Problem("POST: a form is not read; send XML, or ask by GET", "OperationNotSupported")
        name = keys.get("REQUEST", "")
        if not name:
            raise Problem("REQUEST: missing", "MissingParameterValue", "REQUEST")
        service = keys.get("SERVICE", "")
        if service.upper() != "WFS":
            code = "InvalidParameterValue" if service else "MissingParameterValue"
            raise Problem("SERVICE: WFS is expected", code, "SERVICE")
        if name.lower() == "getcapabilities":
            _negotiated(keys.get("ACCEPTVERSIONS", ""))
            return self._capabilities(request)
        version = keys.get("VERSION", "")
        if version not in _VERSIONS:
            code = "InvalidParameterValue" if version else "MissingParameterValue"
            raise Problem("VERSION: 2.0.0 is expected", code, "VERSION")
        operation = self._operations().get(name.lower())
        if operation is None:
            code = "OperationNotSupported" if name.lower() in _KNOWN else "InvalidParameterValue"
            raise Problem(f"REQUEST: {name[:60]} is not supported", code, "REQUEST")
        return operation(keys, request)

    def _operations(self) -> Mapping[str, Callable[[Ask, Request], Answer]]:
        return {
            "getfeature": lambda keys, request: self._features(KeyValues(keys, self.limits).order(), request, keys),
            "getpropertyvalue": lambda keys, request: self._values(KeyValues(keys, self.limits).order(), request),
            "describefeaturetype": lambda keys, request: self._schema(
                keys.get("TYPENAMES") or keys.get("TYPENAME") or "", request
            ),
            "liststoredqueries": lambda _, request: self._stored(request),
            "describestoredqueries": self._described,
        }

    def _xml(self, request: Request) -> Answer:
        try:
            root = document(request.body)
        except BadFilter as bad:
            raise Problem(f"{bad}", "OperationParsingFailed") from None
        name = etree.QName(root).localname
        if name == "GetCapabilities":
            return self._capabilities(request)
        version = root.get("version") or "2.0.0"
        if version not in _VERSIONS:
            raise Problem("version: 2.0.0 is expected", "InvalidParameterValue", "version")
        if name == "GetFeature":
            return self._features(order_of(root, self.limits), request, pairs_of(root))
        if name == "GetPropertyValue":
            return self._values(order_of(root, self.limits), request)
        if name == "DescribeFeatureType":
            return self._schema(",".join((one.text or "").strip() for one in root.iter("{*}TypeName")), request)
        if name == "ListStoredQueries":
            return self._stored(request)
        if name == "DescribeStoredQueries":
            return self._described({}, request)
        raise Problem(f"{name[:60]} is not supported", "OperationNotSupported", name[:60])

    # --- what the service is ---

    def _capabilities(self, request: Request) -> Answer:
        layers = self.atlas.layers(request.scope)
        return Answer(
            "text/xml", capabilities(self.title, self.abstract, request.start, layers, self.limits, self.contact)
        )

    def _schema(self, names: str, request: Request) -> Answer:
        wanted = [local(name) for name in names.replace("(", "").replace(")", "").split(",") if name.strip()]
        layers = [self.atlas.layer(name, request.scope) for name in wanted] or self.atlas.layers(request.scope)
        return Answer(GML_TYPE, schema(list(dict.fromkeys(layers))))

    def _stored(self, request: Request) -> Answer:
        types = "".join(
            f"<wfs:ReturnFeatureType>{gml.PREFIX}:{layer.name}</wfs:ReturnFeatureType>"
            for layer in self.atlas.layers(request.scope)
        )
        body = (
            f'{HEAD}<wfs:ListStoredQueriesResponse {SPACES}><wfs:StoredQuery id="{BY_ID}"><wfs:Title>'
            f"GetFeatureById</wfs:Title>{types}</wfs:StoredQuery></wfs:ListStoredQueriesResponse>"
        )
        return Answer("text/xml", body.encode())

    def _described(self, keys: Ask, request: Request) -> Answer:
        asked = keys.get("STOREDQUERY_ID", BY_ID)
        if asked != BY_ID:
            raise Problem(f"STOREDQUERY_ID: there is {BY_ID}", locator="STOREDQUERY_ID")
        types = " ".join(f"{gml.PREFIX}:{layer.name}" for layer in self.atlas.layers(request.scope))
        body = (
            f'{HEAD}<wfs:DescribeStoredQueriesResponse {SPACES} xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
            f'<wfs:StoredQueryDescription id="{BY_ID}"><wfs:Title>GetFeatureById</wfs:Title>'
            '<wfs:Parameter name="ID" type="xsd:string"/>'
            f'<wfs:QueryExpressionText returnFeatureTypes="{types}" isPrivate="true" '
            'language="urn:ogc:def:queryLanguage:OGC-WFS::WFS_QueryExpression"/>'
            "</wfs:StoredQueryDescription></wfs:DescribeStoredQueriesResponse>"
        )
        return Answer("text/xml", body.encode())

    # --- features ---

    def _features(self, order: Order, request: Request, keys: Ask) -> Answer:
        found = self._found(order, request)
        written = Effort(features=0 if order.hits else sum(len(one.table) for one in found))
        return replace(self._written(found, order, request, keys), effort=written)

    def _written(self, found: list[Found], order: Order, request: Request, keys: Ask) -> Answer:
        if order.by_id and not order.hits:
            return self._alone(found, order)
        if order.hits or order.format == "gml":
            return Answer(GML_TYPE, _encoded(collection(found, order, request, keys)))
        crs = order.queries[0].crs
        if order.format == "json":
            return Answer("application/geo+json", _encoded(json_collection(found, crs)))
        name = {"content-disposition": f'attachment; filename="{found[0].table.layer.name}.csv"'}
        rows = chain.from_iterable(csv.lines(one.table, one.query.crs, one.fields, shaped=one.shaped) for one in found)
        return Answer(f"{CSV_TYPE}; charset=utf-8", _encoded("".join(part) for part in rows), headers=name)

    def _found(self, order: Order, request: Request) -> list[Found]:
        """All queries, paged as if their features stood one after the other."""
        most = min(order.count if order.count is not None else self.limits.features, self.limits.features)
        found, skip, left = [], order.start, most
        for query in [one for asked in order.queries for one in self._named(asked, request)]:
            table = self._selected(query, request)
            rows = slice(min(skip, len(table)), min(skip, len(table)) + left)
            skip = max(0, skip - len(table))
            part = table.take(rows)
            left -= len(part)
            found.append(Found(query, len(table), part, *_chosen(table, query)))
        return found

    def _named(self, query: OneQuery, request: Request) -> Iterable[OneQuery]:
        """A query for ids alone asks the layers that the ids begin with."""
        if query.type_name:
            return [query]
        known = {layer.name for layer in self.atlas.layers(request.scope)}
        names = list(dict.fromkeys(one.partition(".")[0] for one in query.ids))
        asked = [OneQuery(name, query.crs, query.properties, ids=query.ids) for name in names if name in known]
        if not asked:
            raise Problem("no feature of this id", "NotFound", "ID")
        return asked

    def _selected(self, query: OneQuery, request: Request) -> Table:
        asked = Query(request.now, window=query.window, ids=frozenset(query.ids) if query.ids else None)
        table = self.atlas.select(query.type_name, asked, request.scope)
        if query.condition is not None:
            table = table.take(mask_of(query.condition, table))
        if query.sort:
            for name, _ in query.sort:
                if name not in table.columns:
                    raise Problem(f"SORTBY: no property '{name[:60]}'", locator="SORTBY")
            table = table.ordered(query.sort)
        return table

    def _alone(self, found: list[Found], order: Order) -> Answer:
        """GetFeatureById answers the feature itself."""
        whole = [one for one in found if len(one.table)]
        if not whole:
            raise Problem("no feature of this id", "NotFound", "ID")
        one = whole[0]
        if order.format == "json":
            [[text]] = geojson.features(one.table, one.query.crs, one.fields)
            return Answer("application/geo+json", text.encode())
        [[text]] = gml.members(one.table, one.query.crs, one.fields)
        name = f"<{gml.PREFIX}:{one.table.layer.name} "
        return Answer(GML_TYPE, f"{HEAD}{text.replace(name, f'{name}{SPACES} ', 1)}".encode())

    def _values(self, order: Order, request: Request) -> Answer:
        if not order.value:
            raise Problem("VALUEREFERENCE: missing", "MissingParameterValue", "VALUEREFERENCE")
        found = self._found(order, request)
        name = local(order.value)
        parts: list[str] = []
        total = returned = 0
        for one in found:
            fields = [field for field in one.table.layer.fields if field.name == name]
            table = one.table
            total, returned = total + one.matched, returned + len(table)
            if name == "id":
                parts += map(xml_id, table.ids)
                continue
            if not fields and name not in GEOMETRY:
                raise Problem(f"VALUEREFERENCE: no property '{name[:60]}'", locator="VALUEREFERENCE")
            for texts in gml.members(table, one.query.crs, fields, shaped=not fields):
                parts += [_inside(text) for text in texts]
        body = "".join(f"<wfs:member>{part}</wfs:member>\n" for part in ([] if order.hits else parts) if part)
        head = f'timeStamp="{request.now.isoformat()}" numberMatched="{total}" numberReturned="{returned}"'
        whole = f"{HEAD}<wfs:ValueCollection {SPACES} {head}>{body}</wfs:ValueCollection>"
        return Answer(GML_TYPE, whole.encode(), effort=Effort(features=0 if order.hits else returned))


_KNOWN = frozenset({"transaction", "lockfeature", "getfeaturewithlock", "createstoredquery", "dropstoredquery"})


def _negotiated(accepted: str) -> None:
    if accepted and not any(one.strip() in _VERSIONS for one in accepted.split(",")):
        raise Problem("ACCEPTVERSIONS: 2.0.0 is spoken", "VersionNegotiationFailed", "ACCEPTVERSIONS")


def _chosen(table: Table, query: OneQuery) -> tuple[Sequence[Field], bool]:
    """The columns wanted, and whether the geometry is."""
    if not query.properties:
        return table.layer.fields, True
    known = {field.name for field in table.layer.fields}
    for name in query.properties:
        if name not in known and name not in GEOMETRY:
            raise Problem(f"PROPERTYNAME: no property '{name[:60]}' in {table.layer.name}", locator="PROPERTYNAME")
    fields = [field for field in table.layer.fields if field.name in query.properties]
    return fields, any(name in GEOMETRY for name in query.properties)


def _encoded(parts: Iterable[str]) -> Iterator[bytes]:
    return (part.encode() for part in parts)


def _inside(text: str) -> str:
    """What stands inside a feature element."""
    return text[text.index(">") + 1 : text.rindex("</")]
