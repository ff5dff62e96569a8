"""Administrative divisions 行政区划 of one city: the tree of codes, and the names as people write them in addresses.

Codes nest: 4 digits city, 6 county, 9 street or town, 12 community or village; each begins with its parent's.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from canonical.findings import Finding, Severity
from canonical.organisation import Level
from canonical.tables import TableRow, read_table

COLUMNS = ("code", "level", "name", "parent")
LENGTHS = {Level.CITY: 4, Level.DISTRICT: 6, Level.STREET: 9, Level.COMMUNITY: 12}

_ABOVE = {6: 4, 9: 6, 12: 9}
_PADDED = frozenset({6, 9, 12, 15})
_NAMES = {6: "county", 9: "street", 12: "community"}


@dataclass(frozen=True, slots=True)
class Division:
    """One row of the tree."""

    code: str
    level: Level
    name: str
    parent: str
    """Code of the division above; empty for the city."""


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to write names: the text, whom it may mean, and whether it needs room around it to count."""

    text: str
    codes: tuple[str, ...]
    weak: bool
    """Communities: `桥北社区` inside `新桥北社区`, or `百花村` before `路`, means something else."""


@dataclass(frozen=True, slots=True)
class Divisions:
    """The divisions of one city, by code and by name."""

    by_code: Mapping[str, Division]
    children: Mapping[str, tuple[str, ...]] = field(repr=False)
    """Codes directly below a code, in order."""
    _forms: Mapping[str, tuple[_Form, ...]] = field(repr=False)
    """By the first two characters, longest first."""

    def known(self, code: str) -> bool:
        """True for a code of this city, in its own length."""
        return code in self.by_code

    def code_of(self, text: str) -> str | None:
        """The division that a code means, zero-padded forms (`340202016000`, `340202000000`, `340200`) included."""
        code = text.strip()
        if code in self.by_code:
            return code
        if len(code) not in _PADDED:
            return None
        for width in (12, 9, 6, 4):
            if len(code) > width and not code[width:].strip("0") and code[:width] in self.by_code:
                return code[:width]
        return None

    def name(self, code: str) -> str:
        """The name of a known division. Raises KeyError for another code."""
        return self.by_code[code].name

    def names(self, area: str) -> dict[str, str]:
        """Names of a division or unit grid and of those above it, by `county`, `street`, `community`."""
        return {
            word: self.by_code[area[:width]].name
            for width, word in _NAMES.items()
            if len(area) >= width and area[:width] in self.by_code
        }

    def find_in_text(self, text: str) -> str | None:
        """The division that the names in an address mean, as fine as they agree on.

        Counties and streets decide, communities refine: a community elsewhere of the same name is not heard. Names that
        contradict each other, or mean several places, give the division above them all; None when that is the city.
        """
        hits = list(self._hits(text))
        strong = [form.codes for form in hits if not form.weak]
        area = _meant(strong) if strong else ""
        if area is None:
            return None
        weak = [tuple(code for code in form.codes if code.startswith(area)) for form in hits if form.weak]
        return _meant([codes for codes in weak if codes]) or area or None

    def _hits(self, text: str) -> Iterator[_Form]:
        """The names in the text from left to right, the longest at each place."""
        position, forms, covered = 0, self._forms, 0
        while position < len(text) - 1:
            for form in forms.get(text[position : position + 2], ()):
                if not text.startswith(form.text, position):
                    continue
                end = position + len(form.text)
                if form.weak and not _has_room(text, position, end, covered):
                    continue
                yield form
                position = covered = end
                break
            else:
                position += 1


def _meant(hits: Sequence[tuple[str, ...]]) -> str | None:
    """The finest division that most names speak for; what stands above all equally good ones, below the city."""
    if not hits:
        return None
    votes = {code: sum(code.startswith(hit) for hit in hits) for hit in hits for code in hit}
    most = max(votes.values())
    best = [code for code, count in votes.items() if count == most]
    if len(best) == 1:
        return best[0]
    finest = [code for code in best if not any(len(other) > len(code) and other.startswith(code) for other in best)]
    for width in (12, 9, 6):
        shared = {code[:width] for code in finest}
        if len(shared) == 1 and all(len(code) >= width for code in finest):
            return shared.pop()
    return None


_HAN = re.compile(r"[㐀-鿿]")
_ENDS_A_NAME = frozenset("省市区县镇乡道村会号街路组队")
_MAKES_ANOTHER_NAME = frozenset("路街巷桥")


