"""What people open the city with, on a real socket: GDAL, QGIS and OpenLayers read layers, features and pictures."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import numpy as np
import pytest
from owslib.ogcapi.features import Features

from gateway.hub import clock
from gateway.maps.door import MapDoor, Service
from maps.crs import named
from maps.drawing.painter import painter_of
from maps.features.service import FeaturesService
from maps.limits import Limits
from maps.wfs.service import WfsService
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from tests.gateway.maps_room import SETTINGS, TOKENS, served
from tests.maps.clients import gdal, node, qgis
from tests.maps.small_city import STEP, atlas, marks

MARK = marks(40)[1]
assert MARK.lon is not None
assert MARK.lat is not None
LON, LAT = MARK.lon, MARK.lat
BLUE = "#0072b2"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of the door, over the small city, whose cases stay as they are."""
    city = atlas()
    services: Mapping[str, Service] = {
        "wms": WmsService(city, painter_of(city), Limits(), Face("网格一张图", "")).answer,
        "wfs": WfsService(city, Limits(features=25), "网格一张图", "").answer,
        "features": FeaturesService(city, Limits(page=25, features=25), "网格一张图", "").answer,
    }
    with served(lambda: MapDoor(SETTINGS, services, clock, anyio.CapacityLimiter(2)), lifespan="off") as port:
        yield f"http://127.0.0.1:{port}/ogc"


def fetched(url: str, path: Path, **query: Any) -> Path:
    answer = httpx.get(url, params=query | {"token": TOKENS["centre"]}, trust_env=False)
    assert answer.status_code == 200, answer.text
    path.write_bytes(answer.content)
    return path


def test_escaped_characters_of_an_address_are_read(url: str) -> None:
    escaped = "".join(f"%{ord(letter):02X}" for letter in "GetCapabilities")
    map_ = "VERSION=1.3.0&REQUEST=GetMap&LAYERS=grids%2Ccases&STYLES=&CRS=CRS%3A84&BBOX=0%2C0,1,1&WIDTH=9&HEIGHT=9"

    told = httpx.get(f"{url}/wms?token={TOKENS['centre']}&SERVICE=WMS&REQUEST={escaped}", trust_env=False)
    plus = httpx.get(f"{url}/wms?token={TOKENS['centre']}&{map_}&FORMAT=image/png;+mode%3D8bit", trust_env=False)

    assert b"<WMS_Capabilities" in told.content
    assert plus.headers["content-type"] == "image/png; mode=8bit"
    assert plus.headers["warning"].startswith("99 Default value used: time=")


def test_gdal_lists_the_layers_and_reads_every_page(url: str) -> None:
    source = f"WFS:{url}/wfs?token={TOKENS['centre']}"

    listed = gdal("ogrinfo", "-ro", "-so", source)
    told = gdal("ogrinfo", "-ro", "-so", source, "gh:cases")

    assert "gh:grids" in listed
    assert "Feature Count: 40" in told  # the service gives 25 at once
    assert "case_no: String" in told
    assert "received_at: DateTime" in told


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4548", "EPSG:3857"])
def test_gdal_puts_every_case_and_grid_where_it_is(url: str, tmp_path: Path, crs: str) -> None:
    source = f"WFS:{url}/wfs?token={TOKENS['centre']}&SRSNAME=urn:ogc:def:crs:EPSG::{crs.removeprefix('EPSG:')}"
    for layer in ("cases", "grids"):
        gdal("ogr2ogr", "-f", "GeoJSON", "-t_srs", "EPSG:4326", tmp_path / f"{layer}.json", source, f"gh:{layer}")

    cases = json.loads((tmp_path / "cases.json").read_text(encoding="utf-8"))["features"]
    grids = json.loads((tmp_path / "grids.json").read_text(encoding="utf-8"))["features"]

    [one] = [one for one in cases if one["properties"]["case_no"] == MARK.no]
    assert one["geometry"]["coordinates"] == pytest.approx([LON, LAT], abs=1e-5)
    assert one["properties"]["description"] == MARK.description
    assert (len(cases), len(grids)) == (40, 60)
    first = next(one for one in grids if one["properties"]["code"].endswith("001001001"))
    ring = first["geometry"]["coordinates"][0][0]
    assert max(x for x, _ in ring) - min(x for x, _ in ring) == pytest.approx(STEP, abs=1e-5)


