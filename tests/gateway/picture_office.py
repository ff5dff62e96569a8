"""An office that takes orders with pictures, as such platforms are written: tokens, salts, uploads, versions.

It was written from a manual and knows nothing of the hub: it looks at what arrives and says yes or no.
"""

import email
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(slots=True)
class Office:
    """What the office knows, whether its server is up or not."""

    asked: list[str] = field(default_factory=list)
    """Method and path of every request, in order."""
    tokens: set[str] = field(default_factory=set)
    salts: set[str] = field(default_factory=set)
    """Those that were given and not used yet."""
    files: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    """By id: name, media type, bytes."""
    orders: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    largest: int = 1_000_000
    wrong: dict[str, list[int]] = field(default_factory=dict)
    """By path: statuses that are answered first, one a request."""
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    """By path: what happens before an answer goes out."""
    number: int = 0

    def next(self, letter: str) -> str:
        """A fresh name."""
        self.number += 1
        return f"{letter}{self.number}"

    def count(self, line: str) -> int:
        """How often this was asked."""
        return self.asked.count(line)


class Server(ThreadingHTTPServer):
    """The office's door."""

    def __init__(self, office: Office, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.office = office
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()

    def down(self) -> None:
        """No connection is taken any more. Harmless twice."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _any(self) -> None:
        office = self.server.office
        path = unquote(self.path.partition("?")[0])
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        office.asked.append(f"{self.command} {path}")
        status, document, headers = self._judged(office, path, body)
        if path in office.meanwhile:
            office.meanwhile.pop(path)()
        told = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_PUT = _any  # noqa: N815

    def _judged(self, office: Office, path: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        if office.wrong.get(path):
            return office.wrong[path].pop(0), {"code": 500, "msg": "稍后再试"}, {}
        if path == "/login":
            token = office.next("t")
            office.tokens = {token}
            return 200, {"code": 0, "token": token}, {}
        if self.headers.get("x-token") not in office.tokens:
            return 401, {"code": 401, "msg": "令牌过期"}, {}
        first = path.split("/")[1]
        found: tuple[int, Any, dict[str, str]] = getattr(self, f"_{first}")(office, path, body)
        return found

    def _salt(self, office: Office, _path: str, _body: bytes) -> tuple[int, Any, dict[str, str]]:
        salt = office.next("s")
        office.salts.add(salt)
        return 200, {"code": 0, "salt": salt}, {}

    def _files(self, office: Office, _path: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = list(email.message_from_bytes(head + body, policy=policy.HTTP).iter_parts())
        [file] = [part for part in parts if part.get_filename()]
        content = file.get_payload(decode=True)
        assert isinstance(content, bytes)
        if len(content) > office.largest:
            return 200, {"code": 9, "msg": "图片过大"}, {}
        id_ = office.next("F")
        office.files[id_] = (file.get_filename() or "", file.get_content_type(), content)
        return 200, {"code": 0, "fileId": id_}, {}

    def _raw(self, office: Office, path: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        office.files[path] = (path, self.headers.get("content-type", ""), body)
        return 201, b"", {"location": f"/stored{path}", "etag": f'"{hashlib.md5(body).hexdigest()}"'}

    def _orders(self, office: Office, path: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        number = path.rpartition("/")[2]
        if self.command == "GET":
            return 200, {"code": 0, "no": number}, {"etag": f'"v{office.versions.setdefault(number, 1)}"'}
        order = json.loads(body)
        if self.command == "PUT":
            if self.headers.get("if-match") != f'"v{office.versions.get(number)}"':
                return 412, {"code": 412, "msg": "版本已变"}, {}
            office.versions[number] += 1
        if "sign" in order and not self._signed(office, order):
            return 200, {"code": 8, "msg": "签名错误"}, {}
        if any(one not in office.files for one in order.get("fileIds", [])):
            return 200, {"code": 7, "msg": "无此文件"}, {}
        office.orders.append(order)
        return 200, {"code": 0, "id": f"O-{len(office.orders)}"}, {}

    def _signed(self, office: Office, order: dict[str, Any]) -> bool:
        """Signed with a salt that was given out and not used yet."""
        for salt in list(office.salts):
            if order["sign"] == hashlib.sha256(f"{order['no']}{salt}".encode()).hexdigest():
                office.salts.discard(salt)
                return True
        return False

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def opened(office: Office) -> Iterator[Server]:
    """Its server, until the block ends."""
    server = Server(office)
    try:
        yield server
    finally:
        server.down()


@dataclass(frozen=True, slots=True)
class Served:
    """What a platform answers; a document that is no bytes goes out as JSON."""

    document: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answering = Callable[[str, str, Mapping[str, str], Mapping[str, str], bytes], Served]
"""Method, path, query, headers and body to the answer."""


@contextmanager
def serving(answer: Answering) -> Iterator[str]:
    """A platform's address, while the block lasts. It is asked one request at a time."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                said = answer(self.command, unquote(parts.path), dict(parse_qsl(parts.query)), headers, body)
            told = said.document if isinstance(said.document, bytes) else json.dumps(said.document).encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else told)

        do_GET = do_HEAD = do_POST = do_PUT = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Quiet."""

    lock = threading.Lock()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
