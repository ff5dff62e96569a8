"""Rules of the trade: what they allow, and what they say to whom they refuse. Limits as in `clock_city`."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from canonical.case import Supervision
from canonical.clock import Clock
from canonical.lifecycle import ActionKind, Stage
from canonical.message import Verdict
from canonical.organisation import Level
from canonical.reading import Reading
from canonical.report import Urgency
from canonical.time import Limit, LimitUnit
from routing.trade_rules import Closing, Extension, Loops
from tests.routing.clock_city import RULES, ClockDesk, at, clock_city
from tests.routing.intake_city import by_owner, reported

K = ActionKind
FOUR_HOURS = Limit(value=4, unit=LimitUnit.WORK_HOUR)


def dispatched(**rules: Any) -> ClockDesk:
    """A case that unit u1 (system `works`) has since Wednesday 09:30, due at 15:30."""
    desk = ClockDesk(clock_city(replace(RULES, **rules)))
    desk.take(reported("hotline", "1"))
    return desk


def says(desk: ClockDesk, kind: ActionKind, system: str = "works", **fields: Any) -> str:
    """The owner's system says it. The words of a refusal, or `applied`."""
    [outcome] = desk.take(by_owner(system, f"{system}{desk.case.round}", kind, reference=desk.case.reference, **fields))
    return outcome.text if outcome.verdict is Verdict.REFUSED else outcome.verdict


def refused(desk: ClockDesk, kind: ActionKind, **fields: Any) -> str:
    """The words of a refusal; nothing has changed."""
    before = desk.case
    outcome = desk.order(kind, **fields)
    assert (outcome.verdict, desk.case) == (Verdict.REFUSED, before)
    return outcome.text


def test_an_extension_is_asked_for_before_the_limit_runs_out() -> None:
    desk = dispatched()
    desk.now = at("05-20 15:31")

    said = says(desk, K.ASK_EXTENSION, limit=FOUR_HOURS)

    assert "15:30" in said
    assert "办法第八条" in said


def test_an_extension_is_asked_for_once_at_a_time() -> None:
    desk = dispatched()
    assert says(desk, K.ASK_EXTENSION, limit=FOUR_HOURS) == "applied"

    assert "waits for an answer" in says(desk, K.ASK_EXTENSION, limit=Limit(value=3, unit=LimitUnit.WORK_HOUR))


def test_an_extension_is_no_longer_than_the_rule_allows_whatever_its_unit() -> None:
    rule = Extension(approvals=("中心",), original=1, source="办法第八条")
    asked = dispatched(extension=rule)
    assert says(asked, K.ASK_EXTENSION, limit=Limit(value=1, unit=LimitUnit.WORK_DAY)) == "applied"
    for more in (Limit(value=5, unit=LimitUnit.WORK_HOUR), Limit(value=1, unit=LimitUnit.WORK_DAY)):
        assert "4 work_hour at most" in refused(asked, K.GRANT_EXTENSION, limit=more)
    assert asked.order(K.GRANT_EXTENSION).verdict is Verdict.APPLIED

    assert asked.case.due is not None
    assert asked.case.due.at == at("05-21 09:30")

    less = dispatched(extension=rule)
    says(less, K.ASK_EXTENSION, limit=Limit(value=180, unit=LimitUnit.MINUTE))
    assert less.order(K.GRANT_EXTENSION).verdict is Verdict.APPLIED
    assert less.case.due is not None
    assert less.case.due.at == at("05-20 18:30")


def test_a_case_is_extended_so_often_and_no_more_and_refusals_do_not_count() -> None:
    desk = dispatched(extension=Extension(approvals=("中心",), most=2, original=1, source="办法第八条"))
    desk.order(K.ASK_EXTENSION, reason="等料")
    desk.order(K.REFUSE_REQUEST, reason="不同意")
    for _ in range(2):
        desk.order(K.ASK_EXTENSION, reason="等料")
        assert desk.order(K.GRANT_EXTENSION).verdict is Verdict.APPLIED

    assert "extended 2 times" in refused(desk, K.ASK_EXTENSION, reason="等料")


