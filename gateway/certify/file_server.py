"""The bench's own files: a small picture under any name, and under /huge.jpg more than any hub should take."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_SMALL = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(300) + b"\xff\xd9"
_CHUNK = bytes(65_536)
_CHUNKS = 1100
"""Seventy megabytes; the hub takes fewer, and stops reading."""


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A picture."""
        chunks = _CHUNKS if self.path == "/huge.jpg" else 0
        self.send_response(200)
        self.send_header("content-type", "image/jpeg")
        self.send_header("content-length", str(len(_SMALL) + len(_CHUNK) * chunks))
        self.end_headers()
        with suppress(ConnectionError):  # the hub hangs up, as it should
            self.wfile.write(_SMALL)
            for _ in range(chunks):
                self.wfile.write(_CHUNK)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@contextmanager
def file_server() -> Iterator[str]:
    """The server's address, while the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever, name="files")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
