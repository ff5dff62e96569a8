"""Times where they leave us or come back: one zone whatever they went through, and how long to wait."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from adapters import System
from adapters.around import Around
from adapters.time_pattern import time_pattern
from canonical.errors import Unavailable
from canonical.message import Message
from canonical.time import SHANGHAI
from tests.adapters.systems import FOLDERS, loaded

AT = datetime(2026, 5, 20, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize("zone", [UTC, SHANGHAI, ZoneInfo("America/New_York")], ids=str)
def test_the_time_of_arrival_is_written_alike_at_the_first_reading_and_at_a_replay(zone: ZoneInfo) -> None:
    message = Message(system="s", body=b"", at=AT.astimezone(zone), id=UUID(int=1))

    at = Around(message, None).members(frozenset({"$at"}))["$at"]

    assert (at.isoformat(), at.tzinfo) == ("2026-05-20T09:00:00+08:00", SHANGHAI)


@pytest.mark.parametrize(
    ("zone", "written"),
    [("UTC", "2026-05-20T01:00:00+00:00"), ("Asia/Shanghai", "2026-05-20T09:00:00+08:00"),
     ("America/New_York", "2026-05-19T21:00:00-04:00")],
)  # fmt: skip
@pytest.mark.parametrize("given", [UTC, SHANGHAI], ids=str)
def test_iso_is_written_in_the_declared_zone_whatever_zone_the_value_has(
    zone: str, written: str, given: ZoneInfo
) -> None:
    assert time_pattern("iso", ZoneInfo(zone)).write(AT.astimezone(given)) == written


DATE = "Wed, 20 May 2026 01:00:00 GMT"
"""AT, as their clock writes it when it is right."""
WAITS = {
    "seconds": ({"retry-after": "30"}, 30), "with spaces": ({"retry-after": " 30 "}, 30),
    "for days": ({"retry-after": "864000"}, 3600), "for ever": ({"retry-after": "9" * 400}, 3600),
    "an instant": ({"retry-after": "Wed, 20 May 2026 01:02:00 GMT"}, 120),
    "an instant of another zone": ({"retry-after": "Wed, 20 May 2026 09:02:00 +0800"}, 120),
    "an instant by a clock that is wrong": (
        {"retry-after": "Wed, 20 May 2026 03:02:00 GMT", "date": "Wed, 20 May 2026 03:00:00 GMT"}, 120,
    ),
    "an instant in the far future": ({"retry-after": "Wed, 20 May 2099 01:00:00 GMT", "date": DATE}, 3600),
    "an instant that is over": ({"retry-after": "Wed, 20 May 2026 00:00:00 GMT"}, None),
    "nonsense": ({"retry-after": "soon"}, None), "nonsense in figures": ({"retry-after": "\u0664"}, None),
    "nonsense dates": ({"retry-after": "Wed, 99 May 2026 01:02:00 GMT"}, None),
    "negative": ({"retry-after": "-5"}, None), "nothing": ({}, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def hotline() -> System:
    return loaded(next(one for one in FOLDERS if one.name == "hotline_12345"), token="DEMO-CNS-TOKEN")


@pytest.mark.parametrize(("headers", "seconds"), WAITS.values(), ids=WAITS)
def test_how_long_they_want_to_be_left_alone_is_heard_as_seconds_and_as_an_instant_up_to_an_hour(
    hotline: System, headers: dict[str, str], seconds: float | None
) -> None:
    busy = Message(system="s", body=b"busy", at=AT, id=UUID(int=1), status=503, headers=headers)

    with pytest.raises(Unavailable) as unavailable:
        hotline.judge("sign", busy)

    assert unavailable.value.retry_after == seconds
