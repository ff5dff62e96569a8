"""The topology check of a grid set: codes, names and sizes."""

from dataclasses import replace

import pytest

from maps.topology import FlawKind, TopologyCell, check
from maps.topology.register import number_of
from tests.maps.topology_city import cell, square, squares


def kinds(cells: list[TopologyCell]) -> dict[FlawKind, int]:
    """What is found."""
    return check(cells).counts


def named(*names: str) -> list[TopologyCell]:
    """Cells side by side with these names."""
    return [cell(number + 1, square(number), name) for number, name in enumerate(names)]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("第12网格", 12), ("第１２网格", 12), ("第 12 网格", 12), ("第十二网格", 12),
        ("方塘社区 第一网格", 1), ("12号网格", 12),
        ("第十六网格(专属)", 16), ("第二十网格", 20), ("第一百零三网格", 103), ("第一二网格", 12),
        ("第〇〇八网格", 8), ("第8专属网格", 8), ("网格07", 7), ("百网格", 100),
        ("东门网格", None), ("第三小学", None), ("", None), ("3号楼网格员", None),
    ],
)  # fmt: skip
def test_the_number_in_a_name(name: str, number: int | None) -> None:
    assert number_of(name) == number


def test_a_name_with_another_number_is_told_where_the_others_agree() -> None:
    found = check(named("第1网格", "第2网格", "第9网格", "第4网格"))

    [flaw] = found.flaws
    assert (flaw.kind, flaw.codes, flaw.severe) == (FlawKind.NAME_NUMBER, ("340202012001003",), False)
    assert "number 9, not 3" in flaw.text


def test_a_community_that_numbers_otherwise_is_left_alone() -> None:
    assert kinds(named("第11网格", "第12网格", "第13网格", "第14网格")) == {}
    assert kinds(named("第2网格", "第1网格")) == {}


def test_names_missing_and_repeated_are_told() -> None:
    assert kinds(named("东门", "东门 ", "", "西门")) == {FlawKind.NAME_MISSING: 1, FlawKind.NAME_REPEATED: 1}


def test_two_communities_may_have_the_same_names() -> None:
    first = named("东门", "西门")
    second = [
        replace(one, code=one.code.replace("012001", "012002"), geometry=square(n, 1)) for n, one in enumerate(first)
    ]

    assert kinds([*first, *second]) == {}


@pytest.mark.parametrize(
    "code", ["", "34020201200100", "３４０２０２０１２００１００１", "340202012001A01", "34020201200100१"]
)
def test_a_code_that_is_not_15_digits_is_told(code: str) -> None:
    assert kinds([replace(squares(1)[0], code=code)]) == {FlawKind.CODE_FORM: 1}


def test_a_code_of_two_cells_is_told() -> None:
    found = check([cell(1, square(0), "东"), cell(1, square(1), "西")])

    assert found.counts == {FlawKind.CODE_REPEATED: 1}
    assert found.severe == 1


def test_numbers_left_out_are_told_once_a_community() -> None:
    found = check([cell(1, square(0)), cell(4, square(1)), cell(6, square(2))])

    [flaw] = found.flaws
    assert flaw.kind is FlawKind.SEQUENCE
    assert "3 of 6 numbers: 002, 003, 005" in flaw.text


@pytest.mark.parametrize(
    ("households", "population", "fits"),
    [
        (300, None, True), (500, None, True), (299, None, False), (501, None, False), (None, 800, True),
        (None, 1201, False),
        (250, 1000, True), (400, 3000, True), (900, 3000, False), (0, None, False),
    ],
)  # fmt: skip
def test_a_base_grid_has_300_to_500_households_or_about_1000_people(
    households: int | None, population: int | None, fits: bool
) -> None:
    found = kinds([cell(1, square(0), households=households, population=population)])

    assert found == ({} if fits else {FlawKind.PEOPLE: 1})


def test_a_cell_carved_out_for_a_park_needs_no_households() -> None:
    assert kinds([cell(1, square(0), "第一网格(专属)", households=0)]) == {}


def test_cells_without_figures_are_one_flaw() -> None:
    found = check([replace(one, households=None) for one in squares(9)])

    [flaw] = found.flaws
    assert found.counts == {FlawKind.NO_FIGURES: 9}
    assert "9 of 9 cells" in flaw.text
