"""The figures of any scope are those that somebody would count who looks at each case, and at the clock."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta

import pytest

from canonical.case import Case
from canonical.lifecycle import ActionKind, Stage
from canonical.rights import EVERYTHING, Scope
from canonical.time import in_shanghai
from storage.rows import due_at
from storage.tallies import fold
from storage.tally_figures import SOON, By, Group, Numbers, numbers
from tests.routing.intake_city import LAMP, NOW, STALL, ordered, reported
from tests.storage.storeroom import Storeroom, opened, story
from tests.storage.test_tallies import STREET, live_through

K = ActionKind
SCOPES = (
    EVERYTHING, Scope("district", areas=("340202",)), Scope("street", areas=(STREET,)), Scope("unit", units=("u1",)),
    Scope("community", areas=(f"{STREET}001", "340207")), Scope("class", classes=(STALL,)),
    Scope("city", areas=("3402",)),
    Scope("classes", classes=("30428.2:E",)), Scope("system", systems=("works", "grid")),
    Scope("all kinds", areas=("340202",), classes=(STALL, LAMP), systems=("hotline",), units=("u1", "u2")),
    Scope("nothing", areas=("99",)), Scope("odd", areas=("34%",), units=("u_",)),
)  # fmt: skip


def by_hand(cases: Iterable[Case], scope: Scope, now: datetime) -> dict[str, object]:
    """Every figure, case by case."""
    told = Numbers(now)
    for case in cases:
        unit = case.assignment.unit if case.assignment else ""
        class_code, area = str(case.class_code or ""), case.place.area or ""
        if not scope.covers(area=area, class_code=class_code, systems={case.source, case.owner}, units={unit}):
            continue
        keys = {
            By.DISTRICT: area[:6] if len(area) >= 6 else "", By.STREET: area[:9] if len(area) >= 9 else "",
            By.UNIT: unit, By.SYSTEM: case.owner, By.SOURCE: case.source, By.CLASS: class_code,
        }  # fmt: skip
        for name, more in _figures(case, now):
            sets = keys if more is None else keys | more
            if name in {"ended_today", "on_time_today", "late_today"}:
                sets = more or {}
            if name == "suspended":  # not known by class
                sets = {by: key for by, key in sets.items() if by is not By.CLASS}
            for group in (told.total, *(told.groups[by][key] for by, key in sets.items())):
                setattr(group, name, getattr(group, name) + 1)
    return shown(told)


def _figures(case: Case, now: datetime) -> Iterator[tuple[str, dict[By, str] | None]]:
    due, local = due_at(case), in_shanghai(now)
    standing = {By.STAGE: str(case.stage), By.LEVEL: str(case.level or "")}
    if not case.ended:
        yield "open", standing
        if case.stage is Stage.SUSPENDED:
            yield "suspended", standing
        if due and case.disposed_at is None and due < now:
            yield "overdue", None
            if case.due and case.due.provisional:
                yield "overdue_provisional", None
        elif due and case.disposed_at is None and due <= now + SOON:
            yield "due_soon", None
    taken = in_shanghai(case.received_at)
    days = (local.date() - taken.date()).days
    if days in {0, 1}:
        name = "taken_before" if days else "taken"
        yield name, {By.CHANNEL: case.channel, By.HOUR: str(taken.hour)}
    if case.closed_at is None:
        return
    outcome = None if due is None else "on_time" if (case.disposed_at or case.closed_at) <= due else "late"
    closed = in_shanghai(case.closed_at)
    if closed.date() == local.date():
        how = {By.HOW: "on_the_spot" if case.on_the_spot else "forced" if case.forced else "closed"}
        yield "ended_today", how
        if outcome:
            yield f"{outcome}_today", how
    if (closed.year, closed.month) == (local.year, local.month):
        yield "ended", None
        if outcome:
            yield outcome, None


def shown(told: Numbers) -> dict[str, object]:
    """What can be compared: groups in which nothing is are as good as none."""
    groups = {
        by: {key: asdict(one) for key, one in found.items() if one != Group()} for by, found in told.groups.items()
    }
    return {"total": asdict(told.total), "groups": {by: found for by, found in groups.items() if found}}


async def assert_right(room: Storeroom, now: datetime) -> dict[str, object]:
    """In every scope. Gives the figures of the whole city."""
    cases = await room.casebook.find(scope=EVERYTHING, limit=500)
    for scope in SCOPES:
        expected = by_hand(cases, scope, now)
        assert shown(await numbers(room.store, scope, now)) == expected, scope.name
        assert shown(await numbers(room.store, scope, now, directly=True)) == expected, scope.name
    return by_hand(cases, EVERYTHING, now)


@pytest.mark.parametrize("seed", range(3))
def test_figures_of_any_scope_are_what_counting_by_hand_comes_to(database_url: str, seed: int) -> None:
    dice = random.Random(seed)
    seen: dict[str, int] = defaultdict(int)

    async def tell() -> None:
        async with opened(database_url) as room:
            for part in range(3):
                await live_through(room, dice, f"{part}", 5)
                dues = [
                    due
                    for case in await room.casebook.find(scope=EVERYTHING, limit=500)
                    if not case.ended and (due := due_at(case))
                ]
                hour_before = max(dues, default=room.now) - timedelta(hours=1)
                for moment in (room.now, room.now + timedelta(minutes=37), max(hour_before, room.now)):
                    whole = await assert_right(room, moment)
                    for name, count in dict(whole["total"]).items():  # type: ignore[call-overload]
                        seen[name] += count
                await fold(room.store, room.now, step=dice.choice([5, 5000]))

    asyncio.run(tell())
    assert {
        name for name in ("open", "overdue", "due_soon", "taken", "ended", "ended_today") if not seen[name]
    } == set()


@pytest.mark.parametrize("folded", [False, True])
def test_a_case_is_overdue_in_the_second_after_it_was_due(database_url: str, *, folded: bool) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1", area="340202"))
        due = due_at(await room.case())
        assert due is not None
        if folded:
            await fold(room.store, NOW)
        for moment, expected in ((-SOON, (0, 1)), (-SOON - timedelta(seconds=1), (0, 0)), (timedelta(0), (0, 1)),
                                 (timedelta(microseconds=1), (1, 0)), (timedelta(minutes=29), (1, 0)),
                                 (timedelta(hours=1), (1, 0)), (timedelta(days=40), (1, 0))):  # fmt: skip
            found = await numbers(room.store, EVERYTHING, due + moment)
            assert (found.total.overdue, found.total.due_soon) == expected, moment

        await room.take(ordered((await room.case()).no, K.DISPOSE, result="好"))
        assert (await numbers(room.store, EVERYTHING, due + timedelta(days=1))).total.overdue == 0

    story(database_url, tell)


def test_today_begins_at_midnight_in_shanghai(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        midnight = NOW.replace(hour=0, minute=0)
        room.now = midnight - timedelta(seconds=1)
        await room.take(reported("hotline", "1", at=room.now))
        room.now = midnight
        await room.take(reported("hotline", "2", at=room.now), reported("hotline", "3", at=room.now))

        found = await numbers(room.store, EVERYTHING, NOW)

        assert (found.total.taken, found.total.taken_before) == (2, 1)
        assert {hour: one.taken for hour, one in found.groups[By.HOUR].items()} == {"0": 2, "23": 0}

    story(database_url, tell)
