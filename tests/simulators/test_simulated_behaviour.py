"""What goes wrong on purpose, seen over a real socket, the same for every system that has doors."""

import asyncio
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators import SYSTEMS, Behaviour, Setup, create_app, run, running

EXAMINE = "/city/v3/ShootAnyTimeH5/ExamineQualified"
REPORT = "/city/v3/ShootAnyTimeWW/ReprotEvent"
DOORS = {
    "hotline_12345": "/cns-rest/rest/cnsTask/sign",
    "urban_management": "/WebService/CityManager.asmx",
    "social_governance": EXAMINE,
}
with_doors = pytest.mark.parametrize("name", sorted(DOORS))
SOURCES = pytest.mark.parametrize("name", ["hotline_12345", "social_governance"])
EVENT: dict[str, Any] = {
    "BCategoryId": 3,
    "SCategoryId": "0302",
    "CollectorOpenId": "3402202603160001-1",
    "CollectorName": "王某某",
    "CollectorMobilePhone": "13800000003",
    "EventDesc": "楼道口堆放建筑垃圾",
    "EventAddress": "镜湖区示例社区3栋",
    "EventPhotos": [],
    "Range": {"Longitude": 118.3762, "Latitude": 31.3341},
}


def test_every_system_is_there_under_its_own_name() -> None:
    assert set(SYSTEMS) >= {"hotline_12345", "urban_management", "social_governance", "centre_desk"}
    assert {name: system.name for name, system in SYSTEMS.items()} == {name: name for name in SYSTEMS}


@with_doors
def test_a_slow_system_answers_late(start: Any, name: str) -> None:
    side = start(name, slow=0.3)
    began = time.monotonic()
    side.post(DOORS[name], content=b"x")
    assert 0.3 <= time.monotonic() - began < 2


@with_doors
def test_a_silent_system_takes_the_request_and_never_answers(start: Any, name: str) -> None:
    side = start(name, silent=True)
    with pytest.raises(httpx.ReadTimeout):
        side.post(DOORS[name], content=b"x", timeout=0.3)
    assert side.client.get("/_sim/state").json()["received"][0]["verdict"] == "silent"


@with_doors
def test_a_system_that_is_down_says_503_and_comes_back(start: Any, name: str) -> None:
    side = start(name)
    side.behave(down=True)
    assert side.post(DOORS[name], content=b"x").status_code == 503
    side.behave(down=False)
    assert side.post(DOORS[name], content=b"x").status_code != 503


def test_a_dropped_answer_leaves_the_work_done_and_the_caller_in_doubt(start: Any, hub: Any) -> None:
    side = start("social_governance", drop_answer=1)
    with pytest.raises(httpx.RemoteProtocolError):
        side.post(REPORT, json=EVENT, headers={"token": side.system.setup.secret})
    summary = side.drained()
    assert (summary["reported"], summary["finished"], summary["dropped_answers"]) == (1, 1, 1)


def test_all_it_is_asked_and_says_stands_in_its_ledger_and_outlives_it(start: Any, tmp_path: Path) -> None:
    ledger = tmp_path / "grid.ndjson"
    for _ in range(2):
        side = start("social_governance", ledger=ledger, drop_answer=1)
        with pytest.raises(httpx.RemoteProtocolError):
            side.post(REPORT, json=EVENT, headers={"token": side.system.setup.secret})
        side.emit()
        side.drained()

    written = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    assert [line["n"] for line in written] == list(range(1, len(written) + 1))
    assert [(line["path"], line["how"]) for line in written if line["what"] == "asked"] == [(REPORT, "cut")] * 2
    [first, second] = [line["id"] for line in written if line["what"] == "report"]
    said = [line["about"].partition("/")[0] for line in written if line["what"] == "said" and line["verdict"]]
    assert {first, second} <= set(said)
    assert EVENT["EventDesc"] not in ledger.read_text(encoding="utf-8")


