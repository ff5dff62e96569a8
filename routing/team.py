"""Officers in grids: one grid with officers of several industries 一格多员, one officer in several grids 一员多格.

Who is on duty in a unit grid for a class, at an instant? First who has the more specific class, then by the order the
table gives, then the smaller area, then the larger share. Rows are indexed by class and area, so that an answer costs
a few look-ups. What contradicts itself or leaves a hole is found by `routing.team_review`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from canonical.codes import ClassCode
from canonical.organisation import Officer, Post
from canonical.tables import TableRow
from canonical.time import SHANGHAI
from routing.responsibility import ANY, ClassKey
from routing.roster import Roster

AREA_WIDTHS = (15, 12, 9, 6, 4)
_MOST = 20_000
"""Answers that are kept: a few megabytes."""
HANDS = frozenset({Post.GRID_OFFICER, Post.HANDLER})
"""Posts that do the work of a case which is given to their unit."""


@dataclass(frozen=True, slots=True)
class Term:
    """An officer as appointed: for which classes, and from when to when."""

    officer: Officer
    classes: tuple[ClassKey, ...]
    valid_from: date
    valid_to: date
    line: TableRow = field(repr=False, compare=False)

    def holds(self, day: date) -> bool:
        """True on that day."""
        return self.valid_from <= day <= self.valid_to


@dataclass(frozen=True, slots=True)
class Entry:
    """An officer has an area: a row of grids.csv, or what it means in one area of an industry grid."""

    row: str
    officer: Officer
    classes: tuple[ClassKey, ...]
    area: str
    """A unit grid, a division, or `*`."""
    order: int
    """1: the officer in charge 主责; 2 and so on: those who come after 备岗."""
    share: float
    """Of the area, by an industry grid; 1 without one."""
    industry_grid: str
    """Through which the officer has the area; empty: directly."""
    valid_from: date
    valid_to: date
    """Inclusive: the days on which row, officer and industry grid all hold."""
    line: TableRow = field(repr=False, compare=False)

    def holds(self, day: date) -> bool:
        """True on that day."""
        return self.valid_from <= day <= self.valid_to


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody who is on duty, and why."""

    officer: Officer
    unit: str
    """Whose work it is: of a stand-in, the unit of the officer stood in for."""
    order: int
    row: str
    why: str
    stands_in_for: str = ""


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody who has the grid for that class, and is not there."""

    officer: Officer
    row: str
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Who is on duty, in order; who is not; and in words why there is nobody, when there is nobody."""

    on: tuple[Duty, ...]
    off: tuple[Absence, ...]
    nobody: str = ""


