"""Cases all the way round, through the simulated systems over real sockets: seven steps, and every way back."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from canonical.lifecycle import ENDED
from canonical.time import SHANGHAI
from simulators import SYSTEMS, Behaviour, Setup, running
from simulators.hotline_12345.envelope import pushed
from simulators.hotline_12345.ticket import first_task
from simulators.social_governance.event import snapshot
from simulators.urban_management.matter import found_case
from tests.gateway.running import CENTRE_SECRET, SECRET, STILL, City, Side, until

StartCity = Callable[..., City]
NOW = datetime(2026, 3, 16, 9, 40, tzinfo=SHANGHAI)


def seed_where(system: str, about: str, fits: Callable[[Any], bool]) -> int:
    """A seed with which the system's first case is such a one: what happens first depends on the seed alone."""
    for seed in range(5000):
        if fits(SYSTEMS[system](Setup("", "", seed)).dice(about, 1)):
            return seed
    raise AssertionError(f"no seed gives {system} such a first case")


def ticket_seed(accord_type: str, district: str, **fields: str) -> int:
    """A seed whose first call to the hotline is about this, in this district, by somebody who gave a number."""
    wanted = {"accordType": accord_type, "rqstAreaCode": district, "isSecret": "0", **fields}

    def fits(dice: Any) -> bool:
        task = first_task(dice, 1, NOW)
        return wanted.items() <= dict(task.fields).items()

    return seed_where("hotline_12345", "ticket", fits)


LAMP = ticket_seed("0401", "340202", replayType="20")
"""A street lamp: the municipal lighting office, on the urban management platform, at any hour."""
LITTER = ticket_seed("0301", "340202", replayType="20")
"""Exposed litter in 镜湖区: the street's office, on the social governance platform, at any hour."""
CARD = ticket_seed("1201", "340202", replayType="20")
"""A prepaid card: the market bureau, which has no system."""


def kinds(case: Mapping[str, Any]) -> list[str]:
    """What was done, in order; remarks left out."""
    return [event["action"]["kind"] for event in case["events"] if event["action"]["kind"] != "comment"]


def sent(case: Mapping[str, Any], system: str = "") -> list[str]:
    """What was sent about the case and acknowledged, in order."""
    assert {row["state"] for row in case["deliveries"]} <= {"acknowledged"}
    return [row["message"] for row in case["deliveries"] if system in ("", row["system"])]


def reported(city: City, side: Side) -> str:
    """Let the side report its first case; the hub's number of it."""
    [external_id] = side.emit()
    case = city.hub.until_stage(external_id, "dispatched", "handling", "disposed", "returned", "closed")
    return str(case["no"])


def test_a_call_about_a_street_lamp_goes_round_through_the_urban_management_platform(start_city: StartCity) -> None:
    city = start_city(seed=LAMP)
    number = reported(city, city.hotline)

    disposed = city.hub.until_stage(number, "disposed")
    assert disposed["queue"] == "to_check"
    assert [assignment["system"] for assignment in disposed["assignments"]] == ["urban_management"]
    [letter] = city.urban.received("Service.asmx")
    assert f"&lt;ItemID&gt;{number}-1&lt;/ItemID&gt;" in letter["body"]

    closed = city.hub.act(number, kind="check", result="现场核实已恢复")
    assert closed["stage"] == "closed"
    case = city.hub.until_stage(number, "evaluated")
    city.settled()

    assert kinds(case) == ["collect", "file", "dispatch", "sign", "dispose", "check", "close", "evaluate"]
    parties = [event["action"]["actor"]["party"] for event in case["events"]]
    assert parties == ["source", "hub", "hub", "owner", "owner", "centre", "hub", "source"]
    assert sorted(sent(case)) == ["feedback", "letter", "sign"]
    assert case["evaluation"] == "satisfied"
    [task] = city.hotline.items()
    [feedback] = city.hotline.received("feedback")
    assert task["state"] == "satisfied"
    assert '"taskStatus": "80"' in feedback["body"] or '"taskStatus":"80"' in feedback["body"]
    assert case["result"] in feedback["body"]
    [letter_item] = city.urban.items()
    assert letter_item["state"] == "finished"
    assert {(b["system"], b["role"], b["external_id"]) for b in case["bindings"]} == {
        ("hotline_12345", "source", task["id"]), ("urban_management", "owner", letter_item["guid"]),
    }  # fmt: skip


