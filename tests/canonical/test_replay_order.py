"""The order of a replay: each lane's own, over all by time; and of a thing and its replays only one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from canonical.replay import Subject, in_order, once

START = datetime(2026, 5, 20, tzinfo=UTC)


@st.composite
def lanes(draw: st.DrawFn) -> list[Subject]:
    """Some lanes whose machines' clocks differ by seconds."""
    subjects = []
    for number in range(draw(st.integers(1, 30))):
        at = START + timedelta(seconds=number + draw(st.integers(-3, 3)))
        lane = draw(st.sampled_from("abc"))
        subjects.append(Subject(UUID(int=number + 1), None, lane, None, "k", at, "case", order=number))
    return subjects


@given(lanes(), st.randoms(use_true_random=False))
def test_within_a_lane_nothing_overtakes_and_over_all_nothing_is_later_than_the_clocks_differ(
    subjects: list[Subject], chance: object
) -> None:
    shuffled = list(subjects)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    placed = in_order(shuffled)

    assert sorted(placed, key=lambda one: one.id) == subjects
    for lane in "abc":
        orders = [one.order for one in placed if one.lane == lane]
        assert orders == sorted(orders)
    latest = START - timedelta(days=1)
    for one in placed:
        assert one.at >= latest - timedelta(seconds=6)
        latest = max(latest, one.at)


@given(lanes(), st.lists(st.integers(0, 4), min_size=30, max_size=30))
def test_of_a_thing_and_its_replays_the_first_is_taken(subjects: list[Subject], roots: list[int]) -> None:
    from dataclasses import replace

    told = [replace(one, same=f"{one.lane}{root}") for one, root in zip(subjects, roots, strict=False)]

    kept = once(reversed(told))

    assert len({one.same for one in kept}) == len(kept) == len({one.same for one in told})
    for one in kept:
        assert one.order == min(other.order for other in told if other.same == one.same)
