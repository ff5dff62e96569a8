"""Modes of fusion 融合模式, class by class: who is the centre for a class of cases, and since when.

Without rows the hub is a separate hub 独立中枢: it files, dispatches and assesses. Where a row names a lead system
牵头系统, that system stays the centre for the cases it reports: the hub mirrors what it decides and keeps, beside it,
what the city's own tables would have done. A later row for the same class takes the class over, or rolls it back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from canonical.codes import ClassCode
from canonical.findings import Finding, Severity
from canonical.organisation import Unit
from canonical.tables import TableRow, read_table
from canonical.time import SHANGHAI
from routing.responsibility import ClassKey, class_key_of, covers

COLUMNS = ("id", "class", "centre", "unit", "since", "basis")
HUB = "hub"
"""The word for this hub in the column `centre`."""


@dataclass(frozen=True, slots=True)
class Leading:
    """One row: from `since` on, `system` is the centre for the class; empty: the hub is."""

    id: str
    key: ClassKey
    pattern: str
    system: str
    unit: str
    """The unit that stands for the lead system: it gets what others report."""
    since: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class Fusion:
    """All rows, the most specific class first, of one class the latest."""

    rows: tuple[Leading, ...] = ()
    edition: str = ""
    _found: dict[ClassCode | None, tuple[Leading, ...]] = field(default_factory=dict, repr=False, compare=False)

    def row(self, class_code: ClassCode | None, now: datetime) -> Leading | None:
        """The row that holds for a class now; None: there is none, and the hub is the centre."""
        if not self.rows:
            return None
        if class_code not in self._found:
            self._found[class_code] = tuple(row for row in self.rows if covers(row.key, class_code))
        return next((row for row in self._found[class_code] if row.since <= now), None)

    def leading(self, class_code: ClassCode | None, now: datetime) -> Leading | None:
        """The row of the lead system of a class; None where the hub is the centre."""
        row = self.row(class_code, now)
        return row if row is not None and row.system else None

    def leading_now(self, now: datetime) -> list[Leading]:
        """The rows by which systems lead now."""
        begun = {row.key: row for row in reversed(self.rows) if row.since <= now}
        return [row for row in begun.values() if row.system]

    @property
    def systems(self) -> frozenset[str]:
        """Systems that lead, or have led, some class."""
        return frozenset(row.system for row in self.rows if row.system)


SEPARATE = Fusion()


def load_fusion(
    path: Path, units: Mapping[str, Unit], systems: Iterable[str] | None, findings: list[Finding]
) -> Fusion:
    """`fusion.csv`. Rows that cannot be read are left out and found, and so are two that contradict."""
    rows: list[Leading] = []
    lines: dict[str, TableRow] = {}
    told: dict[tuple[ClassKey, datetime], str] = {}
    known = None if systems is None else frozenset(systems)
    for line in read_table(path, COLUMNS, findings):
        row = _row(line, units, known, findings)
        if row is None:
            continue
        if row.id in lines:
            findings.append(line.finding("id", f"'{row.id}' stands in line {lines[row.id].line} already"))
            continue
        if other := told.get((row.key, row.since)):
            text = f"'{row.id}' contradicts '{other}': both say who leads {row.pattern} from the same moment on"
            findings.append(line.finding("since", text))
            continue
        lines[row.id], told[row.key, row.since] = line, row.id
        rows.append(row)
    rows.sort(key=lambda one: (len(one.key), one.since), reverse=True)
    return Fusion(tuple(rows), _edition(rows))


def _edition(rows: Sequence[Leading]) -> str:
    said = "\n".join(f"{row.id} {row.pattern} {row.system} {row.unit} {row.since.isoformat()}" for row in rows)
    return sha256(said.encode()).hexdigest()[:12] if rows else ""


def _row(
    line: TableRow, units: Mapping[str, Unit], systems: frozenset[str] | None, findings: list[Finding]
) -> Leading | None:
    before = len(findings)
    system = "" if line["centre"] == HUB else line["centre"]
    key, since = class_key_of(line["class"]), _instant(line["since"])
    wrong = {
        "id": "missing" if not line["id"] else "",
        "class": f"'{line['class']}': write 30428.2:E04-06, 30428.2:E04-*, 30428.2:E* or *" if key is None else "",
        "since": f"'{line['since']}' is no time: write 2026-12-01T08:00, Shanghai time" if since is None else "",
        "centre": _centre(line["centre"], systems),
    }
    wrong["unit"] = "" if wrong["centre"] else _unit(line["unit"], system, units)
    findings += (line.finding(column, text) for column, text in wrong.items() if text)
    if len(findings) > before or key is None or since is None:
        return None
    if not line["basis"]:
        text = "nothing says what this rests on, such as the agreement measured, or who decided"
        findings.append(line.finding("basis", text, severity=Severity.WARNING))
    return Leading(line["id"], key, line["class"], system, line["unit"], since, line["basis"])


def _centre(text: str, systems: frozenset[str] | None) -> str:
    if text == HUB or systems is None or text in systems:
        return ""
    return f"'{text}' is neither {HUB} nor a system of systems.yaml"


def _unit(text: str, system: str, units: Mapping[str, Unit]) -> str:
    if not system:
        return f"only a lead system has a unit that stands for it; leave it empty for {HUB}" if text else ""
    unit = units.get(text)
    if unit is None:
        return f"'{text}' is no unit of units.csv: name the one that gets what others report"
    carried = unit.system or "no system"
    return "" if unit.system == system else f"the work of '{text}' is carried by {carried}, not by {system}"


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(SHANGHAI) if at.tzinfo else at.replace(tzinfo=SHANGHAI)
