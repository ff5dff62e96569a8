"""Clocks of a case: what starts, stops, stands still and goes on, and what is told on the way."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessment.calendar import Calendar, calendar_of
from assessment.days import DayType
from canonical.case import Supervision, runs_of
from canonical.clock import Clock, Ledger
from canonical.lifecycle import ActionKind, Stage
from canonical.message import Verdict
from canonical.reading import Reading
from canonical.report import SourceDeadline
from canonical.time import Limit, LimitUnit
from routing.steps import read_step
from tests.routing.clock_city import ClockDesk, at, clock_city
from tests.routing.intake_city import LAMP, by_owner, reported

K = ActionKind
FOUR_HOURS = Limit(value=4, unit=LimitUnit.WORK_HOUR)


def dispatched(**facts: Any) -> ClockDesk:
    """A case that `works` has since 09:30, to be done within 4 working hours: until 15:30."""
    desk = ClockDesk()
    desk.take(reported("hotline", "1", **facts))
    return desk


def clock(desk: ClockDesk, which: Clock, of: str = "") -> Ledger:
    found = desk.case.clock(which, of)
    assert found is not None
    return found


def test_each_clock_starts_with_its_step_and_names_the_row_that_gives_its_budget() -> None:
    desk = dispatched()

    running = {one.clock: (one.basis, one.due.at if one.due else None) for one in desk.case.clocks}
    assert running == {
        Clock.REPLY: ("clocks.csv K5", at("05-27 09:30")),
        Clock.SIGN: ("clocks.csv K3", at("05-20 11:30")),
        Clock.DISPOSAL: ("standards.csv 30428.2:E04-06/1", at("05-20 15:30")),
    }


def test_a_clock_that_waits_for_a_person_runs_until_the_person_acts() -> None:
    desk = dispatched(class_code=LAMP)
    assert clock(desk, Clock.FILE).due.at == at("05-20 15:30")  # type: ignore[union-attr]

    desk.order(K.FILE)

    assert desk.case.clock(Clock.FILE) is None
    stopped = [event for event in desk.events if event.action.kind is K.FILE]
    assert len(stopped) == 1


def test_steps_are_told_once_each_in_order_and_what_was_missed_is_told_late() -> None:
    desk = dispatched()

    assert desk.pass_to(at("05-20 11:29")) == []
    assert desk.pass_to(at("05-20 11:30")) == ["disposal 50%"]
    assert desk.pass_to(at("05-20 11:31")) == []
    assert desk.pass_to(at("05-21 09:00")) == ["disposal 80% late", "disposal due late", "disposal +1 work_hour late"]
    assert desk.pass_to(at("06-21 09:00")) == []


def test_what_is_overdue_climbs_the_ladder() -> None:
    desk = dispatched()
    desk.pass_to(at("05-20 15:31"))

    assert desk.case.supervision is Supervision.YELLOW
    supervised = next(event.action for event in desk.events if event.action.kind is K.SUPERVISE)
    assert "办法第十二条" in supervised.reason


def test_a_suspension_moves_the_due_time_by_the_working_time_it_lasted_and_ends_by_itself() -> None:
    desk = dispatched()
    desk.now = at("05-20 10:30")
    assert desk.order(K.SUSPEND, reason="等雨停", until=at("05-22 10:30")).verdict is Verdict.APPLIED
    assert (desk.case.stage, desk.case.due) == (Stage.SUSPENDED, None)
    assert desk.pass_to(at("05-22 10:29")) == []

    assert desk.pass_to(at("05-22 10:30")) == []

    assert desk.case.stage is Stage.HANDLING
    assert desk.case.due is not None
    assert desk.case.due.at == at("05-22 15:30")
    assert desk.pass_to(at("05-22 11:30")) == ["disposal 50%"]


def test_an_extension_adds_its_budget_behind_and_its_steps_begin_anew() -> None:
    desk = dispatched()
    desk.pass_to(at("05-20 11:30"))
    desk.take(by_owner("works", "w", K.ASK_EXTENSION, reference=desk.case.reference, limit=FOUR_HOURS))
    assert desk.order(K.GRANT_EXTENSION).verdict is Verdict.REFUSED, "the department has not agreed"
    assert desk.order(K.ENDORSE).verdict is Verdict.APPLIED
    assert "another person" in desk.order(K.GRANT_EXTENSION).text
    assert desk.order(K.GRANT_EXTENSION, by="wang").verdict is Verdict.APPLIED

    disposal = clock(desk, Clock.DISPOSAL)
    assert (disposal.extensions, disposal.limits) == (1, (FOUR_HOURS, FOUR_HOURS))
    assert disposal.due is not None
    assert disposal.due.at == at("05-21 09:30")
    assert desk.pass_to(at("05-20 15:30")) == ["disposal 50%"]


def test_a_return_does_not_stop_the_disposal_clock_and_rework_counts_on() -> None:
    desk = dispatched()
    desk.now = at("05-20 10:00")
    desk.take(by_owner("works", "w", K.RETURN, reference=desk.case.reference))
    due = desk.case.due
    assert (due is not None and due.at, clock(desk, Clock.DISPOSAL).started_at) == (
        at("05-20 15:30"),
        at("05-20 09:30"),
    )

    desk.now = at("05-20 11:00")
    desk.take(by_owner("grid", "g", K.DISPOSE, reference=desk.case.reference))
    assert clock(desk, Clock.DISPOSAL).stopped_at == at("05-20 11:00")
    desk.now = at("05-20 11:30")
    desk.order(K.REWORK, reason="未恢复")

    assert desk.case.due == due
    assert clock(desk, Clock.DISPOSAL).running
    assert desk.case.clock(Clock.CHECK) is None


def test_where_the_city_says_so_the_time_of_the_check_is_left_out() -> None:
    rules = clock_city().rules
    city = clock_city(replace(rules, rework=replace(rules.rework, gap=True)))
    desk = ClockDesk(city)
    desk.take(reported("hotline", "1"))
    desk.now = at("05-20 10:30")
    desk.take(by_owner("works", "w", K.DISPOSE, reference=desk.case.reference))
    desk.now = at("05-20 11:30")
    desk.order(K.REWORK, reason="未恢复")

    assert desk.case.due is not None
    assert desk.case.due.at == at("05-20 16:30")


def test_edits_of_a_case_touch_no_clock() -> None:
    desk = dispatched()
    before = desk.case.clocks
    desk.now = at("05-20 10:30")
    desk.order(K.COMMENT, reason="补充")
    desk.take(reported("hotline", "2", case_key="x"), reported("hotline", "1"))

    assert desk.cases[min(desk.cases)].clocks == before


def test_a_new_calendar_moves_open_clocks_only_and_tells_why() -> None:
    desk = dispatched()
    other = ClockDesk(desk.city)
    other.take(reported("hotline", "1"))
    other.take(by_owner("works", "w", K.DISPOSE, reference=other.case.reference))
    calendar = desk.city.calendar
    assert isinstance(calendar, Calendar)
    holiday = calendar_of(
        {at("05-20 00:00").date(): DayType.OFF}, published_years=frozenset({2026}), timetables=calendar.timetables
    )
    for one in (desk, other):
        one.city = replace(one.city, calendar=holiday)
        one.now = at("05-20 10:00")
        one.recompute()

    assert desk.case.due is not None
    assert desk.case.due.at == at("05-21 12:00")
    assert desk.events[-1].action.kind is K.RECOMPUTE
    assert clock(desk, Clock.DISPOSAL).calendar == holiday.edition
    assert clock(other, Clock.DISPOSAL).due.at == at("05-20 15:30")  # type: ignore[union-attr]
    desk.recompute()
    assert [event.action.kind for event in desk.events].count(K.RECOMPUTE) == 1


def hastened(**deadlines: SourceDeadline) -> ClockDesk:
    """A report whose source sets deadlines of its own."""
    desk, arrival = ClockDesk(), reported("hotline", "1", class_code=LAMP)
    assert isinstance(arrival.content, Reading)
    assert arrival.content.report is not None
    report = arrival.content.report.model_copy(update=deadlines)
    desk.take(replace(arrival, content=arrival.content.model_copy(update={"report": report})))
    return desk


def test_the_deadlines_of_the_source_run_beside_ours_from_when_it_says() -> None:
    half_past_eight = at("05-20 08:30")
    desk = hastened(
        deadline=SourceDeadline(limit=Limit(value=1, unit=LimitUnit.WORK_DAY), since=at("05-19 17:00")),
        sign_deadline=SourceDeadline(limit=Limit(value=90, unit=LimitUnit.MINUTE), since=half_past_eight),
    )

    theirs, sign = clock(desk, Clock.SOURCE), clock(desk, Clock.SOURCE_SIGN)
    assert (sign.started_at, sign.due and sign.due.at) == (half_past_eight, at("05-20 10:00"))
    assert theirs.due == desk.case.source_due
    assert desk.case.due != theirs.due
    desk.order(K.VERIFY, reason="现场看一下")  # of this the source hears nothing
    assert desk.case.clock(Clock.SOURCE_SIGN) is not None
    desk.now = at("05-20 10:05")
    desk.order(K.FILE)
    assert desk.case.clock(Clock.SOURCE_SIGN) is None
    assert clock(desk, Clock.SOURCE).running
    [run] = [one for one in runs_of(desk.events) if one.clock is Clock.SOURCE_SIGN]
    assert (run.stopped_at, run.overdue(desk.now)) == (at("05-20 10:05"), True)


def test_a_source_that_names_a_moment_is_taken_at_its_word() -> None:
    desk = hastened(sign_deadline=SourceDeadline(at=at("05-20 12:34")))

    sign = clock(desk, Clock.SOURCE_SIGN)
    assert (sign.due and sign.due.at, sign.limits) == (at("05-20 12:34"), ())


def test_a_source_s_limit_follows_a_new_calendar_and_its_moment_does_not() -> None:
    limit = SourceDeadline(limit=Limit(value=4, unit=LimitUnit.WORK_HOUR), since=at("05-20 09:30"))
    desk, fixed = hastened(deadline=limit), hastened(deadline=SourceDeadline(at=at("05-20 15:30")))
    holiday = calendar_of({at("05-20 00:00").date(): DayType.OFF}, published_years=frozenset({2026}))
    for one in (desk, fixed):
        one.city = replace(one.city, calendar=holiday)
        one.now = at("05-20 10:00")
        one.recompute()

    assert clock(desk, Clock.SOURCE).due == desk.case.source_due
    assert desk.case.source_due is not None
    assert desk.case.source_due.at > at("05-21 00:00")
    assert fixed.case.source_due is not None
    assert fixed.case.source_due.at == at("05-20 15:30")


def test_the_owner_s_own_deadline_begins_when_it_signs_and_ends_with_its_answer() -> None:
    for said in ({"until": at("05-22 17:00")}, {"limit": Limit(value=2, unit=LimitUnit.WORK_DAY)}):
        desk = dispatched()
        desk.order(K.SIGN, **said)
        owners = clock(desk, Clock.OWNER)
        assert owners.due is not None
        assert owners.due.at.date() == at("05-22 00:00").date()
        assert clock(desk, Clock.DISPOSAL).due.at == at("05-20 15:30")  # type: ignore[union-attr]
        desk.order(K.DISPOSE, result="已修复")
        assert desk.case.clock(Clock.OWNER) is None


STEPS = ("disposal 50%", "disposal 80%", "disposal due", "disposal +1 work_hour")
minutes = st.integers(0, 2_000)
doings = st.lists(
    st.tuples(minutes, st.sampled_from(["tick", "return", "dispose", "rework", "suspend", "resume", "comment"])),
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(doings)
def test_whatever_happens_each_step_is_told_at_most_once_in_its_order_and_never_early(
    doing: list[tuple[int, str]],
) -> None:
    desk = dispatched()
    told: list[str] = []
    for minute, what in sorted(doing, key=lambda one: one[0]):
        desk.now = at("05-20 09:30") + (at("05-20 00:01") - at("05-20 00:00")) * minute
        told += [one.removesuffix(" late") for one in desk.pass_to(desk.now) if one.startswith("disposal")]
        case = desk.case
        if what == "return" and case.stage is Stage.DISPATCHED:
            desk.order(K.RETURN, reason="不归我们管")
        elif what in {"dispose", "rework", "suspend", "resume", "comment"}:
            until: dict[str, Any] = {"until": at("06-10 10:00")} if what == "suspend" else {}
            desk.order(K(what), reason="因", result="果", **until)
    for earlier, later in pairwise(told):
        assert STEPS.index(earlier) < STEPS.index(later)
    for event in desk.events:
        one = event.action.told
        assert one is None or one.at <= event.action.at


READ, NOT_READ = ("50%", "due", "+2 work_day"), ("0%", "100%", "+0 minute", "+1 year", "")


@pytest.mark.parametrize("step", [*READ, *NOT_READ])
def test_a_step_is_read_as_it_is_written_or_not_at_all(step: str) -> None:
    read = read_step(step)

    assert (read is not None and read.name == step) == (step in READ)
