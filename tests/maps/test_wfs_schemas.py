"""Whatever WFS answers is valid against the standards' schemas and our own, read without network."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import shapely
from lxml import etree

from canonical.rights import Scope
from maps.atlas import Atlas
from maps.cases import Names, case_table
from maps.cells import cell_set
from maps.limits import Limits
from maps.wfs.order import BY_ID
from maps.wfs.service import WfsService
from tests.maps.asking import CENTRE, PUBLIC, asked, body_of
from tests.maps.small_city import CLASSES, SOUTH, WEST, atlas, marks

SCHEMAS = Path(__file__).parent / "schemas"
OGC = SCHEMAS / "package" / "pycsw" / "core" / "schemas" / "ogc"
PUBLIC_GML = "http://schemas.opengis.net/gml/3.2.1/gml.xsd"
GET: dict[str, Any] = {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature", "TYPENAMES": "cases"}
WFS = WfsService(atlas(), Limits(), "一张图 & 案件", "<案件>")


def validated(answer_body: bytes, service: WfsService = WFS, scope: Scope = CENTRE) -> etree._Element:
    """The root, once the document is valid."""
    root = etree.fromstring(answer_body)
    described = body_of(asked(service.answer, scope, SERVICE="WFS", VERSION="2.0.0", REQUEST="DescribeFeatureType"))
    _schema(described).assertValid(root)
    return root


@cache
def _schema(described: bytes) -> etree.XMLSchema:
    if not OGC.is_dir():
        pytest.skip("not installed: OGC schemas (make servers)")
    imports = {
        "http://www.opengis.net/wfs/2.0": SCHEMAS / "wfs.xsd",
        "http://www.opengis.net/ows/1.1": OGC / "ows" / "1.1.0" / "owsAll.xsd",
        "urn:x-gridhub:maps": Path("/ours.xsd"),
    }
    whole = "".join(f'<import namespace="{name}" schemaLocation="{path}"/>' for name, path in imports.items())
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Ours(described))
    return etree.XMLSchema(
        etree.fromstring(f'<schema xmlns="http://www.w3.org/2001/XMLSchema">{whole}</schema>', parser)
    )


class _Ours(etree.Resolver):
    """Our schema, and no other that is not a file."""

    def __init__(self, described: bytes) -> None:
        self._described = described

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override] # the stubs forget one
        """The text of a schema; None where lxml is to read the file."""
        if system_url.endswith("/ours.xsd"):
            return self.resolve_string(self._described, context, base_url=str(SCHEMAS / "ours.xsd"))
        if system_url == PUBLIC_GML:
            path = OGC / "gml" / "3.2.1" / "gml.xsd"
            return self.resolve_string(path.read_bytes(), context, base_url=str(path))
        assert "://" not in system_url or system_url.startswith("file:"), system_url
        return None


@pytest.mark.parametrize("scope", [CENTRE, PUBLIC, Scope("plain"), Scope("none", areas=("999",))], ids=lambda s: s.name)
@pytest.mark.parametrize("layer", ["grids", "grids_landscape", "cases", "case_density"])
@pytest.mark.parametrize("crs", ["urn:ogc:def:crs:EPSG::4490", "urn:ogc:def:crs:EPSG::4548", "EPSG:3857"])
def test_features_of_every_layer_scope_and_crs_are_valid(scope: Scope, layer: str, crs: str) -> None:
    answer = asked(WFS.answer, scope, **GET | {"TYPENAMES": layer, "SRSNAME": crs})

    root = validated(body_of(answer), scope=scope)

    assert root.get("numberMatched") == root.get("numberReturned")
    assert len(list(root.iter("{*}member"))) == int(root.get("numberReturned") or -1)


@pytest.mark.parametrize(
    "changes",
    [
        {"REQUEST": "GetCapabilities"}, {"REQUEST": "ListStoredQueries"}, {"REQUEST": "DescribeStoredQueries"},
        {"RESULTTYPE": "hits"}, {"COUNT": "3", "STARTINDEX": "3"}, {"COUNT": "0"}, {"TYPENAMES": "(cases)(grids)"},
        {"TYPENAMES": "(cases)(cases)"}, {"PROPERTYNAME": "stage"}, {"PROPERTYNAME": "geometry"},
        {"STOREDQUERY_ID": BY_ID, "ID": "cases.3402-20260316-000002"}, {"STOREDQUERY_ID": BY_ID, "ID": "nothing"},
        {"REQUEST": "GetPropertyValue", "VALUEREFERENCE": "stage"}, {"TYPENAMES": "nothing"}, {"VERSION": "1.1.0"},
        {"REQUEST": "GetPropertyValue", "VALUEREFERENCE": "geometry"}, {"REQUEST": "Transaction"}, {"BBOX": '"<&'},
        {"REQUEST": "GetPropertyValue", "VALUEREFERENCE": "@gml:id", "TYPENAMES": "grids"},
    ],
    ids=str,
)  # fmt: skip
def test_every_answer_is_valid(changes: dict[str, str]) -> None:
    validated(body_of(asked(WFS.answer, **GET | changes)))


def test_codes_and_texts_of_any_letters_make_valid_ids_and_are_found_by_them() -> None:
    codes = ["YL 1", "<1>", "网格/一", "a:b", "_x0020_", "A.g", "A", "%41", "'\"&"]
    rows = [{"code": code, "name": f"{code}\x0b\ud83d\ude00 ]]>".encode("utf-16", "surrogatepass").decode("utf-16"),
             "area": "3402"} for code in codes]  # fmt: skip
    shapes = [
        shapely.MultiPolygon([shapely.box(WEST + n, SOUTH, WEST + n + 0.1, SOUTH + 0.1),
                              shapely.box(WEST + n + 0.2, SOUTH, WEST + n + 0.3, SOUTH + 0.1)])
        for n in range(len(codes))
    ]  # fmt: skip
    odd = cell_set("grids", "网格", "", (WEST, SOUTH, WEST + 9, SOUTH + 1), "1", rows, shapes)
    live = case_table(marks(0), odd, Names(CLASSES, str), "1")
    service = WfsService(Atlas("市", odd.layer.extent, {"grids": odd}, lambda: live, lambda _: live), Limits(), "", "")

    root = validated(body_of(asked(service.answer, **GET | {"TYPENAMES": "grids"})), service)
    found = {one.findtext("{*}code"): one.get("{http://www.opengis.net/gml/3.2}id") for one in root.iter("{*}grids")}

    assert set(found) == set(codes)
    for code, id_ in found.items():
        alone = body_of(asked(service.answer, **GET | {"TYPENAMES": "grids", "RESOURCEID": id_}))
        assert [one.findtext("{*}code") for one in etree.fromstring(alone).iter("{*}grids")] == [code]
