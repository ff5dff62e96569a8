"""Rows and the statements that write them: one array a column, one statement a batch."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import Table, TextClause, text
from sqlalchemy.dialects import postgresql

from canonical.case import Binding, Case, Event
from canonical.clock import Clock
from canonical.lifecycle import GIVES, ActionKind
from canonical.records import Changes, Delivery, JournalEntry
from canonical.value import Value
from storage import tables

Arrays = dict[str, list[object]]
Columns = tuple[tuple[str, str], ...]
"""(name, PostgreSQL type) of the columns that are written, in order."""


def _columns_of(table: Table, *, left_out: frozenset[str] = frozenset()) -> Columns:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return tuple(
        (column.name, column.type.compile(dialect=dialect)) for column in table.columns if column.name not in left_out
    )


def _names(columns: Columns) -> str:
    return ", ".join(f'"{name}"' for name, _ in columns)


def _arrays_of(prefix: str, columns: Columns) -> str:
    """`CAST(:p_a AS UUID[]), CAST(:p_b AS TEXT[])`: one parameter a column. JSON travels as text."""
    return ", ".join(f"CAST(:{prefix}_{name} AS {'TEXT' if kind == 'JSONB' else kind}[])" for name, kind in columns)


def _value(name: str, kind: str) -> str:
    return f'CAST(w."{name}" AS JSONB)' if kind == "JSONB" else f'w."{name}"'


def _insert(table: str, prefix: str, columns: Columns, *, conflict: str = "") -> str:
    names, values = _names(columns), ", ".join(_value(*column) for column in columns)
    source = f"unnest({_arrays_of(prefix, columns)}) AS w({names})"
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {source} {conflict}"  # noqa: S608 names are ours


_SET_BY_THE_OUTBOX = frozenset(
    {"state", "in_doubt", "attempts", "done_at", "why", "text", "message_id", "claims", "since", "sent_at"}
) | {"replays", "edition"}
_MESSAGE = _columns_of(tables.message, left_out=frozenset({"digest", "xact"}))
_CASE = _columns_of(tables.cases)
_EVENT = _columns_of(tables.event, left_out=frozenset({"xact"}))
_STEP = _columns_of(tables.clock_step)
_SHADOW = _columns_of(tables.shadow)
_BINDING = _columns_of(tables.binding)
_DELIVERY = _columns_of(tables.delivery, left_out=_SET_BY_THE_OUTBOX)

# A changed journal row (a replay, a released hold) keeps its bytes and takes its new verdict.
_REPLAYED = """ON CONFLICT (id) DO UPDATE SET verdict = EXCLUDED.verdict, why = EXCLUDED.why, text = EXCLUDED.text,
  kind = EXCLUDED.kind, external_id = EXCLUDED.external_id, case_id = EXCLUDED.case_id, edition = EXCLUDED.edition,
  is_report = EXCLUDED.is_report"""


# One row a case for all its events of this transaction, and none where nobody publishes.
_ANNOUNCE = """INSERT INTO announcement (case_id, first, last) SELECT w.case_id, min(w.seq), max(w.seq)
  FROM unnest(CAST(:e_case_id AS UUID[]), CAST(:e_seq AS INTEGER[])) AS w(case_id, seq)
 WHERE EXISTS (SELECT FROM publication) GROUP BY w.case_id"""


def _save_statement() -> TextClause:
    parts = (
        f"m AS ({_insert('message', 'm', _MESSAGE, conflict=_REPLAYED)})",
        f"c AS ({_insert('cases', 'c', _CASE)})",
        f"e AS ({_insert('event', 'e', _EVENT)})",
        f"b AS ({_insert('binding', 'b', _BINDING)})",
        f"a AS ({_ANNOUNCE})",
    )
    return text(f"WITH {', '.join(parts)} {_insert('delivery', 'd', _DELIVERY)}")


def _change_statement() -> TextClause:
    changes = ", ".join(f'"{name}" = {_value(name, kind)}' for name, kind in _CASE if name not in {"id", "no"})
    source = f"unnest({_arrays_of('c', _CASE)}) AS w({_names(_CASE)})"
    return text(f"UPDATE cases SET {changes} FROM {source} WHERE cases.id = w.id")  # noqa: S608


SAVE = _save_statement()
CHANGE = _change_statement()
JOURNAL = text(_insert("message", "m", _MESSAGE, conflict=_REPLAYED))
_IF_NEW = "ON CONFLICT (system, external_id) DO NOTHING RETURNING system, external_id, case_id"


def journal(only: str = "") -> str:
    """The statement that writes new rows of the journal, as a part of another one.

    `only`: a part that returns ids; rows of others, by `m_of`, are not written.
    """
    if not only:
        return _insert("message", "m", _MESSAGE)
    names, values = _names(_MESSAGE), ", ".join(_value(*column) for column in _MESSAGE)
    source = f"unnest({_arrays_of('m', _MESSAGE)}, CAST(:m_of AS UUID[])) AS w({names}, of)"
    return f"INSERT INTO message ({names}) SELECT {values} FROM {source} WHERE w.of IN (SELECT id FROM {only})"  # noqa: S608


STEPS = text(_insert("clock_step", "s", _STEP))
SHADOWS = text(_insert("shadow", "h", _SHADOW))
BIND_NEW = text(_insert("binding", "b", _BINDING, conflict=_IF_NEW))
REBIND = text(f"""
UPDATE binding SET case_id = w.case_id, fingerprint = w.fingerprint, body = CAST(w.body AS JSONB)
  FROM unnest({_arrays_of("b", _BINDING)}) AS w({_names(_BINDING)})
 WHERE binding.system = w.system AND binding.external_id = w.external_id
