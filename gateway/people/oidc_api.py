"""`/api/sign-in/{provider}`: to another provider and back."""

from urllib.parse import quote, unquote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gateway.hub import Hub
from gateway.people.api import address_of, secured, with_cookie
from gateway.people.oidc import answered, asked, person_for, provider_of
from gateway.people.signing_in import begun
from gateway.refusal import Refusal, plain
from storage.sessions import Came, Sessions

CONSOLE = "/console/"
_STATE = "gridhub_asked"


def oidc_routes(hub: Hub) -> APIRouter:
    """A browser goes through them; what goes wrong is told by the console's sign-in page."""
    router = APIRouter()

    def back_of(request: Request, provider: str) -> str:
        base = hub.configuration.people.url or str(request.base_url).rstrip("/")
        return f"{base}/api/sign-in/{provider}/back"

    @router.get("/api/sign-in/{provider}", summary="To another provider", response_class=RedirectResponse)
    async def go(provider: str, request: Request, then: str = CONSOLE) -> Response:
        """`then`: where to go afterwards, a path of the console."""
        try:
            there = await provider_of(hub, plain(provider))
        except Refusal as no:
            return _told(no)
        url, state = await asked(hub, there, back_of(request, provider), _within(then))
        answer = RedirectResponse(url, 303)
        answer.set_cookie(
            _STATE, state, max_age=600, path="/api/sign-in", httponly=True, samesite="lax",
            secure=secured(hub, request),
        )  # fmt: skip
        return answer

    @router.get("/api/sign-in/{provider}/back", summary="Back from it", response_class=RedirectResponse)
    async def back(
        provider: str, request: Request, state: str = "", code: str = "", error: str = ""
    ) -> Response:  # fmt: skip
        """Where the provider sends the browser."""
        sessions = Sessions(hub.store)
        try:
            there = await provider_of(hub, plain(provider))
            known = request.cookies.get(_STATE, "")
            waiting = await sessions.answered(plain(state), hub.now()) if state and known == state else None
            if waiting is None or waiting.provider != provider:
                raise Refusal(403, "forged", "this browser asked for no sign-in, or too long ago", "begin again")
            if error or not code:
                raise Refusal(401, "provider", f"{there.told.title} did not let you in: {error[:80] or 'no code'}")
            claims = await answered(hub, there, back_of(request, provider), code, waiting)
            one = await person_for(hub, there, claims)
        except Refusal as no:
            return _told(no)
        way = f"oidc:{provider}"
        await sessions.note(one.login, way, Came.IN, address_of(request), hub.now())
        answer = with_cookie(hub, request, RedirectResponse(waiting.back, 303), await begun(hub, one, way))
        answer.delete_cookie(_STATE, path="/api/sign-in")
        return answer

    return router


def _told(no: Refusal) -> Response:
    """Back to the sign-in page, which says why."""
    return RedirectResponse(f"{CONSOLE}sign-in?why={quote(no.code)}&text={quote(str(no))}", 303)


def _within(then: str) -> str:
    """A path of the console; its beginning for whatever leads out of it, however browsers may read it."""
    steps = unquote(urlsplit(then).path).split("/")
    out = not then.startswith(CONSOLE) or "\\" in unquote(then) or not then.isprintable() or {".", ".."} & set(steps)
    return CONSOLE if out else then[:500]
