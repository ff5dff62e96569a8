"""The lifecycle table is consistent in itself: nothing unreachable, nothing endless, nothing that names what is not."""

from collections.abc import Iterable

import pytest

from canonical.case import Action
from canonical.clock import Clock
from canonical.lifecycle import BY_ACTION, ENDED, LIFECYCLE, STAGE_TITLES, ActionKind, Party, Row, Stage, Step

every_row = pytest.mark.parametrize("row", LIFECYCLE, ids=lambda row: row.action)
every_stage = pytest.mark.parametrize("stage", list(Stage))


def reachable(starts: Iterable[Stage]) -> set[Stage]:
    """All stages that rows lead to from these, these included."""
    seen = set(starts)
    while new := {row.to for row in LIFECYCLE if row.to and seen & row.from_} - seen:
        seen |= new
    return seen


def test_every_action_has_exactly_one_row() -> None:
    assert sorted(row.action for row in LIFECYCLE) == sorted(ActionKind)


def test_every_stage_is_reached_from_collecting() -> None:
    opened = [row.to for row in LIFECYCLE if not row.from_ and row.to]

    assert opened == [Stage.REPORTED]
    assert reachable(opened) == set(Stage)


@every_stage
def test_every_stage_can_come_to_an_end(stage: Stage) -> None:
    assert reachable({stage}) & ENDED


@every_stage
def test_every_stage_has_a_chinese_title(stage: Stage) -> None:
    assert STAGE_TITLES[stage]


@every_stage
def test_an_ended_case_can_only_be_reopened_by_rework(stage: Stage) -> None:
    if stage in ENDED:
        leaving = {row.action for row in LIFECYCLE if stage in row.from_ and row.to and row.to not in ENDED}
        assert leaving <= {ActionKind.REWORK}


@every_stage
def test_the_centre_can_move_every_stage_that_has_not_ended(stage: Stage) -> None:
    movers = {row.action for row in LIFECYCLE if stage in row.from_ and row.to and Party.CENTRE in row.who}
    assert stage in ENDED or movers


@every_row
def test_a_row_needs_real_fields_of_an_action(row: Row) -> None:
    assert set(row.needs) <= set(Action.model_fields)


@every_row
def test_a_row_is_for_somebody_and_has_a_title_and_a_step(row: Row) -> None:
    assert row.who
    assert row.title
    assert row.step in Step


@every_row
def test_only_other_systems_are_told(row: Row) -> None:
    assert row.tells <= {Party.SOURCE, Party.OWNER, Party.JOINT, Party.LEAD_SYSTEM}


@every_row
def test_whoever_goes_against_the_flow_says_why(row: Row) -> None:
    if row.to in {Stage.REFUSED, Stage.RETURNED, Stage.CANCELLED, Stage.MERGED, Stage.VERIFYING}:
        assert "reason" in row.needs


@every_row
def test_an_owner_acts_only_where_there_is_one(row: Row) -> None:
    had_one = {Stage.DISPATCHED, Stage.HANDLING, Stage.SUSPENDED, Stage.CLOSED, Stage.EVALUATED}
    raised = {ActionKind.ESCALATE, ActionKind.DEESCALATE}  # also of what nobody has: then by the centre
    if Party.OWNER in row.who and row.action not in {ActionKind.COMMENT, *raised}:
        assert row.from_ <= had_one


@every_row
def test_what_gives_work_to_an_owner_tells_the_owner(row: Row) -> None:
    gives_work = row.to is Stage.DISPATCHED or (row.to is Stage.HANDLING and row.action is not ActionKind.SIGN)
    assert not gives_work or Party.OWNER in row.tells


def test_a_source_learns_how_its_case_ended_whichever_way() -> None:
    ends = [row for row in LIFECYCLE if row.to in {Stage.REFUSED, Stage.CANCELLED, Stage.CLOSED}]
    assert all(Party.SOURCE in row.tells for row in ends)


def test_the_disposal_clock_starts_with_the_work_and_stops_at_every_way_out_of_it() -> None:
    starting = {row.action for row in LIFECYCLE if Clock.DISPOSAL in row.starts}
    stopping = {row.action for row in LIFECYCLE if Clock.DISPOSAL in row.stops or row.to in ENDED}
    working = {Stage.DISPATCHED, Stage.HANDLING, Stage.RETURNED, Stage.SUSPENDED}
    gives_work = {row.action for row in LIFECYCLE if row.to is Stage.DISPATCHED}
    ways_out = {row.action for row in LIFECYCLE if row.from_ & working and row.to and row.to not in working}

    assert starting == gives_work | {ActionKind.REWORK}
    assert ways_out <= stopping


def test_only_a_suspension_brings_clocks_to_a_stand_and_what_ends_it_lets_them_go_on() -> None:
    pausing = {row.action: set(row.pauses) for row in LIFECYCLE if row.pauses}
    resuming = {row.action: set(row.resumes) for row in LIFECYCLE if row.resumes}

    assert list(pausing) == [ActionKind.SUSPEND]
    assert list(resuming) == [ActionKind.RESUME]
    assert pausing[ActionKind.SUSPEND] == resuming[ActionKind.RESUME]


def test_the_seven_steps_all_stand_in_the_table() -> None:
    assert {row.step for row in LIFECYCLE} == set(Step)
    assert BY_ACTION[ActionKind.CHECK].step is Step.CHECK
