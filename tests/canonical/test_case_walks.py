"""A case walks the table and nothing but the table; its state is always what its events fold to."""

from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.case import Assignment, Case, Event, Queue, Share, checked
from canonical.clock import Clock
from canonical.errors import IllegalAction, Why
from canonical.lifecycle import BESIDE, BY_ACTION, ENDED, ActionKind, Party, Stage
from canonical.place import Place
from tests.canonical.values import CASE_ID, CLASS, JOINT, NOW, action, collected, kinds, parties

Step = tuple[ActionKind, Party, str]
"""Action, who does it, and one field that is left out (or none)."""

lacks = st.sampled_from(["", "", "", "", "reason", "result", "unit", "target", "report"])
steps = st.tuples(kinds, parties, lacks)

# Walks that get far are rare by chance: each begins with some part of a case's usual way.
USUAL: tuple[Step, ...] = (
    (ActionKind.FILE, Party.HUB, ""),
    (ActionKind.DISPATCH, Party.HUB, ""),
    (ActionKind.SIGN, Party.OWNER, ""),
    (ActionKind.DISPOSE, Party.OWNER, ""),
    (ActionKind.CHECK, Party.CENTRE, ""),
    (ActionKind.CLOSE, Party.HUB, ""),
    (ActionKind.EVALUATE, Party.SOURCE, ""),
)
walks = st.tuples(st.integers(0, len(USUAL)), st.lists(steps, max_size=15)).map(lambda t: [*USUAL[: t[0]], *t[1]])


def folded(events: list[Event]) -> Case:
    """The state that a list of events makes."""
    first, *others = events
    return reduce(Case.after, others, Case.opened(first, no="34022026052000000001", sequence=1))


def walked(*kinds: ActionKind) -> Case:
    """A case after these actions, each by whoever may do it first."""
    _, case = collected()
    for kind in kinds:
        case = case.after(case.does(action(kind, sorted(BY_ACTION[kind].who)[0])))
    return case


@settings(max_examples=300, deadline=None)
@given(walks)
def test_only_steps_of_the_table_are_done_and_the_state_is_what_the_events_fold_to(walk: list[Step]) -> None:
    event, case = collected()
    events = [event]
    for kind, party, lacking in walk:
        row = BY_ACTION[kind]
        done = action(kind, party, **({lacking: None if lacking == "report" else ""} if lacking else {}))
        allowed = party in row.who and case.stage in row.from_ and lacking not in row.needs
        if party is Party.LEAD_SYSTEM:
            unsaid = {"reason", "unit"} if kind is ActionKind.EVALUATE else {"reason", "unit", "result"}
            told = lacking not in row.needs or lacking in unsaid
            allowed = case.lead_system == "works" and party in row.who and case.stage in row.from_ and told
        elif case.lead_system or kind is ActionKind.TAKE_OVER:
            allowed = allowed and bool(case.lead_system) and kind in BESIDE
        if kind is ActionKind.REWORK:
            allowed = allowed and case.assignment is not None
        if allowed and kind in JOINT:
            called = case.assignments[1] if len(case.assignments) > 1 else None
            allowed = called is not None and called.share is Share.JOINT and called.open
        if not allowed:
            with pytest.raises(IllegalAction):
                case.does(done)
            continue
        event = case.does(done)
        before, case = case, case.after(event)
        events.append(event)
        assert case.stage is (row.to or before.stage)
        assert folded(events) == case
        assert_sound(case, events)


def assert_sound(case: Case, events: list[Event]) -> None:
    """What is true of every case at every moment."""
    assert [event.seq for event in events] == list(range(1, case.version + 1))
    assert [assignment.round for assignment in case.assignments] == list(range(1, len(case.assignments) + 1))
    assert case.returns == sum(1 for event in events if event.action.kind is ActionKind.RETURN)
    assert (case.closed_at is not None) == (case.stage in {Stage.CLOSED, Stage.EVALUATED})
    assert (case.evaluation != "") == (case.stage is Stage.EVALUATED)
    assert (case.merged_into != "") == (case.stage is Stage.MERGED)
    filing = {ActionKind.FILE, ActionKind.SETTLE}
    assert (case.filed_at is None) == filing.isdisjoint(event.action.kind for event in events)
    assert (case.resume_at is not None) == (case.stage is Stage.SUSPENDED)
    running = [clock for clock in case.clocks if clock.running]
    assert not (case.ended and running)
    assert all(one.due is not None for one in running)
    disposal = case.clock(Clock.DISPOSAL)
    if disposal is not None:
        assert disposal.paused == (case.stage is Stage.SUSPENDED)
        assert disposal.stopped_at or case.due == disposal.due
    disposed = {Stage.DISPOSED, Stage.CHECKED, Stage.CLOSED, Stage.EVALUATED}
    assert case.stage not in disposed or case.disposed_at is not None
    if case.stage in {Stage.DISPATCHED, Stage.HANDLING}:
        assert case.assignment is not None
        assert case.assignment.open
        assert case.disposed_at is None
    if case.ended:
        assert case.queue is None


