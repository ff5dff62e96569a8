"""Tallies of cases, kept by triggers.

Cases that are there are counted as far back as the cockpit looks: 400 days by month, the last days by day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_INSTANT = sa.DateTime(timezone=True)
_TEXTS = ("stage", "level", "street", "class_code", "source", "owner", "unit", "channel", "outcome", "how")
_KEYS = ("street", "unit", "owner", "source", "class_code", "stage", "level", "channel", "outcome", "how")


def upgrade() -> None:
    op.create_table(
        "tally_change",
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("taken_at", _INSTANT, nullable=False),
        sa.Column("due_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.Column("n", sa.Integer(), nullable=False),
    )
    op.create_table(
        "tally",
        sa.Column("cube", sa.Text(), primary_key=True),
        sa.Column("at", _INSTANT, primary_key=True),
        *(sa.Column(name, sa.Text(), primary_key=True, server_default="") for name in _KEYS),
        sa.Column("provisional", sa.Boolean(), primary_key=True, server_default=sa.text("false")),
        sa.Column("n", sa.BigInteger(), nullable=False),
    )
    for statement in (*_COUNTING, _FILL):
        op.execute(statement)


# ruff: noqa: E501
_COUNTING = (
    """ALTER TABLE tally_change SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off)""",
    """ALTER TABLE tally SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)""",
    """CREATE FUNCTION tally_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tally_change (stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at, n)
  SELECT stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at, sum(n)
    FROM (SELECT CASE WHEN o.open THEN c.stage ELSE '' END AS stage,
       CASE WHEN o.open THEN coalesce(s.level, '') ELSE '' END AS level,
       left(coalesce(c.area, ''), 9) AS street,
       coalesce(c.class_code, '') AS class_code,
       left(c.source, 100) AS source,
       left(c.owner, 100) AS owner,
       left(c.unit, 100) AS unit,
       left(coalesce(s.channel, ''), 100) AS channel,
       CASE WHEN c.closed_at IS NULL OR c.due_at IS NULL THEN '' WHEN coalesce(c.disposed_at, c.closed_at) <= c.due_at THEN 'on_time' ELSE 'late' END AS outcome,
       CASE WHEN c.closed_at IS NULL THEN '' WHEN s.on_the_spot THEN 'on_the_spot' WHEN s.forced THEN 'forced' ELSE 'closed' END AS how,
       w.waits AND coalesce(s.due ->> 'provisional' = 'true', false) AS provisional,
       date_bin('1 hour', c.received_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS taken_at,
       CASE WHEN w.waits THEN date_bin('1 hour', c.due_at, TIMESTAMPTZ '2000-01-01 00:00+08') END AS due_at,
       date_bin('1 day', c.closed_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS ended_at, 1 AS n
  FROM new_cases c
 CROSS JOIN LATERAL jsonb_to_record(c.state)
       AS s(level text, channel text, due jsonb, forced boolean, on_the_spot boolean)
 CROSS JOIN LATERAL (SELECT c.stage NOT IN ('cancelled', 'closed', 'evaluated', 'merged', 'refused') AS open) AS o
 CROSS JOIN LATERAL (SELECT o.open AND c.disposed_at IS NULL AND c.due_at IS NOT NULL AS waits) AS w) d
   GROUP BY stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at HAVING sum(n) <> 0;
  RETURN NULL;
END $$""",
    """CREATE TRIGGER tally_inserted AFTER INSERT ON cases REFERENCING NEW TABLE AS new_cases FOR EACH STATEMENT EXECUTE FUNCTION tally_inserted()""",
    """CREATE FUNCTION tally_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tally_change (stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at, n)
  SELECT stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at, sum(n)
    FROM (SELECT CASE WHEN o.open THEN c.stage ELSE '' END AS stage,
       CASE WHEN o.open THEN coalesce(s.level, '') ELSE '' END AS level,
       left(coalesce(c.area, ''), 9) AS street,
       coalesce(c.class_code, '') AS class_code,
       left(c.source, 100) AS source,
       left(c.owner, 100) AS owner,
       left(c.unit, 100) AS unit,
       left(coalesce(s.channel, ''), 100) AS channel,
       CASE WHEN c.closed_at IS NULL OR c.due_at IS NULL THEN '' WHEN coalesce(c.disposed_at, c.closed_at) <= c.due_at THEN 'on_time' ELSE 'late' END AS outcome,
       CASE WHEN c.closed_at IS NULL THEN '' WHEN s.on_the_spot THEN 'on_the_spot' WHEN s.forced THEN 'forced' ELSE 'closed' END AS how,
       w.waits AND coalesce(s.due ->> 'provisional' = 'true', false) AS provisional,
       date_bin('1 hour', c.received_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS taken_at,
       CASE WHEN w.waits THEN date_bin('1 hour', c.due_at, TIMESTAMPTZ '2000-01-01 00:00+08') END AS due_at,
       date_bin('1 day', c.closed_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS ended_at, 1 AS n
  FROM new_cases c
 CROSS JOIN LATERAL jsonb_to_record(c.state)
       AS s(level text, channel text, due jsonb, forced boolean, on_the_spot boolean)
 CROSS JOIN LATERAL (SELECT c.stage NOT IN ('cancelled', 'closed', 'evaluated', 'merged', 'refused') AS open) AS o
 CROSS JOIN LATERAL (SELECT o.open AND c.disposed_at IS NULL AND c.due_at IS NOT NULL AS waits) AS w
 UNION ALL
SELECT CASE WHEN o.open THEN c.stage ELSE '' END AS stage,
       CASE WHEN o.open THEN coalesce(s.level, '') ELSE '' END AS level,
       left(coalesce(c.area, ''), 9) AS street,
       coalesce(c.class_code, '') AS class_code,
       left(c.source, 100) AS source,
       left(c.owner, 100) AS owner,
       left(c.unit, 100) AS unit,
       left(coalesce(s.channel, ''), 100) AS channel,
       CASE WHEN c.closed_at IS NULL OR c.due_at IS NULL THEN '' WHEN coalesce(c.disposed_at, c.closed_at) <= c.due_at THEN 'on_time' ELSE 'late' END AS outcome,
       CASE WHEN c.closed_at IS NULL THEN '' WHEN s.on_the_spot THEN 'on_the_spot' WHEN s.forced THEN 'forced' ELSE 'closed' END AS how,
       w.waits AND coalesce(s.due ->> 'provisional' = 'true', false) AS provisional,
       date_bin('1 hour', c.received_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS taken_at,
       CASE WHEN w.waits THEN date_bin('1 hour', c.due_at, TIMESTAMPTZ '2000-01-01 00:00+08') END AS due_at,
       date_bin('1 day', c.closed_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS ended_at, -1 AS n
  FROM old_cases c
 CROSS JOIN LATERAL jsonb_to_record(c.state)
       AS s(level text, channel text, due jsonb, forced boolean, on_the_spot boolean)
 CROSS JOIN LATERAL (SELECT c.stage NOT IN ('cancelled', 'closed', 'evaluated', 'merged', 'refused') AS open) AS o
 CROSS JOIN LATERAL (SELECT o.open AND c.disposed_at IS NULL AND c.due_at IS NOT NULL AS waits) AS w) d
   GROUP BY stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at HAVING sum(n) <> 0;
  RETURN NULL;
END $$""",
    """CREATE TRIGGER tally_updated AFTER UPDATE ON cases REFERENCING OLD TABLE AS old_cases NEW TABLE AS new_cases FOR EACH STATEMENT EXECUTE FUNCTION tally_updated()""",
    """CREATE FUNCTION tally_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tally_change (stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at, n)
  SELECT stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at, sum(n)
    FROM (SELECT CASE WHEN o.open THEN c.stage ELSE '' END AS stage,
       CASE WHEN o.open THEN coalesce(s.level, '') ELSE '' END AS level,
       left(coalesce(c.area, ''), 9) AS street,
       coalesce(c.class_code, '') AS class_code,
       left(c.source, 100) AS source,
       left(c.owner, 100) AS owner,
       left(c.unit, 100) AS unit,
       left(coalesce(s.channel, ''), 100) AS channel,
       CASE WHEN c.closed_at IS NULL OR c.due_at IS NULL THEN '' WHEN coalesce(c.disposed_at, c.closed_at) <= c.due_at THEN 'on_time' ELSE 'late' END AS outcome,
       CASE WHEN c.closed_at IS NULL THEN '' WHEN s.on_the_spot THEN 'on_the_spot' WHEN s.forced THEN 'forced' ELSE 'closed' END AS how,
       w.waits AND coalesce(s.due ->> 'provisional' = 'true', false) AS provisional,
       date_bin('1 hour', c.received_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS taken_at,
       CASE WHEN w.waits THEN date_bin('1 hour', c.due_at, TIMESTAMPTZ '2000-01-01 00:00+08') END AS due_at,
       date_bin('1 day', c.closed_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS ended_at, -1 AS n
  FROM old_cases c
 CROSS JOIN LATERAL jsonb_to_record(c.state)
       AS s(level text, channel text, due jsonb, forced boolean, on_the_spot boolean)
 CROSS JOIN LATERAL (SELECT c.stage NOT IN ('cancelled', 'closed', 'evaluated', 'merged', 'refused') AS open) AS o
 CROSS JOIN LATERAL (SELECT o.open AND c.disposed_at IS NULL AND c.due_at IS NOT NULL AS waits) AS w) d
   GROUP BY stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at HAVING sum(n) <> 0;
  RETURN NULL;
END $$""",
    """CREATE TRIGGER tally_deleted AFTER DELETE ON cases REFERENCING OLD TABLE AS old_cases FOR EACH STATEMENT EXECUTE FUNCTION tally_deleted()""",
)
_FILL = """
INSERT INTO tally_change (stage, level, street, class_code, source, owner, unit, channel, outcome, how, provisional, taken_at, due_at, ended_at, n)
SELECT stage, level, street, CASE WHEN d.long_ago THEN '' ELSE class_code END, source, owner, unit,
       CASE WHEN d.recent THEN channel ELSE '' END, outcome, how, provisional,
       CASE WHEN d.recent THEN taken_at ELSE '-infinity' END, due_at,
       CASE WHEN d.long_ago THEN date_trunc('month', ended_at, 'Asia/Shanghai') ELSE ended_at END, count(*)
  FROM (SELECT CASE WHEN o.open THEN c.stage ELSE '' END AS stage,
       CASE WHEN o.open THEN coalesce(s.level, '') ELSE '' END AS level,
       left(coalesce(c.area, ''), 9) AS street,
       coalesce(c.class_code, '') AS class_code,
       left(c.source, 100) AS source,
       left(c.owner, 100) AS owner,
       left(c.unit, 100) AS unit,
       left(coalesce(s.channel, ''), 100) AS channel,
       CASE WHEN c.closed_at IS NULL OR c.due_at IS NULL THEN '' WHEN coalesce(c.disposed_at, c.closed_at) <= c.due_at THEN 'on_time' ELSE 'late' END AS outcome,
       CASE WHEN c.closed_at IS NULL THEN '' WHEN s.on_the_spot THEN 'on_the_spot' WHEN s.forced THEN 'forced' ELSE 'closed' END AS how,
       w.waits AND coalesce(s.due ->> 'provisional' = 'true', false) AS provisional,
       date_bin('1 hour', c.received_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS taken_at,
       CASE WHEN w.waits THEN date_bin('1 hour', c.due_at, TIMESTAMPTZ '2000-01-01 00:00+08') END AS due_at,
       date_bin('1 day', c.closed_at, TIMESTAMPTZ '2000-01-01 00:00+08') AS ended_at, 1 AS n
  FROM cases c
 CROSS JOIN LATERAL jsonb_to_record(c.state)
       AS s(level text, channel text, due jsonb, forced boolean, on_the_spot boolean)
 CROSS JOIN LATERAL (SELECT c.stage NOT IN ('cancelled', 'closed', 'evaluated', 'merged', 'refused') AS open) AS o
 CROSS JOIN LATERAL (SELECT o.open AND c.disposed_at IS NULL AND c.due_at IS NOT NULL AS waits) AS w) x
 CROSS JOIN LATERAL (SELECT taken_at > now() - interval '5 days' AS recent,
                            coalesce(ended_at < now() - interval '70 days', false) AS long_ago) d
 WHERE stage <> '' OR ended_at > now() - interval '410 days' OR d.recent
 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14"""