def test_what_nobody_has_to_agree_to_is_granted_at_once() -> None:
    desk = dispatched(extension=Extension(approvals=(), original=1, source="办法第八条"))

    assert says(desk, K.ASK_EXTENSION, limit=Limit(value=9, unit=LimitUnit.WORK_DAY)) == "applied"

    assert desk.actions()[-1] is K.GRANT_EXTENSION
    assert desk.case.request is None
    assert desk.case.due is not None
    assert desk.case.due.at == at("05-21 09:30")


def test_a_case_that_is_overdue_or_was_suspended_is_not_suspended() -> None:
    desk = dispatched()
    assert "later than now" in refused(desk, K.SUSPEND, reason="雨", until=at("05-20 09:00"))
    assert "2026-06-19" in refused(desk, K.SUSPEND, reason="雨", until=at("07-20 09:00"))
    desk.order(K.SUSPEND, reason="雨", until=at("05-21 09:30"))
    assert "possible" in refused(desk, K.DISPOSE, result="好")
    desk.order(K.RESUME, reason="雨停")
    assert "suspended 1 times" in refused(desk, K.SUSPEND, reason="雨", until=at("05-25 09:30"))

    late = dispatched()
    late.now = at("05-20 15:31")
    said = refused(late, K.SUSPEND, reason="雨", until=at("05-25 09:30"))
    assert "overdue since 2026-05-20 15:30" in said
    assert "办法第九条" in said


def test_a_return_comes_in_time_or_not_at_all() -> None:
    desk = dispatched()
    desk.now = at("05-22 09:31")

    assert "2026-05-22 09:30" in says(desk, K.RETURN, reason="不归我们管")


def test_after_so_many_rounds_the_centre_rules_and_its_ruling_binds() -> None:
    desk = dispatched()
    assert says(desk, K.RETURN) == "applied"
    assert says(desk, K.RETURN, "grid") == "applied"
    assert desk.case.stage is Stage.RETURNED
    assert "arbitrate" in refused(desk, K.REDISPATCH, unit="u3", reason="再派")

    assert desk.order(K.ARBITRATE, unit="u1", reason="属一所").verdict is Verdict.APPLIED

    assert desk.case.owner == "works"
    assert "has ruled" in says(desk, K.RETURN)
    assert says(desk, K.DISPOSE) == "applied"


def test_what_a_unit_gave_back_it_gets_again_only_by_a_ruling() -> None:
    desk = dispatched(returns=replace(RULES.returns, most=None))
    says(desk, K.RETURN)
    says(desk, K.RETURN, "grid")

    assert "only a ruling" in refused(desk, K.REDISPATCH, unit="u1", reason="再派")


def test_two_systems_that_pass_a_case_to_and_fro_are_noticed() -> None:
    desk = dispatched(returns=replace(RULES.returns, most=None, same_unit=9))
    says(desk, K.RETURN)
    says(desk, K.RETURN, "grid")
    desk.order(K.REDISPATCH, unit="u1", reason="再派")
    says(desk, K.RETURN)
    desk.order(K.REDISPATCH, unit="u2", reason="再派")
    says(desk, K.RETURN, "grid")

    assert "to and fro" in refused(desk, K.REDISPATCH, unit="u4", reason="再派")
    assert desk.order(K.REDISPATCH, unit="u3", reason="席位自办").verdict is Verdict.APPLIED


def test_a_return_rests_on_one_of_the_citys_reasons_where_it_lists_them() -> None:
    desk = dispatched(returns=replace(RULES.returns, bases={"duty": "不属本单位职责", "area": "不在本辖区"}))

    assert "duty 不属本单位职责" in refused(desk, K.RETURN, reason="不管")
    assert desk.order(K.RETURN, reason="不管", basis="area").verdict is Verdict.APPLIED


