"""The door at /console/: files with the headers that keep every other host out, and the way there from /."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from adapters import Reply
from gateway.console.folder import HASHED, INDEX, Folder, Sent, built
from gateway.wire import Scope, Send, answer, plain

HOME = "/console/"
_ROOTS = frozenset({"/", "/console"})

POLICY = "; ".join((
    "default-src 'self'",
    "img-src 'self' data: blob:",  # pictures that maps and charts draw for themselves
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
))  # fmt: skip
"""No other host, no script and no style but those of our files. Components set styles as properties, not as text."""

_HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}
_FOR_EVER, _ASK = "public, max-age=31536000, immutable", "no-cache"

_MISSING = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>gridhub</title></head><body>
<h1>控制台尚未安装</h1>
<p>集成中心运行正常，接口在 <a href="/api/openapi.json">/api</a>。控制台的网页文件还没有生成：请在这台机器上安装
Node.js 20.19 或更新版本（含 npm），然后在源码目录运行 <code>make console</code>，或重新运行 <code>make demo</code>；
也可以安装带有控制台的 wheel 包。完成后刷新本页。</p>
<h1 lang="en">The console is not installed</h1>
<p lang="en">The hub works, and its API is at <a href="/api/openapi.json">/api</a>. The console's files have not been
built: install Node.js 20.19 or newer (with npm) on this machine, then run <code>make console</code>, or
<code>make demo</code> again, in the source folder; or install a wheel that carries the console. Then load this page
again.</p>
</body></html>
"""


class ConsoleDoor:
    """ASGI for /console/ and /. `folder`: of the built files; by default where they are found."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._kept: Folder | None = None

    @staticmethod
    def serves(scope: Scope) -> bool:
        """True when the request is the console's: below /console, or a browser's at the root."""
        path: str = scope["path"]
        return path.startswith(HOME) or path == "/console" or (path == "/" and _wants_page(_headers(scope)))

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Answer one request; its body, if there is any, is not read."""
        if scope["method"] not in ("GET", "HEAD"):
            await plain(send, HTTPStatus.METHOD_NOT_ALLOWED, "method", "only GET and HEAD", {"allow": "GET, HEAD"})
        elif scope["path"] in _ROOTS:
            await answer(send, Reply(HTTPStatus.TEMPORARY_REDIRECT, "text/plain", b"", {"location": HOME}))
        else:
            await self._file(scope, send)

    async def _file(self, scope: Scope, send: Send) -> None:
        headers = _headers(scope)
        where = self._folder or built()  # asked each time: it may be built while the hub runs
        if where is None:
            reply = Reply(HTTPStatus.NOT_FOUND, "text/html; charset=utf-8", _MISSING.encode(), _own())
            return await _reply(send, scope, reply)
        name = scope["path"].removeprefix(HOME) or INDEX
        found = self._files(where).sent(name, _codings(headers))
        if found is None and not name.startswith(HASHED) and _wants_page(headers):
            found = self._files(where).sent(INDEX, _codings(headers))  # an address inside the page
        if found is None:
            return await plain(send, HTTPStatus.NOT_FOUND, "unknown_file", "the console has no such file", _own())
        return await _reply(send, scope, _sent(found, headers))

    def _files(self, where: Path) -> Folder:
        if self._kept is None or self._kept.root != where:
            self._kept = Folder(where)
        return self._kept


def _sent(file: Sent, headers: Mapping[str, str]) -> Reply:
    kept = _FOR_EVER if file.lasting else _ASK
    more = _own() | {"etag": file.etag, "cache-control": kept, "vary": "accept-encoding"}
    if _known(headers.get("if-none-match", ""), file.etag):
        return Reply(HTTPStatus.NOT_MODIFIED, file.media_type, b"", more)
    coding = {"content-encoding": file.coding} if file.coding else {}
    return Reply(HTTPStatus.OK, file.media_type, file.body, more | coding)


async def _reply(send: Send, scope: Scope, reply: Reply) -> None:
    """As `answer`, but a HEAD has the length and not the body."""
    if scope["method"] == "GET":
        return await answer(send, reply)
    headers = {"content-type": reply.content_type, "content-length": str(len(reply.body)), **reply.headers}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": b""})
    return None


def _own() -> dict[str, str]:
    return dict(_HEADERS)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _wants_page(headers: Mapping[str, str]) -> bool:
    return "text/html" in headers.get("accept", "").lower()


def _codings(headers: Mapping[str, str]) -> frozenset[str]:
    """The codings a client takes: `gzip, br;q=0` is gzip alone."""
    parts = (part.strip().lower().partition(";") for part in headers.get("accept-encoding", "").split(","))
    return frozenset(name.strip() for name, _, more in parts if more.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00"))


def _known(told: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in told.split(",")}
    return etag in tags or "*" in tags
