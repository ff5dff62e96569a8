"""HTTP's bytes: what a message is on the wire, and what an answer is as a message. Pure; moves nothing."""

import gzip
import io
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import httpx

from canonical.errors import ContractViolation, InDoubt
from canonical.message import Message
from connectors.credentials import Session
from connectors.http_line import Answer, Request

# We ask for no compression: the journal keeps the bytes as they came. Some servers compress all the same.
_USUAL = {"Connection": "keep-alive", "user-agent": "gridhub", "accept": "*/*", "accept-encoding": "identity"}

_PLAIN = frozenset({"", "identity"})
_PACKED_HEADERS = ("content-encoding", "content-length")

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"(?:[!-~]+(?:[ \t]+[!-~]+)*)?")
_QUICK = re.compile(r"(?!.*/\.)[/?][A-Za-z0-9\-._~!$&'()*+,;=:@/?]{0,8000}")
"""Paths that go on the wire as they are."""
_LENGTH_SAID = frozenset({"POST", "PUT", "PATCH"})
"""Methods with which an empty body is said to be one."""


class Form:
    """How messages to one base address are written."""

    def __init__(self, base_url: str) -> None:
        """`base_url`: checked already, without a slash at its end."""
        url = httpx.URL(base_url)
        self._base_url = base_url
        self._prefix = url.raw_path.rstrip(b"/").decode("ascii")
        self._usual = {"host": b"Host: " + url.netloc + b"\r\n"}
        self._usual |= {name.lower(): _line(name, value) for name, value in _USUAL.items()}

    def request(self, message: Message, session: Session | None) -> Request:
        """The message as bytes, with what is shown to sign in. Raises ContractViolation when it cannot be sent."""
        method, target = self._method(message), self._target(message)
        lines = dict(self._usual)
        try:
            for name, value in message.headers.items():
                lines[name.lower()] = _line(name, value)
            if message.content_type:
                lines["content-type"] = _line("content-type", message.content_type)
        except ValueError:
            raise ContractViolation(f"{message.system}: a header cannot be sent", at="headers") from None
        if session is not None:
            lines["authorization"] = b"authorization: " + session.authorization(method, target) + b"\r\n"
        self._measure(message, method, lines)
        head = b"".join((method.encode(), b" ", target, b" HTTP/1.1\r\n", *lines.values(), b"\r\n"))
        return Request(message.system, head, message.body, method == "HEAD")

    def _method(self, message: Message) -> str:
        if not _NAME.fullmatch(message.method):
            raise ContractViolation(f"{message.system}: this is no HTTP method", at="method")
        return message.method.upper()

    def _target(self, message: Message) -> bytes:
        path = message.path
        if path and path[0] not in "/?":  # else `@other.host` would change the host
            raise ContractViolation(f"{message.system}: a path begins with '/'", at="path")
        if _QUICK.fullmatch(path):
            bare = "/" if path[0] == "?" and not self._prefix else ""
            return f"{self._prefix}{bare}{path}".encode()
        try:
            return httpx.URL(self._base_url + path).raw_path
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise ContractViolation(f"{message.system}: the path cannot be sent", at="path") from None

    def _measure(self, message: Message, method: str, lines: dict[str, bytes]) -> None:
        """Say how long the body is; a message that says so itself must be right."""
        length = len(message.body)
        said = lines.get("content-length", _length(length)).partition(b":")[2]
        if "transfer-encoding" in lines or said.strip() != str(length).encode():
            raise ContractViolation(f"{message.system}: how long the body is, is not for a header to say", at="headers")
        if length or method in _LENGTH_SAID:
            lines["content-length"] = _length(length)


def _length(length: int) -> bytes:
    return b"Content-Length: %d\r\n" % length


def _line(name: str, value: str) -> bytes:
    """Raises ValueError."""
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError
    return f"{name}: {value}\r\n".encode("ascii")


def named(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """By lower-case name; what comes more than once is joined by commas. UTF-8, else one character a byte."""
    try:
        return _named(headers, "utf-8")
    except UnicodeDecodeError:
        return _named(headers, "latin-1")


def _named(headers: Sequence[tuple[bytes, bytes]], encoding: str) -> dict[str, str]:
    found = dict[str, str]()
    for raw, value in headers:
        name = raw.decode(encoding).lower()
        found[name] = f"{found[name]}, {value.decode(encoding)}" if name in found else value.decode(encoding)
    return found


def opened(system: str, answer: Answer, most: int) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers; a packed body is unpacked, and the headers that speak of packed bytes are gone. Raises InDoubt.

    `most`: bytes of the largest body, unpacked.
    """
    headers, body = named(answer.headers), answer.body
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in _PLAIN:
        body = _unpacked(system, body, encoding, most) if body else body
        for name in _PACKED_HEADERS:
            headers.pop(name, None)
    return body, MappingProxyType(headers)


def _unpacked(system: str, packed: bytes, encoding: str, most: int) -> bytes:
    """What was packed; never more of it is made than an answer may have."""
    if encoding not in _UNPACKERS:
        raise InDoubt(f"{system}: the answer is in a content encoding nobody asked for")
    try:
        body = _UNPACKERS[encoding](packed, most + 1)
    except (zlib.error, gzip.BadGzipFile, EOFError):
        raise InDoubt(f"{system}: the answer is not the whole {encoding} it says it is") from None
    if len(body) > most:
        raise InDoubt(f"{system}: the answer is larger than {most} bytes")
    return body


def _gunzipped(packed: bytes, most: int) -> bytes:
    """The first `most` bytes. Raises EOFError, BadGzipFile or zlib.error."""
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        return file.read(most)


def _inflated(packed: bytes, most: int) -> bytes:
    """The first `most` bytes. Raises EOFError or zlib.error."""
    # Some servers leave out the zlib header that `deflate` should have (RFC 9110, 8.4.1.2).
    headed = packed[0] & 15 == 8 and int.from_bytes(packed[:2], "big") % 31 == 0
    unpacker = zlib.decompressobj(zlib.MAX_WBITS if headed else -zlib.MAX_WBITS)
    body = unpacker.decompress(packed, most)
    if len(body) < most and not unpacker.eof:
        raise EOFError
    return body


_UNPACKERS: Mapping[str, Callable[[bytes, int], bytes]] = MappingProxyType(
    {"gzip": _gunzipped, "x-gzip": _gunzipped, "deflate": _inflated}
)
