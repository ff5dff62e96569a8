"""Canonical values survive the way into the store and back: exactly as rows keep them, without defaults."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from canonical.case import Action, Case, Event
from canonical.errors import IllegalAction
from canonical.lifecycle import ActionKind, Party
from canonical.place import Coordinate, Place
from canonical.report import Report
from canonical.value import Value
from tests.canonical.values import action, actions, bindings, collected, kinds, parties, reports

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def back(value: Value) -> Value:
    """Written as the store writes it, read as the store reads it."""
    return type(value).model_validate_json(value.model_dump_json(exclude_defaults=True))


@QUICK
@given(st.one_of(actions, reports, bindings))
def test_any_action_report_and_binding_comes_back_equal(value: Value) -> None:
    assert back(value) == value


@QUICK
@given(actions, st.lists(st.tuples(kinds, parties), max_size=12))
def test_any_case_and_its_events_come_back_equal(odd: Action, walk: list[tuple[ActionKind, Party]]) -> None:
    _, case = collected()
    for kind, party in walk:
        with suppress(IllegalAction):
            event = case.does(action(kind, party))
            case = case.after(event)
            assert back(event) == event
    assert back(case) == case
    last = Event(case_id=case.id, seq=case.version + 1, from_=case.stage, to=case.stage, action=odd)
    assert back(last) == last


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Report.model_validate({"title": "x", "colour": "red"})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_coordinate_that_json_could_not_hold_is_an_error(number: float) -> None:
    with pytest.raises(ValidationError):
        Coordinate(x=number, y=31.3, crs="EPSG:4490")
    with pytest.raises(ValidationError):
        Place(lon=number)


def test_values_cannot_be_changed() -> None:
    _, case = collected()

    with pytest.raises(ValidationError, match="frozen"):
        case.stage = case.stage  # type: ignore[misc]


def test_who_reported_does_not_stand_in_the_printed_form() -> None:
    report = Report.model_validate({"reporter": {"name": "王小明", "phone": "13900000000"}})

    assert "王小明" not in repr(report)
    assert "13900000000" not in repr(report)


def test_a_case_with_nothing_beyond_defaults_is_kept_short() -> None:
    _, case = collected()

    assert "reporter" not in case.model_dump_json(exclude_defaults=True)
    assert back(case) == Case.model_validate(case.model_dump())
