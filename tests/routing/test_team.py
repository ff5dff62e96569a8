"""Who is on duty in a grid for a class: in the right order, by the right row, as reading every row would say."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.codes import ClassCode
from canonical.time import SHANGHAI
from routing.team import Team
from tests.routing.team_city import CALENDAR, GRIDS, team

STALL, SHOP, WASTE, TREE = (ClassCode.parse(f"30428.2:{code}") for code in ("E04-06", "E04-05", "E01-10", "P04-01"))
GRID, NEXT, OTHER, FAR = GRIDS


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


WORKDAY, NIGHT = at("2026-05-20 09:00"), at("2026-05-20 23:10")

OFFICERS = """grid-1,赵甲,street,grid_officer,*,2026-01-01,
grid-2,钱甲,street,grid_officer,*,2026-01-01,
stall-1,孙甲,urban,handler,30428.2:E04-*,2026-01-01,
tree-1,李甲,landscape,handler,30428.2:P04-*|30428.2:E01-10,2026-01-01,
tree-2,周甲,landscape,handler,30428.2:P04-*,2026-01-01,
eye-1,吴甲,urban,collector,*,2026-01-01,
"""
AREAS = f"""G1,grid-1,340202016003,1,2026-01-01,,
G2,grid-2,340202016003,2,2026-01-01,,
G3,stall-1,340202,1,2026-01-01,,
G4,tree-1,YL-1,1,2026-01-01,,
G5,tree-2,YL-2,1,2026-01-01,,
G6,eye-1,{GRID},1,2026-01-01,,
"""
INDUSTRY = f"""YL-1,园林,一片,{GRID},0.4,2026-01-01,
YL-2,园林,二片,{GRID},0.6,2026-01-01,
YL-2,园林,二片,{OTHER},,2026-01-01,
"""
ROSTER = """S1,stall-1,shift,every,22:00-06:00,,2026-01-01,,
L1,grid-1,leave,every,,grid-2,2026-05-18,2026-05-19,
"""


@pytest.fixture(scope="module")
def crew() -> Team:
    loaded, findings = team(officers=OFFICERS, grids=AREAS, industry=INDUSTRY, roster=ROSTER)
    assert findings == []
    return loaded


def on(crew: Team, where: str, code: ClassCode, moment: datetime) -> list[str]:
    return [duty.officer.id for duty in crew.on_duty(where, code, moment)]


def test_one_grid_has_officers_of_several_industries_the_more_specific_class_first(crew: Team) -> None:
    assert on(crew, GRID, STALL, at("2026-05-20 23:00")) == ["stall-1"]
    assert on(crew, GRID, WASTE, WORKDAY) == ["tree-1", "eye-1", "grid-1", "grid-2"]


def test_of_two_industry_grids_in_a_unit_grid_the_larger_share_comes_first(crew: Team) -> None:
    assert on(crew, GRID, TREE, WORKDAY)[:2] == ["tree-2", "tree-1"]
    assert "industry grid YL-2 (60%)" in crew.on_duty(GRID, TREE, WORKDAY)[0].why


def test_one_officer_has_all_unit_grids_of_an_industry_grid_and_no_other(crew: Team) -> None:
    assert [on(crew, grid, TREE, WORKDAY)[:1] for grid in GRIDS] == [["tree-2"], ["grid-1"], ["tree-2"], []]


def test_a_stand_in_has_the_place_and_the_order_of_who_is_on_leave(crew: Team) -> None:
    [duty] = crew.on_duty(NEXT, WASTE, at("2026-05-19 09:00"))

    assert (duty.officer.id, duty.order, duty.row, duty.stands_in_for) == ("grid-2", 1, "G1", "grid-1")
    assert "roster.csv L1" in duty.why
    assert on(crew, NEXT, WASTE, WORKDAY) == ["grid-1", "grid-2"]


def test_a_stand_in_comes_only_when_the_officer_would_have_been_there(crew: Team) -> None:
    assert on(crew, NEXT, WASTE, at("2026-05-19 20:00")) == []


@pytest.mark.parametrize(
    ("moment", "there"),
    [
        ("2026-05-20 21:59", False), ("2026-05-20 22:00", True), ("2026-05-20 23:59", True), ("2026-05-21 00:00", True),
        ("2026-05-21 05:59", True), ("2026-05-21 06:00", False), ("2026-01-01 03:00", False),
    ],
)  # fmt: skip
def test_a_shift_past_midnight_belongs_to_the_day_on_which_it_begins(crew: Team, moment: str, there: bool) -> None:
    assert ("stall-1" in on(crew, GRID, STALL, at(moment))) is there


def test_the_class_goes_before_the_order_and_the_order_before_the_area() -> None:
    officers = "a,赵甲,street,handler,30428.2:E04-06,2026-01-01,\n" + "".join(
        f"{one},钱甲,street,grid_officer,*,2026-01-01,\n" for one in "bcd"
    )
    grids = f"G1,a,*,2,2026-01-01,,\nG2,b,{GRID},2,2026-01-01,,\nG3,c,340202,1,2026-01-01,,\nG4,d,*,1,2026-01-01,,\n"
    crew, _ = team(officers=officers, grids=grids)

    assert on(crew, GRID, STALL, WORKDAY) == ["a", "c", "d", "b"]


def test_a_stand_in_who_is_on_leave_too_or_not_in_office_does_not_come() -> None:
    officers = "a,赵甲,street,handler,*,2026-01-01,\nb,钱甲,street,handler,*,2026-01-01,\n"
    officers += "c,孙甲,street,handler,*,2026-06-01,\nd,李甲,street,handler,*,2026-01-01,\n"
    away = "L1,a,leave,every,,b,2026-05-20,2026-05-20,\nL2,b,leave,every,,,2026-05-20,2026-05-20,\n"
    away += "L3,a,leave,every,,c,2026-05-20,2026-05-20,\nL4,a,leave,every,,d,2026-05-20,2026-05-20,\n"
    crew, _ = team(officers=officers, grids=f"G1,a,{GRID},1,2026-01-01,,\n", roster=away)
    answer = crew.asked(GRID, STALL, WORKDAY)

    assert [(one.officer.id, one.row) for one in answer.on] == [("d", "G1")]
    assert [(one.officer.id, one.why.rpartition("; ")[2]) for one in answer.off[1:]] == [
        ("b", "on leave too"), ("c", "not in office"),
    ]  # fmt: skip


@pytest.mark.parametrize(("day", "turn"), [("2026-05-01", 1), ("2026-05-04", 4), ("2026-05-05", 1), ("2026-05-07", 3)])
def test_four_who_take_turns_follow_each_other_day_and_night(day: str, turn: int) -> None:
    officers = "".join(f"o{n},赵甲,urban,handler,*,2026-01-01,\n" for n in range(1, 5))
    grids = "".join(f"G{n},o{n},*,1,2026-01-01,,\n" for n in range(1, 5))
    roster = "".join(f"S{n},o{n},shift,{n} of 4,08:00-08:00,,2026-05-01,,\n" for n in range(1, 5))
    crew, _ = team(officers=officers, grids=grids, roster=roster)

    assert on(crew, GRID, STALL, at(f"{day} 08:00")) == on(crew, GRID, STALL, at(f"{day} 23:59")) == [f"o{turn}"]


def test_nobody_is_explained(crew: Team) -> None:
    away = crew.asked(NEXT, WASTE, NIGHT)
    other = crew.asked(FAR, TREE, WORKDAY)

    assert (
        away.nobody == "none of the 2 officers who have 30428.2:E01-10 in 340202016003002 is there at 2026-05-20 23:10"
    )
    assert [one.officer.id for one in away.off] == ["grid-1", "grid-2"]
    assert away.off[0].why == "grids.csv G1: 340202016003, order 1; outside the working time of street"
    assert other.nobody == "grids.csv gives 340207003001001 to no officer on 2026-05-20"
    assert crew.asked(OTHER, STALL, WORKDAY).off[0].why.endswith("no shift in roster.csv at that time")


def test_a_grid_that_officers_have_for_other_classes_only_says_so() -> None:
    crew, _ = team(officers="a,赵甲,urban,handler,30428.2:E04-06,2026-01-01,\n", grids="G1,a,*,1,2026-01-01,,\n")

    said = crew.asked(GRID, TREE, WORKDAY).nobody
    assert said == f"no officer has 30428.2:P04-01 in {GRID} on 2026-05-20; one officer has it for other classes"


def test_the_work_of_a_unit_goes_to_its_own_hands_and_not_to_a_collector(crew: Team) -> None:
    unit_officer = {
        unit: duty and duty.officer.id
        for unit in ("street", "landscape", "urban")
        for duty in [crew.officer_for(unit, GRID, WASTE, WORKDAY)]
    }

    assert unit_officer == {"street": "grid-1", "landscape": "tree-1", "urban": None}


def test_who_stands_in_for_another_unit_does_that_units_work() -> None:
    roster = "L1,a,leave,every,,b,2026-05-20,2026-05-20,\n"
    officers = "a,赵甲,urban,handler,*,2026-01-01,\nb,钱甲,street,handler,*,2026-01-01,\n"
    crew, _ = team(officers=officers, grids=f"G1,a,{GRID},1,2026-01-01,,\nG2,b,{GRID},1,2026-01-01,,\n", roster=roster)

    found = crew.officer_for("urban", GRID, STALL, WORKDAY)
    assert found is not None
    assert (found.officer.id, found.unit, found.stands_in_for) == ("b", "urban", "a")


def test_a_name_is_in_no_text_of_an_officer(crew: Team) -> None:
    assert "赵甲" not in repr(crew.asked(GRID, WASTE, WORKDAY))


# --- against reading every row ---

DAYS = ("every", "working", "off", "mon-fri", "sat|sun", "fri-mon", "2 of 3")
HOURS = (
    "working",
    "08:00-20:00",
    "20:00-08:00",
    "00:00-24:00",
    "00:00-24:00",
    "23:30-00:30|06:00-07:00",
    "08:00-08:00",
)
PATTERNS = ("*", "30428.2:E*", "30428.2:E04-*", "30428.2:E04-06", "30428.2:P04-*|30428.2:E04-05")
PLACES = ("*", "*", "340202016", GRID, "3402", "340202", "340202016", "340202016003", GRID, OTHER, "IG-1", "IG-2")
SPANS = ("2026-01-01,", "2026-01-01,", "2026-09-28,2026-10-02", "2026-10-02,2026-10-02", "2026-10-01,")
IDS = ("a", "b", "c", "d")
Rows = list[dict[str, str]]


def dated(row: dict[str, str]) -> dict[str, str]:
    first, _, last = row["span"].partition(",")
    return row | {"valid_from": first, "valid_to": last}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Rows]:
    def several(fewest: int, many: int, **columns: st.SearchStrategy[str]) -> Rows:
        one = st.fixed_dictionaries({**columns, "span": st.sampled_from(SPANS)})
        rows = draw(st.lists(one, min_size=fewest, max_size=many))
        return [{"id": str(number), **dated(row)} for number, row in enumerate(rows)]

    classes, spans = st.sampled_from(PATTERNS), st.sampled_from(SPANS)
    officers = [
        {"id": one, "classes": draw(classes), "unit": draw(st.sampled_from(("urban", "street"))), "span": draw(spans)}
        for one in IDS
    ]
    one_of = st.sampled_from
    return {
        "officers": [dated(row) for row in officers],
        "grids": several(4, 8, officer=one_of(IDS), area=one_of(PLACES), order=one_of(("1", "2"))),
        "industry": [
            row | {"id": f"IG-{int(row['id']) % 2 + 1}"}
            for row in several(0, 4, area=one_of((GRID, OTHER, "340202016")), share=one_of(("", "0.6", "0.4")))
        ] + [{"id": f"IG-{n}", "area": FAR, "share": "", "valid_from": "2026-01-01", "valid_to": ""} for n in (1, 2)],
        "shifts": several(2, 8, officer=one_of(IDS), days=one_of(DAYS), hours=one_of(HOURS)),
        "leave": several(
            0, 4, officer=one_of(IDS), days=one_of(DAYS), hours=one_of((*HOURS, "")), stand_in=one_of((*IDS, ""))
        ),
    }  # fmt: skip


def written(rows: dict[str, Rows]) -> Team:
    dates = "{valid_from},{valid_to}"
    leave = [row | {"stand_in": "" if row["stand_in"] == row["officer"] else row["stand_in"]} for row in rows["leave"]]
    forms = {
        "officers": [("{id},周甲,{unit},handler,{classes}," + dates, rows["officers"])],
        "grids": [("{id},{officer},{area},{order}," + dates + ",", rows["grids"])],
        "industry": [("{id},园林,片,{area},{share}," + dates, rows["industry"])],
        "roster": [
            ("S{id},{officer},shift,{days},{hours},," + dates + ",", rows["shifts"]),
            ("L{id},{officer},leave,{days},{hours},{stand_in}," + dates + ",", leave),
        ],
    }
    texts = {
        name: "".join(form.format(**row) + "\n" for form, ones in parts for row in ones)
        for name, parts in forms.items()
    }
    loaded, findings = team(**texts)
    assert [one for one in findings if one.severity == "error"] == []
    return loaded


def in_force(row: dict[str, str], day: str) -> bool:
    return row["valid_from"] <= day <= (row["valid_to"] or "9999-12-31")


def on_that_day(row: dict[str, str], day: datetime) -> bool:
    rule = row["days"]
    if not in_force(row, f"{day:%Y-%m-%d}"):
        return False
    if rule == "2 of 3":
        return (day.replace(tzinfo=None) - datetime.fromisoformat(row["valid_from"])).days % 3 == 1
    working = CALENDAR.is_working(day.replace(hour=9))
    weekday = f"{day:%a}".lower()
    return {
        "every": True, "working": working, "off": not working, "mon-fri": weekday not in ("sat", "sun"),
        "sat|sun": weekday in ("sat", "sun"), "fri-mon": weekday in ("fri", "sat", "sun", "mon"),
    }[rule]  # fmt: skip


def covers(row: dict[str, str], moment: datetime) -> bool:
    """Every window of today and yesterday, as two instants."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if row["hours"] == "working":
        return on_that_day(row, midnight) and CALENDAR.is_working(moment)
    for day in (midnight, midnight - timedelta(days=1)):
        for window in (row["hours"] or "00:00-24:00").split("|") if on_that_day(row, day) else ():
            (h1, m1), (h2, m2) = (map(int, end.split(":")) for end in window.split("-"))
            start, end = day + timedelta(hours=h1, minutes=m1), day + timedelta(hours=h2, minutes=m2)
            if start <= moment < (end if end > start else end + timedelta(days=1)):
                return True
    return False


