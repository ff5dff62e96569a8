"""Devices, storm caps, files and headers are kept with the batch that decided them, and no two processes disagree."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from canonical.alarm import AlarmKey, AlarmPolicy, AlarmState, CapState
from canonical.lifecycle import ActionKind
from canonical.message import Verdict
from canonical.reading import Outcome
from canonical.records import Arrival, Changes, Known
from canonical.report import Attachment
from canonical.rights import EVERYTHING
from gateway.configuration import Configuration
from gateway.reception import Reception
from routing.city import City
from routing.intake import decide
from storage.store import AlreadyThere, Store
from tests.routing.intake_city import NOW, by_owner, ordered, reported, verdicts
from tests.routing.test_storm_intake import PHOTO, VIDEO, AlarmDesk, added, alarmed, telling
from tests.storage.storeroom import WAITING, Storeroom, opened

K = ActionKind
CAPPED = alarmed({"*": AlarmPolicy(cap=3)})


@asynccontextmanager
async def rooms(url: str, number: int, city: City | None = None) -> AsyncIterator[list[Storeroom]]:
    """As many processes on one database, in a city with alarms."""
    async with opened(url, city=city or alarmed()) as first:
        made, configuration = [first], Configuration(city or alarmed(), {})
        for _ in range(number - 1):
            store = Store(url)
            reception = Reception(configuration, store, now=first.reception.now, ids=first.reception.ids)
            made.append(replace(first, store=store, reception=reception))
        try:
            yield made
        finally:
            for room in made[1:]:
                await room.store.close()


async def known(room: Storeroom, *arrivals: Arrival) -> Known:
    async with room.store.batch() as transaction:
        return await transaction.known(arrivals)


async def kept(room: Storeroom) -> dict[AlarmKey, AlarmState]:
    """All devices there are."""
    async with room.store.transaction() as transaction:
        rows = await transaction.connection.execute(text("SELECT CAST(state AS text) FROM alarm"))
        states = [AlarmState.model_validate_json(state) for state in rows.scalars()]
    return {(state.system, state.device, state.kind): state for state in states}


def test_a_device_is_known_again_word_for_word_with_its_case_and_its_cap(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 1, CAPPED) as [room]:
            [opened_case, counted] = await room.take(telling("a"), telling("b", 1))
            case = await room.case()

            found = await known(room, telling("c", 2))

            assert (opened_case.verdict, counted.verdict) == (Verdict.CASE, Verdict.COUNTED)
            assert found.alarms == await kept(room)
            state = found.alarms["iot", "d1", "smoke"]
            assert (state.told, state.since_case, state.case_id, state.case_at) == (2, 2, case.id, NOW)
            assert found.caps == {("iot", "smoke"): CapState(system="iot", kind="smoke", opened=(NOW,))}
            assert found.cases == {case.id: case}
            assert (await known(room, telling("c", kind="heat"), telling("d", device="d2"))).alarms == {}

    asyncio.run(tell())


def test_a_device_of_a_merged_case_knows_the_case_that_remained_in_the_end(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 1) as [room]:
            await room.take(telling("a"), reported("hotline", "1"), reported("hotline", "2"))
            first, second, third = await room.casebook.find(scope=EVERYTHING)
            for case, target in ((first, second), (second, third)):
                await room.take(ordered(case.no, K.MERGE, reason="the same", target=target.no))

            [outcome] = await room.take(telling("b", 1))

            assert (outcome.verdict, outcome.case_no) == (Verdict.COUNTED, third.no)
            assert (await kept(room))["iot", "d1", "smoke"].case_id == third.id
            assert await room.count(f"alarm WHERE {_DIFFERS}") == 0

    asyncio.run(tell())


def test_through_many_processes_at_once_a_new_device_gets_one_case(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 4) as four:
            for room in four:
                await room.store.numbers(1)
            for device in map(str, range(8)):
                batches = [[telling(f"{device}-{n}", n, device=device)] for n in range(4)]
                outcomes = await asyncio.gather(*(room.take(*batch) for room, batch in zip(four, batches, strict=True)))
                assert sorted(verdict for [verdict] in map(verdicts, outcomes)) == [
                    Verdict.CASE,
                    *[Verdict.COUNTED] * 3,
                ]
            assert await four[0].count("cases") == 8
            assert {state.told for state in (await kept(four[0])).values()} == {4}

    asyncio.run(tell())


def test_through_many_processes_at_once_a_storm_cap_is_never_exceeded(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 4, CAPPED) as four:
            for room in four:
                await room.store.numbers(1)
            takes = [room.take(telling(f"a{n}", device=f"d{n}")) for n, room in enumerate(four * 5)]
            outcomes = [verdict for [verdict] in map(verdicts, await asyncio.gather(*takes))]

            assert sorted(outcomes) == [*[Verdict.CASE] * 3, *[Verdict.COUNTED] * 17]
            assert (await known(four[0], telling("b"))).caps["iot", "smoke"].withheld == 17

    asyncio.run(tell())


def test_batches_of_the_same_devices_in_any_order_do_not_deadlock(database_url: str) -> None:
    """The reception would heal a deadlock by halving the batch; so it is asked for without the reception."""

    async def look(room: Storeroom, story: Sequence[Arrival]) -> None:
        async with room.store.batch() as transaction:
            await transaction.known(story)

    async def tell() -> None:
        story = [telling(f"a{n}", device=f"d{n}") for n in range(100)]
        async with rooms(database_url, 4) as [first, *others]:
            for there in (0, 50, 100, 100, 100):
                if there:
                    await first.take(*story[:there])
                async with first.store.batch() as transaction, asyncio.timeout(20):
                    await transaction.known([story[there // 2]])  # so that all of them stop on their way
                    waiting = [
                        asyncio.create_task(look(room, story[n * 33 :] + story[: n * 33]))
                        for n, room in enumerate(others)
                    ]
                    while await first.scalar(WAITING) < len(waiting):
                        assert not any(task.done() for task in waiting)
                await asyncio.gather(*waiting)

    asyncio.run(tell())


def test_a_device_in_hand_is_locked_until_the_commit(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 2) as [one, two]:
            await two.store.numbers(1)
            async with one.store.batch() as transaction:
                await transaction.known([telling("a")])
                waiting = asyncio.create_task(two.take(telling("b", 1)))
                async with asyncio.timeout(20):
                    while not await one.scalar(WAITING):
                        assert not waiting.done()
            assert verdicts(await waiting) == [Verdict.CASE]

    asyncio.run(tell())


def test_a_storm_cap_that_another_process_made_meanwhile_is_not_written_over(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 1) as [room]:
            key = ("iot", "smoke")
            first, second, late = (CapState(system="iot", kind="smoke", withheld=n) for n in (1, 2, 3))
            async with room.store.batch() as transaction:
                await transaction.save(Changes(caps={key: first}), NOW)
            async with room.store.batch() as transaction:
                assert (await transaction.known([telling("a")])).caps == {key: first}
                await transaction.save(Changes(caps={key: second}), NOW)

            with pytest.raises(AlreadyThere):
                async with room.store.batch() as transaction:  # when it was looked up, there was none
                    await transaction.save(Changes(caps={key: late}), NOW)

            assert (await known(room, telling("a"))).caps == {key: second}

    asyncio.run(tell())


def test_files_of_a_case_wait_as_rows_and_bytes_that_came_inside_are_kept(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 1) as [room]:
            inline = Attachment(url="inline:sha256:00", name="p.jpg", content=bytes(range(256)))
            await room.take(telling("a", files=[PHOTO, inline]))
            await room.take(added("iot", "a", PHOTO, VIDEO))
            case = await room.case()

            async with room.store.transaction() as transaction:
                rows = (await transaction.connection.execute(text("SELECT * FROM attachment ORDER BY url"))).all()

            assert [(row.url, row.state, row.content) for row in rows] == [
                (PHOTO.url, "waiting", None),
                (VIDEO.url, "waiting", None),
                (inline.url, "waiting", inline.content),
            ]
            assert {(row.case_id, row.system, row.next_at, row.created_at) for row in rows} == {
                (case.id, "iot", NOW, NOW)
            }
            assert [file.url for file in case.attachments] == [PHOTO.url, inline.url, VIDEO.url]

    asyncio.run(tell())


def test_a_message_keeps_its_headers_and_no_credentials(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 1) as [room]:
            headers = {"x-kind": "告警", "content-type": "a", "authorization": "Basic c2VjcmV0", "x-odd": "a\x00b"}
            arrival = telling("a")
            arrival = replace(arrival, message=replace(arrival.message, headers=headers))
            await room.take(arrival)

            found = await room.journal.message(arrival.message.id)

            assert found is not None
            assert found[1].headers == {"x-kind": "告警", "content-type": "a", "x-odd": "ab"}
            assert "c2VjcmV0" not in await room.scalar("SELECT CAST(headers AS text) FROM message")

    asyncio.run(tell())


@asynccontextmanager
async def statements(room: Storeroom) -> AsyncIterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def seen(query: Any) -> None:
        sent.append(query.query)

    async with room.store.batch() as batch:  # the one connection that is there, and that the next batch gets
        batch.connection.add_query_logger(seen)  # type: ignore[attr-defined]
    yield sent
    await asyncio.sleep(0.05)  # told a moment later
    async with room.store.batch() as batch:
        batch.connection.remove_query_logger(seen)  # type: ignore[attr-defined]


def test_a_batch_without_alarms_and_files_costs_no_statement_more(database_url: str) -> None:
    async def tell() -> None:
        async with rooms(database_url, 1) as [room]:
            await room.store.numbers(1)
            await room.take(reported("hotline", "0"))

            async with statements(room) as sent:
                await room.take(reported("hotline", "1"))
            assert len(sent) == 4, "begin, what is known, what is saved, commit and who is woken"
            assert not [statement for statement in sent if "alarm" in statement or "attachment" in statement]

            async with statements(room) as sent:
                await room.take(*(telling(f"a{n}", n, device=f"d{n % 3}") for n in range(9)))
            assert len(sent) == 8, "begin, keys, devices, caps and what is known; what is saved, the devices, commit"

    asyncio.run(tell())


second = st.sampled_from([0, 0, 1, 2, 5, 30, 30, -20])
alarms = st.builds(
    telling,
    st.sampled_from(["1", "2", "d1"]),
    second,
    device=st.sampled_from(["d1", "d2"]),
    kind=st.sampled_from(["smoke", "heat"]),
    active=st.sampled_from([True, True, False]),
    report=st.sampled_from([True, True, False]),
    files=st.sampled_from([(), (), (PHOTO,)]),
)
additions = st.builds(
    added, st.just("iot"), st.sampled_from(["1", "2", "d1"]), st.sampled_from([PHOTO, VIDEO]),
    remark=st.sampled_from(["", "催办", "再催"]),
)  # fmt: skip
numbers = st.integers(1, 3).map(lambda number: f"340220260520{number:07d}")
orders = st.one_of(
    st.builds(lambda no: ordered(no, K.CANCEL, reason="误报"), numbers),
    st.builds(lambda no, target: ordered(no, K.MERGE, reason="same", target=target), numbers, numbers),
    st.builds(lambda no: by_owner("works", "?", K.DISPOSE, reference=f"{no}-1"), numbers),
    st.builds(lambda no: ordered(no, K.CHECK, result="good"), numbers),
)
_DIFFERS = """
CAST(case_id AS text) IS DISTINCT FROM state ->> 'case_id' OR seen_at <> CAST(state ->> 'seen_at' AS timestamptz)
"""
_EMPTY = text("TRUNCATE message, cases, event, binding, delivery, alarm, alarm_cap, attachment")
POLICIES = alarmed({"smoke": AlarmPolicy(times=2, quiet=10, forget=25), "heat": AlarmPolicy(rearm="cleared", cap=1)})


async def _told(room: Storeroom, batch: Sequence[Arrival], numbers: Any, ids: Any) -> list[Outcome]:
    async with room.store.batch() as transaction:
        changes, outcomes = decide(batch, await transaction.known(batch), POLICIES, numbers=numbers, now=NOW, ids=ids)
        await transaction.save(changes, NOW)
    return outcomes


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.one_of(alarms, alarms, alarms, additions, orders), max_size=25), size=st.integers(1, 25))
def test_any_story_of_alarms_through_the_database_is_the_story_in_memory(
    database_url: str, story: list[Arrival], size: int
) -> None:
    """What the store looks up and keeps is enough: decisions on it are those of somebody who knows everything."""
    desk = AlarmDesk(POLICIES)
    expected = desk.take(*story)
    desk.check_books()

    async def tell() -> None:
        given_numbers, ids = count(1), count(1)
        async with rooms(database_url, 1, POLICIES) as [room]:
            outcomes = []
            for start in range(0, len(story), size):
                batch = story[start : start + size]
                outcomes += await _told(room, batch, given_numbers, lambda: UUID(int=next(ids)))
            assert outcomes == expected
            assert await kept(room) == desk.alarms
            assert {case.id: case for case in await room.casebook.find(scope=EVERYTHING)} == desk.cases
            assert await room.count(f"alarm WHERE {_DIFFERS}") == 0
            assert await room.count("attachment") == len({(file.case_id, file.attachment.url) for file in desk.files})
            for system, kind in desk.caps:
                found = await known(room, telling("x", kind=kind))
                assert found.caps[system, kind] == desk.caps[system, kind]
            async with room.store.transaction() as transaction:
                await transaction.connection.execute(_EMPTY)

    asyncio.run(tell())
