"""A team as a whole: two in charge at once, holes, shifts that overlap, stand-ins who are away, shares above one."""

import pytest

from tests.routing.team_city import GRIDS, reviewed

GRID, NEXT, OTHER, FAR = GRIDS
BASE = "z,周甲,urban,handler,*,2026-01-01,\n"
EVERYWHERE = "G0,z,*,9,2026-01-01,,\n"
TWO = BASE + "a,赵甲,street,grid_officer,*,2026-01-01,\nb,钱甲,street,grid_officer,*,2026-01-01,\n"
BOTH = EVERYWHERE + f"G1,a,{GRID},1,2026-01-01,,\nG2,b,{GRID},1,2026-01-01,,\n"


def warned(**tables: str) -> list[str]:
    return reviewed(**{"officers": TWO, "grids": BOTH} | tables)


def shifts(*rows: str) -> str:
    return "".join(f"S{number},{row},\n" for number, row in enumerate(rows, start=1))


DOUBLE = (
    "grids.csv:4: warning: order: G1 (line 3) and G2: a and b are both in charge of 340202016003001 at once, as on "
)


@pytest.mark.parametrize(
    ("a", "b", "when"),
    [
        ("every,08:00-20:00", "every,20:00-08:00", ""),
        ("every,08:00-20:30", "every,20:00-08:00", "2026-01-01 20:00-20:30"),
        ("every,08:00-20:00", "every,20:00-08:30", "2026-01-02 08:00-08:30"),
        ("mon-fri,00:00-24:00", "sat|sun,00:00-24:00", ""),
        ("mon-fri,20:00-08:00", "sat|sun,00:00-24:00", "2026-01-03 00:00-08:00"),
        ("working,08:00-20:00", "off,08:00-20:00", ""),
        ("working,08:00-20:00", "sat,08:00-20:00", "2026-10-10 08:00-20:00"),
        ("1 of 3,08:00-08:00", "2 of 3,08:00-08:00", ""),
        ("1 of 3,08:00-08:00", "1 of 2,08:00-08:00", "2026-01-01 08:00-24:00"),
        ("every,working", "every,12:00-14:00", ""),
        ("every,working", "every,12:00-14:01", "2026-01-01 14:00-14:01"),
    ],
)
def test_two_in_charge_of_one_grid_are_told_when_they_are_there_at_once(a: str, b: str, when: str) -> None:
    roster = shifts(f"a,shift,{a},,2026-01-01,", f"b,shift,{b},,2026-01-01,")

    assert warned(roster=roster) == ([DOUBLE + when] if when else [])


def test_leave_that_parts_them_is_heard_and_so_is_the_end_of_a_row() -> None:
    early = "a,shift,every,08:00-12:00,,2026-01-01,"
    late = "b,shift,every,11:00-15:00,,2026-01-01,"
    leave = "L1,b,leave,every,11:00-12:00,,2026-01-01,,\n"

    assert warned(roster=shifts(early, late) + leave) == []
    turned = BOTH.replace(f"{GRID},1,2026-01-01,,\nG2", f"{GRID},1,2026-01-01,2026-02-01,\nG2")
    turned = turned.replace(f"G2,b,{GRID},1,2026-01-01", f"G2,b,{GRID},1,2026-02-02")
    assert warned(roster=shifts(early, late), grids=turned) == []
    assert warned(roster=shifts(early, late)) == [DOUBLE + "2026-01-01 11:00-12:00"]


@pytest.mark.parametrize(
    "grids",
    [
        BOTH.replace("G2,b,340202016003001,1", "G2,b,340202016003001,2"),
        BOTH.replace("G2,b,340202016003001,1", "G2,b,340202016003,1"),
        BOTH.replace("G2,b", "G2,z"),
    ],
    ids=["another order", "another area", "another unit"],
)
def test_who_comes_after_or_has_another_area_or_works_for_another_unit_is_no_second_in_charge(grids: str) -> None:
    officers = TWO if "G2,b" in grids else TWO.replace("b,钱甲,street", "b,钱甲,urban")
    grids = grids.replace("G2,z", "G2,b")

    assert warned(grids=grids, officers=officers) == []


def test_officers_who_share_a_unit_grid_by_industry_are_no_conflict_but_more_than_one_of_it_is() -> None:
    parts = f"Y1,园林,一片,{GRID},0.6,2026-01-01,\nY2,园林,二片,{GRID},0.4,2026-01-01,\n"
    grids = EVERYWHERE + "G1,a,Y1,1,2026-01-01,,\nG2,b,Y2,1,2026-01-01,,\n"

    assert warned(industry=parts, grids=grids) == []
    assert warned(industry=parts.replace("0.4", "0.5"), grids=grids) == [
        f"industry-grids.csv:3: warning: share: 园林 in {GRID} is shared out 1.1 times: Y1 0.6, Y2 0.5"
    ]
    assert warned(industry=parts.replace("0.4", "0.5").replace("Y2,园林", "Y2,环卫"), grids=grids) == []


