"""Delivery when the other side is down, slow, silent, unwilling or forgetful, and when our own processes are killed."""

import json
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import adapters
from gateway.configuration import Configuration, load
from gateway.hub import clock
from gateway.settings import example_city
from tests.gateway.outside import LITTER, gridhub, process, push, ticket
from tests.gateway.running import ENVIRONMENT, City, HubUnderTest, Side, connected, until

Start = Callable[..., HubUnderTest]
StartCity = Callable[..., City]
StartSide = Callable[..., Side]
HOTLINE, URBAN, GRID = "hotline_12345", "urban_management", "social_governance"


def delivery(hub: HubUnderTest, number: str, system: str, message: str) -> dict[str, Any]:
    """The newest delivery of this message about a case, as the database has it."""
    rows = hub.rows(
        "SELECT d.* FROM delivery d JOIN cases c ON c.id = d.case_id"
        " WHERE c.no = $1 AND d.system = $2 AND d.message = $3 ORDER BY d.seq DESC",
        number, system, message,
    )  # fmt: skip
    return rows[0]


def until_state(
    hub: HubUnderTest, number: str, system: str, message: str, state: str, *, seconds: float = 20.0
) -> dict[str, Any]:
    """The delivery, once it is in this state."""

    def there() -> bool:
        return bool(delivery(hub, number, system, message)["state"] == state)

    until(there, seconds=seconds, what=f"{state} of {message} to {system}")
    return delivery(hub, number, system, message)


def impatient(configuration: Configuration, *, seconds: float = 1.0) -> Configuration:
    """The configuration with short time-outs for every system."""
    systems = {
        name: replace(
            one, system=replace(one.system, connector=replace(one.system.connector, timeout=seconds))
        )
        for name, one in configuration.systems.items()
    }  # fmt: skip
    return replace(configuration, systems=systems)


# --- not there, not now ---


def test_a_system_that_is_down_gets_everything_in_order_when_it_comes_up_and_holds_up_nobody_else(
    start_city: StartCity, start_side: StartSide, free_port: Callable[[], int]
) -> None:
    port = free_port()
    city = start_city(urls={"urban_management": f"http://127.0.0.1:{port}"})
    hub = city.hub
    kept, cancelled, other = push(hub, "kept"), push(hub, "cancelled"), push(hub, "other", LITTER)
    hub.act(cancelled, kind="cancel", reason="市民撤诉")
    until(lambda: delivery(hub, kept, URBAN, "letter")["attempts"] >= 2, what="a second attempt")
    waiting = until_state(hub, kept, URBAN, "letter", "pending")
    assert waiting["why"] == "Unavailable"
    assert hub.until_stage(other, "disposed")["owner"] == GRID
    assert delivery(hub, cancelled, URBAN, "status")["attempts"] == 0  # behind the letter in its lane

    urban = start_side(URBAN, hub.url, port=port, pace=60)
    until_state(hub, kept, URBAN, "letter", "acknowledged", seconds=40)
    until_state(hub, cancelled, URBAN, "status", "acknowledged", seconds=40)

    item = urban.item(f"{cancelled}-1")
    numbers = (item["id"], item["guid"])
    told = [one["path"] for one in urban.received() if any(number in one["body"] for number in numbers)]
    assert [path.rpartition("/")[2] for path in told] == ["Service.asmx", "CityManagerQYSWGnew.asmx"]
    assert item["state"] == "void"
    assert [item["id"] for item in urban.items() if kept in item["id"]] == [f"{kept}-1"]


def test_a_system_that_says_later_is_left_alone_as_long_as_it_asked(city: City) -> None:
    city.grid.behave(down=True)  # HTTP 503, retry-after 5
    number = push(city.hub, "later", LITTER)
    until(lambda: delivery(city.hub, number, GRID, "report_event")["attempts"] >= 1, what="a first attempt")
    row = until_state(city.hub, number, GRID, "report_event", "pending")
    assert row["next_at"] - row["created_at"] > timedelta(seconds=4.9)
    assert not row["in_doubt"]


