"""Joint work 吹哨联动: one leads, others are called through their own systems, and the source gets one answer."""

from typing import Any

import pytest

from canonical.case import Completion, Share
from canonical.clock import Clock
from canonical.lifecycle import ActionKind, Stage
from canonical.message import Verdict
from canonical.reading import Outcome
from tests.routing.clock_city import ClockDesk, at
from tests.routing.intake_city import by_owner, reported

K = ActionKind


def whistled(*units: str, completion: Completion | None = None) -> ClockDesk:
    """u1 (system `works`) leads and has called these units."""
    desk = ClockDesk()
    desk.take(reported("hotline", "1"))
    for unit in units:
        assert desk.order(K.WHISTLE, unit=unit, reason="请到场", completion=completion).verdict is Verdict.APPLIED
    return desk


def says(desk: ClockDesk, system: str, round_: int, kind: ActionKind, **fields: Any) -> Outcome:
    """A system says something of an assignment by the reference it got."""
    [outcome] = desk.take(by_owner(system, f"{system}{round_}", kind, reference=f"{desk.case.no}-{round_}", **fields))
    return outcome


def test_a_called_unit_gets_the_case_through_its_own_system_and_the_lead_keeps_it() -> None:
    desk = whistled("u2")

    assert desk.told() == [("grid", "work", "")]
    assert (desk.case.owner, desk.case.reference) == ("works", f"{desk.case.no}-1")
    [task] = desk.case.joint_tasks
    assert (task.unit, task.share, task.round) == ("u2", Share.JOINT, 2)
    report_in = desk.case.clock(Clock.REPORT_IN, "u2")
    assert report_in is not None
    assert report_in.due is not None
    assert report_in.due.at == at("05-20 11:30")


def test_its_platform_says_sign_and_done_and_means_report_in_and_answer() -> None:
    desk = whistled("u2")

    assert says(desk, "grid", 2, K.SIGN).verdict is Verdict.APPLIED
    assert says(desk, "grid", 2, K.SIGN).verdict is Verdict.REPEATED
    assert desk.case.clock(Clock.REPORT_IN, "u2") is None
    assert says(desk, "grid", 2, K.DISPOSE, result="已断水").verdict is Verdict.APPLIED
    assert says(desk, "grid", 2, K.DISPOSE, result="已断水").verdict is Verdict.REPEATED

    assert desk.actions()[-2:] == [K.REPORT_IN, K.ANSWER]
    assert desk.case.stage is Stage.DISPATCHED
    assert desk.case.clock(Clock.JOINT, "u2") is None


def test_nobody_answers_for_another_system() -> None:
    desk = whistled("u2")
    before = desk.case

    assert says(desk, "works", 2, K.DISPOSE).verdict is Verdict.REFUSED
    assert desk.case == before


@pytest.mark.parametrize(
    ("completion", "answers", "possible"),
    [
        (Completion.ALL, 2, False),
        (Completion.ALL, 3, True),
        (Completion.QUORUM, 1, False),
        (Completion.QUORUM, 2, True),
        (Completion.LEAD, 0, True),
    ],
)
def test_the_lead_answers_when_the_rule_says_the_work_is_done(
    completion: Completion, answers: int, possible: bool
) -> None:
    desk = whistled("u2", "u3", "u4", completion=completion)
    for round_, unit in list(enumerate(("u2", "u3", "u4"), 2))[:answers]:
        assert desk.order(K.ANSWER, round=round_, unit=unit, result=f"{unit}好").verdict is Verdict.APPLIED

    outcome = says(desk, "works", 1, K.DISPOSE, result="全部恢复")

    assert (outcome.verdict is Verdict.APPLIED) == possible
    assert possible or "u4" in outcome.text


def test_the_source_gets_one_answer_with_every_units_part() -> None:
    desk = whistled("u2", "u3")
    says(desk, "grid", 2, K.DISPOSE, result="已断水")
    desk.order(K.DECLINE, round=3, unit="u3", reason="不属职责")
    says(desk, "works", 1, K.DISPOSE, result="路面已修")

    assert desk.case.result == "路面已修\n二所: 已断水"
    assert desk.case.joint is None


def test_a_unit_that_comes_late_is_named_by_its_clock() -> None:
    desk = whistled("u2")

    assert "report_in due" in desk.pass_to(at("05-20 11:30"))
    told = [event.action for event in desk.events if event.action.told and event.action.told.clock is Clock.REPORT_IN]
    assert [(one.unit, one.round) for one in told] == [("u2", 2)]


def test_a_unit_is_called_once_and_the_lead_calls_others() -> None:
    desk = whistled("u2")

    assert "called already" in desk.order(K.WHISTLE, unit="u2", reason="再请").text
    assert "leads the case" in desk.order(K.WHISTLE, unit="u1", reason="自己").text
    assert "not in units.csv" in desk.order(K.WHISTLE, unit="u9", reason="谁").text
    assert "was not called" in desk.order(K.ANSWER, unit="u3", round=2, result="好").text


def test_a_returned_case_keeps_its_joint_work_and_the_next_lead_sees_it() -> None:
    desk = whistled("u2")
    says(desk, "works", 1, K.RETURN)

    assert desk.case.assignment is not None
    assert desk.case.assignment.round == 3
    assert [task.unit for task in desk.case.joint_tasks] == ["u2"]
    assert says(desk, "grid", 2, K.DISPOSE, result="好").verdict is Verdict.APPLIED


def test_what_ends_the_case_ends_every_clock_of_it() -> None:
    desk = whistled("u2", "u3")
    desk.order(K.CANCEL, reason="误报")

    assert all(clock.stopped_at is not None for clock in desk.case.clocks)
