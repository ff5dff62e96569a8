"""The tables of a city's officers 人员, their grids 责任网格, industry grids 行业网格 and roster 排班, read row by row.

Each row is checked for itself here; `team_review` looks at all of them together.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from itertools import pairwise, repeat
from pathlib import Path

from canonical.findings import Finding, Severity
from canonical.organisation import Officer, Post, Unit
from canonical.ports import WorkingCalendar
from canonical.tables import TableRow, read_table
from routing.catalogue import Catalogue
from routing.divisions import Divisions
from routing.responsibility import ANY, ClassKey, class_key_of, exact_key
from routing.roster import DAY, Cycle, DayKind, DayRule, Kind, RosterRow, Span, roster_of
from routing.team import Entry, Team, Term, team_of
from routing.units import gone_to

OFFICERS = ("id", "name", "unit", "post", "classes", "valid_from", "valid_to")
GRIDS = ("id", "officer", "area", "order", "valid_from", "valid_to", "note")
INDUSTRY_GRIDS = ("id", "industry", "name", "area", "share", "valid_from", "valid_to")
ROSTER = ("id", "officer", "kind", "days", "hours", "stand_in", "valid_from", "valid_to", "note")

MOST_ORDER = 99
_HINTS = 50
_POSTS, _KINDS = frozenset(map(str, Post)), frozenset(map(str, Kind))
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS = "write every, working, off, mon-fri, sat|sun, or 1 of 4 for the first day of every four"
_WINDOW = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)", re.ASCII)
_CYCLE = re.compile(r"(\d{1,3}) of (\d{1,3})", re.ASCII)
_WHOLE: tuple[Span, ...] = ((0, DAY),)


@dataclass(frozen=True, slots=True)
class TeamFiles:
    """Where the tables lie. Empty: the city has no such table."""

    folder: Path
    officers: str
    grids: str
    industry_grids: str = ""
    roster: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What rows may name."""

    units: Mapping[str, Unit]
    divisions: Divisions
    grids: Collection[str]
    """Codes of unit grids."""
    catalogue: Catalogue
    working_time: Callable[[str], WorkingCalendar]


@dataclass(frozen=True, slots=True)
class IndustryGrid:
    """One row: a part of an industry's own grid, in a unit grid or division."""

    id: str
    industry: str
    area: str
    share: float
    valid_from: date
    valid_to: date
    line: TableRow = field(repr=False, compare=False)


@dataclass(slots=True)
class _Row:
    """A row while it is read: what is wrong with it is gathered."""

    line: TableRow
    hints: Iterator[bool]
    """Shared by the rows of a table: one for each near match that may still be looked for."""
    wrong: list[Finding] = field(default_factory=list)

    def __getitem__(self, column: str) -> str:
        return self.line[column]

    def is_wrong(self, column: str, text: str) -> None:
        self.wrong.append(self.line.finding(column, text))

    def one_of(self, column: str, known: Iterable[str], what: str) -> None:
        """The cell names something that is there."""
        if not self[column]:
            self.is_wrong(column, "missing")
        elif self[column] not in known:
            self.is_wrong(column, f"'{self[column]}' is {what}{self.near(self[column], known)}")

    def near(self, word: str, known: Iterable[str], *, show: bool = True) -> str:
        """A near match, as long as they may be looked for: with a thousand rows wrong they help nobody."""
        return near(word, known, show=show) if next(self.hints, None) else ""

    def dates(self) -> tuple[date, date]:
        """valid_from, valid_to; an empty `valid_to` is open."""
        first, last = self._date("valid_from"), self._date("valid_to") if self["valid_to"] else date.max
        if first and last and last < first:
            self.is_wrong("valid_to", f"{last} lies before valid_from")
        return first or date.min, last or date.max

    def _date(self, column: str) -> date | None:
        try:
            return date.fromisoformat(self[column])
        except ValueError:
            self.is_wrong(column, f"'{self[column]}' is not a date: write 2026-01-31")
            return None


