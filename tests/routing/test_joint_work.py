"""Joint work 吹哨联动: one leads, others are called through their own systems, and the source gets one answer."""

from dataclasses import replace
from typing import Any

import pytest

from canonical.case import Case, Completion, Share
from canonical.clock import Clock
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.message import Verdict
from canonical.organisation import Level, Unit
from canonical.reading import Outcome
from routing.city import City
from routing.trade_rules import Whistle
from tests.routing.clock_city import RULES, ClockDesk, at, clock_city
from tests.routing.intake_city import by_owner, reported, stated

K = ActionKind


def whistled(*units: str, completion: Completion | None = None, city: City | None = None) -> ClockDesk:
    """u1 (system `works`) leads and has called these units."""
    desk = ClockDesk(city)
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

    assert desk.told() == [("grid", "work", "#2")]
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

    assert outcome.verdict is (Verdict.APPLIED if possible else Verdict.HELD)
    assert possible or "u4" in outcome.text
    assert desk.case.stage is (Stage.DISPOSED if possible else Stage.DISPATCHED)


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


def test_the_lead_that_answers_before_the_others_is_heard_when_they_have() -> None:
    desk = whistled("u2")

    assert says(desk, "works", 1, K.DISPOSE, result="路面已修").verdict is Verdict.HELD
    assert "have not answered" in desk.order(K.DISPOSE, result="代办").text  # a person can wait
    says(desk, "grid", 2, K.DISPOSE, result="已断水")
    assert (
        says(desk, "works", 1, K.DISPOSE, result="路面已修").verdict is Verdict.APPLIED
    )  # as the worker reads it again
    assert says(desk, "works", 1, K.DISPOSE, result="路面已修").verdict is Verdict.REPEATED
    assert desk.case.result == "路面已修\n二所: 已断水"


def test_what_a_city_says_of_completion_holds_where_the_whistle_says_nothing() -> None:
    city = clock_city(replace(RULES, whistle=Whistle(completion=Completion.LEAD)))

    assert completion_of(whistled("u2", city=city).case) is Completion.LEAD
    assert completion_of(whistled("u2", completion=Completion.QUORUM, city=city).case) is Completion.QUORUM
    assert completion_of(whistled("u2").case) is Completion.ALL


def completion_of(case: Case) -> Completion:
    assert case.joint is not None
    return case.joint.completion


def test_only_the_first_whistle_says_when_the_work_is_done() -> None:
    desk = whistled("u2", completion=Completion.QUORUM)

    refused = desk.order(K.WHISTLE, unit="u3", reason="请到场", completion=Completion.LEAD)
    assert refused.text == "the first whistle has said when it is done: quorum"
    assert desk.order(K.WHISTLE, unit="u3", reason="请到场", completion=Completion.QUORUM).verdict is Verdict.APPLIED


def test_a_whistle_that_cannot_be_says_what_is_missing() -> None:
    desk = ClockDesk()
    desk.take(reported("hotline", "1"))
    says(desk, "works", 1, K.RETURN)

    assert "needs unit" in desk.order(K.WHISTLE, reason="请到场").text
    assert "needs reason" in desk.order(K.WHISTLE, unit="u4").text
    says(desk, "grid", 2, K.RETURN)
    assert desk.case.stage is Stage.RETURNED
    assert "nobody leads case" in desk.order(K.WHISTLE, unit="u3", reason="请到场").text
    desk.order(K.FORCE_CLOSE, result="结", reason="结")
    assert "not possible from closed" in desk.order(K.WHISTLE, unit="u3", reason="请到场").text


def test_a_person_names_the_unit_and_not_the_round() -> None:
    desk = whistled("u2", "u3")

    assert desk.order(K.REPORT_IN, unit="u3").verdict is Verdict.APPLIED
    assert desk.order(K.ANSWER, unit="u3", result="好").verdict is Verdict.APPLIED
    assert [one.round for one in desk.case.joint_tasks if one.disposed_at] == [3]
    assert "answered assignment 3 already" in desk.order(K.ANSWER, unit="u3", result="好").text
    told = desk.order(K.REPORT_IN, unit="u4").text
    assert told.startswith("u4 was not called in case ")
    assert told.endswith("called: u2, u3")
    assert desk.order(K.ANSWER, round=2, result="好").verdict is Verdict.APPLIED


