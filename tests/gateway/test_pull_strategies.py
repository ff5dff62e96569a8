"""Pulls against a real platform: every strategy, and everything that platforms do to those who ask them."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, timedelta
from email.utils import format_datetime
from typing import Any

import asyncpg
import pytest

from canonical.errors import Unavailable
from gateway.poll import Poller
from gateway.pull_window import ONE_PAGE, REPEATED
from storage.open_cases import open_bindings
from tests.gateway.pulling import (
    NAME,
    NOW,
    PULL,
    Asked,
    Desk,
    Platform,
    Said,
    Working,
    detail,
    pages,
    reached,
    seconds,
    tree,
)


@pytest.fixture
def working(telling: Working) -> Working:
    """Tell a story at a desk whose platform is declared with `more` beside the plain pull."""
    return lambda tell, more="", *, base=PULL: telling(tell, base + more)


# Windows and pages


def test_all_pages_of_a_window_are_taken_in_and_the_next_window_begins_where_it_ended(
    working: Working, parks: Platform
) -> None:
    parks.on["/trees"] = pages([tree(n) for n in range(5)])

    async def tell(desk: Desk) -> None:
        assert await desk.round() == 60
        assert await desk.known() == ["T0", "T1", "T2", "T3", "T4"]
        assert await desk.cursor() == (-5, "")
        assert await desk.round(after=30) <= 5  # not due
        assert parks.queries("/trees", "page") == ["1", "2", "3"]
        await desk.round(after=60)
        assert [seconds(one) for one in parks.queries("/trees", "since")] == [-3615] * 3 + [-15] * 3
        assert await desk.cursor() == (55, "")
        assert (await desk.journal())["case"] == 5
        assert "repeated" not in await desk.journal()

    working(tell, "    first_window: 3600\n    behind: 5\n    overlap: 10\n")


def test_both_ends_of_every_window_are_written_in_one_zone(working: Working, parks: Platform) -> None:
    parks.on["/trees"] = pages([])

    async def tell(desk: Desk) -> None:
        await desk.round()
        await desk.round(after=60)
        ends = [end for pair in parks.queries("/trees", "since", "until") for end in pair]
        assert {NOW.fromisoformat(end).utcoffset() for end in ends} == {NOW.utcoffset()}

    working(tell)


def test_a_gap_is_asked_for_in_slices_and_what_is_done_of_it_stays_done(working: Working, parks: Platform) -> None:
    def trees(asked: Asked) -> Any:
        return Said({}, 503) if seconds(asked.query["until"]) > -1000 else {"code": "ok", "rows": [tree(1)]}

    parks.on["/trees"] = trees

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert await desk.cursor() == (-1800, "parks answered HTTP 503")
        parks.on["/trees"] = pages([])
        await desk.round(after=60)
        assert [seconds(one) for one in parks.queries("/trees", "since")][2:] == [-1800, -1800, -900]
        assert (await desk.cursor())[0] == 0  # the turn that was interrupted, to its end
        await desk.round(after=120)
        assert (await desk.cursor())[0] == 120

    working(tell, "    first_window: 3600\n    window: 900\n")


def test_a_turn_that_was_interrupted_goes_on_at_the_page_where_it_stood(working: Working, parks: Platform) -> None:
    rows = pages([tree(n) for n in range(6)])
    left = [1]

    def trees(asked: Asked) -> Any:
        if asked.query["page"] == "2" and left:
            left.pop()
            return Said({}, 429, {"retry-after": "7"})
        return rows(asked)

    parks.on["/trees"] = trees

    async def tell(desk: Desk) -> None:
        assert await desk.round() == 7
        assert (await desk.cursor())[1]
        assert await desk.known() == ["T0", "T1"]
        await desk.round(after=6)
        assert parks.queries("/trees", "page") == ["1", "2"]  # left alone as long as it asked
        await desk.round(after=7.5)
        assert parks.queries("/trees", "page") == ["1", "2", "2", "3", "4"]
        assert len(await desk.known()) == 6
        assert await desk.cursor() == (0, "")

    working(tell)


@pytest.mark.parametrize("status", [429, 503])
def test_an_instant_until_which_it_wants_to_be_left_alone_is_honoured(
    working: Working, parks: Platform, status: int
) -> None:
    until = format_datetime((NOW + timedelta(seconds=300)).astimezone(UTC), usegmt=True)
    now = format_datetime(NOW.astimezone(UTC), usegmt=True)
    parks.on["/trees"] = lambda _asked: Said({}, status, {"retry-after": until, "date": now})

    async def tell(desk: Desk) -> None:
        assert await desk.round() == 300
        parks.on["/trees"] = pages([tree(1)])
        await desk.round(after=299)
        assert await desk.known() == []
        await desk.round(after=301)
        assert await desk.known() == ["T1"]

    working(tell)


def test_a_long_turn_is_done_in_pieces_so_that_the_worker_can_stop_between_them(
    working: Working, parks: Platform
) -> None:
    parks.on["/trees"] = pages([tree(n) for n in range(5)])

    async def tell(desk: Desk) -> None:
        desk.poller.at_once = 0.0
        assert [await desk.round() for _ in range(3)] == [0.0, 0.0, 60.0]
        assert parks.queries("/trees", "page") == ["1", "2", "3"]
        assert await desk.cursor() == (0, "")

    working(tell)


def test_a_page_that_takes_longer_than_the_lease_stays_ours(working: Working, parks: Platform) -> None:
    parks.on["/trees"] = pages([tree(n) for n in range(2)])

    async def tell(desk: Desk) -> None:
        other = Poller(desk.hub, desk.connected, desk.session)
        desk.poller.lease, desk.poller.beat = timedelta(seconds=30), 0.05

        def one(asked: Asked) -> Any:
            desk.after += timedelta(seconds=20)
            time.sleep(0.2)
            return detail(asked)

        parks.on["/tree"] = one
        pulling = asyncio.create_task(desk.poller.round())
        await reached(lambda: desk.after >= timedelta(seconds=40))
        assert await other.round() == 5
        await pulling
        assert parks.queries("/tree", "no") == ["T0", "T1"]
        assert await desk.known() == ["T0", "T1"]

    working(tell, DETAIL)


def test_an_outage_of_our_own_database_costs_no_item(working: Working, parks: Platform, database_url: str) -> None:
    rows = pages([tree(n) for n in range(3)])

    async def cut() -> None:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()

    def trees(asked: Asked) -> Any:
        parks.on["/trees"] = rows
        asyncio.run(cut())
        return rows(asked)

    parks.on["/trees"] = trees

    async def tell(desk: Desk) -> None:
        with suppress(Unavailable):  # the worker waits a moment and goes on
            await desk.round()
        assert await desk.known() == []
        await desk.round(after=61)
        assert await desk.known() == ["T0", "T1", "T2"]

    working(tell)


def test_where_another_process_came_further_meanwhile_an_interrupted_turn_does_not_go_on(
    working: Working, parks: Platform
) -> None:
    rows = pages([tree(n) for n in range(6)])
    parks.on["/trees"] = lambda asked: Said({}, 503) if asked.query["page"] == "3" else rows(asked)

    async def tell(desk: Desk) -> None:
        other = Poller(desk.hub, desk.connected, desk.session)
        await desk.round()
        parks.on["/trees"] = rows
        desk.after = timedelta(seconds=60)
        await other.round()
        assert parks.queries("/trees", "page")[3:] == ["1", "2", "3", "4"]
        await desk.round(after=120)
        assert parks.queries("/trees", "page")[7:] == ["1", "2", "3", "4"]
        assert [seconds(one) for one in parks.queries("/trees", "since")[7:]] == [60] * 4

    working(tell)


def test_pages_that_repeat_are_not_asked_for_for_ever_and_the_cursor_waits(working: Working, parks: Platform) -> None:
    parks.on["/trees"] = lambda _asked: {"code": "ok", "rows": [tree(1), tree(2)]}

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert len(parks.asked) == 2
        assert await desk.cursor() == (None, REPEATED)
        assert await desk.known() == ["T1", "T2"]

    working(tell)


def test_pages_that_shift_while_they_are_read_lose_nothing(working: Working, parks: Platform) -> None:
    rows = [tree(n) for n in range(4)]

    def trees(asked: Asked) -> Any:
        answered = pages(rows)(asked)
        if asked.query["page"] == "1":
            rows.insert(0, tree(9))  # newest first: everything moves down by one
        return answered

    parks.on["/trees"] = trees

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert await desk.known() == ["T0", "T1", "T2", "T3"]
        await desk.round(after=60)
        assert "T9" in await desk.known()
        assert (await desk.journal())["case"] == 5

    working(tell, "    overlap: 300\n")


def test_cursors_are_followed_until_they_are_empty(working: Working, parks: Platform) -> None:
    after = {"": "a", "a": "b", "b": ""}
    rows = {"": [tree(1)], "a": [], "b": [tree(2)]}
    parks.on["/trees"] = lambda asked: {
        "code": "ok", "rows": rows[asked.query.get("cursor", "")], "next": after[asked.query.get("cursor", "")],
    }  # fmt: skip

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert parks.queries("/trees", "cursor") == ["", "a", "b"]
        assert await desk.known() == ["T1", "T2"]
        assert await desk.cursor() == (0, "")

    working(tell, "    cursor: next\n")


def test_a_token_that_ends_between_two_pages_is_renewed_and_the_same_page_asked_for_again(
    working: Working, parks: Platform
) -> None:
    rows = pages([tree(n) for n in range(4)])
    tokens = iter(["t1", "t2", "t3"])
    valid = ["t0"]

    def login(_asked: Asked) -> Any:
        valid[0] = next(tokens)
        return {"code": "ok", "token": valid[0]}

    def trees(asked: Asked) -> Any:
        if asked.headers.get("x-token") != valid[0]:
            return Said({}, 401)
        if asked.query["page"] == "1":
            valid[0] = "ended"
        return rows(asked)

    parks.on |= {"/login": login, "/trees": trees}

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert parks.queries("/trees", "page") == ["1", "1", "2", "2", "3"]
        assert len(await desk.known()) == 4
        assert await desk.cursor() == (0, "")

    working(tell)


def test_many_questions_with_a_token_that_ended_sign_in_once(working: Working, parks: Platform) -> None:
    parks.on["/count"] = lambda asked: {"code": "ok"} if asked.headers.get("x-token") == "t1" else Said({}, 401)

    async def tell(desk: Desk) -> None:
        desk.session.token = "ended"
        await asyncio.gather(*(desk.poller.asking.say("count_trees") for _ in range(6)))
        assert parks.paths().count("/login") == 1

    working(tell)


@pytest.mark.parametrize(
    "said",
    [
        Said(b"<html><body>login</body></html>", headers={"content-type": "text/html"}),
        Said(b""), Said({}, 500), Said(None), Said(b"[" * 5000), Said({"code": "no"}), Said({"rows": [1]}),
    ],
    ids=["html", "nothing", "500", "cut off", "deep", "refused", "no code"],
)  # fmt: skip
def test_whatever_is_answered_instead_of_a_page_the_cursor_stays_and_nothing_is_lost(
    working: Working, parks: Platform, said: Said
) -> None:
    parks.on["/trees"] = lambda _asked: said

    async def tell(desk: Desk) -> None:
        assert await desk.round() == 60
        until, trouble = await desk.cursor()
        assert until is None
        assert trouble
        parks.on["/trees"] = pages([tree(1)])
        await desk.round(after=60)
        assert await desk.known() == ["T1"]
        assert (await desk.cursor())[1] == ""

    working(tell)


@pytest.mark.parametrize("more", ["    more: more\n", "    cursor: next\n", "    total: total\n"])
def test_a_page_whose_marks_are_no_single_values_is_trouble_and_no_crash(
    working: Working, parks: Platform, more: str
) -> None:
    wrong: dict[str, Any] = {"more": {"x": 1}, "next": [{"x": 1}], "total": {"x": 1}}
    parks.on["/trees"] = lambda asked: {**pages([tree(1)])(asked), **wrong}

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert bool((await desk.cursor())[1]) == ("total" not in more)

    working(tell, more)


def test_an_item_that_cannot_be_read_is_kept_once_and_its_neighbours_are_taken(
    working: Working, parks: Platform
) -> None:
    parks.on["/trees"] = pages([{"no": "bad", "kind": 7}, tree(1), "nonsense"])

    async def tell(desk: Desk) -> None:
        await desk.round()
        await desk.round(after=60)
        assert await desk.known() == ["T1"]
        assert (await desk.journal())["refused"] == 2
        assert await desk.cursor() == (60, "")

    working(tell, "    overlap: 300\n")


def test_a_clock_that_is_set_back_neither_stops_the_pull_nor_loses_what_happens_meanwhile(
    working: Working, parks: Platform
) -> None:
    parks.on["/trees"] = pages([])

    async def tell(desk: Desk) -> None:
        await desk.round(after=7200)
        await desk.round(after=0)
        since, until = parks.queries("/trees", "since", "until")[-1]
        assert (seconds(since), seconds(until)) == (-3600, 7200)
        assert (await desk.cursor())[0] == 7200
        await desk.round(after=7260)
        assert seconds(parks.queries("/trees", "since")[-1]) == 7200

    working(tell, "    first_window: 3600\n")


# Full lists, details, queues, sweeps, cases


def test_of_a_full_list_only_what_changed_is_taken_in(working: Working, parks: Platform) -> None:
    rows = [tree(1), tree(2), tree(3)]
    parks.on["/trees"] = pages(rows)

    async def tell(desk: Desk) -> None:
        await desk.round()
        before = await desk.journal()
        rows[1] = tree(2, kind="折断")
        rows.append(tree(4))
        await desk.round(after=60)
        assert await desk.known() == ["T1", "T2", "T3", "T4"]
        assert (await desk.journal())["case"] == 4
        told = await desk.rows("SELECT key FROM seen WHERE system = 'parks' AND name = 'trees' ORDER BY key")
        assert [row[0] for row in told] == ["T1", "T2", "T3", "T4"]
        await desk.round(after=120)
        assert (await desk.journal())["split"] == before["split"] + 1  # the page with T4; T2 told nothing new

    working(tell, "    changed: true\n")


@pytest.mark.parametrize(("more", "trouble"), [("", ""), ("    total: total\n", ONE_PAGE)])
def test_a_question_that_knows_no_page_is_asked_once(
    working: Working, parks: Platform, more: str, trouble: str
) -> None:
    parks.on["/all"] = lambda _asked: {"code": "ok", "rows": [tree(1), tree(2)], "total": 5}

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert parks.paths().count("/all") == 1
        assert await desk.known() == ["T1", "T2"]
        assert await desk.cursor() == (0, trouble)

    working(tell, "    changed: true\n" + more, base=PULL.replace("list_trees", "all_trees"))


DETAIL = "    detail: {ask: one_tree, items: rows}\n"


def test_each_item_of_a_list_is_asked_about_and_one_that_is_gone_is_left_out(working: Working, parks: Platform) -> None:
    parks.on["/trees"] = pages([tree(n) for n in range(3)])
    parks.on["/tree"] = lambda asked: {**detail(asked), "code": "none"} if asked.query["no"] == "T1" else detail(asked)

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert await desk.known() == ["T0", "T2"]
        assert await desk.cursor() == (0, "")

    working(tell, DETAIL)


def test_a_detail_that_fails_keeps_the_cursor_and_not_its_neighbours(working: Working, parks: Platform) -> None:
    parks.on["/trees"] = pages([tree(n) for n in range(5)])
    broken = [True]

    def one(asked: Asked) -> Any:
        return {"code": "busy"} if asked.query["no"] == "T1" and broken else detail(asked)

    parks.on["/tree"] = one

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert await desk.known() == ["T0", "T2", "T3", "T4"]
        assert await desk.cursor() == (None, "1 could not be had: busy")
        broken.clear()
        await desk.round(after=60)
        assert await desk.known() == ["T0", "T1", "T2", "T3", "T4"]
        assert await desk.cursor() == (60, "")

    working(tell, DETAIL)


def test_details_stop_when_the_platform_is_gone_and_go_on_with_what_is_missing(
    working: Working, parks: Platform
) -> None:
    parks.on["/trees"] = lambda _asked: {"code": "ok", "rows": [tree(n) for n in range(9)], "total": 9}
    gone = [True]

    def one(asked: Asked) -> Any:
        return Said({}, 503) if gone and asked.query["no"] > "T1" else detail(asked)

    parks.on["/tree"] = one

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert parks.queries("/tree", "no") == ["T0", "T1", "T2", "T3", "T4"]
        assert await desk.known() == ["T0", "T1"]
        assert (await desk.cursor())[0] is None
        gone.clear()
        await desk.round(after=60)
        assert parks.queries("/tree", "no")[5:] == [f"T{n}" for n in range(2, 9)]
        assert await desk.cursor() == (0, "")

    working(tell, DETAIL + "    total: total\n", base=PULL.replace("page_size: 2", "page_size: 9"))


def test_of_a_full_list_details_are_asked_for_once(working: Working, parks: Platform) -> None:
    parks.on |= {"/trees": pages([tree(1), tree(2), tree(3)]), "/tree": detail}

    async def tell(desk: Desk) -> None:
        await desk.round()
        await desk.round(after=60)
        assert parks.queries("/tree", "no") == ["T1", "T2", "T3"]

    working(tell, DETAIL + "    changed: true\n")


class Waiting:
    """A queue at the platform: what is acknowledged is gone from its first page."""

    def __init__(self, parks: Platform, number: int) -> None:
        self.rows: list[Any] = [tree(n) for n in range(number)]
        self.refused: set[str] = set()
        self.deaf = False
        parks.on["/count"] = lambda _asked: {"code": "ok", "n": len(self.rows)}
        parks.on["/trees"] = lambda _asked: {"code": "ok", "rows": self.rows[:2]}
        parks.on["/got"] = self.got

    def got(self, asked: Asked) -> Any:
        nos = asked.body["nos"] if asked.body else [asked.query["no"]]
        if self.deaf:
            return Said({}, 503)
        if self.refused & set(nos):
            return {"code": "no such tree"}
        self.rows = [row for row in self.rows if row["no"] not in nos]
        return {"code": "ok"}


QUEUE = "    count: {ask: count_trees, path: n}\n    acknowledge: {message: %s, each: %s}\n"


@pytest.mark.parametrize("each", ["item", "page"])
def test_a_queue_is_read_to_its_end_and_acknowledged_after_the_commit(
    working: Working, parks: Platform, each: str
) -> None:
    queue = Waiting(parks, 5)

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert await desk.known() == [f"T{n}" for n in range(5)]
        assert queue.rows == []
        assert parks.paths().count("/got") == (5 if each == "item" else 3)
        await desk.round(after=60)
        assert parks.paths()[-1] == "/count"  # nothing waits: no page is asked for

    working(tell, QUEUE % ("got_tree" if each == "item" else "got_trees", each))


def test_what_could_not_be_acknowledged_comes_again_and_is_no_second_case(working: Working, parks: Platform) -> None:
    queue = Waiting(parks, 2)
    queue.rows.insert(0, {"no": "bad", "kind": 7})
    queue.deaf = True

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert await desk.known() == ["T0"]
        assert len(queue.rows) == 3
        queue.deaf = False
        await desk.round(after=60)
        await desk.round(after=120)
        assert queue.rows == []  # what was refused is acknowledged too: the journal has it
        journal = await desk.journal()
        assert (journal["case"], journal["refused"]) == (2, 1)

    working(tell, QUEUE % ("got_tree", "item"))


def test_one_item_that_is_not_acknowledged_does_not_keep_the_others_in_the_queue(
    working: Working, parks: Platform
) -> None:
    queue = Waiting(parks, 4)
    queue.refused = {"T0"}

    async def tell(desk: Desk) -> None:
        await desk.round()
        await desk.round(after=60)
        assert [row["no"] for row in queue.rows] == ["T0"]
        assert len(await desk.known()) == 4
        assert "no such tree" in (await desk.cursor())[1]

    working(tell, QUEUE % ("got_tree", "item"))


def test_a_sweep_has_a_cursor_of_its_own_and_brings_what_came_late(working: Working, parks: Platform) -> None:
    rows = [tree(1)]
    parks.on["/trees"] = pages(rows)

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert [seconds(one) for one in parks.queries("/trees", "since")] == [-60, -7200]
        rows.append(tree(2))
        await desk.round(after=60)
        assert len(parks.asked) == 2 + 2
        await desk.round(after=3600)
        assert seconds(parks.queries("/trees", "since")[-1]) == 3600 - 7200
        assert (await desk.cursor("trees#sweep"))[0] == 3600

    working(tell, "    first_window: 60\n    sweep: {every: 3600, back: 7200}\n")


PER_CASE = """\
pulls:
  trees: {every: 60, jitter: 0, page_size: 2, ask: list_trees, items: rows, messages: [tree]}
  progress: {every: 60, jitter: 0, ask: ask_case, items: ., messages: [progress], per_case: true, changed: true}
