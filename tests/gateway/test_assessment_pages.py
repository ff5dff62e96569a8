"""What the console's pages of assessment ask for: what there is, rows page by page, a figure over a year, and the way
from a figure to the message that caused it.
"""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from canonical.rights import Role
from canonical.time import SHANGHAI
from gateway.assessment.closing import close
from gateway.assessment.facts import spending
from storage.facts import Facts
from storage.partitions import keep_months
from storage.store import Store
from tests.assessment.month import UNITS, month, save
from tests.gateway.people_desk import Desk, desk
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest

__all__ = ["desk"]
PERIOD = "2026-10"
NOW = datetime(2026, 11, 3, tzinfo=SHANGHAI)


def _told(hub: HubUnderTest) -> None:
    """A month of cases, closed; the hub's doors stand in the days after."""

    async def job() -> None:
        store = Store(hub.database_url)
        for number in (9, 10, 11):
            await keep_months(store, datetime(2026, number, 2, tzinfo=SHANGHAI))
        await save(store, month(51, 120, joint=True))
        await close(store, hub.configuration, PERIOD, by="op-1", reason="", now=lambda: NOW)
        await store.close()

    asyncio.run(job())


def test_the_overview_says_what_can_be_asked_for(hub: HubUnderTest) -> None:
    _told(hub)
    made = hub.get("/api/assessment/overview")
    rules = hub.configuration.rules
    assert rules is not None

    assert [one["id"] for one in made["indicators"]] == [*rules.counters, *rules.rates]
    assert {one["title"] for one in made["indicators"]} >= {"按期处置率", "上报数"}
    [rate] = [one for one in made["indicators"] if one["id"] == "in_time_dispose_rate"]
    assert (rate["unit"], rate["counter"], rate["title_en"]) == ("percent", False, "In time dispose rate")
    assert "应处置数" in rate["formula"]
    states = {one["period"]: (one["state"], one["edition"]) for one in made["periods"]}
    assert states[PERIOD] == ("closed", 1)
    assert states["2026-09"] == ("open", 0)
    assert "2026-08" not in states
    for one in made["periods"]:  # each can be asked for
        assert hub.get("/api/assessment/sheet", period=one["period"], by="unit")["edition"] == one["edition"]
    for by in made["by"]:
        sheet = hub.get("/api/assessment/sheet", period=PERIOD, by=by["id"])
        assert {column["id"] for column in sheet["columns"]} == set(by["columns"])
        assert by["scored"] == any(row["score"] is not None for row in sheet["rows"]) or not sheet["rows"]


@pytest.mark.parametrize("sort", ["rank", "name", "-score", "in_time_dispose_rate", "-in_time_dispose_rate", "-back"])
def test_rows_come_in_any_order_page_by_page(hub: HubUnderTest, sort: str) -> None:
    _told(hub)
    whole = hub.get("/api/assessment/sheet", period=PERIOD, by="unit")
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = hub.get("/api/assessment/rows", period=PERIOD, by="unit", sort=sort, after=after, limit=2)
        assert (page["found"], page["sheet"]["total"]) == (len(whole["rows"]), whole["total"])
        found += page["items"]
        after = page["next"] or ""
        if not after:
            break

    name = sort.removeprefix("-")

    def value(row: dict[str, Any]) -> Any:
        return row[name] if name in row else row["figures"][name]["value"]

    assert sorted(found, key=lambda row: row["id"]) == sorted(whole["rows"], key=lambda row: row["id"])
    if sort == "rank":
        assert found == whole["rows"]
        return
    values = [value(row) for row in found if value(row) is not None]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert [value(row) for row in found[len(values) :]] == [None] * (len(found) - len(values))


def test_rows_are_looked_through_and_what_cannot_be_sorted_by_is_told(hub: HubUnderTest) -> None:
    _told(hub)
    query = {"period": PERIOD, "by": "unit"}

    assert {row["id"] for row in hub.get("/api/assessment/rows", text="路灯", **query)["items"]} == {"3402-lighting"}
    for wrong, said in (
        ({"sort": "in_time_disposal_rate"}, "in_time_dispose_rate"),
        ({"after": "nobody"}, "begin anew"),
    ):
        answer = hub.client.get("/api/assessment/rows", params=query | wrong, headers=hub.centre)
        assert (answer.status_code, said in answer.json()["error"]["text"]) == (422, True), answer.text


