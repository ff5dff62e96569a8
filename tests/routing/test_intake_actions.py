"""What becomes of actions that systems state: done, known already, held for a moment, or refused."""

from dataclasses import replace

import pytest

from canonical.case import BindingRole, Queue
from canonical.errors import Why
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.message import Verdict
from canonical.report import Report
from routing.city import Policy
from tests.routing.intake_city import (
    AUTOMATIC,
    CITY,
    LATER,
    NOW,
    TREE,
    Desk,
    by_owner,
    by_source,
    ordered,
    reported,
    stated,
    verdicts,
)

K = ActionKind


def desk_with_work(**more: str) -> Desk:
    """One case of the hotline, dispatched to `works`, which calls it w1."""
    desk = Desk()
    desk.take(reported("hotline", "1", **more))  # type: ignore[arg-type]
    desk.bound("w1")
    return desk


def closed_desk() -> Desk:
    desk = desk_with_work()
    desk.take(by_owner("works", "w1", K.DISPOSE, result="swept"))
    desk.take(ordered(desk.case.no, K.CHECK, result="good"))
    return desk


def test_the_owner_signs_works_and_the_centre_checks_and_the_source_hears_what_was_done() -> None:
    desk = desk_with_work()

    assert verdicts(desk.take(by_owner("works", "w1", K.SIGN))) == [Verdict.APPLIED]
    assert verdicts(desk.take(by_owner("works", "w1", K.DISPOSE, result="swept"))) == [Verdict.APPLIED]
    assert desk.case.queue is Queue.TO_CHECK
    desk.take(ordered(desk.case.no, K.CHECK, result="seen"))

    assert (desk.case.stage, desk.case.result) == (Stage.CLOSED, "swept")
    assert desk.told() == [("hotline", "done", "1")]
    assert desk.events[-1].action.actor.id == "city.yaml policy.close"


def test_an_owner_known_by_our_reference_only_is_found_and_its_own_id_is_kept() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1"))
    reference = desk.case.reference

    assert verdicts(desk.take(by_owner("works", "w1", K.SIGN, reference=reference))) == [Verdict.APPLIED]
    binding = desk.bindings["works", "w1"]
    assert (binding.role, binding.round, binding.reference) == (BindingRole.OWNER, 1, reference)


def test_a_reference_of_a_case_that_was_never_given_to_that_system_is_unknown() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1"))

    [outcome] = desk.take(by_owner("grid", "g1", K.SIGN, reference=desk.case.reference))

    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.UNKNOWN_CASE)
    assert ("grid", "g1") not in desk.bindings


def test_an_owner_that_carries_no_number_back_is_found_by_what_we_sent() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1"))
    desk.bound("ours", fingerprint="f1")

    assert verdicts(desk.take(by_owner("works", "w1", K.SIGN, fingerprint="f1"))) == [Verdict.APPLIED]
    assert desk.bindings["works", "w1"].case_id == desk.case.id


def test_a_callback_before_our_own_commit_is_held_and_after_ten_minutes_refused() -> None:
    desk = Desk()
    desk.on_their_way = frozenset({"works"})

    assert verdicts(desk.take(by_owner("works", "w9", K.SIGN))) == [Verdict.HELD]
    desk.now = NOW + LATER
    [outcome] = desk.take(by_owner("works", "w9", K.SIGN))

    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.UNKNOWN_CASE)


def test_a_callback_of_a_system_to_which_nothing_is_on_its_way_is_refused_at_once() -> None:
    desk = Desk()
    desk.on_their_way = frozenset({"grid"})

    [outcome] = desk.take(by_owner("works", "w9", K.SIGN))

    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.UNKNOWN_CASE)


def test_a_message_with_report_and_action_opens_an_unknown_case_and_acts_on_a_known_one() -> None:
    desk = Desk()
    both = {Party.OWNER: K.SIGN, Party.SOURCE: K.EVALUATE}
    report = Report(given_area="340202")

    assert verdicts(desk.take(stated("grid", "1", both, report=report))) == [Verdict.CASE]
    [outcome] = desk.take(stated("grid", "1", both, report=report))
    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.NOT_ALLOWED)
    assert [entry.is_report for entry in desk.journal.values()] == [True, True]


def test_a_status_that_carries_the_whole_report_again_is_counted_as_an_action() -> None:
    desk = Desk()
    desk.take(reported("grid", "1", area="340207"))
    arrival = stated("grid", "1", {Party.OWNER: K.SIGN}, report=Report(given_area="340207"))

    assert verdicts(desk.take(arrival)) == [Verdict.APPLIED]
    assert desk.journal[arrival.message.id].is_report is False
    desk.check_books()


