"""`/api/people` and what is logged of people: for administrators and auditors."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from canonical.rights import RIGHTS, ROLE_TITLES, Right, Role
from gateway.access import Who, allowed
from gateway.duty import instant
from gateway.hub import Hub
from gateway.people import accounts
from gateway.people.accounts import Wanted
from gateway.people.api import person_view
from gateway.people.signing_in import locked_for
from gateway.refusal import Refusal, plain
from gateway.views import View, row_view
from storage.people import LIMITS, People, Person
from storage.sessions import Sessions
from storage.viewings import Viewed, Viewings

_Code = Annotated[str, Field(min_length=1, max_length=64)]
_Codes = Annotated[list[_Code], Field(max_length=200)]
_Rows = Annotated[int, Query(ge=1, le=500, description="rows at most")]
_After = Annotated[str, Query(max_length=64, description="`next` of the page before")]


class PersonOrder(BaseModel):
    """What an account is to be."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64, description="the person's name")
    role: Role
    areas: _Codes = Field(default=[], description="divisions they see, by the beginning of their codes")
    classes: _Codes = Field(default=[], description="classes they see, by the beginning of `30428.2:E04-06`")
    systems: _Codes = Field(default=[], description="systems whose cases they see")
    units: _Codes = Field(default=[], description="units whose cases they see")


class NewPersonOrder(PersonOrder):
    """A new account."""

    login: str = Field(min_length=2, max_length=64, description="small letters, digits, dot, hyphen, underscore or @")
    local: bool = Field(default=True, description="false: signs in with another provider alone")


class DoneOrder(BaseModel):
    """Something done to an account."""

    model_config = ConfigDict(extra="forbid")

    what: Literal["reset", "unlock", "close", "reopen", "without_codes"]
    reason: str = Field(default="", max_length=500, description="why; kept with it")


def people_routes(hub: Hub) -> APIRouter:
    """Accounts: made, changed, closed."""
    router, keeps = APIRouter(), allowed(hub, Right.ADMINISTER)

    @router.get("/api/people", summary="Accounts, by login")
    async def listed(
        _: Annotated[Who, Depends(keeps)], role: Role | None = None, after: _After = "", limit: _Rows = 100
    ) -> View:
        found = await People(hub.store).listed(role=role or "", after=plain(after), limit=limit)
        return {"items": [account_view(one) for one in found], "next": found[-1].login if len(found) == limit else None}

    @router.get("/api/people/roles", summary="Roles, and which rights each has")
    async def roles(_: Annotated[Who, Depends(keeps)]) -> View:
        items = [{"role": role, "title": ROLE_TITLES[role], "rights": sorted(RIGHTS[role])} for role in Role]
        return {"items": items}

    @router.post("/api/people", summary="Make an account; the first password is told once")
    async def make(order: NewPersonOrder, who: Annotated[Who, Depends(keeps)]) -> View:
        wanted = wanted_of(order.login, order, local=order.local)
        password = await accounts.make(hub, wanted, by=who.login)
        return account_view(await accounts.known(hub, wanted.login)) | {"password": password}

    @router.get("/api/people/{login}", summary="One account, and what was done to it")
    async def show(login: str, _: Annotated[Who, Depends(keeps)]) -> View:
        one = await accounts.known(hub, plain(login))
        changes = [
            {key: value for key, value in row.items() if key not in {"id", "login"}}
            for row in await People(hub.store).changes(one.login)
        ]
        return account_view(one) | {"locked_for": await locked_seconds(hub, one.login), "changes": changes}

    @router.put("/api/people/{login}", summary="Change an account; sessions that are open see it at once")
    async def alter(login: str, order: PersonOrder, who: Annotated[Who, Depends(keeps)]) -> View:
        await accounts.alter(hub, wanted_of(plain(login), order), by=who.login)
        return account_view(await accounts.known(hub, plain(login)))

    @router.post("/api/people/{login}", summary="Reset, unlock, close or reopen an account, or end one-time codes")
    async def do(login: str, order: DoneOrder, who: Annotated[Who, Depends(keeps)]) -> View:
        login, reason, password = plain(login), plain(order.reason), ""
        match order.what:
            case "reset":
                password = await accounts.reset(hub, login, by=who.login, reason=reason)
            case "unlock":
                await accounts.unlock(hub, login, by=who.login, reason=reason)
            case "without_codes":
                await accounts.without_codes(hub, login, by=who.login, reason=reason)
            case "close":
                await accounts.close(hub, login, by=who.login, reason=reason)
            case "reopen":
                await accounts.reopen(hub, login, by=who.login, reason=reason)
        return account_view(await accounts.known(hub, login)) | ({"password": password} if password else {})

    return router


