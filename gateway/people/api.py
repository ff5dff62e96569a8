"""`/api/session`: signing in and out, one's own password and one-time codes."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from canonical.errors import Why
from canonical.rights import RIGHTS, ROLE_TITLES, Right
from gateway.access import CENTRE, COOKIE, HEADER, Who, owed_by, present
from gateway.hub import Hub
from gateway.people import codes
from gateway.people.password import LONGEST, digested, fits, weakness
from gateway.people.signing_in import OWN, PASSWORD, SignIn, begun, locked_for, sign_in
from gateway.refusal import Refusal, plain
from gateway.views import View, row_view
from storage.people import Change, People, Person
from storage.sessions import Came, Sessions


class SessionOrder(BaseModel):
    """Sign in."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"login": "wang.min", "password": "…", "code": ""}]}
    )

    login: str = Field(min_length=1, max_length=64, description="name of the account")
    password: str = Field(min_length=1, max_length=LONGEST, description="its password")
    code: str = Field(default="", max_length=16, description="one-time code, where the account has them")


class PasswordOrder(BaseModel):
    """A new password of one's own."""

    model_config = ConfigDict(extra="forbid")

    old: str = Field(min_length=1, max_length=LONGEST, description="the password until now")
    new: str = Field(min_length=1, max_length=LONGEST, description="ten characters or more")


class CodeOrder(BaseModel):
    """The one-time code that the telephone shows now."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=16, description="six digits")


def session_routes(hub: Hub) -> APIRouter:
    """The routes of one's own session; who has none is told 401."""
    router = APIRouter()

    async def here(request: Request) -> Who:
        return await present(hub, request)

    @router.get("/api/sign-in", summary="How one may sign in: the city's name, and other providers")
    async def ways() -> View:
        """Open to everybody."""
        found = hub.configuration.people.providers.items()
        oidc = [{"id": key, "title": one.title, "url": f"/api/sign-in/{key}"} for key, one in found]
        return {"city": hub.configuration.city.name, "oidc": oidc}

    @router.post("/api/session", summary="Sign in", response_class=JSONResponse)
    async def begin(order: SessionOrder, request: Request) -> Response:
        """The session is in the cookie of the answer. `code_needed`: send the same again with the one-time code."""
        if not request.headers.get(HEADER):  # else another site could sign somebody in as somebody else
            raise Refusal(403, "forged", f"what changes something carries the header {HEADER}", "X-Gridhub: console")
        shown = SignIn(plain(order.login).strip().lower(), order.password, order.code.strip(), address_of(request))
        ended = await sign_in(hub, shown)
        if ended.person is None:
            raise _refused(ended.outcome, ended.wait)
        token = await begun(hub, ended.person, PASSWORD)
        view = session_view(hub, ended.person, PASSWORD)
        return with_cookie(hub, request, JSONResponse(view), token)

    @router.get("/api/session", summary="Who one is, and what one may do")
    async def show(who: Annotated[Who, Depends(here)]) -> View:
        return machine_view(hub) if who.session is None else session_view(hub, who.session.person, who.session.way)

    @router.delete("/api/session", summary="Sign out")
    async def end(request: Request, who: Annotated[Who, Depends(here)]) -> Response:
        if who.session is not None:
            sessions = Sessions(hub.store)
            await sessions.end(request.cookies[COOKIE])
            await sessions.note(who.login, who.session.way, Came.OUT, address_of(request), hub.now())
        answer = JSONResponse({"signed_out": True})
        answer.delete_cookie(COOKIE, path="/", secure=secured(hub, request), httponly=True, samesite="strict")
        return answer

    @router.delete("/api/session/others", summary="Sign out everywhere else")
    async def end_others(request: Request, who: Annotated[Who, Depends(here)]) -> View:
        """`ended`: how many other sessions of the account there were."""
        one = _person(who)
        assert who.session is not None
        sessions = Sessions(hub.store)
        ended = await sessions.end_all(one.id, but=who.session.digest)
        if ended:
            await sessions.note(who.login, "others", Came.OUT, address_of(request), hub.now())
        return {"ended": ended}

    @router.get(
        "/api/session/sign-ins", summary="One's own sign-ins and wrong attempts at one's login, the newest first"
    )
    async def own_sign_ins(
        who: Annotated[Who, Depends(here)],
        after: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=100, description="rows at most")] = 20,
    ) -> View:
        """`way`: `password`, `own` (a password or code shown to change something), `oidc:<provider>`."""
        rows = await Sessions(hub.store).attempts(login=_person(who).login, after=after, limit=limit)
        return {"items": [row_view(row) for row in rows], "next": str(rows[-1].id) if len(rows) == limit else None}

    return router


