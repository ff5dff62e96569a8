"""Tables that officials edit: CSV with a header, UTF-8, `#` lines as remarks. Rows know their line for findings.

And one guard for every table that goes out to be opened in a spreadsheet.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from canonical.findings import Finding, Severity

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table and where it stands."""

    file: str
    line: int
    """1-based line of the file."""
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def finding(self, key: str, text: str, *, severity: Severity = Severity.ERROR) -> Finding:
        """An error, or a warning, at this row."""
        return Finding(self.file, self.line, key, text, severity)


def read_table(
    path: Path, columns: Sequence[str], findings: list[Finding], *, name: str = "", optional: Sequence[str] = ()
) -> list[TableRow]:
    """The rows of a CSV file, cells stripped. `name` is how findings call the file (default: its file name).

    A column of `optional` may be missing; its cells are empty then.

    What is wrong (no file, no UTF-8, a missing or unknown column, a row of another length) is added to `findings`;
    rows that could be read are returned all the same, so that everything is found at once.
    """
    file = name or path.name
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        findings.append(Finding(file, 0, "", f"missing; a table with the columns {', '.join(columns)} is expected"))
        return []
    except UnicodeDecodeError as error:
        findings.append(Finding(file, 0, "", f"not UTF-8 at byte {error.start}; save it as UTF-8"))
        return []
    rows = _rows(text.splitlines())
    line, header = next(rows, (0, []))
    known = ", ".join([*columns, *optional])
    findings += [Finding(file, line, column, "column missing") for column in columns if column not in header]
    findings += [
        Finding(file, line, column, f"unknown column; known: {known}")
        for column in header
        if column not in columns and column not in optional
    ]
    if any(column not in header for column in columns):
        return []
    table, left_out = [], dict.fromkeys(optional, "")
    for line, cells in rows:
        if len(cells) != len(header):
            findings.append(Finding(file, line, "", f"{len(cells)} cells where the header has {len(header)}"))
            continue
        table.append(TableRow(file, line, left_out | dict(zip(header, cells, strict=True))))
    return table


def harmless(text: str) -> str:
    """As a cell that a spreadsheet takes for no formula (CSV injection, OWASP; full-width signs too)."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is neither blank nor a remark. A quoted cell does not span lines."""
    for number, text in enumerate(lines, start=1):
        if text.strip() and not text.startswith("#"):
            yield number, [cell.strip() for cell in next(csv.reader([text]))]
