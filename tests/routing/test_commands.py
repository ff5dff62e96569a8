"""Orders of the centre: completed from the city's tables, done with what follows, or refused with what is expected."""

from typing import Any

import pytest

from canonical.case import Queue
from canonical.codes import ClassCode
from canonical.errors import Why
from canonical.lifecycle import ActionKind, Stage
from canonical.message import Verdict
from canonical.place import Place, PlaceMethod
from tests.routing.intake_city import LAMP, LAWSUIT, NOW, STALL, TREE, Desk, by_owner, ordered, reported, verdicts

K = ActionKind


def desk_with(**facts: Any) -> Desk:
    desk = Desk()
    desk.take(reported("hotline", "1", **facts))
    return desk


def refused(desk: Desk, kind: ActionKind, **fields: Any) -> str:
    """The text of the refusal; nothing has changed."""
    before = desk.case
    [outcome] = desk.take(ordered(before.no, kind, **fields))
    assert (outcome.verdict, desk.case) == (Verdict.REFUSED, before)
    return outcome.text


def test_an_order_for_a_case_that_is_not_there_is_refused() -> None:
    [outcome] = Desk().take(ordered("34029", K.COMMENT, reason="x"))

    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.UNKNOWN_CASE)


def test_a_verified_case_is_filed_with_what_is_known_and_goes_its_way() -> None:
    desk = desk_with(class_code=LAMP)

    assert verdicts(desk.take(ordered(desk.case.no, K.FILE))) == [Verdict.APPLIED]
    assert desk.actions() == [K.COLLECT, K.VERIFY, K.FILE, K.DISPATCH]
    assert (desk.case.standard, desk.case.assignment.unit) == (f"{LAMP}/1", "u3")  # type: ignore[union-attr]
    assert desk.case.queue is Queue.AT_DESK
    assert desk.told() == [("hotline", "taken", "1")]


def test_filing_with_the_place_a_person_found_dispatches_at_once() -> None:
    desk = desk_with(area="")

    desk.take(ordered(desk.case.no, K.FILE, place=Place(area="340202")))

    assert (desk.case.stage, desk.case.place.method) == (Stage.DISPATCHED, PlaceMethod.CENTRE)


def test_a_class_and_a_standard_row_can_be_named() -> None:
    desk = desk_with(class_code="")
    desk.take(ordered(desk.case.no, K.FILE, class_code=ClassCode.parse(STALL), standard=f"{STALL}/2"))

    assert desk.case.standard == f"{STALL}/2"
    assert desk.case.due is not None
    assert (desk.case.due.at - NOW).total_seconds() == 3600


@pytest.mark.parametrize(
    ("facts", "fields", "text"),
    [
        ({"area": ""}, {}, "file needs a place: at least the county's code in place.area"),
        ({"area": ""}, {"place": Place(area="110101")}, "area 110101 is not in divisions.csv"),
        ({"class_code": ""}, {}, "file needs class_code, standard"),
        (
            {"class_code": ""},
            {"class_code": ClassCode.parse("local:E98-01")},
            "class local:E98-01 is not in classes.csv",
        ),
        ({"class_code": ""}, {"class_code": ClassCode.parse(LAWSUIT)}, "has no standard row; name one"),
        ({"class_code": LAMP}, {"standard": "x"}, "standard row 'x' is not in standards.csv"),
    ],
    ids=str,
)
def test_a_filing_that_cannot_be_says_what_is_missing(
    facts: dict[str, str], fields: dict[str, object], text: str
) -> None:
    assert text in refused(desk_with(**facts), K.FILE, **fields)


def test_a_case_without_an_owner_is_dispatched_by_a_person_with_a_due_time() -> None:
    desk = desk_with(class_code=TREE)
    desk.take(ordered(desk.case.no, K.DISPATCH, unit="u2"))

    assert (desk.case.owner, desk.case.stage) == ("grid", Stage.DISPATCHED)
    assert desk.case.due is not None
    assert desk.told() == [("grid", "work", "")]


def test_a_unit_that_is_not_in_the_table_gets_no_work() -> None:
    assert refused(desk_with(class_code=TREE), K.DISPATCH, unit="u9") == "unit 'u9' is not in units.csv"


