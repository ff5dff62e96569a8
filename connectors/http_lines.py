"""All lines to one address on one event loop: an idle one is used again, else a new one is made.

Names are looked up in a thread of its own, so that a dead name server holds up nobody else.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address

from canonical.errors import Unavailable
from connectors.http_line import Answer, Limits, Line, Request


@dataclass(frozen=True, slots=True)
class Address:
    """Where lines lead to."""

    host: str
    port: int
    trust: ssl.SSLContext | None
    """For https: what the other side is checked with, and what it is shown."""


class Lines:
    """The lines of one connector on the event loop that runs now. Not for other loops or threads."""

    def __init__(self, address: Address, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._address, self._limits = address, limits
        self._open: set[Line] = set()
        self._idle: dict[Line, None] = {}
        self._names: Names | None = None if _is_number(address.host) else Names(address)

    async def exchange(self, request: Request) -> Answer:
        """The answer to this. Raises Unavailable, InDoubt."""
        line = self._used_again() or await self._made(request.system)
        answer = await line.exchange(request)
        if line in self._open and line.usable:
            self._idle[line] = None
        return answer

    def close(self) -> None:
        """Hang up all of them; what is under way is in doubt. Harmless twice."""
        for line in tuple(self._open):
            line.close()
        if self._names is not None:
            self._names.close()

    def _used_again(self) -> Line | None:
        """The one that was used last: the others grow old and go."""
        while self._idle:
            line, _ = self._idle.popitem()
            if line.usable:
                return line
            line.close()
        return None

    def _gone(self, line: Line) -> None:
        self._open.discard(line)
        self._idle.pop(line, None)

    async def _made(self, system: str) -> Line:
        wait = self._limits.wait
        try:
            async with asyncio.timeout(wait):
                line = await self._connected(wait)
        except TimeoutError:
            raise Unavailable(f"{system}: no connection within {wait:g} seconds") from None
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
            raise Unavailable(f"{system}: no connection ({type(error).__name__}: {error})") from None
        self._open.add(line)
        return line

    async def _connected(self, wait: float) -> Line:
        """A line to the first address of the host that takes one; each has its share of the time."""
        address = self._address
        numbers = [address.host] if self._names is None else await self._names.looked_up()
        until, failed = self._loop.time() + wait, OSError("the host has no address")
        for tried, number in enumerate(numbers):
            try:
                async with asyncio.timeout((until - self._loop.time()) / (len(numbers) - tried)):
                    _, line = await self._loop.create_connection(
                        lambda: Line(self._loop, self._limits, self._gone), number, address.port, ssl=address.trust,
                        server_hostname=address.host if address.trust else None,
                    )  # fmt: skip
                    return line
            except OSError as error:  # TimeoutError and whatever TLS finds wrong, too
                failed = error
        raise failed


class Names:
    """What the machine's resolver says of one host; whoever asks while it is being asked waits for the same."""

    def __init__(self, address: Address) -> None:
        self._host, self._port = address.host, address.port
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="name")
        self._asked: asyncio.Future[Sequence[str] | OSError | UnicodeError] | None = None

    async def looked_up(self) -> Sequence[str]:
        """All addresses, in order. Raises OSError, UnicodeError."""
        if self._asked is None or self._asked.done():
            loop = asyncio.get_running_loop()
            self._asked = loop.run_in_executor(self._thread, _addresses, self._host, self._port)
        told = await asyncio.shield(self._asked)
        if isinstance(told, Exception):
            raise told
        return told

    def close(self) -> None:
        """Give back the thread, without waiting for it."""
        self._thread.shutdown(wait=False)


def _addresses(host: str, port: int) -> Sequence[str] | OSError | UnicodeError:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