""")  # noqa: S608


def _arrays(prefix: str, columns: Columns, rows: Iterable[Sequence[object]]) -> Arrays:
    """Rows turned into one array a column, as unnest wants them."""
    turned = list(zip(*rows, strict=True)) or [()] * len(columns)
    return {f"{prefix}_{name}": list(column) for (name, _), column in zip(columns, turned, strict=True)}


def rows_of(changes: Changes, now: datetime) -> Arrays:
    """The parameters of SAVE."""
    cases = sorted(changes.new_cases.values(), key=lambda case: case.id)
    texts = _Texts()
    return {
        **journal_rows(changes.journal),
        **case_rows(cases),
        **_arrays("e", _EVENT, (_event_row(event, texts) for event in changes.events)),
        **binding_rows(changes.bindings),
        **_arrays("d", _DELIVERY, (_delivery_row(delivery, now) for delivery in changes.deliveries)),
    }


def journal_rows(entries: Sequence[JournalEntry]) -> Arrays:
    """The parameters of JOURNAL."""
    return _arrays("m", _MESSAGE, map(_journal_row, entries))


def case_rows(cases: Sequence[Case]) -> Arrays:
    """The parameters of CHANGE."""
    texts = _Texts()
    return _arrays("c", _CASE, (_case_row(case, texts) for case in cases))


def binding_rows(bindings: Sequence[Binding]) -> Arrays:
    """The parameters of BIND_NEW and REBIND, in the order of the key: two batches cannot deadlock."""
    ordered = sorted(bindings, key=lambda binding: (binding.system, binding.external_id))
    return _arrays("b", _BINDING, map(_binding_row, ordered))


def _journal_row(entry: JournalEntry) -> tuple[object, ...]:
    message = entry.message
    return (
        message.id, message.at, entry.direction, message.system, message.door, message.parent, message.content_type,
        message.path, message.status, message.body, entry.verdict, entry.why or "", entry.text, entry.kind,
        entry.is_report, entry.external_id, entry.case_id, entry.edition, _headers(message.headers),
    )  # fmt: skip


_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
"""Nobody needs them to read a message again, and the journal is read by people."""


def _headers(headers: Mapping[str, str]) -> str:
    if not headers:
        return "{}"
    kept = {name: value.replace("\0", "") for name, value in headers.items() if name not in _CREDENTIALS}
    return orjson.dumps(kept).decode()  # PostgreSQL's text has no U+0000


class _Texts:
    """JSON of what many rows of a batch share: the cases of one moment begin the same clocks."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Value, str]] = {}

    def all_of(self, values: Iterable[Value]) -> str:
        """A list of them."""
        return f"[{','.join(map(self._of, values))}]"

    def _of(self, value: Value) -> str:
        found = self._known.get(id(value))
        if found is None:  # kept with it: an id may be given again
            found = self._known[id(value)] = value, value.model_dump_json(exclude_defaults=True)
        return found[1]


