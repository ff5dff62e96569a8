"""The tallies counted a second way: case by case, from their states, without any of the hub's SQL."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import text

from canonical.case import Case
from canonical.time import in_shanghai
from storage.rows import due_at
from storage.store import Store
from storage.tallies import CUBES, KEYS, added_up, horizons

Row = tuple[str, str, tuple[tuple[str, str], ...]]
"""Cube, bucket, and the keys that are not empty."""
PAST = "past"


def by_hand(cases: Iterable[Case], now: datetime, past: datetime) -> Counter[Row]:
    """What each row of each cube ought to be. What is due before `past` is one."""
    return Counter(row for case in cases for row in _rows(case, in_shanghai(now), past))


def _rows(case: Case, now: datetime, past: datetime) -> Iterator[Row]:
    who = {
        "street": (case.place.area or "")[:9], "source": case.source, "owner": case.owner,
        "unit": case.assignment.unit if case.assignment else "",
    }  # fmt: skip
    class_code = {"class_code": str(case.class_code) if case.class_code else ""}
    due = due_at(case)
    if not case.ended:
        yield _row("open", "", who, stage=str(case.stage), level=str(case.level or ""))
        yield _row("open_class", "", who, **class_code)
        if due and not case.disposed_at:
            hour = _hour(due)
            provisional = "True" if case.due and case.due.provisional else ""
            yield _row("due", PAST if hour < past else hour.isoformat(), who, provisional=provisional, **class_code)
    taken, today = _hour(case.received_at), _day(now)
    if taken >= today - timedelta(days=3):
        yield _row("taken", taken.isoformat(), who, channel=case.channel, **class_code)
    if case.closed_at is None:
        return
    day = _day(case.closed_at)
    month = day.replace(day=1)
    outcome = "" if due is None else "on_time" if (case.disposed_at or case.closed_at) <= due else "late"
    how = "on_the_spot" if case.on_the_spot else "forced" if case.forced else "closed"
    if day >= today - timedelta(days=3):
        yield _row("ended", day.isoformat(), who, outcome=outcome, how=how, **class_code)
    if month >= (today - timedelta(days=400)).replace(day=1):
        yield _row("ended_month", month.isoformat(), who, outcome=outcome)
    if month >= (today.replace(day=1) - timedelta(days=1)).replace(day=1):
        yield _row("ended_class", month.isoformat(), who, outcome=outcome, **class_code)


def _row(cube: str, bucket: str, who: dict[str, str], **keys: str) -> Row:
    return cube, bucket, tuple(sorted((name, key) for name, key in (who | keys).items() if key))


_KEYS = ", ".join(KEYS)
_KEPT = " OR ".join(f"cube = '{one.name}' AND " + (f"at >= :{one.since}" if one.since else "true") for one in CUBES)
_TALLIES = text(f"""
SELECT cube, at, {_KEYS}, n FROM tally WHERE {_KEPT}
UNION ALL {" UNION ALL ".join(added_up(cube, "tally_change") for cube in CUBES)}
""")


async def both_ways(
    store: Store, now: datetime, *, ahead: timedelta = timedelta(0)
) -> tuple[Counter[Row], Counter[Row]]:  # fmt: skip
    """The tallies, folded or not, and what they ought to be, of one moment.

    `ahead`: how far the clock of another process may be; what falls due until then may be past for it.
    """
    past = _hour(now) - timedelta(hours=1) + ahead
    async with store.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        states = (await connection.execute(text("SELECT CAST(state AS text) FROM cases"))).scalars().all()
        rows = (await connection.execute(_TALLIES, horizons(now))).all()
    kept: Counter[Row] = Counter()
    for row in rows:
        keys = {key: str(value) for key in KEYS if (value := getattr(row, key)) not in {"", False}}
        bucket = _bucket(row.cube, row.at, past)
        kept[row.cube, bucket, tuple(sorted(keys.items()))] += row.n
    counted = by_hand([Case.model_validate_json(state) for state in states], now, past)
    return Counter({row: n for row, n in kept.items() if n}), counted


def _bucket(cube: str, at: datetime, past: datetime) -> str:
    if cube.startswith("open"):
        return ""
    if at.tzinfo is None or (cube == "due" and at < past):  # the driver has -infinity without a time zone
        return PAST
    return in_shanghai(at).isoformat()


def _hour(at: datetime) -> datetime:
    return in_shanghai(at).replace(minute=0, second=0, microsecond=0)


def _day(at: datetime) -> datetime:
    return _hour(at).replace(hour=0)
