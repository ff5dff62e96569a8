"""Fills a database with closed cases of many months in the shape the hub writes, by SQL alone: about 3 KB a case.

Lean and honest: every case has its row, its state, its report in the journal, its binding, two of its about six events
and one settled delivery of about four, each with all columns and all index entries; texts are short. What a case of a
busy platform weighs in full is three to four times as much.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from storage.partitions import TREES, Month, make, parts

MONTHS = 36
CHUNK = 100_000

_CASES = """
CREATE TEMP TABLE made AS
SELECT i, at, h,
       CAST(lpad(to_hex(ms), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15) AS uuid) AS id,
       CAST(lpad(to_hex(ms - 3), 12, '0') || '7' || substr(h, 5, 3) || '9' || substr(h, 8, 15) AS uuid) AS m,
       '3402' || to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD') || lpad(CAST(i AS text), 8, '0') AS no,
       (ARRAY['hotline_12345', 'social_governance', 'market_supervision'])[1 + mod(i, 3)] AS source,
       CASE mod(i, 10) WHEN 0 THEN 'refused' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'evaluated' ELSE 'closed' END AS stage
  FROM (SELECT i, at, md5(CAST(i AS text)) AS h, CAST(extract(epoch FROM at) * 1000 AS bigint) AS ms
          FROM (SELECT i, CAST(:first AS timestamptz) + i * CAST(:step AS interval) AS at
                  FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) i) t) s
"""
_ROWS = (
    """
INSERT INTO message
SELECT m, at, 'in', source, 'tasks', NULL, 'application/json', '', 0,
       convert_to('{"taskGuid":"t' || i || '","rowGuid":"' || h || '","serialNum":"DH' || i || '",'
         '"rqstTitle":"路灯不亮","rqstContent":"3盏路灯已连续三天不亮，夜间出行不便，希望尽快维修。",'
         '"areaCode":"3402","rqstAddress":"镜湖区赭山街道某小区东门外"}', 'UTF8'),
       'case', '', '', 'task', true, 't' || i, id, '2026.1' FROM made""",
    """
INSERT INTO cases
SELECT id, no, 6, stage, NULL, source, 'urban_management', '3402-lighting', '30428.2:P01-37', '340202016', NULL,
       118.3 + mod(i, 1000) / 5000.0, 31.3 + mod(i, 997) / 5000.0, at, at + interval '5 days', at + interval '1 day',
       at + interval '2 days',
       jsonb_build_object('id', id, 'no', no, 'sequence', i, 'stage', stage, 'version', 6, 'source', source,
         'title', '路灯不亮', 'description', '3盏路灯已连续三天不亮，夜间出行不便，希望尽快维修。',
         'received_at', at, 'closed_at', at + interval '2 days',
         'assignments', jsonb_build_array(jsonb_build_object(
           'round', 1, 'unit', '3402-lighting', 'system', 'urban_management', 'dispatched_at', at)))
  FROM made""",
    """
INSERT INTO event
SELECT id, n, at + n * interval '8 hours', CASE n WHEN 1 THEN 'collect' ELSE 'close' END, 'source',
       CASE n WHEN 1 THEN m END,
       jsonb_build_object('case_id', id, 'seq', n, 'to', stage, 'from_', 'checked', 'action', jsonb_build_object(
         'kind', 'close', 'at', at, 'result', '已维修',
         'actor', jsonb_build_object('party', 'hub', 'id', 'city.yaml policy.close')))
  FROM made, generate_series(1, 2) n""",
    """
INSERT INTO binding
SELECT source, 't' || i, id, 'r' || i, '', jsonb_build_object('case_id', id, 'system', source, 'role', 'source',
       'external_id', 't' || i, 'case_key', 'r' || i, 'visible_no', 'DH' || i, 'since', 1) FROM made""",
    """
INSERT INTO delivery (id, case_id, system, seq, event_seq, message, address, state, attempts, created_at, next_at,
                      done_at)
SELECT m, id, source, 6000, 6, 'done', 't' || i, 'acknowledged', 1, at, at, at + interval '2 days' FROM made""",
)


def months(connection: Connection, now: datetime, count: int = MONTHS) -> None:
    """The months before now that a fresh database has not."""
    for tree in TREES:
        there = parts(connection, tree)
        for back in range(count):
            month = Month.of(now).plus(-back)
            if not any(part.holds(month) for part in there):
                make(connection, tree, month)


def chunks(low: int, high: int) -> Iterator[tuple[int, int]]:
    """Ranges of numbers, both ends in them."""
    yield from ((first, min(first + CHUNK, high) - 1) for first in range(low, high, CHUNK))


def fill(connection: Connection, low: int, high: int, *, now: datetime, whole: int) -> None:
    """Cases number `low` to `high` of `whole`, spread evenly over the months before now."""
    span = timedelta(days=MONTHS * 30 - 35)
    values = {"first": now - span, "step": span / whole, "low": low, "high": high}
    connection.execute(text("DROP TABLE IF EXISTS made"))
    connection.execute(text(_CASES), values)
    for statement in _ROWS:
        connection.exec_driver_sql(statement)
