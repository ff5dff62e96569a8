"""The tallies are what counting comes to: whatever is done to cases, by whomever, before, during and after folding."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from canonical.case import Action, Actor, Case
from canonical.codes import ClassCode
from canonical.ids import new_id
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.organisation import Level
from canonical.place import Place
from canonical.records import Arrival, Command
from canonical.rights import EVERYTHING
from canonical.time import SHANGHAI, Due, in_shanghai
from storage.retention import Cut, Retention
from storage.retention_rules import Keep
from storage.rows import case_rows
from storage.schema import migrate
from storage.store import AlreadyThere, Store
from storage.tallies import BY_NAME, fold
from storage.tally_check import check
from tests.routing.intake_city import LAMP, NOISE, NOW, STALL, TREE, by_owner, message, ordered, reported
from tests.routing.test_intake_any_order import batches, stories
from tests.storage.counting_cases import both_ways
from tests.storage.storeroom import Storeroom, opened, several, story

K = ActionKind
STREET = "340202016"


async def agree(room: Storeroom, *, ahead: timedelta = timedelta(0)) -> set[str]:
    """The law. Gives the cubes in which something is."""
    kept, counted = await both_ways(room.store, room.now, ahead=ahead)
    assert kept == counted
    return {cube for cube, *_ in kept}


async def folded(room: Storeroom, *, step: int = 5_000) -> int:
    """Fold to the end; in how many steps."""
    steps = 1
    while await fold(room.store, room.now, step=step) == step:
        steps += 1
    return steps


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories, cuts=st.sets(st.integers(1, 24)), folds=st.sets(st.integers(0, 24)), hours=st.integers(0, 30))
def test_any_story_is_counted_right_at_every_step(
    database_url: str, story: list[Arrival], cuts: set[int], folds: set[int], hours: int
) -> None:
    async def tell() -> None:
        async with opened(database_url) as room:
            for number, batch in enumerate(batches(story, cuts)):
                await room.take(*batch)
                if number in folds:
                    await fold(room.store, room.now, step=3)
                await agree(room)
                room.now += timedelta(hours=hours)
            await folded(room)
            await agree(room)
            assert await room.count("tally_change") == 0
            assert await check(room.store, room.now) == []
            for table in ("message", "event", "binding", "delivery", "cases"):
                await room.scalar(f"WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone")
            await agree(room)
            await folded(room)
            assert await room.count("tally") == 0

    asyncio.run(tell())


async def live_through(room: Storeroom, dice: random.Random, name: str, rounds: int) -> set[str]:
    """One process: it takes in reports, and whatever may be done to any case of any process is done."""
    cubes: set[str] = set()
    for number in range(rounds):
        with suppress(AlreadyThere):
            areas, classes = ["340202", STREET, "340207", "3402", ""], [STALL, LAMP, TREE, NOISE, ""]
            await room.take(*(
                reported(dice.choice(["hotline", "grid"]), f"{name}{number}-{one}", class_code=dice.choice(classes),
                         area=dice.choice(areas), at=room.now)
                for one in range(dice.randrange(1, 6))
            ))  # fmt: skip
        known = await room.casebook.find(scope=EVERYTHING, limit=500)
        kinds = [K.FORCE_CLOSE, *(dice.choice(_KINDS) for _ in range(6))]
        orders = [_order(dice, kind, dice.choice(known).no, room.now) for kind in kinds] if known else []
        with suppress(AlreadyThere):
            await room.take(*orders)
        if known:
            await room.scalar(_MOVE.format(no=dice.choice(known).no, area=dice.choice([STREET, f"{STREET}001"])))
        room.now += timedelta(minutes=dice.randrange(_LONGEST))
        cubes |= await agree(room, ahead=timedelta(minutes=_LONGEST * rounds))
    return cubes


_LONGEST = 400
"""Minutes between two things that a process does: limits run out meanwhile."""
_MOVE = """
UPDATE cases SET area = '{area}', state = jsonb_set(state, '{{place}}', '{{"area": "{area}"}}')
 WHERE no = '{no}' RETURNING 1
