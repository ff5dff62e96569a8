"""The example city is read by the hub's own loaders without a finding, and answers as an official would."""

from datetime import date, datetime
from pathlib import Path

import pytest
import yaml

from assessment.calendar_file import load_calendar
from canonical.codes import ClassCode
from canonical.findings import Finding, Severity
from canonical.place import Coordinate, PlaceMethod
from canonical.report import Report, Urgency
from canonical.time import SHANGHAI, Limit, LimitUnit
from gateway.configuration import read
from routing.catalogue import Catalogue, load_catalogue
from routing.divisions import Divisions, load_divisions
from routing.grid_sets import load_registry
from routing.grids import load_districts
from routing.locate import Locator
from routing.responsibility import Match, ResponsibilityList, load_responsibility
from routing.responsibility_review import review
from routing.units import load_units

DAY = date(2026, 11, 21)
NIGHT = datetime(2026, 11, 21, 23, 10, tzinfo=SHANGHAI)


@pytest.fixture(scope="module")
def divisions(city: Path) -> Divisions:
    findings: list[Finding] = []
    loaded = load_divisions(city / "divisions.csv", findings)
    assert findings == []
    return loaded


@pytest.fixture(scope="module")
def catalogue(city: Path) -> Catalogue:
    findings: list[Finding] = []
    loaded = load_catalogue(city / "catalogue", findings)
    assert findings == []
    return loaded


@pytest.fixture(scope="module")
def responsibility(city: Path, divisions: Divisions) -> ResponsibilityList:
    findings: list[Finding] = []
    systems = yaml.safe_load((city / "systems.yaml").read_text(encoding="utf-8"))
    units = load_units(city / "units.csv", divisions, set(systems), findings, {"duty"})
    loaded = load_responsibility(city / "responsibility.csv", units, divisions, findings)
    assert findings == []
    return loaded


@pytest.fixture(scope="module")
def locator(city: Path, divisions: Divisions) -> Locator:
    findings: list[Finding] = []
    registry = load_registry(city / "grids" / "sets.csv", divisions, findings)
    districts = load_districts(city / "grids" / "districts.geojson", divisions, findings)
    assert findings == []
    return Locator(divisions, registry, districts, "3402")


def test_the_responsibility_list_as_a_whole_has_no_conflict_and_no_gap(
    responsibility: ResponsibilityList, catalogue: Catalogue, divisions: Divisions
) -> None:
    assert review(responsibility, catalogue, divisions) == []


def test_the_calendar_loads_with_the_citys_windows_and_counts(city: Path) -> None:
    settings = yaml.safe_load((city / "city.yaml").read_text(encoding="utf-8"))["calendar"]
    findings: list[Finding] = []
    calendar = load_calendar(city / settings["file"], settings["windows"], findings, work_day=settings["work_day"])
    due = calendar.due(datetime(2026, 9, 30, 10, tzinfo=SHANGHAI), Limit(value=5, unit=LimitUnit.WORK_DAY))
    gap = calendar.due(datetime(2026, 10, 10, 12, 30, tzinfo=SHANGHAI), Limit(value=4, unit=LimitUnit.WORK_HOUR))

    assert findings == []
    assert due.at == datetime(2026, 10, 13, 10, tzinfo=SHANGHAI)
    assert gap.at == datetime(2026, 10, 10, 18, tzinfo=SHANGHAI)


def test_files_named_by_the_city_are_there(city: Path) -> None:
    settings = yaml.safe_load((city / "city.yaml").read_text(encoding="utf-8"))
    sections = settings["calendar"], settings["responsibility"], settings
    names = [value for section in sections for value in section.values() if str(value).endswith((".csv", "json", "ml"))]
    names += [f"{settings['catalogue']['folder']}/{name}.csv" for name in ("classes", "standards")]

    assert len(names) == 16
    assert [name for name in names if not (city / name).is_file()] == []


