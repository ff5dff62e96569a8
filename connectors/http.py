"""HTTP as other systems speak it: one request, one answer of any status.

It must never know what a body means: whether HTTP 200 is success is the adapter's judgement.
"""

import gzip
import io
import secrets
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import httpx

from canonical.errors import ContractViolation, HubError, InDoubt, Misconfigured, Unavailable
from canonical.message import Message
from connectors.credentials import Credentials, Login, Session, tls

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer's body, as it comes and unpacked."""

# Many servers drop an idle connection after five seconds; one dropped while we write leaves the message in doubt.
KEEP_IDLE_SECONDS = 2.0

# We ask for no compression: the journal keeps the bytes as they came. Some servers compress all the same.
_HEADERS = {"user-agent": "gridhub", "accept": "*/*", "accept-encoding": "identity"}

_PLAIN = frozenset({"", "identity"})

_NOT_TAKEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Nothing of the message has left us."""

_CERTIFICATE_ALERTS = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED",
        "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    }
)  # fmt: skip
"""OpenSSL's words for: your certificate will not do. TLS 1.3 says it when we have sent already, yet before it reads."""


class HttpConnector:
    """Sends to one system below `base_url`. Safe to share between threads.

    `timeout`: seconds for connecting, for each wait, and for the whole of an answer's body. `verify`: False for none,
    or a context that knows the authority which signed the other side's certificate. `credentials`: how we sign in; its
    Authorization replaces a message's own. `max_answer`: bytes of the largest answer. Raises Misconfigured.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        verify: bool | ssl.SSLContext = True,
        credentials: Credentials | None = None,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        shown = credentials or Credentials()
        self._base_url = _checked(base_url, shown)
        self._timeout = timeout
        self._max_answer = max_answer
        self._login = Login(shown, cnonces=lambda: secrets.token_hex(16))
        self._ids = ids
        self._now = now
        # The environment's proxies and key files are not ours to obey: how a system is reached stands in its settings.
        self._client = httpx.Client(
            timeout=timeout, verify=tls(shown, verify), follow_redirects=False, trust_env=False, headers=_HEADERS,
            limits=httpx.Limits(keepalive_expiry=KEEP_IDLE_SECONDS),
        )  # fmt: skip

    def seal(self, message: Message) -> Message:
        """The message as it goes on the wire: here already what the adapter wrote."""
        return message

    def send(self, message: Message) -> Message:
        """Send once and return the answer, redirects and errors of the other side included.

        With Digest, an answer 401 is answered once by the same message signed anew; a second 401 is returned.
        Raises Unavailable when nothing was sent, InDoubt when something was and no whole answer came, and
        ContractViolation when the path or a header cannot be sent at all.
        """
        session = self._login.session()
        try:
            response, body = self._exchange(message, session)
            if response.status_code == httpx.codes.UNAUTHORIZED:
                response, body = self._signed_in(message, response, body)
        except httpx.HTTPError as error:
            raise _ours(message.system, error) from None  # their texts may quote what was received
        return Message(
            system=message.system, body=body, at=self._now(), id=self._ids(), door=message.door,
            content_type=response.headers.get("content-type", ""), headers=_headers(response),
            method=message.method, path=message.path, status=response.status_code, parent=message.id,
        )  # fmt: skip

    def close(self) -> None:
        """Give back connections. Harmless twice."""
        self._client.close()

    def _signed_in(self, message: Message, refusal: httpx.Response, body: bytes) -> tuple[httpx.Response, bytes]:
        """The answer to the same message once more, with what the refusal asks for; else the refusal itself."""
        asked = [value for name, value in refusal.headers.raw if name.lower() == b"www-authenticate"]
        session = self._login.challenged(asked)
        if session is None:
            return refusal, body
        response, body = self._exchange(message, session)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            self._login.taken(session)
        return response, body

    def _exchange(self, message: Message, session: Session | None) -> tuple[httpx.Response, bytes]:
        request = self._request(message)
        if session is not None:
            shown = session.authorization(request.method, request.url.raw_path)
            kept = [(name, value) for name, value in request.headers.raw if name.lower() != b"authorization"]
            request.headers = httpx.Headers([*kept, (b"authorization", shown)])
        response = self._client.send(request, stream=True)
        try:
            return response, self._body(message.system, response)
        finally:
            response.close()

    def _request(self, message: Message) -> httpx.Request:
        if message.path and message.path[0] not in "/?":  # else `@other.host` would change the host
            raise ContractViolation(f"{message.system}: a path begins with '/'", at="path")
        headers = dict(message.headers)
        if message.content_type:
            headers["content-type"] = message.content_type
        try:
            return self._client.build_request(
                message.method, self._base_url + message.path, headers=headers, content=message.body or None
            )
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise ContractViolation(f"{message.system}: the path or a header cannot be sent", at="path") from None

    def _body(self, system: str, response: httpx.Response) -> bytes:
        until = time.monotonic() + self._timeout
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > self._max_answer:
                raise self._too_large(system)
            if time.monotonic() > until:
                raise InDoubt(f"{system}: the answer did not end in {self._timeout:g} seconds")
        encoding = _encoding(response)
        return bytes(body) if encoding in _PLAIN or not body else self._unpacked(system, bytes(body), encoding)

    def _unpacked(self, system: str, packed: bytes, encoding: str) -> bytes:
        """What was packed; never more of it is made than an answer may have."""
        if encoding not in _UNPACKERS:
            raise InDoubt(f"{system}: the answer is in a content encoding nobody asked for")
        try:
            body = _UNPACKERS[encoding](packed, self._max_answer + 1)
        except (zlib.error, gzip.BadGzipFile, EOFError):
            raise InDoubt(f"{system}: the answer is not the whole {encoding} it says it is") from None
        if len(body) > self._max_answer:
            raise self._too_large(system)
        return body

    def _too_large(self, system: str) -> InDoubt:
        return InDoubt(f"{system}: the answer is larger than {self._max_answer} bytes")


def _checked(base_url: str, credentials: Credentials) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise Misconfigured(f"the system's address is not a URL: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise Misconfigured("the system's address must look like https://host/path")
    if url.userinfo and credentials.scheme != "none":
        raise Misconfigured("the system's address names a user, and so do its credentials")
    return base_url.rstrip("/")


def _encoding(response: httpx.Response) -> str:
    return str(response.headers.get("content-encoding", "")).strip().lower()


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


def _headers(response: httpx.Response) -> Mapping[str, str]:
    """By lower-case name. Those that speak of packed bytes are gone when the body has been unpacked."""
    gone = set() if _encoding(response) in _PLAIN else {"content-encoding", "content-length"}
    return MappingProxyType({name.lower(): value for name, value in response.headers.items() if name not in gone})


def _ours(system: str, error: httpx.HTTPError) -> HubError:
    """The one place where httpx's errors become ours."""
    what = type(error).__name__
    if isinstance(error, _NOT_TAKEN):
        return Unavailable(f"{system}: no connection ({what}: {error})")
    if isinstance(error, httpx.LocalProtocolError):  # h11 refuses a header before it writes the first byte
        return ContractViolation(f"{system}: a header cannot be sent", at="headers")
    if _certificate_refused(error):
        return Unavailable(f"{system}: the other side refuses our certificate, or wants one")
    return InDoubt(f"{system}: sent, and no whole answer came ({what})")


def _certificate_refused(error: httpx.HTTPError) -> bool:
    """Whether httpcore's error below, which carries the socket's as its argument, is such an alert."""
    carried = getattr(error.__cause__, "args", ())
    return any(isinstance(inner, ssl.SSLError) and inner.reason in _CERTIFICATE_ALERTS for inner in carried)