def test_supervision_is_ordered_raised_and_lifted() -> None:
    desk = dispatched()
    desk.order(K.SUPERVISE, supervision=Supervision.RED, reason="领导批示")
    assert desk.case.supervision is Supervision.RED
    desk.order(K.LIFT, reason="已办")
    assert desk.case.supervision is None


def test_a_case_closed_by_force_says_so_and_owes_no_more() -> None:
    desk = dispatched()
    assert desk.order(K.FORCE_CLOSE, result="无法处置", reason="权属不明").verdict is Verdict.APPLIED

    assert (desk.case.stage, desk.case.forced) == (Stage.CLOSED, True)
    assert not any(clock.running for clock in desk.case.clocks)


def test_an_appeal_changes_a_fact_by_decision_and_never_the_time() -> None:
    desk = dispatched()
    desk.now = at("05-20 16:00")
    says(desk, K.DISPOSE)
    desk.order(K.CHECK, result="好")
    assert desk.case.stage is Stage.CLOSED
    assert desk.order(K.APPEAL, reason="停电").verdict is Verdict.APPLIED
    assert "not decided" in refused(desk, K.APPEAL, reason="停电")
    disposal = desk.case.clock(Clock.DISPOSAL)

    desk.order(K.UPHOLD, reason="属实")

    assert desk.case.exempt
    assert desk.case.clock(Clock.DISPOSAL) == disposal
    assert disposal is not None
    assert disposal.overdue(desk.now)


def test_what_was_in_time_or_is_long_past_is_not_appealed() -> None:
    desk = dispatched()
    says(desk, K.DISPOSE)
    desk.order(K.CHECK, result="好")
    assert "was not overdue" in refused(desk, K.APPEAL, reason="停电")
    assert "no appeal" in refused(desk, K.UPHOLD, reason="属实")

    late = dispatched()
    late.now = at("05-20 16:00")
    says(late, K.DISPOSE)
    late.order(K.CHECK, result="好")
    late.now = at("06-20 16:00")
    assert "until 2026-06-03" in refused(late, K.APPEAL, reason="停电")


# --- four loops ---


def test_a_case_rises_by_level_under_one_number_with_a_clock_for_each() -> None:
    desk = dispatched()
    number, street = desk.case.no, desk.case.level

    assert desk.order(K.ESCALATE, reason="办不了").verdict is Verdict.APPLIED
    assert (desk.case.no, street, desk.case.level, desk.case.owner) == (number, Level.STREET, Level.DISTRICT, "grid")
    level = desk.case.clock(Clock.LEVEL)
    assert level is not None
    assert level.due is not None
    assert level.due.at == at("05-21 09:30")
    assert desk.case.clock(Clock.DISPOSAL) is not None


def test_what_a_loop_does_not_finish_in_its_time_rises_by_itself() -> None:
    desk = dispatched()
    desk.order(K.ESCALATE, reason="办不了")

    desk.pass_to(at("05-21 09:30"))

    assert desk.case.level is Level.CITY
    escalated = [event.action for event in desk.events if event.action.kind is K.ESCALATE]
    assert "办法第十二条" in escalated[-1].reason


def test_only_an_urgent_case_skips_a_level_and_none_rises_downwards() -> None:
    desk = dispatched()
    assert "only urgent cases skip a level; next comes district" in refused(desk, K.ESCALATE, unit="u2", reason="大事")
    assert "a unit above it" in refused(desk, K.ESCALATE, unit="u1", reason="大事")
    assert "a unit below it" in refused(desk, K.DEESCALATE, unit="d1", reason="小事")

    desk.order(K.ESCALATE, reason="办不了")
    assert desk.order(K.DEESCALATE, unit="u1", reason="属街道").verdict is Verdict.APPLIED
    assert desk.case.level is Level.STREET
    assert [one.returned_at is not None for one in desk.case.assignments] == [True, True, False]
    assert desk.case.returns == 0


