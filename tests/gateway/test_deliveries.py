"""Deliveries as the console and the command line show them, and what people decide about those that wait for them."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.gateway.outside import gridhub, push
from tests.gateway.pushes import NAME, PHONE, hotline, ticket
from tests.gateway.running import City, HubUnderTest, until

HOTLINE, URBAN, GRID = "hotline_12345", "urban_management", "social_governance"
WHO = {"actor": "operator-7", "reason": "示例原因"}


def listed(hub: HubUnderTest, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = hub.get("/api/deliveries", **query)["items"]
    return items


def one(hub: HubUnderTest, number: str, system: str, message: str) -> dict[str, Any]:
    [found] = [row for row in listed(hub, case=number, system=system) if row["message"] == message]
    shown: dict[str, Any] = hub.get(f"/api/deliveries/{found['id']}")
    return shown


def decide(hub: HubUnderTest, delivery: str, what: str, **order: Any) -> httpx.Response:
    return hub.client.post(f"/api/deliveries/{delivery}/{what}", json=order, headers=hub.centre)


def refused(city: City, name: str = "refused") -> tuple[str, dict[str, Any]]:
    """The number of a case whose letter the owner refuses, and that delivery."""
    city.urban.behave(refuse=1)
    number = push(city.hub, name)
    until(lambda: one(city.hub, number, URBAN, "letter")["state"] == "refused", what="the refusal")
    city.urban.behave(refuse=0)
    return number, one(city.hub, number, URBAN, "letter")


# Looking


def test_deliveries_are_found_by_system_state_case_and_age(hub: HubUnderTest) -> None:
    first, second = push(hub, "1"), push(hub, "2")
    hub.rows("UPDATE delivery SET created_at = created_at - interval '1 hour' WHERE case_id IN"
             " (SELECT id FROM cases WHERE no = $1)", first)  # fmt: skip
    everything = listed(hub)

    assert {row["case_no"] for row in everything} == {first, second}
    assert {row["system"] for row in listed(hub, system=URBAN)} == {URBAN}
    assert {row["case_no"] for row in listed(hub, case=second)} == {second}
    assert {row["case_no"] for row in listed(hub, min_age=600)} == {first}
    assert listed(hub, state="parked") == []
    assert listed(hub, state=["parked", "pending"]) == everything
    assert [row["id"] for row in listed(hub, order="oldest")] == [row["id"] for row in reversed(everything)]


def test_pages_follow_one_another_without_a_gap(hub: HubUnderTest) -> None:
    for number in range(3):
        push(hub, f"{number}")
    everything = [row["id"] for row in listed(hub)]
    assert len(everything) >= 3
    for order, wanted in (("newest", everything), ("oldest", everything[::-1])):
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = hub.get("/api/deliveries", limit=2, order=order, **after)
            seen += [row["id"] for row in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert seen == wanted


def test_counts_are_those_of_what_is_unfinished_whatever_is_asked_for(hub: HubUnderTest) -> None:
    push(hub, "1")
    counts = hub.get("/api/deliveries", state="acknowledged")["counts"]
    told = hub.rows("SELECT count(*) AS n FROM delivery WHERE system = $1", URBAN)[0]["n"]

    assert counts[URBAN] == {"pending": told, "sent": 0, "in_doubt": 0, "refused": 0, "parked": 0}
    assert set(counts) == set(hub.configuration.systems)


def test_one_delivery_shows_each_attempt_and_answer_of_its_own_and_no_body(city: City) -> None:
    number, letter = refused(city)
    city.hub.act(number, kind="cancel", reason="市民撤诉")
    status = one(city.hub, number, URBAN, "status")

    out, answer = letter["messages"]
    assert (out["direction"], out["kind"], out["system"]) == ("out", "letter", URBAN)
    assert (answer["direction"], answer["verdict"]) == ("answer", "refused")
    assert out["id"] == next(
        str(row["message_id"]) for row in city.hub.rows("SELECT message_id FROM delivery WHERE id = $1", letter["id"])
    )
    assert "body" not in out
    assert out["size"] > 0
    assert letter["possible"] == ["release", "withdraw"]
    assert (status["messages"], status["possible"]) == ([], [])
    assert [row["id"] for row in status["waits_for"]] == [letter["id"]]

    assert decide(city.hub, letter["id"], "release", **WHO).status_code == 200
    until(lambda: one(city.hub, number, URBAN, "status")["state"] == "acknowledged", what="the lane going on")
    letter, status = one(city.hub, number, URBAN, "letter"), one(city.hub, number, URBAN, "status")
    assert [row["kind"] for row in letter["messages"]] == ["letter"] * 4
    assert {row["kind"] for row in status["messages"]} == {"status"}
    assert status["waits_for"] == []


def test_no_delivery_shows_the_citizen(city: City) -> None:
    assert hotline(ticket("1")).to(city.hub).json()["custom"]["code"] == "1"
    city.settled()
    for row in listed(city.hub):
        told = json.dumps(city.hub.get(f"/api/deliveries/{row['id']}"), ensure_ascii=False)
        assert NAME not in told
        assert PHONE not in told


def test_the_traffic_of_each_system_tells_states_age_switches_and_trouble(city: City) -> None:
    refused(city)
    switched = {"off": True, "actor": "operator-7", "reason": "示例维护"}
    answer = city.hub.client.put(f"/api/systems/{GRID}/switches/sending", json=switched, headers=city.hub.centre)
    assert answer.status_code == 200, answer.text

    traffic = {item["system"]: item for item in city.hub.get("/api/traffic")["items"]}

    assert traffic[URBAN]["deliveries"]["refused"] == traffic[URBAN]["waits_for_a_person"] == 1
    assert (traffic[URBAN]["oldest_seconds"], traffic[URBAN]["switched_off"]) == (0, [])
    [off] = traffic[GRID]["switched_off"]
    assert (off["what"], off["actor"], off["reason"]) == ("sending", "operator-7", "示例维护")
    assert traffic[HOTLINE]["deliveries"]["parked"] == 0


def test_an_open_breaker_is_told_with_its_worker(hub: HubUnderTest) -> None:
    hub.rows(
        "INSERT INTO worker (id, host, pid, roles, started_at, seen_at, breakers)"
        " VALUES (gen_random_uuid(), 'somewhere', 7, 'deliver', now(), now(), $1)", json.dumps({URBAN: "open"}),
    )  # fmt: skip

    traffic = {item["system"]: item for item in hub.get("/api/traffic")["items"]}

    assert traffic[URBAN]["breakers"] == [{"worker": "somewhere:7", "state": "open"}]
    assert traffic[GRID]["breakers"] == []


# Deciding


def test_what_is_released_is_sent_again_and_the_order_is_in_the_journal(city: City) -> None:
    number, letter = refused(city)

    assert decide(city.hub, letter["id"], "release", **WHO).json() == {"id": letter["id"], "done": "release"}

    city.hub.until_stage(number, "disposed", "closed")
    assert one(city.hub, number, URBAN, "letter")["state"] == "acknowledged"
    [row] = [row for row in city.hub.get("/api/journal", system="centre")["items"] if row["door"] == "deliveries"]
    assert (row["verdict"], row["kind"], row["case_no"]) == ("noted", "release", number)
    assert letter["id"] in row["text"]
    assert "operator-7: 示例原因" in row["text"]
    assert city.hub.summary()["balance"]["holds"]
    assert set(city.hub.orphans().values()) == {0}


def test_what_is_withdrawn_is_never_sent_and_keeps_who_and_why(city: City) -> None:
    number, letter = refused(city)
    before = len(city.urban.received())

    assert decide(city.hub, letter["id"], "withdraw", **WHO).status_code == 200

    again = one(city.hub, number, URBAN, "letter")
    assert (again["state"], again["text"], again["possible"]) == ("withdrawn", "operator-7: 示例原因", [])
    city.settled()
    assert [row for row in city.urban.received()[before:] if "letter" in json.dumps(row)] == []


def test_a_second_decision_is_a_conflict_and_changes_nothing(city: City) -> None:
    _, letter = refused(city)
    assert decide(city.hub, letter["id"], "withdraw", **WHO).status_code == 200
    rows = city.hub.counts()["message"]

    for what in ("withdraw", "release"):
        answer = decide(city.hub, letter["id"], what, **WHO)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_waiting")
    assert city.hub.counts()["message"] == rows


@pytest.mark.parametrize(
    "order",
    [
        {}, {"actor": "x"}, {"reason": "x"}, {"actor": "", "reason": "x"}, {"actor": " ", "reason": "x"},
        {"actor": "x", "reason": "\0"}, {"actor": "x" * 65, "reason": "x"}, {"actor": "x", "reason": "x", "more": 1},
        {"actor": ["x"], "reason": "x"}, {"actor": "x", "reason": "x" * 501},
    ],
    ids=str,
)  # fmt: skip
def test_a_decision_without_who_and_why_is_422(order: dict[str, Any], hub: HubUnderTest) -> None:
    answer = decide(hub, str(uuid4()), "release", **order)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["text"]


def test_a_malformed_question_about_deliveries_is_422_and_an_unknown_one_404(hub: HubUnderTest) -> None:
    for question in (
        "deliveries?state=waiting", "deliveries?limit=0", "deliveries?limit=501", "deliveries?after=x",
        "deliveries?system=%00", "deliveries?case=%00", "deliveries?min_age=-1", "deliveries?min_age=99999999999999999",
        "deliveries?order=x", "deliveries/x",
    ):  # fmt: skip
        answer = hub.client.get(f"/api/{question}", headers=hub.centre)
        assert answer.status_code == 422, question
    answer = hub.client.get(f"/api/deliveries/{uuid4()}", headers=hub.centre)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_delivery")
    assert decide(hub, str(uuid4()), "release", **WHO).status_code == 409


# The command line


def test_the_command_line_lists_shows_and_decides(city: City) -> None:
    number, letter = refused(city)
    hub = city.hub

    asked = ("deliveries", "list", "--state", "refused", "--system", URBAN, "--case", number, "--json")
    assert [row["id"] for row in json.loads(gridhub(hub, *asked).stdout)] == [letter["id"]]
    assert gridhub(hub, "deliveries", "list", "--older-than", "1h").stdout.strip() == "0 deliveries"
    shown = gridhub(hub, "deliveries", "show", letter["id"]).stdout
    assert f"refused  case {number}" in shown
    assert letter["messages"][0]["id"] in shown
    assert "urban_management  refused 1" in gridhub(hub, "deliveries", "traffic").stdout
    assert letter["id"] in gridhub(hub, "parked", "list").stdout
    told = gridhub(hub, "deliveries", "withdraw", letter["id"], "--reason", "示例", "--by", "operator-7")
    assert told.returncode == 0, told.stderr
    assert one(hub, number, URBAN, "letter")["text"] == "operator-7: 示例"
    again = gridhub(hub, "deliveries", "release", letter["id"], "--reason", "示例", "--by", "operator-7")
    assert again.returncode == 5


@pytest.mark.parametrize("span", ["x", "5", "-1h", "999999999d", "99999999999999d", "1.5h"])
def test_a_span_that_is_none_is_told(span: str, hub: HubUnderTest) -> None:
    told = gridhub(hub, "deliveries", "list", f"--older-than={span}")
    assert told.returncode == 2, told.stderr
    assert "older-than" in told.stderr
