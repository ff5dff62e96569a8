"""A map server that somebody else runs: capabilities, pictures that show what was asked for, and faults on demand."""

import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from PIL import Image

TOKEN = "tk-7f3a+/=secret"
"""With signs that an address writes otherwise."""
CITY = (118.2, 31.2, 118.6, 31.5)
"""Where the WMS has something to show: west, south, east, north in degrees."""
DATA = Path(__file__).parents[3] / "shared" / "data" / "ogc"
GATEWAY_PAGE = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
_TILE = re.compile(r"/rest/(?P<z>\d+)/(?P<y>\d+)/(?P<x>\d+)\.png")
_WMS = """<?xml version="1.0"?><WMS_Capabilities xmlns="http://www.opengis.net/wms" version="1.3.0">
<Service><Name>WMS</Name><Title>City maps</Title></Service><Capability>
<Request><GetMap><Format>image/png</Format></GetMap></Request>
<Exception><Format>XML</Format></Exception><Layer><Title>all</Title>{layers}</Layer></Capability></WMS_Capabilities>"""
_LAYER = """<Layer><Name>{name}</Name><Title>{name}</Title><CRS>EPSG:4490</CRS><CRS>EPSG:3857</CRS>
<EX_GeographicBoundingBox><westBoundLongitude>118.2</westBoundLongitude><eastBoundLongitude>118.6</eastBoundLongitude>
<southBoundLatitude>31.2</southBoundLatitude><northBoundLatitude>31.5</northBoundLatitude></EX_GeographicBoundingBox>
</Layer>"""
_WMTS = """<?xml version="1.0"?><Capabilities xmlns="http://www.opengis.net/wmts/1.0"
xmlns:ows="http://www.opengis.net/ows/1.1" version="1.0.0">
<ows:ServiceIdentification><ows:Title>天地图</ows:Title>
<ows:ServiceType>OGC WMTS</ows:ServiceType></ows:ServiceIdentification><Contents><Layer><ows:Title>vec</ows:Title>
<ows:WGS84BoundingBox><ows:LowerCorner>-180 -85</ows:LowerCorner><ows:UpperCorner>180 85</ows:UpperCorner>
</ows:WGS84BoundingBox><ows:Identifier>vec</ows:Identifier>
<Style isDefault="true"><ows:Identifier>default</ows:Identifier></Style><Format>image/png</Format>
<TileMatrixSetLink><TileMatrixSet>w</TileMatrixSet></TileMatrixSetLink>
<TileMatrixSetLink><TileMatrixSet>c</TileMatrixSet></TileMatrixSetLink></Layer>
<TileMatrixSet><ows:Identifier>w</ows:Identifier><ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857</ows:SupportedCRS>{w}
</TileMatrixSet><TileMatrixSet><ows:Identifier>c</ows:Identifier>
<ows:SupportedCRS>urn:ogc:def:crs:EPSG::4490</ows:SupportedCRS>{c}</TileMatrixSet></Contents></Capabilities>"""
_MATRIX = """<TileMatrix><ows:Identifier>{z}</ows:Identifier><ScaleDenominator>{scale}</ScaleDenominator>
<TopLeftCorner>{corner}</TopLeftCorner><TileWidth>256</TileWidth><TileHeight>256</TileHeight>
<MatrixWidth>{across}</MatrixWidth><MatrixHeight>{down}</MatrixHeight></TileMatrix>"""
_HITS = b"""<?xml version="1.0"?><wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" numberMatched="7"
numberReturned="0"/>"""
_EXCEPTION = b"""<?xml version="1.0"?><ServiceExceptionReport version="1.3.0">
<ServiceException code="LayerNotDefined">no such
layer</ServiceException></ServiceExceptionReport>"""


def wms(*names: str) -> bytes:
    """Capabilities of a WMS with these layers."""
    return _WMS.format(layers="".join(_LAYER.format(name=name) for name in names)).encode()