def load_team(files: TeamFiles, known: Known, findings: list[Finding]) -> tuple[Team, tuple[IndustryGrid, ...]]:
    """The team and the rows of its industry grids. A row with something wrong is left out, and said."""
    terms: dict[str, Term] = {}
    for row in _rows(files.folder, files.officers, OFFICERS, findings):
        term = _term(row, known, findings)
        if _right(row, terms, findings):
            terms[row["id"]] = term
    industry: list[IndustryGrid] = []
    for row in _rows(files.folder, files.industry_grids, INDUSTRY_GRIDS, findings):
        part = _industry_grid(row, known)
        if _right(row, (), findings):
            industry.append(part)
    by_id: dict[str, list[IndustryGrid]] = {}
    for part in industry:
        by_id.setdefault(part.id, []).append(part)
    ids: set[str] = set()
    entries: list[Entry] = []
    for row in _rows(files.folder, files.grids, GRIDS, findings):
        found = _entries(row, terms, by_id, known)
        if _right(row, ids, findings):
            ids.add(row["id"])
            entries += found
            if not found:
                text = "holds on no day: the officer or the industry grid is not there on these dates"
                findings.append(_warning(row.line, "valid_from", text))
    shifts: dict[str, RosterRow] = {}
    for row in _rows(files.folder, files.roster, ROSTER, findings):
        shift = _shift(row, terms)
        if _right(row, shifts, findings):
            shifts[row["id"]] = shift
    units = {id_: term.officer.unit for id_, term in terms.items()}
    roster = roster_of(list(shifts.values()), units, known.working_time, files.roster)
    names = {"officers": files.officers, "grids": files.grids, "roster": files.roster}
    return team_of(terms, entries, roster, names | {"industry_grids": files.industry_grids}), tuple(industry)


def _rows(folder: Path, file: str, columns: tuple[str, ...], findings: list[Finding]) -> list[_Row]:
    hints = repeat(True, _HINTS)
    return [_Row(line, hints) for line in read_table(folder / file, columns, findings, name=file)] if file else []


def _right(row: _Row, before: Collection[str], findings: list[Finding]) -> bool:
    """True when nothing is wrong with a row, its id is there and no other row's."""
    if not row["id"]:
        row.is_wrong("id", "missing")
    elif row["id"] in before:
        row.is_wrong("id", f"'{row['id']}' stands in an earlier line already")
    findings += row.wrong
    return not row.wrong


def _warning(line: TableRow, column: str, text: str) -> Finding:
    return Finding(line.file, line.line, column, text, Severity.WARNING)


def _term(row: _Row, known: Known, findings: list[Finding]) -> Term:
    row.one_of("unit", known.units, "no unit of units.csv: dissolved, or misspelt")
    row.one_of("post", _POSTS, "no post")
    classes = _classes(row, known.catalogue, findings)
    post = next((post for post in Post if post == row["post"]), Post.HANDLER)
    officer = Officer(id=row["id"], name=row["name"], unit=row["unit"], post=post)
    first, last = row.dates()
    unit = known.units.get(row["unit"])
    if unit and unit.merged_into and (unit.valid_to is None or unit.valid_to < last):
        text = f"{gone_to(unit)}: end this row too, and appoint the officer there"
        findings.append(_warning(row.line, "unit", text))
    return Term(officer, classes, first, last, row.line)


def _classes(row: _Row, catalogue: Catalogue, findings: list[Finding]) -> tuple[ClassKey, ...]:
    keys: list[ClassKey] = []
    for text in (part.strip() for part in row["classes"].split("|")):
        key = class_key_of(text)
        if key is None:
            row.is_wrong("classes", f"'{text}': write 30428.2:E04-06, 30428.2:E04-*, 30428.2:E* or *, parted by |")
            continue
        keys.append(key)
        if len(key) < _MAJOR or any(exact_key(code)[: len(key)] == key for code in catalogue.classes):
            continue
        if len(key) == _MAJOR:
            findings.append(_warning(row.line, "classes", f"'{text}' covers no class of classes.csv"))
        else:
            row.is_wrong("classes", f"'{text}' is no class of classes.csv{row.near(text, map(str, catalogue.classes))}")
    return tuple(dict.fromkeys(keys))


_MAJOR = 3


def _area(row: _Row, known: Known, industry: Collection[str] = ()) -> None:
    area = row["area"]
    if area == ANY or area in industry or area in known.grids or known.divisions.known(area):
        return
    pool = [code for code in (*known.grids, *known.divisions.by_code) if code[:9] == area[:9]] + list(industry)
    text = f"'{area}' is no unit grid{', division or industry grid' if industry else ' or division'} of this city"
    row.is_wrong("area", f"{text}; write * for all of it{row.near(area, pool, show=False)}")


def _industry_grid(row: _Row, known: Known) -> IndustryGrid:
    if row["id"] == ANY or row["id"].isdigit():
        row.is_wrong("id", f"'{row['id']}' could be taken for a division or unit grid: give it letters")
    if not row["industry"]:
        row.is_wrong("industry", "missing")
    _area(row, known)
    share = _share(row["share"])
    if share is None:
        row.is_wrong("share", f"'{row['share']}' is no share: write 0.4 for two fifths; empty: all of it")
    return IndustryGrid(row["id"], row["industry"], row["area"], share or 1.0, *row.dates(), row.line)


