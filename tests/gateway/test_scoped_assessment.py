"""Figures, facts, briefings and statements of a part of the city: what plain Python makes of its facts, and no number
of a case that may not be seen.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from assessment.facts import folded
from assessment.period import period_of
from assessment.sheet import Assessed, Sheet
from canonical.action import Actor
from canonical.errors import Unacceptable
from canonical.fact import Fact
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.place import Place
from canonical.rights import EVERYTHING, Scope
from canonical.time import SHANGHAI
from gateway.assessment.api import difference_view, edition_view, fact_view, figure_view
from gateway.assessment.closing import close, difference
from gateway.assessment.sheets import made, of_edition, of_today, sheet_of
from gateway.assessment.tracing import Where, behind, traced
from gateway.configuration import Configuration
from gateway.refusal import Refusal
from gateway.report.formats import Format, Report, written_as
from gateway.report.reports import Asked, assessment_report, briefing_report, unit_report
from storage.assessment_editions import listed
from storage.facts import Facts, add
from storage.partitions import keep_months
from storage.store import Store
from tests.assessment.month import CLASSES, GRIDS, SOURCES, SYSTEMS, UNITS, Story, desk, go_on, month, save
from tests.databases import Databases

MONTH, WEEK = "2026-10", "2026-W42"
END = period_of(MONTH).last
NOW = END + timedelta(days=2)
NUMBER = re.compile(r"3402\d{16}")


@dataclass(frozen=True)
class City:
    """A month that was closed, corrected when cases had moved to other districts, and what is known of it."""

    url: str
    configuration: Configuration
    stories: dict[str, Story]
    before: list[Fact]
    """What the first edition knew."""
    facts: list[Fact]

    @property
    def numbers(self) -> dict[UUID, str]:
        """Of each case, by its id."""
        return {one.case.id: no for no, one in self.stories.items()}

    def sees(self, scope: Scope, number: str) -> bool:
        """By plain Python: whether the case is in the scope as it stands."""
        case = self.stories[number].case
        return scope.covers(
            area=case.place.area, class_code=str(case.class_code) if case.class_code else None,
            systems=(case.source, case.owner), units=[one.unit for one in case.assignments],
        )  # fmt: skip


@pytest.fixture(scope="module")
def city(databases: Databases, configuration: Configuration) -> Iterator[City]:
    name = databases.lend()
    url = databases.server.url_of(name)
    yield asyncio.run(_told(url, configuration))
    databases.take_back(name)


async def _told(url: str, configuration: Configuration) -> City:
    store = Store(url)
    for number in (9, 10, 11):
        await keep_months(store, datetime(2026, number, 2, tzinfo=SHANGHAI))
    stories = {one.case.no: one for one in month(41, 150, joint=True)}
    await save(store, list(stories.values()))
    await close(store, configuration, MONTH, by="op-1", reason="", now=lambda: NOW)
    before = _folded(stories.values())
    moved = [one for one in stories.values() if one.case.place.grid and one.case.stage is not Stage.MERGED][::6]
    for one in moved:
        stories[one.case.no] = await _moved(store, one)
    for one in [one for one in stories.values() if one.case.stage is Stage.CLOSED and not one.case.appealing][:9]:
        stories[one.case.no] = await _exempted(store, one)
    await close(store, configuration, MONTH, by="op-1", reason=f"{moved[0].case.no} 等", now=lambda: NOW)
    await store.close()
    return City(url, configuration, stories, before, _folded(stories.values()))


def _folded(stories: Iterable[Story]) -> list[Fact]:
    return [fact for one in stories for fact in folded(one.case.no, one.events)]


async def _moved(store: Store, story: Story) -> Story:
    """It lies in another district, as is found out after the month."""
    grid = next(one for one in GRIDS if one[:6] != (story.case.place.area or "")[:6])
    action = desk(
        ActionKind.REATTRIBUTE, NOW, place=Place(area=grid[:12], grid=grid),
        actor=Actor(party=Party.HUB, id="grids"),
    )  # fmt: skip
    event = story.case.does(action)
    return Story(await go_on(store, story.case, event), [*story.events, event])


async def _exempted(store: Store, story: Story) -> Story:
    for kind in (ActionKind.APPEAL, ActionKind.UPHOLD):
        event = story.case.does(desk(kind, NOW))
        story = Story(await go_on(store, story.case, event), [*story.events, event])
    return story


def _scopes(seed: int, number: int) -> list[Scope]:
    dice = random.Random(seed)

    def some(of: Sequence[str], chance: float) -> tuple[str, ...]:
        return tuple(dice.sample(of, dice.randrange(1, 3))) if dice.random() < chance else ()

    areas = [grid[:length] for grid in GRIDS for length in (6, 9, 12)] + ["34020_", "3402%"]
    classes = [code[:length] for code in CLASSES for length in (9, len(code))]
    found: list[Scope] = []
    while len(found) < number:
        scope = Scope(
            f"s{len(found)}", areas=some(areas, 0.6), classes=some(classes, 0.25),
            systems=some([*SOURCES, *filter(None, SYSTEMS)], 0.3), units=some(UNITS, 0.3),
        )  # fmt: skip
        found += [] if scope.whole else [scope]
    return found


SCOPES = [
    Scope("district", areas=("340202",)), Scope("street", areas=("340207003",)),
    Scope("unit", units=("3402-lighting",)), Scope("nowhere", areas=("340299",)), *_scopes(7, 5),
]  # fmt: skip
named = pytest.mark.parametrize("scope", SCOPES, ids=lambda one: one.name)


def _filtered(facts: Sequence[Fact], scope: Scope) -> list[Fact]:
    return [
        one for one in facts
        if scope.covers(
            area=one.area, class_code=one.class_code, systems=(one.source, one.system), units=(one.unit,),
        )
    ]  # fmt: skip


def _ranked(sheet: Sheet) -> list[Assessed]:
    """As everybody is ranked, but for who is alone in a group."""
    groups = [row.group for row in sheet.rows]
    return [row if groups.count(row.group) > 1 else replace(row, rank=None) for row in sheet.rows]


class _Undone(Exception):
    """Ends a transaction that leaves nothing behind."""


@named
def test_a_sheet_of_a_scope_is_the_sheet_of_its_facts(city: City, scope: Scope) -> None:
    """Of today and of a closed month; the second method throws away all other facts, and counts everything."""

    async def both(by: str) -> tuple[Sheet, Sheet]:
        store = Store(city.url)
        span, found = period_of(MONTH), []
        try:
            async with store.transaction() as transaction:
                connection = transaction.connection
                asked = await of_today(connection, city.configuration, span, by, now=NOW, scope=scope)
                found.append(await made(connection, city.configuration, asked))
                await connection.execute(text("DELETE FROM fact"))
                await add(connection, asked.extent.run, _filtered(city.facts, scope))
                whole = replace(asked, extent=replace(asked.extent, scope=EVERYTHING))
                found.append(await made(connection, city.configuration, whole))
                raise _Undone
        except _Undone:
            await store.close()
        return found[0], found[1]

    for by in ("unit", "district", "collector"):
        ours, second = asyncio.run(both(by))
        assert ours.rows == _ranked(second), by
        assert ours.total == second.total
        assert "只统计可见范围内" in " ".join(ours.notes)


@named
def test_a_closed_edition_is_counted_from_its_own_facts(city: City, scope: Scope) -> None:
    """The first edition does not know that cases moved, or were exempted, later."""

    async def counted(edition: int, facts: Sequence[Fact]) -> tuple[Sheet, Sheet]:
        store = Store(city.url)
        found = []
        sheet = await sheet_of(store, city.configuration, MONTH, "unit", edition=edition, now=NOW, scope=scope)
        try:
            async with store.transaction() as transaction:
                connection = transaction.connection
                asked = await of_edition(connection, period_of(MONTH), "unit", edition, scope=EVERYTHING)
                await connection.execute(text("DELETE FROM fact"))
                await add(connection, asked.extent.run, _filtered(facts, scope))
                found.append(await made(connection, city.configuration, asked))
                raise _Undone
        except _Undone:
            await store.close()
        return sheet, found[0]

    for edition, facts in ((1, city.before), (2, city.facts)):
        ours, second = asyncio.run(counted(edition, facts))
        assert (ours.edition, ours.rows, ours.total) == (edition, _ranked(second), second.total)


@named
def test_no_door_of_assessment_names_a_case_outside_the_scope(city: City, scope: Scope) -> None:
    told = asyncio.run(_all_told(city, scope))
    for name, said in told.items():
        numbers = set(NUMBER.findall(said))
        assert {one for one in numbers if not city.sees(scope, one)} == set(), name


async def _all_told(city: City, scope: Scope) -> dict[str, str]:
    """Everything that can be asked, as it is answered."""
    hub = _Desk(Store(city.url), city.configuration)
    found = {}
    for column in ("in_time_dispose_rate", "report", "exempted"):
        where = Where(MONTH, "unit", "*", column)
        figure = await traced(hub.store, city.configuration, where, now=NOW, scope=scope)
        found[column] = str(figure_view(figure))
        for part in figure.parts:
            facts = await _facts(hub, where, part.counter.id, scope)
            assert len(facts) == part.value, (column, part.counter.id)
            found[f"{column} {part.counter.id}"] = str([fact_view(one) for one in facts])
    compared = await difference(hub.store, city.configuration, MONTH, scope=scope)
    found["difference"] = str(difference_view(compared, scope))
    for name, making in {
        "assessment": lambda: assessment_report(hub, Asked(MONTH), scope=scope),
        "briefing": lambda: briefing_report(hub, week=WEEK, scope=scope),
        **{unit: _of_unit(hub, unit, scope) for unit in UNITS},
    }.items():
        try:
            report: Report = await making()
        except (Refusal, Unacceptable) as error:
            found[name] = str(error)
            continue
        for form in (Format.JSON, Format.CSV, Format.HTML):
            found[f"{name} {form}"] = written_as(report, form).decode()
    for number in list(city.stories)[::4]:
        facts = await Facts(hub.store, folded).of_case(number, scope=scope)
        assert bool(facts) == city.sees(scope, number), number
    await hub.store.close()
    return found


def test_what_left_the_scope_is_counted_there_and_has_no_number(city: City) -> None:
    """What the district had, it had; where the case went is no affair of its."""
    scope = SCOPES[0]

    async def asked() -> tuple[list[Fact], list[str]]:
        hub = _Desk(Store(city.url), city.configuration)
        facts = await _facts(hub, Where(MONTH, "unit", "*", "need_dispose"), "need_dispose", scope)
        reasons = [str(edition_view(one, scope)["reason"]) for one in await listed(hub.store, MONTH)]
        await hub.store.close()
        return facts, reasons

    facts, reasons = asyncio.run(asked())
    gone = [one for one in facts if not one.case_no]
    assert gone
    assert {city.numbers[one.case_id] for one in gone} <= {no for no in city.stories if not city.sees(scope, no)}
    assert all(fact_view(one)["case"] is None for one in gone)
    assert reasons == ["None", "None"]


@dataclass(frozen=True)
class _Desk:
    store: Store
    configuration: Configuration

    def now(self) -> datetime:
        return NOW


def _of_unit(hub: _Desk, unit: str, scope: Scope) -> Callable[[], Awaitable[Report]]:
    return lambda: unit_report(hub, unit, MONTH, scope=scope)


async def _facts(hub: _Desk, where: Where, counter: str, scope: Scope) -> list[Fact]:
    found: list[Fact] = []
    after = ""
    while True:
        page = await behind(
            hub.store, hub.configuration, where, counter=counter, after=after, limit=60, now=NOW, scope=scope
        )
        found += page.facts
        if page.following is None:
            return found
        after = page.following