def test_gdals_filters_are_asked_of_the_server(url: str) -> None:
    source = f"WFS:{url}/wfs?token={TOKENS['centre']}"
    wanted = sum(one.stage == "filed" for one in marks(40))

    told = gdal("ogrinfo", "-ro", "-so", "-where", "stage = 'filed'", source, "gh:cases")
    boxed = gdal("ogrinfo", "-ro", "-so", "-spat", "118.3", "31.3", "118.325", "31.33", source, "gh:grids")

    assert f"Feature Count: {wanted}" in told
    assert "Feature Count: 36" in boxed  # half of them, and those that touch


def test_gdal_draws_the_wms(url: str, tmp_path: Path) -> None:
    source = (
        f"WMS:{url}/wms?token={TOKENS['centre']}&SERVICE=WMS&VERSION=1.1.1&REQUEST=GetMap&LAYERS=cases&STYLES="
        f"&SRS=EPSG:4490&BBOX={LON - 0.002},{LAT - 0.002},{LON + 0.002},{LAT + 0.002}"
        "&FORMAT=image/png&TRANSPARENT=FALSE"
    )
    gdal("gdal_translate", "-q", "-of", "PNG", "-outsize", "101", "101", source, tmp_path / "map.png")
    pixel = gdal("gdallocationinfo", "-valonly", tmp_path / "map.png", "50", "50").split()

    assert [int(one) for one in pixel[:3]] == [0x00, 0x72, 0xB2]


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4548", "EPSG:3857"])
def test_qgis_opens_the_wfs(url: str, crs: str) -> None:
    address = f"url='{url}/wfs?token={TOKENS['centre']}'"
    source = f"{address} typename='gh:cases' version='2.0.0' srsname='{crs}' pagingEnabled='true'"

    told = qgis("layer.py", source, "WFS")

    assert (told["valid"], told["error"], told["features"], told["crs"]) == (True, "", 40, crs)
    assert {"case_no", "stage", "overdue"} <= set(told["fields"])


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4326", "EPSG:3857", "EPSG:4548"])
def test_qgis_draws_the_wms_where_the_case_is(url: str, crs: str) -> None:
    [[x, y]] = named(crs).from_native(np.array([[LON, LAT]]))
    reach = 0.002 if named(crs).degrees else 200
    address = quote(f"{url}/wms?token={TOKENS['centre']}", safe="")
    source = f"crs={crs}&format=image/png&layers=cases&styles=default&url={address}"

    told = qgis("wms.py", source, *map(str, (x - reach, y - reach, x + reach, y + reach)), "101")

    assert told == {"valid": True, "crs": crs, "middle": BLUE, "corner": told["corner"]}
    assert told["corner"] != BLUE


def test_openlayers_reads_the_capabilities_the_features_and_feature_info(url: str, tmp_path: Path) -> None:
    names = node("wms.mjs", fetched(f"{url}/wms", tmp_path / "wms.xml", SERVICE="WMS", REQUEST="GetCapabilities"))
    gml = fetched(
        f"{url}/wfs", tmp_path / "cases.xml", SERVICE="WFS", VERSION="2.0.0", REQUEST="GetFeature", TYPENAMES="cases",
        SRSNAME="urn:ogc:def:crs:EPSG::4326", RESOURCEID=f"cases.{MARK.no}",
    )  # fmt: skip
    info = fetched(
        f"{url}/wms", tmp_path / "info.xml", SERVICE="WMS", VERSION="1.3.0", REQUEST="GetFeatureInfo", LAYERS="cases",
        STYLES="", QUERY_LAYERS="cases", CRS="EPSG:4490",
        BBOX=f"{LAT - 0.002},{LON - 0.002},{LAT + 0.002},{LON + 0.002}",
        WIDTH=101, HEIGHT=101, I=50, J=50, INFO_FORMAT="application/vnd.ogc.gml", FORMAT="image/png",
    )  # fmt: skip

    assert {"grids", "cases", "cases_overdue", "case_density"} <= set(names)
    [[id_, number, coordinates]] = node("wfs.mjs", gml, "case_no")
    assert (id_, number) == (f"cases.{MARK.no}", MARK.no)
    assert sorted(coordinates[:2]) == pytest.approx([LAT, LON])
    [told] = node("info.mjs", info)
    assert told["case_no"] == MARK.no


