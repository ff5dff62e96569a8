"""A city's calendars as its folder says them: seasons, local days, units that keep other hours."""

import csv
import shutil
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from canonical.findings import Severity
from canonical.time import SHANGHAI, Limit, LimitUnit
from gateway.configuration import Configuration, read

CITY = Path(__file__).parents[2] / "config"
WORK_HOUR = Limit(value=1, unit=LimitUnit.WORK_HOUR)


def changed(folder: Path, **said: object) -> tuple[Configuration, list[str]]:
    """The example city with these keys of city.yaml set, its errors, and warnings about calendars."""
    path = folder / "city.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in said.items():
        document[key] = {**document[key], **value} if isinstance(value, dict) and key in document else value
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    configuration, findings = read(folder, {}, unset=Severity.WARNING)
    assert configuration is not None
    told = [str(one) for one in findings if one.severity is Severity.ERROR or "local.csv" in one.file]
    return configuration, told


@pytest.fixture
def city(tmp_path: Path) -> Path:
    folder = tmp_path / "city"
    shutil.copytree(CITY, folder)
    return folder


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_a_unit_keeps_the_hours_of_its_calendar_and_so_do_those_under_it(city: Path) -> None:
    units = city / "units.csv"
    rows = list(csv.DictReader(line for line in units.read_text("utf-8").splitlines() if not line.startswith("#")))
    for row in rows:
        row["calendar"] = "duty" if row["id"] == "3402-drainage" else ""
    pumps = {"id": "3402-pumps", "name": "泵站", "level": "city", "area": "3402", "parent": "3402-drainage"}
    with units.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), restval="")
        table.writeheader()
        table.writerows([*rows, pumps])

    configuration, told = changed(city, calendars={"duty": {"days": "every", "windows": ["00:00-24:00"]}})

    assert told == []
    holiday = at("2026-10-03 23:30")
    due = {
        unit: configuration.city.working_time(unit).due(holiday, WORK_HOUR).at for unit in ("3402-pumps", "3402-urban")
    }
    assert due == {"3402-pumps": at("2026-10-04 00:30"), "3402-urban": at("2026-10-08 09:00")}


def test_seasons_and_local_days_change_the_working_time(city: Path) -> None:
    (city / "local.csv").write_text(
        "date,day_type,name,source\n2026-11-23/2026-11-24,off,庙会,区政府〔2026〕3号\n2026-11-28,work,补班,区政府〔2026〕3号\n",
        encoding="utf-8",
    )
    summer = {"from": "05-01", "windows": ["08:00-12:00", "15:00-18:00"]}
    winter = {"from": "10-01", "windows": ["08:00-12:00", "14:00-18:00"]}

    configuration, told = changed(city, calendar={"local": "local.csv", "windows": [summer, winter]})

    working = configuration.city.calendar.is_working
    assert told == []
    assert [working(at(f"{day} 09:00")) for day in ("2026-11-24", "2026-11-25", "2026-11-28")] == [False, True, True]
    assert [working(at(f"2026-{day} 14:30")) for day in ("04-30", "05-06")] == [True, False]


def test_what_is_wrong_is_told_where_it_stands(city: Path) -> None:
    (city / "local.csv").write_text(
        "date,day_type,name,source\n2026-10-01,off,国庆,某号\n2026-11-24/2026-11-23,off,庙会,某号\n2026-11-25,off,庙会,\n",
        encoding="utf-8",
    )
    _, told = changed(
        city,
        calendar={"local": "local.csv", "windows": [{"from": "02-30", "windows": ["08:00-12:00"]}]},
        calendars={"night": {"windows": ["22:00-06:00"]}, "summer": {"windows": [{"from": "06-01", "windows": []}]}},
    )

    said = "\n".join(told)
    for words in (
        "local.csv:2: warning: date: 2026-10-01 is off by the notice already",
        "local.csv:3: error: date: '2026-11-24/2026-11-23' ends before it begins",
        "local.csv:4: error: source: 2026-11-25: which order makes this a local day?",
        "calendar.windows: '02-30' is no beginning: write 05-01 for every year, or 2026-05-01",
        "calendars.summer.windows: one season alone never ends",
        "calendars.night.windows: '22:00-06:00' is not a service window of one day",
    ):
        assert words in said, said
