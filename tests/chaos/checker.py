"""The checker: proves from the simulated systems' own books and the hub's export that nothing was lost or doubled.

It imports nothing of the hub and asks no running process. Books and export are loaded into an SQL database of its own;
every law is a pair of queries there: how many things it is about, and those for which it does not hold.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

SHOWN = 3
"""Findings of one law whose whole story is told."""

_TABLES = {
    "book": "system, n, t, what, id, ref, case_no, state, ok, no, verdict, why, at, effect, message, action, sha256",
    "message": "id, at, direction, system, door, kind, verdict, why, external_id, case_no, is_report, parent, status",
    "cases": "no, id, version, stage, queue, source, owner, merged_into",
    "event": "case_no, seq, at, action, party, message, system, actor, stated_at",
    "binding": "system, external_id, case_no, role, round",
    "delivery": "id, case_no, system, seq, event_seq, name, address, state, in_doubt, attempts, why, message",
    "file": "case_no, system, state, sha256, size",
}
_INDEXES = (
    "book(id, what)", "book(ref, what)", "book(case_no, what)", "message(id)", "message(system, external_id)",
    "cases(no)", "event(case_no, seq)", "event(message)", "binding(system, external_id)", "binding(case_no)",
    "delivery(case_no, system)", "file(case_no)",
)  # fmt: skip
_BOTH_LANES = """
CREATE TABLE rounds AS
  SELECT case_no, seq, at, system, row_number() OVER (PARTITION BY case_no ORDER BY seq) AS round
    FROM event WHERE action IN ('dispatch', 'redispatch');
CREATE TABLE works AS SELECT DISTINCT system FROM book WHERE what IN ('opened', 'task');
CREATE TABLE hub_lane AS
  SELECT d.system, d.case_no, e.action || ' ' || substr(e.at, 1, 19) AS word,
         row_number() OVER (PARTITION BY d.system, d.case_no ORDER BY d.seq) AS k
    FROM delivery d JOIN event e ON e.case_no = d.case_no AND e.seq = d.event_seq
   WHERE d.name IN ('hand_over', 'order', 'told');
CREATE TABLE side_lane AS
  SELECT system, case_no, action || ' ' || substr(at, 1, 19) AS word,
         row_number() OVER (PARTITION BY system, case_no ORDER BY n) AS k
    FROM book WHERE what IN ('task', 'order', 'told') AND effect = 'new';
CREATE INDEX hub_lane_at ON hub_lane(system, case_no, k);
CREATE INDEX side_lane_at ON side_lane(system, case_no, k);
CREATE INDEX rounds_at ON rounds(case_no, round);
"""


@dataclass(frozen=True, slots=True)
class Law:
    """One law, and of how many things it was proved."""

    name: str
    about: int
    broken: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing for which a law does not hold."""

    law: str
    case_no: str
    words: str


@dataclass(frozen=True, slots=True)
class _Proof:
    name: str
    about: str
    """Counts."""
    broken: str
    """Selects (case number, words)."""


