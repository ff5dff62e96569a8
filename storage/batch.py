"""One batch of intake as one transaction: look up what is known, then save what was decided.

Written for the driver itself: a batch costs four round trips (begin with its locks, look up, save, commit), whatever it
holds. The save is one statement with arrays (`storage.rows.SAVE`): writing n cases costs one round trip, not n.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import text

from canonical.case import Binding, Case
from canonical.reading import Reading
from canonical.records import Arrival, Changes, Command, Known
from storage import file_rows as files
from storage import rows
from storage.alarms import know_alarms, save_alarms
from storage.driver import Connection, Prepared
from storage.rows import binding_rows, case_rows, rows_of, shadow_rows, step_rows
from storage.spans import EARLIER, LATER, first_id
from storage.stages import OPEN_STAGES

WAKE = "gridhub_delivery"
"""NOTIFY channel: deliveries wait for these systems, or, when nothing is said, for any. Sent at most once a batch: one
per transaction costs a factor of 3.5."""
_LONGEST_WAKE = 4000

MAX_REFERENCE = 64

SAVE = Prepared(rows.SAVE)
_STEPS, _SHADOWS = Prepared(rows.STEPS), Prepared(rows.SHADOWS)
_CHANGE, _REBIND, _ADD_FILES = Prepared(rows.CHANGE), Prepared(rows.REBIND), Prepared(files.ADD_FILES)


class AlreadyThere(Exception):
    """Another process committed the same identity first: nothing of this batch was written."""


class Batch:
    """One open transaction of intake. `Store.batch` opens and ends it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._begun = False
        self._wakes: set[str] = set()
        self._caps: frozenset[tuple[str, str]] = frozenset()

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
        await self._begin(f"{reading.system} {reading.case_key}" for reading in readings if reading.case_key)
        ids = await know_alarms(self.connection, known, readings)
        self._caps = frozenset(known.caps)
        acting = sorted({reading.system for reading in readings if reading.action})
        keys = _known_keys(readings) | {"numbers": sorted(numbers), "acting": acting}
        for how, key, system, case_id in await _KNOWN.fetch(self.connection, keys):
            _take_known(known, how, key, system, case_id)
            if case_id:
                ids.add(case_id)
        if ids:
            await self._lock(known, sorted(ids))
        return known

    async def due(self, now: datetime, limit: int, *, without: Collection[UUID] = ()) -> Known:
        """Cases of whose clocks something is to be told now; locked until the commit. What others have is theirs."""
        return await self._locked(_DUE, {"now": now, "limit": limit, "without": list(without)})

    async def open_after(self, last: UUID, limit: int) -> Known:
        """Open cases in the order of their ids, those after `last`; locked until the commit."""
        return await self._locked(_OPEN_AFTER, {"last": last, "limit": limit})

    async def received_after(self, last: UUID, limit: int, begin: datetime, end: datetime) -> Known:
        """Cases received in an interval, ended ones as well, merged ones not; otherwise as `open_after`."""
        ids = {"first": max(last, first_id(begin - EARLIER)), "until": first_id(end + LATER)}
        return await self._locked(_RECEIVED_AFTER, {"limit": limit, "begin": begin, "end": end, **ids})

    async def led_by(self, system: str, pattern: str, last: UUID, limit: int) -> Known:
        """Open cases that `system` leads, of classes that begin so, after `last` in the order of ids; locked."""
        values = {"system": system, "pattern": pattern, "last": last, "limit": limit}
        return await self._locked(_LED_BY, values)

    async def ours_from(self, system: str, pattern: str, last: UUID, limit: int) -> Known:
        """Open cases that `system` reported and the hub leads, in the same order; locked."""
        values = {"system": system, "pattern": pattern, "last": last, "limit": limit}
        return await self._locked(_OURS_FROM, values)

    async def _locked(self, statement: Prepared, values: dict[str, object]) -> Known:
        await self._begin()
        known = Known()
        ids = [case_id for (case_id,) in await statement.fetch(self.connection, values)]
        if ids:
            await self._lock(known, sorted(ids))
        return known

    async def _begin(self, matters: Iterable[str] = ()) -> None:
        """Open the transaction, and wait until no other one takes in a report of the same matters.

        Both would open a case for it. The locks are held until the end, and taken in one order and before any row, so
        that two batches cannot deadlock; a statement of its own, for only the next one sees what was committed while it
        waited.
        """
        if self._begun:
            return
        self._begun = True
        held = ",".join(map(str, sorted({_lock_of(matter) for matter in matters})))
        alone = f"SELECT pg_advisory_xact_lock(matter) FROM unnest('{{{held}}}'::bigint[]) AS held(matter)"  # noqa: S608 integers
        await self.connection.execute(f"BEGIN; {alone}" if held else "BEGIN")

    async def _lock(self, known: Known, ids: list[UUID]) -> None:
        for case_id, state in await _LOCK.fetch(self.connection, {"ids": ids}):
            case = Case.model_validate_json(state)
            known.cases[case_id] = case
            known.by_no[case.no] = case_id
        for (body,) in await _BINDINGS.fetch(self.connection, {"ids": ids}):
            binding = Binding.model_validate_json(body)
            known.bindings[binding.system, binding.external_id] = binding
            known.of_case.setdefault(binding.case_id, []).append(binding)

    async def save(self, changes: Changes, now: datetime) -> None:
        """Write everything a batch decided. Raises AlreadyThere when another process was first."""
        await self._begin()
        try:
            await SAVE.fetch(self.connection, rows_of(changes, now))
            if changes.changed_cases:
                changed = sorted(changes.changed_cases.values(), key=lambda case: case.id)
                await _CHANGE.fetch(self.connection, case_rows(changed))
            if changes.rebound:
                await _REBIND.fetch(self.connection, binding_rows(changes.rebound))
            if any(event.action.told for event in changes.events):
                await _STEPS.fetch(self.connection, step_rows(changes.events))
            if any(event.action.shadow for event in changes.events):
                await _SHADOWS.fetch(self.connection, shadow_rows(changes.events, changes.cases))
            if changes.alarms or changes.caps:
                await save_alarms(self.connection, changes.alarms, changes.caps, self._caps, now)
            if changes.files:
                await _ADD_FILES.fetch(self.connection, files.file_rows(changes.files, now))
        except asyncpg.UniqueViolationError as error:
            raise AlreadyThere(error.constraint_name or "") from None
        self._wakes |= {delivery.system for delivery in changes.deliveries}

    async def commit(self) -> None:
        """Make it durable, and wake who delivers."""
        if self._begun:
            said = waking(self._wakes).replace("'", "''")
            await self.connection.execute(f"NOTIFY {WAKE}, '{said}'; COMMIT" if self._wakes else "COMMIT")


