"""HTTP as other systems speak it: one request, one answer of any status.

It must never know what a body means: whether HTTP 200 is success is the adapter's judgement.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import httpx

from canonical.errors import ContractViolation, HubError, InDoubt, Misconfigured, Unavailable
from canonical.message import Message

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer's body."""

# Many servers drop an idle connection after five seconds; one dropped while we write leaves the message in doubt.
KEEP_IDLE_SECONDS = 2.0

# No compression: the journal keeps the bytes as they came, and a small answer cannot unpack to a huge one.
_HEADERS = {"user-agent": "gridhub", "accept": "*/*", "accept-encoding": "identity"}

_NOT_TAKEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Nothing of the message has left us."""


class HttpConnector:
    """Sends to one system below `base_url`. Safe to share between threads.

    `timeout`: seconds for connecting, for each wait, and for the whole of an answer's body. `verify`: False for none,
    or a context that knows the authority which signed the other side's certificate.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        verify: bool | ssl.SSLContext = True,
    ) -> None:
        self._base_url = _checked(base_url)
        self._timeout = timeout
        self._ids = ids
        self._now = now
        # The environment's proxies and key files are not ours to obey: how a system is reached stands in its settings.
        self._client = httpx.Client(
            timeout=timeout, verify=verify, follow_redirects=False, trust_env=False, headers=_HEADERS,
            limits=httpx.Limits(keepalive_expiry=KEEP_IDLE_SECONDS),
        )  # fmt: skip

    def seal(self, message: Message) -> Message:
        """The message as it goes on the wire: here already what the adapter wrote."""
        return message

    def send(self, message: Message) -> Message:
        """Send once and return the answer, redirects and errors of the other side included.

        Raises Unavailable when nothing was sent, InDoubt when something was and no whole answer came, and
        ContractViolation when the path or a header cannot be sent at all.
        """
        request = self._request(message)
        try:
            response = self._client.send(request, stream=True)
            try:
                body = self._body(message.system, response)
            finally:
                response.close()
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
            if len(body) > MAX_ANSWER:
                raise InDoubt(f"{system}: the answer is larger than {MAX_ANSWER} bytes")
            if time.monotonic() > until:
                raise InDoubt(f"{system}: the answer did not end in {self._timeout:g} seconds")
        return bytes(body)


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise Misconfigured(f"the system's address is not a URL: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise Misconfigured("the system's address must look like https://host/path")
    return base_url.rstrip("/")


def _headers(response: httpx.Response) -> Mapping[str, str]:
    return MappingProxyType({name.lower(): value for name, value in response.headers.items()})


def _ours(system: str, error: httpx.HTTPError) -> HubError:
    """The one place where httpx's errors become ours."""
    what = type(error).__name__
    if isinstance(error, _NOT_TAKEN):
        return Unavailable(f"{system}: no connection ({what}: {error})")
    if isinstance(error, httpx.LocalProtocolError):  # h11 refuses a header before it writes the first byte
        return ContractViolation(f"{system}: a header cannot be sent", at="headers")
    return InDoubt(f"{system}: sent, and no whole answer came ({what})")
