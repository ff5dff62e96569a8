"""What waits in the centre's queues and which clocks are in trouble: counted and listed, the same as case by case."""

from collections import Counter
from typing import Any

import pytest

from canonical.rights import Role
from tests.console.case_desk import CaseDesk, case_desk
from tests.gateway.conftest import StartHub
from tests.gateway.joint_city import Hours
from tests.gateway.people_desk import Desk

COUNTED = ("overdue", "near", "suspended", "provisional", "arbitration")


@pytest.fixture
def story(start_hub: StartHub) -> CaseDesk:
    """A hub with cases in all states."""
    hours, hub = Hours(), start_hub(doors=False)
    hub.now = hours.now
    hub.open_doors()
    return case_desk(hub, hours)


def clocks(desk: CaseDesk) -> list[dict[str, Any]]:
    """Every clock that has not ended, case by case."""
    found = []
    for case in desk.hub.cases():
        if case["stage"] in ("refused", "closed", "evaluated", "cancelled", "merged"):
            continue
        whole = desk.hub.case(case["no"])
        found += [
            one | {"no": case["no"], "stage": case["stage"]} for one in whole["clocks"] if one["state"] != "stopped"
        ]
    return found


def key(one: dict[str, Any]) -> tuple[str, str, str]:
    return (one.get("no") or one["case_no"], one["clock"], one["of"])


def listed(desk: CaseDesk, **asked: Any) -> list[tuple[str, str, str]]:
    """What the list has, page after page."""
    found, after = [], ""
    while True:
        page = desk.hub.get("/api/clocks", limit=7, after=after, **asked)
        found += [key(one) for one in page["items"]]
        after = page["next"]
        if after is None:
            return found


def test_each_state_has_the_clocks_that_stand_so_whatever_the_page(story: CaseDesk) -> None:
    every = clocks(story)
    running = [one for one in every if one["state"] == "running" and one["due_at"]]
    wanted = {
        "suspended": [key(one) for one in every if one["state"] == "paused"],
        "arbitration": [key(one) for one in running if one["stage"] == "returned"],
        "near": [key(one) for one in running if not one["overdue"]],
        "running": [key(one) for one in running],
        "provisional": [key(one) for one in running if one["provisional"]],
    }
    assert wanted["suspended"]
    assert wanted["arbitration"]

    found = {state: listed(story, state=state, within="366d") for state in wanted}
    assert {state: sorted(keys) for state, keys in found.items()} == {s: sorted(k) for s, k in wanted.items()}
    [paused] = {one["resume_at"] for one in story.hub.get("/api/clocks", state="suspended")["items"]}
    assert paused is not None


def test_counts_are_those_of_the_lists_whatever_they_are_counted_by(story: CaseDesk) -> None:
    lists = {
        "overdue": listed(story, overdue="true"), "near": listed(story, state="near", within="2d"),
        "suspended": listed(story, state="suspended"), "provisional": listed(story, state="provisional"),
        "arbitration": listed(story, state="arbitration", within="366d"),
    }  # fmt: skip
    for by in ("unit", "system", "clock"):
        items = story.hub.get("/api/clocks/counts", by=by, within="2d")["items"]
        assert {name: sum(one[name] for one in items) for name in COUNTED} == {k: len(v) for k, v in lists.items()}, by
        assert [one["overdue"] for one in items] == sorted((one["overdue"] for one in items), reverse=True)
    by_clock = {one["key"]: one["overdue"] for one in story.hub.get("/api/clocks/counts", by="clock")["items"]}
    assert {name: count for name, count in by_clock.items() if count} == Counter(
        clock for _, clock, _ in lists["overdue"]
    )


def test_queues_are_counted_within_what_one_may_see(story: CaseDesk) -> None:
    waiting = Counter(case["queue"] for case in story.hub.cases() if case["queue"])
    found = {one["queue"]: one["count"] for one in story.hub.get("/api/queues")["items"]}
    assert found == waiting
    assert len(found) >= 6

    people = Desk(story.hub)
    with people.stack:
        street = people.person("street", Role.STREET_CENTRE, areas=["340202016"])
        own = Counter(case["queue"] for case in street.get("/api/cases?limit=500").json()["items"] if case["queue"])
        assert {one["queue"]: one["count"] for one in street.get("/api/queues").json()["items"]} == own
        assert own != waiting
        administrator = people.person("keeper", Role.ADMINISTRATOR)
        assert administrator.get("/api/queues").status_code == 403


def test_what_cannot_be_counted_is_said(story: CaseDesk) -> None:
    for question in ("by=x", "state=x", "within=soon", "unit=nobody", "system=%00", "clock=x"):
        path = "/api/clocks" if question.startswith("state") else "/api/clocks/counts"
        answer = story.hub.client.get(f"{path}?{question}", headers=story.hub.centre)
        assert answer.status_code in (404, 422), question
        assert answer.json()["error"]["text"], question