def waking(systems: Iterable[str]) -> str:
    """What the channel is told: for which systems something is waiting."""
    named = " ".join(sorted(systems))
    return named if len(named) <= _LONGEST_WAKE else ""


def _lock_of(matter: str) -> int:
    """The number that stands for a matter in the server's table of locks."""
    digest = hashlib.blake2b(matter.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


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


_KNOWN = Prepared(
    text("""
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
)

_DUE = Prepared(
    text("""
SELECT id FROM cases WHERE next_step_at <= :now AND id <> ALL(CAST(:without AS uuid[]))
 ORDER BY next_step_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")
)
_OPEN_AFTER = Prepared(
    text(f"SELECT id FROM cases WHERE id > :last AND stage IN ({OPEN_STAGES}) ORDER BY id LIMIT :limit FOR UPDATE")  # noqa: S608
)

_RECEIVED_AFTER = Prepared(
    text("""
SELECT id FROM cases WHERE id > :first AND id < :until AND received_at >= :begin AND received_at < :end
   AND stage <> 'merged'
 ORDER BY id LIMIT :limit FOR UPDATE
""")
)

_OF_CLASS = f"""stage IN ({OPEN_STAGES}) AND starts_with(coalesce(class_code, ''), :pattern) AND id > :last
 ORDER BY id LIMIT :limit FOR UPDATE"""  # words of our own
_LED_BY = Prepared(
    text(f"SELECT id FROM cases WHERE state ? 'lead_system' AND state ->> 'lead_system' = :system AND {_OF_CLASS}")  # noqa: S608
)
_OURS_FROM = Prepared(
    text(f"SELECT id FROM cases WHERE source = :system AND NOT state ? 'lead_system' AND {_OF_CLASS}")  # noqa: S608
)

# In the order of ids, so that two batches that touch the same cases cannot deadlock.
_LOCK = Prepared(
    text("SELECT id, CAST(state AS text) FROM cases WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")
)
_BINDINGS = Prepared(
    text("SELECT CAST(body AS text) FROM binding WHERE case_id = ANY(CAST(:ids AS uuid[])) ORDER BY external_id")
)
