"""A class code never travels without its edition, and the crosswalk guesses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from canonical.codes import ClassCode, Edition, crosswalk, in_edition_2026
from canonical.place import Place
from tests.canonical.values import codes


@given(codes)
def test_the_written_form_reads_back_as_the_same_class(code: ClassCode) -> None:
    assert ClassCode.parse(str(code)) == code
    assert ClassCode.parse(f"  {code} ") == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "E04-06",
        "30428.2:",
        "30428.2:E",
        "30428.2:E04",
        "30428.2:X04-06",
        "30428:E04-06",
        "30428.2:E4-06",
        "x:P01-1",
    ],
)
def test_what_is_not_a_class_code_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a class code|String should match"):
        ClassCode.parse(text)


def test_the_error_names_the_editions() -> None:
    with pytest.raises(ValueError, match=r"EDITION:E04-06.*214, 30428\.2, 47678\.5, local"):
        ClassCode.parse("E04-06")


@given(st.text(max_size=20))
def test_any_text_is_a_class_code_or_a_value_error(text: str) -> None:
    try:
        code = ClassCode.parse(text)
    except ValueError:
        return
    assert str(code) == text.strip()


def test_digits_of_other_scripts_are_no_code() -> None:
    with pytest.raises(ValidationError):
        ClassCode.parse("30428.2:E０４-０６")
    with pytest.raises(ValidationError):
        Place(area="３４０２０２")
    with pytest.raises(ValidationError):
        Place(grid="34020201600300１")


def test_the_crosswalk_leads_from_the_old_edition_to_the_new_or_says_none() -> None:
    rows = crosswalk()

    assert {row.old.edition for row in rows.values()} == {Edition.GBT_30428_2}
    assert {row.new.edition for row in rows.values() if row.new} == {Edition.GBT_47678_5}
    assert all(row.old_name and (row.new is None or row.new_name) for row in rows.values())
    assert any(row.new is None for row in rows.values())


def test_a_class_of_the_new_edition_is_its_own_counterpart_and_a_local_one_has_none_to_ask_for() -> None:
    new = ClassCode.parse("47678.5:E01-01")

    assert in_edition_2026(new) is new
    with pytest.raises(KeyError):
        in_edition_2026(ClassCode.parse("local:E98-04"))
