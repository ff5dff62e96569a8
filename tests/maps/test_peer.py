"""The hub and MapServer are asked the same, and their answers mean the same: pictures, what lies at a pixel, features.

Requests are drawn by chance, always the same ones. Boxes are reckoned with pyproj and an order of axes that is written
down here, not with what either server knows of them. Where MapServer strays from a standard, the test says where and
leaves that out.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lxml import etree
from PIL import Image
from pyproj import Transformer

from maps.atlas import Query
from maps.drawing.painter import painter_of
from maps.limits import Limits
from maps.wfs.service import WfsService
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from tests.maps.asking import CENTRE, asked, body_of
from tests.maps.mapserver import MapServer
from tests.maps.peer import CITY, KEY, codes, peer
from tests.maps.small_city import NOW, extent

NORTH_FIRST = {4326: True, 4490: True, 3857: False, 4547: True}
"""The EPSG registry's order of axes."""
ASKEW = {4547}
"""A box of these stands askew in degrees. MapServer's BBOX takes the upright box around it, and finds more; by 7.8
of FES 2.0 a BBOX is Intersects with the same box, and that MapServer reckons well.
"""
WMS = WmsService(CITY, painter_of(CITY), Limits(), Face("City", ""))
WFS = WfsService(CITY, Limits(), "City", "")
WIDTH, HEIGHT = 400, 300
STRAYED = 0.001
"""The share of one server's pixels that may lie farther than REACH from any of the other's."""
REACH = {"cases": 3, "grids": 1}
"""Pixels. Of points within two pixels the hub draws one."""
RIM = 6
"""Pixels along the edge that are not compared: MapServer draws no point whose middle lies outside the picture."""
NS = 'xmlns:fes="http://www.opengis.net/fes/2.0" xmlns:gml="http://www.opengis.net/gml/3.2"'
GEOMETRY = {"ours": "geometry", "theirs": "msGeometry"}
URN = "urn:ogc:def:crs:EPSG::{}"
Pixels = npt.NDArray[np.bool_]


@pytest.fixture(scope="module")
def mapserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MapServer]:
    with peer(tmp_path_factory.mktemp("peer")) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Window:
    """A box of the city in one CRS: x and y, whatever order a request puts them in."""

    crs: int
    west: float
    south: float
    east: float
    north: float

    def written(self, *, north_first: bool) -> str:
        """As a BBOX."""
        box = (self.west, self.south, self.east, self.north)
        if north_first:
            box = (self.south, self.west, self.north, self.east)
        return ",".join(f"{one:.9f}" for one in box)

    @property
    def corners(self) -> npt.NDArray[np.float64]:
        """x and y of the four."""
        xs, ys = [self.west, self.east, self.east, self.west], [self.south, self.south, self.north, self.north]
        return np.column_stack([xs, ys])


