"""Windows and pages of a pull: nothing falls between two windows, nothing loops, and no clock loses anything."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import Page
from adapters.declaration import PullDeclaration
from canonical.time import SHANGHAI
from gateway.pull_window import ENDLESS, IN_CIRCLES, MOST_PAGES, REPEATED, End, Place, Span, following, spans, swept

NOW = datetime(2026, 5, 20, 9, 0, tzinfo=SHANGHAI)


def pull(**more: Any) -> PullDeclaration:
    return PullDeclaration.model_validate({"every": 60, "ask": "list", "items": "rows", "messages": ["tree"], **more})


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def page(*rows: int, more: bool = True, cursor: str = "") -> Page:
    return Page((), rows, None, more, cursor)


def test_the_first_window_reaches_back_as_declared_and_ends_before_what_is_still_being_written() -> None:
    declared = pull(first_window=3600, behind=30, overlap=5)

    assert spans(declared, None, NOW) == (Span(at(-30 - 3600 - 5), at(-30)),)
    assert spans(declared, at(-90), NOW) == (Span(at(-95), at(-30)),)


def test_a_long_gap_is_asked_for_in_slices_without_a_seam() -> None:
    slices = spans(pull(window=600), at(-1500), NOW)

    assert slices == (Span(at(-1500), at(-900)), Span(at(-900), at(-300)), Span(at(-300), NOW))


def test_a_sweep_reaches_back_from_now_whatever_was_reached() -> None:
    declared = pull(sweep={"every": 86400, "back": 7200}, behind=10)

    assert declared.sweep
    assert swept(declared, declared.sweep, NOW) == (Span(at(-7210), at(-10)),)


@given(
    st.lists(st.tuples(st.integers(-200_000, 200_000), st.booleans()), max_size=12),
    st.integers(0, 100), st.integers(0, 300), st.sampled_from([0, 60, 3600]),
)  # fmt: skip
def test_whatever_the_clock_does_no_window_is_negative_and_the_cursor_never_goes_back(
    steps: list[tuple[int, bool]], overlap: int, behind: int, window: int
) -> None:
    declared = pull(overlap=overlap, behind=behind, window=window, first_window=7200)
    reached, clock = None, NOW
    for seconds, succeeds in steps:
        clock += timedelta(seconds=seconds)
        asked = spans(declared, reached, clock)
        assert all(span.since <= span.until for span in asked)
        assert all(one.until == two.since for one, two in pairwise(asked))
        assert asked[-1].until >= (reached or asked[-1].until)
        assert asked[-1].until >= clock - timedelta(seconds=behind)
        trusted = reached is not None and reached <= clock - timedelta(seconds=behind)
        assert asked[0].since <= (reached if trusted and reached else clock - timedelta(seconds=behind + 7200))
        reached = asked[-1].until if succeeds else reached


def test_pages_follow_by_number_until_the_answer_says_that_there_are_no_more() -> None:
    second = following(pull(), Place(1), page(1, 2))

    assert isinstance(second, Place)
    assert (second.page, second.taken, second.pages) == (2, 2, 1)
    assert following(pull(), second, page(3, more=False)) == End()


@pytest.mark.parametrize(("pages_before", "whole"), [(1, False), (2, True)])
def test_a_page_that_comes_again_ends_the_window_and_the_second_like_the_first_leaves_it_unfinished(
    pages_before: int, whole: bool
) -> None:
    place: Place | End = Place(1)
    for rows in range(pages_before):
        assert isinstance(place, Place)
        place = following(pull(), place, page(rows))
    assert isinstance(place, Place)

    assert following(pull(), place, page(pages_before - 1)) == End(REPEATED, whole=whole)


def test_cursors_end_when_they_are_empty_or_hold_nothing_more_and_may_stay_the_same_while_rows_differ() -> None:
    declared = pull(cursor="next")
    second = following(declared, Place(1), page(1, cursor="a"))
    assert isinstance(second, Place)
    assert second.cursor == "a"
    third = following(declared, second, page(2, cursor="a"))
    assert isinstance(third, Place)

    assert following(declared, third, page(cursor="a")) == End()
    assert following(declared, third, page(3, more=False)) == End()
    assert following(declared, third, page(3, cursor="")) == End(IN_CIRCLES, whole=False)


def test_pages_without_an_end_are_stopped_and_the_window_is_not_finished() -> None:
    place = Place(1, pages=MOST_PAGES - 1)

    assert following(pull(), place, page(1)) == End(ENDLESS, whole=False)


def test_a_queue_is_read_from_its_first_page_until_all_that_were_announced_are_taken() -> None:
    declared = pull(acknowledge={"message": "got"})
    second = following(declared, Place(1, waiting=3), page(1, 2))
    assert isinstance(second, Place)
    assert second.page == 1

    assert following(declared, second, page(3)) == End()
    assert following(declared, second, page()) == End()