def test_gdal_reads_every_page_of_the_features_api(url: str, tmp_path: Path) -> None:
    source, out = f"OAPIF:{url}/features?token={TOKENS['centre']}", tmp_path / "cases.json"
    wanted = sum(one.stage == "filed" for one in marks(40))

    listed = gdal("ogrinfo", "-ro", source)
    gdal("ogr2ogr", "-f", "GeoJSON", out, source, "cases")
    told = gdal("ogrinfo", "-ro", "-so", "-where", "stage = 'filed'", source, "cases")

    cases = json.loads(out.read_text(encoding="utf-8"))["features"]
    [one] = [one for one in cases if one["properties"]["case_no"] == MARK.no]
    assert "grids" in listed
    assert len(cases) == 40
    assert one["geometry"]["coordinates"] == pytest.approx([LON, LAT], abs=1e-6)
    assert f"Feature Count: {wanted}" in told


def test_gdals_box_and_conditions_are_asked_of_the_features_api(url: str) -> None:
    source, box = f"OAPIF:{url}/features?token={TOKENS['centre']}", ("-spat", "118.3", "31.3", "118.325", "31.33")
    where = f"case_no = '{MARK.no}' AND stage = '{MARK.stage}'"
    wanted = sum((one.area or "").startswith("340202") for one in marks(40))

    assert f"Feature Count: {wanted}" in gdal("ogrinfo", "-ro", "-so", *box, source, "cases")
    assert "Feature Count: 36" in gdal("ogrinfo", "-ro", "-so", *box, source, "grids")
    assert "Feature Count: 1\n" in gdal("ogrinfo", "-ro", "-so", "-where", where, source, "cases")


@pytest.mark.parametrize("shown", ["?token={}", "' username='any' password='{}"])
def test_qgis_opens_the_features_api(url: str, shown: str) -> None:
    source = f"url='{url}/features{shown.format(TOKENS['centre'])}' typename='{{}}' pageSize='7'"
    wanted = sorted(one.no for one in marks(40) if one.stage == "filed")
    west = sorted(one.no for one in marks(40) if (one.area or "").startswith("340202"))

    told = qgis("features.py", source.format("cases"), "case_no", "stage = 'filed'", "118.3,31.3,118.325,31.33")
    grids = qgis("layer.py", source.format("grids"), "OAPIF")

    assert (told["valid"], told["error"], told["crs"]) == (True, "", "EPSG:4326")
    assert sorted(told["places"]) == [one.no for one in marks(40)]
    assert told["places"][MARK.no] == pytest.approx([LON, LAT], abs=1e-6)
    assert (sorted(told["chosen"]), sorted(told["inside"])) == (wanted, west)
    assert (grids["valid"], grids["features"]) == (True, 60)


def test_owslib_reads_every_page_of_the_features_api(url: str) -> None:
    api = Features(f"{url}/features", headers={"Authorization": f"Bearer {TOKENS['centre']}"})
    pages = [api.collection_items("cases", limit=7, offset=start) for start in range(0, 40, 7)]
    inside = api.collection_items("grids", limit=50, bbox=[118.3, 31.3, 118.325, 31.33])

    read = {one["properties"]["case_no"]: one["geometry"]["coordinates"] for page in pages for one in page["features"]}
    assert sorted(read) == [one.no for one in marks(40)]
    assert read[MARK.no] == pytest.approx([LON, LAT], abs=1e-6)
    assert inside["numberMatched"] == 36
    assert api.collection_item("cases", f"cases.{MARK.no}")["properties"]["description"] == MARK.description


def test_owslib_reads_the_features_api(url: str) -> None:
    api = Features(f"{url}/features", headers={"Authorization": f"Bearer {TOKENS['centre']}"})
    read = api.collection_items("cases", limit=5, filter="stage = 'filed'")

    assert set(api.feature_collections()) >= {"cases", "grids", "case_density"}
    assert read["numberMatched"] == sum(one.stage == "filed" for one in marks(40))
    assert "stage" in api.collection_queryables("cases")["properties"]
