"""A platform asks for time in its own words: a suspension, an extension, a return that says what it rests on."""

from datetime import datetime, timedelta

from canonical.time import SHANGHAI
from gateway.configuration import Configuration
from tests.gateway.conftest import StartHub
from tests.gateway.lamps import actions, given, instant, says


def test_a_suspension_is_asked_to_a_day_and_granted_to_its_end(start_hub: StartHub, with_lamps: Configuration) -> None:
    hub, case = given(start_hub, with_lamps)
    day = datetime.now(SHANGHAI).date() + timedelta(days=30)

    assert says(hub, case, "wait", till=str(day)) == ""
    assert says(hub, case, "wait", till=str(day)) == ""  # told again
    assert [one["kind"] for one in actions(hub, case)].count("ask_suspension") == 1
    suspended = hub.act(case["no"], kind="suspend", reason="同意")

    assert suspended["stage"] == "suspended"
    granted = instant(actions(hub, case)[-1]["until"])
    assert (str(granted.date()), f"{granted:%H:%M:%S}") == (str(day), "23:59:59")
    assert hub.case(case["no"])["deliveries"][-1]["message"] == "decided"


def test_a_suspension_is_asked_for_so_many_days_and_no_longer_than_the_rule_allows(
    start_hub: StartHub, with_lamps: Configuration
) -> None:
    hub, case = given(start_hub, with_lamps)

    assert "may last until" in says(hub, case, "wait_long", days=366, of="天")
    assert says(hub, case, "wait_long", days=10, of="天") == ""

    asked = actions(hub, case)[-1]
    assert instant(asked["until"]) - instant(asked["at"]) == timedelta(days=10)


def test_an_extension_to_a_moment_ends_at_that_moment(start_hub: StartHub, with_lamps: Configuration) -> None:
    hub, case = given(start_hub, with_lamps)
    due = instant(case["due"]["at"])
    till = due + timedelta(minutes=90)

    assert "later than the limit it moves" in says(hub, case, "later", till=f"{due:%Y-%m-%d} 00:00")
    assert says(hub, case, "later", till=f"{till:%Y-%m-%d %H:%M}") == ""
    hub.act(case["no"], kind="endorse", by="chief")
    extended = hub.act(case["no"], kind="grant_extension", by="centre")

    assert timedelta(0) <= till - instant(extended["due"]["at"]) < timedelta(minutes=1)


def test_a_return_arrives_with_what_it_rests_on(start_hub: StartHub, with_lamps: Configuration) -> None:
    hub, case = given(start_hub, with_lamps)

    assert "a return rests on one of: duty 不属本单位职责" in says(hub, case, "back")
    assert says(hub, case, "back", ground="2") == ""

    [returned] = [one for one in actions(hub, case) if one["kind"] == "return"]
    assert (returned["basis"], returned["reason"]) == ("area", "等灯具到货")
