"""The catalogue 类目 of one city: its classes of parts and events, how each is accepted, and its standard rows.

One class has several standard rows 立结案标准: filing condition, limit, closing condition (GB/T
30428.8-2020). A case is filed under a row, not only under a class.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from canonical.codes import ClassCode
from canonical.errors import IllegalAction
from canonical.findings import Finding
from canonical.report import Urgency
from canonical.tables import TableRow, read_table
from canonical.time import Limit, LimitUnit

CLASS_COLUMNS = ("code", "name", "acceptance", "reason", "note")
STANDARD_COLUMNS = (
    "id", "class", "condition", "keywords", "default", "limit_value", "limit_unit", "closing", "source",
)  # fmt: skip


class Acceptance(StrEnum):
    """What happens to a report of a class."""

    FILE = "file"
    """Filed at once."""
    VERIFY = "verify"
    """Verified 核实 before filing."""
    REFUSE = "refuse"
    """Not the city's to handle; the reason is told to the source."""


@dataclass(frozen=True, slots=True)
class CatalogueClass:
    """One class as this city manages it."""

    code: ClassCode
    name: str
    acceptance: Acceptance
    reason: str
    """Why it is verified or refused, in the source's ears."""
    note: str


@dataclass(frozen=True, slots=True)
class Standard:
    """One standard row: under this condition, within this limit, closed when that is done."""

    id: str
    class_code: ClassCode
    condition: str
    limit: Limit
    closing: str
    keywords: tuple[str, ...]
    default: bool
    """The row that is taken when no keyword speaks."""
    source: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Classes and standard rows; immutable."""

    classes: Mapping[ClassCode, CatalogueClass]
    standards: Mapping[str, Standard]
    """By id."""
    of_class: Mapping[ClassCode, tuple[Standard, ...]]
    """The rows of each class, in the order of the table."""

    def standard_for(self, class_code: ClassCode, text: str, urgency: Urgency) -> tuple[Standard, str]:
        """The row whose keywords occur most in the text, else the default row; and why.

        Between equals an urgent report takes the shorter limit, any other the earlier row. Raises IllegalAction for a
        class without rows: a person has to name one.
        """
        rows = self.of_class.get(class_code, ())
        if not rows:
            raise IllegalAction(f"class {class_code} has no standard row; name one", at="standard")
        found = [tuple(word for word in row.keywords if word in text) for row in rows]
        most = max(map(len, found))
        if not most:
            row = next((row for row in rows if row.default), rows[0])
            return row, f"standards.csv {row.id}: the default row of {class_code}"
        best = [index for index, words in enumerate(found) if len(words) == most]
        if urgency is Urgency.URGENT:
            best.sort(key=lambda index: _length(rows[index].limit))
        row = rows[best[0]]
        return row, f"standards.csv {row.id}: {', '.join(found[best[0]])}"


_LENGTHS = {
    LimitUnit.MINUTE: timedelta(minutes=1),
    LimitUnit.URGENT_WORK_HOUR: timedelta(hours=1),
    LimitUnit.WORK_HOUR: timedelta(hours=3),
    LimitUnit.WORK_DAY: timedelta(days=1, hours=10),
    LimitUnit.URGENT_WORK_DAY: timedelta(days=1),
    LimitUnit.CALENDAR_DAY: timedelta(days=1),
}
"""What a unit takes of the wall clock, nights and weekends shared out: only to say which of two limits is shorter."""


def _length(limit: Limit) -> timedelta:
    return limit.value * _LENGTHS[limit.unit]


# --- loading ---


def load_catalogue(folder: Path, findings: list[Finding]) -> Catalogue:
    """`classes.csv` and `standards.csv` of a folder. Rows that cannot be read are left out and found."""
    classes, lines = _classes(read_table(folder / "classes.csv", CLASS_COLUMNS, findings), findings)
    standards = _standards(read_table(folder / "standards.csv", STANDARD_COLUMNS, findings), classes, findings)
    of_class: dict[ClassCode, list[Standard]] = defaultdict(list)
    for standard in standards.values():
        of_class[standard.class_code].append(standard)
    for code, entry in classes.items():
        findings += _row_findings(entry, of_class.get(code, []), lines[code])
    return Catalogue(classes, standards, {code: tuple(rows) for code, rows in of_class.items()})


def _row_findings(entry: CatalogueClass, rows: list[Standard], line: TableRow) -> Iterable[Finding]:
    """A class that can be filed needs rows, and a class with rows exactly one default."""
    if not rows:
        if entry.acceptance is not Acceptance.REFUSE:
            yield line.finding("code", f"{entry.code} {entry.name} can be filed but has no row in standards.csv")
        return
    defaults = [row.id for row in rows if row.default]
    if not defaults:
        yield line.finding("code", f"{entry.code} {entry.name} has no default row in standards.csv")
    if len(defaults) > 1:
        text = f"{entry.code} {entry.name} has several default rows in standards.csv: {', '.join(defaults)}"
        yield line.finding("code", text)


def _classes(
    rows: Iterable[TableRow], findings: list[Finding]
) -> tuple[dict[ClassCode, CatalogueClass], dict[ClassCode, TableRow]]:
    classes: dict[ClassCode, CatalogueClass] = {}
    lines: dict[ClassCode, TableRow] = {}
    for row in rows:
        code = class_code_in(row, "code", findings)
        acceptance = next((kind for kind in Acceptance if kind == row["acceptance"]), None)
        if acceptance is None:
            known = ", ".join(Acceptance)
            findings.append(row.finding("acceptance", f"'{row['acceptance']}' is none of {known}"))
        elif acceptance is not Acceptance.FILE and not row["reason"]:
            findings.append(row.finding("reason", f"acceptance {acceptance} needs a reason"))
        if code is None or acceptance is None:
            continue
        if code in classes:
            findings.append(row.finding("code", f"{code} stands in line {lines[code].line} already"))
            continue
        classes[code] = CatalogueClass(code, row["name"], acceptance, row["reason"], row["note"])
        lines[code] = row
    return classes, lines


def _standards(
    rows: Iterable[TableRow], classes: Mapping[ClassCode, CatalogueClass], findings: list[Finding]
) -> dict[str, Standard]:
    standards: dict[str, Standard] = {}
    spoken: dict[tuple[ClassCode, frozenset[str]], Standard] = {}
    for row in rows:
        standard = _standard(row, findings)
        if standard is None:
            continue
        if standard.id in standards:
            findings.append(row.finding("id", f"'{standard.id}' stands in this table twice"))
            continue
        if standard.class_code not in classes:
            findings.append(row.finding("class", f"{standard.class_code} is not in classes.csv"))
        standards[standard.id] = standard
        if standard.keywords:
            before = spoken.setdefault((standard.class_code, frozenset(standard.keywords)), standard)
            if before is not standard and _length(standard.limit) >= _length(before.limit):
                # a shorter one is for urgent reports, see `standard_for`
                text = f"those of '{before.id}', which is always taken: '{standard.id}' says something else of the same"
                findings.append(row.finding("keywords", text))
    return standards


def _standard(row: TableRow, findings: list[Finding]) -> Standard | None:
    before = len(findings)
    code, limit = class_code_in(row, "class", findings), limit_in(row, findings)
    if not row["id"]:
        findings.append(row.finding("id", "missing"))
    if row["default"] not in {"yes", "no"}:
        findings.append(row.finding("default", f"'{row['default']}' is neither yes nor no"))
    if code is None or limit is None or len(findings) > before:
        return None
    return Standard(
        id=row["id"],
        class_code=code,
        condition=row["condition"],
        limit=limit,
        closing=row["closing"],
        keywords=tuple(word for word in map(str.strip, row["keywords"].split("|")) if word),
        default=row["default"] == "yes",
        source=row["source"],
    )


def limit_in(row: TableRow, findings: list[Finding]) -> Limit | None:
    """The limit in the cells `limit_value` and `limit_unit`; None, with findings, when they hold none."""
    unit = next((unit for unit in LimitUnit if unit == row["limit_unit"]), None)
    if unit is None:
        findings.append(row.finding("limit_unit", f"'{row['limit_unit']}' is none of {', '.join(LimitUnit)}"))
    value = int(row["limit_value"]) if row["limit_value"].isascii() and row["limit_value"].isdecimal() else 0
    if not value:
        findings.append(row.finding("limit_value", f"'{row['limit_value']}' is not a whole number above 0"))
    try:
        return Limit(value=value, unit=unit) if unit is not None and value else None
    except ValidationError:
        findings.append(row.finding("limit_value", f"{value} is too much"))
        return None


def class_code_in(row: TableRow, column: str, findings: list[Finding]) -> ClassCode | None:
    """The class code in a cell; None, with a finding, when it is not in canonical form."""
    try:
        return ClassCode.parse(row[column])
    except ValidationError:
        findings.append(row.finding(column, f"'{row[column]}' is not a class code: write 30428.2:E04-06"))
    except ValueError as error:
        findings.append(row.finding(column, str(error)))
    return None
