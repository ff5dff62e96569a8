"""The board of systems: each card says what is true of its system, and why it is in the state it is in."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from canonical.rights import Role
from gateway.board.state import RULES, TITLES, State
from gateway.fetching import LOOK
from gateway.hub import clock
from storage.switches import What
from storage.traffic_counts import TrafficCounts
from tests.gateway.conftest import StartCity, StartHub
from tests.gateway.people_desk import Desk, desk
from tests.gateway.pushes import GRID, HOTLINE, NAME, PHONE, URBAN, hotline, ticket
from tests.gateway.running import City, HubUnderTest, until

__all__ = ["desk"]


def card(hub: HubUnderTest, system: str) -> dict[str, Any]:
    """One card of the board."""
    [found] = [one for one in hub.get("/api/board")["items"] if one["id"] == system]
    return dict(found)


def later(start_hub: StartHub, hub: HubUnderTest, by: timedelta) -> HubUnderTest:
    """Another process on the same database, whose clock is so much ahead."""
    other = start_hub(doors=False)
    other.now = lambda: clock() + by
    other.open_doors()
    return other


def folded(hub: HubUnderTest) -> None:
    """What came is counted, as a worker does every minute."""

    async def job() -> None:
        wired = hub.wired()
        while await TrafficCounts(wired.store).fold(wired.now()):
            pass
        await wired.store.close()

    asyncio.run(job())


def a_worker(hub: HubUnderTest, breakers: str = "{}", now: str = "now()") -> None:
    """A worker process that lives."""
    hub.rows(
        "INSERT INTO worker (id, host, pid, roles, started_at, seen_at, breakers)"
        f" VALUES (gen_random_uuid(), 'here', 7, 'deliver poll', {now}, {now}, $1)", breakers,
    )  # fmt: skip


def polled(hub: HubUnderTest, system: str, pull: str, ago: timedelta, trouble: str = "") -> None:
    """A pull that has come so far."""
    at = clock() - ago
    hub.rows("DELETE FROM cursor")
    hub.rows(
        "INSERT INTO cursor (system, pull, until, polled_at, trouble) VALUES ($1, $2, $3, $3, $4)",
        system, pull, at, trouble,
    )  # fmt: skip


def the_pull(hub: HubUnderTest) -> tuple[str, str]:
    """A system that is asked, and its pull."""
    name, one = next((name, one) for name, one in hub.configuration.systems.items() if one.system.pulls)
    return name, one.system.pulls[0].name


def test_a_system_that_was_never_heard_says_so_and_one_that_pushes_is_alive(hub: HubUnderTest) -> None:
    a_worker(hub)
    assert (card(hub, HOTLINE)["state"], card(hub, HOTLINE)["heard_at"]) == ("never", None)

    assert hotline(ticket("1")).to(hub).json()["custom"]["code"] == "1"

    heard = card(hub, HOTLINE)
    assert datetime.fromisoformat(heard["heard_at"]) <= clock()
    assert (heard["state"], heard["stale"], heard["reasons"]) == ("ok", False, [])
    assert heard["rates"]["hour"] == heard["rates"]["day"]
    assert (heard["rates"]["hour"]["received"], heard["rates"]["hour"]["in_error_rate"]) == (1, 0.0)
    assert heard["data_age_seconds"] < 60
    urban = card(hub, URBAN)
    assert urban["deliveries"]["pending"] == 1  # nobody delivers it here
    assert urban["oldest_seconds"] >= 0


def test_a_source_that_pushes_and_says_nothing_for_a_day_is_silent(hub: HubUnderTest, start_hub: StartHub) -> None:
    assert hotline(ticket("1")).to(hub).json()["custom"]["code"] == "1"
    day = later(start_hub, hub, timedelta(hours=25))
    folded(day)
    a_worker(day, now="now() + interval '25 hours'")

    silent = card(day, HOTLINE)

    assert (silent["state"], silent["stale"], silent["expected_seconds"]) == ("silent", True, 86_400)
    assert 25 * 3600 <= silent["data_age_seconds"] < 25 * 3600 + 600
    assert "没有数据" in silent["reason"]["zh"]
    assert "no data for" in silent["reason"]["en"]


def test_a_pull_that_finds_nothing_is_fresh_and_one_that_does_not_come_forward_is_late_then_silent(
    hub: HubUnderTest,
) -> None:
    system, pull = the_pull(hub)
    a_worker(hub)
    polled(hub, system, pull, timedelta())
    limit = card(hub, system)["stale_after_seconds"]
    for ago, stale, state in ((1.0, False, "ok"), (limit + 30, True, "late"), (5 * limit, True, "silent")):
        polled(hub, system, pull, timedelta(seconds=ago))
        shown = card(hub, system)
        assert (shown["stale"], shown["state"]) == (stale, state), ago
        assert abs(shown["data_age_seconds"] - ago) < 20


def test_trouble_an_open_breaker_and_a_missing_worker_are_failures_with_their_reasons(hub: HubUnderTest) -> None:
    system, pull = the_pull(hub)
    polled(hub, system, pull, timedelta(), "示例平台拒绝连接")
    missing = card(hub, system)
    assert (missing["state"], missing["reason"]["en"]) == ("failing", "no worker process lives")
    assert {one["zh"] for one in missing["reasons"]} >= {"没有工作进程在运行", f"{pull}：示例平台拒绝连接"}

    a_worker(hub, json.dumps({system: "open"}))

    shown = card(hub, system)
    assert (shown["state"], shown["reason"]["zh"]) == ("failing", f"{pull}：示例平台拒绝连接")
    assert shown["breakers"] == [{"worker": "here:7", "state": "open"}]
    assert shown["state_title"] == "故障"


def test_what_people_switched_off_stands_first_with_who_and_why(hub: HubUnderTest) -> None:
    a_worker(hub)
    for what in What:
        order = {"off": True, "actor": "operator-7", "reason": "示例维护"}
        answer = hub.client.put(f"/api/systems/{GRID}/switches/{what}", json=order, headers=hub.centre)
        assert answer.status_code == 200, answer.text

    shown = card(hub, GRID)

    assert {one["what"] for one in shown["switched_off"]} == set(What)
    assert (shown["state"], shown["reason"]["zh"]) == ("stopped", "拉取已停（operator-7）：示例维护")
    assert hub.get("/api/board")["counts"]["stopped"] == 1
    assert [one["id"] for one in hub.get("/api/board", state="stopped")["items"]] == [GRID]


def test_refused_and_quarantined_messages_are_counted_and_aged(hub: HubUnderTest) -> None:
    a_worker(hub)
    for number in range(4):
        hotline(ticket(str(number), accordType="9876")).to(hub)  # no row for it
    hotline(ticket("9"), token="wrong").to(hub)

    shown = card(hub, HOTLINE)

    rates = shown["rates"]["hour"]
    assert (rates["received"], rates["quarantined"], rates["refused"]) == (5, 4, 1)
    assert (rates["in_error_rate"], shown["quarantined"], shown["state"]) == (1.0, 4, "failing")
    assert datetime.fromisoformat(shown["quarantined_since"]) <= clock()
    assert "4 件在隔离区" in [one["zh"] for one in shown["reasons"]]
    told = json.dumps(hub.get("/api/board"), ensure_ascii=False)
    assert NAME not in told
    assert PHONE not in told


def test_in_a_city_that_works_each_card_is_well_and_what_was_delivered_is_counted(city: City) -> None:
    assert hotline(ticket("1")).to(city.hub).json()["custom"]["code"] == "1"
    city.settled()

    urban = card(city.hub, URBAN)

    assert urban["rates"]["hour"]["sent"] >= 1
    assert urban["rates"]["hour"]["failed"] == 0
    assert urban["reached_at"] is not None
    assert (urban["state"], urban["waits_for_a_person"], urban["in_doubt"]) == ("ok", 0, 0)


def test_deliveries_that_wait_for_a_person_make_a_card_late(start_city: StartCity) -> None:
    city = start_city()
    city.urban.behave(refuse=1)
    assert hotline(ticket("1")).to(city.hub).json()["custom"]["code"] == "1"

    until(lambda: card(city.hub, URBAN)["waits_for_a_person"] == 1, what="the refusal")

    shown = card(city.hub, URBAN)
    assert shown["deliveries"]["refused"] == 1
    assert "1 件待人处理" in [one["zh"] for one in shown["reasons"]]
    assert shown["rates"]["hour"]["out_error_rate"] > 0


def test_pages_and_bad_questions(hub: HubUnderTest) -> None:
    names: list[str] = []
    after: str | None = ""
    while after is not None:
        page = hub.get("/api/board", after=after, limit=2)
        names += [one["id"] for one in page["items"]]
        after = page["next"]
    assert names == sorted(hub.configuration.systems)

    for query in ("state=green", "limit=0", "limit=501", "after=%00"):
        answer = hub.client.get(f"/api/board?{query}", headers=hub.centre)
        assert (answer.status_code, "error" in answer.json()) == (422, True), query


def test_each_state_has_a_title_and_each_but_ok_a_rule() -> None:
    assert set(TITLES) == set(State)
    assert {rule.state for rule in RULES} == set(State) - {State.OK}
    order = list(State)
    assert [order.index(rule.state) for rule in RULES] == sorted(order.index(rule.state) for rule in RULES)


def test_who_looks_wants_the_right_and_the_whole_city_and_who_switches_is_who_signed_in(desk: Desk) -> None:
    centre, auditor = desk.person("zhang", Role.CITY_CENTRE), desk.person("qian", Role.AUDITOR)
    unit = desk.person("sun", Role.UNIT, units=["3402-urban"])
    part = desk.person("zhou", Role.AUDITOR, areas=["340202"])
    order = {"off": True, "reason": "示例维护", "actor": "somebody else"}
    path = f"/api/systems/{GRID}/switches/fetching"

    assert [one.get("/api/board").status_code for one in (centre, auditor, unit, part)] == [200, 200, 403, 403]
    assert [one.put(path, json=order).status_code for one in (auditor, unit, part, centre)] == [403, 403, 403, 200]

    [turn] = auditor.get("/api/switches/history").json()["items"]
    assert (turn["actor"], turn["what"]) == ("zhang", "fetching")


# Pause and resume


def switch(hub: HubUnderTest, system: str, what: str, **order: Any) -> Any:
    """What the API answers to a turn of a switch."""
    order = {"actor": "operator-7", "reason": "示例维护"} | order
    return hub.client.put(f"/api/systems/{system}/switches/{what}", json=order, headers=hub.centre)


def test_fetching_that_is_off_asks_nothing_takes_what_is_pushed_and_goes_on_where_it_stood(
    start_city: StartCity,
) -> None:
    city = start_city()
    hub = city.hub
    system = next(name for name, one in hub.configuration.systems.items() if one.system.pulls and name in city.sides)
    side = city.sides[system]
    until(lambda: card(hub, system)["data_at"], what="the first pull")
    assert switch(hub, system, "fetching", off=True).json() == {"changed": True, "parked": 0}
    until(quiet(hub, system), what="no more questions")

    [made] = side.emit(1)
    assert hotline(ticket("1")).to(hub).json()["custom"]["code"] == "1"  # what is pushed is taken
    until(quiet(hub, system), what="still no question")
    assert hub.rows("SELECT 1 FROM message WHERE system = $1 AND external_id = $2", system, made) == []

    assert switch(hub, system, "fetching", off=False, reason="示例完工").json()["changed"] is True

    until(
        lambda: hub.rows("SELECT 1 FROM message WHERE system = $1 AND external_id = $2", system, made),
        what="what was there meanwhile",
    )
    turns = hub.get("/api/switches/history", system=system)["items"]
    assert [(one["off"], one["reason"]) for one in turns] == [(False, "示例完工"), (True, "示例维护")]


def quiet(hub: HubUnderTest, system: str) -> Callable[[], bool]:
    """True once it was not asked for two looks at the switches; it is asked three times a second."""
    seen: list[tuple[float, Any]] = []

    def still() -> bool:
        [row] = hub.rows("SELECT max(polled_at) AS at FROM cursor WHERE system = $1", system)
        if not seen or seen[-1][1] != row["at"]:
            seen[:] = [(time.monotonic(), row["at"])]
        return time.monotonic() - seen[0][0] > 2 * LOOK

    return still


def test_turns_are_paged_kept_and_want_who_and_why(hub: HubUnderTest) -> None:
    for number in range(5):
        assert switch(hub, GRID, "sending", off=number % 2 == 0, reason=f"示例 {number}").status_code == 200
    assert switch(hub, GRID, "sending", off=True).json()["changed"] is False  # it stood so already: no turn

    first = hub.get("/api/switches/history", limit=3)
    rest = hub.get("/api/switches/history", limit=3, after=first["next"])

    assert [one["reason"] for one in first["items"] + rest["items"]] == [f"示例 {n}" for n in (4, 3, 2, 1, 0)]
    assert rest["next"] is None
    for wrong in ({"off": True, "actor": " "}, {"off": True, "reason": ""}, {}, {"off": "perhaps"}):
        assert switch(hub, GRID, "sending", **wrong).status_code == 422
    assert switch(hub, "nobody", "sending", off=True).status_code == 404
    assert switch(hub, GRID, "everything", off=True).status_code == 422


# Opened


def test_an_opened_card_tells_declaration_mapping_drift_samples_and_messages(hub: HubUnderTest) -> None:
    hotline(ticket("1", accordType="9876")).to(hub)

    told = hub.get(f"/api/board/{HOTLINE}")

    assert told["id"] == HOTLINE
    assert [door["path"] for door in told["declaration"]["doors"]] == [f"/in/{HOTLINE}"]
    tables = {one["name"]: one for one in told["mapping"]["tables"]}
    assert "0402" in {row["local"] for row in tables["accord_types"]["rows"]}
    read = [one for one in told["mapping"]["messages"] if one["direction"] == "in"]
    assert any(field["field"].startswith("report.") for one in read for field in one["fields"])
    assert [(one["code"], one["table"]) for one in told["drift"]] == [("9876", "codes/accord_types.csv")]
    assert [one["external_id"] for one in told["messages"]] == ["t-1"]
    shown = json.dumps(told, ensure_ascii=False)
    assert NAME not in shown
    assert PHONE not in shown


def test_the_card_of_every_system_opens_and_its_samples_name_nobody(hub: HubUnderTest) -> None:
    for name, connected in hub.configuration.systems.items():
        told = hub.get(f"/api/board/{name}")
        assert len(told["samples"]) > 0
        for golden in connected.folder.glob("samples/*.reading.json"):
            for reading in json.loads(golden.read_text(encoding="utf-8")):
                reporter = (reading.get("report") or {}).get("reporter") or {}
                shown = json.dumps(told["samples"], ensure_ascii=False)
                assert not reporter.get("phone") or reporter["phone"] not in shown
                assert len(reporter.get("name", "")) < 2 or reporter["name"] not in shown
    assert hub.client.get("/api/board/nobody", headers=hub.centre).status_code == 404
    assert hub.client.get("/api/board/%00", headers=hub.centre).status_code in (404, 422)
