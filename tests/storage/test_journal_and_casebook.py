"""The journal keeps bytes as they came; the casebook finds a case by any number and its books balance."""

from dataclasses import replace
from datetime import timedelta

from canonical.case import Queue
from canonical.errors import Unacceptable, UnmappedCode, Why
from canonical.lifecycle import ActionKind, Stage
from canonical.message import Verdict
from canonical.records import Arrival
from canonical.rights import EVERYTHING
from tests.routing.intake_city import LAWSUIT, NOW, Desk, by_source, message, ordered, reported, verdicts
from tests.storage.storeroom import Storeroom, story, with_body

K = ActionKind
BYTES = bytes(range(256)) * 3


def test_the_bytes_of_a_message_come_back_as_they_came(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        arrival = with_body(reported("hotline", "1"), BYTES)
        arrival = replace(
            arrival, message=replace(arrival.message, door="add", content_type="text/xml; charset=gbk", path="a/b")
        )
        await room.take(arrival)

        found = await room.journal.message(arrival.message.id)

        assert found is not None
        row, kept = found
        assert kept == replace(arrival.message, headers={})
        assert kept.body == BYTES
        assert (row.verdict, row.kind, row.external_id, row.size) == (Verdict.CASE, "report", "1", len(BYTES))
        assert row.case_no == (await room.case()).no

    story(database_url, tell)


def test_a_message_that_is_not_there_is_none(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        assert await room.journal.message(message("hotline").id) is None

    story(database_url, tell)


def test_the_journal_is_filtered_by_every_word_and_newest_first(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        bad = Arrival(message("hotline", NOW + timedelta(seconds=2)), Unacceptable("no", why=Why.CONTRACT, key="7"))
        await room.take(reported("hotline", "1"), reported("grid", "1", at=NOW + timedelta(seconds=1)), bad)

        async def seen(**filters: str) -> list[str]:
            return [f"{row.system} {row.verdict}" for row in await room.journal.rows(**filters)]  # type: ignore[arg-type]

        assert await seen() == ["hotline refused", "grid case", "hotline case"]
        assert await seen(system="hotline") == ["hotline refused", "hotline case"]
        assert await seen(verdict="case", system="grid") == ["grid case"]
        assert await seen(external_id="7") == ["hotline refused"]
        assert await seen(direction="out") == []
        assert len(await room.journal.rows(limit=1)) == 1

    story(database_url, tell)


def test_a_quarantined_message_that_is_read_again_keeps_its_row_and_takes_its_new_verdict(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        good = with_body(reported("hotline", "1"), BYTES)
        await room.take(Arrival(good.message, UnmappedCode("no row for 99", key="1")))
        [kept] = await room.journal.deferred(Verdict.QUARANTINED)
        assert kept.body == BYTES

        assert verdicts(await room.take(replace(good, message=kept))) == [Verdict.CASE]
        assert await room.journal.deferred(Verdict.QUARANTINED) == []
        [row] = await room.journal.rows()
        assert (row.id, row.verdict, row.why, row.size) == (good.message.id, Verdict.CASE, "", len(BYTES))
        assert (row.kind, row.case_no) == ("report", (await room.case()).no)

    story(database_url, tell)


def test_deferred_messages_come_in_the_order_they_came_in(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        arrivals = [
            Arrival(message(system, NOW + timedelta(seconds=second)), UnmappedCode("x", key=str(second)))
            for second, system in enumerate(["hotline", "grid", "hotline"])
        ]
        await room.take(*reversed(arrivals))

        assert [m.id for m in await room.journal.deferred(Verdict.QUARANTINED)] == [a.message.id for a in arrivals]
        assert len(await room.journal.deferred(Verdict.QUARANTINED, system="hotline")) == 2
        assert len(await room.journal.deferred(Verdict.QUARANTINED, external_ids=["1"])) == 1
        assert await room.journal.deferred(Verdict.HELD) == []

    story(database_url, tell)


def test_cases_are_found_page_by_page_and_by_queue_stage_source_and_owner(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(
            reported("hotline", "1"), reported("grid", "2", area=""), reported("hotline", "3", class_code=LAWSUIT)
        )
        every = await room.casebook.find(scope=EVERYTHING)

        assert [case.source for case in every] == ["hotline", "grid", "hotline"]
        assert await room.casebook.find(scope=EVERYTHING, after=every[0].no, limit=1) == [every[1]]
        assert await room.casebook.find(scope=EVERYTHING, queue=Queue.LOCATION_UNKNOWN) == [every[1]]
        assert await room.casebook.find(scope=EVERYTHING, stage=Stage.REFUSED) == [every[2]]
        assert await room.casebook.find(scope=EVERYTHING, source="grid") == [every[1]]
        assert await room.casebook.find(scope=EVERYTHING, owner="works") == [every[0]]

    story(database_url, tell)


def test_a_case_is_found_by_every_number_anybody_has_for_it(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "T-1", case_key="K-1"), reported("hotline", "T-2", case_key="K-1"))
        case = await room.case()

        for number in (case.no, case.reference, "T-1", "T-2", "K-1"):
            journey = await room.casebook.journey(number, scope=EVERYTHING)
            assert journey is not None
            assert journey.case == case
        assert await room.casebook.journey("T-3", scope=EVERYTHING) is None

    story(database_url, tell)


def test_a_journey_shows_events_identities_and_messages_in_order(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        await room.take(by_source("hotline", "1", K.CANCEL))
        journey = await room.casebook.journey("1", scope=EVERYTHING)

        assert journey is not None
        assert [event.action.kind for event in journey.events] == [K.COLLECT, K.FILE, K.DISPATCH, K.CANCEL]
        assert [binding.external_id for binding in journey.bindings] == ["1"]
        assert [(d.system, d.message, d.state) for d in journey.deliveries] == [
            ("hotline", "taken", "pending"),
            ("works", "work", "pending"),
            ("works", "stop", "pending"),
        ]

    story(database_url, tell)


def test_the_books_balance_and_count_what_is_overdue(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(
            reported("hotline", "1", case_key="k"), reported("hotline", "2", case_key="k"), reported("hotline", "1"),
            reported("grid", "3", area=""), reported("hotline", "4", class_code=LAWSUIT),
            Arrival(message("hotline"), Unacceptable("no")), Arrival(message("hotline"), UnmappedCode("no row")),
            by_source("hotline", "9", K.CANCEL),
        )  # fmt: skip
        books = await room.casebook.books(NOW)

        assert books.reports == {"case": 3, "joined": 1, "repeated": 1, "refused": 1, "quarantined": 1}
        assert books.stages == {"dispatched": 1, "reported": 1, "refused": 1}
        assert books.queues == {"location_unknown": 1}
        assert books.owners == {"works": 1, "": 1}
        assert sum(number for _, _, number in books.deliveries) == await room.count("delivery") == 4
        assert books.overdue == 0
        assert (await room.casebook.books(NOW + timedelta(days=9))).overdue == 1

    story(database_url, tell)


def test_what_was_disposed_or_has_ended_is_not_overdue(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"))
        first, _ = await room.casebook.find(scope=EVERYTHING)
        await room.take(ordered(first.no, K.DISPOSE, result="swept"), by_source("hotline", "2", K.CANCEL))

        assert (await room.casebook.books(NOW + timedelta(days=9))).overdue == 0

    story(database_url, tell)


def test_the_latest_cases_are_those_that_moved_last(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"), reported("hotline", "2"), reported("hotline", "3"))
        first, _, third = await room.casebook.find(scope=EVERYTHING)
        room.now = NOW + timedelta(minutes=5)
        await room.take(by_source("hotline", "3", K.COMMENT))
        room.now = NOW + timedelta(minutes=6)
        await room.take(by_source("hotline", "1", K.COMMENT))

        assert [case.no for case in await room.casebook.latest(2, scope=EVERYTHING)] == [first.no, third.no]

    story(database_url, tell)


def test_the_desk_of_the_intake_tests_keeps_what_the_store_keeps(database_url: str) -> None:
    desk = Desk()
    arrivals = [reported("hotline", "1"), reported("hotline", "2", area="")]
    desk.take(*arrivals)

    async def tell(room: Storeroom) -> None:
        await room.take(*arrivals)
        stored = [case.model_copy(update={"id": None}) for case in await room.casebook.find(scope=EVERYTHING)]
        assert stored == [case.model_copy(update={"id": None}) for case in desk.cases.values()]

    story(database_url, tell)
