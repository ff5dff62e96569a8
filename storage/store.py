"""The database as one object, and the one transaction in which a batch is decided and written.

The hot path is one statement with arrays (`storage.rows.SAVE`): writing n cases costs one round trip, not n.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from canonical.case import Binding, Case
from canonical.errors import Unavailable
from canonical.reading import Reading
from canonical.records import Arrival, Changes, Command, Known
from storage.alarms import know_alarms, save_alarms
from storage.file_rows import ADD_FILES, file_rows
from storage.rows import CHANGE, REBIND, SAVE, binding_rows, case_rows, rows_of
from storage.tables import NUMBERS_AT_ONCE, case_number

_LOST = (asyncpg.InterfaceError, asyncpg.PostgresConnectionError)
"""A connection that was killed between two statements: the driver's own words come through unwrapped."""

WAKE = "gridhub_delivery"
"""NOTIFY channel: deliveries wait for these systems, or, when nothing is said, for any. Sent at most once a batch: one
per transaction costs a factor of 3.5."""
_LONGEST_WAKE = 4000

MAX_REFERENCE = 64

_NO_ANSWER = ("08", "53", "57")
"""SQLSTATE classes of a server that cannot serve now: no connection, no room, shutting down or starting up."""


class DatabaseAway(Unavailable):
    """The hub's own database does not answer; no other system is to blame."""


class Store:
    """One database. Async; give it back with `close`."""

    def __init__(self, url: str, *, pool: int = 8) -> None:
        # Parameters are citizens' words: they must not stand in error texts, which are logged.
        self.engine: AsyncEngine = create_async_engine(url, pool_size=pool, max_overflow=pool, hide_parameters=True)
        self._numbers: deque[int] = deque()

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Transaction"]:
        """All or nothing. Raises Unavailable when the database cannot be reached or goes away."""
        try:
            async with self.engine.begin() as connection:
                yield Transaction(connection)
        except (OperationalError, InterfaceError, OSError, *_LOST) as error:
            raise DatabaseAway("the database does not answer") from error
        except DBAPIError as error:
            state = str(getattr(error.orig, "sqlstate", None) or "")
            if error.connection_invalidated or state.startswith(_NO_ANSWER):
                raise DatabaseAway("the database went away") from error
            raise

    async def answers(self) -> None:
        """Raises Unavailable when the database does not answer."""
        async with self.transaction() as transaction:
            await transaction.connection.execute(text("SELECT 1"))

    async def numbers(self, wanted: int) -> list[int]:
        """`wanted` fresh running numbers for cases. A process that ends leaves a gap: harmless."""
        taken: list[int] = []
        while len(taken) < wanted:
            while self._numbers and len(taken) < wanted:
                taken.append(self._numbers.popleft())
            if len(taken) < wanted:
                async with self.transaction() as transaction:
                    first = await transaction.next_block()
                self._numbers.extend(range(first, first + NUMBERS_AT_ONCE))
        return taken

    def give_back(self, numbers: Sequence[int]) -> None:
        """Numbers that no case was given: most of what is polled is known already."""
        self._numbers.extendleft(reversed(numbers))


class Transaction:
    """One open transaction: look up what is known, then save what was decided."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._caps: frozenset[tuple[str, str]] = frozenset()

    async def next_block(self) -> int:
        """First number of a block of NUMBERS_AT_ONCE that nobody else has."""
        return int((await self.connection.execute(case_number.next_value().select())).scalar_one())

    async def known(self, arrivals: Sequence[Arrival]) -> Known:
        """What is known of the matters these arrivals speak of; their cases stay locked until the commit."""
        readings = [arrival.content for arrival in arrivals if isinstance(arrival.content, Reading)]
        commands = [arrival.content for arrival in arrivals if isinstance(arrival.content, Command)]
        numbers = {no for command in commands for no in (command.case_no, command.action.target) if no}
        said = {text for r in readings for text in (r.reference, r.external_id) if 0 < len(text) <= MAX_REFERENCE}
        references = {text.partition("-")[0] for text in said}
        numbers |= {no for no in references if no.isdigit()}
        known = Known()
        if not readings and not numbers:
            return known
        await self._alone(readings)
        ids = await know_alarms(self.connection, known, readings)
        self._caps = frozenset(known.caps)
        acting = sorted({reading.system for reading in readings if reading.action})
        keys = _known_keys(readings) | {"numbers": sorted(numbers), "acting": acting}
        for how, key, system, case_id in await self.connection.execute(_KNOWN, keys):
            _take_known(known, how, key, system, case_id)
            if case_id:
                ids.add(case_id)
        if ids:
            await self._lock(known, sorted(ids))
        return known

    async def _alone(self, readings: Sequence[Reading]) -> None:
        """Wait until no other transaction takes in a report of the same matters: both would open a case for it."""
        matters = sorted({f"{reading.system} {reading.case_key}" for reading in readings if reading.case_key})
        if matters:
            await self.connection.execute(_ALONE, {"matters": matters})

    async def _lock(self, known: Known, ids: list[UUID]) -> None:
        for case_id, state in await self.connection.execute(_LOCK, {"ids": ids}):
            case = Case.model_validate_json(state)
            known.cases[case_id] = case
            known.by_no[case.no] = case_id
        for body in (await self.connection.execute(_BINDINGS, {"ids": ids})).scalars():
            binding = Binding.model_validate_json(body)
            known.bindings[binding.system, binding.external_id] = binding
            known.of_case.setdefault(binding.case_id, []).append(binding)

    async def save(self, changes: Changes, now: datetime) -> None:
        """Write everything a batch decided. Raises sqlalchemy's IntegrityError when another process was first."""
        await self.connection.execute(SAVE, rows_of(changes, now))
        if changes.changed_cases:
            rows = case_rows(sorted(changes.changed_cases.values(), key=lambda case: case.id))
            await self.connection.execute(CHANGE, rows)
        if changes.rebound:
            await self.connection.execute(REBIND, binding_rows(changes.rebound))
        if changes.alarms or changes.caps:
            await save_alarms(self.connection, changes.alarms, changes.caps, self._caps, now)
        if changes.files:
            await self.connection.execute(ADD_FILES, file_rows(changes.files, now))
        if changes.deliveries:
            await wake(self.connection, {delivery.system for delivery in changes.deliveries})


