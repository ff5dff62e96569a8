"""A city's team read as a whole: two officers in charge of the same at once, holes in which nobody has a class, shifts
that overlap, stand-ins who are away themselves, shares that make more than one.

All of it is a warning: an answer is found all the same, and a roster must not stop a hub.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import combinations

from canonical.findings import Finding, Severity
from canonical.organisation import Post
from canonical.tables import TableRow
from routing.catalogue import Acceptance, Catalogue, CatalogueClass
from routing.divisions import Divisions
from routing.responsibility import ANY, ClassKey, exact_key
from routing.roster import DAY, Kind, Roster, RosterRow, Span
from routing.team import AREA_WIDTHS, Entry, Team, keys_by_area
from routing.team_tables import IndustryGrid

_YEAR = 366
"""So many days are laid out: every holiday and every turn comes once."""
_ONE = timedelta(days=1)
_NAMED = 3
_IN_GRIDS = frozenset({Post.COLLECTOR, Post.GRID_OFFICER, Post.HANDLER})


def review_team(
    team: Team, industry: Sequence[IndustryGrid], grids: Sequence[str], catalogue: Catalogue, divisions: Divisions,
    *, whole: bool = True,
) -> list[Finding]:  # fmt: skip
    """What is wrong with the team as a whole. `grids`: all unit grids, in the order of their codes.

    `whole`: no row had to be left out; else what is missing is not looked for.
    """
    laid = _Laid(team.roster)
    findings = [*_double(team, laid), *_overlaps(team.roster), *_stand_ins(team), *_shares(industry)]
    if not whole:
        return findings
    findings += _idle(team)
    managed = [entry for entry in catalogue.classes.values() if entry.acceptance is not Acceptance.REFUSE]
    return [*findings, *_holes(team, grids, managed, divisions)]


def _warned(line: TableRow, key: str, text: str) -> Finding:
    return Finding(line.file, line.line, key, text, Severity.WARNING)


# Two at once


_Pattern = tuple[object, ...]
"""The calendar of an officer and what the rows of the roster say, without whose they are."""


class _Laid:
    """When officers are there, leave taken out, day by day; laid out once for each day that is looked at."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._days: dict[tuple[str, date], list[Span]] = {}
        self._hours: dict[str, list[Span] | None] = {}
        self._pattern = {officer: self._pattern_of(officer) for officer in roster.units}
        self._met: dict[tuple[_Pattern, _Pattern, date, date], str] = {}

    def both(self, one: str, other: str, first: date, last: date) -> str:
        """When two officers are there at once, in words; empty when never within a year from `first`.

        Teams that keep the same hours are looked at once.
        """
        if not self._may_meet(one, other):
            return ""
        key = (self._pattern[one], self._pattern[other], first, last)
        if key not in self._met:
            self._met[key] = self._meeting(one, other, first, last)
        return self._met[key]

    def _pattern_of(self, officer: str) -> _Pattern:
        rows = self._roster.rows_of(officer)
        told = ((row.kind, row.days, row.hours, row.valid_from, row.valid_to) for row in rows)
        return (id(self._roster.calendar(officer)), *told)

    def _meeting(self, one: str, other: str, first: date, last: date) -> str:
        for number in range(min((last - first).days + 1, _YEAR)):
            day = first + number * _ONE
            for mine in self._at(one, day):
                for theirs in self._at(other, day):
                    start, end = max(mine[0], theirs[0]), min(mine[1], theirs[1])
                    if start < end:
                        return f"{day} {_clock(start)}-{_clock(end)}"
        return ""

    def _at(self, officer: str, day: date) -> list[Span]:
        """Of one civil day: also what began the day before."""
        key = (officer, day)
        if key not in self._days:
            today, leave = self._roster.spans(officer, day)
            if day > date.min:
                before, away = self._roster.spans(officer, day - _ONE)
                today, leave = today + _moved(before), leave + _moved(away)
            self._days[key] = [part for span in today for part in _without((span[0], min(span[1], DAY)), leave)]
        return self._days[key]

    def _may_meet(self, one: str, other: str) -> bool:
        mine, theirs = self._possible(one), self._possible(other)
        return mine is None or theirs is None or _meet(mine, theirs)

    def _possible(self, officer: str) -> list[Span] | None:
        """All hours at which somebody may be there on any day; None: by the calendar."""
        if officer not in self._hours:
            rows = self._roster.shifts_of(officer)
            fixed = [span for row in rows for span in row.hours or ()]
            self._hours[officer] = fixed if rows and all(row.hours for row in rows) else None
        return self._hours[officer]


def _moved(spans: Iterable[Span]) -> list[Span]:
    return [(0, end - DAY) for start, end in spans if end > DAY]


def _meet(some: Iterable[Span], others: Sequence[Span]) -> bool:
    """True when spans of two days that may be the same, or follow each other, have a minute in common."""
    return any(
        start < later + shift and early + shift < end
        for start, end in some
        for early, later in others
        for shift in (-DAY, 0, DAY)
    )


