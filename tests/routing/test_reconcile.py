"""Comparing what we have with what a system has: each class, what is on its way, and the law that totals balance."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from canonical.lifecycle import Stage
from canonical.reconciliation import DIFFERENCES, Line, LineClass, Ours, Terms, Theirs
from routing.reconcile import compare, subject_of

NOW = datetime(2026, 11, 27, 2, 30, tzinfo=UTC)
OLD = NOW - timedelta(days=2)
TERMS = Terms(as_of=NOW, settle=timedelta(minutes=10), stale=timedelta(days=5), apart=timedelta(hours=1))
HANDLING = {"": frozenset({Stage.DISPATCHED, Stage.HANDLING})}


def ours(number: int = 1, **changes: object) -> Ours:
    one = Ours(
        subject=f"owner:{number}-1", case_id=UUID(int=number), case_no=str(number), part="owner",
        external_ids=(f"X{number}",), reference=f"{number}-1", stage=Stage.HANDLING, changed_at=OLD, heard_at=OLD,
    )  # fmt: skip
    return replace(one, **changes)  # type: ignore[arg-type]


def theirs(number: int = 1, **changes: object) -> Theirs:
    item = Theirs(f"X{number}", state="working", stages=HANDLING, changed_at=OLD)
    return replace(item, **changes)  # type: ignore[arg-type]


def one(line: list[Line]) -> tuple[LineClass, str]:
    [found] = line
    return found.class_, found.text


def test_what_both_have_in_the_same_state_agrees() -> None:
    assert one(compare([ours()], [theirs()], TERMS)) == (LineClass.AGREE, "")


def test_another_state_is_told_with_both_states() -> None:
    done = theirs(state="done", stages={"": frozenset({Stage.DISPOSED, Stage.CLOSED})})

    assert one(compare([ours()], [done], TERMS)) == (LineClass.STATE_DIFFERS, "here handling, there 'done'")


def test_a_state_may_mean_another_stage_for_each_part_the_system_has() -> None:
    item = theirs(stages={"source": frozenset({Stage.CLOSED}), "": frozenset({Stage.HANDLING})})

    assert one(compare([ours()], [item], TERMS))[0] is LineClass.AGREE
    assert one(compare([ours(part="source")], [item], TERMS))[0] is LineClass.STATE_DIFFERS


def test_a_state_that_says_nothing_of_ours_agrees_and_one_nobody_can_read_does_not() -> None:
    assert one(compare([ours()], [theirs(stages={"": None})], TERMS))[0] is LineClass.AGREE
    unread = theirs(trouble="'9' has no row in codes/states.csv")
    assert one(compare([ours()], [unread], TERMS)) == (LineClass.UNKNOWN_THERE, unread.trouble)


def test_what_one_side_has_alone_is_missing_at_the_other() -> None:
    lines = compare([ours(1)], [theirs(2)], TERMS)

    assert [(line.class_, line.subject) for line in lines] == [
        (LineClass.MISSING_THERE, "owner:1-1"),
        (LineClass.MISSING_HERE, "theirs:X2"),
    ]


def test_what_need_not_be_here_is_no_line_but_compared_when_we_know_it() -> None:
    assert compare([], [theirs(expected=False)], TERMS) == []
    done = theirs(expected=False, stages={"": frozenset({Stage.CLOSED})})
    assert one(compare([ours()], [done], TERMS))[0] is LineClass.STATE_DIFFERS


def test_a_case_is_known_by_our_number_where_the_id_is_new() -> None:
    assert one(compare([ours()], [theirs(7, reference="1-1")], TERMS))[0] is LineClass.AGREE


def test_a_second_item_of_one_case_is_a_line_of_its_own() -> None:
    lines = compare([ours()], [theirs(7, reference="1-1"), theirs(1)], TERMS)

    assert [(line.class_, line.theirs and line.theirs.external_id) for line in lines] == [
        (LineClass.AGREE, "X1"),
        (LineClass.MISSING_HERE, "X7"),
    ]
    assert "a second one of case 1" in lines[1].text


def test_a_second_id_that_we_know_is_no_second_item() -> None:
    lines = compare(
        [ours(external_ids=("SR-1", "T-1"))], [theirs(0, external_id="T-1"), theirs(0, external_id="SR-1")], TERMS
    )

    assert [line.class_ for line in lines] == [LineClass.AGREE, LineClass.AGREE]
    assert lines[0].theirs is not None
    assert lines[0].theirs.external_id == "SR-1"


def test_of_an_item_that_is_listed_twice_the_later_word_counts() -> None:
    early = theirs(stages={"": frozenset({Stage.CLOSED})}, changed_at=OLD - timedelta(hours=1))

    assert one(compare([ours()], [theirs(), early], TERMS))[0] is LineClass.AGREE


def test_what_changed_within_the_settle_time_is_on_its_way() -> None:
    just = NOW - timedelta(minutes=9)
    other = {"": frozenset({Stage.CLOSED})}

    assert one(compare([ours(changed_at=just)], [], TERMS))[0] is LineClass.IN_FLIGHT
    assert one(compare([ours()], [theirs(stages=other, changed_at=just)], TERMS))[0] is LineClass.IN_FLIGHT
    assert one(compare([], [theirs(changed_at=just)], TERMS))[0] is LineClass.IN_FLIGHT
    before = NOW - timedelta(minutes=11)
    assert one(compare([ours(changed_at=before)], [], TERMS))[0] is LineClass.MISSING_THERE


def test_a_delivery_that_is_not_settled_explains_a_difference_and_no_agreement() -> None:
    waiting = ours(underway="file_request is in doubt")

    assert one(compare([waiting], [], TERMS)) == (
        LineClass.IN_FLIGHT,
        "here handling, there nothing; file_request is in doubt",
    )
    assert one(compare([waiting], [theirs()], TERMS))[0] is LineClass.AGREE


def test_a_clock_that_runs_ahead_keeps_no_difference_on_its_way() -> None:
    ahead = theirs(stages={"": frozenset({Stage.CLOSED})}, changed_at=NOW + timedelta(days=1))

    assert one(compare([ours()], [ahead], TERMS))[0] is LineClass.STATE_DIFFERS


def test_times_and_numbers_of_files_are_compared_where_both_tell_them() -> None:
    here = ours(times={"reported_at": OLD}, attachments=2)

    late = theirs(times={"reported_at": OLD + timedelta(minutes=61)}, attachments=2)
    assert one(compare([here], [late], TERMS))[0] is LineClass.DETAIL_DIFFERS
    assert one(compare([here], [theirs(attachments=1)], TERMS)) == (
        LineClass.DETAIL_DIFFERS,
        "here 2 files, there 1",
    )
    near = theirs(times={"reported_at": OLD + timedelta(minutes=59), "closed_at": OLD})
    assert one(compare([here], [near], TERMS))[0] is LineClass.AGREE


def test_long_silence_about_an_open_case_is_told() -> None:
    quiet = NOW - timedelta(days=6)

    assert one(compare([ours(heard_at=quiet)], [theirs(changed_at=quiet)], TERMS))[0] is LineClass.STALE
    assert one(compare([ours(heard_at=quiet)], [theirs()], TERMS))[0] is LineClass.AGREE
    ended = ours(heard_at=quiet, ended=True)
    assert one(compare([ended], [theirs(changed_at=quiet)], TERMS))[0] is LineClass.AGREE


def test_who_cannot_be_asked_is_compared_by_silence_alone() -> None:
    told = replace(TERMS, told=True)

    assert one(compare([ours()], [], told))[0] is LineClass.AGREE
    assert one(compare([ours(heard_at=NOW - timedelta(days=6))], [], told))[0] is LineClass.STALE


def test_nothing_is_missing_from_a_list_that_is_not_whole() -> None:
    part = replace(TERMS, whole=False, trouble="the list got shorter whenever it was read")

    lines = compare([ours(1), ours(2)], [theirs(1)], part)

    assert [line.class_ for line in lines] == [LineClass.AGREE, LineClass.UNKNOWN_THERE]
    assert lines[1].text == part.trouble
    assert lines[1].general


def test_what_rests_since_before_the_list_begins_is_not_missing_from_it() -> None:
    reaching = replace(TERMS, since=NOW - timedelta(days=3))
    resting = ours(changed_at=NOW - timedelta(days=4), heard_at=NOW - timedelta(days=4))

    assert one(compare([resting], [], reaching))[0] is LineClass.UNKNOWN_THERE
    assert one(compare([ours()], [], reaching))[0] is LineClass.MISSING_THERE


def test_what_could_not_be_asked_about_is_unknown_with_the_reason() -> None:
    lines = compare([ours()], [], TERMS, {"owner:1-1": "HTTP 500"})

    assert one(lines) == (LineClass.UNKNOWN_THERE, "HTTP 500")
    assert not lines[0].general


def test_an_earlier_round_is_history_whatever_is_said_of_it() -> None:
    item = theirs(stages={"": frozenset({Stage.CLOSED})})

    assert one(compare([ours(earlier=True)], [item], TERMS))[0] is LineClass.AGREE


# The law

_MOMENTS = st.sampled_from([NOW, NOW - timedelta(minutes=1), OLD, NOW - timedelta(days=40), NOW + timedelta(days=1)])
_STAGES = st.sampled_from([{"": None}, HANDLING, {"": frozenset({Stage.CLOSED}), "source": frozenset({Stage.FILED})}])
_OURS = st.lists(
    st.builds(
        ours, st.integers(1, 9), part=st.sampled_from(["source", "owner", "both"]), changed_at=_MOMENTS,
        heard_at=_MOMENTS, stage=st.sampled_from(Stage), underway=st.sampled_from(["", "waiting"]),
        ended=st.booleans(), earlier=st.booleans(), attachments=st.integers(0, 2),
    ),
    unique_by=lambda one: one.subject,
)  # fmt: skip
_THEIRS = st.lists(
    st.builds(
        theirs, st.integers(1, 12), reference=st.sampled_from(["", "1-1", "2-1", "99-1"]), stages=_STAGES,
        changed_at=st.none() | _MOMENTS, trouble=st.sampled_from(["", "no row"]), expected=st.booleans(),
        attachments=st.none() | st.integers(0, 2),
    )
)  # fmt: skip


@given(_OURS, _THEIRS, st.booleans(), st.booleans())
def test_every_case_and_every_item_stands_on_exactly_one_line(
    here: list[Ours], there: list[Theirs], whole: bool, told: bool
) -> None:
    lines = compare(here, there, replace(TERMS, whole=whole, told=told))

    assert [line.subject for line in lines if line.ours] == [one.subject for one in here]
    items = Counter(subject_of(line.theirs) for line in lines if line.theirs)
    assert all(count == 1 for count in items.values())
    left_out = {subject_of(item) for item in there} - set(items)
    assert all(not item.expected for item in there if subject_of(item) in left_out) or _shadowed(there, left_out)
    assert all(line.ours or line.theirs for line in lines)
    assert len({line.subject for line in lines}) == len(lines)
    by_class = Counter(line.class_ for line in lines)
    assert sum(by_class.values()) == len(here) + sum(1 for line in lines if line.ours is None)
    assert all(line.text for line in lines if line.class_ in DIFFERENCES)


def _shadowed(there: list[Theirs], left_out: set[str]) -> bool:
    """Of items with one id the last word counts: what is left out then need not be here."""
    return all(any(not item.expected for item in there if subject_of(item) == subject) for subject in left_out)


_UNNAMED = _THEIRS.map(lambda items: [replace(item, reference="") for item in items])


@given(_OURS, _UNNAMED)
def test_comparing_slice_by_slice_gives_the_same_lines(here: list[Ours], there: list[Theirs]) -> None:
    """Each slice gets the items that its cases claim; the rest is compared at the end."""
    left, lines = list(there), []
    for one_ in here:
        mine = [item for item in there if item.external_id in one_.external_ids]
        lines += compare([one_], mine, TERMS)
        left = [item for item in left if item not in mine]
    lines += compare([], left, TERMS)

    whole = compare(here, there, TERMS)
    assert {line.subject: line.class_ for line in lines} == {line.subject: line.class_ for line in whole}
