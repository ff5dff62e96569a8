"""What one telling of a device comes to: a case, a count, or the word that the condition is over."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from canonical.alarm import Alarm, AlarmPolicy, AlarmState, CapState
from canonical.case import Case
from canonical.lifecycle import Stage
from routing.storm import Decision, Told, policy_of, tell
from tests.routing.intake_city import NOW

OPEN, COUNT, ANNOTATE = Decision.OPEN, Decision.COUNT, Decision.ANNOTATE
CASE = UUID(int=7)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def case_of(stage: Stage, **facts: Any) -> Case:
    """A case with nothing but its stage, collected at the beginning."""
    return Case(id=CASE, no="1", sequence=1, stage=stage, version=1, source="iot", received_at=NOW, **facts)


class Device:
    """One smoke detector and what is remembered of it. Every case it opens stands where `stage` says."""

    def __init__(self, **policy: Any) -> None:
        self.policy = AlarmPolicy(**policy)
        self.state = AlarmState(system="iot", device="d1", kind="smoke")
        self.cap: CapState | None = None
        self.stage = Stage.FILED
        self.closed_at: datetime | None = None
        self.opened = 0
        self.last: Told | None = None

    def tell(self, second: float, active: bool | float = True, *, at: float | None = None, **more: Any) -> Decision:
        """Told at this second, by the device's clock too unless `at` says otherwise. A number is a measured value."""
        value = None if isinstance(active, bool) else active
        alarm = Alarm(
            device="d1", kind="smoke", active=active is True, value=value,
            at=after(second if at is None else at) if more.pop("clock", True) else None,
        )  # fmt: skip
        case = case_of(self.stage, closed_at=self.closed_at) if self.state.case_id else None
        self.last = tell(
            self.state, self.cap, alarm, self.policy, case, received_at=after(second), now=after(second), **more
        )  # fmt: skip
        self.state, self.cap = self.last.state, self.last.cap
        if self.last.decision is OPEN:
            self.opened += 1
            self.stage, self.closed_at = Stage.FILED, None
            self.state = self.state.model_copy(update={"case_id": CASE})
        return self.last.decision

    def close(self, second: float) -> None:
        """Its case has been closed."""
        self.stage, self.closed_at = Stage.CLOSED, after(second)

    @property
    def text(self) -> str:
        """Why, of the last telling."""
        assert self.last is not None
        return self.last.text


def test_the_first_active_telling_opens_a_case_and_every_later_one_is_counted() -> None:
    device = Device()

    assert [device.tell(second) for second in (0, 10, 20, 30)] == [OPEN, COUNT, COUNT, COUNT]
    assert (device.state.told, device.state.since_case, device.state.in_a_row) == (4, 4, 4)
    assert device.text == "its case is open"


def test_a_device_that_is_normal_opens_nothing() -> None:
    device = Device()

    assert [device.tell(second, False) for second in (0, 10)] == [COUNT, COUNT]
    assert (device.state.active, device.state.told, device.state.since, device.state.in_a_row) == (False, 2, None, 0)


def test_an_alarm_is_believed_only_after_so_many_tellings_in_a_row() -> None:
    device = Device(times=3)

    assert [device.tell(0), device.tell(1), device.tell(2, False), device.tell(3), device.tell(4)] == [COUNT] * 5
    assert device.text == "held back: told 2 of 3 times in a row"
    assert device.tell(5) is OPEN


def test_an_alarm_is_believed_only_after_it_has_lasted() -> None:
    device = Device(hold=30)

    assert [device.tell(0), device.tell(29), device.tell(29.5, False), device.tell(40), device.tell(69)] == [COUNT] * 5
    assert device.text == "held back: active for 29 of 30 s"
    assert device.tell(70) is OPEN


def test_between_the_two_thresholds_the_former_state_stays() -> None:
    device = Device(raise_at=80, clear_below=70)

    told = [device.tell(i, value) for i, value in enumerate([75.0, 79.9, 80.0, 75.0, 70.0, 69.9, 75.0, 79.9])]

    assert told == [COUNT, COUNT, OPEN, COUNT, COUNT, ANNOTATE, COUNT, COUNT]
    assert device.state.active is False