def test_a_slow_system_is_waited_for_and_asked_once(city: City) -> None:
    city.urban.behave(slow=1.5)
    begin = time.monotonic()
    numbers = [push(city.hub, f"slow{index}") for index in range(4)]
    rows = [until_state(city.hub, number, URBAN, "letter", "acknowledged") for number in numbers]
    assert {row["attempts"] for row in rows} == {1}
    assert time.monotonic() - begin < 4 * 1.5  # beside each other, not one after the other


# --- in doubt ---


def test_a_letter_that_got_no_answer_is_parked_and_never_sent_twice_by_itself(
    start_city: StartCity, configuration: Configuration
) -> None:
    city = start_city(loaded=impatient(configuration))
    city.urban.behave(silent=True)
    number = push(city.hub, "silent")
    row = until_state(city.hub, number, URBAN, "letter", "parked")
    assert (row["in_doubt"], row["attempts"], row["why"]) == (True, 1, "InDoubt")

    city.urban.behave(silent=False)
    time.sleep(1.5)
    assert len(city.urban.received("Service.asmx")) == 1
    parked = json.loads(gridhub(city.hub, "parked", "list", "--json").stdout)
    [listed] = [one for one in parked if one["system"] == URBAN]
    assert (listed["case_no"], listed["in_doubt"]) == (number, True)
    assert gridhub(city.hub, "parked", "release", listed["id"]).returncode == 0
    city.hub.until_stage(number, "disposed")
    assert [item["id"] for item in city.urban.items()] == [f"{number}-1"]


def test_a_letter_whose_answer_was_lost_is_parked_though_the_owner_works_and_its_lane_goes_on_when_withdrawn(
    city: City,
) -> None:
    city.urban.behave(drop_answer=1)
    number = push(city.hub, "lost")
    row = until_state(city.hub, number, URBAN, "letter", "parked")
    assert row["in_doubt"]
    city.urban.behave(drop_answer=0)
    city.hub.until_stage(number, "disposed")  # the owner calls back by our number
    city.hub.act(number, kind="rework", reason="现场未恢复")
    assert delivery(city.hub, number, URBAN, "status")["attempts"] == 0

    done = gridhub(city.hub, "parked", "withdraw", str(row["id"]), "--reason", "对方已收到")
    assert done.returncode == 0
    until_state(city.hub, number, URBAN, "status", "acknowledged")
    assert delivery(city.hub, number, URBAN, "letter")["state"] == "withdrawn"
    assert city.urban.item(f"{number}-1")["rounds"] == "2"
    assert gridhub(city.hub, "parked", "withdraw", str(row["id"]), "--reason", "再次").returncode == 5


def test_a_signature_in_doubt_is_sent_again_and_a_refusal_then_means_that_it_had_arrived(city: City) -> None:
    city.hotline.behave(drop_answer=1)
    [task] = city.hotline.emit()
    number = city.hub.until_stage(task, "dispatched", "handling", "disposed")["no"]
    until(lambda: delivery(city.hub, number, HOTLINE, "sign")["in_doubt"], what="the doubt")
    city.hotline.behave(drop_answer=0)
    row = until_state(city.hub, number, HOTLINE, "sign", "acknowledged")
    assert row["attempts"] >= 2
    counts = city.hotline.summary()
    assert counts["signed"] == 1
    assert counts["refusals"] >= 1
    assert city.hotline.item(task)["state"] == "20"


# --- refused ---


def test_what_is_refused_is_parked_for_a_person_and_holds_up_no_other_case(city: City) -> None:
    city.urban.behave(refuse=1)
    refused = push(city.hub, "refused")
    row = until_state(city.hub, refused, URBAN, "letter", "refused")
    assert (row["why"], row["text"], row["in_doubt"], row["attempts"]) == ("not_taken", "不予受理", False, 1)
    city.urban.behave(refuse=0)
    city.hub.until_stage(push(city.hub, "welcome"), "disposed")
    assert delivery(city.hub, refused, URBAN, "letter")["state"] == "refused"

    [listed] = [one for one in city.hub.get("/api/parked")["items"] if one["system"] == URBAN]
    answer = city.hub.client.post(f"/api/parked/{listed['id']}/release", headers=city.hub.centre)
    assert answer.json() == {"released": True}
    city.hub.until_stage(refused, "disposed")
    again = city.hub.client.post(f"/api/parked/{listed['id']}/release", headers=city.hub.centre)
    assert again.status_code == 404