def test_what_was_dealt_with_on_the_spot_is_filed_and_closed_at_once() -> None:
    desk = ClockDesk()
    arrival = reported("hotline", "1")
    reading = arrival.content
    assert isinstance(reading, Reading)
    assert reading.report is not None
    report = reading.report.model_copy(update={"settled": "已当场劝离"})
    [outcome] = desk.take(replace(arrival, content=reading.model_copy(update={"report": report})))

    assert outcome.verdict is Verdict.CASE
    assert desk.actions() == [K.COLLECT, K.SETTLE]
    assert (desk.case.stage, desk.case.on_the_spot, desk.case.result) == (Stage.CLOSED, True, "已当场劝离")
    assert desk.case.standard
    assert desk.case.assignments == ()
    assert desk.told() == [("hotline", "done", "1")]
    assert desk.case.clocks == ()


def test_what_the_trade_forbids_to_a_rule_is_left_to_the_centre_and_what_went_before_stands() -> None:
    """The next unit by the list has a system that has had the case twice, in turns with another: it is not given."""
    desk = dispatched(returns=replace(RULES.returns, most=None, same_unit=None))
    units = dict(desk.city.responsibility.units)
    units["u3"] = units["u3"].model_copy(update={"system": "works"})
    responsibility = replace(desk.city.responsibility, units=units)
    desk.city = replace(desk.city, responsibility=responsibility, policy=replace(desk.city.policy, rounds=9))
    says(desk, K.RETURN)
    says(desk, K.RETURN, "grid")
    desk.order(K.REDISPATCH, unit="u1", reason="再派")
    says(desk, K.RETURN)
    desk.order(K.REDISPATCH, unit="u2", reason="再派")
    desk.now = at("05-20 20:00")  # off hours: now u3 is the next of the list

    assert says(desk, K.RETURN, "grid") == "applied"

    assert desk.case.stage is Stage.RETURNED
    assert desk.actions()[-2:] == [K.RETURN, K.COMMENT]
    assert "left to the centre" in desk.events[-1].action.reason
    desk.check_books()


def test_the_ladder_raises_to_the_next_unit_there_is() -> None:
    desk = dispatched()
    units = dict(desk.city.responsibility.units)
    units["u1"] = units["u1"].model_copy(update={"parent": "u2"})
    desk.city = replace(desk.city, responsibility=replace(desk.city.responsibility, units=units))

    assert desk.order(K.ESCALATE, reason="办不了").verdict is Verdict.APPLIED
    assert desk.case.level is Level.CITY


def test_an_extension_to_a_moment_is_moved_there_in_wall_time_and_no_further_than_the_rule_goes() -> None:
    desk = dispatched(extension=Extension(approvals=("中心",), longest=Limit(value=2, unit=LimitUnit.CALENDAR_DAY)))
    assert "later than the limit it moves, 2026-05-20 15:30" in refused(
        desk, K.ASK_EXTENSION, reason="等料", until=at("05-20 15:30")
    )
    assert "no moment" in refused(desk, K.ASK_EXTENSION, reason="等料", until=at("05-20 15:30") + timedelta(seconds=59))
    assert "no moment" in refused(desk, K.ASK_EXTENSION, reason="等料", until=at("05-20 15:30").replace(year=9998))
    says(desk, K.ASK_EXTENSION, until=at("05-24 09:00"))
    assert desk.order(K.GRANT_EXTENSION).verdict is Verdict.APPLIED
    assert desk.case.due is not None
    assert desk.case.due.at == at("05-22 15:30")


def test_a_moment_counts_before_a_length_and_a_length_is_counted_from_now() -> None:
    desk = dispatched()
    days = Limit(value=3, unit=LimitUnit.CALENDAR_DAY)
    desk.order(K.SUSPEND, reason="雨", limit=days)
    assert desk.case.resume_at == at("05-23 09:30")

    named = dispatched()
    named.order(K.SUSPEND, reason="雨", limit=days, until=at("05-21 10:00"))
    assert named.case.resume_at == at("05-21 10:00")

    assert "needs until" in refused(dispatched(), K.ASK_SUSPENSION, reason="雨")