def test_a_call_about_litter_goes_round_through_the_social_governance_platform(start_city: StartCity) -> None:
    city = start_city(seed=LITTER)
    number = reported(city, city.hotline)
    city.hub.until_stage(number, "disposed")
    city.hub.act(number, kind="check", result="现场核实已清理")
    case = city.hub.until_stage(number, "evaluated")
    city.settled()

    assert kinds(case) == ["collect", "file", "dispatch", "sign", "dispose", "check", "close", "evaluate"]
    assert sorted(sent(case)) == ["feedback", "report_event", "sign"]
    [event] = city.grid.items()
    assert (event["state"], event["reference"], event["kind"]) == ("3", f"{number}-1", "reported")
    verdicts = city.hub.rows(
        "SELECT verdict FROM message WHERE system = 'social_governance' AND direction = 'in' ORDER BY at, id"
    )
    assert [row["verdict"] for row in verdicts] == ["applied", "repeated", "applied"]  # ES 1, 2 and 3


def test_the_urban_platforms_own_case_is_pulled_and_worked_by_the_platform_itself(start_city: StartCity) -> None:
    def lamp_in_jinghu(dice: Any) -> bool:
        fields = dict(found_case(dice, 1, NOW).fields)
        return fields["SmallClassCode"] == "0137" and fields["GridCode"].startswith("340202")

    city = start_city(seed=seed_where("urban_management", "case", lamp_in_jinghu))
    number = reported(city, city.urban)
    city.hub.until_stage(number, "disposed")
    city.hub.act(number, kind="check", result="核查通过")
    city.settled()

    case = city.hub.case(number)
    assert kinds(case) == ["collect", "file", "dispatch", "sign", "dispose", "check", "close"]
    assert case["source"] == case["owner"] == "urban_management"
    assert sent(case) == ["status", "status"]  # A when filed, F when closed; no letter about its own case
    [item] = city.urban.items()
    counts = city.urban.summary()
    assert item["state"] == "finished"
    assert (counts["told_accepted"], counts["told_finished"], counts.get("letters", 0)) == (1, 1, 0)


def snapshot_seed(fits: Callable[[Any], bool]) -> int:
    return seed_where("social_governance", "snapshot", lambda dice: fits(snapshot(dice, 1, NOW)))


def test_a_snapshot_handed_back_to_its_own_platform_is_examined_and_then_worked(start_city: StartCity) -> None:
    seed = snapshot_seed(lambda event: event.small == "0101")  # a dispute between neighbours: the grid centre's own
    city = start_city(seed=seed)
    number = reported(city, city.grid)
    city.hub.until_stage(number, "disposed")
    city.hub.act(number, kind="check", result="核查通过")
    city.settled()

    case = city.hub.case(number)
    assert kinds(case) == ["collect", "file", "dispatch", "sign", "dispose", "check", "close"]
    assert case["owner"] == "social_governance"
    assert sent(case) == ["examine", "h5_report_event"]
    [item] = city.grid.items()
    assert (item["state"], item["kind"]) == ("3", "snapshot")


def test_a_snapshot_of_a_lamp_is_examined_and_worked_by_the_urban_platform(start_city: StartCity) -> None:
    city = start_city(seed=snapshot_seed(lambda event: event.small == "0501"))
    number = reported(city, city.grid)
    city.hub.until_stage(number, "disposed")
    city.hub.act(number, kind="check", result="核查通过")
    city.settled()

    case = city.hub.case(number)
    assert sent(case, "social_governance") == ["examine"]
    assert sent(case, "urban_management") == ["letter"]
    assert case["stage"] == "closed"
    assert city.grid.items()[0]["state"] == "1"  # examined; nothing in the contract tells it more
    assert city.urban.items()[0]["state"] == "finished"