def test_an_action_that_is_not_possible_changes_nothing() -> None:
    case = walked(ActionKind.FILE)
    before = case.model_dump_json()

    with pytest.raises(IllegalAction):
        case.does(action(ActionKind.CLOSE))

    assert case.model_dump_json() == before


def test_the_error_says_what_is_possible_instead() -> None:
    with pytest.raises(IllegalAction, match=r"close is not possible from disposed; possible: .*check") as told:
        checked(action(ActionKind.CLOSE), stage=Stage.DISPOSED)

    assert (told.value.why, told.value.at) == (Why.NOT_ALLOWED, "kind")


def test_the_error_says_who_may_and_what_is_missing() -> None:
    with pytest.raises(IllegalAction, match="merge is for centre, lead_system, not for source"):
        checked(action(ActionKind.MERGE, Party.SOURCE), stage=Stage.FILED)
    with pytest.raises(IllegalAction, match="merge needs reason, target") as told:
        checked(action(ActionKind.MERGE, Party.CENTRE, reason="", target=""), stage=Stage.FILED)

    assert told.value.at == "reason"


def test_a_case_is_opened_by_collecting_and_by_nothing_else() -> None:
    event, _ = collected()
    wrong = event.model_copy(update={"action": action(ActionKind.FILE)})

    with pytest.raises(IllegalAction):
        Case.opened(wrong, no="1", sequence=1)
    with pytest.raises(IllegalAction):
        walked().does(action(ActionKind.COLLECT, Party.SOURCE))


@pytest.mark.parametrize(
    "wrong", [{"seq": 3}, {"seq": 1}, {"from_": Stage.FILED}, {"case_id": CASE_ID.__class__(int=7)}], ids=str
)
def test_an_event_that_is_not_the_next_of_this_case_is_an_error(wrong: dict[str, object]) -> None:
    _, case = collected()
    event = case.does(action(ActionKind.FILE))

    with pytest.raises(ValueError, match="does not follow"):
        case.after(event.model_copy(update=wrong))


def test_a_return_leaves_the_first_due_time_and_a_round_more() -> None:
    later = action(ActionKind.REDISPATCH).model_copy(update={"due": None, "unit": "u2"})
    case = walked(ActionKind.FILE, ActionKind.DISPATCH, ActionKind.RETURN)
    again = case.after(case.does(later))

    assert again.due == walked(ActionKind.FILE, ActionKind.DISPATCH).due
    assert [(a.round, a.unit) for a in again.assignments] == [(1, "u1"), (2, "u2")]
    assert again.reference == f"{again.no}-2"


def test_a_returned_case_has_no_owner_until_it_is_given_again() -> None:
    assert walked(ActionKind.FILE, ActionKind.DISPATCH).owner == "works"
    assert walked(ActionKind.FILE, ActionKind.DISPATCH, ActionKind.RETURN).owner == ""


def test_a_closed_case_that_is_worked_on_again_is_open_and_remembers_when() -> None:
    worked = (ActionKind.FILE, ActionKind.DISPATCH, ActionKind.SIGN, ActionKind.DISPOSE, ActionKind.CHECK)
    checked_, closed = walked(*worked, ActionKind.REWORK), walked(*worked, ActionKind.CLOSE, ActionKind.REWORK)

    assert (checked_.reopened, checked_.reworks) == (0, 1)
    assert (closed.reopened, closed.closed_at, closed.stage) == (closed.version, None, Stage.HANDLING)


def test_a_joined_report_brings_only_attachments_that_are_new() -> None:
    case = walked(ActionKind.JOIN)

    assert case.reports == 2
    assert len(case.attachments) == 1


@pytest.mark.parametrize(
    ("facts", "queue"),
    [
        ({"place": Place()}, Queue.LOCATION_UNKNOWN),
        ({"place": Place(area="3402")}, Queue.LOCATION_UNKNOWN),
        ({"place": Place(area="340202")}, Queue.CLASS_UNKNOWN),
        ({"place": Place(area="340202"), "class_code": CLASS}, Queue.TO_FILE),
        ({"stage": Stage.VERIFYING}, Queue.TO_VERIFY),
        ({"stage": Stage.FILED}, Queue.NO_OWNER),
        ({"stage": Stage.RETURNED}, Queue.RETURNED),
        ({"stage": Stage.DISPATCHED}, Queue.AT_DESK),
        ({"stage": Stage.HANDLING}, Queue.AT_DESK),
        ({"stage": Stage.HANDLING, "assignments": (Assignment(round=1, unit="u", dispatched_at=NOW),)}, Queue.AT_DESK),
        (
            {"stage": Stage.HANDLING, "assignments": (Assignment(round=1, unit="u", system="s", dispatched_at=NOW),)},
            None,
        ),
        ({"stage": Stage.DISPOSED}, Queue.TO_CHECK),
        ({"stage": Stage.CHECKED}, Queue.TO_CLOSE),
        *(({"stage": stage}, None) for stage in sorted(ENDED)),
    ],
)
def test_the_queue_follows_from_the_stage(facts: dict[str, object], queue: Queue | None) -> None:
    _, case = collected()
    plain = case.model_copy(update={"class_code": None, "place": Place()} | facts)

    assert plain.queue is queue