def test_the_value_decides_over_what_the_device_says_when_there_is_a_threshold() -> None:
    policy, state = AlarmPolicy(raise_at=80), AlarmState(system="iot", device="d", kind="level")

    def told(*, active: bool, value: float | None) -> bool:
        alarm = Alarm(device="d", kind="level", active=active, value=value)
        return tell(state, None, alarm, policy, None, received_at=NOW, now=NOW).state.active

    assert told(active=False, value=80) is True
    assert told(active=True, value=79) is False
    assert told(active=True, value=None) is True
    assert told(active=True, value=float("nan")) is True, "a broken sensor must not hide what the device says"


def test_without_a_threshold_to_raise_only_a_value_below_the_other_clears() -> None:
    policy = AlarmPolicy(clear_below=70)
    active = AlarmState(system="iot", device="d", kind="level", active=True, since=NOW)

    def told(value: float | None) -> bool:
        alarm = Alarm(device="d", kind="level", active=False, value=value)
        return tell(active, None, alarm, policy, None, received_at=NOW, now=NOW).state.active

    assert [told(70), told(69), told(None)] == [True, False, False]


def test_an_open_case_is_told_once_that_the_condition_is_over_and_how_often_it_was_told() -> None:
    device = Device()
    told = [device.tell(second, second < 3) for second in range(6)]

    assert told == [OPEN, COUNT, COUNT, ANNOTATE, COUNT, COUNT]
    assert device.opened == 1
    device = Device()
    device.tell(0)
    device.tell(1, False)
    assert device.text == "设备恢复正常 (told 2 times)"


def test_a_second_clearing_is_told_again_unless_the_alarm_before_it_was_only_a_flap() -> None:
    device = Device(times=2)
    device.tell(0)
    device.tell(1)

    assert device.tell(2, False) is ANNOTATE
    assert device.state.in_a_row == 0
    assert [device.tell(3), device.tell(4, False)] == [COUNT, COUNT]
    assert [device.tell(5), device.tell(6), device.tell(7, False)] == [COUNT, COUNT, ANNOTATE]


def test_the_first_clearing_is_told_even_when_the_policy_has_become_stricter_meanwhile() -> None:
    device = Device()
    device.tell(0)
    device.policy = AlarmPolicy(times=5)

    assert device.tell(1, False) is ANNOTATE


def test_nothing_is_annotated_on_a_case_that_has_ended() -> None:
    device = Device()
    device.tell(0)
    device.close(5)

    assert device.tell(10, False) is COUNT


def test_a_still_active_device_gets_a_new_case_once_the_last_has_ended() -> None:
    device = Device()
    device.tell(0)
    device.close(10)

    assert device.tell(11) is OPEN
    assert (device.state.since_case, device.state.told) == (1, 2)


def test_after_a_case_has_ended_no_new_one_is_opened_for_the_quiet_time() -> None:
    device = Device(quiet=60)
    device.tell(0)
    device.close(10)

    assert [device.tell(11), device.tell(69)] == [COUNT, COUNT]
    assert device.text == "quiet for 1 s more after its last case"
    assert device.tell(70) is OPEN


def test_a_cancelled_case_is_quiet_from_the_last_that_is_known_of_it() -> None:
    device = Device(quiet=60)
    device.tell(0)
    device.stage = Stage.CANCELLED
    assert device.tell(1, False) is COUNT

    assert [device.tell(59), device.tell(60)] == [COUNT, OPEN]


def test_where_a_device_must_clear_first_it_stays_without_a_case_until_it_was_normal() -> None:
    device = Device(rearm="cleared")
    device.tell(0)
    device.close(10)

    assert [device.tell(11), device.tell(12)] == [COUNT, COUNT]
    assert device.text == "not normal since its last case"
    assert [device.tell(13, False), device.tell(14)] == [COUNT, OPEN]
    device.close(15)
    assert device.tell(16) is COUNT, "that it was normal before this case does not count"


def test_a_telling_that_comes_late_is_counted_and_changes_nothing() -> None:
    device = Device()
    device.tell(0)
    device.tell(10)
    before = device.state

    assert device.tell(20, False, at=5) is COUNT
    assert device.state == before.model_copy(update={"told": 3, "since_case": 3})