@pytest.mark.parametrize(("seed", "owner"), [(LAMP, "urban"), (LITTER, "grid")])
def test_a_case_its_owner_returns_goes_to_the_next_unit_and_in_the_end_to_the_centre(
    start_city: StartCity, seed: int, owner: str
) -> None:
    city = start_city(seed=seed)
    city.urban.behave(**{"return": 1, "repeat": 1})  # a return said twice must not return the next round too
    city.grid.behave(**{"return": 1, "repeat": 1})
    number = reported(city, city.hotline)
    city.hub.until_stage(number, "returned")
    city.settled()

    case = city.hub.until_stage(number, "returned")
    rounds = len(case["assignments"])
    units = [assignment["unit"] for assignment in case["assignments"]]
    assert case["queue"] == "returned"
    assert 1 < rounds == len(set(units))
    assert all(assignment["returned_at"] for assignment in case["assignments"])
    assert kinds(case).count("return") == rounds == case["returns"]
    assert city.urban.summary().get("returned", 0) + city.grid.summary().get("returned", 0) == rounds

    city.urban.behave(**{"return": 0})
    city.grid.behave(**{"return": 0})
    city.hub.act(number, kind="arbitrate", unit=units[0], reason="经会商由首办单位办理")
    case = city.hub.until_stage(number, "disposed")
    city.settled()
    assert len(case["assignments"]) == rounds + 1
    references = {binding["reference"] for binding in case["bindings"] if binding["role"] == "owner"}
    assert references == {f"{number}-{round_}" for round_ in range(1, rounds + 2)}
    side: Side = getattr(city, owner)
    assert f"{number}-{rounds + 1}" in str([one["body"] for one in side.received()])


@pytest.mark.parametrize(("seed", "again"), [(LAMP, "status"), (LITTER, "report_event")])
def test_a_dissatisfied_citizen_gets_the_case_worked_again_and_a_second_answer(
    start_city: StartCity, seed: int, again: str
) -> None:
    city = start_city(seed=seed)
    city.hotline.behave(dissatisfied=1)
    number = reported(city, city.hotline)
    city.hub.until_stage(number, "disposed")
    city.hub.act(number, kind="check", result="核查通过")
    city.hub.until_stage(number, "handling", "disposed")
    city.hotline.behave(dissatisfied=0)
    case = city.hub.until_stage(number, "disposed")
    city.settled()

    assert (case["reworks"], case["reports"], case["evaluation"]) == (1, 2, "")
    city.hub.act(number, kind="check", result="再次核查通过")
    case = city.hub.until_stage(number, "evaluated")
    city.settled()

    wanted = ["collect", "file", "dispatch", "sign", "dispose", "check", "close", "evaluate"]
    assert kinds(case) == [*wanted, "join", "rework", "dispose", "check", "close", "evaluate"]
    assert again in sent(case, case["owner"])[1:]
    assert sorted(sent(case, "hotline_12345")) == ["feedback", "feedback", "sign", "sign"]
    first, second = city.hotline.items()
    assert (first["state"], second["state"]) == ("dissatisfied", "satisfied")
    answered = [one["body"] for one in city.hotline.received("feedback")]
    assert [task["id"] in body for task, body in zip((first, second), answered, strict=True)] == [True, True]


def test_an_owner_that_asks_for_more_time_is_passed_on_to_the_hotline(start_city: StartCity) -> None:
    city = start_city(seed=LAMP)
    city.urban.behave(delay=1)
    number = reported(city, city.hotline)
    city.hub.until_stage(number, "disposed")
    city.settled()

    case = city.hub.case(number)
    assert kinds(case)[3:] == ["sign", "ask_extension", "dispose"]
    assert sent(case, "hotline_12345") == ["sign", "delay"]
    [asked] = city.hotline.received("delay")
    assert "工作日" in asked["body"]
    assert city.hotline.summary()["delayed"] == 1


