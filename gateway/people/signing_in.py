"""Signing in with a password and, where the account has them, a one-time code."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gateway.hub import Hub
from gateway.people.codes import step_of
from gateway.people.password import digested, fits, outdated
from storage.people import Change, People, Person
from storage.sessions import Came, Sessions

PASSWORD = "password"  # noqa: S105 a way to sign in
OWN = "own"
"""A password or a code that somebody shows who is signed in already."""
FREE = 5
"""Wrong attempts in a row before a login is locked."""
FIRST_LOCK, LONGEST_LOCK = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What somebody shows."""

    login: str
    password: str
    code: str
    address: str
    """Where the request came from."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: with a person, or why not."""

    outcome: Came
    person: Person | None = None
    wait: timedelta = timedelta()
    """Of a locked login: how long still."""


async def sign_in(hub: Hub, shown: SignIn) -> Ended:
    """Check what is shown. Each attempt counts as wrong until it is known to be right."""
    people, sessions, now = People(hub.store), Sessions(hub.store), hub.now()
    attempt, wrong = await sessions.attempt(shown.login, PASSWORD, shown.address, now)
    if (wait := locked_for(wrong, now)) > timedelta():
        await sessions.ended(attempt, Came.LOCKED)
        return Ended(Came.LOCKED, wait=wait)
    one = await people.by_login(shown.login)
    if not await fits(one.password if one else "", shown.password) or one is None:
        return Ended(Came.WRONG)
    return await _known(hub, one, shown, attempt)


async def _known(hub: Hub, one: Person, shown: SignIn, attempt: UUID) -> Ended:
    people, sessions, now = People(hub.store), Sessions(hub.store), hub.now()
    if one.disabled_at is not None:
        await sessions.ended(attempt, Came.DISABLED)
        return Ended(Came.DISABLED)
    if one.totp_confirmed_at is not None:
        if not shown.code:
            await sessions.ended(attempt, Came.CODE_NEEDED)
            return Ended(Came.CODE_NEEDED)
        step = step_of(hub.settings, one.totp, shown.code, now)
        if step is None or not await people.code_used(one.login, step):
            return Ended(Came.WRONG)
    await sessions.ended(attempt, Came.IN)
    if outdated(one.password):
        again = {"password": await digested(shown.password)}
        await people.change(one.login, again, Change.PASSWORD, by="hub", at=now, text="digest renewed")
    return Ended(Came.IN, one)


async def begun(hub: Hub, one: Person, way: str) -> str:
    """A session for somebody who is known; its token."""
    token, now = secrets.token_urlsafe(32), hub.now()
    await Sessions(hub.store).begin(token, one, way, at=now, ends_at=now + hub.configuration.people.hours)
    return token


def locked_for(wrong: Sequence[datetime], now: datetime) -> timedelta:
    """How long a login stays locked after these wrong attempts in a row, the newest first; doubled with each more."""
    if len(wrong) < FREE:
        return timedelta()
    doubled: int = 2 ** min(len(wrong) - FREE, 10)
    lock = min(FIRST_LOCK * doubled, LONGEST_LOCK)
    return max(wrong[0] + lock - now, timedelta())
