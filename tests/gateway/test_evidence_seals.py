"""Seals cover every row exactly once, whoever commits late, seals at once or is killed; and a check finds what was done
behind the hub's back.
"""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from canonical.ids import new_id
from canonical.lifecycle import ActionKind
from canonical.rights import EVERYTHING
from gateway.evidence import seal as sealing
from gateway.evidence.check import Wrong
from gateway.evidence.seal import Sealer
from gateway.hub import clock
from storage import seals
from storage.partitions import keep_months
from storage.retention import Retention
from storage.retention_rules import Keep
from storage.schema import migrate
from storage.seals import standing
from storage.store import Store
from tests.gateway.evidence_room import checked, execute, seal
from tests.routing.intake_city import NOW, ordered, reported
from tests.storage.storeroom import Storeroom, story, with_body

NOTE = """
INSERT INTO message VALUES
  (:id, :at, 'in', 'hotline', '', NULL, '', '', 0, 'body', 'noted', '', '', '', false, '', NULL, '')
"""


async def told(room: Storeroom, first: int, count: int = 1) -> None:
    """So many reports of as many cases."""
    for number in range(first, first + count):
        await room.take(with_body(reported("hotline", f"e{number}"), b"report %d" % number))


async def covered(store: Store) -> Counter[tuple[UUID, int]]:
    """How often each row is in a seal."""
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(text("SELECT unnest(ids), unnest(seqs) FROM seal"))
        return Counter((row[0], row[1]) for row in rows)


async def there(store: Store) -> set[tuple[UUID, int]]:
    """Every message and event."""
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(
            text("SELECT id, 0 FROM message UNION ALL SELECT case_id, seq FROM event")
        )
        return {(row[0], row[1]) for row in rows}


async def once_each(store: Store) -> None:
    """Every row is sealed, and none twice."""
    found = await covered(store)
    assert found.keys() == await there(store)
    assert set(found.values()) == {1}


