"""Tallies 计数: what the cockpit shows, kept by the database itself, whatever way a case changes.

`tally_change` is append-only: each statement that changes cases leaves there, grouped, what they no longer count as
(`n` below zero) and what they count as now. `storage.tallies` folds it into `tally`; a figure is the sum of both.
"""

from sqlalchemy import DDL, BigInteger, Boolean, Column, Integer, Table, Text, text
from sqlalchemy import event as happening

from canonical.lifecycle import ENDED
from storage.tables.base import INSTANT, metadata

_TEXTS = ("stage", "level", "street", "class_code", "source", "owner", "unit", "channel", "outcome", "how")
_FLAGS = ("provisional",)
_HOURS = ("taken_at", "due_at", "ended_at")
COUNTED = (*_TEXTS, *_FLAGS, *_HOURS)
"""What of a case is counted."""

tally_change = Table(
    "tally_change",
    metadata,
    *(Column(name, Text, nullable=False) for name in _TEXTS),
    Column("provisional", Boolean, nullable=False),
    Column("taken_at", INSTANT, nullable=False),  # the hour it was received in
    Column("due_at", INSTANT),  # the hour it is due in, while it is open and not disposed of
    Column("ended_at", INSTANT),  # the day it was closed on
    Column("n", Integer, nullable=False),
)

tally = Table(
    "tally",
    metadata,
    Column("cube", Text, primary_key=True),
    Column("at", INSTANT, primary_key=True),  # its bucket of time; -infinity where it has none, or all that is past
    *(
        Column(name, Text, primary_key=True, server_default="")
        for name in ("street", "unit", "owner", "source", "class_code", "stage", "level", "channel", "outcome", "how")
    ),
    Column("provisional", Boolean, primary_key=True, server_default=text("false")),
    Column("n", BigInteger, nullable=False),
)

_ENDED = ", ".join(f"'{stage}'" for stage in sorted(ENDED))
_HOUR = "date_bin('1 hour', {}, TIMESTAMPTZ '2000-01-01 00:00+08')"
_DAY = "date_bin('1 day', {}, TIMESTAMPTZ '2000-01-01 00:00+08')"
_LONGEST = 100
"""Characters of a name: the key of a tally has to fit into an index whatever a lead system calls its units."""
AS_COUNTED = {
    "stage": "CASE WHEN o.open THEN c.stage ELSE '' END",
    "level": "CASE WHEN o.open THEN coalesce(s.level, '') ELSE '' END",
    "street": "left(coalesce(c.area, ''), 9)",
    "class_code": "coalesce(c.class_code, '')",
    "source": f"left(c.source, {_LONGEST})",
    "owner": f"left(c.owner, {_LONGEST})",
    "unit": f"left(c.unit, {_LONGEST})",
    "channel": f"left(coalesce(s.channel, ''), {_LONGEST})",
    "outcome": "CASE WHEN c.closed_at IS NULL OR c.due_at IS NULL THEN ''"
    " WHEN coalesce(c.disposed_at, c.closed_at) <= c.due_at THEN 'on_time' ELSE 'late' END",
    "how": "CASE WHEN c.closed_at IS NULL THEN '' WHEN s.on_the_spot THEN 'on_the_spot'"
    " WHEN s.forced THEN 'forced' ELSE 'closed' END",
    "provisional": "w.waits AND coalesce(s.due ->> 'provisional' = 'true', false)",
    "taken_at": _HOUR.format("c.received_at"),
    "due_at": f"CASE WHEN w.waits THEN {_HOUR.format('c.due_at')} END",
    "ended_at": _DAY.format("c.closed_at"),
}
"""Each of COUNTED in SQL, of the row `c` of cases. Asia/Shanghai is eight hours ahead the whole year."""
# The state is opened once for all that is read of it: most of it lies compressed.
OPENED = f"""
 CROSS JOIN LATERAL jsonb_to_record(c.state)
       AS s(level text, channel text, due jsonb, forced boolean, on_the_spot boolean)
 CROSS JOIN LATERAL (SELECT c.stage NOT IN ({_ENDED}) AS open) AS o
 CROSS JOIN LATERAL (SELECT o.open AND c.disposed_at IS NULL AND c.due_at IS NOT NULL AS waits) AS w"""
"""What AS_COUNTED reads beside `c`."""


def counted(table: str, sign: str = "1") -> str:
    """SQL: every row of `table`, which has the columns of cases, as it counts; `n` is `sign`."""
    columns = ",\n       ".join(f"{AS_COUNTED[name]} AS {name}" for name in COUNTED)
    return f"SELECT {columns}, {sign} AS n\n  FROM {table} c{OPENED}"  # noqa: S608 names are ours


def _trigger(name: str, action: str, tables: str, rows: str) -> tuple[str, str]:
    """A function that appends the grouped differences, and the trigger that calls it once a statement.

    What counts as it did before sums up to nothing and leaves no row.
    """
    names = ", ".join(COUNTED)
    append = f"""
  INSERT INTO tally_change ({names}, n)
  SELECT {names}, sum(n)
    FROM ({rows}) d
   GROUP BY {names} HAVING sum(n) <> 0;"""  # noqa: S608 names are ours
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN{append}\n  RETURN NULL;\nEND $$",
        f"CREATE TRIGGER {name} AFTER {action} ON cases REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    )


_QUEUE = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off"
_NEW, _OLD = "NEW TABLE AS new_cases", "OLD TABLE AS old_cases"
COUNTING = (
    # Rows come and go without end; cutting the file off would keep intake waiting.
    f"ALTER TABLE tally_change SET ({_QUEUE})",
    "ALTER TABLE tally SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)",
    *_trigger("tally_inserted", "INSERT", _NEW, counted("new_cases")),
    *_trigger(
        "tally_updated", "UPDATE", f"{_OLD} {_NEW}",
        f"{counted('new_cases')}\n UNION ALL\n{counted('old_cases', '-1')}",
    ),
    *_trigger("tally_deleted", "DELETE", _OLD, counted("old_cases", "-1")),
)  # fmt: skip
"""What no model can say."""
for _statement in COUNTING:
    happening.listen(metadata, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