_LAWS = (
    _Proof(
        "an accepted report is exactly one case or one binding",
        "SELECT count(DISTINCT id) FROM book WHERE system = :source AND what = 'said' AND state = 'new' AND ok",
        """
        SELECT case_no, 'report ' || id || ' was accepted as ' || told || ', and has ' || bindings || ' bindings and '
               || opened || ' messages that opened or joined a case'
          FROM (SELECT s.id, group_concat(DISTINCT s.no) AS told, max(s.no) AS no,
                       count(DISTINCT nullif(s.no, '')) AS answers,
                       max(b.case_no) AS case_no, count(DISTINCT b.case_no) AS bindings,
                       (SELECT count(*) FROM message m WHERE m.system = :source AND m.external_id = s.id
                           AND m.verdict IN ('case', 'joined')) AS opened
                  FROM book s LEFT JOIN binding b ON b.system = :source AND b.external_id = s.id
                 WHERE s.system = :source AND s.what = 'said' AND s.state = 'new' AND s.ok GROUP BY s.id) r
         WHERE bindings <> 1 OR answers > 1 OR (no <> '' AND no <> case_no) OR opened <> 1
            OR NOT EXISTS (SELECT 1 FROM cases c WHERE c.no = r.case_no)
        """,
    ),
    _Proof(
        "a case was reported, and opened once",
        "SELECT count(*) FROM cases WHERE source = :source",
        """
        SELECT c.no, 'opened ' || (SELECT count(*) FROM event e WHERE e.case_no = c.no AND e.action = 'collect')
               || ' times; reports behind it: ' || count(r.id)
          FROM cases c LEFT JOIN binding b ON b.case_no = c.no AND b.system = :source
          LEFT JOIN book r ON r.what = 'report' AND r.id = b.external_id
         WHERE c.source = :source GROUP BY c.no
        HAVING count(r.id) < 1 OR (SELECT count(*) FROM event e WHERE e.case_no = c.no AND e.action = 'collect') <> 1
        """,
    ),
    _Proof(
        "an owner holds each assignment exactly once per round",
        "SELECT count(*) FROM rounds WHERE system IN (SELECT system FROM works)",
        """
        SELECT r.case_no, 'round ' || r.round || ' was given to ' || r.system || ', which has it '
               || count(t.id) || ' times'
          FROM rounds r LEFT JOIN book t ON t.what = 'task' AND t.effect = 'new' AND t.system = r.system
               AND t.ref = r.case_no || '-' || r.round
         WHERE r.system IN (SELECT system FROM works) GROUP BY r.case_no, r.round HAVING count(t.id) <> 1
        """,
    ),
    _Proof(
        "an owner has no task that was not given to it",
        "SELECT count(*) FROM book WHERE what = 'task' AND effect = 'new'",
        """
        SELECT t.case_no, t.system || ' has task ' || t.ref || ', which the hub never gave it'
          FROM book t LEFT JOIN rounds r ON t.ref = r.case_no || '-' || r.round AND r.system = t.system
               AND r.case_no = t.case_no
         WHERE t.what = 'task' AND t.effect = 'new' AND r.case_no IS NULL
        """,
    ),
    _Proof(
        "each lane reached the other side whole and in its order",
        "SELECT count(*) FROM hub_lane",
        """
        SELECT h.case_no, 'place ' || h.k || ' of the lane to ' || h.system || ' is ' || h.word
               || ', and the other side took ' || coalesce(s.word, 'nothing') || ' there'
          FROM hub_lane h LEFT JOIN side_lane s ON s.system = h.system AND s.case_no = h.case_no AND s.k = h.k
         WHERE s.word IS NOT h.word
        UNION ALL
        SELECT s.case_no, s.system || ' took ' || s.word || ', which is not in the lane'
          FROM side_lane s LEFT JOIN hub_lane h ON s.system = h.system AND s.case_no = h.case_no AND s.k = h.k
         WHERE h.word IS NULL
        """,
    ),
    _Proof(
        "what an owner said and was thanked for happened once",
        "SELECT count(*) FROM (SELECT DISTINCT system, id, state, at FROM book WHERE what = 'said' AND ok"
        " AND state IN ('done', 'back'))",
        """
        SELECT s.case_no, s.system || ' said ' || s.state || ' of ' || s.ref || ', and it happened '
               || count(DISTINCT e.seq) || ' times'
          FROM (SELECT DISTINCT system, case_no, id, ref, state, at FROM book
                 WHERE what = 'said' AND ok AND state IN ('done', 'back')) s
          LEFT JOIN event e ON e.case_no = s.case_no AND e.actor = s.system
               AND e.action = CASE s.state WHEN 'done' THEN 'dispose' ELSE 'return' END
               AND strftime('%Y-%m-%d %H:%M:%f', e.stated_at) = strftime('%Y-%m-%d %H:%M:%f', s.at)
         GROUP BY s.system, s.id, s.state, s.at HAVING count(DISTINCT e.seq) <> 1
        """,
    ),
    _Proof(
        "what an owner said was refused only of a case that had ended otherwise",
        "SELECT count(*) FROM book WHERE what = 'said' AND ok = 0",
        """
        SELECT s.case_no, s.system || ' said ' || coalesce(s.state, '?') || ' of ' || coalesce(s.ref, s.id)
               || ' and was refused: ' || coalesce(s.why, '?') || '; the case is ' || coalesce(c.stage, 'unknown')
          FROM book s LEFT JOIN cases c ON c.no = s.case_no
         WHERE s.what = 'said' AND s.ok = 0
           AND NOT (s.why = 'not_allowed' AND s.state IN ('withdrawn', 'signed'))
           AND NOT (s.why = 'not_allowed' AND c.stage = 'cancelled')
        """,
    ),
    _Proof(
        "both sides agree on how a case ended",
        "SELECT count(*) FROM cases WHERE source = :source",
        """
        SELECT c.no, 'the case is ' || c.stage || '; its source was last told ' || coalesce((
                 SELECT action FROM book t WHERE t.what = 'told' AND t.case_no = c.no AND t.effect = 'new'
                  ORDER BY n DESC LIMIT 1), 'nothing') || ', its owner last said ' || coalesce((
                 SELECT state FROM book s WHERE s.what = 'said' AND s.ok AND s.case_no = c.no AND s.system = c.owner
                  AND s.state IN ('done', 'back') ORDER BY n DESC LIMIT 1), 'nothing')
          FROM cases c WHERE c.source = :source AND NOT (CASE c.stage
            WHEN 'closed' THEN 'close' IS (SELECT action FROM book t WHERE t.what = 'told' AND t.case_no = c.no
                    AND t.effect = 'new' ORDER BY n DESC LIMIT 1)
               AND (c.owner NOT IN (SELECT system FROM works) OR 'done' IS (
                 SELECT state FROM book s WHERE s.what = 'said' AND s.ok AND s.case_no = c.no AND s.system = c.owner
                  AND s.state IN ('done', 'back') ORDER BY n DESC LIMIT 1))
            WHEN 'cancelled' THEN EXISTS (SELECT 1 FROM book w WHERE w.what = 'said' AND w.system = :source
                    AND w.state = 'withdrawn' AND w.id IN (SELECT external_id FROM binding b
                         WHERE b.case_no = c.no AND b.system = :source))
            ELSE 0 END)
        """,
    ),
    _Proof(
        "no task is left open at an owner",
        "SELECT count(*) FROM book WHERE what = 'task' AND effect = 'new'",
        """
        SELECT t.case_no, 'task ' || t.ref || ' of ' || t.system || ' neither ended nor was called off'
          FROM book t WHERE t.what = 'task' AND t.effect = 'new'
           AND NOT EXISTS (SELECT 1 FROM book s WHERE s.what = 'said' AND s.ok AND s.ref = t.ref AND s.system = t.system
                              AND s.state IN ('done', 'back'))
           AND NOT EXISTS (SELECT 1 FROM book o WHERE o.what = 'order' AND o.action = 'cancel' AND o.ref = t.ref
                              AND o.system = t.system)
        """,
    ),
    _Proof(
        "every request that reached a system stands in the journal",
        "SELECT count(*) FROM book WHERE message <> ''",
        """
        SELECT b.case_no, b.system || ' got request ' || b.message || ' (' || b.what || '), which no row has'
          FROM book b LEFT JOIN message m ON m.id = b.message
         WHERE b.message <> '' AND (m.direction IS NOT 'out' OR m.system IS NOT b.system)
        """,
    ),
    _Proof(
        "every answer that was given to a system has its message in the journal",
        "SELECT count(*) FROM book WHERE what = 'said' AND ok IS NOT NULL",
        """
        SELECT max(s.case_no), s.system || ' got ' || count(*) || ' answers about ' || s.id || ', the journal has '
               || (SELECT count(*) FROM message m WHERE m.system = s.system AND m.external_id = s.id
                      AND m.direction = 'in') || ' messages'
          FROM book s WHERE s.what = 'said' AND s.ok IS NOT NULL GROUP BY s.system, s.id
        HAVING count(*) > (SELECT count(*) FROM message m WHERE m.system = s.system AND m.external_id = s.id
                      AND m.direction = 'in')
        """,
    ),
    _Proof(
        "every message that came has a verdict, and what it did is there",
        "SELECT count(*) FROM message WHERE direction = 'in'",
        """
        SELECT m.case_no, 'message ' || m.id || ' of ' || m.system || ' ended as ' || m.verdict || ' with '
               || (SELECT count(*) FROM event e WHERE e.message = m.id) || ' events'
          FROM message m WHERE m.direction = 'in' AND (m.verdict IN ('held', 'quarantined', 'waiting', '')
            OR (m.verdict IN ('case', 'joined', 'applied')
                AND NOT EXISTS (SELECT 1 FROM event e WHERE e.message = m.id)))
        """,
    ),
    _Proof(
        "every message that went ended, and its journal row says how",
        "SELECT count(*) FROM delivery",
        """
        SELECT d.case_no, d.name || ' to ' || d.system || ' is ' || d.state || ', its last message '
               || coalesce(m.verdict, 'is not in the journal')
          FROM delivery d LEFT JOIN message m ON m.id = d.message
         WHERE d.state NOT IN ('acknowledged', 'withdrawn')
            OR (d.state = 'acknowledged' AND m.verdict IS NOT 'acknowledged' AND d.message IS NOT NULL)
        """,
    ),
    _Proof(
        "the events of a case have no gap, and those of a system its message",
        "SELECT count(*) FROM event",
        """
        SELECT c.no, 'version ' || c.version || ', ' || count(e.seq) || ' events up to ' || max(e.seq)
          FROM cases c LEFT JOIN event e ON e.case_no = c.no GROUP BY c.no
        HAVING count(e.seq) <> c.version OR max(e.seq) <> c.version
        UNION ALL
        SELECT e.case_no, e.action || ' has no message in the journal' FROM event e
          LEFT JOIN message m ON m.id = e.message WHERE e.party IN ('source', 'owner') AND m.id IS NULL
        """,
    ),
    _Proof(
        "every file of an accepted report is stored, byte for byte",
        "SELECT count(*) FROM book r WHERE r.what = 'report' AND r.sha256 <> '' AND EXISTS (SELECT 1 FROM book s"
        " WHERE s.what = 'said' AND s.id = r.id AND s.ok AND s.state = 'new')",
        """
        SELECT b.case_no, 'the file of ' || r.id || ' is ' || coalesce(f.state, 'not there')
          FROM book r JOIN binding b ON b.system = :source AND b.external_id = r.id
          LEFT JOIN file f ON f.case_no = b.case_no
         WHERE r.what = 'report' AND r.sha256 <> '' AND (f.state IS NOT 'stored' OR f.sha256 IS NOT r.sha256)
        """,
    ),
)  # fmt: skip