def tianditu(zooms: range = range(1, 19)) -> bytes:
    """Capabilities as Tianditu's WMTS would give them: sets `w` and `c`, levels by their numbers."""
    w = "".join(
        _MATRIX.format(z=z, scale=559082264.02872 / 2**z, corner="-20037508.34 20037508.34", across=2**z, down=2**z)
        for z in zooms
    )  # fmt: skip
    c = "".join(
        _MATRIX.format(z=z, scale=5.590822640285016e8 / 2**z, corner="90.0 -180.0", across=2**z, down=2**z // 2)
        for z in zooms
    )  # fmt: skip
    return _WMTS.format(w=w, c=c).encode()


def colour(z: int, x: int, y: int) -> tuple[int, int, int]:
    """What a tile is painted with: no two near each other look the same."""
    return z * 9 % 256, x % 256, y % 256


@cache
def tile(z: int, x: int, y: int) -> bytes:
    """A picture of one colour."""
    return _png(Image.new("RGB", (256, 256), colour(z, x, y)))


def seen(png: bytes) -> tuple[int, int, int]:
    """The colour of a picture's middle."""
    red, green, blue = Image.open(io.BytesIO(png)).convert("RGB").getpixel((128, 128))  # type: ignore[misc]
    return int(red), int(green), int(blue)


@dataclass
class Place:
    """What the server does, and what it was asked."""

    capabilities: bytes
    token: str = ""
    fault: str = ""
    """`slow`, `hang_up`, `half`, `html`, `huge`, `elsewhere`, `exception`, `json`, `status`; empty: none."""
    faulty: frozenset[str] = frozenset({"getcapabilities", "getmap", "gettile", "getfeature", "rest"})
    """Which requests the fault meets."""
    obeys: bool = True
    """False: it takes BBOX east first whatever WMS 1.3.0 says."""
    elsewhere: str = ""
    pause: float = 0.0
    ballast: int = 0
    """Bytes after each tile of a WMTS: pictures are seldom of one colour."""
    asked: list[tuple[str, Mapping[str, str], Mapping[str, str]]] = field(default_factory=list)
    """Path, query with names in lower case, headers with names in lower case."""
    url: str = ""
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def paths(self, request: str) -> list[Mapping[str, str]]:
        """The queries of these requests."""
        return [query for _, query, _ in self.asked if query.get("request", "rest").lower() == request]

    def entered(self, delta: int) -> None:
        """How many requests are under way."""
        with self._lock:
            self._now += delta
            self.most_at_once = max(self.most_at_once, self._now)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    place: Place


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """One request."""
        place = self.server.place
        parts = urlsplit(self.path)
        query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
        headers = {name.lower(): value for name, value in self.headers.items()}
        place.asked.append((parts.path, query, headers))
        place.entered(1)
        try:
            if place.pause:
                time.sleep(place.pause)
            request = query.get("request", "rest").lower()
            if place.fault and request in place.faulty:
                self._fail(place)
            elif place.token and query.get("tk") != place.token and place.token not in headers.get("x-token", ""):
                self._send(403, "text/plain", b"who are you")
            else:
                self._answer(place, request, parts.path, query)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            place.entered(-1)

    def _answer(self, place: Place, request: str, path: str, query: Mapping[str, str]) -> None:
        if request == "getcapabilities":
            self._send(200, "text/xml", place.capabilities)
        elif request == "gettile":
            names = ("tilematrix", "tilecol", "tilerow")
            z, x, y = (int(query[name].rpartition(":")[2]) for name in names)
            self._send(200, "image/png", tile(z, x, y) + bytes(place.ballast))
        elif request == "getmap":
            self._send(200, "image/png", _drawn(query, obeys=place.obeys))
        elif request == "getfeature":
            self._send(200, "text/xml", _HITS)
        elif match := _TILE.fullmatch(path):
            self._send(200, "image/png", tile(int(match["z"]), int(match["x"]), int(match["y"])))
        else:
            self._send(404, "text/plain", b"no such thing")

    def _fail(self, place: Place) -> None:
        match place.fault:
            case "slow":
                time.sleep(3)
            case "hang_up":
                self.connection.shutdown(socket.SHUT_RDWR)
            case "half":
                self.send_response(200)
                self.send_header("content-length", "1000")
                self.end_headers()
                self.wfile.write(b"half of it")
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
            case "html":
                self._send(200, "text/html", GATEWAY_PAGE)
            case "huge":
                self._huge()
            case "elsewhere":
                self.send_response(302)
                self.send_header("location", (place.elsewhere + self.path).encode().decode("latin-1"))
                self.send_header("content-length", "0")
                self.end_headers()
            case "exception":
                self._send(200, "text/xml", _EXCEPTION)
            case "echo":
                self._send(200, "text/xml", _EXCEPTION.replace(b"no such", self.path.encode().replace(b"&", b" ")))
            case "json":
                self._send(200, "application/json", '{"msg":"非法Key","code":12}'.encode())
            case _:
                self._send(500, "text/plain", b"broken")

    def _huge(self) -> None:
        """Fifty megabytes, as long as anybody listens."""
        self.send_response(200)
        self.send_header("content-length", str(50 * 1024 * 1024))
        self.end_headers()
        for _ in range(50):
            self.wfile.write(b" " * 1024 * 1024)

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _drawn(query: Mapping[str, str], *, obeys: bool) -> bytes:
    """A transparent picture with the city in red; degrees only."""
    first, second, third, fourth = map(float, query["bbox"].split(","))
    crs = query.get("crs") or query.get("srs") or ""
    turned = obeys and query["version"] == "1.3.0" and crs in {"EPSG:4326", "EPSG:4490"}
    west, south, east, north = (second, first, fourth, third) if turned else (first, second, third, fourth)
    width, height = int(query["width"]), int(query["height"])
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    if not (west < CITY[2] and east > CITY[0] and south < CITY[3] and north > CITY[1]):
        return _png(picture)
    left, right = ((value - west) / (east - west) * width for value in (CITY[0], CITY[2]))
    top, bottom = ((north - value) / (north - south) * height for value in (CITY[3], CITY[1]))
    box = (max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom)))
    if box[0] < box[2] and box[1] < box[3]:
        picture.paste((200, 30, 30, 255), box)
    return _png(picture)


def _png(picture: Image.Image) -> bytes:
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    return kept.getvalue()


@contextmanager
def upstream(place: Place, *, certificate: tuple[str, str] | None = None) -> Iterator[Place]:
    """The server, for as long as the block lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.place = place
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    place.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/maps"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05), daemon=True)
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
