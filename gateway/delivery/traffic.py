"""What a system may be burdened with: places, a rate, pauses between attempts, and a breaker for when it is not there.

Pure; the clock is passed in.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

_LONGEST_DOUBLING = 20


@dataclass(frozen=True, slots=True)
class Retry:
    """How often one class of failure is tried again: the first pause, doubling to `ceiling`, until `end` is over."""

    first: timedelta = timedelta(seconds=1)
    ceiling: timedelta = timedelta(minutes=5)
    end: timedelta = timedelta(hours=24)
    """Counted from the first attempt; none at all where it is zero."""

    def pause(self, attempts: int, *, chance: float, asked: float | None = None) -> timedelta:
        """How long to wait after so many attempts, spread by `chance` (0..1), so that not all come back at once.

        `asked`: seconds the other side asked for.
        """
        grown: timedelta = min(self.first * 2 ** min(attempts - 1, _LONGEST_DOUBLING), self.ceiling)
        return max(timedelta(seconds=asked or 0.0), grown * (0.5 + chance / 2))


@dataclass(frozen=True, slots=True)
class Breaking:
    """When a breaker opens, and for how long: doubling with each probe that fails."""

    after: int = 5
    first: timedelta = timedelta(seconds=5)
    ceiling: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Traffic:
    """A system's rate over all workers, and its policies."""

    rate: float | None = None
    """Messages a second at most."""
    unavailable: Retry = Retry()
    """Certainly not taken."""
    in_doubt: Retry = Retry()
    breaking: Breaking = Breaking()


UNBOUNDED = Traffic()
"""No rate, and the usual patience."""


class Breaker:
    """Closed: everything goes. Open: nothing. Half open, when its pause is over: one probe."""

    def __init__(self, breaking: Breaking) -> None:
        self._breaking = breaking
        self._failures, self._opened = 0, 0
        self.until: datetime | None = None
        """Open, or half open once this time is over."""
        self._held: datetime | None = None

    def admits(self, places: int, in_hand: int, now: datetime) -> int:
        """How many more may be taken up, of so many free places."""
        if self._held is not None and now < self._held:
            return 0
        if self.until is None:
            return places
        return 0 if now < self.until else max(0, min(places, 1 - in_hand))

    def failed(self, now: datetime) -> bool:
        """It was not there, or did not answer. True when the breaker has opened by this."""
        self._failures += 1
        first_time = self.until is None and self._failures >= self._breaking.after
        probe = self.until is not None and now >= self.until
        if first_time or probe:
            grown = self._breaking.first * 2 ** min(self._opened, _LONGEST_DOUBLING)
            self.until = now + min(grown, self._breaking.ceiling)
            self._opened += 1
        return first_time

    def hold(self, until: datetime) -> None:
        """The other side asked us to wait: nothing more until then."""
        self._held = max(self._held or until, until)

    def succeeded(self) -> bool:
        """It answered. True when the breaker has closed by this."""
        was_open = self.until is not None
        self._failures, self._opened, self.until = 0, 0, None
        return was_open

    def state(self, now: datetime) -> str:
        """closed, held (as the other side asked), open or half_open."""
        if self._held is not None and now < self._held:
            return "held"
        if self.until is None:
            return "closed"
        return "open" if now < self.until else "half_open"


@dataclass(slots=True)
class Rate:
    """A bucket of so many messages a second; it never holds more than a second's."""

    per_second: float | None
    _level: float = field(default=1.0)
    _at: datetime | None = None

    def admits(self, places: int, now: datetime, share: float) -> int:
        """How many may be taken up now, of so many free places. `share`: this process's part of the rate, 0..1."""
        if self.per_second is None:
            return places
        rate = self.per_second * share
        passed = (now - self._at).total_seconds() if self._at else 0.0
        self._at = now
        self._level = min(max(1.0, rate), self._level + max(0.0, passed) * rate)
        return min(places, int(self._level))

    def took(self, number: int) -> None:
        """So many were taken up."""
        if self.per_second is not None:
            self._level -= number


@dataclass(frozen=True, slots=True)
class Share:
    """This process among those that deliver: the `index`-th of `count`."""

    index: int = 0
    count: int = 1

    def of(self, places: int, system: str) -> int:
        """Its part of the places of a system. All parts together are `places`; who gets what is left over changes from
        system to system.
        """
        turn = (self.index + sum(system.encode())) % self.count
        return places // self.count + (turn < places % self.count)

    def part(self, places: int, system: str) -> float:
        """Its part of a rate: as of the places, so that a process without a place has no rate either."""
        return self.of(places, system) / places if places else 0.0
