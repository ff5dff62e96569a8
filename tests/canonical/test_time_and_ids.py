"""Instants are aware and Chinese; identifiers lie in the order of their making."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from canonical.ids import new_id
from canonical.time import SHANGHAI, Due, Instant, Limit, LimitUnit

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
NOON = datetime(2026, 5, 20, 12, tzinfo=SHANGHAI)
EIGHT = timedelta(hours=8)


@given(st.datetimes(datetime(1992, 1, 1), datetime(9999, 12, 30), timezones=st.timezones()))  # noqa: DTZ001
def test_an_instant_of_any_zone_is_kept_the_same_and_shown_in_shanghai(at: datetime) -> None:
    kept = INSTANT.validate_python(at)

    assert kept.timestamp() == at.timestamp()
    assert kept.utcoffset() == EIGHT


def test_the_offset_stands_in_the_json() -> None:
    assert Due(at=datetime(2026, 5, 20, 4, tzinfo=UTC)).model_dump_json(exclude_defaults=True) == (
        '{"at":"2026-05-20T12:00:00+08:00"}'
    )


@pytest.mark.parametrize("naive", [datetime(2026, 5, 20, 12), "2026-05-20T12:00:00", "2026-05-20"])  # noqa: DTZ001
def test_a_naive_time_is_an_error(naive: object) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(naive)


@pytest.mark.parametrize(
    "end",
    [datetime(9999, 12, 31, 23, tzinfo=UTC), datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9)))],
    ids=str,
)
def test_the_ends_of_time_are_an_error_and_no_crash(end: datetime) -> None:
    with pytest.raises(ValidationError, match="between the years 1 and 9999"):
        INSTANT.validate_python(end)


@pytest.mark.parametrize("year", [1, 1900, 1901])
def test_a_nonsense_year_comes_back_from_json_to_the_second(year: int) -> None:
    at = INSTANT.validate_python(datetime(year, 6, 1, tzinfo=UTC))

    assert INSTANT.validate_json(INSTANT.dump_json(at)) == at


@pytest.mark.parametrize("value", [-1, 100_001])
def test_a_limit_is_neither_negative_nor_endless(value: int) -> None:
    with pytest.raises(ValidationError):
        Limit(value=value, unit=LimitUnit.WORK_DAY)


@given(st.lists(st.integers(-(10**9), 10**12), min_size=2, max_size=20, unique=True))
def test_identifiers_of_later_microseconds_are_greater(microseconds: list[int]) -> None:
    moments = [NOON + timedelta(microseconds=one) for one in sorted(microseconds)]
    made = [new_id(at) for at in moments]

    assert made == sorted(made)


def test_an_identifier_is_a_uuid_of_version_7_that_carries_its_moment() -> None:
    made = new_id(NOON)

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(NOON.timestamp() * 1000)


def test_identifiers_of_one_millisecond_differ() -> None:
    assert len({new_id(NOON) for _ in range(10_000)}) == 10_000
