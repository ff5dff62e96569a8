"""A dispatch says which officer of the unit is on duty where the case lies; a city without a team says nothing."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from canonical.case import Action, Actor
from canonical.findings import Finding
from canonical.lifecycle import ActionKind, Party
from canonical.time import SHANGHAI
from routing.city import City
from routing.team_tables import Known, TeamFiles, load_team
from tests.routing.intake_city import CITY, NOW, STALL, TREE, Desk, by_owner, ordered, reported

OFFICERS = f"""id,name,unit,post,classes,valid_from,valid_to
u1-eye,赵甲,u1,collector,*,2026-01-01,
u1-day,钱甲,u1,handler,{STALL},2026-01-01,
u2-day,孙甲,u2,handler,*,2026-01-01,
"""
GRIDS = """id,officer,area,order,valid_from,valid_to,note
G1,u1-eye,*,1,2026-01-01,,
G2,u1-day,340202,1,2026-01-01,,
G3,u2-day,*,1,2026-01-01,,
"""


@pytest.fixture
def city(tmp_path: Path) -> City:
    """The small city of intake with officers in two of its units."""
    (tmp_path / "officers.csv").write_text(OFFICERS, encoding="utf-8")
    (tmp_path / "grids.csv").write_text(GRIDS, encoding="utf-8")
    findings: list[Finding] = []
    known = Known(CITY.responsibility.units, CITY.divisions, (), CITY.catalogue, CITY.working_time)
    team, _ = load_team(TeamFiles(tmp_path, "officers.csv", "grids.csv"), known, findings)
    assert findings == []
    return replace(CITY, team=team, editions={**CITY.editions, "team": "t1"})


def dispatches(desk: Desk) -> list[tuple[str, str, str]]:
    """(unit, officer, edition of the team) of each dispatch."""
    actions = [event.action for event in desk.events if event.action.unit]
    return [(action.unit, action.officer, action.editions.get("team", "")) for action in actions]


def test_a_dispatch_by_rule_names_the_officer_and_so_does_the_next_one_after_a_return(city: City) -> None:
    desk = Desk(city)
    desk.take(reported("hotline", "1"))
    desk.bound("w-1")
    desk.take(by_owner("works", "w-1", ActionKind.RETURN))

    assert dispatches(desk) == [("u1", "u1-day", "t1"), ("u2", "u2-day", "t1")]
    desk.check_books()


def test_a_dispatch_by_a_person_names_the_officer_and_where_nobody_is_on_duty_it_names_none(city: City) -> None:
    desk = Desk(city)
    desk.take(reported("hotline", "1", class_code=TREE))
    desk.take(ordered(desk.case.no, ActionKind.DISPATCH, unit="u2"))
    night = Desk(city, now=datetime(2026, 5, 20, 23, tzinfo=SHANGHAI))
    night.take(reported("hotline", "2", at=night.now))

    assert dispatches(desk) == [("u2", "u2-day", "t1")]
    assert dispatches(night) == [("u1", "", "")]


def test_a_city_without_a_team_dispatches_as_before() -> None:
    desk = Desk(CITY)
    desk.take(reported("hotline", "1"))

    assert dispatches(desk) == [("u1", "", "")]


def test_an_event_with_an_officer_is_read_again_as_it_was_and_an_older_one_without() -> None:
    action = Action(kind=ActionKind.DISPATCH, actor=Actor(party=Party.HUB, id="r"), at=NOW, unit="u1", officer="u1-day")

    assert Action.model_validate_json(action.model_dump_json()) == action
    assert Action.model_validate_json(action.model_dump_json(exclude={"officer"})).officer == ""
