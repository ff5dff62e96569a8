"""What a platform says twice is done once; and our case number alone is enough where it can mean one thing only."""

from datetime import timedelta
from typing import Any

import pytest

from canonical.case import Case
from canonical.errors import Why
from canonical.lifecycle import ActionKind, Stage
from canonical.message import Verdict
from canonical.records import Arrival
from canonical.time import Limit, LimitUnit
from tests.routing.intake_city import NOW, Desk, by_owner, by_source, ordered, reported, verdicts

K = ActionKind
APPLIED, REPEATED, REFUSED = Verdict.APPLIED, Verdict.REPEATED, Verdict.REFUSED
THREE = Limit(value=3, unit=LimitUnit.WORK_DAY)


def dispatched() -> tuple[Desk, Case]:
    """A case that works has, under its own id w1."""
    desk = Desk()
    desk.take(reported("hotline", "1"))
    [case] = desk.cases.values()
    desk.bound("w1", case)
    return desk, case


def asked(**more: Any) -> Arrival:
    return by_owner("works", "w1", K.ASK_EXTENSION, **{"reason": "等苗", "limit": THREE} | more)


def told_later(desk: Desk) -> int:
    """How often the source was told of an extension."""
    return sum(delivery.message == "later" for delivery in desk.deliveries)


def test_an_extension_that_was_asked_for_and_is_told_again_is_a_repeat() -> None:
    desk, _ = dispatched()
    assert verdicts(desk.take(asked(), asked())) == [APPLIED, REPEATED]
    assert verdicts(desk.take(asked())) == [REPEATED]
    assert told_later(desk) == 1
    assert (
        verdicts(desk.take(asked(reason="等路"), asked(limit=Limit(value=5, unit=LimitUnit.WORK_DAY)))) == [REFUSED] * 2
    )


def test_a_dated_one_is_known_by_its_date() -> None:
    desk, _ = dispatched()
    first, second = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    told = desk.take(asked(stated_at=first), asked(stated_at=first), asked(stated_at=second))
    assert verdicts(told) == [APPLIED, REPEATED, REFUSED]  # the first waits for its answer


def test_in_the_next_round_of_work_the_same_words_are_another_extension() -> None:
    desk, case = dispatched()
    desk.take(asked())
    desk.take(by_owner("works", "w1", K.DISPOSE), ordered(case.no, K.REWORK, reason="未恢复"))
    assert verdicts(desk.take(asked())) == [APPLIED]


def test_a_disposal_delivered_again_after_the_case_was_sent_back_is_not_done_again() -> None:
    desk, case = dispatched()
    first, second = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    desk.take(by_owner("works", "w1", K.DISPOSE, stated_at=first), ordered(case.no, K.REWORK, reason="未恢复"))
    assert verdicts(desk.take(by_owner("works", "w1", K.DISPOSE, stated_at=first))) == [REPEATED]
    assert desk.cases[case.id].stage is Stage.HANDLING
    assert verdicts(desk.take(by_owner("works", "w1", K.DISPOSE, stated_at=second))) == [APPLIED]


@pytest.mark.parametrize("stated_at", [None, NOW.replace(hour=0, minute=0)])
def test_without_a_time_of_day_the_same_work_may_be_done_twice(stated_at: Any) -> None:
    desk, case = dispatched()
    desk.take(by_owner("works", "w1", K.DISPOSE, stated_at=stated_at), ordered(case.no, K.REWORK, reason="未恢复"))
    assert verdicts(desk.take(by_owner("works", "w1", K.DISPOSE, stated_at=stated_at))) == [APPLIED]


# --- our number ---


def handed_over() -> tuple[Desk, Case]:
    """A case that works has, and whose answer told no id yet."""
    desk = Desk()
    desk.take(reported("hotline", "1"))
    [case] = desk.cases.values()
    return desk, case


@pytest.mark.parametrize("as_id", [False, True])
@pytest.mark.parametrize("round_", ["", "-1"])
def test_the_number_of_a_case_that_was_given_once_says_enough(*, as_id: bool, round_: str) -> None:
    desk, case = handed_over()
    said = case.no + round_
    told = by_owner("works", said, K.SIGN) if as_id else by_owner("works", "w7", K.SIGN, reference=said)
    assert verdicts(desk.take(told)) == [APPLIED]
    assert desk.cases[case.id].stage is Stage.HANDLING
    assert (("works", "w7") in desk.bindings) is not as_id
    assert ("works", case.no) not in desk.bindings


