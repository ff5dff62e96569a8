"""Who is let in to the API, what they may do there, and which rows they see."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from fastapi import Request

from canonical.errors import Why
from canonical.rights import EVERYTHING, RIGHTS, Right, Scope
from gateway.hub import Hub
from gateway.people.file import PeopleSettings
from gateway.refusal import Refusal
from storage.people import Person
from storage.scoping import whole
from storage.sessions import Open, Sessions

COOKIE = "gridhub_session"
HEADER = "x-gridhub"
"""What changes something must carry it: no other site's page can send it without asking first."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who asks: a person who signed in, or a machine with the centre's token."""

    login: str
    rights: frozenset[Right]
    scope: Scope
    session: Open | None = None
    """None: the centre's token."""
    owed: tuple[str, ...] = ()
    """What must be done before anything else: `password`, `code`."""

    def may(self, right: Right) -> bool:
        """True when the right is theirs."""
        return right in self.rights

    @property
    def machine(self) -> bool:
        """True for the centre's token: it says in each order who acts."""
        return self.session is None


CENTRE = Who("centre", frozenset(Right), EVERYTHING)
"""Who shows the centre's token."""
Asking = Callable[[Request], Awaitable[Who]]


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """A dependency that lets in who has one of these rights, and says who it is."""

    hub: Hub
    rights: tuple[Right, ...]
    city: bool = False
    """True: who sees a part of the city is not let in."""

    async def __call__(self, request: Request) -> Who:
        """Raises Refusal: 401, or 403; OutOfScope."""
        who = await present(self.hub, request)
        if who.owed:
            text = f"first of all: {', '.join(who.owed)}"
            raise Refusal(403, "owed", text, "PUT /api/session/password, or set up one-time codes")
        if not any(who.may(right) for right in self.rights):
            text = f"{who.login} has not the right {' or '.join(map(repr, map(str, self.rights)))}"
            raise Refusal(403, "forbidden", text, "rights: docs/people.md")
        if self.city:
            whole(who.scope)
        return who


def allowed(hub: Hub, *rights: Right) -> Asking:
    """Lets in who has this right, or one of these."""
    return Allowed(hub, rights)


def guard(hub: Hub) -> Asking:
    """Lets in who may look."""
    return allowed(hub, Right.SEE)


def of_the_city(hub: Hub, right: Right) -> Asking:
    """Lets in who has this right and sees the whole city: for what cannot be told by cases."""
    return Allowed(hub, (right,), city=True)


def acting(who: Who, said: str) -> str:
    """Who acts: the person who signed in; with the centre's token, who the order names. Raises Refusal: nobody."""
    if not who.machine:
        return who.login
    if not said.strip():
        raise Refusal(422, Why.CONTRACT, "say who decides (actor): the centre's token is many people's")
    return said


async def present(hub: Hub, request: Request) -> Who:
    """Who asks, whatever they may do. Raises Refusal 401, and 403 where the header against forgery is missing."""
    if request.headers.get("authorization"):
        if (machine := by_token(hub, request.headers)) is not None:
            return machine
    elif token := request.cookies.get(COOKIE):
        if request.method not in _SAFE and not request.headers.get(HEADER):
            raise Refusal(403, "forged", f"what changes something carries the header {HEADER}", "X-Gridhub: console")
        found = await Sessions(hub.store).find(token, now=hub.now(), idle=hub.configuration.people.idle)
        if found is not None:
            return of_session(hub.configuration.people, found)
        raise Refusal(401, Why.UNAUTHENTICATED, "the session has ended", "sign in again")
    hint = "sign in at POST /api/session, or send Authorization: Bearer <GRIDHUB_CENTRE_TOKEN>"
    raise Refusal(401, Why.UNAUTHENTICATED, "the token is missing or wrong", hint)


async def still(hub: Hub, who: Who) -> bool:
    """True while who asked may go on listening: the session lasts, the account is open and as it was."""
    if who.session is None:
        return True
    found = await Sessions(hub.store).again(who.session.digest, now=hub.now(), idle=hub.configuration.people.idle)
    if found is None:
        return False
    now = of_session(hub.configuration.people, found)
    return (now.scope, now.rights) == (who.scope, who.rights)


def of_session(told: PeopleSettings, session: Open) -> Who:
    """A person as they may act now."""
    one = session.person
    owed = owed_by(told, one, session.way)
    return Who(one.login, frozenset() if owed else RIGHTS[one.role], one.scope, session, owed)


def owed_by(told: PeopleSettings, one: Person, way: str) -> tuple[str, ...]:
    """What the person must do before anything else. Who comes from another provider shows its codes there."""
    if way != "password":
        return ()
    code = one.role in told.codes and one.totp_confirmed_at is None
    return ("password",) * one.must_change + ("code",) * code


def by_token(hub: Hub, headers: Mapping[str, str]) -> Who | None:
    """Who shows the centre's token; None: nobody."""
    expected = hub.settings.centre_token.encode()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    known = bool(expected) and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected)
    return CENTRE if known else None


def cookie_of(header: str) -> str:
    """The session's token in a cookie header, for doors beside FastAPI; empty: none."""
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
