"""Figures as officials get them: closed, corrected, compared and traced, at the API and at the command line."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from assessment.period import period_of
from canonical.case import Case
from canonical.lifecycle import ActionKind, Stage
from canonical.records import Changes
from canonical.time import SHANGHAI
from gateway.cli.main import app
from gateway.configuration import Configuration
from gateway.work import Role
from storage.store import Store
from tests.assessment.month import Story, desk, go_on, month, save
from tests.gateway.outside import environment
from tests.gateway.running import HubUnderTest, until

PERIOD = "2026-10"
LATE = datetime(2026, 10, 31, 23, 30, tzinfo=SHANGHAI)


def _with(hub: HubUnderTest, job: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        store = Store(hub.database_url)
        try:
            await job(store)
        finally:
            await store.close()

    asyncio.run(run())


def _kept(hub: HubUnderTest, stories: Sequence[Story]) -> None:
    async def job(store: Store) -> None:
        await save(store, stories)

    _with(hub, job)


def _closed(hub: HubUnderTest, reason: str = "", period: str = PERIOD) -> Any:
    order = {"period": period, "actor": "op-9", "reason": reason}
    return hub.client.post("/api/assessment/editions", json=order, headers=hub.centre)


def _facts(hub: HubUnderTest, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = hub.get("/api/assessment/facts", limit=7, after=after, **query)
        found += page["items"]
        after = page["next"] or ""
        if not after:
            return found


def test_a_closed_month_never_changes_and_its_correction_is_an_edition_with_a_diff(hub: HubUnderTest) -> None:
    stories = month(21, 120, until=LATE)
    _kept(hub, stories)
    assert _closed(hub).status_code == 200
    first = hub.get("/api/assessment/sheet", period=PERIOD, by="unit")
    assert first["edition"] == 1

    assert datetime.fromisoformat(first["facts_at"]) > datetime.fromisoformat(first["as_of"])
    report = hub.get("/api/reports/assessment", period=PERIOD, by="unit", format="json")
    assert report == {"$schema": "urn:gridhub:assessment_sheet:1", **first}

    again = _closed(hub)
    assert (again.status_code, "reason" in again.json()["error"]["text"]) == (409, True)
    nothing = _closed(hub, reason="so wanted")
    assert (nothing.status_code, "nothing is different" in nothing.json()["error"]["text"]) == (409, True)

    story = next(one for one in stories if one.case.stage is Stage.DISPOSED and one.case.assignments)
    rework = story.case.does(desk(ActionKind.REWORK, LATE + timedelta(minutes=5)))
    _with(hub, lambda store: _going_on(store, story, rework))
    corrected = _closed(hub, reason="返工漏记")
    assert (corrected.status_code, corrected.json()["edition"]) == (200, 2)

    assert hub.get("/api/assessment/sheet", period=PERIOD, by="unit", edition=1) == first
    found = hub.get("/api/assessment/difference", period=PERIOD)
    unit = story.case.assignments[-1].unit
    [rework_of_unit] = [
        one for one in found["figures"] if (one["by"], one["id"], one["column"]) == ("unit", unit, "rework")
    ]
    assert rework_of_unit["new"] == rework_of_unit["old"] + 1
    assert rework_of_unit["cases"] == [story.case.no]
    assert found["rules_changed"] is False

    # Each edition is traced by its own facts.
    for edition, reworks in ((1, rework_of_unit["old"]), (2, rework_of_unit["new"])):
        where = {"period": PERIOD, "by": "unit", "subject": unit, "column": "rework", "edition": edition}
        assert len(_facts(hub, **where)) == reworks == hub.get("/api/assessment/figure", **where)["value"]


def _parted(stories: Sequence[Story], end: datetime) -> tuple[list[Story], list[Story]]:
    """The cases as they stood at an instant, and those of them that something happened to later, whole."""
    then, moved = [], []
    for one in stories:
        early = [event for event in one.events if event.action.at < end]
        if early:
            case = Case.opened(early[0], no=one.case.no, sequence=one.case.sequence)
            for event in early[1:]:
                case = case.after(event)
            then.append(Story(case, early))
            moved += [one] if len(early) < len(one.events) else []
    return then, moved


async def _later(store: Store, stories: Sequence[Story], end: datetime) -> None:
    """What happened to these cases at `end` and later."""
    events = [event for one in stories for event in one.events if event.action.at >= end]
    changes = Changes(changed_cases={one.case.id: one.case for one in stories}, events=events)
    async with store.batch() as batch:
        await batch.save(changes, end)


def _in(period: str, at: datetime) -> bool:
    return period_of(period).first <= at < period_of(period).last


def _appealed(one: Story, at: datetime) -> Story:
    """An appeal against it, and that it was upheld."""
    case, events = one.case, list(one.events)
    for kind in (ActionKind.APPEAL, ActionKind.UPHOLD):
        events.append(case.does(desk(kind, at)))
        case = case.after(events[-1])
    return Story(case, events)


_CORRECTING = frozenset({ActionKind.UPHOLD, ActionKind.FILE, ActionKind.SETTLE})
"""An appeal that was upheld, and by what it is known where a case lies and what it is."""


@pytest.mark.parametrize("period", [PERIOD, "2026-W42"])
def test_a_period_closed_late_is_as_it_stood_at_its_end_and_only_corrections_make_it_another(
    hub: HubUnderTest, period: str
) -> None:
    """Closed when it is over, and again when the next weeks are in: rework and closing of then do not count."""
    end = period_of(period).last
    stories = month(31, 500)
    then, moved = _parted(stories, end)
    appealed = next(
        one for one in then
        if one.case.stage is Stage.CLOSED and one not in moved and one.case.due and _in(period, one.case.due.at)
    )  # fmt: skip
    moved.append(_appealed(appealed, end + timedelta(days=2)))
    correcting = {
        one.case.no for one in moved
        if any(event.action.kind in _CORRECTING and event.action.at >= end for event in one.events)
    }  # fmt: skip
    _kept(hub, then)
    assert _closed(hub, period=period).status_code == 200

    usual = [one for one in moved if one.case.no not in correcting]
    assert len(usual) > 10
    _with(hub, lambda store: _later(store, usual, end))
    nothing = _closed(hub, period=period, reason="看看是否有变")
    assert (nothing.status_code, "nothing is different" in nothing.json()["error"]["text"]) == (409, True), nothing.text
    late = hub.get("/api/assessment/sheet", period=period, by="unit", edition=0)
    assert late["rows"] == hub.get("/api/assessment/sheet", period=period, by="unit", edition=1)["rows"]

    _with(hub, lambda store: _later(store, [one for one in moved if one.case.no in correcting], end))
    assert _closed(hub, period=period, reason="申诉成立").status_code == 200
    found = hub.get("/api/assessment/difference", period=period)["figures"]
    assert {number for one in found for number in one["cases"]} <= correcting
    [exempted] = [one["cases"] for one in found if (one["by"], one["id"], one["column"]) == ("unit", "*", "exempted")]
    assert appealed.case.no in exempted
    assert set(exempted) <= {one.case.no for one in moved if one.case.exempt}

    _typed(hub, "update", "--whole")
    again = _closed(hub, period=period, reason="重算")
    assert "nothing is different" in again.json()["error"]["text"]


async def _going_on(store: Store, story: Story, event: Any) -> None:
    await go_on(store, story.case, event)


def test_every_figure_of_a_sheet_is_made_of_the_facts_it_is_traced_to(hub: HubUnderTest) -> None:
    _kept(hub, month(22, 80, until=LATE))
    assert _closed(hub).status_code == 200

    for by, columns in {"unit": ("in_time_dispose_rate", "back", "to_dispose"), "district": ("report",)}.items():
        sheet = hub.get("/api/assessment/sheet", period=PERIOD, by=by)
        for row in [*sheet["rows"][:3], sheet["total"]]:
            for column in columns:
                where = {"period": PERIOD, "by": by, "subject": row["id"], "column": column}
                traced = hub.get("/api/assessment/figure", **where)
                assert traced["value"] == row["figures"][column]["value"]
                for part in traced["parts"]:
                    listed = _facts(hub, **where, counter=part["counter"])
                    assert len(listed) == part["value"], (row["id"], column, part["counter"])
    events = hub.get(listed[0]["case"])["events"]
    assert set(listed[0]["events"]) <= {event["seq"] for event in events}


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"period": "2026-13"}, 422, "2026-10"),
        ({"period": "2099-01"}, 422, "has not begun"),
        ({"by": "untis"}, 404, "did you mean 'unit'?"),
        ({"edition": 7}, 404, "no edition 7"),
        ({"by": "unit\0"}, 422, "U+0000"),
        ({"edition": "x"}, 422, "edition"),
    ],
)
def test_a_sheet_that_there_is_not_is_told_in_words(
    hub: HubUnderTest, query: dict[str, Any], status: int, said: str
) -> None:  # fmt: skip
    asked = {"period": PERIOD, "by": "unit"} | query
    answer = hub.client.get("/api/assessment/sheet", params=asked, headers=hub.centre)
    assert (answer.status_code, said in answer.json()["error"]["text"]) == (status, True), answer.text


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"column": "in_time_dispos"}, 404, "did you mean 'in_time_dispose'?"),
        ({"counter": "report"}, 404, "is not made of 'report'"),
        ({"after": "!!"}, 422, "`after`"),
        ({"after": "WzFd"}, 422, "`after`"),
        ({"limit": 501}, 422, "limit"),
        ({"subject": "nobody"}, 200, ""),
    ],
)
def test_a_figure_that_there_is_not_is_told_in_words(
    hub: HubUnderTest, query: dict[str, Any], status: int, said: str
) -> None:  # fmt: skip
    asked = {"period": PERIOD, "by": "unit", "column": "in_time_dispose"} | query
    answer = hub.client.get("/api/assessment/facts", params=asked, headers=hub.centre)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


def test_no_figure_is_for_people_without_the_token(hub: HubUnderTest) -> None:
    paths = ("sheet?period=2026-10", "facts?period=2026-10&column=report", "editions", "difference?period=2026-10")
    assert {hub.client.get(f"/api/assessment/{path}").status_code for path in paths} == {401}


def _typed(hub: HubUnderTest, *arguments: str) -> Any:
    return CliRunner(env=environment(hub)).invoke(app, ["assess", *arguments])


def test_the_command_line_updates_closes_compares_and_traces(hub: HubUnderTest) -> None:
    _kept(hub, month(23, 40, until=LATE))

    assert json.loads(_typed(hub, "update", "--json").stdout)["cases"] == 40
    assert json.loads(_typed(hub, "close", "-p", PERIOD, "--actor", "op-9", "--json").stdout)["edition"] == 1
    early = _typed(hub, "close", "-p", "2099-01", "--actor", "op-9")
    assert "it is closed when it is over" in str(early.exception)
    alone = _typed(hub, "diff", "-p", PERIOD)
    assert (alone.exit_code, "there is: 1" in alone.stderr) == (5, True)
    figure = _typed(hub, "figure", "dispose_rate", "-p", PERIOD, "--limit", "2")
    assert figure.exit_code == 0, figure.stderr
    assert "处置数 / 应处置数" in figure.stdout
    assert "--after" in figure.stdout
    assert _typed(hub, "figure", "dispose_rat", "-p", PERIOD).exit_code == 5


def test_a_worker_with_the_role_clock_brings_the_facts_up_to_date(hub: HubUnderTest) -> None:
    _kept(hub, month(24, 10, until=LATE))
    hub.start_worker(frozenset({Role.CLOCK}))
    until(lambda: hub.get("/api/assessment/sheet", period=PERIOD)["run"], what="the update")
    assert hub.get("/api/assessment/sheet", period=PERIOD, by="district")["total"]["figures"]["report"]["value"]


def test_figures_of_a_merged_unit_come_under_the_one_that_has_its_work_in_later_periods(
    hub: HubUnderTest, configuration: Configuration, start_hub: Callable[..., HubUnderTest]
) -> None:
    """Merged in the middle of October: not in September's sheet, whole in October's, and traced with it."""
    stories = month(25, 120, until=LATE)
    _kept(hub, stories)
    units = dict(configuration.city.responsibility.units)
    changes = {"merged_into": "3402-urban", "valid_to": date(2026, 10, 15)}
    units["3402-lighting"] = units["3402-lighting"].model_copy(update=changes)
    responsibility = replace(configuration.city.responsibility, units=units)
    merged = replace(configuration, city=replace(configuration.city, responsibility=responsibility))
    after = start_hub(loaded=merged)
    _typed(hub, "update")

    def of(which: HubUnderTest, unit: str, period: str) -> tuple[float, list[str]]:
        sheet = which.get("/api/assessment/sheet", period=period, by="unit")
        rows = [row for row in sheet["rows"] if row["id"] == unit]
        return (rows[0]["figures"]["need_dispose"]["value"], rows[0]["notes"]) if rows else (0, [])

    apart = [of(hub, unit, PERIOD)[0] for unit in ("3402-urban", "3402-lighting")]
    assert min(apart) > 0
    together, notes = of(after, "3402-urban", PERIOD)
    assert (together, of(after, "3402-lighting", PERIOD)[0]) == (sum(apart), 0)
    assert any("含并入的" in note for note in notes)
    where = {"period": PERIOD, "by": "unit", "subject": "3402-urban", "column": "need_dispose"}
    assert len(_facts(after, **where)) == together
    assert of(after, "3402-lighting", "2026-09") == of(hub, "3402-lighting", "2026-09")


def test_a_city_without_indicators_says_so(
    configuration: Configuration, start_hub: Callable[..., HubUnderTest]
) -> None:
    hub = start_hub(loaded=replace(configuration, rules=None))
    answer = hub.client.get("/api/assessment/sheet", params={"period": PERIOD}, headers=hub.centre)
    assert (answer.status_code, "no indicators" in answer.json()["error"]["text"]) == (409, True)


def test_a_rate_without_a_base_says_so_down_to_its_facts(hub: HubUnderTest) -> None:
    """Nobody gave the gas repairers a case: their rate is no figure on any page, and its parts are noughts."""
    _kept(hub, month(28, 12, until=LATE))
    _typed(hub, "update")
    where = {"period": PERIOD, "by": "unit", "subject": "3402-gas", "column": "in_time_dispose_rate"}

    traced = hub.get("/api/assessment/figure", **where)

    assert (traced["value"], traced["no_base"], traced["denominator"]) == (None, True, 0)
    assert {part["value"] for part in traced["parts"]} == {0}
    assert _facts(hub, **where) == []
    said = _typed(hub, "figure", "in_time_dispose_rate", "--by", "unit", "--of", "3402-gas", "--period", PERIOD).stdout
    assert "按期处置率 = 无基数" in said


def test_a_closed_figure_that_was_changed_in_the_database_is_not_shown_as_closed(hub: HubUnderTest) -> None:
    _kept(hub, month(26, 20, until=LATE))
    assert _closed(hub).status_code == 200

    async def changed(store: Store) -> None:
        async with store.transaction() as transaction:
            change = "UPDATE assessment_sheet SET content = replace(content, '100.0', '99.0') WHERE by = 'unit'"
            await transaction.connection.execute(text(change))

    _with(hub, changed)
    answer = hub.client.get("/api/assessment/sheet", params={"period": PERIOD}, headers=hub.centre)
    assert (answer.status_code, "its digest differs" in answer.json()["error"]["text"]) == (409, True)
    assert hub.get("/api/assessment/sheet", period=PERIOD, by="district")["edition"] == 1


def test_a_sheet_that_was_not_kept_is_counted_by_the_facts_and_rules_of_its_edition(hub: HubUnderTest) -> None:
    stories = month(27, 60, until=LATE)
    _kept(hub, stories)
    assert _closed(hub).status_code == 200
    before = hub.get("/api/assessment/sheet", period=PERIOD, by="grid")
    assert before["edition"] == 1
    assert before["rows"]

    story = next(one for one in stories if one.case.stage is Stage.DISPOSED and one.case.assignments)
    rework = story.case.does(desk(ActionKind.REWORK, LATE + timedelta(minutes=5)))
    _with(hub, lambda store: _going_on(store, story, rework))
    _typed(hub, "update")
    assert hub.get("/api/assessment/sheet", period=PERIOD, by="grid") == before
    assert hub.get("/api/assessment/sheet", period=PERIOD, by="grid", edition=0) != before
