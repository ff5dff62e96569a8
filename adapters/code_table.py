"""Code tables: CSV an official can check. Forward tables read (`local,canonical,...,title`), reverse ones write.

Every code of the other side has a row; a code without one is an error at run time, never a default. Only a reverse
table may hold the row `*`: the other side's own word for "anything else".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from canonical.findings import Finding
from canonical.tables import TableRow, read_table

REST = "*"
UNCHANGED, TEXT_ONLY, QUARANTINE = OUTCOMES = ("unchanged", "text only", "quarantine")
"""What a row may say instead of a value: the code stays as it is (texts only); there is no value, the source's own text
must do; the code is known and must still be decided by a person."""
_LAST = "title"


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table: key to row. `reverse` says which way it reads."""

    name: str
    columns: tuple[str, ...]
    reverse: bool
    rows: Mapping[str, TableRow]

    def column(self, column: str) -> dict[str, str]:
        """Key to the value of one column."""
        return {key: row[column] for key, row in self.rows.items()}

    def converted(self, column: str, convert: Callable[[str], object], findings: list[Finding]) -> dict[str, object]:
        """Key to the converted value; a cell that cannot be converted is a finding at its line. Empty stays None."""
        values: dict[str, object] = {}
        for key, row in self.rows.items():
            try:
                values[key] = _outcome(row[column], convert)
            except ValueError as error:
                findings.append(row.finding(column, str(error)))
        return values


def _outcome(cell: str, convert: Callable[[str], object]) -> object:
    if cell == UNCHANGED:
        raise ValueError("the hub has a closed list here; a code cannot stay unchanged")
    return cell if cell == QUARANTINE else None if cell in {"", TEXT_ONLY} else convert(cell)


def read_code_table(path: Path, findings: list[Finding], *, name: str) -> CodeTable | None:
    """The table in a file, or None; everything wrong is added to `findings`."""
    columns = _header(path)
    if columns[:2] not in (["local", "canonical"], ["canonical", "local"]) or columns[-1] != _LAST:
        text = "the header is local,canonical,...,title (to read) or canonical,local,...,title (to write)"
        findings.append(Finding(name, 1, "", text))
        return None
    rows: dict[str, TableRow] = {}
    reverse = columns[0] == "canonical"
    for row in read_table(path, columns, findings, name=name):
        key = row[columns[0]]
        if key in rows:
            findings.append(row.finding(columns[0], f"'{key}' has a row already, line {rows[key].line}"))
        elif not key:
            findings.append(row.finding(columns[0], "empty; an empty code stays empty without a row"))
        elif key == REST and not reverse:
            findings.append(row.finding(columns[0], "'*' would guess; only a table for writing may have it"))
        else:
            rows[key] = row
    return CodeTable(path.stem, tuple(columns), reverse, rows)


def _header(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return [cell.strip() for cell in first.split(",")]
