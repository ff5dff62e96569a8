"""A device that tells once and then nothing more: what the clock alone brings about."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from canonical.alarm import AlarmPolicy
from canonical.case import Case
from canonical.lifecycle import Stage
from canonical.message import Verdict
from routing.storm import Decision, elapsed
from tests.routing.intake_city import verdicts
from tests.routing.test_storm import CASE, COUNT, OPEN, Device, after, case_of
from tests.routing.test_storm_intake import AlarmDesk, alarmed, telling

TOLD = UUID(int=3)


class Once(Device):
    """A device whose tellings the journal keeps."""

    def say(self, second: float, active: bool | float = True, **more: Any) -> Decision:
        return self.tell(second, active, message_id=TOLD, **more)

    def clock(self, second: float) -> Decision | None:
        """What the clock brings about at this second."""
        told = elapsed(self.state, self.cap, self.policy, self._case(), now=after(second))
        if told is None:
            return None
        self.state, self.cap, self.last = told.state, told.cap, told
        if told.decision is OPEN:
            self.opened += 1
            self.stage, self.closed_at = Stage.FILED, None
            self.state = self.state.model_copy(update={"case_id": CASE})
        return told.decision

    def _case(self) -> Case | None:
        return case_of(self.stage, closed_at=self.closed_at) if self.state.case_id else None


def due(device: Device) -> float | None:
    """Seconds after the beginning at which the clock is to look."""
    at = device.state.due_at
    return None if at is None else (at - after(0)).total_seconds()


def test_what_was_told_once_opens_its_case_when_it_has_lasted_and_is_counted_once() -> None:
    device = Once(hold=30)
    assert device.say(0) is COUNT
    assert (due(device), device.state.message_id) == (30, TOLD)

    assert [device.clock(29.9), device.clock(30), device.clock(31)] == [None, OPEN, None]
    assert (device.state.told, device.state.since_case, device.opened, due(device)) == (1, 1, 1, None)
    assert device.say(40) is COUNT
    assert device.text == "its case is open"


def test_back_to_normal_before_it_has_lasted_opens_nothing_and_the_next_alarm_begins_anew() -> None:
    device = Once(hold=30)
    device.say(0)
    device.say(20, False)
    assert (due(device), device.state.message_id) == (None, None)
    assert device.clock(60) is None
    device.say(100)
    assert (due(device), device.clock(130)) == (130, OPEN)


def test_a_flapping_device_never_lasts() -> None:
    device = Once(hold=30)
    for second in range(0, 600, 20):
        device.say(second, second % 40 == 0)
        assert device.clock(second + 19) is None
    assert (device.opened, device.state.told) == (0, 30)


def test_every_further_telling_moves_nothing_that_has_begun() -> None:
    device = Once(hold=30)
    for second in (0, 10, 20):
        device.say(second)
        assert due(device) == 30
    device.say(20, at=20)  # word for word
    device.say(25, at=5)  # late
    assert (due(device), device.clock(30)) == (30, OPEN)


def test_a_telling_that_came_late_has_lasted_from_when_we_heard_it() -> None:
    device = Once(hold=30)
    device.say(300, at=0)
    assert due(device) == 330  # "back to normal" may be on its way behind it


def test_the_clock_does_not_replace_tellings_that_are_asked_for() -> None:
    device = Once(hold=30, times=2)
    device.say(0)
    assert due(device) is None
    device.say(10)
    assert (due(device), device.clock(30)) == (30, OPEN)


def test_without_a_report_there_is_nothing_to_open_a_case_of_and_an_earlier_one_is_kept() -> None:
    device = Once(hold=30)
    device.say(0, may_open=False)
    assert due(device) is None
    device.say(1)
    device.tell(2, may_open=False, message_id=UUID(int=9))
    assert (due(device), device.state.message_id) == (30, TOLD)


def test_told_in_the_quiet_time_it_gets_its_case_at_the_end_of_it() -> None:
    device = Once(quiet=60, hold=5)
    device.say(0)
    device.clock(5)
    device.close(10)
    device.say(11)
    assert due(device) == 70
    device.close(30)  # taken up again meanwhile, and closed later
    assert (device.clock(70), due(device)) == (COUNT, 90)
    assert device.clock(90) is OPEN
    assert device.opened == 2


def test_what_waits_for_a_clearing_does_not_wait_for_the_clock() -> None:
    device = Once(rearm="cleared", quiet=60)
    device.say(0)
    device.close(10)
    device.say(11)
    assert due(device) is None


def test_a_case_that_was_opened_again_meanwhile_is_enough() -> None:
    device = Once(quiet=60)
    device.say(0)
    device.close(10)
    device.say(11)
    device.stage = Stage.HANDLING
    assert (device.clock(70), due(device), device.opened) == (COUNT, None, 1)


def test_what_the_storm_cap_withheld_gets_its_case_when_there_is_room_and_is_withheld_once() -> None:
    first, second = Once(cap=1, cap_window=100), Once(cap=1, cap_window=100)
    first.say(0)
    second.cap = first.cap
    assert second.say(10) is COUNT
    assert (due(second), second.state.capped) == (100, 1)
    third = Once(cap=1, cap_window=100)
    third.cap = second.cap
    third.say(20)
    assert third.clock(100) is OPEN
    second.cap = third.cap
    assert (second.clock(100), due(second)) == (COUNT, 200)
    assert second.cap is not None
    assert (second.cap.withheld, second.state.capped) == (2, 1)
    second.say(150, False)
    assert second.clock(200) is None


def test_what_the_clock_finds_the_storm_cap_full_for_is_counted_as_withheld_once() -> None:
    first, second = Once(cap=1, cap_window=100, hold=5), Once(cap=1, cap_window=100, hold=5)
    first.say(0)
    second.say(0)
    assert first.clock(5) is OPEN
    second.cap = first.cap
    assert [second.clock(5), due(second), second.state.capped] == [COUNT, 105, 1]
    assert second.cap is not None
    second.cap = second.cap.model_copy(update={"opened": (after(50),)})
    assert [second.clock(105), due(second), second.state.capped, second.cap.withheld] == [COUNT, 150, 1, 1]


def test_a_device_that_is_silent_for_too_long_opens_nothing_any_more() -> None:
    device = Once(hold=30, forget=60)
    device.say(0)
    assert (device.clock(61), due(device)) == (COUNT, None)


def test_no_time_that_can_be_declared_is_too_long_for_a_calendar() -> None:
    device = Once(hold=1e300, quiet=1e300)
    device.say(0)
    assert device.state.due_at == after(0) + timedelta(days=366)


# --- at intake ---


def judged(desk: AlarmDesk, arrival: Any, at: datetime) -> Any:
    """What the clock makes of the kept message of this telling."""
    desk.now = at
    [outcome] = desk.take(arrival.__class__(arrival.message, arrival.content, waited=True))
    return outcome


def test_the_kept_telling_becomes_the_case_and_its_row_says_so() -> None:
    desk = AlarmDesk(alarmed({"*": AlarmPolicy(hold=30)}))
    once = telling("a")
    assert verdicts(desk.take(once)) == [Verdict.COUNTED]
    row = desk.journal[once.message.id]
    assert (row.verdict, row.is_report, row.text) == (Verdict.COUNTED, False, "held back: active for 0 of 30 s")

    early = judged(desk, once, after(29))
    assert (early.verdict, desk.journal[once.message.id]) == (Verdict.COUNTED, row)
    outcome = judged(desk, once, after(30))
    [case] = desk.cases.values()
    assert (outcome.verdict, outcome.case_no) == (Verdict.CASE, case.no)
    row = desk.journal[once.message.id]
    assert (row.verdict, row.is_report, row.case_id) == (Verdict.CASE, True, case.id)
    assert (desk.state().case_id, desk.state().told, desk.state().due_at) == (case.id, 1, None)

    assert judged(desk, once, after(31)).verdict is Verdict.COUNTED
    assert len(desk.cases) == 1
    assert desk.journal[once.message.id] == row


def test_a_telling_that_another_one_has_followed_opens_nothing_by_the_clock() -> None:
    desk = AlarmDesk(alarmed({"*": AlarmPolicy(hold=30)}))
    first, second = telling("a"), telling("b", 5)
    desk.take(first, second)

    assert judged(desk, first, after(31)).verdict is Verdict.COUNTED
    assert judged(desk, second, after(31)).verdict is Verdict.CASE
