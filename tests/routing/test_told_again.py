"""A message delivered again counts once; a state told again in the same words counts. Low alarms mirror high ones."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from canonical.alarm import AlarmPolicy
from canonical.message import Verdict
from canonical.reading import Reading
from canonical.records import Arrival
from tests.routing.intake_city import verdicts
from tests.routing.test_storm import COUNT, OPEN, Device
from tests.routing.test_storm_intake import AlarmDesk, alarmed, telling

TWICE = alarmed({"smoke": AlarmPolicy(times=2)})


def heard(
    second: float, *, digest: str = "a1", clock: bool = False, redelivered: bool = False, key: str = "one"
) -> Arrival:
    """A telling of a device that has one id for ever, received at this second."""
    arrival = telling(key, second)
    assert isinstance(arrival.content, Reading)
    assert arrival.content.alarm is not None
    at = telling(key, 0).content.alarm.at if clock else None  # type: ignore[union-attr]
    alarm = arrival.content.alarm.model_copy(update={"digest": digest, "redelivered": redelivered, "at": at})
    return replace(arrival, content=arrival.content.model_copy(update={"alarm": alarm}))


def test_a_telling_delivered_twice_is_told_once_and_opens_nothing() -> None:
    desk = AlarmDesk(TWICE)
    assert verdicts(desk.take(heard(0), heard(1, redelivered=True))) == [Verdict.COUNTED, Verdict.REPEATED]
    assert (desk.state().told, desk.state().in_a_row, len(desk.cases)) == (1, 1, 0)


def test_the_same_words_without_a_mark_are_a_telling_of_their_own() -> None:
    desk = AlarmDesk(TWICE)
    assert verdicts(desk.take(heard(0), heard(10))) == [Verdict.COUNTED, Verdict.CASE]


def test_a_marked_message_that_was_never_told_counts() -> None:
    desk = AlarmDesk(TWICE)
    desk.take(heard(0))
    assert verdicts(desk.take(heard(1, digest="b2", redelivered=True))) == [Verdict.CASE]


def test_the_telling_that_opened_a_case_is_known_when_it_comes_again() -> None:
    desk = AlarmDesk(alarmed())
    [opened] = desk.take(heard(0))
    [again] = desk.take(heard(1, redelivered=True))
    assert (again.verdict, again.case_no, desk.state().told) == (Verdict.REPEATED, opened.case_no, 1)


@pytest.mark.parametrize(("second", "verdict"), [(2, Verdict.REPEATED), (3600, Verdict.COUNTED)])
def test_a_dated_telling_that_comes_again_soon_is_a_repetition_without_a_mark(second: float, verdict: Verdict) -> None:
    desk = AlarmDesk(alarmed())
    desk.take(heard(0, clock=True))
    assert verdicts(desk.take(heard(second, clock=True))) == [verdict]


def retained(second: float, digest: str) -> Arrival:
    """What the broker remembers of the topic, told at this second to whoever begins to listen."""
    arrival = heard(second, digest=digest)
    assert isinstance(arrival.content, Reading)
    assert arrival.content.alarm is not None
    alarm = arrival.content.alarm.model_copy(update={"retained": True})
    return replace(arrival, content=arrival.content.model_copy(update={"alarm": alarm}))


def test_what_a_broker_remembers_is_no_news_after_a_restart_unless_something_else_was_told_since() -> None:
    desk = AlarmDesk(alarmed())
    desk.take(heard(0))
    desk.close()
    assert verdicts(desk.take(retained(600, "a1"))) == [Verdict.REPEATED]
    assert verdicts(desk.take(heard(700, digest="b2"))) == [Verdict.CASE]
    desk.close()
    assert verdicts(desk.take(retained(900, "a1"))) == [Verdict.CASE]


def test_what_the_storm_cap_withheld_is_withheld_once() -> None:
    desk = AlarmDesk(alarmed({"smoke": AlarmPolicy(cap=1)}))
    desk.take(telling("x", 0, device="other"), heard(1), heard(2, redelivered=True))
    assert (desk.state().capped, desk.caps["iot", "smoke"].withheld) == (1, 1)


def test_only_so_many_messages_are_remembered_of_a_device() -> None:
    desk = AlarmDesk(alarmed())
    for number in range(300):
        desk.take(heard(number, digest=f"{number}"))
    assert desk.state().heard.split() == [f"{number}" for number in range(44, 300)]


def test_a_low_alarm_is_raised_below_and_cleared_above() -> None:
    device = Device(raise_below=2.0, clear_above=3.0)
    told = [device.tell(second, value) for second, value in enumerate([4.0, 2.0, 2.9, 3.0])]
    assert (told, device.state.active) == ([COUNT, OPEN, COUNT, COUNT], True)
    device.tell(9, 3.1)
    assert not device.state.active


def test_a_value_may_be_too_low_and_too_high() -> None:
    device = Device(raise_below=2.0, raise_at=8.0)
    active = []
    for second, value in enumerate([5.0, 1.0, 5.0, 9.0, 5.0]):
        device.tell(second, value)
        active.append(device.state.active)
    assert active == [False, True, False, True, False]


@pytest.mark.parametrize(
    ("policy", "finding"),
    [
        ({"raise_at": 5, "clear_below": 6}, "clear_below must not be above raise_at"),
        ({"raise_below": 5, "clear_above": 4}, "clear_above must not be below raise_below"),
        ({"raise_below": 5, "raise_at": 5}, "no value would be normal"),
        ({"raise_below": 1, "clear_above": 7, "raise_at": 9, "clear_below": 6}, "no value would be normal"),
    ],
)
def test_thresholds_that_contradict_each_other_are_refused(policy: dict[str, Any], finding: str) -> None:
    with pytest.raises(ValidationError, match=finding):
        AlarmPolicy(**policy)
