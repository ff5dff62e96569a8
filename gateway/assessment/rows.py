"""The rows of a sheet as a list: looked through, sorted by any column, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from assessment.sheet import Assessed, Sheet
from assessment.yaml_file import near
from canonical.errors import ContractViolation

RANK = "rank"
_OWN = ("rank", "name", "score", "grade", "group")


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of them."""

    rows: Sequence[Assessed]
    following: str | None
    """What to ask on with; None: that was all."""
    found: int
    """How many there are on all pages."""


def rows_of(sheet: Sheet, *, sort: str, text: str, after: str, limit: int) -> Rows:
    """The rows whose name, id or group has the text, sorted by `sort` (with `-`: the largest first), after one of them.

    Who has no such figure stands last, either way. Raises ContractViolation for what cannot be sorted by, and where
    the row to go on after is there no more.
    """
    column = sort.removeprefix("-") or RANK
    known = [*_OWN, *(one.id for one in sheet.columns)]
    if column not in known:
        raise ContractViolation(f"sort: there is no '{column[:64]}'{near(column, known)}", at="sort")
    rows = [row for row in sheet.rows if text in row.name or text in row.id or text in row.group]
    if column != RANK or sort.startswith("-"):
        rows = _sorted(rows, column, descending=sort.startswith("-"))
    start = 0
    if after:
        start = next((at for at, row in enumerate(rows, 1) if row.id == after), 0)
        if not start:
            raise ContractViolation("after: that row is there no more; begin anew", at="after")
    page = rows[start : start + limit]
    return Rows(page, page[-1].id if start + limit < len(rows) else None, len(rows))


def _sorted(rows: Sequence[Assessed], column: str, *, descending: bool) -> list[Assessed]:
    """Equals stay in the order of the ranking."""
    having = [row for row in rows if _key(row, column) is not None]
    without = [row for row in rows if _key(row, column) is None]
    return sorted(having, key=lambda row: _key(row, column), reverse=descending) + without  # type: ignore[arg-type,return-value]


def _key(row: Assessed, column: str) -> float | str | None:
    if column in _OWN:
        found: float | str | None = getattr(row, column)
        return found if found != "" else None
    figure = row.figures.get(column)
    return figure.value if figure else None
