"""Months for the tables that grow: journal, events and settled deliveries; what is not settled lies apart.

No row is copied but the few unsettled deliveries: what is there becomes the first partition, which is read once to
prove that it fits. Everybody else waits meanwhile (docs/operating.md says how long).
"""

from alembic import op
from sqlalchemy import text

from storage.partitions import Month

revision = "0010"
down_revision = "0009"

_SETTLED = "('acknowledged', 'withdrawn')"
_INDEXES = """
SELECT c.relname, pg_get_indexdef(c.oid), i.indisprimary, i.indisunique
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = to_regclass(:table) ORDER BY c.relname
"""
_QUEUE = "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0"


def upgrade() -> None:
    for table, key in (("message", "id"), ("event", "case_id")):
        indexes = _set_aside(table)
        op.execute(f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS) PARTITION BY RANGE ({key})")
        for _, definition, primary, _ in indexes:
            op.execute(f"ALTER TABLE {table} ADD {_primary_key(definition)}" if primary else definition)
        _attach(table, key)
    _part_deliveries(_set_aside("delivery"))


def _set_aside(table: str) -> list[tuple[str, str, bool, bool]]:
    """Give the table and its indexes other names; their definitions as they were."""
    indexes = [(row[0], row[1], row[2], row[3]) for row in op.get_bind().execute(text(_INDEXES), {"table": table})]
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    for name, *_ in indexes:
        op.execute(f"ALTER INDEX {name} RENAME TO {name.replace(table, f'{table}_before', 1)}")
    return indexes


def _primary_key(definition: str) -> str:
    return "PRIMARY KEY " + definition[definition.index("(") :]


def _part_deliveries(indexes: list[tuple[str, str, bool, bool]]) -> None:
    op.execute("CREATE TABLE delivery (LIKE delivery_before INCLUDING DEFAULTS) PARTITION BY LIST (state)")
    op.execute(f"CREATE TABLE delivery_open PARTITION OF delivery DEFAULT WITH ({_QUEUE})")
    op.execute(
        f"CREATE TABLE delivery_done PARTITION OF delivery FOR VALUES IN {_SETTLED} PARTITION BY RANGE (case_id)"
    )
    op.execute("ALTER TABLE delivery_before DROP CONSTRAINT delivery_before_pkey")
    op.execute("CREATE INDEX delivery_id ON delivery (id)")
    op.execute("CREATE UNIQUE INDEX delivery_done_lane ON delivery_done (case_id, system, seq)")
    for name, definition, primary, unique in indexes:
        if not primary:  # the claim's and the lists': all of them look for what is not settled
            op.execute(definition.replace(".delivery ", ".delivery_open "))
            if not unique:
                op.execute(f"DROP INDEX {name.replace('delivery', 'delivery_before', 1)}")
    op.execute(f"""
        WITH moved AS (DELETE FROM delivery_before WHERE state NOT IN {_SETTLED} RETURNING *)
        INSERT INTO delivery SELECT * FROM moved""")  # noqa: S608 names are ours
    _attach("delivery_done", "case_id", before="delivery_before")


def _attach(table: str, key: str, *, before: str = "") -> None:
    """What was there becomes the months up to now; what a wrong clock dated later goes to the rest."""
    before = before or f"{table}_before"
    connection = op.get_bind()
    op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
    if connection.execute(text(f"SELECT 1 FROM {before} LIMIT 1")).first() is None:  # noqa: S608
        op.execute(f"DROP TABLE {before}")
        return
    end = Month.of(connection.execute(text("SELECT now()")).scalar_one()).plus(1).first
    op.execute(f"""
        WITH moved AS (DELETE FROM {before} WHERE {key} >= '{end}' RETURNING *)
        INSERT INTO {table} SELECT * FROM moved""")  # noqa: S608 names are ours
    if before != f"{table}_before":
        op.execute(f"ALTER TABLE {before} RENAME TO {table}_before")
    op.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_before FOR VALUES FROM (MINVALUE) TO ('{end}')")
