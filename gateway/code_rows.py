"""Adding a row to a code table of a system's folder: checked on a copy first, the file's own line ends kept."""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import adapters
from adapters.code_table import QUARANTINE, read_code_table
from canonical.errors import Misconfigured
from canonical.findings import Finding, Severity
from storage.code_rows import CodeRow


def add_row(folder: Path, table: str, local: str, canonical: str, title: str) -> tuple[Path, int]:
    """The file and line of the new row. Raises Misconfigured when it is there already, or makes the folder wrong."""
    file = folder / "codes" / f"{table.removesuffix('.csv')}.csv"
    if Path(table).name != table or not file.is_file():
        known = ", ".join(path.stem for path in sorted(folder.glob("codes/*.csv"))) or "none"
        raise Misconfigured(f"{file.name}: no such table in {folder / 'codes'}; there are: {known}")
    old = file.read_bytes()
    key = _key(file, local, canonical)
    new = old + row_bytes(file, old, {"local": local, "canonical": canonical, "title": title})
    line = len(new.decode("utf-8-sig").splitlines())
    _try_on_a_copy(folder, file, new, key)
    _replaced(file, new)
    return file, line


def export_rows(folder: Path, rows: Iterable[CodeRow]) -> list[tuple[CodeRow, Path, int]]:
    """Write what counts of these rows and stands in no table yet; each with its file and line. Raises Misconfigured."""
    last = {(row.table, row.local): row for row in rows}
    written = []
    for row in last.values():
        table = read_code_table(folder / "codes" / f"{row.table}.csv", [], name=row.table)
        if table is None or row.local in table.rows or row.canonical == QUARANTINE:
            continue
        written.append((row, *add_row(folder, row.table, row.local, row.canonical, row.title)))
    return written


def _key(file: Path, local: str, canonical: str) -> str:
    """The new row's key, which stands in no row yet."""
    findings: list[Finding] = []
    table = read_code_table(file, findings, name=f"codes/{file.name}")
    if table is None:
        raise Misconfigured("\n".join(map(str, findings)))
    key = canonical if table.reverse else local
    if key in table.rows:
        row = table.rows[key]
        second = row[table.columns[1]]
        raise Misconfigured(f"codes/{file.name}:{row.line}: '{key}' has a row already: {second}; edit that line")
    return key


def row_bytes(file: Path, old: bytes, values: dict[str, str]) -> bytes:
    """The row in the file's order of columns; a column nobody gave stays empty."""
    text = old.decode("utf-8-sig")
    end = "\r\n" if "\r\n" in text else "\n"
    header = next(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    columns = [cell.strip() for cell in next(csv.reader([header]))]
    if any(sign in value for value in values.values() for sign in "\r\n"):
        raise Misconfigured(f"codes/{file.name}: a cell holds no line end")
    written = io.StringIO()
    csv.writer(written, lineterminator=end).writerow([values.get(column, "") for column in columns])
    before = "" if not text or text.endswith("\n") else end
    return (before + written.getvalue()).encode()


def _try_on_a_copy(folder: Path, file: Path, new: bytes, key: str) -> None:
    """What the row would make wrong is said before the folder is touched."""
    with tempfile.TemporaryDirectory(prefix="gridhub-codes-") as made:
        copy = Path(made) / folder.name
        shutil.copytree(folder, copy)
        before = set(adapters.check(copy))
        changed = copy / "codes" / file.name
        changed.write_bytes(new)
        wrong = [one for one in adapters.check(copy) if one.severity is Severity.ERROR and one not in before]
        if wrong:
            raise Misconfigured("the row was not added:\n" + "\n".join(map(str, wrong)))
        table = read_code_table(changed, [], name=file.name)
        if table is None or key not in table.rows:
            raise Misconfigured(f"codes/{file.name}: '{key}' cannot be the key of a row: it would read as a remark")


def _replaced(file: Path, new: bytes) -> None:
    """A reader sees the old file or the new one, never half of it."""
    beside = file.with_name(f".{file.name}.new")
    beside.write_bytes(new)
    shutil.copymode(file, beside)
    os.replace(beside, file)  # noqa: PTH105 the same as Path.replace, which reads as a text's


def editable(connected: Path, into: Path | None) -> tuple[Path, bool]:
    """The folder whose tables are edited, and whether it was just made as a copy. Raises Misconfigured.

    What ships with the hub is not edited in place: an update would lose the rows. `into`: a folder to edit instead,
    made as a copy when it is not there.
    """
    if into is None:
        if connected.resolve() in {path.resolve() for path in adapters.shipped().values()}:
            raise Misconfigured(
                f"{connected} ships with the hub, and an update would lose the row. Give the city its own folder:"
                f" --into CONFIG/{connected.name} copies it beside systems.yaml, where `adapter: {connected.name}`"
                " finds it first; later rows go there by themselves"
            )
        return connected, False
    if (into / "system.yaml").is_file():
        return into, False
    if into.exists():
        raise Misconfigured(f"{into} is there and holds no system.yaml")
    shutil.copytree(connected, into)
    return into, True