def test_a_returned_case_goes_to_the_next_unit_of_the_list() -> None:
    desk = desk_with_work()

    assert verdicts(desk.take(by_owner("works", "w1", K.RETURN, reason="not ours"))) == [Verdict.APPLIED]
    assert [(a.round, a.unit, a.system) for a in desk.case.assignments] == [(1, "u1", "works"), (2, "u2", "grid")]
    assert desk.told() == [("grid", "work", "")]
    assert desk.events[-1].action.actor.id == "responsibility.csv R2"


def test_when_no_unit_is_left_the_case_waits_in_the_centre_with_the_reason() -> None:
    desk = desk_with_work()
    desk.take(by_owner("works", "w1", K.RETURN))
    desk.bound("g1")
    desk.take(by_owner("grid", "g1", K.RETURN))

    assert (desk.case.stage, desk.case.queue, desk.case.returns) == (Stage.RETURNED, Queue.RETURNED, 2)
    assert desk.actions()[-2:] == [K.RETURN, K.COMMENT]
    assert desk.events[-1].action.reason.endswith("beside 2 tried already")
    assert desk.told() == []


def test_after_the_rounds_of_the_policy_the_centre_decides() -> None:
    desk = Desk(replace(CITY, policy=Policy(rounds=1)))
    desk.take(reported("hotline", "1"))
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.RETURN))

    assert desk.case.queue is Queue.RETURNED
    assert desk.actions()[-1] is K.RETURN


def test_a_former_owner_has_nothing_more_to_say() -> None:
    desk = desk_with_work()
    desk.take(by_owner("works", "w1", K.RETURN))

    [outcome] = desk.take(by_owner("works", "w1", K.DISPOSE))

    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.NOT_ALLOWED)
    assert "no part" in outcome.text


def test_the_source_evaluates_a_closed_case_and_is_not_told_its_own_word() -> None:
    desk = closed_desk()

    assert verdicts(desk.take(by_source("hotline", "1", K.EVALUATE, result="dissatisfied"))) == [Verdict.APPLIED]
    assert (desk.case.stage, desk.case.evaluation) == (Stage.EVALUATED, "dissatisfied")
    assert desk.told() == []


def test_a_source_that_cancels_stops_the_owner_and_hears_nothing() -> None:
    desk = desk_with_work()

    assert verdicts(desk.take(by_source("hotline", "1", K.CANCEL))) == [Verdict.APPLIED]
    assert desk.case.stage is Stage.CANCELLED
    assert desk.told() == [("works", "stop", "w1")]


def test_a_centre_that_cancels_tells_both() -> None:
    desk = desk_with_work()
    desk.take(ordered(desk.case.no, K.CANCEL, reason="test case"))

    assert desk.told() == [("hotline", "off", "1"), ("works", "stop", "w1")]


def test_an_asked_extension_reaches_the_source() -> None:
    desk = desk_with_work()
    arrival = by_owner("works", "w1", K.ASK_EXTENSION)
    action = arrival.content.action.model_copy(  # type: ignore[union-attr]
        update={"limit": CITY.catalogue.standards[desk.case.standard].limit}
    )
    content = arrival.content.model_copy(update={"action": action})  # type: ignore[union-attr]

    assert verdicts(desk.take(replace(arrival, content=content))) == [Verdict.APPLIED]
    assert desk.told() == [("hotline", "later", "1")]


# --- a system that is both ---


def test_a_system_that_reported_and_owns_a_case_is_told_once_in_the_words_for_both() -> None:
    desk = Desk()
    desk.take(reported("grid", "1", area="340207"))

    assert desk.case.owner == "grid"
    assert desk.told() == [("grid", "taken", "1"), ("grid", "your_own", "1")]


def test_a_system_that_is_both_is_told_once_when_the_centre_cancels() -> None:
    desk = Desk()
    desk.take(reported("grid", "1", area="340207"))
    desk.take(ordered(desk.case.no, K.CANCEL, reason="test case"))

    assert desk.told() == [("grid", "off", "1")]


def test_a_system_that_is_both_withdraws_as_source_where_its_status_allows_both_readings() -> None:
    desk = Desk()
    desk.take(reported("grid", "1", area="340207"))
    desk.take(stated("grid", "1", {Party.SOURCE: K.CANCEL, Party.OWNER: K.RETURN}))

    assert desk.case.stage is Stage.CANCELLED


def test_a_system_that_is_both_works_under_the_id_of_its_report() -> None:
    desk = Desk()
    desk.take(reported("grid", "1", area="340207"))

    assert verdicts(desk.take(by_owner("grid", "1", K.SIGN), by_owner("grid", "1", K.DISPOSE))) == [
        Verdict.APPLIED,
        Verdict.APPLIED,
    ]
    assert desk.case.stage is Stage.DISPOSED