def own_account_routes(hub: Hub) -> APIRouter:
    """One's own password and one-time codes."""
    router = APIRouter()

    async def here(request: Request) -> Who:
        return await present(hub, request)

    @router.put("/api/session/password", summary="Change one's own password; other sessions of the account end")
    async def password(order: PasswordOrder, request: Request, who: Annotated[Who, Depends(here)]) -> View:
        one = _person(who)
        attempt = await _tried(hub, one, request)
        if not await fits(one.password, order.old):
            raise Refusal(403, "wrong", "the old password is wrong")
        await Sessions(hub.store).ended(attempt, Came.IN)
        if order.new == order.old:
            raise Refusal(422, Why.CONTRACT, "the new password is the old one")
        await set_password(hub, one, order.new, by=who.login, must_change=False)
        assert who.session is not None
        await Sessions(hub.store).end_all(one.id, but=who.session.digest)
        return {"changed": True}

    @router.post("/api/session/codes", summary="Begin with one-time codes: a secret for one's telephone")
    async def begin_codes(who: Annotated[Who, Depends(here)]) -> View:
        """They are asked for once one code was shown."""
        one = _person(who)
        if one.totp_confirmed_at is not None:
            raise Refusal(409, "codes_on", "one-time codes are on already", "DELETE /api/session/codes first")
        sealed, address = codes.fresh(hub.settings, one.login, hub.configuration.city.name)
        people = People(hub.store)
        await people.change(one.login, {"totp": sealed}, Change.CHANGED, by=one.login, at=hub.now(), text="new secret")
        return {"secret": codes.secret_of(hub.settings, sealed), "address": address}

    @router.put("/api/session/codes", summary="Show the first code: from now on they are asked for")
    async def confirm_codes(order: CodeOrder, request: Request, who: Annotated[Who, Depends(here)]) -> View:
        one, people = _person(who), People(hub.store)
        if not one.totp or one.totp_confirmed_at is not None:
            raise Refusal(409, "codes_not_begun", "no secret waits for its first code", "POST /api/session/codes")
        await _shown(hub, one, order.code, request)
        on = {"totp_confirmed_at": hub.now()}
        await people.change(one.login, on, Change.CODES_ON, by=one.login, at=hub.now())
        return {"codes": True}

    @router.delete("/api/session/codes", summary="Do without one-time codes, with one more of them")
    async def end_codes(order: CodeOrder, request: Request, who: Annotated[Who, Depends(here)]) -> View:
        one = _person(who)
        if one.totp_confirmed_at is None:
            raise Refusal(409, "codes_off", "one-time codes are off already")
        await _shown(hub, one, order.code, request)
        off = {"totp": "", "totp_confirmed_at": None}
        await People(hub.store).change(one.login, off, Change.CODES_OFF, by=one.login, at=hub.now())
        return {"codes": False}

    return router


async def _tried(hub: Hub, one: Person, request: Request) -> UUID:
    """Guessing by who came to an open screen is counted like guessing at the door. Raises Refusal: locked."""
    sessions = Sessions(hub.store)
    attempt, wrong = await sessions.attempt(one.login, OWN, address_of(request), hub.now())
    if (wait := locked_for(wrong, hub.now())) > timedelta():
        await sessions.ended(attempt, Came.LOCKED)
        raise _refused(Came.LOCKED, wait)
    return attempt