def _without(span: Span, away: Iterable[Span]) -> list[Span]:
    parts = [span]
    for start, end in away:
        cut = ((part[0], min(part[1], start)) for part in parts), ((max(part[0], end), part[1]) for part in parts)
        parts = [part for half in cut for part in half if part[0] < part[1]]
    return parts


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _double(team: Team, laid: _Laid) -> Iterator[Finding]:
    """Officers of one unit and post with the same class, area and order who are there at the same time."""
    cells: dict[tuple[ClassKey, str, str, Post, int], list[Entry]] = defaultdict(list)
    for entry in team.entries:
        if entry.share == 1:  # else each has a part of it
            for key in entry.classes:
                officer = entry.officer
                cells[key, entry.area, officer.unit, officer.post, entry.order].append(entry)
    met: dict[tuple[str, str, date, date], str] = {}
    told: dict[tuple[str, str], tuple[Entry, Entry, str, list[str]]] = {}
    for (_, area, *_), cell in cells.items():
        for one, other in combinations(cell, 2):
            first, last = max(one.valid_from, other.valid_from), min(one.valid_to, other.valid_to)
            if first > last:
                continue
            pair = (one.officer.id, other.officer.id, first, last)
            if pair[0] == pair[1]:
                when = str(first)
            elif pair not in met:
                when = met[pair] = laid.both(*pair)
            else:
                when = met[pair]
            if when:
                told.setdefault((one.row, other.row), (one, other, when, []))[3].append(area)
    for one, other, when, areas in told.values():
        yield _warned(other.line, "order", _said_twice(one, other, when, sorted(set(areas))))


def _said_twice(one: Entry, other: Entry, when: str, areas: Sequence[str]) -> str:
    where = ", ".join(areas[:_NAMED]) + (f" and {len(areas) - _NAMED} more" if len(areas) > _NAMED else "")
    both = f"{one.row} (line {one.line.line}) and {other.row}"
    if one.officer.id == other.officer.id:
        return f"{both} give {where} to {one.officer.id} twice: {other.row} has no effect there"
    charge = "in charge of" if one.order == 1 else f"number {one.order} for"
    return f"{both}: {one.officer.id} and {other.officer.id} are both {charge} {where} at once, as on {when}"


def _idle(team: Team) -> Iterator[Finding]:
    busy = {entry.officer.id for entry in team.entries} | {row.stand_in for row in team.roster.rows}
    for id_, term in team.terms.items():
        if id_ not in busy and term.officer.post in _IN_GRIDS:
            yield _warned(term.line, "id", f"'{id_}' has no grid in {team.files['grids']}")


# The roster


def _overlaps(roster: Roster) -> Iterator[Finding]:
    """Shifts of one officer that overlap, and shifts that come on no day."""
    of: dict[str, list[RosterRow]] = defaultdict(list)
    for row in roster.rows:
        if row.kind is Kind.SHIFT:
            of[row.officer].append(row)
            if not any(row.spans(day, roster.calendar(row.officer)) for day in _days(row.valid_from, row.valid_to)):
                yield _warned(row.line, "days", "comes on no day between its dates")
    for officer, rows in of.items():
        for one, other in _near_in_time(rows):
            when = _first_common(roster, officer, one, other)
            if when:
                text = f"{one.id} (line {one.line.line}) and {other.id} overlap, as on {when}"
                yield _warned(other.line, "hours", text)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + number * _ONE for number in range(min((last - first).days + 1, _YEAR)))


def _near_in_time(rows: Sequence[RosterRow]) -> Iterator[tuple[RosterRow, RosterRow]]:
    """Pairs whose dates meet or touch and whose hours may; rows of single days are compared with their neighbours."""
    ordered = sorted(rows, key=lambda row: (row.valid_from, row.line.line))
    open_: list[RosterRow] = []
    for row in ordered:
        open_ = [one for one in open_ if one.valid_to == date.max or one.valid_to + _ONE >= row.valid_from]
        for one in open_:
            if one.hours is None or row.hours is None or _meet(one.hours, row.hours):
                yield one, row
        open_.append(row)


def _first_common(roster: Roster, officer: str, one: RosterRow, other: RosterRow) -> str:
    calendar = roster.calendar(officer)
    first = max(one.valid_from, other.valid_from)
    last = min(one.valid_to, other.valid_to)
    for day in _days(first, max(first, last)):
        before = day - _ONE if day > date.min else day
        mine = [*one.spans(day, calendar), *((s - DAY, e - DAY) for s, e in one.spans(before, calendar))]
        theirs = [*other.spans(day, calendar), *((s - DAY, e - DAY) for s, e in other.spans(before, calendar))]
        for start, end in mine:
            for early, later in theirs:
                if max(start, early, 0) < min(end, later):
                    return f"{day} {_clock(max(start, early, 0))}"
    return ""


