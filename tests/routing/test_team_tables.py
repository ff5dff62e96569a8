"""The tables of a team: what a row may say, and what is said of a row that is wrong."""

import time

import pytest

from tests.routing.team_city import team

OFFICERS = "a,赵甲,street,grid_officer,*,2026-01-01,\nb,钱甲,urban,handler,30428.2:E04-06,2026-01-01,\n"
AREAS = "G1,a,340202016003,1,2026-01-01,,\n"
SHARE = "is no share: write 0.4 for two fifths; empty: all of it"
NO_OFFICER = "is no officer of officers.csv, or that row is wrong; known: a, b"
INDUSTRY = "YL-1,园林,一片,340202016003001,,2026-01-01,\n"


def said(**tables: str) -> list[str]:
    _, findings = team(**{"officers": OFFICERS, "grids": AREAS, "industry": INDUSTRY} | tables)
    return [str(one) for one in findings]


def test_right_tables_have_nothing_wrong() -> None:
    assert said(roster="S1,a,shift,mon-fri,08:00-12:00|22:00-06:00,,2026-01-01,,\n") == []


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        (
            "c,孙甲,strest,handler,*,2026-01-01,",
            "4: error: unit: 'strest' is no unit of units.csv: dissolved, or misspelt; did you mean 'street'?",
        ),
        ("c,孙甲,,handler,*,2026-01-01,", "4: error: unit: missing"),
        ("c,孙甲,street,handlar,*,2026-01-01,", "4: error: post: 'handlar' is no post; did you mean 'handler'?"),
        (
            "c,孙甲,street,handler,E04-06,2026-01-01,",
            "4: error: classes: 'E04-06': write 30428.2:E04-06, 30428.2:E04-*, 30428.2:E* or *, parted by |",
        ),
        (
            "c,孙甲,street,handler,*|30428.2:E04-07,2026-01-01,",
            "4: error: classes: '30428.2:E04-07' is no class of classes.csv; did you mean '30428.2:E04-06'?",
        ),
        (
            "c,孙甲,street,handler,30428.2:E09-*,2026-01-01,",
            "4: warning: classes: '30428.2:E09-*' covers no class of classes.csv",
        ),
        ("c,孙甲,street,handler,*,2026-02-30,", "4: error: valid_from: '2026-02-30' is not a date: write 2026-01-31"),
        ("c,孙甲,street,handler,*,2026-02-01,2026-01-31", "4: error: valid_to: 2026-01-31 lies before valid_from"),
        ("a,孙甲,street,handler,*,2026-01-01,", "4: error: id: 'a' stands in an earlier line already"),
        (",孙甲,street,handler,*,2026-01-01,", "4: error: id: missing"),
    ],
)
def test_a_wrong_officer_is_told_with_file_line_column_and_near_match(row: str, finding: str) -> None:
    assert said(officers=f"{OFFICERS}{row}\n") == [f"officers.csv:{finding}"]


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        (
            "G2,a,340202016003008,1,2026-01-01,,",
            "3: error: area: '340202016003008' is no unit grid, division or industry grid of this city; write * for "
            "all of it; did you mean '340202016003002'?",
        ),
        (
            "G2,a,YL-2,1,2026-01-01,,",
            "3: error: area: 'YL-2' is no unit grid, division or industry grid of this city; write * for all of it; "
            "did you mean 'YL-1'?",
        ),
        ("G2,c,*,1,2026-01-01,,", f"3: error: officer: 'c' {NO_OFFICER}"),
        ("G2,a,*,0,2026-01-01,,", "3: error: order: '0': write 1 for the officer in charge, 2 to 99 for those after"),
        (
            "G2,a,*,first,2026-01-01,,",
            "3: error: order: 'first': write 1 for the officer in charge, 2 to 99 for those after",
        ),
        ("G2,a,*,1,01.01.2026,,", "3: error: valid_from: '01.01.2026' is not a date: write 2026-01-31"),
        (
            "G2,a,*,1,2025-01-01,2025-12-31,",
            "3: warning: valid_from: holds on no day: the officer or the industry grid is not there on these dates",
        ),
        ("G1,a,*,1,2026-01-01,,", "3: error: id: 'G1' stands in an earlier line already"),
    ],
)
def test_a_wrong_row_of_grids_is_told(row: str, finding: str) -> None:
    assert said(grids=f"{AREAS}{row}\n") == [f"grids.csv:{finding}"]


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("YL-1,园林,一片,340202016003002,0,2026-01-01,", f"3: error: share: '0' {SHARE}"),
        ("YL-1,园林,一片,340202016003002,40%,2026-01-01,", f"3: error: share: '40%' {SHARE}"),
        (
            "340202,园林,一片,340202016003002,,2026-01-01,",
            "3: error: id: '340202' could be taken for a division or unit grid: give it letters",
        ),
        ("YL-1,,一片,340202016003002,,2026-01-01,", "3: error: industry: missing"),
        (
            "YL-1,园林,一片,YL-1,,2026-01-01,",
            "3: error: area: 'YL-1' is no unit grid or division of this city; write * for all of it",
        ),
    ],
)
def test_a_wrong_industry_grid_is_told(row: str, finding: str) -> None:
    assert said(industry=f"{INDUSTRY}{row}\n") == [f"industry-grids.csv:{finding}"]


