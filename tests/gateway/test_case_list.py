"""The list of cases at the API: what old clients ask is answered as ever, and what people ask now beside it."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.hub import clock
from tests.gateway.conftest import StartHub
from tests.gateway.pushes import grid, hotline, record, ticket
from tests.gateway.running import HubUnderTest


@pytest.fixture
def hub(hub: HubUnderTest) -> HubUnderTest:
    """With seven cases of the hotline and one of the grid platform."""
    for number in range(7):
        assert hotline(ticket(str(number))).to(hub).json()["custom"]["code"] == "1"
    assert grid(record("8")).to(hub).json()["Ret"] == 0
    return hub


def numbers(page: Any) -> list[str]:
    """Of the cases of a page."""
    return [case["no"] for case in page["items"]]


def test_pages_of_the_old_kind_are_what_they_were(hub: HubUnderTest) -> None:
    first = hub.get("/api/cases", limit=5)
    second = hub.get("/api/cases", limit=5, after=first["next"])

    assert first["next"] == numbers(first)[-1]
    assert second["next"] is None
    assert numbers(first) + numbers(second) == sorted(numbers(first) + numbers(second))
    assert len({*numbers(first), *numbers(second)}) == 8
    assert first["items"][0]["reporter"]["phone"] == "138****0777"


def test_the_newest_stand_first_and_open_work_stands_by_when_it_is_due(hub: HubUnderTest) -> None:
    newest, due = hub.get("/api/cases", order="newest", limit=3), hub.get("/api/cases", order="due")
    following = hub.get("/api/cases", order="newest", limit=500, after=newest["next"])

    every = numbers(hub.get("/api/cases"))
    assert numbers(newest) + numbers(following) == every[::-1]
    times = [case["due_at"] for case in due["items"]]
    assert times == sorted(times)
    assert len(times) == 7


FILTERS = (
    ({"class": "30428.2:P01"}, 7), ({"class": "30428.2:"}, 7), ({"area": "340202"}, 7), ({"area": "99"}, 0),
    ({"owner": "urban_management", "level": "city"}, 7), ({"level": "street"}, 0), ({"channel": "电话"}, 7),
    ({"received_from": "2020-01-01"}, 8), ({"received_until": "2020-01-01T00:00:00+08:00"}, 0),
    ({"due_before": "2020-01-01"}, 0), ({"due_before": "2999-01-01"}, 7), ({"overdue": "true"}, 0),
    ({"due_before": "2999-01-01", "overdue": "true"}, 0),
)  # fmt: skip


def test_filters_hold_together(hub: HubUnderTest) -> None:
    found = [(asked, len(hub.get("/api/cases", **asked)["items"])) for asked, _ in FILTERS]

    assert found == list(FILTERS)


def test_overdue_is_what_was_due_before_now(start_hub: StartHub) -> None:
    early = start_hub()
    assert hotline(ticket("1")).to(early).json()["custom"]["code"] == "1"
    late = start_hub(doors=False)
    late.now = lambda: clock() + timedelta(days=60)
    late.open_doors()

    assert numbers(late.get("/api/cases", overdue="true")) == numbers(late.get("/api/cases"))
    assert numbers(early.get("/api/cases", overdue="true")) == []


MALFORMED = (
    "order=x", "order=newest&after=34022026", "order=due&after=x", "area=x", "area=3402020010010010", "level=x",
    "received_from=soon", "received_until=2026-13-01", "due_before=1", "overdue=perhaps", "class=%00", "unit=%00",
    "channel=%00", "received_from=2026-11-29T08:00:00+08:00", f"class={'x' * 65}",
)  # fmt: skip


def test_a_question_that_cannot_be_answered_says_why(hub: HubUnderTest) -> None:
    for question in MALFORMED:
        answer = hub.client.get(f"/api/cases?{question}", headers=hub.centre)
        assert answer.status_code == 422, question
        assert answer.json()["error"]["text"], question
