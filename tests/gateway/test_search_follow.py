"""The index follows what happens: nothing is missed, nothing outlives its case, whoever is killed has lost nothing."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from canonical.case import Binding, BindingRole
from canonical.lifecycle import ActionKind
from canonical.message import Message
from canonical.rights import EVERYTHING
from gateway.search.find import Finder
from gateway.search.key import mark
from gateway.search.names import names
from gateway.search.question import question
from gateway.search.terms import terms
from storage.case_list import Wanted
from storage.endings import acknowledged
from storage.retention import Retention
from storage.retention_rules import Keep
from storage.search import Search
from storage.search_index import Entry, Indexed, OtherKey, SearchIndex, indexed, rebuild
from storage.store import Store
from tests.routing.intake_city import CITY, NOW, ordered, reported
from tests.storage.storeroom import WAITING, Storeroom, sent, story

KEY = b"k" * 32
HOUR = timedelta(hours=1)


def index(store: Store, key: bytes = KEY) -> SearchIndex:
    """As a worker has it."""
    return SearchIndex(store, mark(key))


def making(entry: Entry) -> frozenset[int]:
    """As a worker makes them."""
    return terms(entry, KEY)


async def followed(room: Storeroom, *, limit: int = 500) -> None:
    """Until there is nothing more to do."""
    while (taken := await index(room.store).follow(making, limit=limit)) is None or taken.more:
        pass


async def found(room: Storeroom, q: str) -> list[str]:
    """Numbers of the cases that are found, page by page."""
    finder, asked = Finder(Search(room.store)), question(q, names(CITY, NOW.date()), KEY)
    hits, following = await finder.page(asked, Wanted(), scope=EVERYTHING, now=room.now, limit=2)
    every = hits
    while following is not None:
        hits, following = await finder.page(
            asked, Wanted(), scope=EVERYTHING, now=room.now, place=following, limit=2
        )  # fmt: skip
        every += hits
    return [hit.case.no for hit in every]


async def told(room: Storeroom, *words: str) -> list[str]:
    """One case for each text, an hour apart; their numbers, the newest first."""
    for number, text_ in enumerate(words):
        room.now += HOUR
        await room.take(reported("hotline", f"T-{number}-{text_}", text=text_, at=room.now))
    return [case.no for case in reversed(await room.casebook.find(scope=EVERYTHING, limit=500))]


def test_what_was_there_before_and_what_comes_later_is_found(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        old = await told(room, *(f"井盖松动{number}" for number in range(5)))
        assert await indexed(room.store) == Indexed(None, complete=False, key="")
        first = await index(room.store).follow(making, limit=2)
        assert first is not None
        assert first.more
        assert await found(room, "井盖") == old[:2], "the newest first"
        assert not (await indexed(room.store)).complete

        new = await told(room, "井盖丢失")
        assert (await indexed(room.store)).waiting is not None
        await followed(room, limit=2)

        assert await found(room, "井盖") == new
        assert await indexed(room.store) == Indexed(None, complete=True, key=mark(KEY))

    story(database_url, tell)


def test_what_an_older_transaction_commits_late_is_not_passed_over(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        [no] = await told(room, "井盖松动")
        await followed(room)
        async with room.store.transaction() as late:
            await late.connection.execute(text(_RENAMED))
            both = await told(room, "噪音扰民")
            await followed(room)
            assert (await indexed(room.store)).waiting is not None, "it may not go past who is still writing"
        await followed(room)

        assert await found(room, "路面塌陷") == [no]
        assert await found(room, "噪音") == both[:1]
        assert (await indexed(room.store)).waiting is None

    story(database_url, tell)


# An event of its own, so that books of events hold; the words of the case change with it.
_RENAMED = """
WITH e AS (
  INSERT INTO event (case_id, seq, at, action, party, message_id, body)
  SELECT c.id, c.version + 1, at, 'comment', party, NULL, body FROM event e JOIN cases c ON c.id = e.case_id
   WHERE seq = 1 RETURNING case_id)
UPDATE cases SET state = state || jsonb_build_object('title', '路面塌陷', 'version', version + 1), version = version + 1
  FROM e WHERE cases.id = e.case_id
