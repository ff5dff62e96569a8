"""Transactions as rows know them: a database restored from a dump begins again at small numbers, and is counted on.

Seen before anybody writes to it: at the start of every process, with the schema.
"""

from sqlalchemy import Connection, text

XACT = "((pg_current_xact_id())::text)::bigint"
"""SQL: the server's own number of this transaction."""
SHIFT = "coalesce((SELECT max(shift) FROM sealing), 0)"
"""SQL: what is added to the server's own number of a transaction."""
OLDEST_OPEN = f"CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) + {SHIFT}"
"""SQL: the oldest transaction that is still open, as rows know it. All before it is decided."""
_TABLES = ("message", "event")


def count_on(connection: Connection) -> int:
    """Let new rows stand after all that are sealed. How far the count was moved; 0: there was no need."""
    last = connection.execute(_LAST).scalar()
    if last is None or connection.execute(_NOW).scalar_one() > last:
        return 0
    highest = max(connection.execute(text(f"SELECT max(xact) FROM {table}")).scalar() or 0 for table in _TABLES)  # noqa: S608
    shift = int(max(last, highest))
    connection.execute(_MOVED, {"shift": shift})
    for table in _TABLES:
        parts = connection.execute(_PARTS, {"of": table}).scalars().all()
        for one in (table, *parts):
            connection.execute(text(f"ALTER TABLE {one} ALTER COLUMN xact SET DEFAULT {XACT} + {shift}"))
    return shift


_LAST = text("SELECT max(upto_xact) FROM seal")
_NOW = text(f"SELECT {OLDEST_OPEN}")
_MOVED = text("""
INSERT INTO sealing (at, start, shift)
SELECT clock_timestamp(), coalesce((SELECT max(start) FROM sealing), 0), :shift
""")
_PARTS = text("""
SELECT CAST(CAST(inhrelid AS regclass) AS text) FROM pg_inherits WHERE inhparent = to_regclass(:of)
""")
