"""Files of cases as rows: what a transaction writes when a case gets files, and the addresses the hub itself gives.

A source that sends a file in pieces says so in the address, `inline:part:<file id>:<n>/<total>`; what is joined of them
lies under `inline:file:<file id>`. Bytes that came whole inside a message have `inline:sha256:<hex>`.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from canonical.records import CaseFile
from storage.rows import Arrays

INLINE = "inline:"
WHOLE = "inline:sha256:"
PART = "inline:part:"
JOINED = "inline:file:"
TOO_LONG = "long:sha256:"
"""Stands for an address that no index can hold: the digest of the address itself."""

MOST_URL = 2000
"""Bytes of an address. An index entry of PostgreSQL holds 2704, and a longer one would undo the whole transaction."""

_PART = re.compile(r"inline:part:(?P<id>.+):(?P<number>[0-9]{1,4})/(?P<total>[0-9]{1,4})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """Piece `number` of `total`, counted from 1, of the file that its source calls `file_id`."""

    file_id: str
    number: int
    total: int


def part_of(url: str) -> Part | None:
    """What the address of a part says; None when it is none, or its numbers cannot be true."""
    found = _PART.fullmatch(url)
    if found is None:
        return None
    part = Part(found["id"], int(found["number"]), int(found["total"]))
    written = f"{PART}{part.file_id}:{part.number}/{part.total}"  # `01/3` would not be found again by its numbers
    return part if 1 <= part.number <= part.total and url == written else None


def address_of(url: str) -> str:
    """Under which address a case's file stands in its row."""
    return url if len(url.encode()) <= MOST_URL else f"{TOO_LONG}{hashlib.sha256(url.encode()).hexdigest()}"


def file_rows(files: Sequence[CaseFile], now: datetime) -> Arrays:
    """The parameters of ADD_FILES, in the order of the key: two batches cannot deadlock."""
    rows = sorted((_row(file, now) for file in files), key=lambda row: (str(row[0]), str(row[1])))
    turned = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    return {name: list(column) for name, column in zip(_COLUMNS, turned, strict=True)}


def _row(file: CaseFile, now: datetime) -> tuple[object, ...]:
    attachment, state, why = file.attachment, "waiting", ""
    url, content = attachment.url, attachment.content or None
    if url.startswith(PART):  # an empty last part is one, too
        content = attachment.content
    address = address_of(url)
    if address != url and content is None:
        state, why = "gone", "the address is too long to be fetched from; the case holds it"
    return file.case_id, address, file.system, attachment.name, attachment.id, state, file.at, now, content, why


_COLUMNS = ("case_id", "url", "system", "name", "file_id", "state", "created_at", "next_at", "content", "text")

# Told again, a file is no news: it keeps its state, and a part that was joined already is dropped when it is claimed.
ADD_FILES = text("""
INSERT INTO attachment (case_id, url, system, name, file_id, state, created_at, next_at, content, text)
SELECT * FROM unnest(CAST(:case_id AS uuid[]), CAST(:url AS text[]), CAST(:system AS text[]), CAST(:name AS text[]),
  CAST(:file_id AS text[]), CAST(:state AS text[]), CAST(:created_at AS timestamptz[]), CAST(:next_at AS timestamptz[]),
  CAST(:content AS bytea[]), CAST(:text AS text[]))
ON CONFLICT (case_id, url) DO NOTHING
""")
