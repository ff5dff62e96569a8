"""What becomes of reports: a case, a further report of one, a repetition, or a refusal the source hears of."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from canonical.case import Queue
from canonical.errors import Unacceptable, UnmappedCode, Why
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.message import Verdict
from canonical.records import Arrival, Split
from canonical.report import SourceDeadline
from canonical.time import Limit, LimitUnit
from routing.city import Policy
from tests.routing.intake_city import (
    AUTOMATIC,
    CITY,
    LAMP,
    LATER,
    LAWSUIT,
    NOISE,
    NOW,
    STALL,
    TREE,
    Desk,
    by_owner,
    by_source,
    message,
    ordered,
    reported,
    verdicts,
)

K = ActionKind


def test_a_report_is_filed_and_dispatched_and_every_step_says_why_and_by_which_edition() -> None:
    desk = Desk()
    [outcome] = desk.take(reported("hotline", "1"))

    assert (outcome.verdict, outcome.case_no) == (Verdict.CASE, "3402202605200000001")
    collect, file, dispatch = (event.action for event in desk.events)
    assert (collect.kind, collect.actor.party, collect.editions) == (
        K.COLLECT,
        Party.SOURCE,
        {"declaration": "hotline-1"},
    )
    assert (file.actor.id, file.standard, file.editions) == ("classes.csv", f"{STALL}/1", {"catalogue": "c1"})
    assert (dispatch.actor.id, dispatch.unit, dispatch.system) == ("responsibility.csv R1", "u1", "works")
    assert dispatch.reason == f"responsibility.csv R1: {STALL} in 340202, always (三定)"
    assert dispatch.editions == {"responsibility": "r1", "calendar": CITY.calendar.edition}
    assert desk.case.due == CITY.calendar.due(NOW, Limit(value=4, unit=LimitUnit.WORK_HOUR))


def test_the_source_hears_that_it_is_filed_and_the_owner_gets_the_work() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1"))

    assert desk.told() == [("hotline", "taken", "1"), ("works", "work", "")]
    assert [(d.event_seq, d.seq) for d in desk.changes.deliveries] == [(2, 2000), (3, 3000)]


def test_a_report_causes_the_first_event_and_rules_cause_the_others() -> None:
    desk = Desk()
    arrival = reported("hotline", "1")
    desk.take(arrival)

    assert [event.message_id for event in desk.events] == [arrival.message.id, None, None]
    assert desk.journal[arrival.message.id].case_id == desk.case.id


@pytest.mark.parametrize(
    ("facts", "queue"),
    [
        ({"area": ""}, Queue.LOCATION_UNKNOWN),
        ({"area": "3402"}, Queue.LOCATION_UNKNOWN),
        ({"area": "110101"}, Queue.LOCATION_UNKNOWN),
        ({"class_code": ""}, Queue.CLASS_UNKNOWN),
        ({"class_code": "local:E98-77"}, Queue.TO_FILE),
    ],
    ids=str,
)
def test_what_cannot_be_judged_waits_visibly_and_nobody_is_told_yet(facts: dict[str, str], queue: Queue) -> None:
    desk = Desk()

    assert verdicts(desk.take(reported("hotline", "1", **facts))) == [Verdict.CASE]  # type: ignore[arg-type]
    assert (desk.case.stage, desk.case.queue) == (Stage.REPORTED, queue)
    assert desk.told() == []


def test_a_class_the_city_does_not_handle_is_refused_and_the_source_hears_why() -> None:
    desk = Desk()
    [outcome] = desk.take(reported("hotline", "1", class_code=LAWSUIT))

    assert outcome.verdict is Verdict.CASE
    assert desk.case.stage is Stage.REFUSED
    assert desk.events[-1].action.reason == "不受理"
    assert desk.told() == [("hotline", "no", "1")]


def test_a_class_that_is_verified_first_waits_for_a_person() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1", class_code=LAMP))

    assert (desk.case.stage, desk.case.queue) == (Stage.VERIFYING, Queue.TO_VERIFY)
    assert desk.told() == []


def test_a_case_that_nobody_owes_waits_in_the_centre_with_the_reason() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1", class_code=TREE))

    assert (desk.case.stage, desk.case.queue) == (Stage.FILED, Queue.NO_OWNER)
    assert desk.actions() == [K.COLLECT, K.FILE, K.COMMENT]
    assert desk.events[-1].action.reason == f"no unit for {TREE} in 340202 on 2026-05-20 in working time"


def test_a_case_kept_for_the_centre_on_purpose_names_its_row() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1", class_code=NOISE))

    assert desk.case.queue is Queue.NO_OWNER
    assert desk.events[-1].action.actor.id == "responsibility.csv R5"


def test_off_hours_another_row_answers() -> None:
    desk = Desk(now=NOW.replace(hour=23))
    desk.take(reported("hotline", "1", class_code=TREE))

    assert desk.case.assignment is not None
    assert (desk.case.assignment.unit, desk.case.queue) == ("u3", Queue.AT_DESK)


def test_the_same_report_again_is_repeated_and_changes_nothing() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1"))
    before = desk.case

    [outcome] = desk.take(reported("hotline", "1"))

    assert (outcome.verdict, outcome.case_no) == (Verdict.REPEATED, before.no)
    assert desk.case == before
    assert desk.told() == []


def test_two_equal_pushes_in_one_batch_are_one_case() -> None:
    desk = Desk()

    assert verdicts(desk.take(reported("hotline", "1"), reported("hotline", "1"))) == [Verdict.CASE, Verdict.REPEATED]
    assert len(desk.journal) == 2
    desk.check_books()


def test_the_same_id_of_two_systems_is_two_cases() -> None:
    desk = Desk()

    assert verdicts(desk.take(reported("hotline", "1"), reported("grid", "1"))) == [Verdict.CASE, Verdict.CASE]


def test_a_deadline_of_the_source_is_kept_beside_ours() -> None:
    desk = Desk()
    arrival = reported("hotline", "1")
    reading = arrival.content
    deadline = SourceDeadline(limit=Limit(value=2, unit=LimitUnit.CALENDAR_DAY), since=NOW)
    report = reading.report.model_copy(update={"deadline": deadline})  # type: ignore[union-attr]
    desk.take(replace(arrival, content=reading.model_copy(update={"report": report})))  # type: ignore[union-attr]

    assert desk.case.source_due is not None
    assert desk.case.source_due.at == NOW + 2 * 24 * 6 * LATER


# --- further tasks of the same case of the source ---


def waiting(desk: Desk) -> None:
    """Reported, place unknown."""
    desk.take(reported("hotline", "1", case_key="k", area=""))


def verifying(desk: Desk) -> None:
    desk.take(reported("hotline", "1", case_key="k", class_code=LAMP))


def filed(desk: Desk) -> None:
    desk.take(reported("hotline", "1", case_key="k", class_code=TREE))


def dispatched(desk: Desk) -> None:
    desk.take(reported("hotline", "1", case_key="k"))


def handling(desk: Desk) -> None:
    dispatched(desk)
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.SIGN))


def disposed(desk: Desk) -> None:
    handling(desk)
    desk.take(by_owner("works", "w1", K.DISPOSE))


def closed(desk: Desk) -> None:
    disposed(desk)
    desk.take(ordered(desk.case.no, K.CHECK, result="good"))


def evaluated(desk: Desk) -> None:
    closed(desk)
    desk.take(by_source("hotline", "1", K.EVALUATE, result="dissatisfied"))


def returned(desk: Desk) -> None:
    desk.city = replace(CITY, policy=Policy(rounds=1))
    dispatched(desk)
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.RETURN))


def refused(desk: Desk) -> None:
    desk.take(reported("hotline", "1", case_key="k", class_code=LAWSUIT))


def cancelled(desk: Desk) -> None:
    dispatched(desk)
    desk.take(by_source("hotline", "1", K.CANCEL))


Arrange = Callable[[Desk], None]
_TAKEN = [("hotline", "taken", "2")]


@pytest.mark.parametrize(
    ("arrange", "stage", "told"),
    [
        (waiting, Stage.REPORTED, []),
        (verifying, Stage.VERIFYING, []),
        (filed, Stage.FILED, _TAKEN),
        (dispatched, Stage.DISPATCHED, _TAKEN),
        (handling, Stage.HANDLING, _TAKEN),
        (disposed, Stage.DISPOSED, _TAKEN),
        (returned, Stage.RETURNED, _TAKEN),
    ],
)
def test_a_further_task_joins_the_case_and_is_taken_on_once_it_is_filed(
    arrange: Arrange, stage: Stage, told: list[tuple[str, str, str]]
) -> None:
    desk = Desk()
    arrange(desk)
    before = desk.case

    [outcome] = desk.take(reported("hotline", "2", case_key="k", class_code=STALL))

    assert (outcome.verdict, outcome.case_no) == (Verdict.JOINED, before.no)
    assert (desk.case.stage, desk.case.reports) == (stage, 2)
    assert desk.told() == told
    desk.check_books()


@pytest.mark.parametrize("arrange", [closed, evaluated])
def test_a_further_task_of_a_closed_case_sets_the_same_unit_to_work_again(arrange: Arrange) -> None:
    desk = Desk()
    arrange(desk)

    assert verdicts(desk.take(reported("hotline", "2", case_key="k"))) == [Verdict.JOINED]
    assert desk.actions()[-2:] == [K.JOIN, K.REWORK]
    assert (desk.case.stage, desk.case.closed_at, desk.case.reopened) == (Stage.HANDLING, None, desk.case.version)
    assert desk.told() == [("hotline", "taken", "2"), ("works", "again", "w1")]


@pytest.mark.parametrize("arrange", [refused, cancelled])
def test_a_further_task_of_a_case_that_is_gone_is_a_new_case(arrange: Arrange) -> None:
    desk = Desk()
    arrange(desk)

    [outcome] = desk.take(reported("hotline", "2", case_key="k"))

    assert outcome.verdict is Verdict.CASE
    assert len(desk.cases) == 2
    assert desk.bindings["hotline", "2"].case_id == desk.by_no(outcome.case_no).id


def test_two_tasks_in_one_batch_are_one_case() -> None:
    desk = Desk()

    outcomes = desk.take(reported("hotline", "1", case_key="k"), reported("hotline", "2", case_key="k"))

    assert verdicts(outcomes) == [Verdict.CASE, Verdict.JOINED]
    assert desk.case.reports == 2


def test_each_task_gets_its_own_answer_when_the_case_is_closed() -> None:
    desk = Desk(AUTOMATIC)
    desk.take(reported("hotline", "1", case_key="k"), reported("hotline", "2", case_key="k"))
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.DISPOSE, result="swept"))

    assert desk.told() == [("hotline", "done", "1"), ("hotline", "done", "2")]
    assert len({d.seq for d in desk.changes.deliveries}) == 2


def test_a_reopened_case_answers_only_the_task_that_reopened_it() -> None:
    desk = Desk(AUTOMATIC)
    desk.take(reported("hotline", "1", case_key="k"))
    desk.bound("w1")
    desk.take(by_owner("works", "w1", K.DISPOSE))
    desk.take(reported("hotline", "2", case_key="k"))
    desk.take(by_owner("works", "w1", K.DISPOSE))

    assert desk.case.stage is Stage.CLOSED
    assert desk.told() == [("hotline", "done", "2")]


# --- what is no report ---


def test_what_could_not_be_read_is_refused_with_its_reason_and_counted_as_a_report() -> None:
    desk = Desk()
    arrival = Arrival(message("hotline"), Unacceptable("no JSON", why=Why.UNREADABLE, key="77"))

    [outcome] = desk.take(arrival)

    assert (outcome.verdict, outcome.why, outcome.text) == (Verdict.REFUSED, Why.UNREADABLE, "no JSON")
    entry = desk.journal[arrival.message.id]
    assert (entry.verdict, entry.why, entry.external_id, entry.is_report) == (
        Verdict.REFUSED,
        Why.UNREADABLE,
        "77",
        True,
    )


def test_an_unknown_code_is_quarantined_and_not_refused() -> None:
    assert verdicts(Desk().take(Arrival(message("hotline"), UnmappedCode("no row for 99")))) == [Verdict.QUARANTINED]


def test_a_bad_neighbour_harms_nobody_in_its_batch() -> None:
    desk = Desk()
    bad = Arrival(message("hotline"), Unacceptable("no"))

    assert verdicts(desk.take(reported("hotline", "1"), bad, reported("hotline", "2"))) == [
        Verdict.CASE,
        Verdict.REFUSED,
        Verdict.CASE,
    ]


def page_of(*arrivals: Arrival) -> list[Arrival]:
    """A pulled page with these rows."""
    page = message("hotline")
    rows = [replace(a, message=replace(a.message, parent=page.id), pulled=True) for a in arrivals]
    return [Arrival(page, Split(len(rows)), pulled=True), *rows]


def test_a_pulled_page_is_kept_with_its_rows() -> None:
    desk = Desk()

    assert verdicts(desk.take(*page_of(reported("hotline", "1"), reported("hotline", "2")))) == [
        Verdict.SPLIT,
        Verdict.CASE,
        Verdict.CASE,
    ]
    assert len(desk.journal) == 3


def test_pulled_rows_that_are_known_leave_no_trace_and_a_page_without_news_neither() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1"))

    desk.take(*page_of(reported("hotline", "1")))
    assert len(desk.journal) == 1

    desk.take(*page_of(reported("hotline", "1"), reported("hotline", "2")))
    assert sorted(entry.verdict for entry in desk.journal.values()) == [Verdict.CASE, Verdict.CASE, Verdict.SPLIT]


def test_a_pushed_repetition_does_leave_its_row() -> None:
    desk = Desk()
    desk.take(reported("hotline", "1"))
    desk.take(reported("hotline", "1"))

    assert len(desk.journal) == 2
