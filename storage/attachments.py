"""Files of cases: what waits to be fetched, who is at it, and what became of it. The bytes lie in the file store.

A case never waits for its files, and nothing here changes a case: a file that is gone stays as a reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import TextClause, text

from canonical.records import CaseFile
from storage.file_rows import ADD_FILES, JOINED, PART, Part, file_rows
from storage.files import Stored
from storage.store import Store

_LONGEST_TEXT = 500


class FileState(StrEnum):
    """One file's way into the file store."""

    WAITING = "waiting"
    FETCHING = "fetching"
    """Claimed by a worker until its lease ends."""
    STORED = "stored"
    GONE = "gone"
    """It will not be tried again: expired, or refused for ever. The case keeps the reference."""


@dataclass(frozen=True, slots=True)
class DueFile:
    """A file in a worker's hands."""

    case_id: UUID
    system: str
    url: str
    name: str
    attempts: int
    """This attempt included."""
    content: bytes | None = field(repr=False)
    """Bytes that came inside the message. None for a part, whose pieces `contents` gives."""
    created_at: datetime
    id: str = ""
    """The file's own id at the system, when the message told one."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of a case as people see it."""

    url: str
    name: str
    system: str
    state: FileState
    sha256: str
    """Its name in the file store; empty until it is stored."""
    size: int
    """Bytes."""
    media: str
    text: str
    """Why it is not here yet, or never will be."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How much of a file that comes in parts is here."""

    here: int
    """Parts."""
    size: int
    """Bytes of them together."""
    joined: bool
    """It has been put together before: these parts came once more."""


class Attachments:
    """The files of cases in one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def add(self, files: Sequence[CaseFile], *, now: datetime) -> None:
        """Files that cases got; one that the case has already stays as it is."""
        await self._write(ADD_FILES, file_rows(files, now))

    async def claim(
        self, *, limit: int, now: datetime, lease: timedelta,
        each: int | None = None, busy: Mapping[str, int] | None = None,
    ) -> list[DueFile]:  # fmt: skip
        """Up to `limit` files that are due, now ours until the lease ends.

        `each`: at most so many of one system, less what `busy` says is under way: a system that does not answer must
        not hold the places of all others.
        """
        under_way = busy or {}
        values = {
            "limit": limit, "now": now, "lease": now + lease, "each": limit if each is None else each,
            "systems": list(under_way), "taken": list(under_way.values()), "part": f"{PART}%",
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_CLAIM, values)).all()
        return [DueFile(*row) for row in rows]

    async def keep(self, file: DueFile, lease: datetime) -> None:
        """Still at it: ours until `lease`. Nothing happens when another worker has taken it over meanwhile."""
        await self._write(_KEEP, _key(file) | {"lease": lease})

    async def stored(self, file: DueFile, stored: Stored) -> None:
        """It lies in the file store. Whoever says so is right: the same address gives the same file."""
        await self._write(_STORED, _key(file) | _facts(stored))

    async def retry(self, file: DueFile, text: str, at: datetime) -> None:
        """Not now; again at `at`. Nothing happens when another worker has taken it over meanwhile."""
        await self._write(_RETRY, _key(file) | {"text": text[:_LONGEST_TEXT], "at": at})

    async def gone(self, file: DueFile, text: str) -> None:
        """Never again. Bytes that came with the message stay with the row, for a person to look at."""
        await self._write(_GONE, _key(file) | {"text": text[:_LONGEST_TEXT]})

    async def pieces(self, file: DueFile, part: Part) -> Pieces:
        """What is here of the file that this part belongs to."""
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(_PIECES, _pieces(file, part))).one()
        return Pieces(*row)

    async def contents(self, file: DueFile, part: Part) -> list[bytes]:
        """All parts that are here, in the order of their numbers."""
        async with self.store.transaction() as transaction:
            return list((await transaction.connection.execute(_CONTENTS, _pieces(file, part))).scalars())

    async def join(self, file: DueFile, part: Part, stored: Stored | None) -> None:
        """One stored file in the place of its parts. `stored`: None when it has been joined before."""
        keys = _pieces(file, part)
        async with self.store.transaction() as transaction:
            if stored is not None:
                values = keys | _facts(stored) | {"name": file.name, "system": file.system}
                values |= {"created_at": file.created_at, "attempts": file.attempts}
                await transaction.connection.execute(_JOIN, values)
            await transaction.connection.execute(_DROP_PARTS, keys)

    async def of_case(self, case_id: UUID) -> list[FileRow]:
        """All files of a case, in the order in which it got them."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_OF_CASE, {"case": case_id})).all()
        return [FileRow(url, name, system, FileState(state), *rest) for url, name, system, state, *rest in rows]

    async def counts(self) -> dict[str, dict[FileState, int]]:
        """How many files of each system stand in each state; states without any are left out."""
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_COUNTS)).all()
        found: dict[str, dict[FileState, int]] = {}
        for system, state, number in rows:
            found.setdefault(system, {})[FileState(state)] = number
        return found

    async def _write(self, statement: TextClause, values: Mapping[str, object]) -> None:
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(statement, values)


