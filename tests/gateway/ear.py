"""A console that only listens: the stream of /api/live as a browser reads it, over a real socket."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

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
        enough: Callable[[bytes], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        """`last`: from where to go on. `enough`: breaks off the connection after this piece."""
        self._headers = headers | ({"last-event-id": last} if last else {})
        self._client = httpx.Client(base_url=url, timeout=httpx.Timeout(30, read=None), trust_env=False)
        self._params = {"after": after} if after else {}
        self._enough = enough
        self.reading = Reading(last=last)
        self.status = 0
        self.answer_headers: httpx.Headers = httpx.Headers()
        self.over = False
        self.broken = ""
        self._closing = False
        self._answer: httpx.Response | None = None
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
        self._closing = True
        if self._answer is not None:
            stream = self._answer.extensions["network_stream"]
            sock = stream.get_extra_info("socket")
            if sock.fileno() >= 0:
                sock.shutdown(2)
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._client.close()

    def _listen(self) -> None:
        try:
            with self._client.stream("GET", "/api/live", headers=self._headers, params=self._params) as answer:
                self._answer = answer
                self.status, self.answer_headers = answer.status_code, answer.headers
                rest = b""
                for piece in answer.iter_raw():
                    whole, _, rest = (rest + piece).rpartition(b"\n")
                    self.reading.take((whole + b"\n").decode() if whole else "")
                    if self._enough(piece):
                        return
        except (httpx.HTTPError, OSError) as error:
            self.broken = type(error).__name__
        finally:
            self.over = True
