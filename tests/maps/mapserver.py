"""MapServer, somebody else's implementation of the same services: one FastCGI process, and the same over HTTP.

To load from, to watch, and to compare with. Where it is not installed the test is skipped and says so.
"""

import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode, urlsplit

from connectors.ogc.asking import picture_type
from tests.maps.clients import environment, found

_BEGIN, _PARAMS, _STDIN, _STDOUT, _END = 1, 4, 5, 6, 3
_TICKS = os.sysconf("SC_CLK_TCK")
_MAP = """MAP
 NAME "city" EXTENT 117 30 119 32 UNITS DD SIZE 256 256 IMAGETYPE PNG24
 PROJECTION "init=epsg:4490" END
 OUTPUTFORMAT NAME "png24" DRIVER AGG/PNG MIMETYPE "image/png" IMAGEMODE RGBA EXTENSION "png" TRANSPARENT ON END
 WEB METADATA
  "ows_title" "City of MapServer 城市" "ows_onlineresource" "URL?" "ows_enable_request" "*" {metadata}
  "ows_srs" "EPSG:4490 EPSG:4326 EPSG:3857" "ows_encoding" "UTF-8"
 END END
 LAYER
  NAME "{layer}" TYPE POLYGON STATUS ON CONNECTIONTYPE OGR CONNECTION "{file}" DATA "{layer}"
  PROJECTION "init=epsg:4490" END
  METADATA "ows_title" "{title}" "gml_include_items" "all" "gml_featureid" "{key}" END
  CLASS STYLE COLOR 200 30 30 END END
 END
END
"""


class MapServer:
    """One FastCGI process."""

    def __init__(self, path: Path, mapfile: Path, pid: int) -> None:
        self._path, self._mapfile, self._pid = path, mapfile, pid

    def get(self, **parameters: object) -> bytes:
        """The body of an answer."""
        return self.answer(urlencode({key: str(value) for key, value in parameters.items()}))

    def answer(self, query: str) -> bytes:
        """The same of a query as it goes over the wire."""
        told = {"REQUEST_METHOD": "GET", "QUERY_STRING": f"map={self._mapfile}&{query}"}
        return _asked(self._path, told).partition(b"\r\n\r\n")[2]

    @property
    def cpu(self) -> float:
        """Seconds of CPU it has used."""
        fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def one_layer(file: Path, layer: str, *, title: str, key: str, metadata: str = "") -> str:
    """A map file of one layer of polygons in CGCS2000 degrees. `key`: the column that names a feature."""
    return _MAP.format(file=file, layer=layer, title=title, key=key, metadata=metadata)


@contextmanager
def started(text: str, folder: Path) -> Iterator[MapServer]:
    """MapServer with a map file of this text, in a folder of its own, for as long as this lasts."""
    program = found("mapserv", "mapserver-bin")
    mapfile, config = folder / "city.map", folder / "mapserver.conf"
    mapfile.write_text(text, encoding="utf-8")
    config.write_text('CONFIG\n ENV\n  "MS_MAP_PATTERN" "."\n END\nEND\n', encoding="ascii")
    path = folder / "fcgi"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        told = environment(str(folder)) | {"MAPSERVER_CONFIG_FILE": str(config)}
        process = subprocess.Popen([program], stdin=listener.fileno(), env=told)
        try:
            yield MapServer(path, mapfile, process.pid)
        finally:
            process.kill()
            process.wait()


@contextmanager
def serving(text: str, folder: Path) -> Iterator[str]:
    """The address of MapServer with a map file of this text, `URL` in it standing for that address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    try:
        with started(text.replace("URL", address), folder) as mapserver:
            server.RequestHandlerClass = type("Handler", (_Handler,), {"mapserver": mapserver})
            thread.start()
            try:
                yield address
            finally:
                server.shutdown()
                thread.join()
    finally:
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    mapserver: MapServer

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """One request, handed on."""
        body = self.mapserver.answer(urlsplit(self.path).query)
        self.send_response(200)
        self.send_header("content-type", picture_type(body) or "text/xml")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _asked(path: Path, parameters: Mapping[str, str]) -> bytes:
    """One request of FastCGI 1.0, on a connection of its own."""
    pairs = b"".join(_pair(key.encode(), value.encode()) for key, value in parameters.items())
    sent = _record(_BEGIN, struct.pack("!HB5x", 1, 0)) + _record(_PARAMS, pairs) + _record(_PARAMS, b"")
    out = bytearray()
    with socket.socket(socket.AF_UNIX) as line:
        until = time.monotonic() + 10
        while True:
            try:
                line.connect(str(path))
                break
            except OSError:
                if time.monotonic() > until:
                    raise
        line.sendall(sent + _record(_STDIN, b""))
        stream = line.makefile("rb")
        while head := stream.read(8):
            _, kind, _, length, padding = struct.unpack("!BBHHBx", head)
            body = stream.read(length)
            stream.read(padding)
            if kind == _STDOUT:
                out += body
            if kind == _END:
                break
    return bytes(out)


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BBHHBx", 1, kind, 1, len(body), 0) + body


def _pair(key: bytes, value: bytes) -> bytes:
    sizes = b"".join(
        struct.pack("!I", len(one) | 0x80000000) if len(one) > 127 else bytes([len(one)]) for one in (key, value)
    )
    return sizes + key + value
