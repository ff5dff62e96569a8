"""Figures that cities have published come out of the engine as they were published. Field standards 1.7."""

import asyncio
import csv
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from assessment.indicator_file import load_rulebook
from assessment.rulebook import Rulebook
from assessment.scoring import figure
from canonical.fact import Fact
from canonical.indicator import By, Counter
from canonical.rights import EVERYTHING
from canonical.time import SHANGHAI
from storage.assessing import Counts, count
from storage.fact_sql import Extent
from storage.facts import add
from storage.store import Store

ROOT = Path(__file__).parents[2]
NEW_YORK = ZoneInfo("America/New_York")
ON_TIME = Counter(
    id="on_time", title="按期", what=("clock.disposal",), by=By.DONE, where={"on_time": True}
)  # fmt: skip
CLOSED = Counter(id="closed", title="结束", what=("clock.disposal",), by=By.DONE)


def counted(url: str, facts: Iterable[Fact], counters: Iterable[Counter], extent: Extent) -> Counts:
    """What the engine counts of these facts."""

    async def run() -> Counts:
        store = Store(url)
        try:
            async with store.transaction() as transaction:
                await add(transaction.connection, 1, facts)
                return await count(transaction.connection, counters, extent)
        finally:
            await store.close()

    return asyncio.run(run())


def rules() -> Rulebook:
    """The example city's."""
    found = load_rulebook(ROOT / "config" / "assessment", [])
    assert found is not None
    return found


def _december() -> Iterator[Fact]:
    """Tianmen 天门, December 2016: 1054 accepted, 996 filed, 972 due to be closed, 911 closed, 737 of them on time."""
    begin = datetime(2016, 12, 2, 8, tzinfo=SHANGHAI)
    for number in range(1, 1055):
        case_id, no = UUID(int=number), f"4290062016{number:08}"
        filed = number <= 996
        result = "file" if filed else "verify"
        yield Fact(case_id=case_id, case_no=no, seq=1, what="clock.accept", at=begin, done_at=begin, done_seq=2,
                   result=result)  # fmt: skip
        if not filed:
            continue
        yield Fact(case_id=case_id, case_no=no, seq=2, what="action.file", at=begin, done_at=begin, done_seq=2)
        due = begin + timedelta(days=5 if number <= 972 else 40)  # the last 24 are due in January
        on_time, closed = number <= 737, number <= 911 or number > 990
        done = (due - timedelta(hours=1) if on_time or number > 972 else due + timedelta(days=2)) if closed else None
        yield Fact(case_id=case_id, case_no=no, seq=2, what="clock.case", at=begin, due_at=due, done_at=done,
                   done_seq=9 if done else 0, stage="closed" if done else "handling")  # fmt: skip


def test_tianmen_december_2016(database_url: str) -> None:
    book = rules()
    extent = Extent(
        first=datetime(2016, 12, 1, tzinfo=SHANGHAI), end=datetime(2017, 1, 1, tzinfo=SHANGHAI), run=1, by="unit",
        scope=EVERYTHING,
    )  # fmt: skip

    found = counted(database_url, _december(), book.counters.values(), extent)["*"]

    published = {"accept": 1054, "register": 996, "need_archive": 972, "archive": 911, "in_time_archive": 737}
    assert {name: found[name] for name in published} == published
    rates = {name: figure(found, name, book).value for name in ("archive_rate", "in_time_archive_rate")}
    assert {name: f"{value:.2f}" for name, value in rates.items() if value} == {
        "archive_rate": "93.72", "in_time_archive_rate": "75.82",
    }  # fmt: skip


def _boston(rows: list[dict[str, str]]) -> Iterator[Fact]:
    def instant(text: str) -> datetime | None:
        return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK) if text else None

    for row in rows:
        opened, closed = instant(row["OPEN_DT"]), instant(row["CLOSED_DT"])
        assert opened is not None
        yield Fact(
            case_id=UUID(int=int(row["CASE_ENQUIRY_ID"])), case_no=row["CASE_ENQUIRY_ID"], seq=1, what="clock.disposal",
            at=opened, due_at=instant(row["TARGET_DT"]), done_at=closed, done_seq=2 if closed else 0,
            unit=row["Department"], result=row["OnTime_Status"],
        )  # fmt: skip


def test_bostons_own_mark_of_what_was_on_time(database_url: str, shared: Path) -> None:
    """Case by case: all but one, which was closed late and has no mark."""
    with (shared / "data" / "open311" / "boston_311_sla_sample.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    marks = ("ONTIME", "OVERDUE", "")
    asked = [
        one.model_copy(update={"id": f"{one.id}/{mark}", "where": one.where | {"result": mark or None}})
        for one in (ON_TIME, CLOSED) for mark in marks
    ]  # fmt: skip
    extent = Extent(
        first=datetime(2010, 1, 1, tzinfo=NEW_YORK), end=datetime(2026, 1, 1, tzinfo=NEW_YORK), run=1, by="unit",
        scope=EVERYTHING,
    )  # fmt: skip

    found = counted(database_url, _boston(rows), asked, extent)

    total = found["*"]
    assert (total["on_time/ONTIME"], total["closed/ONTIME"]) == (2708, 2708)
    assert (total["on_time/OVERDUE"], total["closed/OVERDUE"]) == (0, 278)
    assert (total["on_time/"], total["closed/"]) == (0, 1)
    departments = Tally(row["Department"] for row in rows if row["OnTime_Status"] == "ONTIME")
    assert {unit: of["on_time/ONTIME"] for unit, of in found.items() if unit != "*" and of["on_time/ONTIME"]} == {
        unit: float(number) for unit, number in departments.items()
    }
