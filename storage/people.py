"""Accounts of people: what is known of each, and every change to one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.ids import new_id
from canonical.rights import Role, Scope
from storage.store import Store
from storage.tables import account_change, person


class Change(StrEnum):
    """What was done to an account."""

    MADE = "made"
    CHANGED = "changed"
    PASSWORD = "password"  # noqa: S105 a word for a log
    CODES_ON = "codes_on"
    CODES_OFF = "codes_off"
    DISABLED = "disabled"
    ENABLED = "enabled"
    UNLOCKED = "unlocked"


class LoginTaken(Exception):
    """Another account has the login, or the subject."""


@dataclass(frozen=True, slots=True)
class Person:
    """One account. The password is a digest, the secret of one-time codes is sealed."""

    id: UUID
    login: str
    name: str
    role: Role
    created_at: datetime
    areas: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    password: str = field(default="", repr=False)
    """Empty: signs in with another provider alone."""
    must_change: bool = False
    totp: str = field(default="", repr=False)
    totp_confirmed_at: datetime | None = None
    """None: one-time codes are not asked for."""
    subject: str = ""
    """Issuer and subject at another provider."""
    disabled_at: datetime | None = None
    seen_at: datetime | None = None

    @property
    def scope(self) -> Scope:
        """Which rows the person sees. Who has the same limits shares the name, and whatever is made for it."""
        areas, classes, systems, units = (tuple(sorted(getattr(self, name))) for name in LIMITS)
        told = _told(dict(zip(LIMITS, (areas, classes, systems, units), strict=True)))
        name = f"people {told}".strip()
        return Scope(name, areas=areas, classes=classes, systems=systems, units=units, texts=True)


LIMITS = ("areas", "classes", "systems", "units")
COLUMNS = tuple(person.c[one.name] for one in fields(Person))


class People:
    """The accounts of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def add(self, one: Person, *, by: str) -> None:
        """A new account. Raises LoginTaken."""
        row = {each.name: getattr(one, each.name) for each in fields(one)}
        row |= {name: list(row[name]) for name in LIMITS}
        try:
            async with self.store.transaction() as transaction:
                await transaction.connection.execute(insert(person).values(row))
                told = f"{one.role} {_told({name: row[name] for name in LIMITS})}".strip()
                await _note(transaction.connection, one.login, Change.MADE, told, by=by, at=one.created_at)
        except IntegrityError:
            raise LoginTaken(one.login) from None

    async def change(
        self, login: str, values: Mapping[str, Any], what: Change, *, by: str, at: datetime, text: str = ""
    ) -> bool:  # fmt: skip
        """Change an account; False when there is none. Raises LoginTaken when the subject is another's."""
        given = {name: list(value) if name in LIMITS else value for name, value in values.items()}
        try:
            async with self.store.transaction() as transaction:
                done = await transaction.connection.execute(
                    update(person).where(person.c.login == login).values(given).returning(person.c.id)
                )
                if done.first() is None:
                    return False
                await _note(transaction.connection, login, what, text, by=by, at=at)
        except IntegrityError:
            raise LoginTaken(login) from None
        return True

    async def by_login(self, login: str) -> Person | None:
        """The account with this login; None: there is none."""
        return await self._one(person.c.login == login)

    async def by_subject(self, subject: str) -> Person | None:
        """The account of somebody another provider knows."""
        return await self._one(person.c.subject == subject)

    async def listed(self, *, role: str = "", after: str = "", limit: int = 100) -> Sequence[Person]:
        """Accounts by login, those after `after`."""
        query = select(*COLUMNS).where(person.c.login > after).order_by(person.c.login).limit(limit)
        if role:
            query = query.where(person.c.role == role)
        async with self.store.transaction() as transaction:
            return [person_of(row) for row in await transaction.connection.execute(query)]

    async def any(self) -> bool:
        """True when there is an account at all."""
        async with self.store.transaction() as transaction:
            return (await transaction.connection.execute(select(person.c.id).limit(1))).first() is not None

    async def code_used(self, login: str, step: int) -> bool:
        """Mark a one-time code as used: False when it, or a later one, was used before."""
        query = update(person).where(person.c.login == login, person.c.totp_step < step).values(totp_step=step)
        async with self.store.transaction() as transaction:
            return (await transaction.connection.execute(query.returning(person.c.id))).first() is not None

    async def changes(self, login: str, *, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """What was done to an account, the newest first."""
        query = select(account_change).where(account_change.c.login == login)
        async with self.store.transaction() as transaction:
            rows = await transaction.connection.execute(query.order_by(account_change.c.id.desc()).limit(limit))
            return [dict(row._mapping) for row in rows]

    async def _one(self, condition: Any) -> Person | None:  # noqa: ANN401 a condition of SQLAlchemy
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(select(*COLUMNS).where(condition))).first()
        return person_of(row) if row else None


def person_of(row: Row[Any]) -> Person:
    """The account in a row that has `COLUMNS`, whatever else it has."""
    given = {one.name: row._mapping[one] for one in COLUMNS}
    given |= {name: tuple(given[name]) for name in LIMITS}
    return Person(**given | {"role": Role(given["role"])})


def _told(limits: Mapping[str, Sequence[str]]) -> str:
    return " ".join(f"{name}={','.join(ones)}" for name, ones in limits.items() if ones)


async def _note(
    connection: AsyncConnection, login: str, what: Change, text: str, *, by: str, at: datetime
) -> None:  # fmt: skip
    row = {"id": new_id(at), "at": at, "by": by, "login": login, "what": what, "text": text}
    await connection.execute(insert(account_change).values(row))