def test_a_repeat_word_for_word_is_counted_and_does_not_help_it_to_be_believed() -> None:
    device = Device(times=2)

    assert [device.tell(0), device.tell(3, at=0), device.tell(6, at=0)] == [COUNT, COUNT, COUNT]
    assert device.text == "told before, word for word"
    assert (device.state.told, device.state.in_a_row) == (3, 1)
    assert device.tell(9) is OPEN


def test_two_tellings_of_a_device_without_a_clock_are_two_even_at_one_moment() -> None:
    device = Device(times=2)

    assert [device.tell(0, clock=False), device.tell(0, clock=False)] == [COUNT, OPEN]


def test_a_clock_more_than_a_day_ahead_does_not_silence_its_device() -> None:
    device = Device()
    device.tell(0, False, at=86_401)

    assert device.state.seen_at == NOW
    assert device.tell(10) is OPEN


def test_a_clock_less_than_a_day_ahead_is_believed() -> None:
    device = Device()
    device.tell(0, at=86_400)

    assert device.state.seen_at == after(86_400)


def test_a_device_that_was_silent_for_long_starts_anew() -> None:
    device = Device(forget=100, times=2, rearm="cleared")
    device.tell(0)

    assert device.tell(101) is COUNT
    assert (device.state.in_a_row, device.state.since) == (1, after(101))
    device.tell(102)
    assert device.opened == 1
    device.close(103)
    assert device.tell(104) is COUNT
    assert [device.tell(205), device.tell(206)] == [COUNT, OPEN]
    assert device.state.told == 6


def test_a_silent_device_whose_case_is_open_gets_no_second_one() -> None:
    device = Device(forget=100)
    device.tell(0)

    assert device.tell(1000) is COUNT
    assert device.tell(2000, False) is ANNOTATE


def test_the_storm_cap_withholds_openings_and_says_how_many() -> None:
    cap: CapState | None = None
    states: dict[int, AlarmState] = {}
    opened: list[float] = []
    policy = AlarmPolicy(cap=3, cap_window=100)

    def told(device: int, second: float) -> Told:
        nonlocal cap
        state = states.get(device, AlarmState(system="iot", device=str(device), kind="smoke"))
        alarm = Alarm(device=str(device), kind="smoke", active=True, at=after(second))
        case = case_of(Stage.FILED) if state.case_id else None
        result = tell(state, cap, alarm, policy, case, received_at=after(second), now=after(second))
        cap, states[device] = result.cap, result.state
        if result.decision is OPEN:
            opened.append(second)
            states[device] = result.state.model_copy(update={"case_id": CASE})
        return result

    for device in range(10):
        told(device, device)

    assert opened == [0, 1, 2]
    assert cap is not None
    assert (cap.withheld, len(cap.opened)) == (7, 3)
    assert states[9].capped == 1
    assert told(9, 99).text == "withheld by the storm cap: 3 cases in 100 s"
    assert told(9, 100).decision is OPEN, "it is still active, and the window has moved on"
    assert told(8, 100.5).decision is COUNT
    assert (states[9].capped, states[8].capped) == (2, 2)


def test_without_a_cap_the_storm_cap_remembers_nothing() -> None:
    device = Device()
    device.tell(0)

    assert device.cap is None


def test_a_telling_without_a_report_opens_nothing_and_uses_up_nothing() -> None:
    device = Device(cap=1)

    assert device.tell(0, may_open=False) is COUNT
    assert device.cap is None
    assert device.tell(1) is OPEN


def test_a_case_that_is_not_to_be_seen_counts_as_open() -> None:
    state = AlarmState(system="iot", device="d", kind="smoke", case_id=CASE, since_case=1, told=1)
    alarm = Alarm(device="d", kind="smoke", active=True)

    assert tell(state, None, alarm, AlarmPolicy(), None, received_at=NOW, now=NOW).decision is COUNT


@pytest.mark.parametrize(("kind", "times"), [("smoke", 2), ("level", 3)])
def test_a_kind_has_its_own_policy_or_that_of_every_other(kind: str, times: int) -> None:
    assert policy_of({"smoke": AlarmPolicy(times=2), "*": AlarmPolicy(times=3)}, kind).times == times


def test_a_system_without_policies_opens_a_case_for_every_new_alarm() -> None:
    assert policy_of({}, "smoke") == AlarmPolicy()
