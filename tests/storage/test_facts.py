"""Facts follow the events: whatever is committed late, killed in the middle, done by several, or done again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import text

from assessment.facts import folded
from canonical.case import Event
from canonical.fact import Fact
from canonical.lifecycle import ActionKind, Stage
from canonical.records import Changes
from storage.facts import Facts
from storage.retention import Retention
from storage.retention_rules import Keep
from storage.store import Store
from tests.assessment.month import BEGIN, Story, desk, go_on, month, save

NOW = BEGIN + timedelta(days=60)


def story(url: str, tell: Callable[[Store], Awaitable[None]]) -> None:
    """One test on a store of its own."""

    async def run() -> None:
        store = Store(url)
        try:
            await tell(store)
        finally:
            await store.close()

    asyncio.run(run())


async def _updated(store: Store, stories: list[Story]) -> tuple[list[Story], Facts]:
    """These stories saved, and whoever keeps their facts after its first update."""
    await save(store, stories)
    keeper = Facts(store, folded)
    await keeper.update(lambda: NOW)
    return stories, keeper


async def _known(store: Store, run: int | None = None) -> list[tuple[object, ...]]:
    """What holds after a run, or today."""
    names = "case_no, seq, what, unit, as_at, at, due_at, done_at, stage, result"
    where = "since_run <= :run AND until_run > :run"
    async with store.transaction() as transaction:
        rows = await transaction.connection.execute(
            text(f"SELECT {names} FROM fact WHERE {where} ORDER BY 1, 2, 3, 4, 5"), {"run": run or 2**31 - 2}
        )
        return [tuple(row) for row in rows]


def _folded(stories: Sequence[Story]) -> list[tuple[object, ...]]:
    found = [fact for one in stories for fact in folded(one.case.no, one.events)]
    rows = [(f.case_no, f.seq, f.what, f.unit, f.as_at, f.at, f.due_at, f.done_at, f.stage, f.result) for f in found]
    return sorted(rows, key=lambda row: row[:5])


def test_facts_are_those_of_the_events_and_a_second_update_writes_none(database_url: str) -> None:
    async def tell(store: Store) -> None:
        stories = month(3, 60)
        await save(store, stories)
        keeper = Facts(store, folded)
        first = await keeper.update(lambda: NOW)
        assert (first.cases, first.facts) == (60, len(await _known(store)))
        assert await _known(store) == _folded(stories)
        again = await keeper.update(lambda: NOW)
        assert (again.number, again.cases, again.facts) == (2, 0, 0)
        assert (await keeper.update(lambda: NOW, whole=True)).facts == 0

    story(database_url, tell)


def test_only_cases_that_moved_are_folded_and_what_was_before_stays_known_by_its_run(database_url: str) -> None:
    async def tell(store: Store) -> None:
        stories = month(4, 40)
        await save(store, stories)
        seen: list[str] = []

        def fold(no: str, events: Sequence[Event], _ends: Iterable[datetime]) -> list[Fact]:
            seen.append(no)
            return folded(no, events)

        keeper = Facts(store, fold)
        await keeper.update(lambda: NOW)
        async with store.transaction() as transaction:  # a closed edition rests on it
            await transaction.connection.execute(text(_EDITION))
        before = await _known(store)
        seen.clear()
        moved = next(one for one in stories if one.case.stage is Stage.DISPOSED)
        await go_on(store, moved.case, moved.case.does(desk(ActionKind.CHECK, NOW)))
        run = await keeper.update(lambda: NOW)

        assert seen == [moved.case.no]
        assert run.cases == 1
        assert await _known(store, 1) == before
        changed = {row[0] for row in set(await _known(store)) ^ set(before)}
        assert changed == {moved.case.no}

    story(database_url, tell)


_EDITION = """
INSERT INTO assessment_edition VALUES ('2026-10', 1, 1, 'r', '{}', now(), now(), now(), now(), 'op-1', '', 'digest')
"""


def test_what_was_replaced_and_no_closed_edition_rests_on_is_not_kept(database_url: str) -> None:
    async def tell(store: Store) -> None:
        stories, keeper = await _updated(store, month(4, 40))
        moved = next(one for one in stories if one.case.stage is Stage.DISPOSED)
        await go_on(store, moved.case, moved.case.does(desk(ActionKind.CHECK, NOW)))
        await keeper.update(lambda: NOW)
        async with store.transaction() as transaction:
            count = text("SELECT count(*) FROM fact WHERE until_run < 2147483647")
            assert (await transaction.connection.execute(count)).scalar_one() == 0

    story(database_url, tell)


def test_a_case_whose_transaction_is_still_open_while_a_run_begins_is_taken_by_the_next(database_url: str) -> None:
    async def tell(store: Store) -> None:
        early, late = month(5, 2)
        keeper = Facts(store, folded)
        async with store.batch() as open_:
            await open_.save(Changes(new_cases={late.case.id: late.case}, events=list(late.events)), BEGIN)
            await save(store, [early])
            await keeper.update(lambda: NOW)
            assert {row[0] for row in await _known(store)} == {early.case.no}
        # Younger transactions were through before: their number alone would hide the older one.
        assert (await keeper.update(lambda: NOW)).cases >= 1
        assert {row[0] for row in await _known(store)} == {early.case.no, late.case.no}

    story(database_url, tell)


def test_several_processes_share_a_run_and_no_case_is_made_twice(database_url: str) -> None:
    async def tell(store: Store) -> None:
        stories = month(6, 120)
        await save(store, stories)
        seen: list[str] = []

        def fold(no: str, events: Sequence[Event], _ends: Iterable[datetime]) -> list[Fact]:
            seen.append(no)
            return folded(no, events)

        others = [Store(database_url) for _ in range(3)]
        runs = await asyncio.gather(*(Facts(one, fold).update(lambda: NOW, batch=7) for one in others))
        for one in others:
            await one.close()
        assert sorted(seen) == sorted(one.case.no for one in stories)
        assert {run.finished_at for run in runs} == {NOW}
        assert await _known(store) == _folded(stories)

    story(database_url, tell)


def test_a_run_that_was_killed_in_the_middle_is_ended_by_the_next_process(database_url: str) -> None:
    async def tell(store: Store) -> None:
        stories = month(7, 50)
        await save(store, stories)
        killed = Facts(store, folded)
        await killed.open(NOW)
        await killed.batch(10)
        try:
            async with asyncio.timeout(0.01):  # its transaction is broken off wherever it stands
                await killed.batch(40)
        except TimeoutError:
            pass
        run = await Facts(store, folded).update(lambda: NOW)
        assert (run.number, run.cases) == (1, 50)
        assert await _known(store) == _folded(stories)

    story(database_url, tell)


def test_a_history_that_cannot_be_folded_is_named_and_keeps_nobody_else_from_it(database_url: str) -> None:
    async def tell(store: Store) -> None:
        stories = month(8, 20)
        await save(store, stories)
        broken = stories[3].case.no

        def fold(no: str, events: Sequence[Event], _ends: Iterable[datetime]) -> list[Fact]:
            if no == broken:
                raise ValueError
            return folded(no, events)

        run = await Facts(store, fold).update(lambda: NOW)
        assert run.trouble == broken
        assert await _known(store) == _folded([one for one in stories if one.case.no != broken])

    story(database_url, tell)


def test_facts_of_a_case_that_retention_has_cut_stay_as_they_were(database_url: str) -> None:
    """A closed figure is led back to them, also when its cases are gone and everything else is folded anew."""

    async def tell(store: Store) -> None:
        stories, keeper = await _updated(store, month(9, 60))
        before = await _known(store)
        ended = {one.case.no for one in stories if one.case.ended}
        later = NOW + timedelta(days=800)
        while await Retention(store, Keep(evidence=timedelta(days=400)), run=uuid4()).cut(lambda: later):
            pass
        async with store.transaction() as transaction:
            left = set((await transaction.connection.execute(text("SELECT no FROM cases"))).scalars())
        assert left
        assert ended - left

        run = await keeper.update(lambda: later, whole=True)
        assert (run.cases, run.trouble, run.facts) == (len(left), "", 0)
        assert await _known(store) == before

    story(database_url, tell)