async def wake(connection: AsyncConnection, systems: Iterable[str]) -> None:
    """Tell the workers, with the commit, to which systems something is waiting."""
    named = " ".join(sorted(systems))
    await connection.execute(_NOTIFY, {"systems": named if len(named) <= _LONGEST_WAKE else ""})


def _known_keys(readings: Sequence[Reading]) -> dict[str, list[str]]:
    keyed = [reading for reading in readings if reading.case_key]
    printed = [reading for reading in readings if reading.fingerprint]
    return {
        "systems": [reading.system for reading in readings],
        "external_ids": [reading.external_id for reading in readings],
        "key_systems": [reading.system for reading in keyed],
        "case_keys": [reading.case_key for reading in keyed],
        "print_systems": [reading.system for reading in printed],
        "fingerprints": [reading.fingerprint for reading in printed],
    }


def _take_known(known: Known, how: str, key: str, system: str, case_id: UUID | None) -> None:
    if how == "way":
        known.on_their_way |= {system}
    elif case_id is not None:
        target = {"key": known.by_case_key, "print": known.by_fingerprint}.get(how)
        if target is not None:  # of several the latest: numbers go to processes in blocks, ids are in order of time
            target[system, key] = max(case_id, target.get((system, key), case_id))


# A statement of its own: only the next one sees what the transaction that was waited for has committed. Held until the
# end, taken in one order and before any row, so that two batches cannot deadlock.
_ALONE = text("""
SELECT pg_advisory_xact_lock(matter) FROM (
  SELECT DISTINCT hashtextextended(m, 0) AS matter FROM unnest(CAST(:matters AS text[])) AS m ORDER BY matter) AS held
""")

_KNOWN = text("""
SELECT 'id', b.external_id, b.system, b.case_id FROM binding b
  JOIN unnest(CAST(:systems AS text[]), CAST(:external_ids AS text[])) AS w(s, i)
    ON b.system = w.s AND b.external_id = w.i
UNION ALL
SELECT 'key', b.case_key, b.system, b.case_id FROM binding b
  JOIN unnest(CAST(:key_systems AS text[]), CAST(:case_keys AS text[])) AS w(s, i)
    ON b.system = w.s AND b.case_key = w.i AND b.case_key <> ''
UNION ALL
SELECT 'print', b.fingerprint, b.system, b.case_id FROM binding b
  JOIN unnest(CAST(:print_systems AS text[]), CAST(:fingerprints AS text[])) AS w(s, i)
    ON b.system = w.s AND b.fingerprint = w.i AND b.fingerprint <> ''
UNION ALL
SELECT 'no', c.no, '', c.id FROM cases c WHERE c.no = ANY(CAST(:numbers AS text[]))
UNION ALL
SELECT 'way', '', w.s, CAST(NULL AS uuid) FROM unnest(CAST(:acting AS text[])) AS w(s)
 WHERE EXISTS (SELECT 1 FROM delivery d WHERE d.state IN ('sent', 'in_doubt') AND d.system = w.s)
""")

# In the order of ids, so that two batches that touch the same cases cannot deadlock.
_LOCK = text("SELECT id, CAST(state AS text) FROM cases WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")
_BINDINGS = text(
    "SELECT CAST(body AS text) FROM binding WHERE case_id = ANY(CAST(:ids AS uuid[])) ORDER BY external_id"
)
_NOTIFY = text(f"SELECT pg_notify('{WAKE}', :systems)")
