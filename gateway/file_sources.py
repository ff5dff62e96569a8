"""Where the files of cases are fetched: as a system declares it, with its account; else by a watched download."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock, local
from types import TracebackType
from typing import Self

import httpx

from adapters import System
from canonical.errors import ContractViolation, HubError, Unauthenticated, Unavailable
from canonical.message import Message
from connectors.download import MOST, Downloads
from gateway.configuration import ConnectedSystem
from gateway.fetch import by_host
from gateway.hub import Hub
from gateway.media import is_talk
from gateway.session import Session
from gateway.wiring import connector_for
from storage.attachments import DueFile


@dataclass(slots=True)
class _Source:
    """A system's own way: a connector that takes whole files, and where we stand with its signing in."""

    session: Session
    lock: Lock = field(default_factory=Lock)
    """Threads that find the token refused at the same time must not sign in on top of one another."""


class _Shown(local):
    """By system, the token that this thread has shown last: one that another thread has renewed since is good."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}


class FileSources:
    """The files of all systems. Blocking, safe to share between threads; connectors are made when first needed."""

    def __init__(self, hub: Hub, downloads: Downloads | None = None) -> None:
        self.hub = hub
        self.downloads = downloads or Downloads(ids=hub.ids, now=hub.now)
        self._sources: dict[str, _Source] = {}
        self._lock = Lock()
        self._shown = _Shown()
        self._made = ExitStack()
        self._by_host = by_host(self._own, self.downloads, lambda name: self._connected(name).url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._made.close()

    def fetch(self, system: str, file: DueFile) -> Message:
        """The answer, whatever its status. Raises what connectors raise, and Misconfigured."""
        connected = self._connected(system)
        if connected.paused:
            raise Unavailable(f"{system}: it is paused")
        files = connected.system.files
        if files is not None and files.secret_urls:  # an id, or an address that only its account opens
            return self._own(system, file)
        return self._by_host(system, file)

    def sign_in(self, system: str) -> bool:
        """Sign in anew. False when the system has no signing in."""
        source = self._source(system)
        with source.lock:
            return source.session.renew(self._shown.tokens.get(system))

    def _own(self, system: str, file: DueFile) -> Message:
        """What lies at the system's own address."""
        connected = self._connected(system)
        declared = connected.system.files
        if declared is None:
            return self.downloads.get(system, _whole(connected, file.url), own_url=connected.url)
        source = self._source(system)
        if source.session.stale:
            self.sign_in(system)
        self._shown.tokens[system] = source.session.token
        answer = source.session.said(declared.fetch, file=_names(file))
        if is_talk(answer.body, answer.content_type):
            _let_in(connected.system, declared.fetch, answer)
        return answer

    def _connected(self, system: str) -> ConnectedSystem:
        connected = self.hub.configuration.systems.get(system)
        if connected is None:
            raise Unavailable(f"no system '{system}' is connected")
        return connected

    def _source(self, system: str) -> _Source:
        with self._lock:
            if system not in self._sources:
                connected = self._connected(system)
                connector = connector_for(self.hub, connected, max_answer=MOST)
                self._made.callback(connector.close)
                self._sources[system] = _Source(Session(connected.system, connector, self.hub))
            return self._sources[system]


def _let_in(system: System, message: str, answer: Message) -> None:
    """Raises Unauthenticated when words in the place of a file say so, as some do with HTTP 200."""
    try:
        system.judge(message, answer)
    except Unauthenticated:
        raise
    except HubError:
        return  # whatever else they say is judged by its status


def _whole(connected: ConnectedSystem, url: str) -> str:
    try:
        return str(httpx.URL(connected.url).join(url))
    except httpx.InvalidURL:
        raise ContractViolation(f"{connected.system.role.id}: a file's address is no URL", at="url") from None


def _names(file: DueFile) -> Mapping[str, str]:
    """What the message that asks may use. `id`: the file's own, else the last segment of its address."""
    path = file.url.partition("?")[0].rstrip("/")
    return {"url": file.url, "name": file.name, "id": file.id or path.rpartition("/")[2]}
