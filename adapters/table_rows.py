"""What a table leaves to be understood: how many rows there must be, and cells that mean the one above."""

import re
from collections.abc import Sequence

from canonical.errors import Unacceptable, Why

_SEARCHED = 2000
"""Characters of a trailer that are looked at."""


def unreadable_at(at: str, text: str) -> Unacceptable:
    """Trouble at a place of a file."""
    return Unacceptable(f"{at}: {text}", why=Why.UNREADABLE, at=at)


def check_count(trailer: str, pattern: str, rows: int) -> None:
    """Hold a file to the number of rows its trailer tells. Raises Unacceptable: half a file is none."""
    if not pattern:
        return
    found = re.search(pattern, trailer[:_SEARCHED])
    if found is None or not (found[1] or "").strip().isdecimal():
        raise unreadable_at("trailer", f"it tells no number of rows: the file was cut off after {rows} rows, or more")
    if int(found[1]) != rows:  # the number itself may be anything, where the last rows are missing
        raise unreadable_at(
            "trailer", f"it tells another number than the {rows} rows there: cut off, or rows were lost"
        )


def filled_down(rows: list[dict[str, str]], columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows with the empty cells of these columns as the cell above. Raises Unacceptable for a column not there."""
    above = dict.fromkeys(columns, "")
    for row in rows:
        for column in columns:
            if column not in row:
                raise unreadable_at("header", f"no column '{column}', which fill_down names")
            above[column] = row[column] = row[column] if row[column].strip() else above[column]
    return rows