def test_the_table_guards_orders_too() -> None:
    desk = desk_with()

    assert "close is not possible from dispatched" in refused(desk, K.CLOSE, result="x")
    assert refused(desk, K.CANCEL) == "cancel needs reason"


def test_closing_takes_the_owners_result_where_the_order_says_nothing() -> None:
    desk = desk_with()
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.DISPOSE, result="swept"))
    desk.take(ordered(desk.case.no, K.CHECK, result="seen"))

    assert desk.case.result == "swept"


def test_rework_keeps_the_unit_and_tells_it_under_its_own_id() -> None:
    desk = desk_with()
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.DISPOSE))
    desk.take(ordered(desk.case.no, K.REWORK, reason="still there"))

    assert desk.told() == [("works", "again", "w1")]
    assert (desk.case.stage, len(desk.case.assignments)) == (Stage.HANDLING, 1)


# --- merging ---


def two() -> Desk:
    """Two cases about one matter: the hotline's, waiting for its place, and the grid's, dispatched to works."""
    desk = Desk()
    desk.take(reported("hotline", "1", area="", case_key="k"), reported("grid", "9"))
    return desk


def merge(desk: Desk, source: str, target: str) -> Verdict:
    [outcome] = desk.take(ordered(source, K.MERGE, reason="the same", target=target))
    return outcome.verdict


def numbers(desk: Desk) -> tuple[str, str]:
    first, second = sorted(case.no for case in desk.cases.values())
    return first, second


def test_a_merged_case_hands_its_source_to_the_case_that_remains() -> None:
    desk = two()
    first, second = numbers(desk)

    assert merge(desk, first, second) is Verdict.APPLIED
    assert (desk.by_no(first).stage, desk.by_no(first).merged_into) == (Stage.MERGED, second)
    assert desk.bindings["hotline", "1"].case_id == desk.by_no(second).id
    assert desk.told() == [("hotline", "taken", "1")]
    assert desk.actions(desk.by_no(second))[-1] is K.COMMENT
    desk.check_books()


def test_a_source_that_was_told_of_filing_is_not_told_again_by_merging() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1"), reported("grid", "9"))
    first, second = numbers(desk)

    assert merge(desk, first, second) is Verdict.APPLIED
    assert desk.told() == [("works", "stop", "")]


def test_both_sources_hear_the_end_of_a_merged_case() -> None:
    desk = two()
    first, second = numbers(desk)
    merge(desk, first, second)
    desk.bound("w1", desk.by_no(second))
    desk.take(by_owner("works", "w1", K.DISPOSE, result="swept"))
    desk.take(ordered(second, K.CHECK, result="seen"))

    assert sorted(desk.told()) == [("grid", "done", "9"), ("hotline", "done", "1")]


def test_the_owner_of_a_merged_case_is_told_to_stop() -> None:
    desk = two()
    first, second = numbers(desk)
    desk.bound("w1", desk.by_no(second))

    assert merge(desk, second, first) is Verdict.APPLIED
    assert desk.told() == [("works", "stop", "w1")]


@pytest.mark.parametrize("together", [True, False])
def test_a_further_task_of_a_merged_case_joins_the_case_that_remains(together: bool) -> None:
    desk = two()
    first, second = numbers(desk)
    order = ordered(first, K.MERGE, reason="the same", target=second)
    further = reported("hotline", "2", case_key="k", area="")
    batches = [[order, further]] if together else [[order], [further]]

    outcomes = [outcome for batch in batches for outcome in desk.take(*batch)]

    assert verdicts(outcomes) == [Verdict.APPLIED, Verdict.JOINED]
    assert outcomes[1].case_no == second


@pytest.mark.parametrize("target", ["", "34029", "itself"])
def test_a_case_is_merged_only_into_another_that_is_there(target: str) -> None:
    desk = two()
    first, _ = numbers(desk)

    assert merge(desk, first, first if target == "itself" else target) is Verdict.REFUSED


def test_nothing_is_merged_into_a_case_that_is_gone() -> None:
    desk = two()
    first, second = numbers(desk)
    desk.take(ordered(first, K.CANCEL, reason="x"))

    [outcome] = desk.take(ordered(second, K.MERGE, reason="the same", target=first))

    assert outcome.text == f"case {first} is cancelled: nothing can join it"
