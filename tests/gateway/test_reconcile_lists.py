"""Comparing by list with any platform: lists that shrink, break off or hold nonsense, and workers that die."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from canonical.errors import Unavailable
from canonical.reconciliation import LineClass
from gateway.reconciliation.run import Reconciler
from storage.differences import Differences
from storage.statements import Statement
from tests.gateway.pulling import PULL, Asked, Desk, Platform, Said, Tell, pages, tree

LIST = PULL + "    total: total\n"
COMPARED = """\
reconcile:
  by: list
  pull: trees
  item: {external_id: {from: no}}
  settle: 0
"""
SINGLY = COMPARED + "  ask: ask_case\n  items: rows\n"
Story = Callable[[Tell, str], None]
DAY = 86_400.0


def whole(rows: Sequence[Any], size: int = 2) -> Callable[[Asked], Any]:
    """A list with its total, page by page."""
    return lambda asked: {**pages(rows, size)(asked), "total": len(rows)}


def comparing(desk: Desk) -> Reconciler:
    """A worker of its own."""
    return Reconciler(desk.hub, desk.connected, desk.session)


async def compared(desk: Desk, *, after: float = 60.0) -> Statement:
    """A statement that was ordered, made so many seconds after NOW."""
    desk.after = timedelta(seconds=after)
    one = comparing(desk)
    ordered = await one.order("示例操作员")
    await one.round()
    made = await one.statements.get(ordered)
    assert made is not None
    assert made.finished_at is not None
    assert made.balances, made
    return made


def lines(made: Statement) -> dict[str, int]:
    return {name: numbers[0] for name, numbers in made.counts.items()}


async def classes(desk: Desk, state: str = "open") -> list[LineClass]:
    return [one.class_ for one in await Differences(desk.hub.store).find(state=state)]


def story(telling: Story, parks: Platform, more: str, rows: Sequence[Any]) -> Callable[[Tell], None]:
    """Tell what happens after these rows were taken in."""

    def work(tell: Tell) -> None:
        async def told(desk: Desk) -> None:
            parks.on["/trees"] = whole(rows, 50)
            await desk.round()
            parks.asked.clear()
            await tell(desk)

        telling(told, more)

    return work


def test_a_list_is_read_page_by_page_and_compared(telling: Story, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        parks.on["/trees"] = whole([tree(1), tree(2), tree(4), tree(5)])

        made = await compared(desk)

        assert lines(made) == {"agree": 2, "missing_there": 1, "missing_here": 2}
        assert (made.ours, made.theirs) == (3, 4)
        assert parks.queries("/trees", "page")[:2] == ["1", "2"]

    story(telling, parks, LIST + COMPARED, [tree(1), tree(2), tree(3)])(tell)


def test_a_list_that_shrinks_while_it_is_read_is_read_again(telling: Story, parks: Platform) -> None:
    rows = [tree(1), tree(2), tree(3), tree(4)]

    async def tell(desk: Desk) -> None:
        there = list(rows)

        def shrinking(asked: Asked) -> Any:
            answer = whole(there)(asked)
            if len(there) == len(rows):
                there.pop(0)  # what follows moves up, past what was read
            return answer

        parks.on["/trees"] = shrinking

        made = await compared(desk)

        assert lines(made) == {"agree": 4}  # T1 was listed once, and may be gone only since

    story(telling, parks, LIST + COMPARED, rows)(tell)


@pytest.mark.parametrize("past_the_end", [{"code": "no such page"}, None], ids=["refused", "the last page again"])
def test_so_is_one_that_ends_on_a_full_page(telling: Story, parks: Platform, past_the_end: Any) -> None:
    rows = [tree(number) for number in range(1, 6)]

    async def tell(desk: Desk) -> None:
        there = list(rows)

        def shrinking(asked: Asked) -> Any:
            page = int(asked.query["page"])
            if page > 2:
                return past_the_end or whole(there)(replace(asked, query={**asked.query, "page": "2"}))
            answer = whole(there)(asked)
            if len(there) == len(rows):
                there.pop(0)  # the third row moves up to the first page, which was read
            return answer

        parks.on["/trees"] = shrinking

        made = await compared(desk)

        assert not made.trouble
        assert lines(made) == {"agree": 5}
        assert parks.queries("/trees", "page") == ["1", "2", "3"] * 2

    story(telling, parks, LIST + COMPARED, rows)(tell)


def test_nothing_is_called_missing_of_a_list_that_shrinks_whenever_it_is_read(telling: Story, parks: Platform) -> None:
    rows = [tree(number) for number in range(1, 41)]

    async def tell(desk: Desk) -> None:
        there = list(rows)

        def shrinking(asked: Asked) -> Any:
            answer = whole(there)(asked)
            there.pop(0)
            return answer

        parks.on["/trees"] = shrinking

        made = await compared(desk)

        assert "shorter" in made.trouble
        assert set(lines(made)) == {"agree", "unknown_there"}
        assert await classes(desk) == []

    story(telling, parks, LIST + COMPARED, rows)(tell)


def test_what_a_list_without_a_total_has_lost_between_two_pages_is_asked_about_singly(
    telling: Story, parks: Platform
) -> None:
    rows = [tree(1), tree(2), tree(3), tree(4), tree(5)]

    async def tell(desk: Desk) -> None:
        there = list(rows)

        def shrinking(asked: Asked) -> Any:
            answer = pages(there)(asked)
            if len(there) == len(rows):
                there.pop(0)
            return answer

        parks.on["/trees"] = shrinking
        found = {row["no"] for row in rows[1:4]}
        parks.on["/case"] = lambda asked: (
            {"code": "ok", "rows": [{"no": asked.query["no"]}]} if asked.query["no"] in found else {"code": "none"}
        )

        made = await compared(desk)

        assert parks.queries("/case", "no") == ["T3"]  # T1 was seen before it went
        assert lines(made) == {"agree": 5}

    story(telling, parks, PULL + SINGLY, rows)(tell)


@pytest.mark.parametrize("status", [500, 404, 200])
def test_a_list_that_cannot_be_had_gives_a_statement_that_says_so_and_closes_nothing(
    telling: Story, parks: Platform, status: int
) -> None:
    async def tell(desk: Desk) -> None:
        parks.on["/trees"] = whole([tree(1)])
        await compared(desk)
        assert await classes(desk) == [LineClass.MISSING_THERE]

        parks.on["/trees"] = lambda asked: Said({"code": "broken"} if asked.query["page"] else {}, status)
        made = await compared(desk, after=DAY)

        if status == 404:  # it says that it has nothing
            assert lines(made) == {"missing_there": 2}
            return
        assert made.trouble
        assert lines(made) == {"unknown_there": 2}
        assert await classes(desk) == [LineClass.MISSING_THERE]

    story(telling, parks, LIST + COMPARED, [tree(1), tree(2)])(tell)


def test_a_system_that_goes_away_in_the_middle_of_its_list_says_nothing(telling: Story, parks: Platform) -> None:
    rows = [tree(1), tree(2), tree(3), tree(4)]

    async def tell(desk: Desk) -> None:
        parks.on["/trees"] = lambda asked: whole(rows)(asked) if asked.query["page"] == "1" else Said(None)

        made = await compared(desk)

        assert "could not be reached" in made.trouble
        assert lines(made) == {"unknown_there": 4}
        assert await classes(desk) == []

    story(telling, parks, LIST + COMPARED, rows)(tell)


NONSENSE: list[Any] = [
    None, 7, "tree", [], {}, {"no": None}, {"no": {"a": 1}}, {"no": ""}, {"no": "T1"}, {"no": "T1", "kind": "x"},
    {"no": 1}, {"no": "\\u0000"}, {"no": "x" * 5000}, {"no": "老树"}, True, [["no"]],
]  # fmt: skip


def test_any_list_gives_a_statement_that_balances(telling: Story, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        parks.on["/trees"] = whole(NONSENSE, 50)

        made = await compared(desk)
        again = await compared(desk, after=120)

        assert lines(made)["agree"] == 1
        assert lines(made)["missing_here"] > 5
        assert lines(again) == lines(made)
        found = await Differences(desk.hub.store).find(system="parks")
        assert len(found) == lines(made)["missing_here"]

    story(telling, parks, LIST + COMPARED, [tree(1)])(tell)


# Workers


def test_two_workers_make_one_statement(telling: Story, parks: Platform) -> None:
    rows = [tree(number) for number in range(1, 21)]

    async def tell(desk: Desk) -> None:
        parks.on["/trees"] = whole(rows[:-1])
        desk.after = timedelta(seconds=60)
        workers = [comparing(desk) for _ in range(3)]
        ordered = await workers[0].order("示例操作员")
        for one in workers:
            one.slice = 3

        await asyncio.gather(*(one.round() for one in workers))

        made = await workers[0].statements.get(ordered)
        assert made is not None
        assert made.finished_at is not None
        assert made.balances
        assert lines(made) == {"agree": 19, "missing_there": 1}
        pages_asked = parks.queries("/trees", "page")
        assert len(set(pages_asked)) == len(pages_asked)

    story(telling, parks, LIST + COMPARED, rows)(tell)


@pytest.mark.parametrize("steps", range(1, 12))
def test_a_statement_whose_worker_was_killed_at_any_step_is_taken_over(
    telling: Story, parks: Platform, steps: int
) -> None:
    rows = [tree(number) for number in range(1, 9)]

    async def tell(desk: Desk) -> None:
        parks.on["/trees"] = whole([*rows[1:], tree(99)], 4)
        desk.after = timedelta(seconds=60)
        killed, other = comparing(desk), comparing(desk)
        killed.slice = other.slice = 3
        killed.at_once = -1.0
        ordered = await killed.order("示例操作员")
        for _ in range(steps):
            await _one_step(killed)  # and then nothing more is ever heard of it

        await other.round()
        early = await other.statements.get(ordered)
        assert early is not None
        finished = early.finished_at
        desk.after = timedelta(seconds=60) + other.lease + timedelta(seconds=1)
        await other.round()

        made = await other.statements.get(ordered)
        assert made is not None
        assert made.finished_at is not None
        assert finished is None or finished == made.finished_at
        assert made.balances
        assert lines(made) == {"agree": 7, "missing_there": 1, "missing_here": 1}
        left = [await desk.rows(f"SELECT count(*) FROM {table}") for table in ("listed", "compared")]
        assert left == [[(0,)], [(0,)]]

    story(telling, parks, LIST + COMPARED, rows)(tell)


async def _one_step(one: Reconciler) -> None:
    """As a round, with its end after the first thing done."""
    one.at_once = 0.0
    await one.round()


def test_a_worker_that_was_taken_for_dead_writes_nothing_more(telling: Story, parks: Platform) -> None:
    rows = [tree(number) for number in range(1, 9)]

    async def tell(desk: Desk) -> None:
        desk.after = timedelta(seconds=60)
        slow, other = comparing(desk), comparing(desk)
        ordered = await slow.order("示例操作员")
        statement = await slow.statements.claim("parks", by=slow._by, now=desk.hub.now(), lease=desk.hub.now())
        assert statement is not None
        desk.after = timedelta(seconds=61)
        await other.round()

        with pytest.raises(Unavailable, match="another process"):
            await slow.statements.listing(ordered, by=slow._by, as_of=desk.hub.now())

        made = await other.statements.get(ordered)
        assert made is not None
        assert lines(made) == {"agree": 8}

    story(telling, parks, LIST + COMPARED, rows)(tell)


def test_a_statement_that_was_begun_another_way_is_ended_and_says_so(telling: Story, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        desk.after = timedelta(seconds=60)
        one, now = comparing(desk), desk.hub.now()
        old = desk.hub.ids()
        await one.statements.begin("parks", now.date(), now, id=old, way="query")

        await one.round()

        made = await one.statements.get(old)
        assert made is not None
        assert made.finished_at is not None
        assert "another way" in made.trouble

    story(telling, parks, LIST + COMPARED, [tree(1)])(tell)


# Schedule


def test_a_statement_is_made_at_its_hour_and_tried_again_when_the_system_was_away(
    telling: Story, parks: Platform
) -> None:
    async def tell(desk: Desk) -> None:
        one = comparing(desk)  # it is nine in the morning
        await one.round()
        assert await one.statements.last("parks") is None

        desk.after = timedelta(hours=17, minutes=31)  # 02:31 of the next day
        parks.on["/trees"] = lambda _asked: Said({}, 503)
        await one.round()
        first = await one.statements.last("parks")
        assert first is not None
        assert (first.day.isoformat(), first.edition, bool(first.trouble)) == ("2026-05-21", 1, True)

        desk.after += timedelta(minutes=30)
        await one.round()
        parks.on["/trees"] = whole([tree(1)])
        desk.after += timedelta(minutes=31)
        await one.round()

        second = await one.statements.last("parks")
        assert second is not None
        assert (second.day, second.edition, second.trouble, lines(second)) == (first.day, 2, "", {"agree": 1})
        desk.after += timedelta(hours=5)
        await one.round()
        assert (await one.statements.last("parks")) == second

    story(telling, parks, LIST + COMPARED, [tree(1)])(tell)


TOLD = """\
reconcile:
  by: told
  why: 没有查询接口
  stale: 3600
"""


def test_who_can_neither_be_asked_nor_lists_is_compared_by_its_silence(telling: Story, parks: Platform) -> None:
    async def tell(desk: Desk) -> None:
        soon = await compared(desk, after=600)
        late = await compared(desk, after=7200)

        assert lines(soon) == {"agree": 2}
        assert lines(late) == {"stale": 2}
        assert parks.asked == []
        assert await classes(desk) == [LineClass.STALE, LineClass.STALE]

    story(telling, parks, PULL + TOLD, [tree(1), tree(2)])(tell)