@pytest.mark.parametrize(
    ("grids", "hole"),
    [
        ("", "no officer has any class in any unit grid"),
        (
            f"G1,c,{GRID},1,2026-01-01,,\n",
            f"no officer has any class in 3 of 4 unit grids: {NEXT}, {OTHER}, {FAR}",
        ),
        ("G1,c,340202,1,2026-01-01,,\n", "no officer has any class in 1 of 4 unit grids: 鸠江区"),
        ("G1,d,*,1,2026-01-01,,\n", "no officer has 30428.2:P04-01 行道树 in any unit grid"),
        (
            "G1,c,*,1,2026-01-01,,\nG2,d,*,2,2026-01-01,,\nG3,c,340207,1,2026-01-01,2026-06-30,\n",
            "",
        ),
        (
            "G1,c,340202,1,2026-01-01,,\nG3,c,340207,1,2026-01-01,2026-06-30,\n",
            "from 2026-07-01 on no officer has any class in 1 of 4 unit grids: 鸠江区",
        ),
    ],
)  # fmt: skip
def test_a_class_that_nobody_has_somewhere_is_a_hole_from_its_day_on(grids: str, hole: str) -> None:
    officers = "c,孙甲,street,grid_officer,*,2026-01-01,\nd,李甲,street,grid_officer,30428.2:E*,2026-01-01,\n"

    found = [one for one in reviewed(officers=officers, grids=grids) if "has no grid" not in one]
    assert found == ([f"grids.csv: warning: area: {hole}"] if hole else [])


OVERLAP = "hours: S1 (line 2) and S2 overlap, as on "
NEVER = "days: comes on no day between its dates"


def test_an_officer_without_a_grid_is_told() -> None:
    assert warned(officers=TWO + "e,吴甲,street,collector,*,2026-01-01,\nf,郑甲,street,acceptor,*,2026-01-01,\n",
                  roster=shifts("a,shift,every,01:00-02:00,,2026-01-01,")) == [
        "officers.csv:5: warning: id: 'e' has no grid in grids.csv"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (("every,08:00-12:00,,2026-01-01,", "every,12:00-18:00,,2026-01-01,"), ""),
        (("every,08:00-12:00,,2026-01-01,", "sun,11:00-18:00,,2026-01-01,"), OVERLAP + "2026-01-04 11:00"),
        (
            ("every,22:00-06:00,,2026-03-05,2026-03-05", "every,05:00-07:00,,2026-03-06,2026-03-06"),
            OVERLAP + "2026-03-06 05:00",
        ),
        (("every,22:00-06:00,,2026-03-05,2026-03-05", "every,06:00-07:00,,2026-03-06,2026-03-06"), ""),
        (("every,00:00-24:00,,2026-03-05,2026-03-05", "every,00:00-24:00,,2026-03-06,2026-03-06"), ""),
        (("off,08:00-12:00,,2026-01-01,", "working,08:00-12:00,,2026-01-01,"), ""),
        (("every,00:00-01:00,,2026-01-01,", "sat,08:00-09:00,,2026-03-02,2026-03-06"), NEVER),
    ],
)  # fmt: skip
def test_shifts_of_one_officer_that_overlap_or_never_come_are_told(rows: tuple[str, str], finding: str) -> None:
    roster = shifts(*(f"z,shift,{row}" for row in rows))

    found = reviewed(officers=BASE, grids=EVERYWHERE, roster=roster)
    assert found == ([f"roster.csv:3: warning: {finding}"] if finding else [])


def test_a_stand_in_who_is_away_or_not_in_office_is_told() -> None:
    officers = TWO.replace(
        "b,钱甲,street,grid_officer,*,2026-01-01,", "b,钱甲,street,grid_officer,*,2026-01-01,2026-05-03"
    )
    grids = BOTH.replace("G2,b,340202016003001,1", "G2,b,340202016003001,2")
    roster = "L1,a,leave,every,,b,2026-05-01,2026-05-05,\nL2,b,leave,every,,,2026-05-02,2026-05-02,\n"

    assert warned(officers=officers, grids=grids, roster=roster) == [
        "roster.csv:2: warning: stand_in: b is not in office on all of these days",
        "roster.csv:2: warning: stand_in: b is on leave too (L2, line 3), as on 2026-05-02 00:00",
    ]


def test_of_two_teams_with_the_same_hours_only_the_one_whose_leave_does_not_part_them_is_told() -> None:
    officers = TWO + "c,孙甲,street,grid_officer,*,2026-01-01,\nd,李甲,street,grid_officer,*,2026-01-01,\n"
    grids = BOTH + f"G3,c,{NEXT},1,2026-01-01,,\nG4,d,{NEXT},1,2026-01-01,,\n"
    hours = ("08:00-12:00", "11:00-15:00") * 2
    rows = [f"{one},shift,every,{hour},,2026-01-01," for one, hour in zip("abcd", hours, strict=True)]
    leave = "L1,b,leave,every,11:00-12:00,,2026-01-01,,\n"

    [told] = warned(officers=officers, grids=grids, roster=shifts(*rows) + leave)
    assert "c and d are both in charge of 340202016003002 at once, as on 2026-01-01 11:00-12:00" in told