def check(folder: Path, source: str, owners: Sequence[str]) -> tuple[list[Law], list[Finding]]:
    """Every law over the books `<system>.ndjson` and `export.ndjson` of a folder."""
    database = loaded(folder, (source, *owners))
    laws, findings = [], []
    for proof in _LAWS:
        [(about,)] = database.execute(proof.about, {"source": source})
        broken = [
            Finding(proof.name, no or "", words) for no, words in database.execute(proof.broken, {"source": source})
        ]
        laws.append(Law(proof.name, about, len(broken)))
        findings += broken
    return laws, findings


def loaded(folder: Path, systems: Sequence[str]) -> sqlite3.Connection:
    """Books and export as tables."""
    database = sqlite3.connect(":memory:")
    for name, columns in _TABLES.items():
        database.execute(f"CREATE TABLE {name} ({columns})")
    for system in systems:
        _fill(database, "book", (_book_row(system, line) for line in _lines(folder / f"{system}.ndjson")))
    for fact, lines in groupby(_lines(folder / "export.ndjson"), key=lambda line: line["fact"]):
        _fill(database, "cases" if fact == "case" else fact, lines)
    for number, index in enumerate(_INDEXES):
        database.execute(f"CREATE INDEX index_{number} ON {index}")
    database.execute("ANALYZE")
    # the source speaks of its own ids; which case that is, the answers it got say
    database.executescript(
        "UPDATE book SET case_no = coalesce((SELECT b.case_no FROM binding b WHERE b.system = book.system"
        " AND b.external_id = book.id), no) WHERE case_no IS NULL AND id IS NOT NULL AND ref IS NULL;" + _BOTH_LANES
    )
    return database


