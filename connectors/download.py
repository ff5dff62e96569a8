"""Files from addresses that stand in messages: one GET, watched, because whoever writes a report chooses the address.

A name is resolved here, every address it has is judged, and the connection goes to a judged address: a name that
means another machine a moment later changes nothing. It must never know what a file is for.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import MappingProxyType
from typing import Any
from uuid import UUID

import httpcore
import httpx

from canonical.errors import ContractViolation, Misconfigured, Refused, Unavailable, Why
from canonical.message import Message

TIMEOUT = 120.0
"""Seconds for everything: name, connection, redirects, all bytes."""
MOST = 64 * 1024 * 1024
"""Bytes of one file."""
MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# No compression: the file store keeps the bytes as they came, and a small answer cannot unpack to a huge one.
_HEADERS: dict[bytes | str, bytes | str] = {
    "user-agent": "gridhub", "accept": "*/*", "accept-encoding": "identity", "connection": "close",
}  # fmt: skip
_WAIT = 20.0
"""Seconds for one wait within the whole."""

Resolve = Callable[[str, int], Sequence[str]]
"""All addresses of a host, as text. Raises OSError."""

# Our own machine, its neighbours on the wire, and the machines that hand out a cloud's credentials. Private networks
# are not among them: a city's systems live there.
_NEVER = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
        "100.100.100.200/32",  # metadata at Alibaba Cloud
        "192.0.0.192/32",  # metadata at Oracle Cloud
        "fd00:ec2::/32",  # metadata at Amazon
        "::/96", "fe80::/10", "fec0::/10", "ff00::/8",
        "64:ff9b::/96", "2002::/16", "2001::/32",  # an IPv4 address in other clothes
    )
)  # fmt: skip


def may_be_reached(address: str) -> bool:
    """False for addresses no file is ever fetched from."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return not any(found in network for network in _NEVER)


def addresses_of(host: str, port: int) -> Sequence[str]:
    """What the machine's resolver says. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Downloads:
    """Fetches files. Keeps no connections, follows no environment variables; safe to share between threads."""

    ids: Callable[[], UUID]
    now: Callable[[], datetime]
    timeout: float = TIMEOUT
    most: int = MOST
    hosts: frozenset[str] | None = None
    """The only hosts to fetch from, beside a system's own; None for every host whose address may be reached."""
    resolve: Resolve = addresses_of
    reachable: Callable[[str], bool] = may_be_reached
    """Judges one address of a host that is not the system's own."""
    trust: ssl.SSLContext | None = None
    """The authorities that sign the other sides' certificates; None for the usual ones."""

    def get(self, system: str, url: str, *, own_url: str = "", headers: Mapping[str, str] | None = None) -> Message:
        """The answer to a GET, whatever its status; redirects are followed, each judged like the first address.

        `own_url`: the system's own address; its host may be reached wherever it is, and only its very scheme, host
        and port get `headers`.
        Raises Unavailable when no whole answer came, Refused (too_large) past `most` bytes, ContractViolation when
        this address is never fetched from.
        """
        until, own = time.monotonic() + self.timeout, _own(own_url)
        where = _parsed(system, url)
        for _ in range(MOST_REDIRECTS + 1):
            trusted = own is not None and where.host == own.host
            if not trusted and self.hosts is not None and where.host not in self.hosts:
                raise ContractViolation(f"{system}: files are not fetched from this host", at="url")
            backend = _Guarded(system, self.resolve, _anything if trusted else self.reachable, until)
            at_home = own is not None and (where.scheme, where.netloc) == (own.scheme, own.netloc)
            answer = self._once(system, where, backend, headers or {} if at_home else {})
            location = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            where = _parsed(system, location, base=where)
        raise Unavailable(f"{system}: a file's address leads in circles")

    def _once(self, system: str, where: httpx.URL, backend: "_Guarded", extra: Mapping[str, str]) -> Message:
        target = httpcore.URL(
            scheme=where.raw_scheme, host=where.raw_host, port=where.port, target=where.raw_path
        )  # fmt: skip
        sent: dict[bytes | str, bytes | str] = {}
        sent.update((name.lower(), value) for name, value in extra.items())
        sent |= _HEADERS | {"host": where.netloc}
        waits = dict.fromkeys(("connect", "read", "write", "pool"), _WAIT)
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self.trust or _usual_trust(), network_backend=backend) as pool,
                pool.stream("GET", target, headers=sent, extensions={"timeout": waits}) as response,
            ):
                body = self._body(system, response)
        except _BROKEN as error:
            raise Unavailable(f"{system}: a file did not come whole ({type(error).__name__})") from None
        except (httpcore.LocalProtocolError, UnicodeEncodeError):
            raise ContractViolation(f"{system}: a file's address cannot be asked for", at="url") from None
        named = dict(httpx.Headers(response.headers).items())
        if named.get("content-encoding", "identity") != "identity":
            raise ContractViolation(f"{system}: a file came compressed, which was not asked for", at="content-encoding")
        return Message(
            system=system, body=body, at=self.now(), id=self.ids(), door="file", method="GET",
            content_type=named.get("content-type", ""), headers=MappingProxyType(named), status=response.status,
        )  # fmt: skip

    def _body(self, system: str, response: httpcore.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > self.most:
                raise Refused(f"{system}: a file of more than {self.most} bytes", why=Why.TOO_LARGE)
        return bytes(body)


_BROKEN = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.RemoteProtocolError)


@cache
def _usual_trust() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _own(url: str) -> httpx.URL | None:
    try:
        return httpx.URL(url) if url else None
    except httpx.InvalidURL:
        raise Misconfigured("the system's address is not a URL") from None


def _anything(_: str) -> bool:
    return True


def _parsed(system: str, url: str, *, base: httpx.URL | None = None) -> httpx.URL:
    try:
        found = base.join(url) if base else httpx.URL(url)
    except httpx.InvalidURL:
        raise ContractViolation(f"{system}: a file's address is no URL", at="url") from None
    if found.scheme not in {"http", "https"}:
        raise ContractViolation(f"{system}: files are fetched by http and https only", at="url")
    if not _HOST.fullmatch(found.raw_host) or not 0 < (found.port or 80) < 65536:
        raise ContractViolation(f"{system}: a file's address has no host that can be", at="url")
    return found


_HOST = re.compile(rb"[A-Za-z0-9._:-]+")


class _Guarded(httpcore.NetworkBackend):
    """Connects to judged addresses only, and lets nothing last beyond `until` (monotonic seconds)."""

    def __init__(self, system: str, resolve: Resolve, reachable: Callable[[str], bool], until: float) -> None:
        self._system, self._resolve, self._reachable, self._until = system, resolve, reachable, until
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError):
            raise Unavailable(f"{self._system}: the host of a file is not known") from None
        if not all(map(self._reachable, addresses)):
            raise ContractViolation(f"{self._system}: files are never fetched from such an address", at="url")
        failed: httpcore.NetworkError | httpcore.TimeoutException = httpcore.ConnectError()
        for address in addresses:
            try:
                wait = _left(self._until, timeout)
                return _Timed(self._plain.connect_tcp(address, port, wait, local_address, socket_options), self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


class _Timed(httpcore.NetworkStream):
    """A stream whose every wait ends with the whole: a server that gives a byte now and then does not hold us."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        wait = _left(self._until, timeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, wait), self._until)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(until: float, timeout: float | None) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left if timeout is None else min(left, timeout)
