"""A server of files that are larger than any hub should take, for scenarios about attachments."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CHUNK = b"\xff\xd8\xff\xe0" + bytes(65_532)
_CHUNKS = 640
"""Forty megabytes; the hub takes fewer, and stops reading."""


class _Huge(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A picture without end."""
        self.send_response(200)
        self.send_header("content-type", "image/jpeg")
        self.send_header("content-length", str(len(_CHUNK) * _CHUNKS))
        self.end_headers()
        with suppress(ConnectionError):  # the hub hangs up, as it should
            for _ in range(_CHUNKS):
                self.wfile.write(_CHUNK)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@contextmanager
def huge_files() -> Iterator[str]:
    """The server's address, while the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Huge) as server:
        thread = threading.Thread(target=server.serve_forever, name="huge-files")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
