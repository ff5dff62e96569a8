"""MapServer behind a real socket: somebody else's implementation, to load from and to compare with."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from connectors.ogc.asking import picture_type
from tests.maps.clients import mapserver


class _Handler(BaseHTTPRequestHandler):
    mapfile: Path

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """One request, handed to the program."""
        body = mapserver(self.mapfile, urlsplit(self.path).query)
        self.send_response(200)
        self.send_header("content-type", picture_type(body) or "text/xml")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(mapfile: Path, text: str) -> Iterator[str]:
    """Its address. `text` is the map file, `URL` in it stands for that address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"mapfile": mapfile}))
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    mapfile.write_text(text.replace("URL", address), encoding="utf-8")
    mapserver(mapfile, "SERVICE=WMS&REQUEST=GetCapabilities")  # says so where it is not installed
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