tells:
  owner: {dispatch: plant}
"""


def test_every_open_case_of_the_system_is_asked_about_and_one_that_fails_keeps_no_other(
    working: Working, parks: Platform
) -> None:
    parks.on["/trees"] = pages([tree(n) for n in range(3)])

    def case(asked: Asked) -> Any:
        no = asked.query["no"]
        return {"T0": {"code": "none"}, "T1": {"code": "busy"}}.get(no, {"code": "ok", "no": no, "done": "?"})

    parks.on["/case"] = case

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert sorted(one.external_id for one in await open_bindings(desk.hub.store, NAME)) == ["T0", "T1", "T2"]
        assert sorted(parks.queries("/case", "no")) == ["T0", "T1", "T2"]
        assert await desk.cursor("progress") == (None, "1 could not be had: busy")
        assert "refused" not in await desk.journal()
        assert (await desk.journal())["quarantined"] == 1  # a status without a row in the table
        await desk.round(after=60)
        assert (await desk.journal())["quarantined"] == 1
        first = "SELECT case_id FROM binding WHERE external_id = 'T0'"
        await desk.rows(f"UPDATE cases SET stage = 'closed' WHERE id IN ({first}) RETURNING 1")
        parks.asked.clear()
        await desk.round(after=120)
        assert sorted(parks.queries("/case", "no")) == ["T1", "T2"]

    working(tell, base=PER_CASE)
