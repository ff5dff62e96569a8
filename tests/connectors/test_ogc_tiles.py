"""Tiles of other servers: which of their levels is which of ours, and how one is asked for."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from canonical.errors import Misconfigured
from connectors.ogc.capabilities import Kind
from connectors.ogc.pyramid import DEGREES, MERCATOR, Tile, levels
from connectors.ogc.reading import read
from connectors.ogc.service import Service, asking, tiles_of
from tests.connectors.ogc_place import DATA, tianditu

WUHU = (118.376, 31.326)


def _query(url: str | None) -> dict[str, str]:
    assert url is not None
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def _caps(stem: str) -> bytes:
    if not DATA.is_dir():
        pytest.skip("the reference data is not beside this checkout")
    [path] = DATA.glob(f"*/{stem}.xml")
    return Path(path).read_bytes()


def test_the_tile_of_a_place_is_the_one_everybody_else_means() -> None:
    columns, rows = MERCATOR.columns_and_rows(12, (*WUHU, *WUHU))

    assert (list(columns), list(rows)) == ([3394], [1672])  # (1 - asinh(tan 31.326°) / π) / 2 · 2¹²


def test_in_degrees_level_one_is_two_tiles() -> None:
    assert list(DEGREES.tiles(range(1, 2), (-180, -90, 180, 90))) == [(1, 0, 0), (1, 1, 0)]
    assert DEGREES.resolution(1) == 0.703125
    assert DEGREES.box((1, 1, 0)) == (0, -90, 180, 90)


@pytest.mark.parametrize("tile", [(0, 0, 0), (3, -1, 0), (3, 8, 0), (3, 0, 4), (23, 0, 0)])
def test_there_are_no_tiles_beyond_the_world(tile: Tile) -> None:
    assert not DEGREES.has(tile)


def test_a_box_counts_as_many_tiles_as_it_lists() -> None:
    box, zooms = (118.0, 30.9, 118.9, 31.6), range(1, 13)
    for pyramid in (MERCATOR, DEGREES):
        assert pyramid.count(zooms, box) == len(list(pyramid.tiles(zooms, box))) == len({*pyramid.tiles(zooms, box)})


def test_levels_are_known_by_their_scale_and_not_by_their_name() -> None:
    found = read(_caps("wmtsInfo2")).matrix_set("Custom_China")
    assert found is not None

    assert {zoom: one.name for zoom, one in levels(MERCATOR, found).items()} == {n: str(n) for n in range(8)}


def test_tianditus_sets_are_both_pyramids() -> None:
    found = read(tianditu())
    w, c = found.matrix_set("w"), found.matrix_set("c")
    assert w is not None
    assert c is not None

    assert sorted(levels(MERCATOR, w)) == sorted(levels(DEGREES, c)) == list(range(1, 19))
    assert levels(DEGREES, c)[1].size == (2, 1)


@pytest.mark.parametrize(
    ("stem", "name"), [("sfs-wmts-cap-world", "GoogleMapsCompatible"), ("wmts_ogcsample", "BigWorldPixel")]
)
def test_a_set_with_another_corner_or_scale_is_refused(stem: str, name: str) -> None:
    found = read(_caps(stem))
    service = Service("base", Kind.WMTS, "http://h/m", layers=("x",), crs="EPSG:3857", matrix_set=name)

    with pytest.raises(Misconfigured, match="not those of EPSG:3857"):
        tiles_of(service, found)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": Kind.WFS}, "a WFS has no tiles"), ({"crs": "EPSG:4548"}, "not in 'EPSG:4548'"),
        ({"layers": ()}, "no layer"), ({"matrix_set": "x"}, "no matrix set 'x'; there are w, c"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_base_map_is_a_finding(settings: dict[str, object], said: str) -> None:
    whole = {"name": "base", "kind": Kind.WMTS, "url": "http://h/m", "layers": ("vec",), "crs": "EPSG:3857",
             "matrix_set": "w"}  # fmt: skip

    with pytest.raises(Misconfigured, match=said):
        tiles_of(Service(**(whole | settings)), read(tianditu()))  # type: ignore[arg-type]


def test_a_wmts_is_asked_by_query_or_by_path() -> None:
    service = Service("base", Kind.WMTS, "http://h/m?map=a", layers=("vec",), crs="EPSG:3857", matrix_set="w")
    tiles = tiles_of(service, read(tianditu()))
    by_path = tiles_of(
        Service("base", Kind.WMTS, "http://h/m", layers=("vec",), crs="EPSG:3857", matrix_set="w",
                template="http://h/rest/{TileMatrix}/{TileRow}/{TileCol}.png"), read(tianditu()),
    )  # fmt: skip

    query = _query(tiles.address((3, 5, 2)))
    assert [query[name] for name in ("map", "LAYER", "TILEMATRIX", "TILECOL", "TILEROW")] == ["a", "vec", "3", "5", "2"]
    assert by_path.address((3, 5, 2)) == "http://h/rest/3/2/5.png"
    assert tiles.address((0, 0, 0)) is None  # Tianditu begins with 1


def test_a_wms_is_asked_for_the_box_of_a_tile_in_the_order_of_its_version() -> None:
    boxes = {}
    for version in ("1.1.1", "1.3.0"):
        for swap in (False, True):
            service = Service("base", Kind.WMS, "http://h/m", version, ("a",), "EPSG:4490", swap_axes=swap)
            boxes[version, swap] = _query(tiles_of(service, None).address((2, 3, 0)))["BBOX"]

    assert boxes == {
        ("1.1.1", False): "90,0,180,90", ("1.3.0", False): "0,90,90,180", ("1.3.0", True): "90,0,180,90",
        ("1.1.1", True): "0,90,90,180",
    }  # fmt: skip


def test_a_token_is_put_in_last_and_on_no_other_host() -> None:
    service = Service("base", Kind.WMTS, "https://t0.host/vec_w/wmts", token="s3cret", token_name="tk")

    assert "s3cret" not in service.capabilities()
    assert service.signed("https://t0.host/x?a=1") == ("https://t0.host/x?a=1&tk=s3cret", {})
    for other in ("http://t0.host/x", "https://t1.host/x", "https://t0.host:8443/x", "https://t0.host.evil/x"):
        assert service.signed(other) == (other, {})


def test_a_parameter_given_anew_replaces_the_old_in_whatever_case() -> None:
    assert asking("http://h/m?Request=x&b=%E5%9B%BE", [("REQUEST", "y")]) == "http://h/m?b=%E5%9B%BE&REQUEST=y"