async def _shown(hub: Hub, one: Person, code: str, request: Request) -> None:
    attempt = await _tried(hub, one, request)
    step = codes.step_of(hub.settings, one.totp, code.strip(), hub.now())
    if step is None or not await People(hub.store).code_used(one.login, step):
        raise Refusal(403, "wrong", "the code is wrong, or was used already", "wait for the next one")
    await Sessions(hub.store).ended(attempt, Came.IN)


async def set_password(hub: Hub, one: Person, new: str, *, by: str, must_change: bool) -> None:
    """Raises Refusal when the password is too weak."""
    if "\0" in new or (weak := weakness(new, one.login)):
        raise Refusal(422, "weak", weak if "\0" not in new else "U+0000 is no character of a password")
    given = {"password": await digested(new), "must_change": must_change}
    await People(hub.store).change(one.login, given, Change.PASSWORD, by=by, at=hub.now())


def session_view(hub: Hub, one: Person, way: str) -> View:
    """A person as the console greets them."""
    owed = owed_by(hub.configuration.people, one, way)
    who = person_view(one) | {"rights": [] if owed else _rights(one), "owed": list(owed), "way": way}
    return {"person": who, "city": _city(hub)}


def machine_view(hub: Hub) -> View:
    """What the centre's token is."""
    everything: View = {"areas": [], "classes": [], "systems": [], "units": []}
    person: dict[str, Any] = {
        "login": CENTRE.login, "name": CENTRE.login, "role": "", "role_title": "", "scope": everything, "owed": [],
        "rights": sorted(CENTRE.rights), "way": "token", "codes": False,
    }  # fmt: skip
    return {"person": person, "city": _city(hub)}


def person_view(one: Person) -> View:
    """An account, without what it signs in with."""
    scope = {name: list(getattr(one, name)) for name in ("areas", "classes", "systems", "units")}
    return {
        "login": one.login, "name": one.name, "role": one.role, "role_title": ROLE_TITLES[one.role], "scope": scope,
        "codes": one.totp_confirmed_at is not None,
    }  # fmt: skip


def with_cookie(hub: Hub, request: Request, answer: Response, token: str) -> Response:
    """The answer with the session in it. No page of another site can send it, no script can read it."""
    told = hub.configuration.people
    longest = int(told.hours / timedelta(seconds=1))
    answer.set_cookie(
        COOKIE, token, max_age=longest, path="/", secure=secured(hub, request), httponly=True, samesite="strict"
    )
    return answer


def secured(hub: Hub, request: Request) -> bool:
    """True when cookies go over https alone: as people.yaml says, or as people reach the hub. No header is believed."""
    told = hub.configuration.people
    return told.secure if told.secure is not None else request.url.scheme == "https" or told.url.startswith("https:")


def address_of(request: Request) -> str:
    """Where a request comes from, for the log of sign-ins."""
    return request.client.host if request.client else ""


def _refused(outcome: Came, wait: timedelta) -> Refusal:
    match outcome:
        case Came.CODE_NEEDED:
            return Refusal(401, "code_needed", "a one-time code is needed", "send it as `code`")
        case Came.LOCKED:
            seconds = int(wait.total_seconds()) + 1
            text = f"too many wrong attempts: the login is locked for {seconds} more seconds"
            return Refusal(429, "locked", text, "an administrator can unlock it", retry_after=seconds)
        case Came.DISABLED:
            return Refusal(403, "disabled", "the account is closed", "ask an administrator")
        case _:
            return Refusal(401, "wrong", "login, password or code is wrong")


def _person(who: Who) -> Person:
    if who.session is None:
        raise Refusal(409, "no_account", "the centre's token is no account")
    return who.session.person


def _rights(one: Person) -> list[Right]:
    return sorted(RIGHTS[one.role])


def _city(hub: Hub) -> View:
    return {"name": hub.configuration.city.name, "code": hub.configuration.city.code}