def test_a_cut_line_carries_not_a_single_byte_of_an_answer(start: Any) -> None:
    side = start("social_governance", drop_answer=1)
    host, port = side.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(f"POST {EXAMINE} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        assert line.recv(100) == b""


def test_a_system_that_refuses_does_so_in_the_contracts_words(start: Any) -> None:
    side = start("social_governance", refuse=1)
    answer = side.post(REPORT, json=EVENT, headers={"token": side.system.setup.secret})
    assert (answer.status_code, answer.json()["Ret"]) == (200, 5)
    assert side.items() == []


@SOURCES
def test_a_broken_copy_comes_before_the_real_message(start: Any, hub: Any, name: str) -> None:
    side = start(name, garbage=1)
    side.emit(6)
    summary = side.drained()
    assert (summary["garbage"], summary["accepted"], summary["calls"]) == (6, 6, 12)


@SOURCES
def test_the_same_seed_tells_the_same_story_and_another_seed_another(start: Any, hub: Any, name: str) -> None:
    def story(seed: int) -> list[dict[str, Any]]:
        setup = Setup(hub.url, "s", seed, Behaviour(rate=0, pace=0, repeat=0, assist=0, attempts=1), quiet=True)
        with running(name, setup) as side:
            httpx.post(f"{side.url}/_sim/emit", json={"n": 5})
            return [{key: item[key] for key in ("id", "title")} for item in side.system.items()]

    assert story(11) == story(11)
    assert story(11) != story(12)


def test_what_an_owner_does_depends_on_the_seed_and_not_on_the_moment(start: Any, hub: Any) -> None:
    def fates(seed: int) -> list[str]:
        side = start("social_governance", seed=seed, **{"return": 0.5})
        for number in range(20):
            document = EVENT | {"CollectorOpenId": f"{number}-1"}
            side.post(REPORT, json=document, headers={"token": side.system.setup.secret})
        side.drained()
        return [item["state"] for item in side.items()]

    first = fates(3)
    assert {"3", "9"} == set(first)
    assert fates(3) == first
    assert fates(4) != first


def test_a_rate_emits_until_it_is_told_to_be_quiet(start: Any, hub: Any, until: Callable[..., None]) -> None:
    side = start("hotline_12345", rate=3000)
    side.post("/_sim/quiet", json={"quiet": False})
    until(lambda: side.summary()["emitted"] > 20)
    side.post("/_sim/quiet")
    summary = side.drained()
    time.sleep(0.15)
    assert side.summary()["emitted"] == summary["emitted"] == summary["accepted"] == len(hub.requests)


def test_a_hub_that_is_not_there_is_tried_and_then_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
    behaviour = Behaviour(rate=0, gap=0.01, assist=0, garbage=0)
    with running("hotline_12345", Setup(nowhere, "s", 1, behaviour, quiet=True)) as side:
        httpx.post(f"{side.url}/_sim/emit")
        for _ in range(200):
            summary = httpx.get(f"{side.url}/_sim/summary").json()
            if not summary["busy"]:
                break
            time.sleep(0.01)
        state = httpx.get(f"{side.url}/_sim/state").json()
    assert (summary["unanswered"], summary["calls"], summary["failures"]) == (1, 4, 0)
    assert state["pushed"][0]["verdict"] == "ConnectError"


@pytest.mark.parametrize(
    ("switches", "at"), [({"refuse": 2}, "refuse"), ({"unknown": 1}, "unknown"), ({"pace": "slow"}, "pace")]
)
def test_a_bad_switch_is_named_and_changes_nothing(start: Any, switches: dict[str, Any], at: str) -> None:
    side = start("hotline_12345")
    before = side.system.behaviour
    answer = side.behave(**switches)
    assert answer.status_code == 400
    assert [finding["at"] for finding in answer.json()["findings"]] == [at]
    assert side.system.behaviour == before


@pytest.mark.parametrize("number", [-1, 10_001, "many", True])
def test_an_impossible_number_to_emit_is_refused(start: Any, number: Any) -> None:
    side = start("hotline_12345")
    assert side.post("/_sim/emit", json={"n": number}).status_code == 400
    assert side.summary()["emitted"] == 0


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_the_page_and_the_state_show_what_the_system_is_doing(start: Any, name: str) -> None:
    side = start(name)
    page = side.client.get("/")
    assert page.status_code == 200
    assert SYSTEMS[name].title in page.text
    assert "src=" not in page.text
    state = side.client.get("/_sim/state").json()
    assert (state["system"], state["seed"]) == (name, 7)
    assert state["behaviour"]["return"] == 0


def test_the_page_escapes_what_citizens_write(start: Any) -> None:
    side = start("social_governance")
    document = EVENT | {"EventAddress": "<script>alert(1)</script>"}
    side.post(REPORT, json=document, headers={"token": side.system.setup.secret})
    side.drained()
    assert "<script>" not in side.client.get("/").text


def test_nothing_a_citizen_said_reaches_the_log(start: Any, hub: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        side = start("hotline_12345", garbage=1)
        side.emit(20)
        side.drained()
        side.post(DOORS["hotline_12345"], content="张某某 13800000001".encode())
    for record in caplog.records:
        text = record.getMessage()
        assert "某某" not in text
        assert "1380000" not in text


def test_a_job_that_fails_is_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    system = SYSTEMS["hotline_12345"](Setup("http://127.0.0.1:1", "s"))

    async def failing() -> None:
        raise KeyError("张某某 13800000001")

    async def live() -> None:
        system.spawn(failing())
        await asyncio.sleep(0.05)

    asyncio.run(live())
    assert system.failures[0].startswith("KeyError in failing")
    assert "failing" in caplog.text
    assert "某某" not in caplog.text


def test_options_belong_to_one_system_only() -> None:
    with pytest.raises(ValueError, match="answer_with_id"):
        create_app("hotline_12345", Setup("http://127.0.0.1:1", "s", options={"answer_with_id": "true"}))


def test_run_serves_within_a_second_and_says_where(hub: Any) -> None:
    code = (
        "import sys, simulators\n"
        "simulators.run('hotline_12345', hub=sys.argv[1], secret='s', seed=5, rate=0, "
        "ready=lambda url: print(url, flush=True))"
    )
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", code, hub.url], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        url = program.stdout.readline().strip()
        took = time.monotonic() - began
        assert httpx.get(f"{url}/_sim/state").json()["seed"] == 5
        program.terminate()
        assert program.wait(5) in {0, -15}
    assert took < 5  # interpreter and imports included, on a busy machine


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_a_system_is_up_in_less_than_a_second(hub: Any, name: str) -> None:
    began = time.process_time()  # what else the machine does is not its fault
    with running(name, Setup(hub.url, "s", quiet=True)):
        assert time.process_time() - began < 1
    assert not [thread for thread in threading.enumerate() if thread.name == f"simulated-{name}"]


def test_run_takes_the_same_switches(hub: Any) -> None:
    with pytest.raises(KeyError):
        run("nobody", hub=hub.url, secret="s")
