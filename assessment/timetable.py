"""Service windows 服务时段 of a day, and from which day on they hold: summer and winter hours, or a changed rule."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from canonical.findings import Finding

MINUTE = 60_000_000
"""Microseconds. Everything inside a day is counted in whole microseconds since midnight."""
DAY = 24 * 60 * MINUTE


@dataclass(frozen=True, slots=True)
class Window:
    """A service window of a working day: microseconds since midnight, the start inside it, the end not."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """In microseconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Timetable:
    """The windows of one day, in order, without overlap, at least one; what they sum up to, laid out once."""

    windows: tuple[Window, ...]
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _before: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        before = [0]
        for window in self.windows:
            before.append(before[-1] + window.length)
        object.__setattr__(self, "_starts", tuple(window.start for window in self.windows))
        object.__setattr__(self, "_before", tuple(before))

    @property
    def length(self) -> int:
        """The service day, in microseconds."""
        return self._before[-1]

    @property
    def end(self) -> int:
        """When the last window ends."""
        return self.windows[-1].end

    def worked(self, moment: int) -> int:
        """Working time from midnight to `moment`."""
        index = bisect_right(self._starts, moment) - 1
        if index < 0:
            return 0
        window = self.windows[index]
        return self._before[index] + min(moment, window.end) - window.start

    def reached(self, working: int) -> int:
        """The moment at which `working` (> 0, at most `length`) has been worked; the end of a window, not the next."""
        index = bisect_right(self._before, working - 1) - 1
        return self.windows[index].start + working - self._before[index]

    def holds(self, moment: int) -> bool:
        """True inside a window."""
        index = bisect_right(self._starts, moment) - 1
        return index >= 0 and moment < self.windows[index].end

    def __str__(self) -> str:
        return " ".join(f"{_written(window.start)}-{_written(window.end)}" for window in self.windows)


DEFAULT = Timetable((Window(8 * 60 * MINUTE, 12 * 60 * MINUTE), Window(14 * 60 * MINUTE, 18 * 60 * MINUTE)))
ALWAYS = "00:00-24:00"

Begin = date | tuple[int, int]
"""From when a timetable holds: one day, or a (month, day) of every year."""


@dataclass(frozen=True, slots=True)
class Timetables:
    """The timetables of all days. The one that began last holds."""

    first: Timetable
    """What holds before the first that begins on a day."""
    later: Mapping[Begin, Timetable] = field(default_factory=dict)

    def beginning(self, day: date) -> Timetable | None:
        """The timetable that begins on this day. A full date goes before a day of every year."""
        return self.later.get(day) or self.later.get((day.month, day.day))

    def before(self, day: date) -> Timetable:
        """The one in force on the day before `day`."""
        begun = [
            (begin if isinstance(begin, date) else _latest(begin, day), isinstance(begin, date), table)
            for begin, table in self.later.items()
        ]
        begun = [one for one in begun if one[0] < day]
        return max(begun, key=lambda one: one[:2])[2] if begun else self.first

    def __str__(self) -> str:
        named = {
            begin if isinstance(begin, date) else "{:02}-{:02}".format(*begin): t for begin, t in self.later.items()
        }
        return "; ".join([str(self.first), *(f"{begin}: {named[begin]}" for begin in sorted(named, key=str))])


def _latest(begin: tuple[int, int], day: date) -> date:
    """The last time that this day of the year came before `day`."""
    year = day.year if begin < (day.month, day.day) else day.year - 1
    return date(year, *begin)


def _said(begin: Begin) -> str:
    return str(begin) if isinstance(begin, date) else "{:02}-{:02}".format(*begin)


def _written(moment: int) -> str:
    hours, minutes = divmod(moment // MINUTE, 60)
    return f"{hours:02}:{minutes:02}"


Dated = Mapping[str, object]
"""As written in city.yaml: `from`, a date or a day of every year, and `windows`."""


def read_timetables(said: Sequence[str | Dated], key: str, findings: list[Finding]) -> Timetables:
    """`["08:00-12:00", ...]`, or one such list for each season: `{from: "05-01", windows: [...]}`.

    What is wrong goes to `findings`; without a usable window the default windows stand in.
    """
    plain = [one for one in said if isinstance(one, str)]
    later: dict[Begin, Timetable] = {}
    for one in said:
        if isinstance(one, str):
            continue
        begin = _begin(str(one.get("from", "")))
        windows = one.get("windows")
        if begin is None or not isinstance(windows, Sequence):
            text = f"'{one.get('from', '')}' is no beginning: write 05-01 for every year, or 2026-05-01"
            findings.append(Finding("city.yaml", 0, key, text))
        elif begin in later:
            findings.append(Finding("city.yaml", 0, key, f"two timetables begin on {one['from']}"))
        else:
            later[begin] = _timetable([str(window) for window in windows], key, findings)
    if sum(not isinstance(begin, date) for begin in later) == 1:
        text = "one season alone never ends: say from which day on the other windows hold again"
        findings.append(Finding("city.yaml", 0, key, text))
    if plain or not later:
        return Timetables(_timetable(plain, key, findings), later)
    return Timetables(_first(later), later)


def _first(later: Mapping[Begin, Timetable]) -> Timetable:
    """Before the first full date: the season of every year that ends the year, or the earliest there is."""
    seasons = [begin for begin in later if not isinstance(begin, date)]
    if seasons:
        return later[max(seasons)]
    return later[min(begin for begin in later if isinstance(begin, date))]


def _begin(text: str) -> Begin | None:
    try:
        if re.fullmatch(r"\d\d-\d\d", text):
            day = date.fromisoformat(f"2001-{text}")  # no leap year: 02-29 does not come every year
            return day.month, day.day
        return date.fromisoformat(text)
    except ValueError:
        return None


_WINDOW = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def _timetable(texts: Sequence[str], key: str, findings: list[Finding]) -> Timetable:
    def wrong(text: str) -> None:
        findings.append(Finding("city.yaml", 0, key, text))

    windows = []
    for text in texts:
        window = _window(text)
        if window is None:
            wrong(f"'{text}' is not a service window of one day: write 08:00-12:00")
        else:
            windows.append(window)
    windows.sort(key=lambda window: window.start)
    if any(later.start < earlier.end for earlier, later in pairwise(windows)):
        wrong("service windows overlap")
        return DEFAULT
    if not windows:
        wrong(f"no service window; {DEFAULT} stand in")
        return DEFAULT
    return Timetable(tuple(windows))


def _window(text: str) -> Window | None:
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        return None
    from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
    window = Window((from_hour * 60 + from_minute) * MINUTE, (to_hour * 60 + to_minute) * MINUTE)
    sound = from_minute < 60 and to_minute < 60 and window.start < window.end <= DAY
    return window if sound else None