def test_a_called_unit_that_takes_the_case_over_does_not_wait_for_itself() -> None:
    desk = whistled("u2")
    says(desk, "works", 1, K.RETURN)  # the next unit of the list is u2

    assert desk.case.assignment is not None
    assert (desk.case.assignment.unit, desk.case.joint_missing) == ("u2", ())
    assert says(desk, "grid", 3, K.DISPOSE, result="好").verdict is Verdict.APPLIED


def city_with(**tells: dict[ActionKind, str]) -> City:
    """The city in which the platform `grid` knows this of joint work."""
    city = clock_city()
    grid = city.systems["grid"]
    role = grid.model_copy(update={"tells": {**grid.tells, **tells}})
    return replace(city, systems={**city.systems, "grid": role})


def test_a_platform_with_messages_for_joint_work_is_told_in_those() -> None:
    desk = whistled("u2", city=city_with(joint={K.WHISTLE: "help", K.REMIND: "hurry", K.DISPOSE: "thanks"}))
    assert desk.told() == [("grid", "help", "#2")]

    desk.pass_to(at("05-20 11:30"))
    assert [(one.system, one.message, one.address) for one in desk.changes.deliveries][:1] == [("grid", "hurry", "#2")]


def test_who_still_works_is_told_when_the_lead_has_answered_without_it_or_the_case_is_given_up() -> None:
    city = city_with(joint={K.WHISTLE: "help", K.DISPOSE: "thanks"})
    desk = whistled("u2", completion=Completion.LEAD, city=city)
    says(desk, "works", 1, K.DISPOSE, result="好")
    assert ("grid", "thanks", "#2") in desk.told()

    desk = whistled("u2", "u3")
    desk.order(K.CANCEL, reason="误报")
    assert ("grid", "stop", "#2") in desk.told()
    desk = whistled("u2")
    says(desk, "grid", 2, K.DISPOSE, result="好")
    desk.order(K.CANCEL, reason="误报")
    assert not [one for one in desk.told() if one[0] == "grid"]


def test_a_platform_that_knows_no_dispatch_gets_no_part_and_the_desk_hands_it_over() -> None:
    city = clock_city()
    units = city.responsibility.units
    deaf = Unit(id="u5", name="五所", level=Level.CITY, area="3402", system="hotline")
    city = replace(city, responsibility=replace(city.responsibility, units={**units, "u5": deaf}))
    desk = whistled("u5", city=city)

    assert desk.told() == []
    assert [(one.unit, one.system) for one in desk.case.joint_tasks] == [("u5", "")]
    assert desk.order(K.ANSWER, unit="u5", result="好").verdict is Verdict.APPLIED


def test_the_reporting_platform_gets_a_called_units_part_as_a_matter_of_its_own() -> None:
    desk = ClockDesk()
    desk.take(reported("grid", "1"))
    desk.order(K.WHISTLE, unit="u2", reason="请到场")

    assert desk.told() == [("grid", "work", "#2")]


def test_a_platform_with_words_for_joint_work_is_read_in_them() -> None:
    desk = whistled("u2")
    for kind in (K.REPORT_IN, K.ANSWER):
        kinds = {Party.JOINT: kind, Party.OWNER: K.RETURN}  # what it would mean of a case of its own
        [outcome] = desk.take(stated("grid", "g2", kinds, reference=f"{desk.case.no}-2"))
        assert outcome.verdict is Verdict.APPLIED

    assert desk.actions()[-2:] == [K.REPORT_IN, K.ANSWER]


def test_the_leads_own_platform_blows_the_whistle_in_its_words() -> None:
    desk = whistled()

    assert says(desk, "works", 1, K.WHISTLE, unit="二所", reason="请到场").verdict is Verdict.APPLIED
    assert says(desk, "works", 1, K.WHISTLE, unit="二所", reason="请到场").verdict is Verdict.REPEATED
    assert says(desk, "works", 1, K.WHISTLE, unit="四所", reason="请到场").verdict is Verdict.APPLIED
    assert [one.unit for one in desk.case.joint_tasks] == ["u2", "u4"]

    assert says(desk, "grid", 2, K.RETURN, reason="没有人手").verdict is Verdict.APPLIED
    assert says(desk, "works", 1, K.WHISTLE, unit="二所", reason="请到场").verdict is Verdict.APPLIED, "a second call"


def test_a_whistle_for_nobody_we_know_is_refused_in_words() -> None:
    desk = whistled()

    outcome = says(desk, "works", 1, K.WHISTLE, unit="某所", reason="请到场")

    assert outcome.verdict is Verdict.REFUSED
    assert "某所" in outcome.text
    assert "units.csv" in outcome.text