"""


def test_who_is_killed_in_the_middle_has_moved_nothing(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        every = await told(room, *(f"井盖松动{number}" for number in range(4)))
        left = 2

        def killed(entry: Entry) -> frozenset[int]:
            nonlocal left
            left -= 1
            if not left:
                raise KeyboardInterrupt
            return making(entry)

        with pytest.raises(KeyboardInterrupt):
            await index(room.store).follow(killed)
        assert await room.count("search_case") == 0
        await followed(room)

        assert await found(room, "井盖") == every

    story(database_url, tell)


def test_two_at_once_do_not_wait_for_each_other(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        every = await told(room, "井盖松动")
        await index(room.store).follow(making)
        async with room.store.transaction() as other:
            await other.connection.execute(text("SELECT 1 FROM search_position FOR UPDATE"))

            assert await asyncio.wait_for(index(room.store).follow(making), 20) is None

        await followed(room)
        assert await found(room, "井盖") == every

    story(database_url, tell)


def test_a_case_that_is_removed_while_it_is_taken_in_leaves_nothing(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await told(room, "井盖松动")
        async with room.store.transaction() as removing:
            await removing.connection.execute(text("SELECT 1 FROM cases FOR UPDATE"))
            following = asyncio.create_task(index(room.store).follow(making))
            await _waits(room)
            for table in ("delivery", "event", "binding", "message", "search_case", "cases"):
                await removing.connection.execute(text(f"DELETE FROM {table}"))
        await following

        assert await room.count("search_case") == 0

    story(database_url, tell)


async def _waits(room: Storeroom) -> None:
    for _ in range(2000):
        if await room.scalar(WAITING):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not wait for who removes the case")


def test_what_retention_removes_is_forgotten_with_it(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        [no] = await told(room, "井盖松动")
        await room.take(ordered(no, ActionKind.CANCEL, reason="test"))
        for claimed in await room.claim("works"):
            await room.send(claimed, sent(claimed))
            await room.settle(acknowledged(claimed, sent(claimed), None, None, at=room.now))
        await followed(room)
        assert await room.count("search_case") == 1
        later = room.now + timedelta(days=40)
        await _settled(room)

        await Retention(room.store, Keep(evidence=timedelta(days=30)), run=(await room.case()).id).cut(lambda: later)

        assert (await room.count("cases"), await room.count("search_case")) == (0, 0)

    story(database_url, tell)


async def _settled(room: Storeroom) -> None:
    """Whatever is still on its way has arrived."""
    async with room.store.transaction() as transaction:
        await transaction.connection.execute(text("UPDATE delivery SET state = 'acknowledged', done_at = created_at"))


def test_the_number_that_an_owner_answers_is_found_by_its_end(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        [no] = await told(room, "井盖松动")
        await followed(room)
        [claimed] = await room.claim("works")
        message = sent(claimed)
        await room.send(claimed, message)
        case = await room.case()
        owner = Binding(
            case_id=case.id, system="works", role=BindingRole.OWNER, external_id="WH-2026-778899",
            reference=case.reference,
        )  # fmt: skip
        answer = Message(system="works", body=b"ok", at=room.now, id=reported("works", "x").message.id)
        await room.settle(acknowledged(claimed, message, answer, owner, at=room.now))
        assert await found(room, "WH-2026-778899") == [no], "whole it is found at once"
        await followed(room)

        assert await found(room, "8899") == [no]
        assert await found(room, "wh-2026") == [no]

    story(database_url, tell)


@pytest.mark.parametrize("how", ["rebuilt", "restored"])
def test_it_is_built_anew(database_url: str, how: str) -> None:
    async def tell(room: Storeroom) -> None:
        every = await told(room, "井盖松动", "井盖丢失")
        await followed(room)
        async with room.store.transaction() as transaction:
            await transaction.connection.execute(text("DELETE FROM search_case WHERE case_id <> gen_random_uuid()"))
            if how == "restored":  # from a dump: its transactions are counted from the beginning again
                await transaction.connection.execute(text("UPDATE search_position SET since = since + 1000000"))
        if how == "rebuilt":
            await rebuild(room.store)
        await followed(room)

        assert await found(room, "井盖") == every

    story(database_url, tell)


def test_another_key_takes_nothing_in_before_it_is_built_anew(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await told(room, "井盖松动")
        await followed(room)
        other = index(room.store, b"x" * 32)

        with pytest.raises(OtherKey):
            await other.follow(making)
        await rebuild(room.store)

        assert await other.follow(making) is not None

    story(database_url, tell)
