"""Whose hands a unit's work falls into: the officer of the unit who is on duty where the case lies, for its class."""

from datetime import datetime

from canonical.case import Action, Case
from routing.city import City
from routing.team import Duty


def officer_for(unit: str, case: Case, city: City, at: datetime) -> Duty | None:
    """The officer, and by which rows; None where the city keeps no officers, or none of the unit is on duty there."""
    if city.team is None or case.class_code is None:
        return None
    return city.team.officer_for(unit, case.place.grid or case.place.area or city.code, case.class_code, at)


def with_officer(action: Action, case: Case, city: City, at: datetime) -> Action:
    """A dispatch with the officer who is on duty, and the edition of the tables that say so; else as it was."""
    duty = officer_for(action.unit, case, city, at)
    if duty is None:
        return action
    editions = action.editions | {"team": city.editions["team"]}
    return action.model_copy(update={"officer": duty.officer.id, "editions": editions})
