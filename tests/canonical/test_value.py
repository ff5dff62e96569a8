"""The base of all values: what is quicker than pydantic's own must be the same."""

from datetime import datetime

import pytest
from pydantic import BaseModel, ValidationError

from canonical.case import Action, Actor, Assignment, new_action
from canonical.lifecycle import ActionKind, Party
from canonical.place import Place
from canonical.time import SHANGHAI, Due, Limit, LimitUnit
from canonical.value import Value, unchecked

NOW = datetime(2026, 3, 16, 9, tzinfo=SHANGHAI)
ACTOR = Actor(party=Party.HUB, id="classes.csv")


def test_a_value_made_unchecked_is_the_one_the_constructor_makes() -> None:
    given = {"kind": ActionKind.FILE, "actor": ACTOR, "at": NOW, "place": Place(address="x"), "editions": {"a": "b"}}

    made, checked = new_action(**given), Action(**given)

    assert made == checked
    assert made.model_fields_set == checked.model_fields_set
    assert made.model_dump_json() == checked.model_dump_json()
    assert made.model_dump_json(exclude_defaults=True) == checked.model_dump_json(exclude_defaults=True)
    assert Action.model_validate_json(made.model_dump_json(exclude_defaults=True)) == checked
    with pytest.raises(ValidationError):
        made.reason = "frozen"  # type: ignore[misc]


def test_a_copy_is_what_pydantic_copies() -> None:
    round_ = Assignment(round=1, unit="u", dispatched_at=NOW, due=Due(at=NOW))

    ours, theirs = round_.model_copy(update={"unit": "v"}), BaseModel.model_copy(round_, update={"unit": "v"})

    assert (ours, ours.unit, round_.unit) == (theirs, "v", "u")
    assert ours.model_fields_set == theirs.model_fields_set
    assert round_.model_copy(deep=True) == round_


def test_values_are_equal_when_kind_and_members_are() -> None:
    class Budget(Value):
        value: int
        unit: LimitUnit

    limit = Limit(value=3, unit=LimitUnit.WORK_DAY)

    assert limit == unchecked(Limit)(value=3, unit=LimitUnit.WORK_DAY)
    assert hash(limit) == hash(unchecked(Limit)(value=3, unit=LimitUnit.WORK_DAY))
    assert limit != Limit(value=4, unit=LimitUnit.WORK_DAY)
    assert limit != Budget(value=3, unit=LimitUnit.WORK_DAY)
    assert limit != {"value": 3, "unit": LimitUnit.WORK_DAY}
