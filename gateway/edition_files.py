"""A system's folder as the files that decide how messages are read and written: packed, digested, compared.

Samples are no part of it: they decide nothing.
"""

import csv
import difflib
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

_PARTS = ("system.yaml", "messages", "codes", "contract", "ledgers")
_STILL = (1980, 1, 1, 0, 0, 0)


def files_of(folder: Path) -> dict[str, bytes]:
    """The files a declaration is made of, by name, in order."""
    found = [path for part in _PARTS for path in (folder / part, *(folder / part).rglob("*")) if path.is_file()]
    named = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: named[name].read_bytes() for name in sorted(named)}


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and bytes."""
    told = hashlib.sha256()
    for name, body in files.items():
        told.update(f"{name}\0{len(body)}\0".encode())
        told.update(body)
    return told.hexdigest()


def packed(files: Mapping[str, bytes]) -> bytes:
    """The files as a ZIP archive that has no time in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, _STILL), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files again."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def difference(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    """Two editions, file by file: rows of code tables by their first column, other files line by line."""
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"- {name}"
        elif name not in old:
            yield f"+ {name}"
        elif old[name] != new[name]:
            yield f"~ {name}"
            yield from _rows(old[name], new[name]) if name.endswith(".csv") else _lines(old[name], new[name])


def _rows(old: bytes, new: bytes) -> Iterator[str]:
    before, after = _table(old), _table(new)
    yield from (f"    - {','.join(row)}" for key, row in before.items() if key not in after)
    yield from (f"    + {','.join(row)}" for key, row in after.items() if key not in before)
    changed = (key for key in before if key in after and before[key] != after[key])
    yield from (f"    ~ {','.join(before[key])} -> {','.join(after[key])}" for key in changed)


def _table(content: bytes) -> dict[tuple[str, int], list[str]]:
    """Rows by what stands first in them; the same once more is counted."""
    rows: dict[tuple[str, int], list[str]] = {}
    for row in csv.reader(_text(content).splitlines()):
        if row:
            again = sum(1 for key, _ in rows if key == row[0])
            rows[row[0], again] = row
    return rows


def _lines(old: bytes, new: bytes) -> Iterator[str]:
    told = difflib.unified_diff(_text(old).splitlines(), _text(new).splitlines(), lineterm="", n=0)
    yield from (f"    {line}" for line in told if not line.startswith(("---", "+++")))


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace")
