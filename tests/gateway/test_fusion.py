"""Modes of fusion on real sockets and a real database: mirrored, compared, taken over, rolled back, and killed."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from canonical.clock import Clock
from canonical.lifecycle import ActionKind
from gateway.ladder import rung_notices
from gateway.work import Role
from routing.book import Book
from routing.ticking import tick
from routing.trade_rules import Rung
from tests.gateway import forked
from tests.gateway.conftest import StartHub
from tests.gateway.lead_platform import BACK, BILL, LED, LITTER, NAME, OURS, Platform, city, loaded, platform
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, HubUnderTest, until
from tests.routing.clock_city import at
from tests.routing.fusion_city import LED as LED_HERE
from tests.routing.fusion_city import FusionDesk, by_lead

MOVE = {"system": NAME, "class": LITTER, "by": "李", "reason": "比对一致", "dry_run": False}


@pytest.fixture
def command() -> Iterator[Platform]:
    with platform() as one:
        yield one


def kinds(hub: HubUnderTest, number: str) -> list[str]:
    return [event["action"]["kind"] for event in hub.case(number)["events"]]


def move(hub: HubUnderTest, kind: str, **changes: Any) -> dict[str, Any]:
    answer = hub.client.post("/api/fusion/move", json=MOVE | {"kind": kind} | changes, headers=hub.centre)
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


def told(hub: HubUnderTest) -> None:
    """Deliver until nothing waits for the platform; the city's other systems are away."""
    hub.start_worker(frozenset({Role.DELIVER}))
    waiting = f"SELECT count(*) AS n FROM delivery_open WHERE system = '{NAME}'"
    until(lambda: hub.rows(waiting)[0]["n"] == 0, what="telling the platform")
    hub.stop_worker()