def _key(file: DueFile) -> dict[str, object]:
    return {"case": file.case_id, "url": file.url, "attempts": file.attempts}


def _facts(stored: Stored) -> dict[str, object]:
    return {"sha256": stored.sha256, "size": stored.size, "media": stored.media}


def _pieces(file: DueFile, part: Part) -> dict[str, object]:
    """Every address a part of this file can have; the numbers stand in the addresses and nowhere else."""
    urls = [f"{PART}{part.file_id}:{number}/{part.total}" for number in range(1, part.total + 1)]
    return {"case": file.case_id, "urls": urls, "joined": f"{JOINED}{part.file_id}"}


# The parts' bytes are not read here: a claim would read each of them once for every part that comes.
_CLAIM = text("""
WITH due AS (
  SELECT DISTINCT system FROM attachment
   WHERE next_at <= :now AND (state = 'waiting' OR (state = 'fetching' AND lease_until < :now))),
busy AS (SELECT * FROM unnest(CAST(:systems AS text[]), CAST(:taken AS int[])) AS b(system, taken)),
chosen AS (
  SELECT f.case_id, f.url FROM due LEFT JOIN busy USING (system) CROSS JOIN LATERAL (
    SELECT a.case_id, a.url, a.next_at FROM attachment a
     WHERE a.system = due.system AND a.next_at <= :now
       AND (a.state = 'waiting' OR (a.state = 'fetching' AND a.lease_until < :now))
     ORDER BY a.next_at LIMIT greatest(CAST(:each AS int) - coalesce(busy.taken, 0), 0)
     FOR UPDATE SKIP LOCKED) AS f
   ORDER BY f.next_at LIMIT :limit)
UPDATE attachment a SET state = 'fetching', lease_until = :lease, attempts = a.attempts + 1
  FROM chosen WHERE a.case_id = chosen.case_id AND a.url = chosen.url
RETURNING a.case_id, a.system, a.url, a.name, a.attempts,
          CASE WHEN a.url LIKE :part THEN NULL ELSE a.content END AS content, a.created_at, a.file_id
""")
_STORED = text("""
UPDATE attachment SET state = 'stored', lease_until = NULL, content = NULL, text = '', sha256 = :sha256, size = :size,
       media = :media
 WHERE case_id = :case AND url = :url
""")
# A worker that was taken for dead must not put back what another holds now: the number of the attempt tells them apart.
_MINE = "WHERE case_id = :case AND url = :url AND state = 'fetching' AND attempts = :attempts"
_KEEP = text(f"UPDATE attachment SET lease_until = :lease {_MINE}")  # noqa: S608
_RETRY = text(f"UPDATE attachment SET state = 'waiting', lease_until = NULL, next_at = :at, text = :text {_MINE}")  # noqa: S608
_GONE = text(f"UPDATE attachment SET state = 'gone', lease_until = NULL, text = :text {_MINE}")  # noqa: S608
_PIECES = text("""
SELECT count(content), coalesce(sum(octet_length(content)), 0),
       EXISTS (SELECT 1 FROM attachment WHERE case_id = :case AND url = :joined)
  FROM attachment WHERE case_id = :case AND url = ANY(CAST(:urls AS text[]))
""")
_CONTENTS = text("""
SELECT a.content FROM attachment a
  JOIN unnest(CAST(:urls AS text[])) WITH ORDINALITY AS w(url, number) USING (url)
 WHERE a.case_id = :case AND a.content IS NOT NULL ORDER BY w.number
""")
_JOIN = text("""
INSERT INTO attachment (case_id, url, system, name, state, attempts, created_at, next_at, sha256, size, media)
VALUES (:case, :joined, :system, :name, 'stored', :attempts, :created_at, :created_at, :sha256, :size, :media)
ON CONFLICT (case_id, url) DO NOTHING
""")
_DROP_PARTS = text("DELETE FROM attachment WHERE case_id = :case AND url = ANY(CAST(:urls AS text[]))")
_OF_CASE = text("""
SELECT url, name, system, state, sha256, size, media, text FROM attachment
 WHERE case_id = :case ORDER BY created_at, url
""")
_COUNTS = text("SELECT system, state, count(*) FROM attachment GROUP BY system, state ORDER BY system, state")