DAYS = "write every, working, off, mon-fri, sat|sun, or 1 of 4 for the first day of every four"
HOURS = "write working, or 08:00-12:00|14:00-18:00; 22:00-06:00 goes past midnight"


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("S1,a,shift,daily,working,,2026-01-01,,", f"days: 'daily': {DAYS}"),
        ("S1,a,shift,5 of 4,working,,2026-01-01,,", f"days: '5 of 4': {DAYS}"),
        ("S1,a,shift,every,,,2026-01-01,,", f"hours: '': {HOURS}"),
        ("S1,a,shift,every,24:00-06:00,,2026-01-01,,", f"hours: '24:00-06:00': {HOURS}"),
        ("S1,a,shift,every,08:60-09:00,,2026-01-01,,", f"hours: '08:60-09:00': {HOURS}"),
        (
            "S1,a,shift,every,08:00-12:00|11:00-13:00,,2026-01-01,,",
            "hours: '08:00-12:00|11:00-13:00': the windows overlap",
        ),
        ("S1,a,duty,every,working,,2026-01-01,,", "kind: 'duty' is no kind of row; known: leave, shift"),
        (
            "S1,a,shift,every,working,b,2026-01-01,,",
            "stand_in: only leave has a stand-in; who works beside has a row of grids.csv",
        ),
        ("L1,a,leave,every,,a,2026-01-01,,", "stand_in: an officer on leave cannot stand in for that leave"),
        ("L1,a,leave,every,,z,2026-01-01,,", f"stand_in: 'z' {NO_OFFICER}"),
        ("L1,a,leave,every,,,2026-05-02,2026-05-01,", "valid_to: 2026-05-01 lies before valid_from"),
    ],
)
def test_a_wrong_row_of_the_roster_is_told(row: str, finding: str) -> None:
    assert said(roster=f"{row}\n") == [f"roster.csv:2: error: {finding}"]


def test_an_officer_of_a_unit_that_ended_is_told_unless_the_row_ends_with_it() -> None:
    rows = "c,孙甲,parks,handler,*,2026-01-01,\nd,李甲,parks,handler,*,2026-01-01,2026-06-30\n"

    assert said(officers=OFFICERS + rows) == [
        "officers.csv:4: warning: unit: parks ended on 2026-06-30, its work is landscape's: end this row too, and "
        "appoint the officer there"
    ]


def test_several_things_wrong_with_a_row_are_told_together() -> None:
    found = said(officers=f"{OFFICERS}c,孙甲,nowhere,nobody,x,y,z\n")

    assert [one.split(": ")[2] for one in found] == ["unit", "post", "classes", "valid_from", "valid_to"]


def test_twenty_thousand_wrong_rows_are_told_within_seconds() -> None:
    rows = "".join(f"X{number},officer-{number},340202016003,1,2026-01-01,,\n" for number in range(20_000))
    many = "".join(f"o{number},赵甲,street,handler,*,2026-01-01,\n" for number in range(2_000))
    began = time.process_time()

    assert len(said(officers=OFFICERS + many, grids=rows)) == 20_000
    assert time.process_time() - began < 10
