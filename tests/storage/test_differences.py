"""Differences in the database: any order of statements leaves each matter one open difference, and books that hold."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonical.ids import new_id
from canonical.lifecycle import Stage
from canonical.reconciliation import DIFFERENCES, Line, LineClass, Ours, Theirs
from canonical.time import SHANGHAI
from storage.differences import Act, Difference, Differences
from storage.statements import Statements, Step
from storage.store import Store

NOW = datetime(2026, 5, 20, 2, 30, tzinfo=SHANGHAI)
DAY = timedelta(days=1)


class Room:
    """One database, and statements made in it day by day."""

    def __init__(self, store: Store) -> None:
        self.store, self.system, self.by = store, f"s{new_id(NOW).hex[-12:]}", new_id(NOW)
        self.statements, self.differences = Statements(store), Differences(store)

    async def day(self, number: int, lines: list[Line], *, trouble: str = "") -> None:
        """The statement of a day says this."""
        now = NOW + number * DAY
        await self.statements.begin(self.system, now.date(), now, id=new_id(now), way="list")
        made = await self.statements.claim(self.system, by=self.by, now=now, lease=now + DAY)
        assert made is not None
        await self.differences.settle(
            made, lines, by=self.by, step=Step.REST, position="", counts={}, ours=0, theirs=0, left_out=0, now=now,
            ids=[new_id(now) for _ in lines],
        )  # fmt: skip
        await self.differences.finish(made, by=self.by, now=now, trouble=trouble)

    async def found(self, state: str = "open") -> list[Difference]:
        """Of this room's system."""
        return await self.differences.find(system=self.system, state=state)


def line(class_: LineClass, number: int = 1, state: str = "working", *, general: bool = False) -> Line:
    ours = Ours(
        f"source:X{number}", UUID(int=number), str(number), "source", (f"X{number}",), "", Stage.HANDLING, NOW, NOW
    )  # fmt: skip
    theirs = (
        None if class_ in {LineClass.MISSING_THERE, LineClass.STALE} or general else Theirs(f"X{number}", "", state)
    )
    return Line(class_, ours.subject, ours, theirs, "why", general=general)


def told(url: str, days: list[list[Line]], *, troubled: frozenset[int] = frozenset()) -> tuple[list[Difference], ...]:
    """(open, closed) after these days."""

    async def work() -> tuple[list[Difference], ...]:
        store = Store(url)
        try:
            room = Room(store)
            for number, lines in enumerate(days):
                await room.day(number, lines, trouble="away" if number in troubled else "")
            return await room.found(), await room.found("closed")
        finally:
            await store.close()

    return asyncio.run(work())


def test_a_difference_that_comes_again_after_it_was_gone_is_a_new_one(database_url: str) -> None:
    there, gone = [line(LineClass.STATE_DIFFERS)], [line(LineClass.AGREE)]

    [open_], [closed] = told(database_url, [there, gone, there])

    assert open_.id != closed.id
    assert (closed.closed_how, open_.first_seen) == ("gone", NOW + 2 * DAY)


def test_it_ages_on_though_its_class_changes(database_url: str) -> None:
    [open_], closed = told(database_url, [[line(LineClass.STATE_DIFFERS)], [line(LineClass.MISSING_THERE)]])

    assert (open_.class_, open_.first_seen, closed) == (LineClass.MISSING_THERE, NOW, [])


def test_who_cannot_say_takes_nothing_back(database_url: str) -> None:
    first = [line(LineClass.MISSING_THERE)]

    [open_], _ = told(database_url, [first, [line(LineClass.UNKNOWN_THERE)], [line(LineClass.IN_FLIGHT)]])

    assert (open_.class_, open_.last_seen) == (LineClass.MISSING_THERE, NOW)


def test_a_statement_with_trouble_closes_nothing_it_has_not_seen(database_url: str) -> None:
    first = [line(LineClass.MISSING_HERE)]

    open_, closed = told(database_url, [first, []], troubled=frozenset({1}))
    assert (len(open_), closed) == (1, [])
    open_, closed = told(database_url, [first, []])
    assert (open_, len(closed)) == ([], 1)


def test_what_agrees_is_closed_also_by_a_statement_with_trouble(database_url: str) -> None:
    days = [[line(LineClass.MISSING_THERE)], [line(LineClass.AGREE)]]

    open_, [closed] = told(database_url, days, troubled=frozenset({1}))

    assert (open_, closed.closed_how) == ([], "gone")


def test_what_holds_for_the_whole_statement_is_no_difference_of_one_case(database_url: str) -> None:
    open_, _ = told(database_url, [[line(LineClass.UNKNOWN_THERE, general=True)]])

    assert open_ == []


def test_a_repair_is_taken_once_until_a_statement_sees_the_difference_again(database_url: str) -> None:
    async def work() -> list[bool]:
        store = Store(database_url)
        try:
            room = Room(store)
            there = [line(LineClass.STATE_DIFFERS)]
            await room.day(0, there)
            [found] = await room.found()
            await room.differences.repaired(found.id, Act(NOW + timedelta(hours=1), "tell", "示例操作员", "试", ""))
            [after] = await room.found()
            await room.day(1, there)
            [seen] = await room.found()
            await room.day(2, [line(LineClass.AGREE)])
            [closed] = await room.found("closed")
            return [after.under_repair, seen.under_repair, closed.closed_how == "repaired"]
        finally:
            await store.close()

    assert asyncio.run(work()) == [True, False, True]


_LINES = st.lists(
    st.builds(line, st.sampled_from(LineClass), st.integers(1, 4), st.sampled_from(["working", "done"])),
    unique_by=lambda one: one.subject, max_size=4,
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(_LINES, min_size=1, max_size=5))
def test_whatever_statements_say_what_is_open_is_what_was_not_taken_back(
    database_url: str, days: list[list[Line]]
) -> None:
    open_, closed = told(database_url, days)

    last: dict[str, LineClass] = {}
    for lines in days:
        classes = {one.subject: one.class_ for one in lines}
        for subject in {*last, *classes}:
            class_ = classes.get(subject, LineClass.AGREE)
            if class_ in DIFFERENCES and not (class_ is LineClass.UNKNOWN_THERE and subject in last):
                last[subject] = class_
            elif class_ is LineClass.AGREE:
                last.pop(subject, None)
    assert {one.subject: one.class_ for one in open_} == last
    assert all(one.closed_at and one.closed_at >= one.last_seen >= one.first_seen for one in closed)