def test_a_cancelled_case_is_taken_back_from_its_owner_and_its_source(start_city: StartCity) -> None:
    city = start_city(seed=LAMP)
    city.urban.behave(pace=60)  # the platform does not come to working on it
    number = reported(city, city.hotline)
    city.hub.until_sent()
    case = city.hub.act(number, kind="cancel", reason="重复诉求，作废")
    assert case["stage"] == "cancelled"
    city.hub.until_sent()

    assert sent(city.hub.case(number)) in (["sign", "letter", "back", "status"], ["letter", "sign", "back", "status"])
    assert city.hotline.items()[0]["state"] == "30"
    assert city.urban.items()[0]["state"] == "void"
    assert city.hub.order(number, kind="check", result="x").status_code == 409


def test_a_ticket_the_hotline_gives_up_is_taken_back_from_its_owner_and_not_answered(start_city: StartCity) -> None:
    city = start_city(seed=LAMP)
    city.urban.behave(pace=60)
    number = reported(city, city.hotline)
    city.hub.until_sent()
    [task] = city.hotline.items()
    params = {
        "taskGuid": task["id"],
        "rowGuid": task["row"],
        "serialNum": task["no"],
        "cstatus": "5",
        "opinion": "重复",
    }
    told = pushed("/in/hotline_12345", params, SECRET, "----cns")
    for _ in range(2):  # every platform repeats itself
        answer = city.hub.client.post(told.path, content=told.body, headers=told.headers)
        assert answer.json()["custom"]["code"] == "1"
    city.hub.until_sent()

    case = city.hub.case(number)
    assert (case["stage"], kinds(case).count("cancel")) == ("cancelled", 1)
    assert sorted(sent(case)) == ["letter", "sign", "status"]
    assert city.urban.items()[0]["state"] == "void"


def test_a_unit_without_a_system_is_served_by_the_desk(start_city: StartCity) -> None:
    city = start_city(seed=CARD)
    number = reported(city, city.hotline)
    waiting = city.hub.case(number)
    assert (waiting["queue"], waiting["owner"]) == ("at_desk", "")
    city.hub.act(number, kind="sign")
    assert city.hub.act(number, kind="dispose", result="商户已退余额")["queue"] == "to_check"
    city.hub.act(number, kind="check", result="已核实")
    case = city.hub.until_stage(number, "evaluated")
    city.settled()

    assert sent(case) == ["sign", "feedback"]
    assert "商户已退余额" in city.hotline.received("feedback")[0]["body"]
    assert city.hotline.items()[0]["state"] == "satisfied"


def test_a_question_the_hotline_itself_must_answer_waits_at_the_desk_and_gets_its_answer(
    start_city: StartCity,
) -> None:
    city = start_city(seed=ticket_seed("1401", "340202"))
    number = reported(city, city.hotline)
    waiting = city.hub.case(number)
    assert (waiting["assignments"][0]["unit"], waiting["queue"]) == ("3402-hotline", "at_desk")
    city.hub.act(number, kind="sign")
    city.hub.act(number, kind="dispose", result="已答复所需材料和地点")
    city.hub.act(number, kind="check", result="已核实")
    city.settled()

    assert sent(city.hub.case(number)) == ["sign", "feedback"]
    assert city.hotline.items()[0]["state"] == "filed_away"


TROUBLED = {
    "return": 0.2, "delay": 0.2, "dissatisfied": 0.3, "repeat": 0.2, "garbage": 0.2, "assist": 0.2, "amend": 0.3,
}  # fmt: skip
"""Everything that people and platforms do, often."""


