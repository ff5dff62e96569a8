"""Joint work 吹哨联动 through platforms that are really different: each is called in its own language and once, the
source gets one answer, who is late is named, and nothing is lost or doubled, whoever dies.
"""

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.assessment.facts import spending
from gateway.hub import clock
from storage.facts import Facts
from tests.gateway.joint_city import (
    COUNTY,
    LIGHTING,
    MARKET,
    STREET,
    TRAFFIC,
    VARIABLES,
    JointCity,
    city_folder,
    joint_city,
)  # fmt: skip
from tests.gateway.outside import environment, process, push, typed
from tests.gateway.running import City, until
from tests.gateway.test_closed_loop import LAMP, kinds

Start = Callable[[int], JointCity]


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start the city: `start(seed)`."""
    open_: list[AbstractContextManager[JointCity]] = []

    def begin(seed: int) -> JointCity:
        open_.append(joint_city(database_url, city_folder(tmp_path / "city"), seed))
        return open_[-1].__enter__()

    yield begin
    for one in open_:
        one.__exit__(None, None, None)


def called(case: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The called units' parts by unit, as the API shows the first joint work."""
    return {one["unit"]: one for one in case["joint_work"][0]["units"]}


@pytest.mark.parametrize("completion", ["all", "quorum", "lead"])
def test_a_street_blows_the_whistle_and_the_hotline_gets_one_answer(start: Start, completion: str) -> None:
    city = start(LAMP)
    hub = city.hub
    city.grid.behave(**{"return": 1, "repeat": 1})  # the street reports in, then declines, each said twice
    city.county.behave(repeat=1)
    [ticket] = city.hotline.emit()
    number = str(hub.until_stage(ticket, "dispatched")["no"])
    assert city.says(f"{number}-1", "A", "已受理") == "success"

    parts = city.whistle(number, STREET, completion=completion)
    parts = city.whistle(number, TRAFFIC, COUNTY)
    assert [(one["unit"], one["system"], one["round"]) for one in parts[1:]] == [
        (STREET, "social_governance", 2), (TRAFFIC, "urban_management", 3), (COUNTY, "county_311", 4),
    ]  # fmt: skip
    assert "called already" in hub.order(number, kind="whistle", unit=TRAFFIC, reason="再请").text
    hub.until_sent()
    told_in_their_languages(city, number)

    until(lambda: "decline" in kinds(hub.case(number)) and "answer" in kinds(hub.case(number)), what="two of three")
    city.hours.forward(hours=3)  # half an hour is given to report in
    until(lambda: called(hub.case(number))[TRAFFIC]["report_in_late"], what="being late")
    shown = hub.case(number)["joint_work"][0]
    assert (shown["answered"], shown["called"], shown["by"], shown["lead"]) == (1, 3, STREET, LIGHTING)
    assert shown["waits_for"] == ([] if completion == "lead" else [TRAFFIC])

    assert city.says(f"{number}-1", "F", "路灯已恢复") == "success"  # the lead is done, whatever the others are
    if completion != "lead":
        kept = hub.case(number)
        assert (kept["stage"], kept["joint_work"][0]["lead_answered_at"] is not None) == ("handling", True)
    for status in ("F", "A", "F"):  # out of order, and said twice
        assert city.says(f"{number}-3", status, "已疏导交通") == "success"
    hub.stop_worker()
    hub.start_worker()  # whatever waits is looked at when a worker starts, and every half minute
    disposed = hub.until_stage(number, "disposed")
    hub.act(number, kind="check", result="现场核实已恢复")
    case = hub.until_stage(number, "evaluated")
    hub.until_sent()

    done = kinds(case)
    assert {kind: done.count(kind) for kind in ("whistle", "answer", "decline", "dispose", "close")} == {
        "whistle": 3, "answer": 2, "decline": 1, "dispose": 1, "close": 1,
    }  # fmt: skip
    one_answer(city, disposed, completion)
    nothing_twice(city, number)
    named_late(city, number, case)


def told_in_their_languages(city: JointCity, number: str) -> None:
    """Each platform has its own part under its own reference, and the one that knows no joint work knows the case."""
    letters = [one["body"] for one in city.urban.received("Service.asmx") if "PostLeaderDetail" in one["body"]]
    references = [f"&lt;ItemID&gt;{number}-{round_}&lt;/ItemID&gt;" for round_ in (1, 3)]
    assert [reference in letter for reference, letter in zip(references, letters, strict=True)] == [True, True]
    assert "【吹哨联动】牵头单位：芜湖市路灯管理处；请求：请到场会商。请于 2026-10-14 09:3" in letters[1]
    [event] = [json.loads(one["body"]) for one in city.grid.received("ReprotEvent")]
    assert event["CollectorOpenId"] == f"{number}-2"
    assert event["EventDesc"].startswith(
        "【吹哨联动】牵头单位：芜湖市路灯管理处；请求：请到场会商。请于 2026-10-14 09:3"
    )
    [request] = [one["body"] for one in city.county.received("requests.json")]
    assert f"{number}-4" in request


def one_answer(city: JointCity, disposed: dict[str, Any], completion: str) -> None:
    """The source is answered once, with every part that was there when the lead was heard."""
    [feedback] = city.hotline.received("feedback")
    parts = disposed["result"].splitlines()
    assert parts[0] == "路灯已恢复"
    assert all(part in feedback["body"] for part in parts)
    assert [part.split(": ")[0] for part in parts[1:]] == (
        ["镜湖区市民服务平台"] if completion == "lead" else ["芜湖市公安局交通警察支队", "镜湖区市民服务平台"]
    )