def _has_room(text: str, start: int, end: int, covered: int) -> bool:
    """True when the words beside a name do not make it part of a longer one. `covered`: where the last name ended."""
    before, after = text[start - 1 : start], text[end : end + 1]
    free = start == covered or not _HAN.match(before) or before in _ENDS_A_NAME
    return free and after not in _MAKES_ANOTHER_NAME


# --- the forms a name is written in ---

_OFFICES = ("社区居民委员会", "社区居委会", "社区", "村民委员会", "村委会", "居民委员会", "居委会")
_SHORTEST = 3
"""Characters. `新村` alone is every second housing estate."""


def _spellings(division: Division) -> set[str]:
    """How people write a division's name. Only communities have several ways."""
    name = division.name
    if division.level is not Level.COMMUNITY:
        return {name}
    office = next((office for office in _OFFICES if name.endswith(office)), "")
    stem = name.removesuffix(office)
    if not office or len(stem) <= 1:
        return {name}
    if office.startswith("村"):
        village = stem if stem.endswith("村") else f"{stem}村"
        short = {village, f"{village}村委会", f"{village}委会", f"{village}村民委员会"}
    else:
        short = {f"{stem}{ending}" for ending in ("社区", "社区居委会", "居委会", "社区居民委员会", "居民委员会")}
    return {name} | {spelling for spelling in short if len(spelling) >= _SHORTEST}


def _forms(by_code: Mapping[str, Division]) -> dict[str, tuple[_Form, ...]]:
    meanings: dict[str, set[str]] = defaultdict(set)
    for division in by_code.values():
        if division.level is not Level.CITY:
            for spelling in _spellings(division):
                meanings[spelling].add(division.code)
    heads: dict[str, list[_Form]] = defaultdict(list)
    for text, codes in meanings.items():
        weak = all(len(code) == LENGTHS[Level.COMMUNITY] for code in codes)
        heads[text[:2]].append(_Form(text, tuple(sorted(codes)), weak))
    return {head: tuple(sorted(forms, key=lambda form: -len(form.text))) for head, forms in heads.items()}


def divisions_of(rows: Mapping[str, Division]) -> Divisions:
    """The tree of these divisions, by code."""
    children: dict[str, list[str]] = defaultdict(list)
    for code in sorted(rows):
        if rows[code].parent:
            children[rows[code].parent].append(code)
    return Divisions(rows, {code: tuple(below) for code, below in children.items()}, _forms(rows))


# --- loading ---


def load_divisions(path: Path, findings: list[Finding]) -> Divisions:
    """The tree of `divisions.csv` (code, level, name, parent). Rows that break it are left out and found."""
    divisions: dict[str, Division] = {}
    lines: dict[str, TableRow] = {}
    for row in read_table(path, COLUMNS, findings):
        division = _division(row, findings)
        if division is None:
            continue
        if division.code in divisions:
            findings.append(row.finding("code", f"{division.code} stands in line {lines[division.code].line} already"))
            continue
        divisions[division.code], lines[division.code] = division, row
    orphans = [code for code, division in divisions.items() if division.parent and division.parent not in divisions]
    findings += [lines[c].finding("parent", f"{divisions[c].parent} is no division of this table") for c in orphans]
    findings += _same_names(divisions, lines)
    return divisions_of(divisions)


def _division(row: TableRow, findings: list[Finding]) -> Division | None:
    code, level = row["code"], next((level for level in Level if level == row["level"]), None)
    wrong: list[tuple[str, str]] = []
    if level is None:
        wrong.append(("level", f"'{row['level']}' is none of {', '.join(Level)}"))
    elif not (code.isascii() and code.isdecimal() and len(code) == LENGTHS[level]):
        wrong.append(("code", f"'{code}' is no {level} code: {LENGTHS[level]} digits"))
    elif row["parent"] != code[: _ABOVE.get(len(code), 0)]:
        wrong.append(("parent", f"{code} lies in {code[: _ABOVE.get(len(code), 0)] or 'nothing'} by its digits"))
    if len(row["name"]) <= 1:
        wrong.append(("name", "a name of two characters or more is needed"))
    findings += [row.finding(key, text) for key, text in wrong]
    if wrong or level is None:
        return None
    return Division(code, level, row["name"], row["parent"])


def _same_names(divisions: Mapping[str, Division], lines: Mapping[str, TableRow]) -> Iterator[Finding]:
    """Siblings of one name: an address cannot tell them apart."""
    seen: dict[tuple[str, str], str] = {}
    for code, division in divisions.items():
        other = seen.setdefault((division.parent, division.name), code)
        if other != code:
            row, text = lines[code], f"{division.name} is the name of {other} too"
            yield Finding(row.file, row.line, "name", text, Severity.WARNING)