def gridhub(folder: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line on this city and database."""
    return forked.run([*words], surroundings(folder, url))


def surroundings(folder: Path, url: str) -> dict[str, str]:
    own = {"GRIDHUB_CONFIG": str(folder), "GRIDHUB_DATABASE_URL": url, "GRIDHUB_CENTRE_TOKEN": CENTRE_SECRET}
    return {**os.environ, **ENVIRONMENT, **own, "COLUMNS": "80", "NO_COLOR": "1"}


def test_a_lead_systems_cases_are_mirrored_and_nothing_is_sent(
    start_hub: StartHub, tmp_path: Path, command: Platform
) -> None:
    hub = start_hub(loaded=loaded(city(tmp_path / "city", LED, url=command.url)))

    command.all_say(hub, ["A1"], "new")
    command.all_say(hub, ["A1"], "given", unit="芜湖市环境卫生管理处", till="2099-01-01 12:00")
    command.all_say(hub, ["A1"], "closed", words="已清运")
    command.all_say(hub, ["A1"], "closed", words="已清运")

    assert kinds(hub, "A1") == ["collect", "file", "dispatch", "sign", "dispose", "check", "close"]
    case = hub.case("A1")
    assert case["result"] == "已清运"
    assert [one["unit"] for one in case["assignments"]] == ["3402-sanitation"]
    told(hub)
    assert hub.counts()["delivery"] == 0
    assert command.told == []
    assert set(hub.orphans().values()) == {0}


def test_both_decisions_are_compared_class_by_class(start_hub: StartHub, tmp_path: Path, command: Platform) -> None:
    folder = city(tmp_path / "city", LED, url=command.url)
    hub = start_hub(loaded=loaded(folder))
    command.all_say(hub, ["A1"], "filed")
    ours = hub.rows("SELECT ours FROM shadow WHERE step = 'file'")
    assert ours == [{"ours": "file"}]
    theirs = hub.rows("SELECT CAST(state AS text) AS s FROM cases")[0]["s"]
    assert '"lead_system": "command"' in theirs

    command.all_say(hub, ["A1"], "given", unit="3402-police", till="2099-01-01 12:00")
    [given] = hub.rows("SELECT ours, ours_due FROM shadow WHERE step = 'dispatch'")
    command.all_say(hub, ["A2"], "given", unit=given["ours"], till="2099-01-01 12:00")
    command.all_say(hub, ["A3"], "refused")
    command.all_say(hub, ["B1"], "given", kind="bill", unit="3402-market")

    view = hub.get("/api/fusion/comparison")
    by_class = {one["class_code"]: one for one in view["classes"]}
    litter = by_class[LITTER]
    assert (litter["cases"], litter["filed"], litter["filed_same"]) == (3, 3, 2)
    assert (litter["given"], litter["unit_same"], litter["unit_open"]) == (2, 1, 0)
    assert (litter["due"], litter["due_same"], litter["due_sooner"]) == (2, 0, 2)
    assert litter["agreement"] == {"filing": 0.6667, "unit": 0.5, "due": 0.0, "on_time": None}
    assert by_class[BILL]["cases"] == 1
    wrong_unit = [one for one in view["differing"] if one["theirs"] == "3402-police"]
    assert [one["ours"] for one in wrong_unit] == [given["ours"]]
    assert wrong_unit[0]["why"].startswith("responsibility.csv R")

    shown = gridhub(folder, hub.database_url, "fusion", "compare")
    assert shown.returncode == 0, shown.stderr
    assert "no base" in shown.stdout
    assert "66.7%" in shown.stdout
    journey = gridhub(folder, hub.database_url, "case", "show", "A1").stdout
    assert "led by command 牵头" in journey
    assert f"~ ours 影子: dispatch -> {given['ours']}, due 2" in journey
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_on_time_by_both_reckonings(start_hub: StartHub, tmp_path: Path, command: Platform) -> None:
    hub = start_hub(loaded=loaded(city(tmp_path / "city", LED, url=command.url)))
    for id_, till in (("A1", "2099-01-01 12:00"), ("A2", "2020-01-01 12:00")):
        command.all_say(hub, [id_], "given", unit="3402-sanitation", till=till)
        command.all_say(hub, [id_], "closed")

    [litter] = hub.get("/api/fusion/comparison")["classes"]

    assert (litter["done"], litter["on_time_both"], litter["on_time_ours"], litter["on_time_theirs"]) == (2, 1, 1, 0)
    assert litter["agreement"]["on_time"] == 0.5


def test_a_class_is_taken_over_and_rolled_back_and_every_case_has_one_centre(
    start_hub: StartHub, tmp_path: Path, command: Platform
) -> None:
    folder = city(tmp_path / "city", LED, url=command.url)
    before = start_hub(loaded=loaded(folder))
    command.all_say(before, ["A1", "A2", "A3", "A4"], "new")
    command.all_say(before, ["A2"], "given", unit="3402-sanitation")
    command.all_say(before, ["A3"], "closed", unit="3402-sanitation")
    command.all_say(before, ["B1"], "given", kind="bill", unit="3402-market")
    refused = before.client.post(
        "/api/fusion/move", json=MOVE | {"kind": "take_over", "class": "E1"}, headers=before.centre
    )
    assert refused.status_code == 422
    assert move(before, "take_over") | {"some_that_stay": 0} == {
        "system": NAME, "class": LITTER, "dry_run": False, "seen": 3, "moved": 0, "some_that_stay": 0,
        "stay": [{"why": "by fusion.csv command leads its class", "cases": 3}], "not_told": "",
    }  # fmt: skip

    city(folder, LED, OURS)
    hub = start_hub(loaded=loaded(folder))
    assert move(hub, "take_over", dry_run=True)["moved"] == 3
    assert command.told == []
    assert move(hub, "take_over")["moved"] == 3
    told(hub)
    assert sorted(command.told_of("take_over")) == ["A1", "A2", "A4"]
    assert kinds(hub, "A1") == ["collect", "take_over", "file", "dispatch"]
    assert kinds(hub, "B1") == ["collect", "file", "dispatch"], "another class stays"
    command.all_say(hub, ["A2"], "closed")
    assert hub.case("A2")["stage"] == "disposed", "its unit did the work; the hub checks and closes"
    hub.act(hub.case("A2")["no"], kind="check", result="好")
    assert command.say(hub, "A1", "filed") != "", "it leads no more, and is told so"
    command.all_say(hub, ["A9"], "new")
    assert hub.case("A9")["stage"] == "dispatched"

    city(folder, LED, OURS, BACK)
    again = start_hub(loaded=loaded(folder))
    back = move(again, "hand_back", reason="暂停试点")
    assert back["seen"] == back["moved"] + sum(one["cases"] for one in back["stay"]) == 3
    told(again)
    leads = {row["id"]: row["lead"] for row in again.rows(_LEADS)}
    assert set(command.cases) == set(leads), "no case is lost"
    assert sorted(command.told_of("hand_back")) == sorted(one for one in ("A1", "A4", "A9") if leads[one] == NAME)
    assert leads["B1"] == NAME
    assert set(again.orphans().values()) == {0}


_LEADS = """
SELECT b.external_id AS id, coalesce(c.state ->> 'lead_system', '') AS lead
  FROM cases c JOIN binding b ON b.case_id = c.id AND b.system = 'command' AND b.body ->> 'role' = 'source'
"""
_TAKEN = """
SELECT count(*) AS cases, count(DISTINCT e.case_id) FILTER (WHERE e.action = 'take_over') AS taken,
       count(*) FILTER (WHERE e.action = 'take_over') - count(DISTINCT e.case_id) FILTER (WHERE e.action = 'take_over')
         AS twice
  FROM cases c LEFT JOIN event e ON e.case_id = c.id AND e.action = 'take_over'
"""


def test_killed_while_it_takes_over_it_goes_on_and_takes_none_twice(
    start_hub: StartHub, tmp_path: Path, command: Platform
) -> None:
    folder = city(tmp_path / "city", LED, url=command.url)
    hub = start_hub(loaded=loaded(folder))
    ids = [f"A{number}" for number in range(620)]
    command.all_say(hub, ids, "new")
    city(folder, LED, OURS)
    words = ("fusion", "take-over", NAME, LITTER, "--reason", "比对一致", "--by", "李")

    def taken() -> int:
        return int(hub.rows("SELECT count(*) AS n FROM event WHERE action = 'take_over'")[0]["n"])

    env = surroundings(folder, hub.database_url)
    for part in (1, 201):
        process = forked.start([*words], env)
        until(lambda: taken() >= part, what="taking some over")  # noqa: B023 asked at once
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.2)
    ended = gridhub(folder, hub.database_url, *words)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    [counted] = hub.rows(_TAKEN)
    assert counted == {"cases": 620, "taken": 620, "twice": 0}
    [sent] = hub.rows("SELECT count(*) AS n, count(DISTINCT case_id) AS d FROM delivery WHERE message = 'told'")
    assert sent["n"] == sent["d"] == 620
    assert set(hub.orphans().values()) == {0}


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("fusion", "take-over", "nobody", LITTER, "--reason", "x"), 5, "leads no class"),
        (("fusion", "take-over", NAME, "E04", "--reason", "x"), 2, "no class pattern"),
        (("fusion", "compare", "--since", "2026-03-01", "--until", "2026-01-01"), 2, "since lies after until"),
        (("fusion", "compare", "--since", "gestern"), 2, "since: 'gestern' is not a time"),
        (("fusion", "compare", "--class", "zz"), 2, "'zz' is no class pattern"),
        (("fusion", "status"), 0, "lead-system mode 牵头模式"),
    ],
)
def test_the_command_line_says_what_to_do(
    database_url: str, tmp_path: Path, words: tuple[str, ...], code: int, text: str
) -> None:
    done = gridhub(city(tmp_path / "city", LED), database_url, *words)

    assert done.returncode == code, done.stdout + done.stderr
    assert text in done.stdout + done.stderr


@pytest.mark.parametrize(("rows", "notices"), [((LED_HERE,), 0), ((), 1)], ids=["led", "ours"])
def test_the_ladder_tells_nobody_of_a_case_that_another_leads(rows: tuple[str, ...], notices: int) -> None:
    desk = FusionDesk(*(rows or ("F1,*,hub,,2026-05-01T00:00,x",)))
    rung = Rung(Clock.DISPOSAL, "due", notify=("值班长",))
    desk.city = replace(desk.city, rules=replace(desk.city.rules, ladder=(rung,)))
    desk.take(by_lead("G1", ActionKind.DISPATCH, unit="u1"))
    desk.now = at("05-20 18:00")
    book = Book(desk.known(), desk.city, desk.now, desk.id)

    tick(book, desk.case.id)

    assert [event.action.told.step for event in book.changes.events if event.action.told][-1] == "+1 work_hour"
    assert len(rung_notices(book, desk.id)) == notices


@pytest.mark.parametrize("words", ["status", "compare"])
def test_who_only_looks_needs_no_systems_secret(database_url: str, tmp_path: Path, words: str) -> None:
    folder = city(tmp_path / "city", LED)
    env = {name: value for name, value in surroundings(folder, database_url).items() if name not in ENVIRONMENT}

    done = forked.run(["fusion", words], env)

    assert done.returncode == 0, done.stdout + done.stderr
