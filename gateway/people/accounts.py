"""What may be done to accounts, from the API and the command line; every change is kept with who made it."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canonical.rights import LIMITED_BY, Role
from gateway.hub import Hub
from gateway.people.password import digested
from gateway.refusal import Refusal
from storage.people import LIMITS, Change, LoginTaken, People, Person
from storage.sessions import Came, Sessions

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
_READABLE = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without letters that look alike."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account as somebody wants it."""

    login: str
    name: str
    role: Role
    limits: Mapping[str, Sequence[str]]
    local: bool = True
    """False: signs in with another provider alone."""


async def make(hub: Hub, wanted: Wanted, *, by: str) -> str:
    """A new account; its first password, which must be changed, or nothing. Raises Refusal."""
    check(hub, wanted)
    password = fresh_password() if wanted.local else ""
    digest = await digested(password) if password else ""
    one = Person(
        hub.ids(), wanted.login, wanted.name, wanted.role, hub.now(), password=digest, must_change=wanted.local,
        **{name: tuple(wanted.limits.get(name, ())) for name in LIMITS},  # type: ignore[arg-type]
    )  # fmt: skip
    try:
        await People(hub.store).add(one, by=by)
    except LoginTaken:
        raise Refusal(409, "login_taken", f"there is an account {wanted.login} already") from None
    return password


async def alter(hub: Hub, wanted: Wanted, *, by: str) -> None:
    """Another name, role or limits; open sessions see them with their next request. Raises Refusal."""
    check(hub, wanted)
    one = await known(hub, wanted.login)
    given: dict[str, object] = {"name": wanted.name, "role": wanted.role}
    given |= {name: tuple(wanted.limits.get(name, ())) for name in LIMITS}
    changed = {name: value for name, value in given.items() if getattr(one, name) != value}
    if changed:
        told = "; ".join(f"{name} {_said(getattr(one, name))} -> {_said(value)}" for name, value in changed.items())
        await People(hub.store).change(one.login, changed, Change.CHANGED, by=by, at=hub.now(), text=told)


async def reset(hub: Hub, login: str, *, by: str, reason: str = "") -> str:
    """A new first password, which must be changed; sessions end, a lock too. Raises Refusal."""
    one, password, people = await known(hub, login), fresh_password(), People(hub.store)
    given = {"password": await digested(password), "must_change": True}
    await people.change(login, given, Change.PASSWORD, by=by, at=hub.now(), text=_because("reset", reason))
    await Sessions(hub.store).end_all(one.id)
    await unlock(hub, login, by=by, reason=reason)
    return password


async def without_codes(hub: Hub, login: str, *, by: str, reason: str = "") -> None:
    """Somebody lost the telephone: one-time codes are off until they set them up anew. Raises Refusal."""
    await known(hub, login)
    off = {"totp": "", "totp_confirmed_at": None}
    await People(hub.store).change(login, off, Change.CODES_OFF, by=by, at=hub.now(), text=reason)


async def unlock(hub: Hub, login: str, *, by: str, reason: str = "") -> None:
    """Wrong attempts are counted anew. Raises Refusal."""
    await known(hub, login)
    await Sessions(hub.store).note(login, "administrator", Came.UNLOCKED, "", hub.now())
    await People(hub.store).change(login, {"login": login}, Change.UNLOCKED, by=by, at=hub.now(), text=reason)


async def close(hub: Hub, login: str, *, by: str, reason: str) -> None:
    """Nobody gets in with it any more; its sessions end. What its owner did stays theirs. Raises Refusal."""
    one = await known(hub, login)
    if one.login == by:
        raise Refusal(409, "own_account", "you cannot close your own account", "another administrator can")
    off = {"disabled_at": hub.now()}
    await People(hub.store).change(login, off, Change.DISABLED, by=by, at=hub.now(), text=reason)
    await Sessions(hub.store).end_all(one.id)


async def reopen(hub: Hub, login: str, *, by: str, reason: str) -> None:
    """Undo `close`. Raises Refusal."""
    await known(hub, login)
    await People(hub.store).change(login, {"disabled_at": None}, Change.ENABLED, by=by, at=hub.now(), text=reason)


async def known(hub: Hub, login: str) -> Person:
    """The account. Raises Refusal 404."""
    one = await People(hub.store).by_login(login)
    if one is None:
        raise Refusal(404, "unknown_person", f"there is no account {login[:64]}", "see GET /api/people")
    return one


def check(hub: Hub, wanted: Wanted) -> None:
    """Raises Refusal when the account cannot be right: a login, limits that mean nothing here, or none where needed."""
    if not _LOGIN.fullmatch(wanted.login):
        raise Refusal(422, "contract", "login: 2 to 64 small letters, digits, dot, hyphen, underscore or @")
    for limit in LIMITED_BY.get(wanted.role, ()):
        if not wanted.limits.get(limit):
            raise Refusal(422, "contract", f"{limit}: a {wanted.role} sees a part of the city: say which")
    city = hub.configuration.city
    unknown = {
        "units": [one for one in wanted.limits.get("units", ()) if one not in city.responsibility.units],
        "systems": [one for one in wanted.limits.get("systems", ()) if one not in hub.configuration.systems],
        "areas": [one for one in wanted.limits.get("areas", ()) if not _area(one, city.code)],
        "classes": [one for one in wanted.limits.get("classes", ()) if not any(_classes(hub, one))],
    }
    for name, ones in unknown.items():
        if ones:
            raise Refusal(422, "contract", f"{name}: '{ones[0][:64]}' is nothing in this city")


def fresh_password() -> str:
    """A first password that can be read out: sixteen characters of several kinds."""
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(4)) for _ in range(4))


def _area(code: str, city: str) -> bool:
    return code.isdigit() and code.startswith(city) and len(code) in {4, 6, 9, 12}


def _classes(hub: Hub, beginning: str) -> list[bool]:
    return [str(one).startswith(beginning) for one in hub.configuration.city.catalogue.classes]


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


def _said(value: object) -> str:
    return ",".join(value) or "-" if isinstance(value, tuple) else str(value)