@pytest.mark.parametrize("said", ["{no}", "{no}-1"])
def test_a_system_without_a_part_in_the_case_gets_nowhere_by_its_number(said: str) -> None:
    desk, case = handed_over()
    told = desk.take(by_owner("grid", "g1", K.SIGN, reference=said.format(no=case.no)))
    told += desk.take(by_owner("grid", said.format(no=case.no), K.SIGN))
    assert [outcome.why for outcome in told] == [Why.UNKNOWN_CASE] * 2
    assert desk.cases[case.id].stage is Stage.DISPATCHED


def test_a_number_that_could_mean_several_rounds_is_refused_with_the_words_to_say_instead() -> None:
    desk, case = handed_over()
    desk.bound("w1", case)
    desk.take(by_owner("works", "w1", K.RETURN, reason="非我单位"))
    desk.bound("g1", desk.cases[case.id])
    desk.take(by_owner("grid", "g1", K.RETURN, reason="非我单位"))
    desk.take(ordered(case.no, K.REDISPATCH, reason="是你单位", unit="u4", system="works"))
    [outcome] = desk.take(by_owner("works", "w9", K.SIGN, reference=case.no))
    assert (outcome.verdict, f"{case.no}-3" in outcome.text) == (Verdict.REFUSED, True)
    assert verdicts(desk.take(by_owner("works", "w9", K.SIGN, reference=f"{case.no}-3"))) == [APPLIED]


def test_a_source_may_name_the_case_it_reported_by_our_number() -> None:
    desk, case = handed_over()
    told = desk.take(by_source("hotline", "unknown", K.CANCEL, reference=case.no, reason="撤诉"))
    assert verdicts(told) == [APPLIED]
    assert ("hotline", "unknown") not in desk.bindings


def test_an_id_of_one_case_beside_the_number_of_another_is_refused_and_changes_neither() -> None:
    desk, _ = dispatched()
    desk.take(reported("hotline", "2"))
    other = max(desk.cases.values(), key=lambda case: case.no)
    told = desk.take(by_owner("works", "w1", K.SIGN, reference=other.reference))
    assert verdicts(told) == [Verdict.REFUSED]
    assert {case.stage for case in desk.cases.values()} == {Stage.DISPATCHED}


# --- a suspension ---


def waits(**more: Any) -> Arrival:
    """Works asks that its case may wait for thirty days."""
    days = Limit(value=30, unit=LimitUnit.CALENDAR_DAY)
    return by_owner("works", "w1", K.ASK_SUSPENSION, **{"reason": "汛期", "limit": days} | more)


def test_a_suspension_told_again_is_a_repeat_until_it_is_over() -> None:
    desk, case = dispatched()
    desk.take(by_owner("works", "w1", K.SIGN))
    assert verdicts(desk.take(waits())) == [APPLIED]
    desk.now += timedelta(minutes=1)  # another `until`, of the same words
    assert verdicts(desk.take(waits())) == [REPEATED]
    assert verdicts(desk.take(waits(reason="等路"))) == [REFUSED]

    desk.take(ordered(case.no, K.SUSPEND, reason="同意"))
    assert desk.cases[case.id].stage is Stage.SUSPENDED
    assert verdicts(desk.take(waits())) == [REPEATED]

    desk.take(ordered(case.no, K.RESUME, reason="汛期已过"))
    assert verdicts(desk.take(waits())) == [APPLIED]


def test_an_extension_to_another_day_is_another_one_and_to_the_same_day_the_same() -> None:
    desk, case = dispatched()
    day, later = NOW + timedelta(days=9), NOW + timedelta(days=12)
    assert verdicts(desk.take(asked(limit=None, until=day))) == [APPLIED]
    desk.take(ordered(case.no, K.GRANT_EXTENSION))
    due = desk.cases[case.id].due
    assert due is not None
    assert due.at == day
    assert verdicts(desk.take(asked(limit=None, until=day), asked(limit=None, until=later))) == [REPEATED, APPLIED]
