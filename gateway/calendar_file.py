"""`calendar:` and `calendars:` of city.yaml: the city's working time, and that of units which keep other hours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from assessment.calendar import Calendar
from assessment.calendar_file import Published, read_days, timed
from assessment.timetable import Dated
from canonical.findings import Finding
from canonical.organisation import Unit


class SeasonFile(BaseModel):
    """Windows from a day on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: str = Field(alias="from", description='"05-01": from this day of every year; "2026-05-01": from that day on')
    windows: list[str] = Field(description="service windows from then on")


Windows = list[str | SeasonFile]
_WINDOWS = (
    'service windows of a working day, such as "08:00-12:00"; entries `{from: "05-01", windows: [...]}` are the '
    "windows from a day of every year, or from one date, on"
)


class CalendarFile(BaseModel):
    """Working time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(description="CSV of published off days and make-up work days")
    local: str = Field(default="", description="CSV of local days off and work days, which go before the published")
    windows: Windows = Field(description=_WINDOWS)
    work_day: Literal["hours", "end_of_day"] = Field(
        default="hours", description="hours: n x daily hours; end_of_day: end of the n-th working day"
    )


class NamedCalendarFile(BaseModel):
    """Working time of units that name it in units.csv; what it leaves out is as in `calendar`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: Literal["working", "every"] = Field(
        default="working", description="every: on duty every day, whatever the holidays; nothing is provisional then"
    )
    local: str | None = Field(
        default=None,
        description="CSV of local days of these units; default: as in `calendar.local`, and none with `every`",
    )
    windows: Windows | None = Field(default=None, description="as in `calendar.windows`")
    work_day: Literal["hours", "end_of_day"] | None = Field(default=None, description="as in `calendar.work_day`")


def read_calendars(
    folder: Path, file: CalendarFile, named: Mapping[str, NamedCalendarFile], findings: list[Finding]
) -> tuple[Calendar, dict[str, Calendar]]:
    """The city's calendar, and the named ones. What is wrong goes to `findings`."""
    published = read_days(folder / file.file, findings)
    city = _read(folder, NamedCalendarFile(), file, published, findings, "calendar")
    others = {
        name: _read(folder, one, file, published, findings, f"calendars.{name}") for name, one in named.items()
    }  # fmt: skip
    return city, others


def _read(
    folder: Path, own: NamedCalendarFile, city: CalendarFile, published: Published, findings: list[Finding], key: str
) -> Calendar:  # fmt: skip
    inherited = "" if own.days == "every" else city.local
    local = inherited if own.local is None else own.local
    windows: list[str | Dated] = [
        one if isinstance(one, str) else one.model_dump(by_alias=True) for one in own.windows or city.windows
    ]
    return timed(
        published, windows, findings, work_day=own.work_day or city.work_day, week=own.days, key=key,
        local=folder / local if local else None,
    )  # fmt: skip


def of_units(units: Mapping[str, Unit], calendars: Mapping[str, Calendar]) -> dict[str, Calendar]:
    """The calendar of each unit that has one of its own, or stands under one that has."""
    found: dict[str, Calendar] = {}
    for unit in units.values():
        one: Unit | None = unit
        while one is not None and not one.calendar:
            one = units.get(one.parent) if one.parent else None
        if one is not None and one.calendar in calendars:
            found[unit.id] = calendars[one.calendar]
    return found