# --- the loops ---

STREET_BY_DISTRICT = Loops(
    closing={
        Level.COMMUNITY: Closing(by=Level.STREET, on_the_spot=False, source="办法第十三条"),
        Level.STREET: Closing(by=Level.DISTRICT, source="办法第十三条"),
    }
)


def test_a_loop_without_the_right_to_close_has_its_cases_closed_above_it() -> None:
    """u1 is a street's: its cases are the district's to close."""
    desk = dispatched(loops=STREET_BY_DISTRICT)
    says(desk, K.DISPOSE)
    assert desk.order(K.CHECK, result="好").verdict is Verdict.APPLIED

    assert (desk.case.stage, desk.actions()[-1]) == (Stage.CHECKED, K.COMMENT)  # the hub closes for the case's own loop
    said = refused(desk, K.CLOSE)
    assert "a case at the level street is closed by the district or above" in said
    assert "办法第十三条" in said
    assert "district" in refused(desk, K.FORCE_CLOSE, result="好", reason="拖延", level=Level.COMMUNITY)

    assert desk.order(K.CLOSE, level=Level.DISTRICT).verdict is Verdict.APPLIED
    assert desk.events[-1].action.level is Level.DISTRICT
    assert desk.case.level is Level.STREET


def test_a_loop_above_the_one_that_may_close_may_too_and_one_without_a_rule_closes() -> None:
    desk = dispatched(loops=STREET_BY_DISTRICT)
    assert desk.order(K.FORCE_CLOSE, result="好", reason="拖延", level=Level.CITY).verdict is Verdict.APPLIED

    raised = dispatched(loops=STREET_BY_DISTRICT)
    raised.order(K.ESCALATE, reason="办不了")
    assert raised.case.level is Level.DISTRICT
    assert raised.order(K.FORCE_CLOSE, result="好", reason="拖延").verdict is Verdict.APPLIED


def test_what_was_dealt_with_on_the_spot_waits_where_that_loop_may_not_close_it() -> None:
    desk = ClockDesk(clock_city(replace(RULES, loops=STREET_BY_DISTRICT)))
    arrival = reported("hotline", "1")
    reading = arrival.content
    assert isinstance(reading, Reading)
    assert reading.report is not None
    report = reading.report.model_copy(update={"settled": "已当场劝离"})
    [outcome] = desk.take(replace(arrival, content=reading.model_copy(update={"report": report})))

    assert outcome.verdict is Verdict.CASE
    assert (desk.case.stage, desk.case.result) == (Stage.REPORTED, "已当场劝离")
    assert "on the spot is not closed at once" in desk.events[-1].action.reason
    assert desk.order(K.FILE).verdict is Verdict.APPLIED


@pytest.mark.parametrize(
    ("skip", "urgency", "said"),
    [
        ({Urgency.URGENT}, Urgency.NORMAL, "only urgent cases skip a level"),
        (set(), Urgency.URGENT, "no case skips a level"),
        ({Urgency.URGENT}, Urgency.URGENT, ""),
        ({Urgency.URGENT, Urgency.NORMAL}, Urgency.NORMAL, ""),
    ],
)
def test_which_cases_skip_a_level_a_rule_says(skip: set[Urgency], urgency: Urgency, said: str) -> None:
    desk = dispatched(loops=Loops(skip=frozenset(skip), source="办法第十四条"))
    desk.cases = {case.id: case.model_copy(update={"urgency": urgency}) for case in desk.cases.values()}
    if said:
        text = refused(desk, K.ESCALATE, unit="u2", reason="险情")
        assert said in text
        assert "办法第十四条" in text
    else:
        assert desk.order(K.ESCALATE, unit="u2", reason="险情").verdict is Verdict.APPLIED
        assert desk.case.level is Level.CITY
