"""Capabilities of real servers, and of hostile ones. Nothing is fetched while they are read."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.errors import ContractViolation, Why
from connectors.ogc.axes import north_first, to_degrees
from connectors.ogc.capabilities import Capabilities, Kind
from connectors.ogc.document import MOST
from connectors.ogc.reading import read

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "ogc"
FILES = sorted(DATA.glob("*/*.xml"))
COUNTS = {
    "wms_ogcsample111": (Kind.WMS, "1.1.1", 8, 0), "wms_ogcsample130": (Kind.WMS, "1.3.0", 8, 0),
    "wms_geoserver-cap": (Kind.WMS, "1.1.1", 3, 0), "wms_geoserver-cap_no_title": (Kind.WMS, "1.1.1", 3, 0),
    "wms_mesonet-caps": (Kind.WMS, "1.1.1", 3, 0), "wms_mesonet-caps-130_bom": (Kind.WMS, "1.3.0", 3, 0),
    "wms_dov_getcapabilities_130": (Kind.WMS, "1.3.0", 1, 0),
    "wfs_CUZK_GetCapabilities_2_0_0": (Kind.WFS, "2.0.0", 3, 0),
    "wfs_HSRS_GetCapabilities_1_1_0": (Kind.WFS, "1.1.0", 8, 0),
    "wfs_koeln_arcgis_getcapabilities_200": (Kind.WFS, "2.0.0", 86, 0),
    "wfs_mapserver_demo_getcapabilities_100": (Kind.WFS, "1.0.0", 2, 0),
    "sfs-wmts-cap-world": (Kind.WMTS, "1.0.0", 2, 2), "wmts_ogcsample": (Kind.WMTS, "1.0.0", 1, 4),
    "wmsCapabilitiesText": (Kind.WMS, "1.1.1", 10, 0), "wmsCapabilitiesTextWith130": (Kind.WMS, "1.3.0", 15, 0),
    "wmtsInfo2": (Kind.WMTS, "1.0.0", 1, 1), "wmtsCapabilitiesTextWithSingleProperty": (Kind.WMTS, "1.0.0", 1, 1),
}  # fmt: skip
"""Kind, version, layers, matrix sets: the README of the files."""
REFUSED = sorted({path.stem for path in FILES} - {*COUNTS})
"""Feature collections and schemas, which stand in the same folders."""
_BOMB = b"""<?xml version="1.0"?><!DOCTYPE WMS_Capabilities [<!ENTITY a "grid"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><WMS_Capabilities version="1.3.0"><Service><Title>&c;</Title></Service>
</WMS_Capabilities>"""
_FILE = b"""<?xml version="1.0"?><!DOCTYPE WMS_Capabilities [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<WMS_Capabilities version="1.3.0"><Service><Title>&x;</Title></Service></WMS_Capabilities>"""


def _path(stem: str) -> Path:
    if not FILES:
        pytest.skip("the reference data is not beside this checkout")
    return next(path for path in FILES if path.stem == stem)


def _read(stem: str) -> Capabilities:
    return read(_path(stem).read_bytes())


def test_the_folder_holds_what_is_counted_and_what_is_refused(shared: Path) -> None:
    assert shared / "data" / "ogc" == DATA
    assert len(COUNTS) == 17
    assert len(REFUSED) == 8


@pytest.mark.parametrize("stem", COUNTS)
def test_a_file_reads_into_the_layers_it_is_known_to_have(stem: str) -> None:
    found = _read(stem)

    assert (found.kind, found.version, len(found.layers), len(found.matrix_sets)) == COUNTS[stem]


@pytest.mark.parametrize("stem", COUNTS)
def test_each_layer_has_a_name_a_title_crs_and_a_box_on_the_globe(stem: str) -> None:
    lacking = [one for one in _read(stem).layers if not (one.name and one.title and one.crs and one.box)]

    assert lacking == []


@pytest.mark.parametrize("stem", REFUSED)
def test_what_is_no_capabilities_is_refused_in_one_line(stem: str) -> None:
    with pytest.raises(ContractViolation, match="no capabilities of a WMS, WMTS or WFS") as caught:
        _read(stem)

    assert "\n" not in str(caught.value)


def test_a_box_in_metres_where_degrees_belong_is_made_of_the_one_with_a_crs() -> None:
    layer = _read("wmsCapabilitiesText").layer("6")

    assert layer is not None
    assert "EPSG:0" in layer.crs
    assert layer.box == pytest.approx((-152.76, -61.03, 152.76, 61.03), abs=0.3)


def test_a_time_dimension_is_read_of_both_versions() -> None:
    for stem, last in (("wms_mesonet-caps", "2013-12-31"), ("wms_mesonet-caps-130_bom", "2015-12-31")):
        layer = _read(stem).layer("time_idx")

        assert layer is not None
        assert layer.time == f"1995-01-01/{last}/PT5M"


def test_levels_of_a_matrix_set_are_read_with_scale_corner_and_size() -> None:
    found = _read("wmtsInfo2").matrix_set("Custom_China")

    assert found is not None
    first, second = found.matrices[:2]
    assert first.scale == pytest.approx(559082264.029)
    assert (first.tile, first.size, second.size) == ((256, 256), (1, 1), (2, 2))
    assert first.corner == pytest.approx((-20037508.34, 20037508.34), abs=0.1)


# --- nothing is fetched ---

_WATCHED = """
import sys, pathlib
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event.startswith(("socket.", "urllib.", "http.")) else None)
from connectors.ogc.reading import read
from canonical.errors import ContractViolation
asked.clear()
for path in sorted(pathlib.Path(sys.argv[1]).glob("*/*.xml")):
    try:
        read(path.read_bytes())
    except ContractViolation:
        pass
print(sorted(set(asked)))
"""


def test_reading_all_files_makes_no_socket_and_asks_for_no_name(shared: Path) -> None:
    watched = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(shared / "data" / "ogc")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )

    assert watched.stdout.strip() == "[]"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that would notice."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_a_remote_dtd_is_not_fetched_and_the_document_is_read(listener: socket.socket) -> None:
    there = f"http://127.0.0.1:{listener.getsockname()[1]}/".encode()
    body = _path("wmsCapabilitiesText").read_bytes().replace(b"http://fakeiserver.supermap.io/", there)
    assert b"DOCTYPE" in body
    assert there in body

    assert len(read(body).layers) == 10
    with pytest.raises(BlockingIOError):
        listener.accept()


# --- hostile ones ---


_HIDDEN = _BOMB.replace(b"<Service>", b'<Service name="&c;">').replace(b"&c;</Title>", b"</Title>")


@pytest.mark.parametrize("body", [_BOMB, _HIDDEN, _FILE], ids=["bomb", "in an attribute", "file"])
def test_entities_of_a_documents_own_are_refused(body: bytes) -> None:
    with pytest.raises(ContractViolation, match="entities of its own"):
        read(body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not XML"),
        (b"<!DOCTYPE html><html><body>Login</body></html>", "HTML page"),
        (b"<WMS_Capabilities version='1.3.0'>", "not XML"),
        (b"<WMS_Capabilities version='1.3.0'/>", "lack what the standard asks for"),
        (b"<WMS_Capabilities version='0.9'/>", "version '0.9' is not read, only 1.1.0, 1.1.1, 1.3.0"),
        (b"<Capabilities version='1.0.0'/>", "no capabilities"),
        (b"<ExceptionReport><Exception exceptionCode='Denied'>no right</Exception></ExceptionReport>",
         "an exception, not capabilities: Denied no right"),
        (b"<a>" * 5000, "not XML"),
    ],
)  # fmt: skip
def test_what_is_something_else_is_called_what_it_is(body: bytes, said: str) -> None:
    with pytest.raises(ContractViolation, match=said):
        read(body)


def test_a_document_beyond_the_limit_is_not_parsed() -> None:
    with pytest.raises(ContractViolation, match="20 MB") as caught:
        read(b"<a>" + b" " * MOST)

    assert caught.value.why is Why.TOO_LARGE


def test_text_in_gbk_is_read() -> None:
    body = (
        _path("wmsCapabilitiesText").read_bytes().decode().replace('encoding="UTF-8"', 'encoding="GBK"').encode("gbk")
    )

    assert read(body).layers[0].title == "世界地图_Day"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_bytes_give_capabilities_or_a_refusal(data: st.DataObject) -> None:
    body = bytearray(_path(data.draw(st.sampled_from(sorted(COUNTS)))).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body) - 1))
        end = min(len(body), start + data.draw(st.integers(0, 400)))
        body[start:end] = data.draw(st.sampled_from([b"", b"<x/>", b"NaN", b"-1e999", b"&amp;", b"<", b"\0", b'""']))
    try:
        layers = read(bytes(body)).layers
    except ContractViolation:
        return
    assert layers


# --- axes ---


@pytest.mark.parametrize(
    ("crs", "north"),
    [
        ("EPSG:4490", True), ("EPSG:4326", True), ("EPSG:4548", True), ("EPSG:3857", False), ("CRS:84", False),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", False), ("urn:ogc:def:crs:EPSG::4490", True), ("EPSG:900913", False),
        ("EPSG:0", False), ("EPSG:999999", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_the_registry_says_which_axis_comes_first(crs: str, north: bool) -> None:
    assert north_first(crs) is north


def test_a_box_in_metres_comes_back_in_degrees() -> None:
    assert to_degrees("EPSG:4548", (630970, 3467936, 630971, 3467937)) == pytest.approx(
        (118.376, 31.326, 118.376, 31.326), abs=1e-4
    )
    assert to_degrees("EPSG:0", (0, 0, 1, 1)) is None
