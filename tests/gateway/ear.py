"""A console that only listens: the stream of /api/live as a browser reads it, over a real socket."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from socket import SHUT_RDWR, SO_RCVBUF, SOL_SOCKET
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from tests.gateway.running import until


@dataclass(frozen=True, slots=True)
class Heard:
    """One event."""

    name: str
    data: dict[str, Any]
    id: str = ""


@dataclass(slots=True)
class Reading:
    """Lines to events, as the standard of server-sent events says."""

    events: list[Heard] = field(default_factory=list)
    last: str = ""
    """The id from which a browser would go on."""
    _name: str = ""
    _data: str = ""
    _id: str = ""
    _rest: str = ""

    def take(self, text: str) -> list[Heard]:
        """What of it is whole."""
        *lines, self._rest = (self._rest + text).split("\n")
        whole: list[Heard] = []
        for line in lines:
            name, _, value = line.partition(": ")
            match name:
                case "":
                    if self._id:
                        self.last = self._id
                    if self._data:
                        whole.append(Heard(self._name, json.loads(self._data), self._id))
                    self._name = self._data = self._id = ""
                case "event":
                    self._name = value
                case "data":
                    self._data = value
                case "id":
                    self._id = value
        self.events += whole
        return whole


class Ear:
    """Listens in a thread of its own until it is closed, or the hub ends the stream (`over`)."""

    def __init__(
        self, url: str, headers: dict[str, str], *, last: str = "", after: str = "",
        taken: Callable[[bytes], int] = len, small: bool = False,
    ) -> None:  # fmt: skip
        """`last`: from where to go on. `taken`: bytes of a piece after which the connection breaks, if not all.

        `small`: the system keeps little of what is not read yet.
        """
        self._headers = headers | ({"last-event-id": last} if last else {})
        self._path = f"/api/live?{urlencode({'after': after})}" if after else "/api/live"
        self._wire = HTTPConnection(url.removeprefix("http://"), timeout=60)
        self._taken = taken
        self.reading = Reading(last=last)
        self.status = 0
        self.answer_headers: dict[str, str] = {}
        self.over = False
        self.broken = ""
        self._wire.connect()
        self._socket = self._wire.sock
        if small:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
        self._thread = threading.Thread(target=self._listen, name="ear")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def events(self) -> list[Heard]:
        """All so far."""
        return list(self.reading.events)

    def of(self, name: str) -> list[Heard]:
        """All events of that name so far."""
        return [one for one in self.events if one.name == name]

    @property
    def moves(self) -> list[tuple[str, int]]:
        """Number and `seq` of all that moved so far, in the order in which it was heard."""
        return [(one.data["no"], one.data["seq"]) for one in self.of("moved")]

    def wait(self, name: str, number: int = 1, *, seconds: float = 30.0) -> Heard:
        """The `number`th event of that name, once it was heard."""
        until(lambda: len(self.of(name)) >= number or self.over, seconds=seconds, what=f"event {name} {number}")
        return self.of(name)[number - 1]

    def close(self) -> None:
        """Break off the connection."""
        with suppress(OSError):
            self._socket.shutdown(SHUT_RDWR)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _listen(self) -> None:
        try:
            self._wire.request("GET", self._path, headers=self._headers)
            with self._wire.getresponse() as answer:
                self.status = answer.status
                self.answer_headers = {name.lower(): value for name, value in answer.getheaders()}
                rest = b""
                while piece := answer.read1():
                    taken = self._taken(piece)
                    whole, _, rest = (rest + piece[:taken]).rpartition(b"\n")
                    self.reading.take((whole + b"\n").decode() if whole else "")
                    if taken < len(piece):
                        return
        except (HTTPException, OSError, ValueError) as error:
            self.broken = type(error).__name__
        finally:
            self._wire.close()
            self._socket.close()
            self.over = True
