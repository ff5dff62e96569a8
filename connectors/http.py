"""HTTP as other systems speak it: one request, one answer of any status.

It must never know what a body means: whether HTTP 200 is success is the adapter's judgement.
"""

import asyncio
import secrets
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import httpx

from canonical.errors import Misconfigured
from canonical.message import Message
from connectors import background
from connectors.credentials import Credentials, Login, tls
from connectors.http_line import Answer, Limits
from connectors.http_lines import Address, Lines
from connectors.http_wire import Form, opened

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer's body, as it comes and unpacked."""

# Many servers drop an idle connection after five seconds; one dropped while we write leaves the message in doubt.
KEEP_IDLE_SECONDS = 2.0

_UNAUTHORIZED = 401
_PORTS = {"http": 80, "https": 443}


class HttpConnector:
    """Sends to one system below `base_url`. Safe to share between threads and event loops.

    `timeout`: seconds for connecting, for the beginning of an answer since the other side last took something of the
    message, and for the whole of the answer's body. `verify`: False for none, or a context that knows the authority
    which signed the other side's certificate. `credentials`: how we sign in; its Authorization replaces a message's
    own. `max_answer`: bytes of the largest answer. Raises Misconfigured.
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
        url, shown = _checked(base_url, credentials or Credentials())
        self._form = Form(base_url.rstrip("/"))
        self._max_answer = max_answer
        self._login = Login(shown, cnonces=lambda: secrets.token_hex(16))
        self._ids = ids
        self._now = now
        self._address = Address(
            url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme], _trust(url, shown, verify)
        )
        self._limits = Limits(wait=timeout, body=max_answer, idle=KEEP_IDLE_SECONDS)
        self._lines: dict[asyncio.AbstractEventLoop, Lines] = {}

    def seal(self, message: Message) -> Message:
        """The message as it goes on the wire: here already what the adapter wrote."""
        return message

    def send(self, message: Message) -> Message:
        """The same as `exchange`, for threads without an event loop."""
        return background.run(self.exchange(message))

    async def exchange(self, message: Message) -> Message:
        """Send once and return the answer, redirects and errors of the other side included.

        With Digest, an answer 401 is answered once by the same message signed anew; a second 401 is returned.
        Raises Unavailable when nothing was sent, InDoubt when something was and no whole answer came, and
        ContractViolation when the path or a header cannot be sent at all.
        """
        lines = self._here()
        answer = await lines.exchange(self._form.request(message, self._login.session()))
        if answer.status == _UNAUTHORIZED:
            answer = await self._signed_in(message, answer, lines)
        body, headers = opened(message.system, answer, self._max_answer)
        return Message(
            system=message.system, body=body, at=self._now(), id=self._ids(), door=message.door,
            content_type=headers.get("content-type", ""), headers=headers,
            method=message.method, path=message.path, status=answer.status, parent=message.id,
        )  # fmt: skip

    def close(self) -> None:
        """Give back connections. Harmless twice."""
        here = asyncio._get_running_loop()
        while self._lines:
            loop, lines = self._lines.popitem()
            if loop is here:
                lines.close()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(lines.close)

    async def _signed_in(self, message: Message, refusal: Answer, lines: Lines) -> Answer:
        """The answer to the same message once more, with what the refusal asks for; else the refusal itself."""
        asked = [value for name, value in refusal.headers if name.lower() == b"www-authenticate"]
        session = self._login.challenged(asked)
        if session is None:
            return refusal
        answer = await lines.exchange(self._form.request(message, session))
        if answer.status != _UNAUTHORIZED:
            self._login.taken(session)
        return answer

    def _here(self) -> Lines:
        """The lines on the loop that runs now: what belongs to one loop is of no use on another."""
        loop = asyncio.get_running_loop()
        lines = self._lines.get(loop)
        if lines is None:
            for other in [known for known in tuple(self._lines) if known.is_closed()]:
                self._lines.pop(other, None)
            lines = self._lines[loop] = Lines(self._address, self._limits)
        return lines


def _checked(base_url: str, credentials: Credentials) -> tuple[httpx.URL, Credentials]:
    """The address, and the credentials, which may stand in it."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise Misconfigured(f"the system's address is not a URL: {error}") from None
    if url.scheme not in _PORTS or not url.host or url.query or url.fragment:
        raise Misconfigured("the system's address must look like https://host/path")
    if not url.userinfo:
        return url, credentials
    if credentials.scheme != "none":
        raise Misconfigured("the system's address names a user, and so do its credentials")
    return url, replace(credentials, scheme="basic", username=url.username, password=url.password)


def _trust(url: httpx.URL, credentials: Credentials, verify: bool | ssl.SSLContext) -> ssl.SSLContext | None:
    checked = tls(credentials, verify)  # its findings are wanted for http, too
    if url.scheme == "http":
        return None
    context = checked if isinstance(checked, ssl.SSLContext) else httpx.create_ssl_context(checked, trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context