# --- sessions and tables ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example city that a test may change."""
    copied = tmp_path / "config"
    shutil.copytree(example_city(), copied)
    return copied


def test_an_expired_session_is_renewed_at_once_without_costing_an_attempt(start_city: StartCity, folder: Path) -> None:
    path = folder / "systems.yaml"
    systems = yaml.safe_load(path.read_text(encoding="utf-8"))
    systems[GRID]["secrets"] = {"user": "gridhub", "password": "${GRID_PASSWORD}", "hub_token": "${GRID_TOKEN}"}
    path.write_text(yaml.safe_dump(systems, allow_unicode=True), encoding="utf-8")
    city = start_city(loaded=load(folder, ENVIRONMENT), options={GRID: {"token_life": "1.5"}})

    first = push(city.hub, "first", LITTER)
    city.hub.until_stage(first, "disposed")
    time.sleep(1.6)
    second = push(city.hub, "second", LITTER)
    city.hub.until_stage(second, "disposed")

    counts = city.grid.summary()
    assert (counts["logins"], counts["expired"], counts["reported"]) == (2, 1, 2)
    assert {delivery(city.hub, number, GRID, "report_event")["attempts"] for number in (first, second)} == {1}


def test_a_class_the_owner_has_no_word_for_is_parked_until_the_table_has_it(
    start_city: StartCity, folder: Path
) -> None:
    adapter = folder / "grid-platform"
    shutil.copytree(Path(adapters.__file__).parent / GRID, adapter)
    table = adapter / "codes" / "categories_out.csv"
    whole = table.read_text(encoding="utf-8")
    table.write_text(
        "\n".join(row for row in whole.splitlines() if not row.startswith(("*", "30428.2:E01-10,"))) + "\n", "utf-8"
    )
    systems = (folder / "systems.yaml").read_text(encoding="utf-8")
    (folder / "systems.yaml").write_text(systems.replace(f"adapter: {GRID}", "adapter: grid-platform"), "utf-8")

    city = start_city(loaded=load(folder, ENVIRONMENT))
    number = push(city.hub, "no-word", LITTER)
    row = until_state(city.hub, number, GRID, "report_event", "parked")
    assert row["why"] == "unmapped_code"
    assert "categories_out.csv" in row["text"]
    assert city.grid.received("ReprotEvent") == []

    table.write_text(whole, encoding="utf-8")
    city.hub.stop_worker()
    city.hub.configuration = connected(load(folder, ENVIRONMENT), {GRID: city.grid.url})
    city.hub.start_worker()
    released = city.hub.client.post(f"/api/parked/{row['id']}/release", headers=city.hub.centre)
    assert released.status_code == 200
    city.hub.until_stage(number, "disposed")


# --- killed ---


def test_what_a_killed_worker_had_in_hand_is_taken_over_and_nothing_is_lost_or_doubled(
    start_city: StartCity, tmp_path: Path
) -> None:
    city = start_city(worker=False)
    hub = city.hub
    city.urban.behave(slow=0.4, pace=0.2)
    city.hotline.behave(slow=0.4)
    tasks = city.hotline.emit(12)
    numbers = [push(hub, f"killed{index}") for index in range(12)]
    until(lambda: hub.counts()["cases"] == 24, what="24 cases")
    addresses = {"HOTLINE_URL": city.hotline.url, "URBAN_URL": city.urban.url, "GRID_URL": city.grid.url}
    with process(hub, tmp_path / "worker.log", "work", **addresses) as worker:
        until(
            lambda: hub.rows("SELECT 1 FROM delivery WHERE state = 'acknowledged' OFFSET 5"),
            seconds=40, what="some deliveries",
        )  # fmt: skip
        until(lambda: hub.rows(ON_THE_WIRE), what="messages on the wire")
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
    in_hand = {row["id"] for row in hub.rows("SELECT id FROM delivery WHERE state = 'sent'")}
    assert in_hand

    hub.start_worker()  # by its own clock nobody's lease has run out
    until(
        lambda: not hub.rows("SELECT 1 FROM delivery WHERE state IN ('pending', 'in_doubt') AND next_at < now()"),
        seconds=40,
    )
    assert in_hand <= {row["id"] for row in hub.rows("SELECT id FROM delivery WHERE state = 'sent'")}
    hub.stop_worker()
    hub.start_worker(now=lambda: clock() + timedelta(minutes=3))
    hub.until_sent(seconds=60)
    city.settled()

    unclear = hub.rows("SELECT message, in_doubt FROM delivery WHERE state = 'parked' AND system = $1", URBAN)
    assert all((row["message"], row["in_doubt"]) == ("letter", True) for row in unclear)
    letters = [item["id"] for item in city.urban.items() if item["kind"] == "letter"]
    assert len(letters) == len(set(letters))
    assert {f"{number}-1" for number in numbers} - set(letters) <= {
        f"{row['case_no']}-1" for row in hub.get("/api/parked")["items"]
    }
    assert "doubles" not in {name for name, count in city.urban.summary().items() if count}
    signed = {row["no"] for row in hub.rows(SIGNED, tasks)}
    for task in tasks:
        case = hub.case(task)
        assert case["no"] not in signed or city.hotline.item(task)["state"] == "20"
        assert case["no"] in signed or case["stage"] == "reported"