def _share(text: str) -> float | None:
    if not text:
        return 1.0
    if not re.fullmatch(r"[01](\.\d{1,6})?", text, re.ASCII):
        return None
    share = float(text)
    return share if 0 < share <= 1 else None


def _entries(
    row: _Row, terms: Mapping[str, Term], industry: Mapping[str, list[IndustryGrid]], known: Known
) -> list[Entry]:  # fmt: skip
    """The areas a row means, on the days on which officer, row and industry grid all hold."""
    row.one_of("officer", terms, "no officer of officers.csv, or that row is wrong")
    _area(row, known, industry)
    order = int(row["order"]) if re.fullmatch(r"[1-9]\d?", row["order"], re.ASCII) else 0
    if not order:
        row.is_wrong("order", f"'{row['order']}': write 1 for the officer in charge, 2 to {MOST_ORDER} for those after")
    first, last = row.dates()
    if row.wrong:
        return []
    term = terms[row["officer"]]
    days = (max(first, term.valid_from), min(last, term.valid_to))
    through = industry.get(row["area"])
    parts = [(p.area, p.share, p.id, p.valid_from, p.valid_to) for p in through or ()]
    entries = []
    for area, share, via, begun, ended in parts or [(row["area"], 1.0, "", date.min, date.max)]:
        since, until = max(days[0], begun), min(days[1], ended)
        entries.append(Entry(row["id"], term.officer, term.classes, area, order, share, via, since, until, row.line))
    return [entry for entry in entries if entry.valid_from <= entry.valid_to]


def _shift(row: _Row, terms: Mapping[str, Term]) -> RosterRow:
    row.one_of("officer", terms, "no officer of officers.csv, or that row is wrong")
    row.one_of("kind", _KINDS, "no kind of row")
    kind = Kind.LEAVE if row["kind"] == Kind.LEAVE else Kind.SHIFT
    days = days_of(row["days"])
    if days is None:
        row.is_wrong("days", f"'{row['days']}': {_DAYS}")
    hours: tuple[Span, ...] | None = None
    if kind is Kind.LEAVE and not row["hours"]:
        hours = _WHOLE
    elif row["hours"] != "working":
        read = hours_of(row["hours"])
        if isinstance(read, str):
            row.is_wrong("hours", read)
        else:
            hours = read
    if row["stand_in"]:
        if kind is Kind.SHIFT:
            row.is_wrong("stand_in", "only leave has a stand-in; who works beside has a row of grids.csv")
        elif row["stand_in"] == row["officer"]:
            row.is_wrong("stand_in", "an officer on leave cannot stand in for that leave")
        else:
            row.one_of("stand_in", terms, "no officer of officers.csv, or that row is wrong")
    first, last = row.dates()
    days = days or DayKind.EVERY
    return RosterRow(row["id"], row["officer"], kind, days, hours, row["stand_in"], first, last, row.line)


def days_of(text: str) -> DayRule | None:
    """What a cell of `days` means; None when it means nothing."""
    if text in set(DayKind):
        return DayKind(text)
    if cycle := _CYCLE.fullmatch(text):
        turn, length = map(int, cycle.groups())
        return Cycle(turn, length) if 1 <= turn <= length else None
    days: set[int] = set()
    for part in text.split("|"):
        first, _, last = part.strip().partition("-")
        if first not in _WEEKDAYS or (last or first) not in _WEEKDAYS:
            return None
        begin, end = _WEEKDAYS.index(first), _WEEKDAYS.index(last or first)
        days.update(range(begin, end + 1) if begin <= end else (*range(begin, 7), *range(end + 1)))
    return frozenset(days)


def hours_of(text: str) -> tuple[Span, ...] | str:
    """The spans of a cell such as `08:00-12:00|22:00-06:00`, or what is wrong with it. A span may cross midnight, and
    `08:00-08:00` is a day and night.
    """
    spans: list[Span] = []
    for part in (part.strip() for part in text.split("|")):
        found = _WINDOW.fullmatch(part)
        numbers = tuple(map(int, found.groups())) if found else (99, 0, 99, 0)
        start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if start >= DAY or end > DAY:
            return f"'{part}': write working, or 08:00-12:00|14:00-18:00; 22:00-06:00 goes past midnight"
        spans.append((start, end if end > start else end + DAY))
    spans.sort()
    if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
        return f"'{text}': the windows overlap"
    return tuple(spans)


def near(word: str, known: Iterable[str], *, show: bool = True) -> str:
    """`; did you mean X?`, or, where there are few, the known words."""
    words = sorted(known)
    if match := get_close_matches(word, words, 1):
        return f"; did you mean '{match[0]}'?"
    return f"; known: {', '.join(words)}" if show and 0 < len(words) <= _FEW else ""


_FEW = 12