def specific(pattern: str) -> int:
    """Any, a kind, a major, one class."""
    return 0 if pattern == "*" else 3 if "*" not in pattern else 2 if pattern.endswith("-*") else 1


def brute(rows: dict[str, Rows], where: str, code: ClassCode, moment: datetime) -> list[tuple[str, str, str]]:
    """(officer, stands in for, row) in order, by looking at every row of every table."""
    day = f"{moment:%Y-%m-%d}"
    officers = {row["id"]: row for row in rows["officers"]}

    def away(one: str) -> bool:
        return any(row["officer"] == one and covers(row, moment) for row in rows["leave"])

    def wanted(one: str) -> bool:
        shifts = [row for row in rows["shifts"] if row["officer"] == one]
        return any(covers(row, moment) for row in shifts) if shifts else CALENDAR.is_working(moment)

    found = []
    for row in rows["grids"]:
        officer = officers[row["officer"]]
        parts = [(p["area"], p["share"]) for p in rows["industry"] if p["id"] == row["area"] and in_force(p, day)]
        parts = parts if row["area"].startswith("IG") else [(row["area"], "")]
        for area, share in parts if in_force(row, day) and in_force(officer, day) else ():
            fits = [p for p in officer["classes"].split("|") if str(code).startswith(p.removesuffix("*"))]
            for pattern in fits if area == "*" or where.startswith(area) else ():
                size = 0 if area == "*" else len(area)
                found.append(
                    ((-specific(pattern), int(row["order"]), -size, -float(share or 1), row["officer"], row["id"]), row)
                )
    said: list[tuple[str, str, str]] = []
    seen = set()
    for _, row in sorted(found, key=lambda one: one[0]):
        one = row["officer"]
        answer = None
        if wanted(one) and not away(one):
            answer = (one, "", row["id"])
        elif wanted(one):
            for leave in (x for x in rows["leave"] if x["officer"] == one and covers(x, moment)):
                other = leave["stand_in"] if leave["stand_in"] != one else ""
                if other and not away(other) and in_force(officers[other], day):
                    answer = (other, one, row["id"])
                    break
        if answer and (answer[0], officers[one]["unit"]) not in seen:
            seen.add((answer[0], officers[one]["unit"]))
            said.append(answer)
    return said


MOMENTS = st.builds(
    lambda day, minute: datetime(2026, 9, 26, tzinfo=SHANGHAI) + timedelta(days=day, minutes=minute),
    st.integers(0, 16),
    st.one_of(st.integers(0, 1439), st.sampled_from((0, 30, 360, 479, 480, 720, 1200, 1410, 1439))),
)


@settings(max_examples=150, deadline=None)
@given(
    tables(),
    st.sampled_from((GRID, OTHER, FAR, "340202016")),
    st.sampled_from((STALL, SHOP, TREE)),
    st.lists(MOMENTS, min_size=4, max_size=8),
)
def test_the_index_says_what_reading_every_row_says(
    rows: dict[str, Rows], where: str, code: ClassCode, moments: list[datetime]
) -> None:  # fmt: skip
    crew = written(rows)

    for moment in moments:
        duties = crew.on_duty(where, code, moment)
        assert [(d.officer.id, d.stands_in_for, d.row) for d in duties] == brute(rows, where, code, moment)
        answer = crew.asked(where, code, moment)
        assert answer.on == duties
        assert bool(answer.nobody) is not bool(duties)
        for unit in ("urban", "street"):
            assert crew.officer_for(unit, where, code, moment) == next((d for d in duties if d.unit == unit), None)
