"""The city's own plane systems as tables of control points 控制点, one file each."""

import math
from collections.abc import Mapping
from pathlib import Path

from canonical.coordinates import Systems
from canonical.errors import Misconfigured
from canonical.findings import Finding, Severity
from canonical.local_system import Control, LocalSystem, fitted
from canonical.tables import TableRow, read_table

COLUMNS = ("point", "x", "y", "lon", "lat")
DOUBTFUL = 1.0
"""Metres of error from which on a city should look at its control points."""


def load_systems(folder: Path, files: Mapping[str, str], findings: list[Finding]) -> Systems:
    """The systems that could be fitted; what is wrong with a table goes to `findings`."""
    made = {name: one for name, file in files.items() if (one := _fitted(folder, file, findings))}
    return Systems(made)


def _fitted(folder: Path, file: str, findings: list[Finding]) -> LocalSystem | None:
    before = len(findings)
    rows = read_table(folder / file, COLUMNS, findings, name=file)
    points = [_control(row, findings) for row in rows]
    if len(findings) > before:
        return None
    try:
        local = fitted(points)
    except Misconfigured as error:
        findings.append(Finding(file, 0, "", str(error)))
        return None
    if local.error > DOUBTFUL:
        worst = rows[local.worst]
        text = f"control point {worst['point']} lies {local.error:.2f} m from where the others put it"
        findings.append(worst.finding("x", text, severity=Severity.WARNING))
    return local


def _control(row: TableRow, findings: list[Finding]) -> Control:
    figures = []
    for column in COLUMNS[1:]:
        try:
            figures.append(float(row[column]))
        except ValueError:
            figures.append(math.nan)
        if not math.isfinite(figures[-1]):
            findings.append(row.finding(column, f"'{row[column]}' is no number"))
    return Control(*figures)