def placed(crs: int, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Longitudes and latitudes as x and y."""
    if crs in (4326, 4490):
        return points
    begin = 4326 if crs == 3857 else 4490
    xs, ys = Transformer.from_crs(begin, crs, always_xy=True).transform(points[:, 0], points[:, 1])
    return np.column_stack([xs, ys])


def windows(crs: int, count: int, seed: int = 1) -> list[Window]:
    """Boxes with the shape of the picture, somewhere in the city and over its edge."""
    chance, (west, south, east, north) = Random(f"{crs} {seed}"), extent()
    made = []
    for _ in range(count):
        at = np.array([[chance.uniform(west, east), chance.uniform(south, north)]])
        [[x, y]] = placed(crs, at)
        half = chance.uniform(0.008, 0.02) * (1 if crs in (4326, 4490) else 100_000)
        made.append(Window(crs, x - half, y - half * HEIGHT / WIDTH, x + half, y + half * HEIGHT / WIDTH))
    return made


def of_map(window: Window, version: str, layer: str, swap: bool = False) -> dict[str, Any]:
    """The parameters of GetMap that both understand."""
    north_first = NORTH_FIRST[window.crs] and version == "1.3.0"
    return {
        "SERVICE": "WMS", "VERSION": version, "REQUEST": "GetMap", "LAYERS": layer, "STYLES": "",
        "CRS" if version == "1.3.0" else "SRS": f"EPSG:{window.crs}", "WIDTH": WIDTH, "HEIGHT": HEIGHT,
        "BBOX": window.written(north_first=north_first != swap), "FORMAT": "image/png", "TRANSPARENT": "TRUE",
    }  # fmt: skip


def drawn(picture: bytes) -> Pixels:
    """Where something is drawn."""
    assert picture.startswith(b"\x89PNG"), picture[:500]
    return np.array(Image.open(io.BytesIO(picture)).convert("RGBA"))[:, :, 3] > 0


def strayed(one: Pixels, other: Pixels, reach: int) -> float:
    """The share of one's pixels that have none of the other's within this many pixels."""
    shifts = range(2 * reach + 1)
    padded = np.pad(other, reach)
    near = np.logical_or.reduce([padded[y : y + HEIGHT, x : x + WIDTH] for y in shifts for x in shifts])
    inner = np.s_[RIM:-RIM, RIM:-RIM]
    return float((one & ~near)[inner].sum() / max(1, one[inner].sum()))


@pytest.mark.parametrize("crs", NORTH_FIRST)
@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_both_draw_the_same_places_and_leave_the_same_empty(mapserver: MapServer, version: str, crs: int) -> None:
    something = 0
    for window in windows(crs, 4):
        for layer in KEY:
            query = of_map(window, version, layer)
            ours, theirs = drawn(body_of(asked(WMS.answer, **query))), drawn(mapserver.get(**query))

            assert strayed(ours, theirs, REACH[layer]) <= STRAYED, (layer, window)
            assert strayed(theirs, ours, REACH[layer]) <= STRAYED, (layer, window)
            something += bool(ours.any() and not ours.all())

    assert something >= 4


@pytest.mark.parametrize(
    ("version", "crs"), [(version, crs) for version in ("1.1.1", "1.3.0") for crs in (4326, 4490, 4547)]
)
def test_axes_the_wrong_way_round_show_nothing_in_both(mapserver: MapServer, version: str, crs: int) -> None:
    for window in windows(crs, 2):
        query = of_map(window, version, "grids", swap=True)

        assert not drawn(body_of(asked(WMS.answer, **query))).any()
        assert not drawn(mapserver.get(**query)).any()


@pytest.mark.parametrize("crs", NORTH_FIRST)
def test_both_find_the_same_at_a_pixel(mapserver: MapServer, crs: int) -> None:
    chance, found = Random(crs), 0
    for window, version, layer in zip(windows(crs, 32, seed=2), ["1.1.1", "1.3.0"] * 16, [*KEY] * 16, strict=True):
        column, row = chance.randrange(WIDTH), chance.randrange(HEIGHT)
        across, down = ("I", "J") if version == "1.3.0" else ("X", "Y")
        query = of_map(window, version, layer) | {
            "REQUEST": "GetFeatureInfo", "QUERY_LAYERS": layer, across: column, down: row, "FEATURE_COUNT": 50,
        }  # fmt: skip
        ours = codes(body_of(asked(WMS.answer, **query, INFO_FORMAT="application/json")), KEY[layer])
        theirs = mapserver.get(**query, INFO_FORMAT="geojson")

        assert sorted(ours) == sorted(codes(theirs, KEY[layer]) if theirs.startswith(b"{") else []), (
            window,
            column,
            row,
        )
        found += bool(ours)
    assert found >= 4


def get_feature(layer: str, geometry: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of GetFeature. `geometry`: what the server calls the property that holds the place."""
    told = {name: str(value).replace("GEOMETRY", geometry) for name, value in query.items()}
    return {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature", "TYPENAMES": layer, **told}


def features(mapserver: MapServer, layer: str, **query: Any) -> tuple[list[str], list[str]]:
    """What both find, ours first."""
    ours = asked(WFS.answer, **get_feature(layer, GEOMETRY["ours"], query), OUTPUTFORMAT="application/json")
    assert ours.status == 200, body_of(ours)
    theirs = mapserver.get(**get_feature(layer, GEOMETRY["theirs"], query), OUTPUTFORMAT="geojson")
    assert theirs.startswith(b"{"), theirs
    return codes(body_of(ours), KEY[layer]), codes(theirs, KEY[layer])


@pytest.mark.parametrize("layer", KEY)
@pytest.mark.parametrize("crs", NORTH_FIRST)
def test_both_find_the_same_in_a_box(mapserver: MapServer, crs: int, layer: str) -> None:
    some = 0
    for window in windows(crs, 12, seed=3):
        box = window.written(north_first=NORTH_FIRST[crs])
        ours, theirs = features(mapserver, layer, BBOX=f"{box},{URN.format(crs)}")
        if crs in ASKEW:
            by_filter, theirs = features(mapserver, layer, FILTER=filter_of(shaped("Intersects", crs, window.corners)))
            assert sorted(by_filter) == sorted(ours), window

        assert sorted(ours) == sorted(theirs), window
        some += 0 < len(ours) < len(CITY.select(layer, Query(NOW), CENTRE))
    assert some >= 6


TRIANGLE = [(118.3013, 31.3011), (118.3391, 31.3093), (118.3121, 31.3277)]
FILED, LANDSCAPE, UNIT = ("stage", "filed"), ("owner", "landscape"), ("unit", "U1")


def filter_of(condition: str) -> str:
    """A filter of FES 2.0."""
    return f"<fes:Filter {NS}>{condition}</fes:Filter>"


def compared(operator: str, column: str, value: str, how: str = "") -> str:
    """A comparison of FES 2.0."""
    reference = f"<fes:ValueReference>{column}</fes:ValueReference>"
    return f"<fes:PropertyIs{operator}{how}>{reference}<fes:Literal>{value}</fes:Literal></fes:PropertyIs{operator}>"


def like(column: str, pattern: str) -> str:
    """`*` is any letters, `.` one."""
    return compared("Like", column, pattern, ' wildCard="*" singleChar="." escapeChar="!"')


def between(column: str, low: str, high: str) -> str:
    """Both ends included."""
    ends = "".join(
        f"<fes:{end}Boundary><fes:Literal>{value}</fes:Literal></fes:{end}Boundary>"
        for end, value in (("Lower", low), ("Upper", high))
    )
    reference = f"<fes:ValueReference>{column}</fes:ValueReference>"
    return f"<fes:PropertyIsBetween>{reference}{ends}</fes:PropertyIsBetween>"


def joined(operator: str, *conditions: str) -> str:
    """And, Or, Not."""
    return f"<fes:{operator}>{''.join(conditions)}</fes:{operator}>"


def boxed(crs: int, low: str, high: str) -> str:
    """A BBOX without a property."""
    corners = f"<gml:lowerCorner>{low}</gml:lowerCorner><gml:upperCorner>{high}</gml:upperCorner>"
    return f'<fes:BBOX><gml:Envelope srsName="{URN.format(crs)}">{corners}</gml:Envelope></fes:BBOX>'


def shaped(operator: str, crs: int, corners: npt.NDArray[np.float64] | None = None) -> str:
    """A spatial operator with corners (x and y), else the triangle. GEOMETRY: what each server calls the property."""
    given = placed(crs, np.array(TRIANGLE)) if corners is None else corners
    ring = np.vstack([given, given[:1]])
    ordered = ring[:, ::-1] if NORTH_FIRST[crs] else ring
    places = " ".join(f"{value:.9f}" for value in ordered.ravel())
    line = f"<gml:LinearRing><gml:posList>{places}</gml:posList></gml:LinearRing>"
    polygon = f'<gml:Polygon gml:id="t" srsName="{URN.format(crs)}"><gml:exterior>{line}</gml:exterior></gml:Polygon>'
    return f"<fes:{operator}><fes:ValueReference>GEOMETRY</fes:ValueReference>{polygon}</fes:{operator}>"


FILTERS = {
    "equal": ("cases", compared("EqualTo", *FILED), 22),
    "equal in other letters": ("cases", compared("EqualTo", "stage", "FILED"), 0),
    "equal in any letters": ("cases", compared("EqualTo", "stage", "FILED", ' matchCase="false"'), 22),
    "not equal": ("cases", compared("NotEqualTo", *FILED), 178),
    "less": ("grids", compared("LessThan", "households", "330"), 18),
    "not less": ("grids", compared("GreaterThanOrEqualTo", "households", "330"), 42),
    "like, one letter": ("cases", like("case_no", "*0001."), 10),
    "like, Chinese": ("cases", like("class_name", "*广告*"), 50),
    "like, one Chinese letter": ("grids", like("name", "第1.网格"), 10),
    "between texts": ("cases", between("case_no", "3402-20260316-000010", "3402-20260316-000020"), 11),
    "between numbers": ("grids", between("households", "320", "350"), 19),
    "and": ("cases", joined("And", compared("EqualTo", *FILED), compared("EqualTo", *LANDSCAPE)), 11),
    "or": ("cases", joined("Or", compared("EqualTo", *FILED), compared("EqualTo", *UNIT)), 67),
    "not": ("cases", joined("Not", compared("EqualTo", *FILED)), 178),
    "nested": (
        "cases",
        joined(
            "And",
            joined("Or", compared("EqualTo", *FILED), compared("EqualTo", *UNIT)),
            joined("Not", like("class_code", "1*")),
        ),
        11,
    ),
    "box": ("cases", boxed(4490, "31.303 118.305", "31.321 118.341"), 106),
    "box of grids": ("grids", boxed(4490, "31.306 118.306", "31.316 118.331"), 18),
    "box in Web Mercator": ("cases", boxed(3857, "13168131 3670951", "13170704 3672881"), 35),
    "box and text": (
        "cases", joined("And", compared("EqualTo", *FILED), boxed(4490, "31.303 118.305", "31.321 118.341")), 13,
    ),
    "intersects": ("cases", shaped("Intersects", 4490), 49),
    "intersects grids": ("grids", shaped("Intersects", 4490), 32),
    "intersects in Web Mercator": ("cases", shaped("Intersects", 3857), 49),
    "intersects in a zone": ("grids", shaped("Intersects", 4547), 32),
    "within": ("grids", shaped("Within", 4490), 8),
    "disjoint": ("grids", shaped("Disjoint", 4490), 28),
}  # fmt: skip
"""The layer, the condition, and how many both find: a condition that neither reads would find as many in both."""


@pytest.mark.parametrize("name", FILTERS)
def test_both_find_the_same_by_a_filter(mapserver: MapServer, name: str) -> None:
    layer, condition, count = FILTERS[name]

    query = {"FILTER": filter_of(condition)}

    ours, theirs = features(mapserver, layer, **query)
    # MapServer's own hits are 0 without BBOX where it reads a GeoPackage; the standard wants those of the filter.
    counted = asked(WFS.answer, **get_feature(layer, GEOMETRY["ours"], query), RESULTTYPE="hits")

    assert sorted(ours) == sorted(theirs)
    assert (len(ours), hits(body_of(counted))) == (count, (f"{count}", "0"))


@pytest.mark.parametrize(("start", "count"), [(0, 7), (7, 7), (56, 7), (60, 7), (0, 100)])
def test_both_give_the_same_page(mapserver: MapServer, start: int, count: int) -> None:
    ours, theirs = features(mapserver, "grids", STARTINDEX=start, COUNT=count)

    assert ours == theirs
    assert len(ours) == min(count, 60 - start)


def hits(answer: bytes) -> tuple[str | None, str | None]:
    """What matched, and what of it was returned."""
    root = etree.fromstring(answer)
    return root.get("numberMatched"), root.get("numberReturned")


@pytest.mark.parametrize("crs", sorted(NORTH_FIRST.keys() - ASKEW))
def test_both_count_the_same_in_a_box(mapserver: MapServer, crs: int) -> None:
    for window in windows(crs, 3, seed=4):
        box = f"{window.written(north_first=NORTH_FIRST[crs])},{URN.format(crs)}"
        query = get_feature("cases", "", {"BBOX": box, "RESULTTYPE": "hits"})

        assert hits(body_of(asked(WFS.answer, **query))) == hits(mapserver.get(**query))


@pytest.mark.parametrize("layer", KEY)
@pytest.mark.parametrize("crs", NORTH_FIRST)
def test_both_put_features_at_the_same_coordinates(mapserver: MapServer, crs: int, layer: str) -> None:
    query = get_feature(layer, "", {"SRSNAME": URN.format(crs)})

    ours = coordinates(body_of(asked(WFS.answer, **query)), layer)
    theirs = coordinates(mapserver.get(**query, OUTPUTFORMAT="gml32"), layer)

    assert ours.keys() == theirs.keys()
    near = 5.1e-7 if crs in (4326, 4490) else 0.02  # MapServer writes six decimals of a degree
    for name, places in ours.items():
        assert np.abs(places - theirs[name]).max() <= near, name


def coordinates(document: bytes, layer: str) -> dict[str, npt.NDArray[np.float64]]:
    """By the name of a feature its positions as they are written, those of a ring in an order of their own."""
    found = {}
    for member in etree.fromstring(document).iter("{*}member"):
        [name] = [str(one.text) for one in member.iter(f"{{*}}{KEY[layer]}")]
        text = " ".join(str(one.text) for one in member.iter("{*}pos", "{*}posList"))
        places = np.array(text.split(), float).reshape(-1, 2)
        found[name] = places if layer == "cases" else places[np.lexsort(np.round(places, 3).T)]
    return found
