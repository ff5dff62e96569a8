"""`sets.csv` and `loads.csv`: written line by line, so that remarks and other rows stay as people wrote them."""

import csv
import fcntl
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from canonical.errors import Misconfigured, Unavailable
from canonical.findings import Finding
from canonical.tables import TableRow, read_table

LOADS = "loads.csv"
LOAD_COLUMNS = (
    "loaded_at", "by", "set", "edition", "file", "sha256", "cells", "source", "cut", "cut_until", "undone_at",
)  # fmt: skip
"""`cut`: the edition that ends the day before; `cut_until`: its last day as it stood until then, empty: none."""
_REMARK = "# 网格入库记录: one row a `gridhub load grids`; written by gridhub, for undo and for who asks later."


@dataclass(frozen=True, slots=True)
class Loaded:
    """One row of `loads.csv`."""

    line: int
    cells: Mapping[str, str]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one may write a registry at a time. Raises Unavailable when another does."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(f"{folder.name}: another load is under way; wait for its end") from None
        yield
    finally:
        os.close(handle)


def write(path: Path, body: bytes) -> None:
    """The whole file or nothing of it. Raises Misconfigured where it may not be written."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(name).replace(path)
    except OSError as error:
        why = error.strerror or "not written"
        raise Misconfigured(f"{path.name}: {why}: is this a configuration folder of your own (--config)?") from None


def row(cells: Sequence[str]) -> str:
    """One line of a table; a cell does not span lines."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([" ".join(cell.split()) for cell in cells])
    return out.getvalue()


def lines(path: Path) -> list[str]:
    """The lines of a table as they stand, without their ends; empty where there is none."""
    return path.read_text(encoding="utf-8-sig").splitlines() if path.exists() else []


def header(table: Sequence[str]) -> list[str]:
    """The columns of a table in its own order."""
    return next(
        ([cell.strip() for cell in next(csv.reader([line]))] for line in table if line.strip() and line[0] != "#"), []
    )


def loads(folder: Path) -> list[Loaded]:
    """The loads that were made, the first first. Raises Misconfigured for a table that cannot be read."""
    if not (folder / LOADS).exists():
        return []
    findings: list[Finding] = []
    rows = read_table(folder / LOADS, LOAD_COLUMNS, findings)
    if findings:
        raise Misconfigured("\n".join(map(str, findings)))
    return [Loaded(one.line, one.cells) for one in rows]


def noted(folder: Path, values: Mapping[str, str]) -> str:
    """`loads.csv` with one row more."""
    table = lines(folder / LOADS) or [_REMARK, row(LOAD_COLUMNS)]
    return _joined([*table, row([values.get(column, "") for column in header(table)])])


def undone(folder: Path, load: Loaded, at: str) -> str:
    """`loads.csv` where that row says that it was taken back."""
    table = lines(folder / LOADS)
    table[load.line - 1] = row([{**load.cells, "undone_at": at}[column] for column in header(table)])
    return _joined(table)


def _joined(table: Sequence[str]) -> str:
    return "\n".join(table) + "\n"


class Sets:
    """`sets.csv` by its lines, changed row by row. Raises Misconfigured when it cannot be read."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        findings: list[Finding] = []
        self._rows = read_table(path, columns, findings)
        if findings:
            raise Misconfigured("\n".join(map(str, findings)))
        self._header = header(lines(path))
        self._lines = [[text] for text in lines(path)]
        """What stands in the place of each line: itself, another, none, or more."""

    def until(self, name: str, valid_from: str, valid_to: str) -> str:
        """Let an edition end on another day; empty: open. Returns the day that stood there."""
        for one in self._found(name, valid_from):
            self._lines[one.line - 1] = [self._written({**one.cells, "valid_to": valid_to})]
            return one["valid_to"]
        raise Misconfigured(f"sets.csv: no row {name} from {valid_from}")

    def add(self, values: Mapping[str, str]) -> None:
        """A row behind those of the same set."""
        same = [one.line for one in self._rows if one["set"] == values["set"]]
        self._lines[max(same, default=len(self._lines)) - 1].append(self._written(values))

    def remove(self, name: str, valid_from: str) -> None:
        """Take a row out, if it is there."""
        for one in self._found(name, valid_from):
            self._lines[one.line - 1] = []

    @property
    def body(self) -> bytes:
        """The file."""
        return _joined([text for texts in self._lines for text in texts]).encode()

    def _found(self, name: str, valid_from: str) -> list[TableRow]:
        return [one for one in self._rows if (one["set"], one["valid_from"]) == (name, valid_from)]

    def _written(self, values: Mapping[str, str]) -> str:
        return row([values.get(column, "") for column in self._header])
