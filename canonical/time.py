"""Instants and limits. Aware datetimes only; Asia/Shanghai at the edges.

Units of a limit follow the trade (GB/T 30428.8-2020 as adopted by cities): an urgent hour runs by the wall clock, a
working hour and a working day run only inside service windows of working days.
"""

from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, Field, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from canonical.value import Value

SHANGHAI = ZoneInfo("Asia/Shanghai")


_FIRST_YEAR = 1902
"""Before, the zone database has local mean time, whose odd seconds no JSON offset can write."""
_BEFORE = timezone(timedelta(hours=8))


def in_shanghai(at: datetime) -> datetime:
    """The same instant in Shanghai time. Raises ValueError at the ends of what a datetime can hold."""
    if at.tzinfo is SHANGHAI:
        return at
    try:
        return at.astimezone(SHANGHAI if at.year >= _FIRST_YEAR else _BEFORE)
    except OverflowError:
        raise ValueError("an instant between the years 1 and 9999 is expected") from None


_InShanghai = Annotated[AwareDatetime, AfterValidator(in_shanghai)]
_checked = TypeAdapter(_InShanghai).validator.validate_python


def _instant(given: object) -> Any:  # noqa: ANN401
    if type(given) is datetime and given.tzinfo is SHANGHAI:
        return given
    return _checked(given)


class _SeenAtOnce:
    """What adapters read is right already, and telling so costs a quarter of validating it."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(
            json_schema=handler(source), python_schema=core_schema.no_info_plain_validator_function(_instant)
        )


Instant = Annotated[_InShanghai, _SeenAtOnce()]
"""An aware datetime, kept in Asia/Shanghai. A naive one is an error."""


class LimitUnit(StrEnum):
    """What one of a limit's units means to the clock."""

    MINUTE = "minute"
    """分钟, wall clock."""
    URGENT_WORK_HOUR = "urgent_work_hour"
    """紧急工作时: an hour of the wall clock, nights and holidays included."""
    WORK_HOUR = "work_hour"
    """工作时: an hour inside the service window of working days."""
    WORK_DAY = "work_day"
    """工作日: counts as many working hours as the calendar's service day has."""
    URGENT_WORK_DAY = "urgent_work_day"
    """紧急工作日: 24 hours of the wall clock."""
    CALENDAR_DAY = "calendar_day"
    """自然日: 24 hours of the wall clock."""


class Limit(Value):
    """A budget of time: `value` units, counted from an instant given elsewhere."""

    value: int = Field(ge=0, le=100_000)
    unit: LimitUnit


class Pause(Value):
    """A span in which a clock does not run 挂账."""

    since: Instant
    until: Instant | None = None
    """None: it has not ended yet."""


class Due(Value):
    """When a limit runs out."""

    at: Instant
    provisional: bool = False
    """True when the count crossed into a year whose calendar is not published; recomputed when it is."""
