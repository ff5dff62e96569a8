"""Ledgers 台账: tables of a city's own things, such as cameras or meters, that messages name by id only.

Unlike a code table a ledger is never complete: what it does not list is unknown, and stays empty.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from canonical.findings import Finding


@dataclass(frozen=True, slots=True)
class Ledger:
    """Key to row; the first column is the key."""

    name: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, str]]

    def column(self, column: str) -> dict[str, str]:
        """Key to the value of one column."""
        return {key: row[column] for key, row in self.rows.items()}


def read_ledger(path: Path, findings: list[Finding], *, name: str) -> Ledger | None:
    """The ledger in a CSV file (UTF-8, header line), or None; what is wrong is added to `findings`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        findings.append(Finding(name, 0, "", "missing: a CSV whose first column is the key"))
        return None
    except UnicodeDecodeError as error:
        findings.append(Finding(name, 0, "", f"not UTF-8 at byte {error.start}; save it as UTF-8"))
        return None
    reader = csv.reader(io.StringIO(text))
    columns = tuple(cell.strip() for cell in next(reader, []))
    if not columns or len(set(columns)) != len(columns) or "" in columns:
        findings.append(Finding(name, 1, "", "a header with one name for every column is expected"))
        return None
    rows: dict[str, Mapping[str, str]] = {}
    for cells in reader:
        if not any(cells):
            continue
        if len(cells) != len(columns):
            findings.append(Finding(name, reader.line_num, "", f"{len(columns)} cells are expected, not {len(cells)}"))
            continue
        key = cells[0].strip()
        if not key or key in rows:
            findings.append(Finding(name, reader.line_num, columns[0], "empty" if not key else "stands here twice"))
            continue
        rows[key] = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
    return Ledger(path.stem, columns, rows)
