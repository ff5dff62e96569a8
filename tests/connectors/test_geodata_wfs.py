"""Servers differ in how they page: everything they have is read once, or it is said that it is not all."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from canonical.errors import ContractViolation
from connectors.geodata import Sheet, read_wfs
from connectors.ogc.capabilities import Kind
from connectors.ogc.service import Service

_CAPABILITIES = """<WFS_Capabilities version="2.0.0" xmlns="http://www.opengis.net/wfs/2.0"
 xmlns:ows="http://www.opengis.net/ows/1.1" xmlns:xlink="http://www.w3.org/1999/xlink">
<ows:ServiceIdentification><ows:Title>规划局</ows:Title></ows:ServiceIdentification>
<ows:OperationsMetadata><ows:Operation name="GetFeature"><ows:DCP><ows:HTTP><ows:Get xlink:href="http://127.0.0.1:9/"/>
</ows:HTTP></ows:DCP></ows:Operation></ows:OperationsMetadata><FeatureTypeList>{types}</FeatureTypeList></WFS_Capabilities>"""
_TYPE = """<FeatureType xmlns:city="http://city.example"><Name>{name}</Name><Title>网格</Title>
<DefaultCRS>urn:ogc:def:crs:EPSG::4490</DefaultCRS></FeatureType>"""
_PAGE = """<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="http://www.opengis.net/gml/3.2"
 xmlns:city="http://city.example" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://city.example http://127.0.0.1:9/schema" numberMatched="{matched}"
 numberReturned="{returned}">{members}</wfs:FeatureCollection>"""
_MEMBER = """<wfs:member><city:grids gml:id="{id}"><city:code>{code}</city:code><city:name>第{at}网格</city:name>
<city:shape><gml:Polygon gml:id="{id}.1" srsName="urn:ogc:def:crs:EPSG::4490"><gml:exterior><gml:LinearRing>
<gml:posList>{ring}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></city:shape></city:grids></wfs:member>"""
_EXCEPTION = """<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1" version="2.0.0">
<ows:Exception exceptionCode="InvalidParameterValue"><ows:ExceptionText>startIndex</ows:ExceptionText></ows:Exception>
</ows:ExceptionReport>"""


@dataclass
class Office:
    """A server with its own manners."""

    cells: int = 25
    most: int = 10
    """Features of one answer."""
    counts: bool = True
    """It says how many there are."""
    pages: bool = True
    """It reads STARTINDEX."""
    refuses_beyond: bool = False
    new_names: bool = False
    """Names of features are made up in each answer."""
    types: tuple[str, ...] = ("city:grids",)
    answers: int = 0

    def answer(self, query: dict[str, str]) -> str:
        """One answer."""
        if query["REQUEST"] == "GetCapabilities":
            return _CAPABILITIES.format(types="".join(_TYPE.format(name=name) for name in self.types))
        self.answers += 1
        begin = int(query.get("STARTINDEX", 0)) if self.pages else 0
        if self.refuses_beyond and begin >= self.cells:
            return _EXCEPTION
        shown = range(begin, min(self.cells, begin + min(self.most, int(query["COUNT"]))))
        members = "".join(self._member(at) for at in shown)
        return _PAGE.format(matched=self.cells if self.counts else "unknown", returned=len(shown), members=members)

    def _member(self, at: int) -> str:
        north, east = 31.3, 118.3 + 0.001 * at
        ring = [(north, east), (north, east + 0.001), (north + 0.001, east + 0.001), (north, east)]
        name = f"made.{self.answers}.{at}" if self.new_names else f"grids.{at}"
        return _MEMBER.format(
            id=name, code=f"0{at:02d}", at=at, ring=" ".join(f"{one[0]:.4f} {one[1]:.4f}" for one in ring)
        )


@contextmanager
def serving(office: Office) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            """One request."""
            body = office.answer(dict(parse_qsl(urlsplit(self.path).query))).encode()
            self.send_response(200)
            self.send_header("content-type", "text/xml")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/wfs"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(office: Office, layer: str = "") -> Sheet:
    """What is read of it."""
    with serving(office) as url:
        service = Service("office", Kind.WFS, url, "2.0.0", (layer,) if layer else ())
        return asyncio.run(read_wfs(service))


def codes(sheet: Sheet) -> list[object]:
    return [row["code"] for row in sheet.rows]


@pytest.mark.parametrize(
    "office",
    [
        Office(),
        Office(counts=False),
        Office(cells=20),
        Office(cells=20, refuses_beyond=True),
        Office(new_names=True, counts=False),
        Office(most=10_000),
        Office(most=10_000, pages=False),
    ],
    ids=["pages", "no count", "a full last page", "nothing to ask behind it", "new names", "at once", "at once always"],
)
def test_everything_is_read_once(office: Office) -> None:
    sheet = told(office)

    assert codes(sheet) == [f"0{at:02d}" for at in range(office.cells)]
    assert sheet.findings == []
    assert all(118.29 < one.centroid.x < 118.4 and 31.29 < one.centroid.y < 31.4 for one in sheet.shapes)


@pytest.mark.parametrize(
    ("office", "text"),
    [
        (Office(pages=False), "10 features again instead of the next ones"),
        (Office(pages=False, new_names=True, counts=False), "again instead of the next ones"),
        (Office(cells=0), "has no feature of it"),
        (Office(refuses_beyond=True, counts=False), "startIndex"),
        (Office(types=("city:grids", "city:streets")), "say which layer: city:grids, city:streets"),
    ],
)
def test_what_is_not_all_is_no_set(office: Office, text: str) -> None:
    with pytest.raises(ContractViolation, match=text):
        told(office)


@pytest.mark.parametrize("layer", ["city:grids", "grids"])
def test_a_layer_is_named_with_its_space_or_without(layer: str) -> None:
    assert len(told(Office(types=("city:grids", "city:streets")), layer).rows) == 25
