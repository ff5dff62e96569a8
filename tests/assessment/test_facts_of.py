"""Facts are made of a case's events alone: the same events give the same facts, and each event has its own."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessment.facts import facts_of
from canonical.action import Actor
from canonical.case import Event
from canonical.clock import Clock, Timed
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.time import Due, Limit, LimitUnit
from tests.assessment.month import BEGIN, Story, desk, month

stories = st.integers(0, 10_000).map(lambda seed: month(seed, 1, joint=True)[0])


@settings(max_examples=60, deadline=None)
@given(stories)
def test_every_event_is_one_fact_and_folding_again_gives_the_same(story: Story) -> None:
    facts = facts_of(story.case.no, story.events)

    assert facts == facts_of(story.case.no, story.events)
    actions = [fact for fact in facts if fact.what.startswith("action.")]
    assert [(fact.seq, fact.what) for fact in actions] == [
        (event.seq, f"action.{event.action.kind}") for event in story.events
    ]
    assert {fact.stage for fact in facts} == {str(story.case.stage)}
    assert len({(fact.seq, fact.what, fact.unit) for fact in facts}) == len(facts)


@settings(max_examples=60, deadline=None)
@given(stories)
def test_no_clock_runs_twice_at_once_and_none_ends_before_it_began(story: Story) -> None:
    clocks = [fact for fact in facts_of(story.case.no, story.events) if fact.what.startswith("clock.")]

    joint = ("clock.report_in", "clock.joint")
    running = Counter(
        (fact.what, fact.unit if fact.what in joint else "") for fact in clocks if not fact.done_seq
    )  # fmt: skip
    assert all(number == 1 for number in running.values())
    for fact in clocks:
        assert (fact.done_at is None) == (fact.done_seq == 0)
        assert fact.done_at is None or (fact.done_at >= fact.at and fact.done_seq > fact.seq)
        assert fact.spent_seconds >= 0
    if story.case.ended:
        assert not running


@settings(max_examples=40, deadline=None)
@given(stories)
def test_what_is_known_at_an_instant_does_not_depend_on_what_comes_later(story: Story) -> None:
    """A prefix of the history has the same actions at the same instants."""
    for length in range(1, len(story.events) + 1):
        some = facts_of(story.case.no, story.events[:length])
        whole = facts_of(story.case.no, story.events)
        early = {(fact.seq, fact.what, fact.at) for fact in some}
        assert early == {(fact.seq, fact.what, fact.at) for fact in whole if fact.seq <= length}


def test_a_history_without_its_beginning_is_refused() -> None:
    story = next(one for one in month(1, 20) if len(one.events) > 3)
    with pytest.raises((ValueError, AssertionError, Exception)):
        facts_of(story.case.no, story.events[1:])
    with pytest.raises(ValueError, match="without events"):
        facts_of(story.case.no, [])


def test_a_returned_dispatch_was_wrong_and_the_disposal_runs_on_with_the_next_unit() -> None:
    kinds = (ActionKind.RETURN, ActionKind.REDISPATCH)
    story = next(
        one for one in month(2, 300)
        if [event.action.kind for event in one.events][3:5] == list(kinds) and len(one.case.assignments) == 2
    )  # fmt: skip
    facts = {(fact.what, fact.seq): fact for fact in facts_of(story.case.no, story.events)}

    assert facts["action.dispatch", 3].result == "returned"
    assert facts["action.return", 4].unit == facts["action.dispatch", 3].unit
    disposal = facts["clock.disposal", 3]
    assert disposal.unit == story.case.assignments[1].unit
    assert disposal.spent_seconds >= (story.events[4].action.at - story.events[2].action.at) // timedelta(seconds=1)


def test_each_unit_that_was_called_has_clocks_of_its_own_and_only_the_late_one_is_late() -> None:
    """吹哨: two units are called; one reports in and answers in time, the other does neither until it is too late."""
    story = next(
        one for one in month(3, 300)
        if one.case.stage is Stage.HANDLING and one.case.assignment is not None and not one.case.joint_tasks
    )  # fmt: skip
    case, events = story.case, list(story.events)
    lead = case.assignment.unit if case.assignment else ""
    at = events[-1].action.at

    def done(kind: ActionKind, hours: float, unit: str, *, round_: int = 0, clocks: Sequence[Clock] = ()) -> None:
        nonlocal case
        now = at + timedelta(hours=hours)
        due = Due(at=now + timedelta(hours=2))
        limit = Limit(value=2, unit=LimitUnit.URGENT_WORK_HOUR)
        timed = tuple(Timed(clock=clock, of=unit, limit=limit, due=due) for clock in clocks)
        event = case.does(desk(kind, now, unit=unit, system=f"system-of-{unit}", round=round_, timed=timed))
        case = case.after(event)
        events.append(event)

    rounds = len(case.assignments)
    for hours, unit in ((1, "u-quick"), (1.1, "u-slow")):
        done(ActionKind.WHISTLE, hours, unit, clocks=(Clock.REPORT_IN, Clock.JOINT))
    done(ActionKind.REPORT_IN, 2, "u-quick", round_=rounds + 1)
    done(ActionKind.ANSWER, 2.5, "u-quick", round_=rounds + 1)
    done(ActionKind.REPORT_IN, 9, "u-slow", round_=rounds + 2)

    facts = facts_of(case.no, events)
    called = {(fact.what, fact.unit): fact for fact in facts if fact.what in ("clock.report_in", "clock.joint")}
    late = {
        key: fact.done_at is None or (fact.due_at is not None and fact.done_at > fact.due_at)
        for key, fact in called.items()
    }
    assert late == {
        ("clock.report_in", "u-quick"): False, ("clock.joint", "u-quick"): False,
        ("clock.report_in", "u-slow"): True, ("clock.joint", "u-slow"): True,
    }  # fmt: skip
    assert {fact.system for fact in called.values()} == {"system-of-u-quick", "system-of-u-slow"}
    assert {fact.unit for fact in facts if fact.what == "action.whistle"} == {lead}
    assert {fact.unit for fact in facts if fact.what == "action.report_in"} == {"u-quick", "u-slow"}
    assert {fact.unit for fact in facts if fact.what == "clock.disposal"} == {lead}
    assert len({(fact.seq, fact.what, fact.unit) for fact in facts}) == len(facts)


def test_what_the_leading_system_does_is_its_centres_work_and_no_persons() -> None:
    """In lead-system mode it verifies, files, closes: counted, by post, of nobody whom the hub would know."""
    story = next(one for one in month(5, 60, until=BEGIN + timedelta(days=9)) if one.case.stage is Stage.REPORTED)
    lead = Actor(party=Party.LEAD_SYSTEM, id="urban_management")
    at = story.events[-1].action.at + timedelta(hours=1)
    given = story.case.does(desk(ActionKind.HAND_BACK, at, system=lead.id))
    verified = story.case.after(given).does(desk(ActionKind.VERIFY, at, actor=lead, reason="核实"))

    fact = next(one for one in facts_of(story.case.no, [*story.events, given, verified]) if one.what == "action.verify")
    assert (fact.post, fact.person, fact.party) == ("acceptor", "", "lead_system")


def test_a_place_that_is_found_out_piece_by_piece_is_the_place_of_all_facts_before() -> None:
    """The source said only the city: reported and filed count in the same district, or rates exceed 100 %."""
    story = next(one for one in month(4, 50) if len(one.events) > 3 and one.case.place.area)
    whole = story.case.place.area or ""

    def collected(area: str) -> Event:
        place = story.case.place.model_copy(update={"area": area, "grid": None})
        first = story.events[0]
        return first.model_copy(update={"action": first.action.model_copy(update={"place": place})})

    def areas(first: str) -> set[str]:
        return {one.area for one in facts_of(story.case.no, [collected(first), *story.events[1:]])}

    assert areas(whole[:4]) == areas(whole[:6]) == {whole}
    elsewhere = "340299"
    assert areas(elsewhere) == {elsewhere, whole}