def test_another_source_joins_no_case_by_its_own_key() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1", case_key="k"), reported("grid", "1", case_key="k"))

    assert len(desk.cases) == 2


# --- who may not, and what was said before ---


@pytest.mark.parametrize("kind", [K.SIGN, K.DISPOSE, K.RETURN])
def test_a_source_cannot_do_the_owners_work(kind: ActionKind) -> None:
    desk = desk_with_work()
    before = desk.case

    [outcome] = desk.take(by_owner("hotline", "1", kind))

    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.NOT_ALLOWED)
    assert desk.case == before


def test_an_action_that_is_not_possible_yet_says_what_is() -> None:
    desk = desk_with_work()

    [outcome] = desk.take(by_source("hotline", "1", K.EVALUATE))

    assert "evaluate is not possible from dispatched" in outcome.text


def test_an_action_that_lacks_its_reason_is_refused_and_says_so() -> None:
    desk = desk_with_work()

    [outcome] = desk.take(by_owner("works", "w1", K.RETURN, reason=""))

    assert outcome.text == "return needs reason"


@pytest.mark.parametrize("kind", [K.SIGN, K.DISPOSE])
def test_what_the_owner_says_twice_is_repeated(kind: ActionKind) -> None:
    desk = desk_with_work()
    desk.take(by_owner("works", "w1", kind))
    before = desk.case

    [outcome] = desk.take(by_owner("works", "w1", kind))

    assert (outcome.verdict, outcome.case_no) == (Verdict.REPEATED, before.no)
    assert desk.case == before


def test_signing_after_disposal_is_late_news_and_no_error() -> None:
    desk = desk_with_work()
    desk.take(by_owner("works", "w1", K.DISPOSE))

    assert verdicts(desk.take(by_owner("works", "w1", K.SIGN))) == [Verdict.REPEATED]


def test_a_return_said_twice_does_not_return_the_next_round() -> None:
    desk = desk_with_work()
    desk.take(by_owner("works", "w1", K.RETURN))

    assert verdicts(desk.take(by_owner("works", "w1", K.RETURN))) == [Verdict.REPEATED]
    assert desk.case.returns == 1


def test_evaluating_and_cancelling_twice_is_repeated() -> None:
    desk = closed_desk()
    twice = [by_source("hotline", "1", K.EVALUATE), by_source("hotline", "1", K.EVALUATE)]
    assert verdicts(desk.take(*twice)) == [Verdict.APPLIED, Verdict.REPEATED]

    desk = desk_with_work()
    twice = [by_source("hotline", "1", K.CANCEL), by_source("hotline", "1", K.CANCEL)]
    assert verdicts(desk.take(*twice)) == [Verdict.APPLIED, Verdict.REPEATED]


def test_a_repeated_action_is_no_report_in_the_books() -> None:
    desk = desk_with_work()
    desk.take(by_owner("works", "w1", K.SIGN))
    again = by_owner("works", "w1", K.SIGN)
    desk.take(again)

    assert desk.journal[again.message.id].is_report is False


def test_disposal_closes_by_itself_where_the_city_lets_the_owners_word_stand() -> None:
    desk = Desk(AUTOMATIC)
    desk.take(reported("hotline", "1"))
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.DISPOSE, result="swept"))

    assert desk.actions()[-3:] == [K.DISPOSE, K.CHECK, K.CLOSE]
    assert desk.case.result == "swept"


def test_a_case_at_the_desk_is_worked_by_the_centre() -> None:
    desk = Desk(now=NOW.replace(hour=23))
    desk.take(reported("hotline", "1", class_code=TREE))
    desk.take(ordered(desk.case.no, K.SIGN), ordered(desk.case.no, K.DISPOSE, result="cut"))

    assert desk.case.stage is Stage.DISPOSED


def test_the_order_in_a_lane_strictly_grows_over_rounds() -> None:
    desk = desk_with_work()
    desk.take(by_owner("works", "w1", K.RETURN))
    desk.bound("g1")
    desk.take(by_owner("grid", "g1", K.DISPOSE))
    desk.take(ordered(desk.case.no, K.REWORK, reason="not clean"))
    desk.take(by_owner("grid", "g1", K.DISPOSE))
    desk.take(ordered(desk.case.no, K.CANCEL, reason="enough"))

    assert [(d.system, d.message) for d in desk.deliveries if d.system != "hotline"] == [
        ("works", "work"),
        ("grid", "work"),
        ("grid", "again"),
        ("grid", "stop"),
    ]
    desk.check_books()