def nothing_twice(city: JointCity, number: str) -> None:
    for side in (city.urban, city.grid, city.county, city.hotline):
        assert not side.summary().get("doubles")
        assert side.system.failures == []
    sent = city.hub.case(number)["deliveries"]
    assert {row["state"] for row in sent} == {"acknowledged"}
    assert sorted(row["message"] for row in sent) == sorted(
        ["sign", "letter", "joint_event", "joint_letter", "file_request", "feedback"]
    )
    assert city.hub.summary()["balance"]["holds"]


def named_late(city: JointCity, number: str, case: dict[str, Any]) -> None:
    """The unit that came late is named in the case, and in the assessment of the month."""
    assert {unit: part["report_in_late"] for unit, part in called(case).items()} == {
        STREET: False, TRAFFIC: True, COUNTY: False,
    }  # fmt: skip
    hub = city.hub.wired()

    async def assessed() -> None:
        await Facts(hub.store, spending(city.hub.configuration)).update(clock)
        await hub.store.close()

    asyncio.run(assessed())
    variables = environment(city.hub) | VARIABLES | {"GRIDHUB_CONFIG": str(city.folder)}
    shown = typed(variables, "report", "assessment", "--period", "2026-10", "--by", "unit", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    figures = {row["id"]: row["figures"] for row in json.loads(shown.stdout)["rows"]}
    came = {unit: figures[unit]["in_time_report_in_rate"]["value"] for unit in (STREET, TRAFFIC, COUNTY)}
    assert came == {STREET: 100, TRAFFIC: 0, COUNTY: 100}
    assert figures[LIGHTING]["need_report_in"]["value"] == 0
    # whose part ended with the lead's answer, before it was due and without a word, is neither on time nor late
    spared = case["joint_work"][0]["completion"] == "lead"
    assert figures[TRAFFIC]["in_time_answer_rate"]["value"] == (None if spared else 100)
    said = typed(variables, "case", "show", number).stdout.splitlines()
    at = said.index(f"  芜湖市公安局交通警察支队 {TRAFFIC}")
    assert said[at + 1] == f"    {number}-3 through urban_management, acknowledged"
    assert said[at + 2].endswith(", LATE 超时")
    assert sum("LATE 超时" in line for line in said) == 1


# --- killed ---


def test_a_hub_killed_between_the_call_and_its_delivery_loses_nothing_and_calls_nobody_twice(
    start_city: Callable[..., City],
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    """The doors die when the whistles are answered, the worker while it tells the called units."""
    city = start_city()
    urls = {"HOTLINE_URL": city.hotline.url, "URBAN_URL": city.urban.url, "GRID_URL": city.grid.url}
    for side in (city.urban, city.grid):
        side.behave(pace=3600)
    numbers = [push(city.hub, f"joint{index}") for index in range(4)]
    city.hub.until_sent()  # each case is at its owner: a hand-over in doubt would hold back the calls behind it
    city.hub.stop_worker()
    for side in (city.urban, city.grid):
        side.behave(slow=0.5)
    port = free_port()
    with process(city.hub, tmp_path / "doors.log", "serve", "--no-work", "--port", str(port), **urls) as doors:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address), seconds=60, what="the doors")
        with httpx.Client(base_url=address, timeout=10, trust_env=False, headers=city.hub.centre) as client:
            for number in numbers:
                for unit in (STREET, TRAFFIC, MARKET):
                    order = {"kind": "whistle", "unit": unit, "reason": "请到场会商"}
                    assert client.post(f"/api/cases/{number}/actions", json=order).status_code == 200
        doors.send_signal(signal.SIGKILL)
        doors.wait(10)
    assert {(row["state"], row["attempts"]) for row in city.hub.rows(CALLS)} == {("pending", 0)}

    with process(city.hub, tmp_path / "worker.log", "work", **urls) as worker:
        until(lambda: city.hub.rows(ON_THE_WIRE), seconds=60, what="whistles on the wire")
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
    city.hub.start_worker(now=lambda: clock() + timedelta(minutes=3))  # the leases of the dead one have run out
    city.hub.until_sent(seconds=60)

    parked = {(row["case_no"], row["message"]) for row in city.hub.get("/api/parked")["items"]}
    letters = [item["id"] for item in city.urban.items()]
    events = [item["reference"] for item in city.grid.items()]
    for told in (letters, events):
        assert len(told) == len(set(told)), "nobody is called twice"
    for number in numbers:  # what is in doubt is no repetition: it waits for a person
        assert f"{number}-3" in letters or (number, "joint_letter") in parked
        assert f"{number}-2" in events or (number, "joint_event") in parked
        case = city.hub.case(number)
        assert kinds(case).count("whistle") == 3
        parts = called(case)
        assert [parts[unit]["told"] for unit in (STREET, TRAFFIC)] == [
            "parked" if (number, message) in parked else "acknowledged" for message in ("joint_event", "joint_letter")
        ]
        assert (parts[MARKET]["system"], parts[MARKET]["told"]) == ("", None)
    assert city.hub.orphans() == dict.fromkeys(city.hub.orphans(), 0)
    assert city.hub.summary()["balance"]["holds"]


CALLS = "SELECT state, attempts FROM delivery WHERE message IN ('joint_letter', 'joint_event')"
ON_THE_WIRE = f"{CALLS} AND state = 'sent' AND message_id IS NOT NULL"


def answers(address: str) -> bool:
    """Is anybody there?"""
    try:
        return httpx.get(f"{address}/api/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
