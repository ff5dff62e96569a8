"""What nobody meant to say about time, at the doors and from the centre: refused in words that help, or counted once.

The hub's clock counts; what the other side's clock says is kept beside it and moves nothing.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from canonical.time import SHANGHAI
from gateway.configuration import Configuration
from tests.gateway.conftest import StartHub
from tests.gateway.lamps import actions, given, instant, says
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest


def refusal(hub: HubUnderTest, case: dict[str, Any], **order: Any) -> str:
    """The words in which an order is refused; the case is as it was."""
    before = hub.case(case["no"])["version"]
    answer = hub.order(case["no"], **order)
    assert (answer.status_code, hub.case(case["no"])["version"]) == (409, before), answer.text
    return str(answer.json()["error"]["text"])


def lamp(hub: HubUnderTest) -> dict[str, Any]:
    """A case that is with its unit."""
    assert hotline(ticket()).to(hub).json()["custom"]["code"] == "1"
    return hub.case("t-1")


def test_what_was_not_suspended_is_not_resumed_and_what_stands_still_is_not_suspended_again(hub: HubUnderTest) -> None:
    case = lamp(hub)
    assert "resume is not possible from dispatched; possible: " in refusal(hub, case, kind="resume", reason="好了")

    till = (datetime.now(SHANGHAI) + timedelta(days=3)).isoformat()
    hub.act(case["no"], kind="suspend", reason="雨", until=till)

    assert "suspend is not possible from suspended" in refusal(hub, case, kind="suspend", reason="雨", until=till)
    assert "ask_extension is not possible from suspended" in refusal(hub, case, kind="ask_extension", reason="雨")
    assert "possible from suspended" in refusal(hub, case, kind="dispose", result="好")


def test_a_suspension_ends_later_than_now(hub: HubUnderTest) -> None:
    case = lamp(hub)
    for until in ("2020-01-01T00:00:00+08:00", "0001-01-01T00:00:00+00:00"):
        assert "later than now" in refusal(hub, case, kind="suspend", reason="雨", until=until)
    assert "may last until" in refusal(hub, case, kind="suspend", reason="雨", until="9999-12-31T00:00:00+08:00")
    said = hub.order(case["no"], kind="suspend", reason="雨", until="2026-12-31T00:00:00")
    assert (said.status_code, "timezone" in said.text) == (422, True)  # a moment without its offset is none


@pytest.mark.parametrize("value", [100_000, 1])
def test_an_extension_of_any_length_is_granted_as_far_as_the_rule_goes(hub: HubUnderTest, value: int) -> None:
    case = lamp(hub)
    hub.act(case["no"], kind="ask_extension", reason="等料", limit={"value": value, "unit": "work_day"})
    assert "waits for an answer" in refusal(
        hub, case, kind="ask_extension", reason="等料", limit={"value": 1, "unit": "work_hour"}
    )
    hub.act(case["no"], kind="endorse", by="chief")
    assert "another person" in refusal(hub, case, kind="grant_extension", by="chief")
    extended = hub.act(case["no"], kind="grant_extension", by="centre")
    assert instant(extended["due"]["at"]) > instant(case["due"]["at"])


def test_a_completion_dated_before_the_receipt_stops_the_clock_when_it_came(
    start_hub: StartHub, with_lamps: Configuration
) -> None:
    hub, case = given(start_hub, with_lamps)
    long_ago = datetime.now(SHANGHAI) - timedelta(days=400)
    assert says(hub, case, "got") == ""
    assert says(hub, case, "ready", at=f"{long_ago:%Y-%m-%d %H:%M:%S}") == ""
    assert says(hub, case, "got") == ""  # late, and known: nothing happens

    done = [one for one in actions(hub, case) if one["kind"] in {"sign", "dispose"}]
    assert [one["kind"] for one in done] == ["sign", "dispose"]
    assert instant(done[1]["stated_at"]).date() == long_ago.date()
    clocks = {one["clock"]: one for one in hub.case(case["no"])["clocks"]}
    assert instant(clocks["disposal"]["stopped_at"]) == instant(done[1]["at"]) >= instant(done[0]["at"])


def test_a_completion_that_comes_before_the_receipt_counts_and_the_receipt_that_follows_is_a_repeat(
    start_hub: StartHub, with_lamps: Configuration
) -> None:
    hub, case = given(start_hub, with_lamps)
    assert says(hub, case, "ready", at=f"{datetime.now(SHANGHAI):%Y-%m-%d %H:%M:%S}") == ""
    assert says(hub, case, "got") == ""
    assert says(hub, case, "wait", till="2099-01-01") != ""

    assert [one["kind"] for one in actions(hub, case)][-1] == "dispose"


def test_a_completion_dated_after_its_receipt_by_us_is_refused_with_how_far_is_too_far(
    start_hub: StartHub, with_lamps: Configuration
) -> None:
    hub, case = given(start_hub, with_lamps)
    ahead = datetime.now(SHANGHAI) + timedelta(days=2)
    assert "more than 1 days ahead" in says(hub, case, "ready", at=f"{ahead:%Y-%m-%d %H:%M:%S}")
    assert actions(hub, case)[-1]["kind"] == "dispatch"