def _book_row(system: str, line: dict[str, Any]) -> dict[str, Any]:
    ref = line.get("ref")
    action = line.get("task") or line.get("order") or line.get("told")
    own = {"system": system, "case_no": ref.partition("-")[0] if ref else None, "action": action}
    return {**line, **own}


def _fill(database: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    columns = _TABLES[table].split(", ")
    marks = ", ".join("?" * len(columns))
    database.executemany(
        f"INSERT INTO {table} VALUES ({marks})", ([row.get(column) for column in columns] for row in rows)
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:  # cut off by a kill
                continue


def story(folder: Path, systems: Sequence[str], case_no: str) -> Iterator[str]:
    """Everything both sides wrote about a case: the systems' books first, each in its order, then the hub's rows."""
    ids: set[str] = set()
    for line in _lines(folder / "export.ndjson"):
        if line["fact"] == "binding" and line["case_no"] == case_no:
            ids.add(line["external_id"])
    for system in systems:
        for line in _lines(folder / f"{system}.ndjson"):
            if line.get("no") == case_no or str(line.get("ref", "")).startswith(f"{case_no}-") or line.get("id") in ids:
                yield f"  {system}: " + json.dumps(line, ensure_ascii=False)
    for line in _lines(folder / "export.ndjson"):
        if line.get("case_no", line.get("no")) == case_no:
            yield "  hub: " + json.dumps(line, ensure_ascii=False)
