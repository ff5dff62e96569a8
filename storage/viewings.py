"""Looks at personal data: who looked at what of which case, when and why. Rows are added, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import insert, select, text

from canonical.ids import new_id
from canonical.rights import Scope
from storage.scoping import seen, values
from storage.store import Store
from storage.tables import viewing


class Viewed(StrEnum):
    """What was looked at."""

    REPORTER = "reporter"
    """Name and number of who reported a case."""
    MESSAGE = "message"
    """A message byte for byte."""
    EVIDENCE = "evidence"
    """An evidence pack that withholds nothing."""
    TELEPHONE = "telephone"
    """Cases looked for by a telephone number; `subject` is a digest of it."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """One look."""

    id: UUID
    at: datetime
    login: str
    what: str
    case_no: str
    subject: str
    """Which one, where a case has several: the id of a message, a digest."""
    reason: str


class Viewings:
    """The looks of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def looked(
        self, *, login: str, what: Viewed, case_no: str, subject: str = "", reason: str = "", at: datetime
    ) -> None:  # fmt: skip
        """Write the look down. Done before the answer: what could not be logged is not shown. Raises DatabaseAway."""
        row = {
            "id": new_id(at), "at": at, "login": login, "what": what, "case_no": case_no, "subject": subject,
            "reason": reason,
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(insert(viewing).values(row))

    async def listed(
        self, *, scope: Scope, login: str = "", case_no: str = "", what: str = "", since: datetime | None = None,
        until: datetime | None = None, after: UUID | None = None, limit: int = 50,
    ) -> Sequence[Viewing]:  # fmt: skip
        """The newest looks that fit, those before `after`; from `since` on and before `until`.

        A look at no case in particular is for who sees the whole city.
        """
        query = select(viewing).order_by(viewing.c.id.desc()).limit(limit)
        for column, value in ((viewing.c.login, login), (viewing.c.case_no, case_no), (viewing.c.what, what)):
            if value:
                query = query.where(column == value)
        if since:
            query = query.where(viewing.c.at >= since)
        if until:
            query = query.where(viewing.c.at < until)
        if after:
            query = query.where(viewing.c.id < after)
        if not scope.whole:
            query = query.where(text(_SEEN.format(seen=seen(scope))))
        async with self.store.transaction() as transaction:
            return [Viewing(*row) for row in await transaction.connection.execute(query, values(scope))]


_SEEN = "EXISTS (SELECT FROM cases c WHERE c.no = viewing.case_no AND {seen})"