def test_a_figure_is_told_over_the_periods_before(hub: HubUnderTest) -> None:
    _told(hub)
    where = {"by": "unit", "subject": UNITS[0], "column": "in_time_dispose_rate"}
    made = hub.get("/api/assessment/trend", period=PERIOD, periods=12, **where)

    assert [one["period"] for one in made["items"]] == [f"2025-{n}" for n in (11, 12)] + [
        f"2026-{n:02}" for n in range(1, 11)
    ]
    for one in made["items"]:
        figure = hub.get("/api/assessment/figure", period=one["period"], **where)
        assert {name: one[name] for name in ("value", "numerator", "denominator", "edition", "run")} == {
            name: figure[name] for name in ("value", "numerator", "denominator", "edition", "run")
        }
    assert made["items"][-1]["edition"] == 1
    assert made["items"][-1]["value"] is not None
    assert (made["items"][0]["no_base"], made["items"][0]["known"]) == (True, True)
    weeks = hub.get("/api/assessment/trend", period="2026-W42", periods=3, **where)
    assert [one["period"] for one in weeks["items"]] == ["2026-W40", "2026-W41", "2026-W42"]


def test_from_a_figure_to_the_bytes_of_a_message_each_step_names_the_next(hub: HubUnderTest) -> None:
    assert hotline(ticket("1")).to(hub).json()["custom"]["code"] == "1"
    asyncio.run(_updated(hub))
    today = datetime.now(SHANGHAI).strftime("%Y-%m-%d")

    where = {"period": today, "by": "source", "subject": "hotline_12345"}
    rows = hub.get("/api/assessment/rows", period=today, by="source")
    [row] = rows["items"]
    assert row["id"] == where["subject"]
    [part] = hub.get("/api/assessment/figure", column="report", **where)["parts"]
    assert part["value"] == row["figures"]["report"]["value"] == 1
    [fact] = hub.get("/api/assessment/facts", column="report", counter=part["counter"], **where)["items"]
    journey = hub.get(fact["case"])
    [event] = [one for one in journey["events"] if one["seq"] in fact["events"]]
    message = hub.get(f"/api/journal/{event['message_id']}")
    assert message["external_id"] == "t-1"
    body = hub.client.get(f"/api/journal/{event['message_id']}/body", params={"reason": "核对"}, headers=hub.centre)
    assert b"t-1" in body.content


async def _updated(hub: HubUnderTest) -> None:
    store = Store(hub.database_url)
    await Facts(store, spending(hub.configuration)).update(lambda: datetime.now(SHANGHAI))
    await store.close()


def test_a_unit_sees_its_own_row_and_statement_and_closes_nothing(hub: HubUnderTest, desk: Desk) -> None:
    _told(hub)
    unit = desk.person("lamp", Role.UNIT, units=("3402-lighting",))
    own = unit.get("/api/assessment/rows", params={"period": PERIOD, "by": "unit"}).json()
    whole = hub.get("/api/assessment/sheet", period=PERIOD, by="unit")
    [there] = [row for row in whole["rows"] if row["id"] == "3402-lighting"]

    [row] = own["items"]
    assert row["figures"] == there["figures"]
    assert (row["score"], row["rank"]) == (there["score"], None)
    assert unit.get("/api/reports/unit/3402-lighting", params={"period": PERIOD}).status_code == 200
    other = unit.get("/api/reports/unit/3402-urban", params={"period": PERIOD})
    nobody = unit.get("/api/reports/unit/3402-nobody", params={"period": PERIOD})
    assert (other.status_code, nobody.status_code) == (404, 404)
    assert other.json()["error"]["code"] == nobody.json()["error"]["code"]
    closing = unit.post("/api/assessment/editions", json={"period": PERIOD, "reason": "想改"})
    assert closing.status_code == 403
    district = desk.person("district", Role.DISTRICT_CENTRE, areas=("340202",))
    assert district.post("/api/assessment/editions", json={"period": PERIOD, "reason": "想改"}).status_code == 403
    assert district.get("/api/assessment/editions").json()["items"][0]["reason"] is None
    city = desk.person("city", Role.CITY_CENTRE)
    again = city.post("/api/assessment/editions", json={"period": PERIOD, "reason": "再算", "actor": "somebody"})
    assert "nothing is different" in again.json()["error"]["text"]