def test_sixty_cases_of_all_sources_end_with_books_that_balance_and_sides_that_agree(
    start_city: StartCity, capfd: pytest.CaptureFixture[str]
) -> None:
    city = start_city(seed=2026)
    for side in city.sides.values():
        side.behave(**TROUBLED)
    desk_setup = Setup(
        city.hub.url, CENTRE_SECRET, 3, Behaviour().changed(STILL | {"pace": 0.1, "rework": 0.2}), quiet=False,
        options={"leave": "0"},
    )  # fmt: skip
    with running("centre_desk", desk_setup) as (_, desk):
        for _ in range(3):
            for side, number in ((city.hotline, 10), (city.urban, 5), (city.grid, 5)):
                side.emit(number)

        def ended() -> bool:
            books = city.hub.summary()
            owed = [case for case in city.hub.cases() if case["stage"] not in ENDED]
            return bool(books["cases"]["all"] >= 60 and not books["queues"] and not owed)

        until(lambda: ended() and city.settled() and ended(), seconds=90, what="emptying every queue")
        assert desk.failures == []
    books = city.settled()
    city.hub.stop_worker()

    assert books["balance"]["holds"], books
    assert books["messages"]["parked"] == 0, city.hub.get("/api/parked")
    stuck = [city.hub.case(case["no"]) for case in city.hub.cases() if case["stage"] not in ENDED]
    journeys = [(case["source"], case["stage"], case["owner"], kinds(case)) for case in stuck]
    assert journeys == []  # nobody works any more: nobody may still owe anything
    one_each(city)
    assert city.hub.orphans() == dict.fromkeys(city.hub.orphans(), 0)
    agree(city)
    protected(city, capfd.readouterr())


HOTLINE_STATES = {
    "refused": {"30"},
    "cancelled": {"30"},
    "closed": {"80", "filed_away", "dissatisfied"},
    "evaluated": {"satisfied", "dissatisfied", "filed_away"},
}
"""What the hotline may think of a task whose case stands there."""


def agree(city: City) -> None:
    """Both sides think the same of every case, and no side knows a case twice."""
    cases = {case["no"]: city.hub.case(case["no"]) for case in city.hub.cases()}
    of_binding = {
        (binding["system"], binding["external_id"]): case for case in cases.values() for binding in case["bindings"]
    }
    wrong = []
    for task in city.hotline.items():
        case = of_binding["hotline_12345", task["id"]]
        if task["state"] not in HOTLINE_STATES.get(case["stage"], {"10", "20"}):
            wrong.append((task["id"], task["state"], case["no"], case["stage"]))
    references = [
        f"{case['no']}-{assignment['round']}"
        for case in cases.values()
        for assignment in case["assignments"]
        if assignment["system"] == "urban_management" and case["source"] != "urban_management"
    ]
    letters = [item["id"] for item in city.urban.items() if item["kind"] == "letter"]
    assert sorted(letters) == sorted(references)
    for item in city.urban.items():
        if item["kind"] == "case":
            assert ("urban_management", item["id"]) in of_binding
    for item in city.grid.items():
        assert ("social_governance", item["id"]) in of_binding
    assert wrong == []


def one_each(city: City) -> None:
    """One case for each matter: a further task of a ticket opens a case only where the earlier ones were given up."""
    cases = city.hub.cases()
    by_source = Counter(case["source"] for case in cases)
    assert (by_source["urban_management"], by_source["social_governance"]) == (15, 15)
    row_of = {task["id"]: task["row"] for task in city.hotline.items()}
    stages: dict[str, list[str]] = {}
    for case in cases:
        if case["source"] == "hotline_12345":
            bindings = city.hub.case(case["no"])["bindings"]
            [row] = {row_of[one["external_id"]] for one in bindings if one["system"] == "hotline_12345"}
            stages.setdefault(row, []).append(case["stage"])
    assert len(stages) == 30
    for several in stages.values():
        assert set(several[:-1]) <= {"refused", "cancelled"}


def protected(city: City, captured: tuple[str, str]) -> None:
    """No name, number or word of a citizen in any log line; no whole name or number in any answer of the API."""
    people = city.hub.rows(
        "SELECT state->'reporter'->>'phone' AS phone, state->'reporter'->>'name' AS name,"
        " state->>'description' AS description, no FROM cases"
    )
    logs = "".join(captured)
    assert "deliveries.settled" in logs
    phones = {row["phone"] for row in people if row["phone"]}
    assert len(phones) > 20
    for row in people:
        assert not row["description"] or row["description"] not in logs
        assert not row["name"] or row["name"] not in logs
    answers = "".join(city.hub.client.get(f"/api/cases/{row['no']}", headers=city.hub.centre).text for row in people)
    answers += str(city.hub.get("/api/cases", limit=500)) + str(city.hub.get("/api/journal", limit=500))
    for phone in phones:
        assert phone not in logs
        assert "*" in phone or phone not in answers