def test_a_position_as_a_platform_gives_it_lies_in_a_grid_of_the_inner_city(locator: Locator) -> None:
    given = Coordinate(x=118.3816, y=31.3323, crs="GCJ-02")
    [place] = locator.locate([Report(coordinate=given)], DAY)

    assert place.method is PlaceMethod.COORDINATE
    assert place.county == "340202"
    assert place.grid is not None


@pytest.mark.parametrize(
    ("address", "area"),
    [
        ("芜湖市镜湖区赭山街道凤凰山社区北门", "340202016003"),
        ("弋江区马塘街道", "340209002"),
        ("无为市无城镇", "340281100"),
        ("芜湖市湾沚区", "340210"),
    ],
)
def test_an_address_that_names_a_division_lies_there(locator: Locator, address: str, area: str) -> None:
    [place] = locator.locate([Report(address=address)], DAY)

    assert place.area == area


@pytest.mark.parametrize(
    ("code", "text", "limit"),
    [
        ("30428.2:P01-03", "小区门口的雨水井盖不见了，晚上很危险", "2 urgent_work_hour"),
        ("30428.2:P01-03", "雨水井盖被压碎了一角", "4 work_hour"),
        ("30428.2:P01-02", "井盖车一过就有很大响声，井盖松动", "2 work_day"),
        ("30428.2:P01-37", "路灯连续三天不亮，晚上很黑", "2 work_day"),
        ("30428.2:P01-37", "路灯杆被车撞歪，快倒了", "1 work_day"),
        ("30428.2:P01-37", "路灯白天常亮，浪费电", "2 work_hour"),
        ("30428.2:E01-01", "楼顶违建已经建成半年", "15 work_day"),
        ("30428.2:E01-01", "楼下正在施工搭建彩钢棚", "2 urgent_work_day"),
        ("30428.2:E05-03", "下水道堵了，污水溢到路上", "4 work_hour"),
        ("30428.2:P04-02", "行道树被风刮倒，树枝折断压住车", "1 work_day"),
        ("30428.2:P03-05", "广场南侧请派人看看", "3 work_day"),
        ("local:E90-03", "电梯困人，有老人被关在里面", "1 urgent_work_hour"),
    ],
)
def test_the_words_of_a_report_choose_the_standard_row(catalogue: Catalogue, code: str, text: str, limit: str) -> None:
    standard, _ = catalogue.standard_for(ClassCode.parse(code), text, Urgency.NORMAL)

    assert f"{standard.limit.value} {standard.limit.unit}" == limit


def test_a_burst_pipe_at_night_goes_to_the_duty_office_and_after_its_return_to_the_water_company(
    responsibility: ResponsibilityList,
) -> None:
    code = ClassCode.parse("30428.2:E05-01")
    first = responsibility.match(code, "340202016003001", NIGHT, working=False)
    assert isinstance(first, Match)
    second = responsibility.match(code, "340202016003001", NIGHT, working=False, exclude={"3402-duty"})
    assert isinstance(second, Match)

    assert (first.unit, second.unit) == ("3402-duty", "3402-supply")


def test_every_officer_of_a_unit_that_gets_work_is_found_for_it(city: Path, responsibility: ResponsibilityList) -> None:
    configuration, findings = read(city, {}, unset=Severity.WARNING)
    assert configuration is not None
    team = configuration.city.team
    assert team is not None
    assert [one for one in findings if one.file.startswith("team/")] == []
    noon = datetime(2026, 11, 20, 10, tzinfo=SHANGHAI)
    codes = [entry.code for entry in configuration.city.catalogue.classes.values()]
    asked = [
        (code, found.unit, grid)
        for grid in ("340202016003003", "340207003001001", "340281100001001")
        for code in codes
        if isinstance(found := responsibility.match(code, grid, noon, working=True), Match) and found.unit != "centre"
    ]

    nobody = {(unit, str(code)) for code, unit, grid in asked if team.officer_for(unit, grid, code, noon) is None}
    assert len(asked) > 100
    assert nobody == set()
