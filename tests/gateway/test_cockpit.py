"""The cockpit at the API: real pushes, real accounts, and what each may see of the figures."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from canonical.lifecycle import ENDED, Stage, Step
from canonical.organisation import Level
from canonical.rights import EVERYTHING, Role, Scope
from canonical.time import in_shanghai
from gateway.cockpit.figures import Kept, figures, shown
from gateway.cockpit.ranking import Rank, Sort
from gateway.cockpit.words import LOOP_TITLES, STANDS_IN, STEP_TITLES_EN
from storage.tally_figures import By, numbers
from tests.gateway.people_desk import Desk, desk
from tests.gateway.pushes import grid, hotline, record, ticket
from tests.gateway.running import HubUnderTest, until

__all__ = ["desk"]
SUM = ("open", "overdue", "due_soon", "taken", "ended", "on_time", "late")


@pytest.fixture
def city(hub: HubUnderTest) -> HubUnderTest:
    """Seven cases of the hotline, one of the grid platform, one of them closed by force."""
    for number in range(7):
        areas = {"rqstAddress": "鸠江区某路", "rqstAreaCode": "340207"} if number > 4 else {}
        assert hotline(ticket(str(number), **areas)).to(hub).json()["custom"]["code"] == "1"
    assert grid(record("8")).to(hub).json()["Ret"] == 0
    hub.act(hub.cases(source="hotline_12345")[0]["no"], kind="force_close", by="li", reason="误报", result="已到场")
    return hub


def test_the_figures_are_those_of_the_cases(city: HubUnderTest) -> None:
    told, cases = city.get("/api/cockpit"), city.cases()
    open_ = [case for case in cases if Stage(case["stage"]) not in ENDED]

    assert told["open"] == len(open_) == sum(step["open"] or 0 for step in told["funnel"])
    assert {one["stage"]: one["open"] for step in told["funnel"] for one in step["stages"] if one["open"]} == {
        stage: sum(case["stage"] == stage for case in open_) for stage in {case["stage"] for case in open_}
    }
    assert sum(one["open"] for one in told["loops"]) == len(open_)
    assert told["intake"]["today"] == len(cases) == sum(one["today"] or 0 for one in told["intake"]["hours"])
    sources = {one["code"]: (one["title"], one["today"]) for one in told["intake"]["sources"]}
    assert sources["hotline_12345"] == (city.configuration.systems["hotline_12345"].system.role.title, 7)
    assert {one["title"]: one["today"] for one in told["intake"]["channels"]}["电话"] == 7
    assert (told["today"]["ended"], told["month"]["ended"]) == (1, 1)
    assert [(one["code"], one["ended"]) for one in told["today"]["how"]] == [
        ("closed", 0), ("forced", 1), ("on_the_spot", 0),
    ]  # fmt: skip
    assert {one["step"]: one["today"] for one in told["funnel"]} == {
        step.name.lower(): {Step.COLLECT: len(cases), Step.CLOSE: 1}.get(step) for step in Step
    }
    assert [one["title"] for one in told["rankings"]["district"]] == ["镜湖区", "鸠江区"]


def test_what_was_done_a_moment_ago_is_seen(city: HubUnderTest) -> None:
    before = city.get("/api/cockpit")["open"]
    number = city.cases(source="hotline_12345")[1]["no"]

    city.act(number, kind="force_close", by="li", reason="误报", result="已到场")

    until(lambda: city.get("/api/cockpit")["open"] == before - 1, what="the figure to follow")


def test_each_account_sees_the_figures_of_its_part(city: HubUnderTest, desk: Desk) -> None:
    whole = city.get("/api/cockpit")
    east = desk.person("east", Role.DISTRICT_CENTRE, areas=["340207"]).get("/api/cockpit").json()
    lamps = desk.person("lamps", Role.UNIT, units=["3402-lighting"]).get("/api/cockpit").json()

    districts = {one["code"]: one["open"] for one in whole["rankings"]["district"]}
    units = {one["code"]: one["open"] for one in whole["rankings"]["unit"]}
    assert (east["open"], east["intake"]["today"]) == (districts["340207"], 2)
    assert [one["code"] for one in east["rankings"]["district"]] == ["340207"]
    assert lamps["open"] == units["3402-lighting"] > 0
    assert {one["code"] for one in lamps["rankings"]["unit"]} == {"3402-lighting"}


def test_who_keeps_the_accounts_and_who_is_nobody_see_no_figure(city: HubUnderTest, desk: Desk) -> None:
    keeper = desk.person("keeper", Role.ADMINISTRATOR)

    for path in ("/api/cockpit", "/api/cockpit/ranking?by=unit"):
        assert keeper.get(path).status_code == 403
        assert city.client.get(path).status_code == 401


@pytest.mark.parametrize("by", Rank)
def test_a_ranking_adds_up_to_the_whole_in_any_order_and_in_pages(city: HubUnderTest, by: Rank) -> None:
    for sort in Sort:
        rows = city.get("/api/cockpit/ranking", by=by, sort=sort)["items"]
        values = [row[sort] for row in rows]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=True) == values[: len(known)]
        risen = city.get("/api/cockpit/ranking", by=by, sort=sort, rising=True)["items"]
        assert [row[sort] for row in risen if row[sort] is not None] == sorted(known)

        paged, after = [], ""
        while True:
            page = city.get("/api/cockpit/ranking", by=by, sort=sort, limit=1, after=after)
            paged += page["items"]
            after = page["next"]
            if after is None:
                break
        assert paged == rows
    told = city.get("/api/cockpit")
    if by in {Rank.SOURCE, Rank.CLASS}:
        assert sum(row["open"] for row in rows) == told["open"]
    assert all(set(SUM) < set(row) for row in rows)


REFUSED: tuple[dict[str, Any], ...] = (
    {}, {"by": "planet"}, {"by": "unit", "sort": "luck"}, {"by": "unit", "limit": 0}, {"by": "unit", "limit": 501},
    {"by": "unit", "after": "nobody"}, {"by": "unit", "after": "\0"}, {"by": "unit", "after": "x" * 201},
    {"by": "unit", "rising": "perhaps"},
)  # fmt: skip


@pytest.mark.parametrize("asked", REFUSED, ids=str)
def test_a_slip_is_refused_with_words(hub: HubUnderTest, asked: dict[str, Any]) -> None:
    answer = hub.client.get("/api/cockpit/ranking", params=asked, headers=hub.centre)

    assert answer.status_code == 422
    assert set(answer.json()["error"]) == {"code", "text", "hint"}


def test_a_city_without_cases_has_figures_too(hub: HubUnderTest) -> None:
    told = hub.get("/api/cockpit")

    assert (told["open"], told["overdue"], told["month"]["on_time_share"]) == (0, 0, None)
    assert len(told["intake"]["hours"]) == 24
    assert hub.get("/api/cockpit/ranking", by="unit") == {"at": told["at"], "items": [], "next": None}


def test_figures_are_made_once_for_all_who_see_the_same(hub: HubUnderTest) -> None:
    async def tell() -> None:
        wired = hub.wired()
        kept = Kept(wired)
        try:
            one, other = Scope("one", areas=("340202",)), Scope("other", areas=("340202",), texts=True)
            told = await asyncio.gather(*(kept.numbers(scope) for scope in (one, other, one, EVERYTHING)))
            assert told[0] is told[1] is told[2]
            assert told[3] is not told[0]
        finally:
            await wired.store.close()

    asyncio.run(tell())


def test_others_can_have_the_same_figures(city: HubUnderTest) -> None:
    async def tell() -> tuple[dict[str, Any], dict[str, Any]]:
        wired = city.wired()
        try:
            now = wired.now()
            counted = await numbers(wired.store, EVERYTHING, now, directly=True)
            return await figures(wired, EVERYTHING, now), shown(counted, wired.configuration.city)
        finally:
            await wired.store.close()

    told, counted = asyncio.run(tell())
    assert told == counted
    assert told["open"] > 0


def test_an_hour_that_has_not_come_has_no_figure(hub: HubUnderTest) -> None:
    told: dict[str, Any] = httpx.get(f"{hub.url}/api/cockpit", headers=hub.centre).json()
    hour = in_shanghai(datetime.fromisoformat(told["at"])).hour

    assert [one["hour"] for one in told["intake"]["hours"] if one["today"] is None] == list(range(hour + 1, 24))
    assert datetime.fromisoformat(told["at"]).utcoffset() == timedelta(hours=8)


def test_each_open_stage_stands_in_one_step_and_each_loop_has_a_name() -> None:
    stands = [stage for stages in STANDS_IN.values() for stage in stages]

    assert sorted(stands) == sorted(set(Stage) - ENDED)
    assert set(STANDS_IN) == set(STEP_TITLES_EN) == set(Step)
    assert set(LOOP_TITLES) == set(Level)
    assert {by.value for by in Rank} < {by.value for by in By}