def test_every_row_is_sealed_once_and_what_comes_later_by_the_next_seal(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        assert await seal(room.store) == 0
        await told(room, 1, 3)
        assert await seal(room.store) == len(await there(room.store))
        await told(room, 4)
        await room.take(ordered((await room.casebook.find(scope=EVERYTHING))[0].no, ActionKind.CANCEL, reason="test"))

        assert await seal(room.store) > 0
        assert await room.count("seal") == 2
        await once_each(room.store)
        assert (await checked(room.store)).findings == []
        assert (await standing(room.store)).waiting is None

    story(database_url, tell)


def test_a_late_commit_is_sealed_and_nothing_before_it_is_waited_for_in_vain(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await told(room, 1)
        async with room.store.engine.connect() as slow:
            late = new_id(NOW - timedelta(days=3))  # its id and time are older than all that is sealed meanwhile
            await slow.execute(text(NOTE), {"id": late, "at": NOW - timedelta(days=3)})
            await told(room, 2)
            await seal(room.store)
            behind = await covered(room.store)
            assert (late, 0) not in behind
            assert (await standing(room.store)).waiting is not None
            assert len(behind) > 0
            await slow.commit()
        await seal(room.store)

        await once_each(room.store)
        assert (await checked(room.store)).findings == []

    story(database_url, tell)


def test_what_was_there_before_seals_is_sealed_first_and_in_parts(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 5)

    async def tell(room: Storeroom) -> None:
        await told(room, 1, 6)
        began = "INSERT INTO sealing SELECT now(), CAST(CAST(pg_current_xact_id() AS text) AS bigint), 0"
        await execute(room.store, began)
        await told(room, 7, 6)
        one = "UPDATE event SET xact = (SELECT max(xact) FROM event) WHERE xact > (SELECT start FROM sealing)"
        await execute(room.store, one)  # one transaction that wrote more than a seal holds
        await seal(room.store)

        await once_each(room.store)
        checked_ = await checked(room.store)
        assert (checked_.findings, checked_.rows) == ([], len(await there(room.store)))
        assert checked_.seals > 5

    story(database_url, tell)


def test_many_who_seal_at_once_beside_the_traffic_make_one_chain(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 7)

    async def tell(room: Storeroom) -> None:
        done = asyncio.Event()

        async def sealer() -> None:
            one = Sealer(room.store, now=clock)
            while not done.is_set():
                await one.once()

        tasks = [asyncio.create_task(sealer()) for _ in range(3)]
        for number in range(4):
            await told(room, 1 + 10 * number, 10)
        done.set()
        await asyncio.gather(*tasks)
        await seal(room.store)

        await once_each(room.store)
        assert (await checked(room.store)).findings == []

    story(database_url, tell)


@pytest.mark.parametrize("step", ["alone", "horizon", "newest", "rows_after", "add"])
def test_who_is_killed_at_any_step_leaves_no_half_seal(
    database_url: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def tell(room: Storeroom) -> None:
        await told(room, 1, 2)
        await seal(room.store)
        await told(room, 3, 2)
        before, real = await room.count("seal"), getattr(seals, step)

        async def killed(*arguments: Any, **named: Any) -> None:
            await real(*arguments, **named)
            raise asyncio.CancelledError

        with monkeypatch.context() as patched:
            patched.setattr(seals, step, killed)
            with pytest.raises(asyncio.CancelledError):
                await Sealer(room.store, now=clock).once()
        assert await room.count("seal") == before
        await seal(room.store)

        await once_each(room.store)
        assert (await checked(room.store)).findings == []

    story(database_url, tell)


def test_a_chain_keeps_its_algorithm_whatever_the_settings_say_later(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await told(room, 1)
        await seal(room.store, algorithm="sm3")
        await told(room, 2)
        await seal(room.store, algorithm="sha256")

        algorithms = await room.scalar("SELECT string_agg(CAST(header AS json) ->> 'algorithm', ',') FROM seal")
        assert algorithms == "sm3,sm3"
        assert (await checked(room.store)).findings == []

    story(database_url, tell)


TAMPERED = {
    "an event's words": (
        "UPDATE event SET body = jsonb_set(body, '{action,reason}', '\"other\"') WHERE action = 'file'", Wrong.CHANGED),
    "an event's time": ("UPDATE event SET at = at + interval '1 hour' WHERE action = 'file'", Wrong.CHANGED),
    "who reported": (
        "UPDATE event SET body = jsonb_set(body, '{action,report,reporter}', '{}') WHERE seq = 1",
        Wrong.CHANGED),
    "an event": ("DELETE FROM event WHERE action = 'file'", Wrong.REMOVED),
    "a message's bytes": ("UPDATE message SET body = 'other' WHERE body = 'report 1'", Wrong.CHANGED),
    "a message's time": ("UPDATE message SET at = at - interval '1 second' WHERE body = 'report 1'", Wrong.CHANGED),
    "a message": ("DELETE FROM message WHERE body = 'report 1'", Wrong.REMOVED),
    "one more event": (
        "INSERT INTO event SELECT case_id, seq + 100, at, action, party, NULL, body, xact FROM event LIMIT 1",
        Wrong.SLIPPED_IN),
    "a seal": ("DELETE FROM seal WHERE no = 1", Wrong.CHAIN),
    "a seal's leaves": ("UPDATE seal SET leaves = set_byte(leaves, 3, 9) WHERE no = 2", Wrong.CHAIN),
    "a seal's header": ("UPDATE seal SET header = header || ' ' WHERE no = 1", Wrong.CHAIN),
    "a head": ("UPDATE seal SET head = repeat('0', 64) WHERE no = 2", Wrong.CHAIN),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_a_check_finds_what_was_changed_behind_the_hubs_back(database_url: str, what: str) -> None:
    statement, wrong = TAMPERED[what]

    found: list[Wrong] = []

    async def tell(room: Storeroom) -> None:
        await told(room, 1, 2)
        await seal(room.store)
        await told(room, 3, 2)
        await seal(room.store)
        assert (await checked(room.store)).findings == []
        await execute(room.store, statement)
        found.extend(one.wrong for one in (await checked(room.store)).findings)
        await execute(room.store, "TRUNCATE message, cases, event, binding, delivery")

    story(database_url, tell)

    assert wrong in found


def test_what_retention_removed_is_no_finding_and_what_somebody_removed_is(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        old = NOW - timedelta(days=200)
        room.now = old
        for number in range(3):
            await execute(room.store, NOTE, id=new_id(old), at=old)
            await room.take(with_body(reported("hotline", f"old{number}", at=old), b"old"))
        room.now = NOW
        await execute(room.store, NOTE, id=new_id(NOW), at=NOW)
        await told(room, 9)
        await seal(room.store)
        keep = Keep(debugging=timedelta(days=90), debugging_bodies=timedelta(days=30))
        await Retention(room.store, keep, run=new_id(NOW)).cut(lambda: NOW)

        after = await checked(room.store)
        assert (after.findings, after.cut) == ([], 3)
        await execute(room.store, "DELETE FROM message WHERE verdict = 'noted'")
        assert [one.wrong for one in (await checked(room.store)).findings] == [Wrong.REMOVED]

    story(database_url, tell)


def test_bytes_that_retention_removed_leave_their_digest_and_the_proof(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await told(room, 1, 2)
        await seal(room.store)
        await execute(
            room.store, "UPDATE message SET digest = encode(sha256(body), 'hex'), body = '' WHERE body = 'report 1'"
        )

        assert (await checked(room.store)).findings == []
        await execute(room.store, "UPDATE message SET digest = repeat('a', 64) WHERE digest <> ''")
        assert [one.wrong for one in (await checked(room.store)).findings] == [Wrong.CHANGED]

    story(database_url, tell)


def test_after_a_restore_into_another_server_the_chain_goes_on_and_misses_nothing(empty_database_url: str) -> None:
    asyncio.run(migrate(empty_database_url))

    async def tell(room: Storeroom) -> None:
        await told(room, 1, 2)
        await seal(room.store)
        await told(room, 3)
        for table, column in (("message", "xact"), ("event", "xact"), ("seal", "upto_xact")):  # as that server counted
            await execute(room.store, f"UPDATE {table} SET {column} = {column} + 1000000000")
        await migrate(empty_database_url)
        await migrate(empty_database_url)
        assert await room.count("sealing") == 2
        await told(room, 4)
        await keep_months(room.store, NOW + timedelta(days=400))
        room.now = NOW + timedelta(days=400)  # into a month that was made since
        await told(room, 5)
        await seal(room.store)

        await once_each(room.store)
        assert (await checked(room.store)).findings == []

    story(empty_database_url, tell)
