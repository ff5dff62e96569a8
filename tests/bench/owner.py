"""A fast system that cases are delivered to: takes every request with success, counts, and does next to nothing else.

    python -m tests.bench.owner --port 18090 [--mark REGEX] [--answer JSON]

GET /_owner tells what came, as JSON; DELETE /_owner begins to count anew. With --mark, what its first group finds in
a body is what makes a delivery: how many different ones came, and how many came again.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import httptools
import httpx
import orjson
import uvloop

TOLD = b"/_owner"
LETTER = (
    b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    b'<LDXX_PostLeaderDetailResponse xmlns="http://tempuri.org/"><LDXX_PostLeaderDetailResult>success'
    b"</LDXX_PostLeaderDetailResult></LDXX_PostLeaderDetailResponse></soap:Body></soap:Envelope>"
)
TAKEN = b'{"status":{"code":"200","text":""},"custom":{"code":"1","text":""}}'


def answer(body: bytes, kind: str = "application/json", status: str = "200 OK") -> bytes:
    """A whole answer, made once."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Books:
    """What came. `mark`: finds what makes a delivery in a body; `other`: the answer to what is no letter."""

    def __init__(self, mark: re.Pattern[bytes] | None = None, other: bytes = TAKEN) -> None:
        self._mark, self._letter, self._other = mark, answer(LETTER, "text/xml"), answer(other)
        self.begin()

    def begin(self) -> None:
        """Forget everything."""
        self._paths: Counter[bytes] = Counter()
        self._marks: Counter[bytes] = Counter()
        self._seconds: Counter[int] = Counter()
        self._bytes = self._first = self._last = 0.0

    def taken(self, path: bytes, body: bytes) -> bytes:
        """Note a request; its answer."""
        self._last = now = time.time()
        self._first = self._first or now
        self._paths[path] += 1
        self._seconds[int(now)] += 1
        self._bytes += len(body)
        if self._mark is not None:
            found = self._mark.search(body)
            self._marks[found[1] if found else b""] += 1
        return self._letter if b"LDXX" in body else self._other

    def told(self) -> bytes:
        """Everything, as an answer. `marks` are deliveries, `again` those beyond the first of each."""
        marked = {mark: times for mark, times in self._marks.items() if mark}
        figures = {
            "requests": self._paths.total(), "bytes": int(self._bytes), "first": self._first, "last": self._last,
            "marks": len(marked), "again": sum(marked.values()) - len(marked), "unmarked": self._marks[b""],
            "paths": {path.decode("latin-1"): times for path, times in self._paths.items()},
            "seconds": {str(second): times for second, times in sorted(self._seconds.items())},
        }  # fmt: skip
        return answer(orjson.dumps(figures))


class Line(asyncio.Protocol):
    """One connection to the owner."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path, self._body = url, b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._path != TOLD:
            self._transport.write(self._books.taken(self._path, self._body))
            return
        self._transport.write(self._books.told())
        if self._parser.get_method() == b"DELETE":
            self._books.begin()


async def serve(port: int, books: Books) -> None:
    """Until it is cancelled."""
    server = await asyncio.get_running_loop().create_server(lambda: Line(books), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


@contextmanager
def standing(port: int, *options: str) -> Iterator[str]:
    """The owner in a process of its own; its address."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.owner", "--port", str(port), *options])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(url + TOLD.decode(), trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mark", type=lambda text: re.compile(text.encode()))
    parser.add_argument("--answer", type=str.encode, default=TAKEN, help="to what is no letter of urban management")
    chosen = parser.parse_args()
    uvloop.run(serve(chosen.port, Books(chosen.mark, chosen.answer)))


if __name__ == "__main__":
    main()
