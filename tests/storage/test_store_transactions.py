"""One transaction holds everything a batch decided, or nothing; what it reads stays its own until the commit."""

import asyncio
import gc
import traceback
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url, text

from canonical.case import Binding, BindingRole, Case, Event
from canonical.errors import Unavailable
from canonical.lifecycle import ActionKind
from canonical.message import Verdict
from canonical.records import Arrival, Changes, Known
from canonical.rights import EVERYTHING
from routing.intake import decide
from storage import outbox
from storage.driver import Connections, NotWritten
from storage.embedded import EmbeddedPostgres
from storage.store import AlreadyThere, Store
from tests.routing.intake_city import CITY, LAWSUIT, NOW, Desk, by_owner, by_source, ordered, reported, verdicts
from tests.routing.test_intake_any_order import batches, stories
from tests.storage.storeroom import Storeroom, assert_no_orphans, opened, sent, several, story

K = ActionKind


async def known(room: Storeroom, *arrivals: Arrival) -> Known:
    async with room.store.batch() as transaction:
        return await transaction.known(arrivals)


def test_what_was_saved_is_known_again_word_for_word(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1", case_key="k", text="王家巷口"))
        case = await room.case()

        found = await known(room, reported("hotline", "1"))

        assert found.cases == {case.id: case}
        assert found.by_no == {case.no: case.id}
        [binding] = found.of_case[case.id]
        assert (binding.system, binding.external_id, binding.case_key) == ("hotline", "1", "k")
        assert found.bindings == {("hotline", "1"): binding}
        assert case.description == "王家巷口"
        assert case.received_at == NOW

    story(database_url, tell)


def test_a_case_is_found_by_key_by_number_by_reference_and_by_what_was_sent(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1", case_key="k"))
        case = await room.case()
        [claimed] = await room.claim("works")
        binding = Binding(
            case_id=case.id, system="works", role=BindingRole.OWNER, external_id="w1", fingerprint="f",
            reference=case.reference,
        )  # fmt: skip
        await room.settle(outbox.acknowledged(claimed, sent(claimed), None, binding, at=NOW))

        assert (await known(room, reported("hotline", "2", case_key="k"))).by_case_key == {("hotline", "k"): case.id}
        assert case.no in (await known(room, ordered(case.no, K.COMMENT, reason="x"))).by_no
        assert case.no in (await known(room, by_owner("works", "?", K.SIGN, reference=case.reference))).by_no
        printed = await known(room, by_owner("works", "?", K.SIGN, fingerprint="f"))
        assert printed.by_fingerprint == {("works", "f"): case.id}
        assert len(printed.of_case[case.id]) == 2

    story(database_url, tell)


def test_what_another_system_calls_the_same_is_not_known(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1", case_key="k"))

        assert (await known(room, reported("grid", "1", case_key="k"))).cases == {}

    story(database_url, tell)


def test_a_system_to_which_something_is_being_sent_is_on_its_way(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        early = by_owner("works", "w1", K.SIGN)
        assert (await known(room, early)).on_their_way == frozenset()

        await room.claim("works")

        assert (await known(room, early)).on_their_way == {"works"}
        assert verdicts(await room.take(early)) == [Verdict.HELD]

    story(database_url, tell)


def test_a_case_in_hand_is_locked_until_the_commit(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        cancel = by_source("hotline", "1", K.CANCEL)
        async with room.store.batch() as transaction:
            await transaction.known([cancel])
            second = asyncio.create_task(room.take(cancel))
            await asyncio.sleep(0.2)
            assert not second.done()

        assert verdicts(await second) == [Verdict.APPLIED]

    story(database_url, tell)


def test_a_waiting_batch_sees_what_the_first_one_did(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        twice = [by_source("hotline", "1", K.CANCEL) for _ in range(8)]

        outcomes = await asyncio.gather(*(room.take(one) for one in twice))

        assert sorted(verdict for [verdict] in map(verdicts, outcomes)) == [Verdict.APPLIED, *[Verdict.REPEATED] * 7]

    story(database_url, tell)


def test_batches_that_touch_the_same_cases_in_opposite_order_do_not_deadlock(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        keys = [str(number) for number in range(20)]
        await room.take(*(reported("hotline", key) for key in keys))
        remarks = [[by_source("hotline", key, K.COMMENT) for key in order] for order in (keys, keys[::-1]) * 4]

        outcomes = await asyncio.gather(*(room.take(*batch) for batch in remarks))

        assert {verdict for some in outcomes for verdict in verdicts(some)} == {Verdict.APPLIED}
        assert await room.count("event WHERE action = 'comment'") == 8 * len(keys)

    story(database_url, tell)


def test_of_two_transactions_with_one_identity_one_is_refused_whole(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        ready = asyncio.Barrier(2)

        async def save(number: int) -> bool:
            arrival = reported("hotline", "1")
            try:
                async with room.store.batch() as transaction:
                    nothing = await transaction.known([arrival])
                    await ready.wait()
                    changes, _ = decide(
                        [arrival], nothing, CITY, numbers=iter([number]), now=NOW, ids=room.reception.ids
                    )
                    await transaction.save(changes, NOW)
            except AlreadyThere:
                return False
            return True

        assert sorted(await asyncio.gather(save(1), save(2))) == [False, True]
        assert [await room.count(table) for table in ("message", "cases", "binding")] == [1, 1, 1]

    story(database_url, tell)


def test_the_same_report_through_many_processes_at_once_is_one_case(database_url: str) -> None:
    async def race() -> None:
        async with several(database_url, 4) as rooms:
            for room in rooms:
                await room.store.numbers(1)  # so that all of them race for the same moment
            for key in map(str, range(10)):
                outcomes = await asyncio.gather(*(room.take(reported("hotline", key)) for room in rooms))
                assert sorted(verdict for [verdict] in map(verdicts, outcomes)) == [
                    Verdict.CASE,
                    *[Verdict.REPEATED] * 3,
                ]
            assert await rooms[0].count("cases") == 10
            assert await rooms[0].count("message") == 40

    asyncio.run(race())


def test_the_numbers_of_two_processes_never_collide(database_url: str) -> None:
    async def take() -> None:
        async with several(database_url, 3) as rooms:
            taken = await asyncio.gather(*(room.store.numbers(wanted) for wanted in (1, 250, 99) for room in rooms))
        numbers = [number for some in taken for number in some]
        assert len(numbers) == len(set(numbers)) == 3 * 350

    asyncio.run(take())


def test_a_poisonous_message_is_set_aside_and_its_neighbours_are_stored(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        poison = reported("hotline", "2", text="a\x00b")  # PostgreSQL's text has no U+0000

        outcomes = await room.take(reported("hotline", "1"), poison, reported("hotline", "3"))

        assert verdicts(outcomes) == [Verdict.CASE, Verdict.QUARANTINED, Verdict.CASE]
        assert "a\x00b" not in outcomes[1].text
        assert [await room.count(table) for table in ("message", "cases")] == [3, 2]

    story(database_url, tell)


def test_an_error_of_the_database_does_not_tell_what_was_to_be_stored(database_url: str) -> None:
    """Error texts are logged, and parameters are citizens' words."""

    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        [claimed] = await room.claim("works")
        said = Binding(
            case_id=claimed.case.id, system="works", role=BindingRole.OWNER, external_id="w1",
            extra={"who": "王小明 13900000000\x00"},
        )  # fmt: skip

        with pytest.raises(NotWritten) as failed:
            await room.settle(outbox.acknowledged(claimed, sent(claimed), None, said, at=NOW))

        told = "".join(traceback.format_exception(failed.value))
        assert "13900000000" not in told
        assert "王小明" not in told

    story(database_url, tell)


def test_a_merged_cases_source_is_known_as_the_other_cases(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        first, second = await room.casebook.find(scope=EVERYTHING)
        await room.take(ordered(first.no, K.MERGE, reason="the same", target=second.no))

        found = await known(room, reported("hotline", "1"))

        assert found.bindings["hotline", "1"].case_id == second.id
        assert set(found.cases) == {second.id}

    story(database_url, tell)


def test_of_several_cases_with_one_key_the_latest_is_meant(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1", case_key="k", class_code=LAWSUIT))
        room.now += timedelta(seconds=1)
        [opened_anew] = await room.take(reported("hotline", "2", case_key="k"))

        [joined] = await room.take(reported("hotline", "3", case_key="k"))

        assert (opened_anew.verdict, joined.verdict) == (Verdict.CASE, Verdict.JOINED)
        assert joined.case_no == opened_anew.case_no

    story(database_url, tell)


async def _save(room: Storeroom, changes: Changes, *, killed: bool = False) -> None:
    async with room.store.batch() as transaction:
        await transaction.save(changes, NOW)
        if killed:
            [(pid,)] = await transaction.connection.fetch("SELECT pg_backend_pid()")
            assert await room.scalar(f"SELECT pg_terminate_backend({pid}, 5000)")


def test_a_number_that_moves_twice_in_one_batch_means_the_last_case(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(*(reported("hotline", number) for number in "123"))
        first, second, third = sorted(await room.casebook.find(scope=EVERYTHING), key=lambda case: case.no)
        into = {first.no: second.no, second.no: third.no}

        await room.take(*(ordered(no, K.MERGE, reason="the same", target=target) for no, target in into.items()))

        found = await known(room, *(reported("hotline", number) for number in "123"))
        assert {binding.case_id for binding in found.bindings.values()} == {third.id}

    story(database_url, tell)


def test_a_connection_that_is_killed_leaves_nothing_half_stored(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        arrival = reported("hotline", "1")
        changes, _ = decide([arrival], Known(), CITY, numbers=iter([1]), now=NOW, ids=room.reception.ids)

        with pytest.raises(Unavailable):
            await _save(room, changes, killed=True)

        tables = ("message", "cases", "event", "binding", "delivery")
        assert [await room.count(table) for table in tables] == [0] * 5
        assert verdicts(await room.take(arrival)) == [Verdict.CASE]

    story(database_url, tell)


def test_killing_every_connection_again_and_again_loses_and_doubles_nothing(database_url: str) -> None:
    """A sender that got no answer sends again; in the end each report is one case, each with all its rows."""

    async def tell(room: Storeroom) -> None:
        async def push(key: str) -> None:
            while True:
                try:
                    [outcome] = await room.take(reported("hotline", key))
                except Unavailable:
                    continue
                assert outcome.verdict in {Verdict.CASE, Verdict.REPEATED}
                return

        async def kill() -> None:
            async with opened(database_url) as other:
                for _ in range(8):
                    await other.scalar(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    await asyncio.sleep(0.02)

        await asyncio.gather(kill(), *(push(str(number)) for number in range(40)))
        assert [await room.count(table) for table in ("cases", "binding", "delivery")] == [40, 40, 80]

    story(database_url, tell)


def test_a_database_that_is_not_there_is_unavailable() -> None:
    async def ask() -> None:
        store = Store("postgresql+asyncpg://nobody@/none?host=/nonexistent-folder")
        try:
            with pytest.raises(Unavailable):
                await store.numbers(1)
        finally:
            await store.close()

    asyncio.run(ask())


def test_a_database_that_takes_no_more_connections_is_unavailable() -> None:
    async def crowd(url: str) -> None:
        async with AsyncExitStack() as stack:
            stores = [Store(url) for _ in range(6)]
            for store in stores:
                stack.push_async_callback(store.close)
            with pytest.raises(Unavailable):  # noqa: PT012 somewhere on the way it is full
                for store in stores:
                    await stack.enter_async_context(store.transaction())

    few = {"max_connections": "4", "shared_buffers": "16MB", "fsync": "off", "max_wal_senders": "0"}
    with EmbeddedPostgres(None, settings=few) as server:
        asyncio.run(crowd(server.url))


_EMPTY = text("TRUNCATE message, cases, event, binding, delivery")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories, cuts=st.sets(st.integers(1, 24), max_size=6))
def test_any_story_through_the_database_is_the_story_in_memory(
    database_url: str, story: list[Arrival], cuts: set[int]
) -> None:
    """What the store looks up is enough: decisions on it are those of somebody who knows everything."""
    desk = Desk()
    expected = desk.take(*story)

    async def told() -> None:
        numbers, ids = count(1), count(1)
        async with opened(database_url) as room:
            async with room.store.transaction() as transaction:  # what an example before left when it failed
                await transaction.connection.execute(_EMPTY)
            outcomes = []
            for batch in batches(story, cuts):
                async with room.store.batch() as transaction:
                    changes, some = decide(
                        batch, await transaction.known(batch), CITY, numbers=numbers, now=NOW,
                        ids=lambda: UUID(int=next(ids)),
                    )  # fmt: skip
                    await transaction.save(changes, NOW)
                outcomes += some
            assert outcomes == expected
            async with room.store.transaction() as transaction:
                rows = await transaction.connection.execute(text("SELECT CAST(state AS text) FROM cases"))
                cases = [Case.model_validate_json(state) for state in rows.scalars()]
                rows = await transaction.connection.execute(text("SELECT CAST(body AS text) FROM event"))
                events = [Event.model_validate_json(body) for body in rows.scalars()]
                rows = await transaction.connection.execute(text("SELECT CAST(body AS text) FROM binding"))
                bindings = [Binding.model_validate_json(body) for body in rows.scalars()]
                rows = await transaction.connection.execute(text("SELECT id, case_id, system, seq FROM delivery"))
                assert {tuple(row) for row in rows} == {(d.id, d.case_id, d.system, d.seq) for d in desk.deliveries}
            assert {case.id: case for case in cases} == desk.cases
            assert sorted(events, key=_of_event) == sorted(desk.events, key=_of_event)
            assert {(b.system, b.external_id): b for b in bindings} == desk.bindings
            await assert_no_orphans(room.store)

    asyncio.run(told())


def _of_event(event: Event) -> tuple[UUID, int]:
    return event.case_id, event.seq


def test_a_connection_that_is_given_back_after_the_end_is_closed(database_url: str) -> None:
    async def tell() -> None:
        connections = Connections(make_url(database_url), 2)
        async with connections.one() as late:
            await connections.close()
            assert await late.fetch("SELECT 1")
        assert late.is_closed()  # type: ignore[attr-defined]

    asyncio.run(tell())


def test_a_connection_that_is_broken_off_while_it_is_opened_is_closed(database_url: str) -> None:
    """Found by the warnings of connections that nobody closed: pytest makes errors of them."""

    async def tell() -> None:
        for after in range(0, 40, 2):
            connections = Connections(make_url(database_url), 1)
            opening = asyncio.create_task(_opened(connections))
            await asyncio.sleep(after / 1000)
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await connections.close()
        gc.collect()

    asyncio.run(tell())


async def _opened(connections: Connections) -> None:
    async with connections.one():
        await asyncio.sleep(1)