@dataclass(frozen=True, slots=True)
class Team:
    """The officers of a city, indexed; immutable."""

    terms: Mapping[str, Term]
    entries: tuple[Entry, ...]
    roster: Roster
    files: Mapping[str, str]
    """How findings and reasons call the tables: `officers`, `grids`, `industry_grids`, `roster`."""
    _index: Mapping[ClassKey, Mapping[str, tuple[Entry, ...]]] = field(repr=False)
    _found: dict[tuple[str, ClassCode], tuple[Entry, ...]] = field(default_factory=dict, repr=False, compare=False)
    """What was asked lately: most cases come from the same grids, and are of the same classes."""

    def on_duty(self, where: str, class_code: ClassCode, at: datetime) -> tuple[Duty, ...]:
        """Who is on duty in a unit grid (or division) for a class, at an instant (aware), in order."""
        return tuple(one for one in self._asked(where, class_code, at) if isinstance(one, Duty))

    def asked(self, where: str, class_code: ClassCode, at: datetime) -> Answer:
        """The same with those who are not there, and why."""
        found = list(self._asked(where, class_code, at))
        on = tuple(one for one in found if isinstance(one, Duty))
        here = {one.officer.id for one in on}
        off: dict[str, Absence] = {}
        for one in found:
            if isinstance(one, Absence) and one.officer.id not in here:
                off.setdefault(one.officer.id, one)
        return Answer(on, tuple(off.values()), "" if on else self._nobody(where, class_code, at, len(off)))

    def officer_for(self, unit: str, where: str, class_code: ClassCode, at: datetime) -> Duty | None:
        """Whose hands the work of a unit falls into; None when none of its officers is on duty there for that."""
        for entry in self.candidates(where, class_code, at.astimezone(SHANGHAI).date()):
            if entry.officer.unit == unit:
                for one in self._here(entry, at):
                    if isinstance(one, Duty) and one.officer.post in HANDS:
                        return one
        return None

    def candidates(self, where: str, class_code: ClassCode, day: date) -> list[Entry]:
        """Who has the grid for the class on a day, on duty or not, in order."""
        key = where, class_code
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _MOST:
                self._found.clear()
            found = self._found[key] = self._ever(where, class_code)
        return [entry for entry in found if entry.holds(day)]

    def _ever(self, where: str, class_code: ClassCode) -> tuple[Entry, ...]:
        """Who has the grid for the class on any day, in order."""
        edition, kind, major = class_code.edition, class_code.kind, class_code.major
        areas = (*(where[:width] for width in AREA_WIDTHS if len(where) >= width), ANY)
        found: list[tuple[tuple[object, ...], Entry]] = []
        for key in ((edition, kind, major, class_code.minor), (edition, kind, major), (edition, kind), ()):
            by_area = self._index.get(key)
            for rank, area in enumerate(areas) if by_area else ():
                found += (
                    ((-len(key), entry.order, rank, -entry.share, entry.officer.id, entry.row), entry)
                    for entry in (by_area.get(area, ()) if by_area else ())
                )
        found.sort(key=lambda one: one[0])
        return tuple(entry for _, entry in found)

    def _asked(self, where: str, class_code: ClassCode, at: datetime) -> Iterator[Duty | Absence]:
        """Everybody who has it, in order; each officer on duty once for each unit."""
        seen: set[tuple[str, str]] = set()
        for entry in self.candidates(where, class_code, at.astimezone(SHANGHAI).date()):
            for one in self._here(entry, at):
                if isinstance(one, Absence):
                    yield one
                elif (one.officer.id, one.unit) not in seen:
                    seen.add((one.officer.id, one.unit))
                    yield one

    def _here(self, entry: Entry, at: datetime) -> Iterator[Duty | Absence]:
        """The officer of an entry; of one on leave in a shift, the first stand-in who is not away too."""
        officer, presence = entry.officer, self.roster.presence(entry.officer.id, at)
        if presence.there:
            yield Duty(officer, officer.unit, entry.order, entry.row, f"{self._has(entry)}; {presence.why}")
            return
        yield Absence(officer, entry.row, f"{self._has(entry)}; {presence.why}")
        for instead, row in presence.stand_ins if presence.due else ():
            term, away = self.terms[instead], self.roster.leave(instead, at)
            instead_of = f"stands in for {officer.id} by {self.files['roster']} {row.id}"
            if away or not term.holds(at.astimezone(SHANGHAI).date()):
                yield Absence(term.officer, row.id, f"{instead_of}; {'on leave too' if away else 'not in office'}")
                continue
            why = f"{instead_of}; {self._has(entry)}"
            yield Duty(term.officer, officer.unit, entry.order, entry.row, why, stands_in_for=officer.id)
            return

    def _has(self, entry: Entry) -> str:
        through = f" of industry grid {entry.industry_grid}" if entry.industry_grid else ""
        share = f" ({entry.share:.0%})" if entry.share < 1 else ""
        return f"{self.files['grids']} {entry.row}: {entry.area}{through}{share}, order {entry.order}"

    def _nobody(self, where: str, class_code: ClassCode, at: datetime, absent: int) -> str:
        local = at.astimezone(SHANGHAI)
        if absent:
            who = "the officer who has" if absent == 1 else f"none of the {absent} officers who have"
            return f"{who} {class_code} in {where} is {'not ' if absent == 1 else ''}there at {local:%Y-%m-%d %H:%M}"
        others = {entry.officer.id for entry in self._of(where) if entry.holds(local.date())}
        if others:
            count = "one officer has" if len(others) == 1 else f"{len(others)} officers have"
            return f"no officer has {class_code} in {where} on {local.date()}; {count} it for other classes"
        return f"{self.files['grids']} gives {where} to no officer on {local.date()}"

    def _of(self, where: str) -> Iterator[Entry]:
        areas = {where[:width] for width in AREA_WIDTHS if len(where) >= width} | {ANY}
        return (entry for by_area in self._index.values() for area in areas for entry in by_area.get(area, ()))


def team_of(
    terms: Mapping[str, Term], entries: Sequence[Entry], roster: Roster, files: Mapping[str, str]
) -> Team:  # fmt: skip
    """The team of these rows. Every officer an entry or the roster names is in `terms`."""
    index: dict[ClassKey, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        for key in entry.classes:
            index[key][entry.area].append(entry)
    frozen = {key: {area: tuple(cell) for area, cell in by_area.items()} for key, by_area in index.items()}
    return Team(terms, tuple(entries), roster, files, frozen)


def keys_by_area(entries: Collection[Entry]) -> dict[str, set[ClassKey]]:
    """What is covered where."""
    keys: dict[str, set[ClassKey]] = defaultdict(set)
    for entry in entries:
        keys[entry.area].update(entry.classes)
    return keys
