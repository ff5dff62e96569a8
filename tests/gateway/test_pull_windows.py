"""Windows and pages of a pull: nothing falls between two windows, nothing loops, and no clock loses anything."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import Page
from adapters.declaration import PullDeclaration
from canonical.time import SHANGHAI
from gateway.pull_window import (
    ENDLESS,
    IN_CIRCLES,
    MOST_PAGES,
    REPEATED,
    SHORT,
    SHRANK,
    End,
    Place,
    Span,
    following,
    nothing_there,
    offset,
    spans,
    swept,
)

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


def all_taken(served: list[int], size: int, **more: Any) -> list[int]:
    """What is taken of `served` when every page holds `size` rows, by offset or, with page_number, by page.

    `says`: the total on the first page and on the others. `hidden`: rows that only count. `meanwhile`: what happens to
    the list after each page. `past`: what stands where nothing is left.
    """
    by_page = more.pop("page_number", False)
    says, hidden = more.pop("says", None), more.pop("hidden", range(0))
    meanwhile, past = more.pop("meanwhile", lambda _page: None), more.pop("past", [])
    declared, told = pull(total="n", page_size=100, **more), []
    place: Place | End = Place(declared.first_page)
    taken: list[int] = []
    while isinstance(place, Place):
        told.append(place.page)
        begin = (place.page - declared.first_page) * size if by_page else offset(declared, place)
        rows = [row for row in served[begin : begin + size] if row not in hidden] or (past if len(told) > 1 else [])
        taken += rows
        first, later = says or (len(served), len(served))
        total = first if len(told) == 1 else later
        meanwhile(len(told))
        place = following(declared, place, Page((), tuple(rows), total, more=False, cursor=""))
    assert len(told) < 300
    assert place.whole
    return list(dict.fromkeys(taken))


ALL = list(range(250))
by_page_or_offset = pytest.mark.parametrize("page_number", [False, True], ids=["offset", "page"])


@by_page_or_offset
@pytest.mark.parametrize("first_page", [0, 1])
@pytest.mark.parametrize("size", [1, 20, 99, 100, 250])
def test_a_platform_that_gives_shorter_or_longer_pages_than_it_is_asked_for_loses_nothing(
    size: int, first_page: int, *, page_number: bool
) -> None:
    assert all_taken(ALL, size, page_number=page_number, first_page=first_page) == ALL


TOTALS = {
    "none": (None, None), "wrong": (0, 0), "on the first page alone": (250, None), "zero after it": (250, 0),
    "of what is left": (250, 50), "of the page": (20, 20), "of pages": (13, 13), "less than there are": (120, 120),
    "negative": (-1, -1), "of another time": (900, 900),
}  # fmt: skip


@by_page_or_offset
@pytest.mark.parametrize("size", [20, 50, 100])
@pytest.mark.parametrize("says", TOTALS.values(), ids=TOTALS)
def test_whatever_a_total_is_that_of_all_rows_or_not_nothing_is_lost(
    size: int, says: tuple[int | None, int | None], *, page_number: bool
) -> None:
    assert all_taken(ALL, size, says=says, page_number=page_number) == ALL


@by_page_or_offset
def test_rows_that_are_counted_and_not_shown_leave_holes_that_are_stepped_over(*, page_number: bool) -> None:
    hidden = range(100, 200)

    assert all_taken(ALL, 100, hidden=hidden, page_number=page_number) == [row for row in ALL if row not in hidden]


def test_a_total_that_is_told_once_counts_for_a_page_that_is_shorter_than_the_others() -> None:
    hidden = range(100, 110)

    assert all_taken(ALL, 100, says=(250, None), hidden=hidden, page_number=True)[-1] == 249


@by_page_or_offset
def test_a_list_that_gets_shorter_while_it_is_read_is_read_again(*, page_number: bool) -> None:
    served = ALL.copy()

    def meanwhile(page: int) -> None:
        if page == 1:
            del served[3:10]  # what stood on the second page is now on the first, which we have read

    assert sorted(all_taken(served, 100, meanwhile=meanwhile, page_number=page_number)) == ALL


def test_a_list_that_gets_shorter_whenever_it_is_read_is_told_and_not_read_for_ever() -> None:
    served, pages = ALL.copy(), []

    def meanwhile(page: int) -> None:
        pages.append(page)
        served.pop(0)

    taken = all_taken(served, 100, meanwhile=meanwhile, page_number=True)
    assert set(taken) >= set(served)
    assert len(pages) == 3 * 4


@by_page_or_offset
def test_a_list_that_got_shorter_and_ends_on_a_page_nothing_spoke_of_is_read_anew(page_number: bool) -> None:
    served = ALL.copy()

    def meanwhile(page: int) -> None:
        if page == 1:
            del served[:50]  # the second page is full, reaches the total, and begins 50 rows too late

    assert set(all_taken(served, 100, meanwhile=meanwhile, page_number=page_number)) >= set(served)


def test_a_list_that_got_shorter_is_read_anew_also_where_the_page_after_its_end_is_refused() -> None:
    declared = pull(total="n", page_size=100)
    short = Place(3, taken=200, pages=2, total=250, guessed=True, shorter=True)

    assert nothing_there(declared, short) == Place(declared.first_page, again=1)
    assert nothing_there(declared, replace(short, shorter=False)) == End()
    assert nothing_there(declared, replace(short, again=3)) == End(SHRANK)


def test_a_list_that_grows_at_its_head_while_it_is_read_loses_none_of_those_behind() -> None:
    served = ALL.copy()

    assert set(ALL) <= set(all_taken(served, 100, meanwhile=lambda page: served.insert(0, 1000 + page)))


@pytest.mark.parametrize("says", [(None, None), (250, 250), (900, 900)])
def test_the_last_page_given_for_whatever_comes_after_it_ends_the_list(says: tuple[int | None, int | None]) -> None:
    assert all_taken(ALL, 125, says=says, page_number=True, past=ALL[125:]) == ALL


def test_a_list_that_ends_before_its_total_is_told_and_not_asked_for_ever() -> None:
    assert following(pull(total="n"), Place(4, taken=250, holes=2), counted(900)) == End(SHORT)
    assert following(pull(total="n"), Place(4, taken=250, pages=3), counted(251)) == End(SHORT)
    assert following(pull(total="n"), Place(4, taken=250, pages=3), counted(250)) == End()


def counted(total: int, *rows: int) -> Page:
    return Page((), rows, total, more=False, cursor="")


def test_pages_that_are_empty_though_more_is_promised_are_not_asked_for_for_ever() -> None:
    declared, pages = pull(more="more"), 0
    place: Place | End = Place(1)
    while isinstance(place, Place):
        place, pages = following(declared, place, page()), pages + 1

    assert place == End(ENDLESS, whole=False)
    assert pages <= 101


def test_of_a_queue_the_total_is_what_is_left() -> None:
    declared = pull(acknowledge={"message": "got"}, total="n")
    second = following(declared, Place(1), counted(3, 1, 2))
    assert isinstance(second, Place)
    assert (second.page, offset(declared, second)) == (1, 0)

    assert following(declared, second, counted(1, 3)) == End()


def keyset(served: list[int], size: int, declared: PullDeclaration, *, inclusive: bool) -> tuple[list[int], End]:
    """What is taken where the next page is asked for with the last row's key, which is its tens."""
    taken: list[int] = []
    place: Place | End = Place(1)
    while isinstance(place, Place):
        after = int(place.cursor) if place.cursor else -1
        rows = [row for row in served if row // 10 > after or (inclusive and row // 10 == after)][:size]
        taken += rows
        cursor = str(rows[-1] // 10) if rows else ""
        place = following(declared, place, Page((), tuple(rows), None, bool(cursor), cursor))
    return taken, place


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("served", [[], [10], [10, 20, 30, 40, 50], [10, 20, 30, 31], [10, 20, 30, 31, 40, 41, 50, 60]])
def test_paging_by_the_last_key_ends_with_its_last_row_whether_the_bound_is_inclusive_or_not(
    served: list[int], *, inclusive: bool
) -> None:
    taken, end = keyset(served, 4, pull(cursor="last", page_size=4), inclusive=inclusive)

    assert end == End()
    assert sorted(set(taken)) == served


def test_more_rows_of_one_key_than_a_page_holds_keep_the_cursor_and_are_told() -> None:
    served = [10, 20, 30, 31, 32, 33, 34]

    assert keyset(served, 3, pull(cursor="last", page_size=3), inclusive=True)[1] == End(REPEATED, whole=False)
