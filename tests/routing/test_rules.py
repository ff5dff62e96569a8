"""What follows by itself: each rule answers from a table row and names it, or leaves the case to a person."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from canonical.case import Action, Case, Event
from canonical.codes import ClassCode
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.place import Place
from canonical.report import Report, SourceDeadline, Urgency
from canonical.time import Due, Limit, LimitUnit
from routing.city import By, Policy
from routing.rules import assigning, filing, next_action, source_due
from routing.timing import Timing
from tests.routing.intake_city import CITY, LAMP, LAWSUIT, NOW, STALL, SYSTEMS, Desk, by_owner, reported

K = ActionKind
HOUR = timedelta(hours=1)


def case_of(class_code: str = STALL, **facts: object) -> tuple[Case, Event]:
    """A reported case with this class in 镜湖区, and the event that opened it; no rule has spoken yet."""
    desk = Desk()
    desk.take(reported("hotline", "1", area=""))
    code = ClassCode.parse(class_code) if class_code else None
    return desk.case.model_copy(update={"class_code": code, "place": Place(area="340202")} | facts), desk.events[0]


@pytest.mark.parametrize(
    ("class_code", "kind", "reason"),
    [(STALL, K.FILE, "the default row"), (LAMP, K.VERIFY, "先看"), (LAWSUIT, K.REFUSE, "不受理")],
)
def test_the_catalogue_says_how_a_report_of_a_class_is_taken(class_code: str, kind: ActionKind, reason: str) -> None:
    case, event = case_of(class_code)
    action = next_action(case, event, CITY, NOW)

    assert action is not None
    assert (action.kind, action.actor.party, action.actor.id) == (kind, Party.HUB, "classes.csv")
    assert reason in action.reason
    assert action.editions == {"catalogue": "c1"}


@pytest.mark.parametrize("facts", [{"class_code": None}, {"place": Place()}], ids=str)
def test_what_is_not_known_is_left_to_a_person(facts: dict[str, Any]) -> None:
    case, event = case_of(**facts)

    assert next_action(case, event, CITY, NOW) is None


@pytest.mark.parametrize("kind", [K.SIGN, K.VERIFY, K.REFUSE, K.DISPATCH, K.CLOSE, K.CANCEL, K.MERGE, K.COMMENT])
def test_nothing_follows_where_another_is_to_act(kind: ActionKind) -> None:
    case, event = case_of()
    action = event.action.model_copy(update={"kind": kind})

    assert next_action(case, event.model_copy(update={"action": action}), CITY, NOW) is None


def test_the_words_of_the_report_choose_the_standard_row() -> None:
    case, event = case_of(description="很急，快来")

    action = filing(event.action.model_copy(update={"kind": K.FILE}), case, CITY)

    assert (action.standard, action.reason) == (f"{STALL}/2", f"standards.csv {STALL}/2: 很急")


def test_a_standard_row_and_a_reason_that_were_named_stay() -> None:
    case, event = case_of(urgency=Urgency.URGENT)
    named = event.action.model_copy(update={"kind": K.FILE, "standard": "x", "reason": "mine"})

    action = filing(named, case, CITY)

    assert (action.standard, action.reason) == ("x", "mine")
    assert action.editions == named.editions | {"catalogue": "c1"}


def assigned(unit: str, **facts: Any) -> Action:
    case, event = case_of(standard=f"{STALL}/1", **facts)
    action = assigning(event.action.model_copy(update={"kind": K.DISPATCH, "unit": unit}), case, CITY, NOW)
    return Timing(CITY, NOW).complete(action, case)


@pytest.mark.parametrize(("unit", "system"), [("u1", "works"), ("u2", "grid"), ("u3", "")])
def test_the_work_goes_the_units_way_with_the_due_time_of_the_standard_row(unit: str, system: str) -> None:
    action = assigned(unit)

    assert action.system == system
    assert action.due == Due(at=NOW.replace(hour=15, minute=30))  # 2.5 hours this morning, 1.5 after the break
    assert action.editions["calendar"] == CITY.calendar.edition


def test_a_source_that_cannot_work_on_its_own_case_does_not_get_it_back() -> None:
    works = SYSTEMS["works"]
    mute = works.model_copy(update={"tells": {name: told for name, told in works.tells.items() if name != "both"}})
    city = replace(CITY, systems=CITY.systems | {"works": mute})  # type: ignore[operator]
    desk, fair = Desk(city), Desk(city)
    desk.take(reported("works", "1"))
    fair.take(reported("hotline", "1"))

    assert (desk.case.owner, desk.case.assignment.unit) == ("", "u1")  # type: ignore[union-attr]
    assert fair.case.owner == "works"


@pytest.mark.parametrize(
    ("check", "close", "stage"),
    [
        (By.CENTRE, By.AUTOMATIC, Stage.DISPOSED),
        (By.AUTOMATIC, By.CENTRE, Stage.CHECKED),
        (By.AUTOMATIC, By.AUTOMATIC, Stage.CLOSED),
    ],
)
def test_the_policy_says_how_far_the_owners_word_goes(check: By, close: By, stage: Stage) -> None:
    desk = Desk(replace(CITY, policy=Policy(check=check, close=close)))
    desk.take(reported("hotline", "1"))
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.DISPOSE))

    assert desk.case.stage is stage


@pytest.mark.parametrize("rounds", [1, 2])
def test_after_so_many_rounds_no_rule_gives_the_case_away(rounds: int) -> None:
    desk = Desk(replace(CITY, policy=Policy(rounds=rounds)))
    desk.take(reported("hotline", "1"))
    for round_ in range(rounds):
        desk.bound(f"o{round_}")
        desk.take(by_owner(desk.case.owner, f"o{round_}", K.RETURN))

    assert (desk.case.stage, len(desk.case.assignments)) == (Stage.RETURNED, rounds)


@pytest.mark.parametrize(
    ("deadline", "due"),
    [
        (None, None),
        (SourceDeadline(), None),
        (SourceDeadline(at=NOW + HOUR), NOW + HOUR),
        (SourceDeadline(at=NOW + HOUR, limit=Limit(value=9, unit=LimitUnit.WORK_DAY)), NOW + HOUR),
        (SourceDeadline(limit=Limit(value=90, unit=LimitUnit.MINUTE)), NOW + 1.5 * HOUR),
        (SourceDeadline(limit=Limit(value=60, unit=LimitUnit.MINUTE), since=NOW - HOUR), NOW),
    ],
    ids=str,
)
def test_the_sources_deadline_becomes_an_instant(deadline: SourceDeadline | None, due: object) -> None:
    found = source_due(deadline, NOW, CITY)

    assert (found and found.at) == due


def test_a_joined_report_wakes_only_a_case_that_was_worked_on() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1", case_key="k", area=""))
    joined = desk.events[0].model_copy(
        update={"action": desk.events[0].action.model_copy(update={"kind": K.JOIN, "report": Report()})}
    )

    assert next_action(desk.case, joined, CITY, NOW) is None
