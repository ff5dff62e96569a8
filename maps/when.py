"""Times as map clients write them, as intervals: a day of Shanghai, a month, an instant's day, from one to another."""

import re
from datetime import UTC, date, datetime, timedelta

from canonical.time import SHANGHAI
from maps.atlas import Interval

_YEAR, _MONTH, _DAY = re.compile(r"\d{4}"), re.compile(r"\d{4}-\d{2}"), re.compile(r"\d{4}-\d{2}-\d{2}")
_ONE_DAY = timedelta(days=1)
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=SHANGHAI), datetime(2199, 12, 31, tzinfo=SHANGHAI)


def interval(text: str, now: datetime) -> Interval | None:
    """The interval, open at its end; None for `current` or nothing: what is true now.

    `2026`, `2026-03`, `2026-03-16`, `2026-03-16T08:00:00Z` (its day), `a/b` and `a/b/P1D` (both ends as above, `..` or
    nothing for an open end, `present` or `current` for now). Of a list the first counts. Raises ValueError.
    """
    text = text.split(",", maxsplit=1)[0].strip()
    if text.lower() in ("", "current", "present", "now"):
        return None
    parts = text.split("/")
    if len(parts) == 1:
        return _span(text, now)
    if len(parts) > _INTERVAL_PARTS:
        raise ValueError(text)
    begin = _EARLIEST if parts[0] in ("", "..") else _span(parts[0], now)[0]
    end = _LATEST if parts[1] in ("", "..") else _end(parts[1], now)
    if end <= begin:
        raise ValueError(text)
    return begin, end


_INTERVAL_PARTS = 3


def _end(text: str, now: datetime) -> datetime:
    """Of an instant itself, of a day its end."""
    if "T" in text:
        return min(_instant(text) + timedelta(seconds=1), _LATEST)
    return _span(text, now)[1]


def _span(text: str, now: datetime) -> Interval:
    if text.lower() in ("current", "present", "now"):
        return now, now + timedelta(seconds=1)
    if _DAY.fullmatch(text):
        begin = _midnight(date.fromisoformat(text))
        return begin, begin + _ONE_DAY
    if _MONTH.fullmatch(text):
        year, month = int(text[:4]), int(text[5:])
        following = (year + month // 12, month % 12 + 1)
        return _midnight(date(year, month, 1)), _midnight(date(*following, 1))
    if _YEAR.fullmatch(text):
        return _midnight(date(int(text), 1, 1)), _midnight(date(int(text) + 1, 1, 1))
    begin = _midnight(_instant(text).astimezone(SHANGHAI).date())
    return begin, begin + _ONE_DAY


def _midnight(day: date) -> datetime:
    at = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError(f"{day} is too far away")
    return at


def _instant(text: str) -> datetime:
    """Without a zone it is UTC, as OGC services say."""
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not _EARLIEST.replace(tzinfo=None) <= at.replace(tzinfo=None) <= _LATEST.replace(tzinfo=None):
        raise ValueError(f"{text} is too far away")
    return at