"""


_KINDS = (
    K.FILE, K.DISPATCH, K.REDISPATCH, K.SIGN, K.DISPOSE, K.CHECK, K.CLOSE, K.REWORK, K.EVALUATE, K.CANCEL, K.SUSPEND,
    K.RESUME, K.FORCE_CLOSE, K.RETURN, K.COMMENT, K.ESCALATE,
)  # fmt: skip


def _order(dice: random.Random, kind: ActionKind, no: str, now: datetime) -> Arrival:
    more: dict[str, Any] = {"until": now + timedelta(days=1)} if kind is K.SUSPEND else {}
    unit = dice.choice(["u1", "u2", "u3"])
    return _ordered(no, kind, now, reason="故", result="好", unit=unit, place=Place(area="340202"), **more)


def _ordered(no: str, kind: ActionKind, now: datetime, **fields: Any) -> Arrival:
    """What a person orders now."""
    action = Action(kind=kind, actor=Actor(party=Party.CENTRE, id="li"), at=now, **fields)
    return Arrival(message("centre", now), Command(no, action))


@pytest.mark.parametrize("seed", range(3))
def test_processes_that_write_and_fold_at_once_never_show_a_wrong_figure(database_url: str, seed: int) -> None:
    dice = random.Random(seed)

    async def fold_on(room: Storeroom, writing: asyncio.Event) -> int:
        count = 0
        while not writing.is_set():
            count += await fold(room.store, room.now, step=dice.choice([1, 7, 1000]))
            await asyncio.sleep(0)
        return count

    async def tell() -> None:
        async with several(database_url, 5) as rooms:
            writing = asyncio.Event()
            folding = [asyncio.create_task(fold_on(room, writing)) for room in rooms[3:]]
            writers = (live_through(room, dice, f"{seed}{at}", 12) for at, room in enumerate(rooms[:3]))
            cubes = await asyncio.gather(*writers)
            writing.set()
            assert sum(await asyncio.gather(*folding)) > 50
            rooms[0].now = max(room.now for room in rooms)
            await agree(rooms[0])
            await folded(rooms[0])
            await agree(rooms[0])
            assert set().union(*cubes) == set(BY_NAME)

    asyncio.run(tell())


def test_a_change_that_counts_for_nothing_leaves_no_row(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        await folded(room)
        case, _ = await room.casebook.find(scope=EVERYTHING)

        await room.take(ordered(case.no, K.COMMENT, reason="再看一次"), ordered(case.no, K.SUPERVISE, reason="急",
                                                                           supervision="yellow"))  # fmt: skip

        assert (await room.casebook.find(scope=EVERYTHING))[0].version > case.version
        assert await room.count("tally_change") == 0

    story(database_url, tell)


def test_rows_of_one_batch_that_count_alike_are_one(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(*(reported("hotline", f"{number}") for number in range(40)))

        assert await room.count("cases") == 40
        assert await room.count("tally_change") == 1

    story(database_url, tell)


def test_what_is_due_becomes_one_row_when_it_is_past(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        for hour in range(4):
            room.now = NOW + timedelta(hours=hour / 2)
            await room.take(reported("hotline", f"{hour}", at=room.now))
        await folded(room)
        due = "SELECT count(*) FROM tally WHERE cube = 'due'"
        hours = await room.scalar(due)

        room.now += timedelta(days=9)
        await folded(room)

        assert (hours, await room.scalar(due)) == (3, 1)
        assert await room.scalar("SELECT n FROM tally WHERE cube = 'due' AND at = '-infinity'") == 4
        await agree(room)

    story(database_url, tell)


def test_what_nobody_looks_at_any_more_goes_and_does_not_come_back(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        case = await room.case()
        await room.take(ordered(case.no, K.FORCE_CLOSE, reason="误报", result="好"))
        await folded(room)
        cubes = "SELECT string_agg(DISTINCT cube, ' ' ORDER BY cube) FROM tally"
        assert await room.scalar(cubes) == "ended ended_class ended_month taken"

        told = []
        for days in (10, 80, 500):
            room.now = NOW + timedelta(days=days)
            await folded(room)
            await agree(room)
            told.append(await room.scalar(cubes))
        assert told == ["ended_class ended_month", "ended_month", None]

        [cut] = await _cut_all(room)
        assert cut.rows == 1
        await folded(room)
        assert await room.count("tally") == 0

    story(database_url, tell)


async def _cut_all(room: Storeroom) -> list[Cut]:
    await room.scalar("UPDATE delivery SET state = 'acknowledged' RETURNING 1")  # else somebody owes the case something
    keep = Keep(evidence=timedelta(days=200))
    cuts = await Retention(room.store, keep, run=UUID(int=1)).cut(lambda: room.now) or []
    return [cut for cut in cuts if cut.what == "cases"]


def test_retention_takes_its_cases_out_of_the_tallies(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        first, _ = await room.casebook.find(scope=EVERYTHING)
        await room.take(ordered(first.no, K.FORCE_CLOSE, reason="误报", result="好"))
        room.now += timedelta(days=300)
        await folded(room)

        assert len(await _cut_all(room)) == 1

        await agree(room)
        assert await room.scalar("SELECT sum(n) FROM tally_change") == -1

    story(database_url, tell)


def test_a_limit_of_a_year_without_a_calendar_is_marked(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        room.now = datetime(2031, 5, 20, 9, tzinfo=SHANGHAI)
        await room.take(reported("hotline", "1", at=room.now))
        await folded(room)

        assert (await room.case()).due.provisional  # type: ignore[union-attr]
        assert await room.scalar("SELECT provisional FROM tally WHERE cube = 'due'")
        await agree(room)

    story(database_url, tell)


def test_on_time_is_by_when_the_work_was_done(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(*(reported("hotline", f"{number}") for number in range(3)))
        numbers = [case.no for case in await room.casebook.find(scope=EVERYTHING)]
        for days, kind, of in ((0, K.DISPOSE, 2), (4, K.DISPOSE, 3), (9, K.CHECK, 3)):
            room.now = NOW + timedelta(days=days)
            await room.take(*(_ordered(no, kind, room.now, result="好") for no in numbers[:of]))
        await folded(room)

        outcomes = "SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY n) FROM tally WHERE cube = 'ended_month'"
        assert await room.scalar(outcomes) == "late 1, on_time 2"
        await agree(room)

    story(database_url, tell)


def test_what_was_spoilt_is_found_and_put_right_beside_who_writes(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), by_owner("works", "2", K.SIGN))
        await folded(room)
        await room.take(reported("hotline", "3"))
        spoil = (
            "UPDATE tally SET n = n + 7 WHERE cube = 'open' RETURNING 1",
            "DELETE FROM tally WHERE cube = 'taken' RETURNING 1",
            "INSERT INTO tally (cube, at, unit, n) VALUES ('due', now(), 'u9', 3) RETURNING 1",
        )
        for statement in spoil:
            await room.scalar(statement)

        found = await check(room.store, room.now, repair=True)

        assert sorted((one.cube, one.off) for one in found) == [("due", -3), ("open", -7), ("taken", 1)]
        assert [one.keys for one in found if one.cube == "due"] == [{"unit": "u9"}]
        assert await check(room.store, room.now) == []
        await agree(room)
        assert await room.scalar("SELECT count(*) FROM tally WHERE n = 0") == 0

    story(database_url, tell)


def test_a_case_that_a_hand_changed_is_counted_all_the_same(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        await room.scalar("UPDATE cases SET unit = 'by-hand' RETURNING 1")
        await folded(room)

        assert await room.scalar("SELECT string_agg(DISTINCT unit, ',') FROM tally") == "by-hand"
        assert await check(room.store, room.now) == []

    story(database_url, tell)


def test_names_of_any_length_can_be_folded(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        await room.scalar("UPDATE cases SET unit = repeat('所', 9000), owner = repeat('主', 9000) RETURNING 1")
        await folded(room)

        assert await check(room.store, room.now) == []

    story(database_url, tell)


def test_cases_that_were_there_before_are_counted_by_the_migration(empty_database_url: str) -> None:
    async def tell() -> None:
        await migrate(empty_database_url, "0020")
        store = Store(empty_database_url)
        dice = random.Random(7)
        async with store.transaction() as transaction:
            now = in_shanghai((await transaction.connection.execute(text("SELECT now()"))).scalar_one())
            for number, case in enumerate(_past_cases(dice, now)):
                arrays = case_rows([case])
                columns = {name.removeprefix("c_"): column for name, column in arrays.items()}
                names = ", ".join(columns)
                values = ", ".join(f"CAST(:{name} AS jsonb)" if name == "state" else f":{name}" for name in columns)
                statement = text(f"INSERT INTO cases ({names}) VALUES ({values})")
                await transaction.connection.execute(statement, {name: one[0] for name, one in columns.items()})
                assert number < 200
        await migrate(empty_database_url)

        kept, counted = await both_ways(store, now)
        assert kept == counted
        assert {cube for cube, *_ in kept} == set(BY_NAME)
        while await fold(store, now, step=50):
            pass
        assert await both_ways(store, now) == (counted, counted)
        await store.close()

    asyncio.run(tell())


def _past_cases(dice: random.Random, now: datetime) -> Iterator[Case]:
    """Open and ended ones of the last two years."""
    for number in range(200):
        received = now - timedelta(days=dice.choice([0, 1, 3, 20, 75, 200, 390, 700]), hours=dice.randrange(20))
        ended = dice.random() < 0.7
        stage = dice.choice(
            [Stage.CLOSED, Stage.EVALUATED, Stage.CANCELLED] if ended else [Stage.FILED, Stage.HANDLING]
        )
        closed = received + timedelta(hours=2) if stage in {Stage.CLOSED, Stage.EVALUATED} else None
        yield Case(
            id=new_id(received), no=f"3402{number:014d}", sequence=number, stage=stage, version=3, source="hotline",
            class_code=ClassCode.parse(dice.choice([STALL, LAMP])), place=Place(area=dice.choice(["340202", STREET])),
            channel=dice.choice(["电话", "网站"]), received_at=received, closed_at=closed, disposed_at=closed,
            due=Due(at=received + timedelta(hours=dice.randrange(1, 5)), provisional=dice.random() < 0.2),
            level=dice.choice([Level.STREET, Level.DISTRICT]), forced=dice.random() < 0.1,
        )  # fmt: skip
