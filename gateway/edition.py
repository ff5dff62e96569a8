"""Editions: what a process has loaded is kept by its digest, and loaded again when a replay chooses it."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.explain import near
from canonical.errors import Misconfigured
from gateway.configuration import ConnectedSystem
from gateway.edition_files import digest_of, files_of, packed, unpacked
from gateway.hub import Hub
from gateway.log import log
from storage.editions import Edition, Editions, Loaded

SHOWN = 12
"""Hex digits of a digest that people see; as many as they like may be given, where they fit one edition."""


class Shelf:
    """The editions as one hub may use them: those that are kept, and those it has loaded itself."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.editions = hub, Editions(hub.store)
        self._loaded: dict[tuple[str, str], ConnectedSystem] = {}

    async def keep(self) -> None:
        """Keep what this process has loaded. A folder that was edited since is not what was loaded: left out."""
        systems = {name: one for name, one in self.hub.configuration.systems.items() if one.edition}
        known = await self.editions.seen({name: one.edition for name, one in systems.items()}, now=self.hub.now())
        new = []
        for name, one in systems.items():
            if name in known:
                continue
            files = await asyncio.to_thread(files_of, one.folder)
            if digest_of(files) != one.edition:
                log.warning("edition.not_kept", system=name, why="the folder was edited while it was loaded")
                continue
            new.append(Loaded(name, one.edition, one.system.role.edition, await asyncio.to_thread(packed, files)))
        if new:
            await self.editions.keep(new, now=self.hub.now())

    async def named(self, system: str, given: str) -> str:
        """The digest that `given` begins, or today's where nothing is given. Raises Misconfigured."""
        today = self.hub.configuration.systems[system].edition
        if not given:
            return today
        kept = await self.editions.listed(system)
        digests = {one.digest for one in kept} | {today}
        found = [digest for digest in digests if digest.startswith(given.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            raise Misconfigured(f"edition: '{given}' begins {len(found)} editions of {system}: give more of it")
        known = [digest[:SHOWN] for digest in digests]
        raise Misconfigured(
            f"edition: no edition '{given}' of {system} is kept{near(given, known)}; see gridhub editions list"
        )

    async def connected(self, system: str, digest: str) -> ConnectedSystem:
        """The system as this edition declares it, reached as today. Raises Misconfigured when it cannot be loaded."""
        today = self.hub.configuration.systems[system]
        if digest in ("", today.edition):
            return today
        if (system, digest) not in self._loaded:
            content = await self.editions.content(system, digest)
            if content is None:
                raise Misconfigured(f"{system}: edition {digest[:SHOWN]} is not kept here")
            self._loaded[system, digest] = await asyncio.to_thread(_loaded, today, digest, content)
        return self._loaded[system, digest]


def _loaded(today: ConnectedSystem, digest: str, content: bytes) -> ConnectedSystem:
    name = today.system.role.id
    if today.load is None:
        raise Misconfigured(f"{name}: its settings do not tell how to load another edition")
    with tempfile.TemporaryDirectory(prefix="gridhub-edition-") as place:
        folder = Path(place) / today.folder.name
        for file, body in unpacked(content).items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        try:
            return replace(today, system=today.load(folder), edition=digest)
        except Misconfigured as error:
            raise Misconfigured(f"{name}: edition {digest[:SHOWN]} cannot be loaded today: {error}") from None


def described(edition: Edition, today: Mapping[str, str]) -> dict[str, Any]:
    """One edition for people and machines. `today`: system to the digest that is in use."""
    return {
        "system": edition.system, "edition": edition.digest, "declared": edition.declared,
        "first_at": edition.first_at, "last_at": edition.last_at, "today": today.get(edition.system) == edition.digest,
    }  # fmt: skip
