"""Lists of cases: every filter and order gives, page by page, what plain Python picks out of all of them."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from canonical.case import Case
from canonical.lifecycle import ActionKind
from canonical.organisation import Level
from canonical.rights import EVERYTHING, Scope
from storage.case_list import CaseList, Order, Wanted, WrongPage
from storage.rows import due_at
from tests.routing.intake_city import LAWSUIT, NOISE, NOW, STALL, TREE, ordered, reported
from tests.storage.storeroom import Storeroom, story

HOUR = timedelta(hours=1)
CASES = 40


@dataclass(frozen=True)
class Asked:
    """A question, and the same in Python."""

    wanted: Wanted
    fits: Callable[[Case], bool]


def _undone(case: Case, before: datetime | None = None) -> bool:
    due = due_at(case)
    return due is not None and not case.ended and case.disposed_at is None and (before is None or due < before)


SOON = NOW + 30 * HOUR
ASKED = [
    Asked(Wanted(), lambda _: True),
    Asked(Wanted(stage="dispatched"), lambda case: case.stage == "dispatched"),
    Asked(Wanted(queue="no_owner"), lambda case: case.queue == "no_owner"),
    Asked(Wanted(source="grid"), lambda case: case.source == "grid"),
    Asked(Wanted(owner="works"), lambda case: case.owner == "works"),
    Asked(Wanted(class_code="30428.2:E04-06"), lambda case: str(case.class_code) == STALL),
    Asked(Wanted(class_code="30428.2:E"), lambda case: case.class_code is not None),
    Asked(Wanted(class_code="%"), lambda _: False),
    Asked(Wanted(area="340202"), lambda case: case.place.area == "340202"),
    Asked(Wanted(area="3402"), lambda case: case.place.area is not None),
    Asked(Wanted(unit="u1"), lambda case: bool(case.assignments) and case.assignments[-1].unit == "u1"),
    Asked(Wanted(level=Level.DISTRICT), lambda case: case.level is Level.DISTRICT),
    Asked(Wanted(received_from=NOW + 3 * HOUR), lambda case: case.received_at >= NOW + 3 * HOUR),
    Asked(Wanted(received_until=NOW + 3 * HOUR), lambda case: case.received_at < NOW + 3 * HOUR),
    Asked(Wanted(due_before=SOON), lambda case: _undone(case, SOON)),
    Asked(
        Wanted(source="hotline", area="340202", due_before=SOON),
        lambda case: case.source == "hotline" and case.place.area == "340202" and _undone(case, SOON),
    ),
]
SCOPES = {
    "everything": (EVERYTHING, lambda _: True),
    "a district": (Scope("d", areas=("340207",)), lambda case: case.place.area == "340207"),
    "a unit": (Scope("u", units=("u2",)), lambda case: any(one.unit == "u2" for one in case.assignments)),
}
ORDERS: dict[Order, tuple[Callable[[Case], Any], bool, Callable[[Case], bool]]] = {
    Order.NO: (lambda case: case.no, False, lambda _: True),
    Order.NEWEST: (lambda case: case.id, True, lambda _: True),
    Order.DUE: (lambda case: (due_at(case), case.id), False, _undone),
}


async def cases_of_a_day(room: Storeroom) -> list[Case]:
    """Cases of all classes, places and sources, an action on some of them."""
    chance = random.Random(7)
    for number in range(CASES):
        room.now = NOW + number * HOUR / 4
        await room.take(
            reported(
                chance.choice(("hotline", "grid")), f"{number}", at=room.now,
                class_code=chance.choice((STALL, STALL, TREE, NOISE, LAWSUIT)),
                area=chance.choice(("340202", "340207", "3402", "")),
            )
        )  # fmt: skip
    every = await room.casebook.find(scope=EVERYTHING, limit=CASES)
    for case in every:
        if case.stage == "dispatched" and chance.random() < 0.3:
            await room.take(ordered(case.no, ActionKind.DISPOSE, result="done"))
    return await room.casebook.find(scope=EVERYTHING, limit=CASES)


async def pages(lists: CaseList, wanted: Wanted, scope: Scope, order: Order) -> list[Case]:
    """All of them, seven at a time."""
    found: list[Case] = []
    after: str | None = ""
    while after is not None:
        page, after = await lists.page(wanted, scope=scope, order=order, after=after, limit=7)
        found += page
    return found


def test_each_filter_order_and_scope_gives_what_fits_once_and_in_order(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        every = await cases_of_a_day(room)
        lists = CaseList(room.store)
        met = dict.fromkeys(range(len(ASKED)), 0)
        for (number, asked), (name, (scope, sees)), (order, way) in product(
            enumerate(ASKED), SCOPES.items(), ORDERS.items()
        ):
            key, backwards, also = way
            fitting = [case for case in every if asked.fits(case) and sees(case) and also(case)]
            expected = [case.no for case in sorted(fitting, key=key, reverse=backwards)]

            assert [case.no for case in await pages(lists, asked.wanted, scope, order)] == expected, (
                asked,
                name,
                order,
            )
            met[number] += len(expected)
        assert [number for number, cases in met.items() if not cases] == [7], "a filter that nothing fits tests nothing"

    story(database_url, tell)


def test_a_page_stays_where_it_was_while_cases_come_in(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        lists = CaseList(room.store)
        for number in range(4):
            room.now = NOW + number * HOUR
            await room.take(reported("hotline", f"{number}", at=room.now))
        first, after = await lists.page(Wanted(), scope=EVERYTHING, order=Order.NEWEST, limit=2)
        room.now += HOUR
        await room.take(reported("hotline", "late", at=room.now))

        rest, end = await lists.page(Wanted(), scope=EVERYTHING, order=Order.NEWEST, after=after or "", limit=3)

        every = [case.no for case in reversed(await room.casebook.find(scope=EVERYTHING))]
        assert [case.no for case in first + rest] == every[1:]
        assert end is None

    story(database_url, tell)


@pytest.mark.parametrize(
    ("order", "after"),
    [(Order.NEWEST, "34022026"), (Order.DUE, "34022026"), (Order.DUE, "x_01980000-0000-7000-8000-000000000000"),
     (Order.DUE, "0001-01-01T00:00:00+14:00_01980000-0000-7000-8000-000000000000")],
)  # fmt: skip
def test_a_key_of_another_order_is_no_page(database_url: str, order: Order, after: str) -> None:
    async def tell(room: Storeroom) -> None:
        with pytest.raises(WrongPage):
            await CaseList(room.store).page(Wanted(), scope=EVERYTHING, order=order, after=after)

    story(database_url, tell)


def test_the_ends_of_the_calendar_are_days_like_others(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        await room.take(reported("hotline", "1"))
        first, last = (datetime.fromisoformat(at) for at in ("0001-01-01T00:00Z", "9999-12-31T23:59Z"))
        lists = CaseList(room.store)

        every, _ = await lists.page(Wanted(received_from=first, received_until=last), scope=EVERYTHING)

        assert [case.no for case in every] == [(await room.case()).no]

    story(database_url, tell)
