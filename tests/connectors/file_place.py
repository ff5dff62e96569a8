"""A folder partners drop files into, of this machine or behind SFTP, as both they and the hub see it."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from canonical.ports import Received
from connectors.files import Drop, FileReceiver
from tests.connectors.servers.sftp import SftpServer

LATE = datetime(2026, 3, 16, 17, 0, tzinfo=UTC)
"""One o'clock in the morning of the 17th in Shanghai."""
CSV = Drop("in", ("*.csv",), quiet=0)


@dataclass
class Clock:
    """Stands still until it is told to go on."""

    at: datetime = LATE

    def __call__(self) -> datetime:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Remembered:
    """A memory of its own, that can do something when it is asked."""

    digests: dict[str, str] = field(default_factory=dict)
    meanwhile: Callable[[], object] = lambda: None

    def position(self) -> str:
        return ""

    def move(self, position: str) -> None:
        raise AssertionError(position)

    def news(self, digests: Mapping[str, str]) -> frozenset[str]:
        self.meanwhile()
        return frozenset(key for key, digest in digests.items() if self.digests.get(key) != digest)

    def remember(self, digests: Mapping[str, str]) -> None:
        self.digests |= digests

    def absent(self, keys: Collection[str], *, told: str) -> frozenset[str]:
        return frozenset(key for key, digest in self.digests.items() if key not in keys and digest != told)


@dataclass
class Place:
    """A folder with partners and a receiver: `inbox` as the partner sees it, `url` and `keys` as the hub does."""

    root: Path
    url: str
    keys: dict[str, str]
    give: Callable[[Path], None]
    clock: Clock = field(default_factory=Clock)
    memory: Remembered = field(default_factory=Remembered)

    @property
    def inbox(self) -> Path:
        return self.root / "in"

    def drop(self, name: str | bytes, body: bytes = b"a\n1\n", *, age: float = 0) -> Path:
        """What a partner does, `age` seconds before now."""
        path = Path(os.fsdecode(os.path.join(os.fsencode(self.inbox), os.fsencode(name))))  # noqa: PTH118 names as bytes
        path.write_bytes(body)
        at = LATE.timestamp() - age
        os.utime(path, (at, at))
        self.give(path)
        return path

    def receiver(self, drop: Drop = CSV, /, **other: Any) -> FileReceiver:
        return FileReceiver(
            other.pop("url", self.url), drop, system="garden", door="lists", memory=self.memory, ids=uuid4,
            now=self.clock, timeout=5, **(self.keys | other),
        )  # fmt: skip

    def looked(self, drop: Drop = CSV, most: int = 10) -> Sequence[Received]:
        """What a new receiver, as after a restart, takes at its first look."""
        receiver = self.receiver(drop)
        try:
            return receiver.receive(most=most, wait=0)
        finally:
            receiver.close()

    def tree(self) -> set[str]:
        """All files below the drop."""
        return {f"{path.relative_to(self.inbox)}" for path in self.inbox.rglob("*") if not path.is_dir()}


def names(found: Sequence[Received]) -> list[str]:
    return [one.message.path for one in found]


def local_place(root: Path) -> Place:
    """A folder of this machine."""
    return _made(root, root.as_uri(), {}, lambda _: None)


def local_place_of(server: SftpServer) -> Place:
    """A folder of this machine that belongs to that server's user."""
    root = server.root / uuid4().hex
    root.mkdir()
    server.give(root)
    return _made(root, root.as_uri(), {}, server.give)


def remote_place(server: SftpServer) -> Place:
    """A folder of its own behind that server."""
    root = server.root / uuid4().hex
    root.mkdir()
    server.give(root)
    keys = {"username": server.username, "private_key": server.private_key, "host_key": server.host_key}
    return _made(root, f"sftp://127.0.0.1:{server.port}{root}", keys, server.give)


def _made(root: Path, url: str, keys: dict[str, str], give: Callable[[Path], None]) -> Place:
    place = Place(root, url, keys, give)
    place.inbox.mkdir()
    give(place.inbox)
    return place
