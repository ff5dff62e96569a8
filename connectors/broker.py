"""Where a message broker stands, how its certificate is checked, and when to look again: the same for MQTT and AMQP."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from canonical.errors import Misconfigured, Unavailable

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
"""Seconds between attempts to connect; doubled from the first to the longest."""


@dataclass(frozen=True, slots=True)
class Address:
    """A broker's address, read from a URL."""

    host: str
    port: int
    secure: bool
    path: str
    """What follows the first slash, decoded: AMQP's virtual host."""


def address(url: str, ports: Mapping[str, int]) -> Address:
    """Read `url`; `ports` has the usual port of each scheme that is taken. A scheme that ends in `s` means TLS.

    Raises Misconfigured, and never quotes the URL: somebody may have put a password into it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Misconfigured("the broker's address is not a URL") from None
    usual = ports.get(parts.scheme)
    if usual is None or not parts.hostname or parts.query or parts.fragment:
        raise Misconfigured(f"the broker's address must look like {' or '.join(f'{name}://host' for name in ports)}")
    if parts.username is not None:
        raise Misconfigured("name and password of a broker stand in their own settings, not in its address")
    return Address(parts.hostname, port or usual, parts.scheme.endswith("s"), unquote(parts.path.removeprefix("/")))


def trust(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """What checks a broker's certificate, by the authority in file `ca` or the machine's own, and shows ours if given.

    Raises Misconfigured when a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if certificate:
            context.load_cert_chain(certificate, key or None)
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(f"the certificate files of a broker cannot be used: {error}") from None
    return context


class Reconnection:
    """When to try the next connection, and when to tell that there is none."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._lost_at: float | None = None
        self._next = 0.0
        self._length = FIRST_PAUSE
        self._error = Unavailable("")

    def fail(self, error: Unavailable) -> None:
        """Remember why there is no connection. Raises it when there has been none for longer than the time-out."""
        now = time.monotonic()
        self._error = error
        if self._lost_at is None:
            self._lost_at = now
        self._next = now + self._length
        self._length = min(2 * self._length, LONGEST_PAUSE)
        self._tell(now)

    def succeed(self) -> None:
        self._lost_at = None
        self._length = FIRST_PAUSE

    def over(self, until: float) -> bool:
        """Wait for the next attempt, at most until `until` (monotonic). Raises as `fail` does if that is too early."""
        now = time.monotonic()
        if self._next > until:
            time.sleep(max(0.0, until - now))
            self._tell(time.monotonic())
            return False
        time.sleep(max(0.0, self._next - now))
        return True

    def _tell(self, now: float) -> None:
        if self._lost_at is not None and now - self._lost_at >= self._timeout:
            raise self._error
