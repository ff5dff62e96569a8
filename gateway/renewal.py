"""Rows of code tables that people added are used at once: each process reads them from the database every other second.

A system's folder with its added rows is an edition like any other: packed, kept, and named in what it read. Doors and
connections stay as they are; what is read from now on is read by the new edition. See docs/adr/0044.
"""

import asyncio
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.code_table import read_code_table
from canonical.errors import Misconfigured, Unavailable
from canonical.findings import Finding
from gateway.code_rows import row_bytes
from gateway.configuration import ConnectedSystem
from gateway.edition_files import digest_of, files_of, packed, unpacked
from gateway.hub import Hub
from gateway.log import log
from storage.code_rows import CodeRow, CodeRows
from storage.editions import Editions, Loaded

LOOK = 2.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A system with its added rows."""

    connected: ConnectedSystem
    files: Mapping[str, bytes] = field(repr=False)
    used: tuple[CodeRow, ...] = ()
    """Those that count: the folder has no row of its own for the code, and none came later."""


class Renewal:
    """What one process has read of the added rows."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.rows = hub, CodeRows(hub.store)
        self.seen = 0
        """Number of the last row that is in use here."""
        self.looked = False
        self._folders = dict(hub.configuration.systems)
        """As they were loaded at the start."""
        self._editions = Editions(hub.store)
        self._lock = asyncio.Lock()

    async def look(self) -> float:
        """Use what was added since the last look. Returns the seconds until the next. Raises DatabaseAway."""
        async with self._lock:
            newest = await self.rows.newest()
            if newest == self.seen:
                return LOOK
            found = await self.rows.all()
            for system in sorted({row.system for row in found if row.id > self.seen}):
                await self._renew(system, [row for row in found if row.system == system])
            self.seen = max((row.id for row in found), default=0)
        return LOOK

    async def first(self) -> float:
        """The look before anything is read: what was added before this process began is used from its beginning."""
        await self.look()
        self.looked = True
        return 0.0

    async def steadily(self) -> None:
        """Look until it is cancelled. A database that is away, or a defect, is told and waited out."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.warning("codes.waiting", why=str(error))
            except Exception:  # noqa: BLE001 doors must not close for it
                log.error("codes.failed", exc_info=True)
            await asyncio.sleep(LOOK)

    async def made(self, system: str, rows: Iterable[CodeRow]) -> Renewed:
        """The system's folder as it was loaded at the start, with these rows. Raises Misconfigured."""
        connected = self._folders[system]
        content = await self._editions.content(system, connected.loaded)
        files = unpacked(content) if content else await asyncio.to_thread(files_of, connected.folder)
        return await asyncio.to_thread(renewed, connected, files, list(rows))

    async def _renew(self, system: str, rows: list[CodeRow]) -> None:
        if system not in self._folders:
            return  # it is connected no longer, or not to this process
        try:
            made = await self.made(system, rows)
        except (Misconfigured, OSError) as error:
            log.error("codes.not_used", system=system, why=str(error))
            return
        connected = made.connected
        loaded = Loaded(system, connected.edition, connected.system.role.edition, packed(made.files))
        await self._editions.keep([loaded], now=self.hub.now())
        self.hub.configuration.renew(system, connected)
        log.info("codes.renewed", system=system, edition=connected.edition[:12], rows=len(made.used))


def renewed(connected: ConnectedSystem, loaded: Mapping[str, bytes], rows: list[CodeRow]) -> Renewed:
    """A system whose tables have these rows as well. Raises Misconfigured that lists what they make wrong."""
    if connected.load is None:
        raise Misconfigured(f"{connected.system.role.id}: its settings do not tell how to load another edition")
    with tempfile.TemporaryDirectory(prefix="gridhub-codes-") as place:
        folder = Path(place) / connected.folder.name
        files = dict(loaded)
        _written(folder, files)
        used = tuple(row for row in _last(rows) if _added(folder, files, row))
        system = connected.load(folder)
    return Renewed(replace(connected, system=system, edition=digest_of(files)), files, used)


def _last(rows: Iterable[CodeRow]) -> list[CodeRow]:
    """The one that counts of each code, in the order in which codes were added first."""
    last: dict[tuple[str, str], CodeRow] = {}
    for row in rows:
        last[row.table, row.local] = row
    return list(last.values())


def _written(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def _added(folder: Path, files: dict[str, bytes], row: CodeRow) -> bool:
    """Write the row at the end of its table; False where the folder has one by now, or no such table."""
    name = f"codes/{row.table}.csv"
    findings: list[Finding] = []
    table = read_code_table(folder / name, findings, name=name) if name in files else None
    if table is None or table.reverse or row.local in table.rows:
        return False
    values = {"local": row.local, "canonical": row.canonical, "title": row.title}
    longer = files[name] + row_bytes(folder / name, files[name], values)
    (folder / name).write_bytes(longer)
    table = read_code_table(folder / name, findings, name=name)
    if table is None or row.local not in table.rows:  # it reads as a remark
        (folder / name).write_bytes(files[name])
        return False
    files[name] = longer
    return True