def _stand_ins(team: Team) -> Iterator[Finding]:
    """Stand-ins who are on leave themselves, or not in office, when they are needed."""
    leave: dict[str, list[RosterRow]] = defaultdict(list)
    for row in team.roster.rows:
        if row.kind is Kind.LEAVE:
            leave[row.officer].append(row)
    for row in (row for rows in leave.values() for row in rows if row.stand_in):
        term = team.terms[row.stand_in]
        if term.valid_from > row.valid_from or term.valid_to < min(row.valid_to, team.terms[row.officer].valid_to):
            yield _warned(row.line, "stand_in", f"{row.stand_in} is not in office on all of these days")
        for other in leave.get(row.stand_in, ()):
            if max(row.valid_from, other.valid_from) > min(row.valid_to, other.valid_to):
                continue
            when = _first_common(team.roster, row.officer, row, other)
            if when:
                text = f"{row.stand_in} is on leave too ({other.id}, line {other.line.line}), as on {when}"
                yield _warned(row.line, "stand_in", text)


def _shares(industry: Sequence[IndustryGrid]) -> Iterator[Finding]:
    """Industry grids of one industry that share out more of an area than there is."""
    cells: dict[tuple[str, str], list[IndustryGrid]] = defaultdict(list)
    for part in industry:
        cells[part.industry, part.area].append(part)
    for (name, area), cell in cells.items():
        for last in cell if len(cell) > 1 else ():
            holding = [part for part in cell if part.valid_from <= last.valid_from <= part.valid_to]
            total = sum(part.share for part in holding)
            if total > 1 + 1e-9 and last is max(holding, key=lambda part: (part.valid_from, part.line.line)):
                parts = ", ".join(f"{part.id} {part.share:g}" for part in holding)
                yield _warned(last.line, "share", f"{name} in {area} is shared out {total:g} times: {parts}")


# Holes


def _holes(
    team: Team, grids: Sequence[str], managed: Sequence[CatalogueClass], divisions: Divisions
) -> Iterator[Finding]:  # fmt: skip
    """Classes that nobody has somewhere: when the last row has begun, and from the day after each that ends."""
    if not grids or not managed:
        return
    begun = max((entry.valid_from for entry in team.entries), default=date.min)
    ends: dict[date, set[str]] = defaultdict(set)
    for entry in team.entries:
        if begun <= entry.valid_to < date.max:
            ends[entry.valid_to + _ONE].add(entry.area)
    before: dict[str, frozenset[str]] = {}
    for day in sorted({begun, *ends}):
        looked_at = grids if day == begun else _below(ends[day], grids)
        missing = _missing([entry for entry in team.entries if entry.holds(day)], looked_at, managed)
        new: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for grid, classes in missing.items():
            added = classes - before.get(grid, frozenset())
            if added:
                new[tuple(sorted(added))].append(grid)
        before |= missing
        since = "" if day == begun and not ends else f"from {day} on "
        for codes, cells in new.items():
            text = f"{since}no officer has {_classes(codes, managed)} in {_cells(cells, grids, divisions)}"
            yield Finding(team.files["grids"], 0, "area", text, Severity.WARNING)


def _below(areas: set[str], grids: Sequence[str]) -> Sequence[str]:
    if ANY in areas:
        return grids
    found: set[str] = set()
    for area in areas:
        found.update(grids[bisect_left(grids, area) : bisect_left(grids, area + ":")])
    return sorted(found)


def _missing(
    entries: Sequence[Entry], grids: Iterable[str], managed: Sequence[CatalogueClass]
) -> dict[str, frozenset[str]]:  # fmt: skip
    """Grid to the classes nobody has there; grids that are covered alike are looked at once."""
    by_area = keys_by_area(entries)
    known: dict[frozenset[ClassKey], frozenset[str]] = {}
    missing: dict[str, frozenset[str]] = {}
    for grid in grids:
        keys = frozenset(
            key for area in (*(grid[:w] for w in AREA_WIDTHS), ANY) if area in by_area for key in by_area[area]
        )
        if keys not in known:
            known[keys] = frozenset(str(entry.code) for entry in managed if not _covered(entry, keys))
        missing[grid] = known[keys]
    return missing


def _covered(entry: CatalogueClass, keys: frozenset[ClassKey]) -> bool:
    exact = exact_key(entry.code)
    return any(exact[:width] in keys for width in (4, 3, 2, 0))


def _classes(codes: Sequence[str], managed: Sequence[CatalogueClass]) -> str:
    if len(codes) == len(managed):
        return "any class"
    names: Mapping[str, str] = {str(entry.code): entry.name for entry in managed}
    shown = ", ".join(f"{code} {names[code]}" for code in codes[:_NAMED])
    return shown + (f" and {len(codes) - _NAMED} more classes" if len(codes) > _NAMED else "")


def _cells(cells: Sequence[str], grids: Sequence[str], divisions: Divisions) -> str:
    """All of them, the districts they make up whole, or how many and the first."""
    if len(cells) == len(grids):
        return "any unit grid"
    count = f"{len(cells)} of {len(grids)} unit grids"
    districts = sorted({cell[:6] for cell in cells})
    if len(cells) == len(_below(set(districts), grids)):
        return f"{count}: {', '.join(divisions.name(code) if divisions.known(code) else code for code in districts)}"
    return f"{count}: {', '.join(cells[:_NAMED])}{' ...' if len(cells) > _NAMED else ''}"