def audit_routes(hub: Hub) -> APIRouter:
    """What is logged of people: who came in, and who looked at personal data."""
    router, audits = APIRouter(), allowed(hub, Right.AUDIT)

    @router.get("/api/sign-ins", summary="Who signed in and who did not, the newest first")
    async def sign_ins(
        _: Annotated[Who, Depends(audits)], login: Annotated[str, Query(max_length=64, description="of one")] = "",
        after: _After = "", limit: _Rows = 50,
    ) -> View:  # fmt: skip
        rows = await Sessions(hub.store).attempts(login=plain(login), after=_id(after), limit=limit)
        return {"items": [row_view(row) for row in rows], "next": _next(rows, limit)}

    @router.get("/api/viewings", summary="Who looked at personal data, of which case and why, the newest first")
    async def viewings(
        who: Annotated[Who, Depends(audits)],
        login: Annotated[str, Query(max_length=64, description="who looked")] = "",
        case_no: Annotated[str, Query(max_length=64, description="of one case")] = "", what: Viewed | None = None,
        since: Annotated[str, Query(max_length=40, description="from this instant on, RFC 3339")] = "",
        until: Annotated[str, Query(max_length=40, description="before this instant, RFC 3339")] = "",
        after: _After = "", limit: _Rows = 50,
    ) -> View:  # fmt: skip
        rows = await Viewings(hub.store).listed(
            scope=who.scope, login=plain(login), case_no=plain(case_no), what=what or "",
            since=_instant(since, "since"), until=_instant(until, "until"), after=_id(after), limit=limit,
        )  # fmt: skip
        return {"items": [row_view(row) for row in rows], "next": _next(rows, limit)}

    return router


def account_view(one: Person) -> View:
    """An account as administrators see it."""
    dates = {"created_at": one.created_at, "seen_at": one.seen_at, "closed_at": one.disabled_at}
    return person_view(one) | dates | {
        "local": bool(one.password), "linked": bool(one.subject), "must_change": one.must_change,
        "rights": sorted(RIGHTS[one.role]),
    }  # fmt: skip


async def locked_seconds(hub: Hub, login: str) -> int:
    """How long a login is still locked; 0: it is not."""
    return int(locked_for(await Sessions(hub.store).wrong(login), hub.now()).total_seconds())


def wanted_of(login: str, order: PersonOrder, *, local: bool = True) -> Wanted:
    """What an order asks for. Raises Refusal where a text cannot be stored."""
    limits = {name: [plain(one) for one in getattr(order, name)] for name in LIMITS}
    return Wanted(plain(login).strip().lower(), plain(order.name), order.role, limits, local=local)


def _id(after: str) -> UUID | None:
    try:
        return UUID(after) if after else None
    except ValueError:
        raise Refusal(422, "invalid", "after: `next` of the page before is expected") from None


def _instant(text: str, name: str) -> datetime | None:
    return instant(plain(text), name)


def _next(rows: Sequence[object], limit: int) -> str | None:
    return str(getattr(rows[-1], "id")) if len(rows) == limit else None  # noqa: B009 of either kind of row
