"""Sessions of people who signed in, and the log of who came in and who did not."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.ids import new_id
from storage.people import COLUMNS, Person, person_of
from storage.store import Store
from storage.tables import oidc_asked, person, session, sign_in


class Came(StrEnum):
    """How an attempt to sign in ended."""

    IN = "in"
    WRONG = "wrong"
    """Wrong login, password or code, or not ended yet: until it is known to be right it counts as wrong."""
    CODE_NEEDED = "code_needed"
    LOCKED = "locked"
    DISABLED = "disabled"
    OUT = "out"
    UNLOCKED = "unlocked"


_AGAIN = frozenset({Came.IN, Came.UNLOCKED})
"""After these the count of wrong attempts begins anew."""
_COUNTED = (*_AGAIN, Came.WRONG)
"""What the count looks at: else attempts at a locked login would push the wrong ones out of sight, and open it."""
TOUCHED_EVERY = timedelta(minutes=1)
_LOOKED_AT = 64


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to sign in, or what else the log tells."""

    id: UUID
    at: datetime
    login: str
    way: str
    outcome: str
    address: str


@dataclass(frozen=True, slots=True)
class Open:
    """A session, and whose it is."""

    person: Person
    digest: str
    way: str
    created_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in on its way through another provider."""

    provider: str
    verifier: str
    nonce: str
    back: str


class Sessions:
    """The sessions of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # --- attempts ---

    async def attempt(self, login: str, way: str, address: str, at: datetime) -> tuple[UUID, Sequence[datetime]]:
        """Write an attempt down as wrong, and the wrong ones before it since the last right one, newest first.

        Attempts at one login come one after the other: many at once are counted like many in a row.
        """
        id_ = new_id(at)
        row = {"id": id_, "at": at, "login": login, "way": way, "outcome": Came.WRONG, "address": address}
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_ONE_AT_A_TIME, {"login": login})
            before = await _wrong(transaction.connection, login)
            await transaction.connection.execute(insert(sign_in).values(row))
        return id_, before

    async def wrong(self, login: str) -> Sequence[datetime]:
        """When there were wrong attempts since the last right one, the newest first."""
        async with self.store.transaction() as transaction:
            return await _wrong(transaction.connection, login)

    async def ended(self, attempt: UUID, outcome: Came) -> None:
        """How the attempt ended."""
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(
                update(sign_in).where(sign_in.c.id == attempt).values(outcome=outcome)
            )  # fmt: skip

    async def note(self, login: str, way: str, outcome: Came, address: str, at: datetime) -> None:
        """Something else for the log."""
        row = {"id": new_id(at), "at": at, "login": login, "way": way, "outcome": outcome, "address": address}
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(insert(sign_in).values(row))

    async def attempts(self, *, login: str = "", after: UUID | None = None, limit: int = 50) -> Sequence[Attempt]:
        """The newest rows of the log, those before `after`."""
        query = select(sign_in).order_by(sign_in.c.id.desc()).limit(limit)
        query = query.where(sign_in.c.login == login) if login else query
        query = query.where(sign_in.c.id < after) if after else query
        async with self.store.transaction() as transaction:
            return [Attempt(**row._mapping) for row in await transaction.connection.execute(query)]

    # --- sessions ---

    async def begin(self, token: str, of: Person, way: str, *, at: datetime, ends_at: datetime) -> None:
        """A session for who shows this token. What has ended goes."""
        row = {
            "digest": digest(token), "person": of.id, "way": way, "created_at": at, "seen_at": at, "ends_at": ends_at,
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(delete(session).where(session.c.ends_at < at))
            await transaction.connection.execute(insert(session).values(row))
            await transaction.connection.execute(update(person).where(person.c.id == of.id).values(seen_at=at))

    async def find(self, token: str, *, now: datetime, idle: timedelta) -> Open | None:
        """The session of this token; None when there is none, it has ended, or its person is locked out."""
        return await self.again(digest(token), now=now, idle=idle)

    async def again(self, known: str, *, now: datetime, idle: timedelta) -> Open | None:
        """The same by the token's digest."""
        mine = session.c.digest == known
        query = select(session.c.way, session.c.created_at, session.c.seen_at, session.c.ends_at, *COLUMNS)
        query = query.join_from(session, person, session.c.person == person.c.id)
        good = (session.c.ends_at > now) & (session.c.seen_at > now - idle) & person.c.disabled_at.is_(None)
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(query.where(mine, good))).first()
            if row is None:
                return None
            way, created_at, seen_at, ends_at = row[:4]
            if seen_at < now - TOUCHED_EVERY:
                await transaction.connection.execute(update(session).where(mine).values(seen_at=now))
        return Open(person_of(row), known, way, created_at, ends_at)

    async def end(self, token: str) -> None:
        """Sign out."""
        await self._delete(session.c.digest == digest(token))

    async def end_all(self, of: UUID, *, but: str = "") -> int:
        """End every session of a person, besides the one of this digest; how many there were."""
        return await self._delete((session.c.person == of) & (session.c.digest != but))

    # --- through another provider ---

    async def ask(self, state: str, asked: Asked, at: datetime) -> None:
        """Remember what was asked; what was never answered goes after ten minutes."""
        row = {
            "state": digest(state), "provider": asked.provider, "verifier": asked.verifier, "nonce": asked.nonce,
            "back": asked.back, "at": at,
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(delete(oidc_asked).where(oidc_asked.c.at < at - _ASKED_FOR))
            await transaction.connection.execute(insert(oidc_asked).values(row))

    async def answered(self, state: str, now: datetime) -> Asked | None:
        """What was asked with this state; once, and not later than ten minutes after."""
        taken = delete(oidc_asked).where(oidc_asked.c.state == digest(state), oidc_asked.c.at > now - _ASKED_FOR)
        columns = (oidc_asked.c.provider, oidc_asked.c.verifier, oidc_asked.c.nonce, oidc_asked.c.back)
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(taken.returning(*columns))).first()
        return Asked(*row) if row else None

    async def _delete(self, condition: Any) -> int:  # noqa: ANN401 a condition of SQLAlchemy
        async with self.store.transaction() as transaction:
            return (await transaction.connection.execute(delete(session).where(condition))).rowcount


async def _wrong(connection: AsyncConnection, login: str) -> Sequence[datetime]:
    rows = await connection.execute(
        select(sign_in.c.outcome, sign_in.c.at)
        .where(sign_in.c.login == login, sign_in.c.outcome.in_(_COUNTED))
        .order_by(sign_in.c.id.desc())
        .limit(_LOOKED_AT)
    )
    return [at for outcome, at in takewhile(lambda row: row[0] not in _AGAIN, rows)]


def digest(token: str) -> str:
    """What the database knows of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


_ASKED_FOR = timedelta(minutes=10)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('sign_in ' || :login, 0))")