DUE = "SELECT 1 FROM delivery WHERE state IN ('pending', 'in_doubt') AND next_at < now()"
ON_THE_WIRE = "SELECT 1 FROM delivery WHERE state = 'sent' AND message_id IS NOT NULL"
SIGNED = """
SELECT c.no FROM delivery d JOIN cases c ON c.id = d.case_id
 WHERE d.system = 'hotline_12345' AND d.message = 'sign' AND d.state = 'acknowledged'
   AND EXISTS (SELECT 1 FROM binding b WHERE b.case_id = c.id AND b.external_id = ANY($1))
"""


def test_every_push_that_was_answered_with_success_is_there_exactly_once_after_the_hub_was_killed(
    start_hub: Start, free_port: Callable[[], int], tmp_path: Path
) -> None:
    aside = start_hub(doors=False)
    port = free_port()
    names = [f"storm{index}" for index in range(250)]
    told: list[str] = []
    with process(aside, tmp_path / "hub.log", "serve", "--no-work", "--port", str(port)) as serving:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address), seconds=40, what="the hub's start")
        with (
            httpx.Client(base_url=address, timeout=10, trust_env=False, verify=False) as client,
            ThreadPoolExecutor(16) as pushers,
        ):
            for name in names:
                pushers.submit(pushed_to, client, name, told)
            until(lambda: len(told) >= 80, what="80 pushes")
            serving.send_signal(signal.SIGKILL)
            serving.wait(10)
    assert 80 <= len(told) < len(names)
    kept = {row["external_id"] for row in aside.rows("SELECT external_id FROM binding")}
    assert {f"t-{name}" for name in told} <= kept
    assert aside.orphans() == dict.fromkeys(aside.orphans(), 0)

    hub = start_hub()
    with ThreadPoolExecutor(16) as pushers:
        list(pushers.map(lambda name: push_again(hub, name), names))
    assert hub.counts()["cases"] == hub.counts()["binding"] == len(names)
    assert hub.orphans() == dict.fromkeys(hub.orphans(), 0)
    assert hub.summary()["balance"]["holds"]


def answers(address: str) -> bool:
    """Is anybody there?"""
    try:
        return httpx.get(f"{address}/api/health", trust_env=False, verify=False).status_code == 200
    except httpx.TransportError:
        return False


def pushed_to(client: httpx.Client, name: str, told: list[str]) -> None:
    """Push once; the name goes to `told` when the hub said that it has it."""
    made = ticket(name)
    try:
        answer = client.post(made.url.path, content=made.content, headers=made.headers)
    except httpx.TransportError:
        return
    if answer.status_code == 200 and answer.json()["custom"].get("code") == "1":
        told.append(name)


def push_again(hub: HubUnderTest, name: str) -> None:
    """Push to a hub that may know it already; either way it says success."""
    made = ticket(name)
    answer = hub.client.post(made.url.path, content=made.content, headers=made.headers)
    assert answer.json()["custom"]["code"] == "1"