def _case_row(case: Case, texts: _Texts) -> tuple[object, ...]:
    place, unit = case.place, case.assignment.unit if case.assignment else ""
    class_code = str(case.class_code) if case.class_code else None
    return (
        case.id, case.no, case.version, case.stage, case.queue, case.source, case.owner, unit, class_code, place.area,
        place.grid, place.lon, place.lat, case.received_at, due_at(case), case.disposed_at, case.closed_at,
        _state(case, texts), case.next_step_at,
    )  # fmt: skip


def _state(case: Case, texts: _Texts) -> str:
    state = case.model_dump_json(exclude_defaults=True, exclude=_CLOCKS)
    return f'{state[:-1]},"clocks":{texts.all_of(case.clocks)}}}' if case.clocks else state


_CLOCKS, _TIMED = {"clocks"}, {"action": {"timed"}}
_ACTION = '"action":{'


def step_rows(events: Iterable[Event]) -> Arrays:
    """The parameters of STEPS: what these events told of clocks."""
    told = ((event, event.action.told) for event in events)
    rows = (
        (
            event.case_id,
            one.clock,
            one.of,
            one.since,
            one.extension,
            one.step,
            event.seq,
            one.at,
            event.action.at,
            one.late,
        )
        for event, one in told
        if one is not None
    )
    return _arrays("s", _STEP, rows)


def shadow_rows(events: Iterable[Event], cases: Mapping[UUID, Case]) -> Arrays:
    """The parameters of SHADOWS: what these events of a lead system are compared with. `cases`: as they are now."""
    return _arrays("h", _SHADOW, (_shadow_row(event, cases[event.case_id]) for event in events if event.action.shadow))


def _shadow_row(event: Event, case: Case) -> tuple[object, ...]:
    action, ours = event.action, event.action.shadow
    assert ours is not None  # only such events are rows
    gives = action.kind in GIVES
    stated = next((one.due for one in action.timed if one.clock is Clock.OWNER), None)
    return (
        event.case_id, event.seq, action.at, action.actor.id, str(case.class_code or ""),
        ActionKind.DISPATCH if gives else ActionKind.FILE, action.unit if gives else action.kind,
        ours.unit if gives else (ours.kind or ""), stated.at if stated and gives else None,
        ours.due.at if ours.due else None, ours.why,
    )  # fmt: skip


def due_at(case: Case) -> datetime | None:
    """The nearer of our own due time and the source's: what "overdue" is counted by."""
    return min((due.at for due in (case.due, case.source_due) if due), default=None)


def _event_row(event: Event, texts: _Texts) -> tuple[object, ...]:
    action = event.action
    body = event.model_dump_json(exclude_defaults=True, exclude=_TIMED)
    if action.timed:  # the first object of that name is the action: before it are ids and stages alone
        body = body.replace(_ACTION, f'{_ACTION}"timed":{texts.all_of(action.timed)},', 1)
    return (event.case_id, event.seq, action.at, action.kind, action.actor.party, event.message_id, body)


def _binding_row(binding: Binding) -> tuple[object, ...]:
    body = binding.model_dump_json(exclude_defaults=True)
    return (binding.system, binding.external_id, binding.case_id, binding.case_key, binding.fingerprint, body)


def _delivery_row(delivery: Delivery, now: datetime) -> tuple[object, ...]:
    return (
        delivery.id, delivery.case_id, delivery.system, delivery.seq, delivery.event_seq, delivery.message,
        delivery.address, delivery.created_at, now,
    )  # fmt: skip
