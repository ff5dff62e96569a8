"""Devices and storm caps as rows: read and locked for a batch, written by one statement each.

Devices that are not there yet have no row to lock; their keys are locked instead, before any row, so that two
processes never open two cases for one device. A storm cap that is not there yet is inserted: of two processes that
open the first case of a kind at the same moment, one is refused and decides anew.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from canonical.alarm import AlarmKey, AlarmState, CapState
from canonical.lifecycle import Stage
from canonical.reading import Reading
from canonical.records import Known
from storage.driver import Connection, Prepared
from storage.rows import Arrays

CapKey = tuple[str, str]
"""(system, kind)."""


async def know_alarms(connection: Connection, known: Known, readings: Sequence[Reading]) -> set[UUID]:
    """Enter the devices and storm caps these readings speak of, locked until the commit; returns their cases.

    A batch without alarms costs no statement. A case that was merged is followed to the one that remained.
    """
    keys = sorted({(r.system, r.alarm.device, r.alarm.kind) for r in readings if r.alarm})
    if not keys:
        return set()
    systems, devices, kinds = (list(column) for column in zip(*keys, strict=True))
    wanted = {"systems": systems, "devices": devices, "kinds": kinds}
    await _ALONE.fetch(connection, wanted)
    merged: list[UUID] = []
    for body, stage in await _ALARMS.fetch(connection, wanted):
        state = AlarmState.model_validate_json(body)
        known.alarms[state.system, state.device, state.kind] = state
        if stage == Stage.MERGED and state.case_id:
            merged.append(state.case_id)
    cap_keys = sorted({(system, kind) for system, _, kind in keys})
    capped = {"systems": [system for system, _ in cap_keys], "kinds": [kind for _, kind in cap_keys]}
    for (body,) in await _CAPS.fetch(connection, capped):
        cap = CapState.model_validate_json(body)
        known.caps[cap.system, cap.kind] = cap
    ids = {state.case_id for state in known.alarms.values() if state.case_id}
    if merged:
        ids |= {row[0] for row in await _REMAINING.fetch(connection, {"ids": merged})}
    return ids


async def save_alarms(
    connection: Connection,
    alarms: dict[AlarmKey, AlarmState],
    caps: dict[CapKey, CapState],
    locked: Collection[CapKey],
    now: datetime,
) -> None:
    """Write what is remembered from now on. `locked`: the storm caps that were there when the batch was looked up.

    Raises the driver's UniqueViolationError when another process made one of the others meanwhile.
    """
    if alarms:
        await _SAVE_ALARMS.fetch(connection, _alarm_rows(alarms, now))
    there = [cap for key, cap in caps.items() if key in locked]
    new = [cap for key, cap in caps.items() if key not in locked]
    if there:
        await _CHANGE_CAPS.fetch(connection, _cap_rows(there))
    if new:
        await _NEW_CAPS.fetch(connection, _cap_rows(new))


def _alarm_rows(alarms: dict[AlarmKey, AlarmState], now: datetime) -> Arrays:
    states = [alarms[key] for key in sorted(alarms)]
    return {
        "systems": [state.system for state in states],
        "devices": [state.device for state in states],
        "kinds": [state.kind for state in states],
        "cases": [state.case_id for state in states],
        "due": [state.due_at for state in states],
        "messages": [state.message_id for state in states],
        "seen": [state.seen_at or now for state in states],
        "states": [state.model_dump_json(exclude_defaults=True) for state in states],
    }


def _cap_rows(caps: Sequence[CapState]) -> Arrays:
    ordered = sorted(caps, key=lambda cap: (cap.system, cap.kind))
    return {
        "systems": [cap.system for cap in ordered],
        "kinds": [cap.kind for cap in ordered],
        "states": [cap.model_dump_json(exclude_defaults=True) for cap in ordered],
    }


# Some hundred keys at most, whatever a batch holds: the server's table of locks is not endless. Two-part keys are a
# space of their own, so that they cannot meet those of case keys in another order.
_ALONE = Prepared(
    text("""
SELECT pg_advisory_xact_lock(CAST(x'616c726d' AS int), slot) FROM (
  SELECT DISTINCT abs(hashtext(w.s || ' ' || w.d || ' ' || w.k) % 256) AS slot
    FROM unnest(CAST(:systems AS text[]), CAST(:devices AS text[]), CAST(:kinds AS text[])) AS w(s, d, k)
   WHERE NOT EXISTS (SELECT FROM alarm a WHERE a.system = w.s AND a.device = w.d AND a.kind = w.k)
   ORDER BY slot) AS held
""")
)
_ALARMS = Prepared(
    text("""
SELECT CAST(a.state AS text), c.stage
  FROM unnest(CAST(:systems AS text[]), CAST(:devices AS text[]), CAST(:kinds AS text[])) AS w(s, d, k)
  JOIN alarm a ON a.system = w.s AND a.device = w.d AND a.kind = w.k LEFT JOIN cases c ON c.id = a.case_id
 ORDER BY a.system, a.device, a.kind FOR UPDATE OF a
""")
)
_CAPS = Prepared(
    text("""
SELECT CAST(a.state AS text) FROM unnest(CAST(:systems AS text[]), CAST(:kinds AS text[])) AS w(s, k)
  JOIN alarm_cap a ON a.system = w.s AND a.kind = w.k ORDER BY a.system, a.kind FOR UPDATE OF a
""")
)
_REMAINING = Prepared(
    text("""
WITH RECURSIVE way AS (
  SELECT c.id, c.state ->> 'merged_into' AS next FROM cases c WHERE c.id = ANY(CAST(:ids AS uuid[]))
  UNION SELECT c.id, c.state ->> 'merged_into' FROM way JOIN cases c ON c.no = way.next)
SELECT id FROM way
""")
)
_SAVE_ALARMS = Prepared(
    text("""
INSERT INTO alarm (system, device, kind, case_id, seen_at, state, due_at, message_id)
SELECT s, d, k, c, t, CAST(b AS jsonb), u, m FROM unnest(CAST(:systems AS text[]), CAST(:devices AS text[]),
  CAST(:kinds AS text[]), CAST(:cases AS uuid[]), CAST(:seen AS timestamptz[]), CAST(:states AS text[]),
  CAST(:due AS timestamptz[]), CAST(:messages AS uuid[])) AS w(s, d, k, c, t, b, u, m)
ON CONFLICT (system, device, kind) DO UPDATE
  SET case_id = EXCLUDED.case_id, seen_at = EXCLUDED.seen_at, state = EXCLUDED.state, due_at = EXCLUDED.due_at,
      message_id = EXCLUDED.message_id
""")
)
_NEW_CAPS = Prepared(
    text("""
INSERT INTO alarm_cap (system, kind, state)
SELECT s, k, CAST(b AS jsonb) FROM unnest(CAST(:systems AS text[]), CAST(:kinds AS text[]), CAST(:states AS text[]))
  AS w(s, k, b)
""")
)
_CHANGE_CAPS = Prepared(
    text("""
UPDATE alarm_cap SET state = CAST(w.b AS jsonb)
  FROM unnest(CAST(:systems AS text[]), CAST(:kinds AS text[]), CAST(:states AS text[])) AS w(s, k, b)
 WHERE alarm_cap.system = w.s AND alarm_cap.kind = w.k
""")
)
