"""The API for people and consoles, at /api. FastAPI owns it and documents the intake doors too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from adapters import Door
from canonical.errors import Misconfigured, Unacceptable, Unavailable, Why
from canonical.message import ACCEPTED, Message
from canonical.reading import Outcome
from canonical.records import Arrival, Command
from canonical.rights import EVERYTHING, Right
from gateway.access import HEADER, Who, allowed, guard, of_the_city
from gateway.appeals.api import appeal_routes
from gateway.assessment.api import assessment_routes
from gateway.asyncapi import document
from gateway.board.api import board_routes
from gateway.board.journal import journal_routes
from gateway.board.quarantine import quarantine_routes
from gateway.board.switching import switch_routes
from gateway.bounded import bounded
from gateway.bulk import BulkDoor, bulk_operation
from gateway.case_files.api import file_routes
from gateway.clock_list import clock_routes
from gateway.clock_view import clocks_view
from gateway.cockpit.api import cockpit_routes
from gateway.cockpit.figures import figures
from gateway.console.door import ConsoleDoor
from gateway.console.maps import MapWay
from gateway.deliveries import delivery_routes
from gateway.door import LONGEST_BODY, IntakeDoor
from gateway.duty import duty_routes
from gateway.evidence.api import evidence_routes
from gateway.figures import Watch
from gateway.fusion.api import fusion_routes
from gateway.hub import Hub
from gateway.joint_view import joint_view
from gateway.live.description import live_operation
from gateway.live.door import PATH as LIVE
from gateway.live.door import LiveDoor
from gateway.live.lookout import PACE, Lookout, Pace
from gateway.metrics import CONTENT_TYPE_LATEST
from gateway.open311 import filing, open311_routes
from gateway.openapi_rights import with_rights
from gateway.openapi_schemas import gathered
from gateway.orders import ActionOrder, ordered
from gateway.people.accounts_api import audit_routes, people_routes
from gateway.people.api import own_account_routes, session_routes
from gateway.people.oidc_api import oidc_routes
from gateway.queues import queue_routes
from gateway.recent import Recent
from gateway.reception import QUEUE, Busy, Committer, summed_up
from gateway.reconciliation.api import reconcile_routes
from gateway.refusal import Refusal, plain
from gateway.renewal import Renewal
from gateway.replay.api import replay_routes
from gateway.replay.run import keep_editions
from gateway.report.api import report_routes
from gateway.search.api import search_routes
from gateway.views import View, books_view, case_view, journey_view, lifecycle_view, row_view
from gateway.vocabulary import vocabulary_routes
from gateway.wire import BULK, PREFIX, Receive, Scope, Send
from routing.commands import CENTRE
from storage.announcements import Announcements
from storage.crew import Crew
from storage.inflow import inflows
from storage.notices import Notices
from storage.scoping import OutOfScope

STATUS: dict[Why, int] = {
    Why.UNREADABLE: 400,
    Why.TOO_LARGE: 413,
    Why.UNAUTHENTICATED: 401,
    Why.CONTRACT: 422,
    Why.UNMAPPED_CODE: 422,
    Why.IMPLAUSIBLE: 422,
    Why.UNKNOWN_CASE: 404,
    Why.NOT_ALLOWED: 409,
    Why.UNKNOWN_MESSAGE: 404,
    Why.NOT_TAKEN: 409,
}
"""The one table from reason to HTTP status."""

_NO_PAGES: dict[str, Any] = {"docs_url": None, "redoc_url": None}
"""The ready-made documentation pages load scripts from elsewhere: no request leaves the machine."""
MOST = 500
MOST_BYTES = 64 * 1024
"""Of an order: its texts are bounded far below."""
Limited = Annotated[int, Query(ge=1, le=MOST, description="rows at most")]


def create_app(hub: Hub, *, longest_body: float = LONGEST_BODY, queue: int = QUEUE, pace: Pace = PACE) -> "Front":
    """The whole application: the intake door and the API, on one hub. `longest_body`: seconds a push may take; `queue`:
    pushes that may wait for a commit; `pace`: of what open consoles hear.
    """
    committer = Committer(hub.reception, queue=queue)
    maps = MapWay(hub.settings.maps_url)
    lookout = Lookout(hub, pace=pace, figures=lambda scope: figures(hub, scope, hub.now()))

    renewal = Renewal(hub)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(hub.store.close)
            stack.push_async_callback(maps.close)
            stack.push_async_callback(lookout.end)
            await stack.enter_async_context(committer)
            await keep_editions(hub)
            with suppress(Unavailable):
                await renewal.first()
            renewing = asyncio.create_task(renewal.steadily(), name="codes")
            stack.callback(renewing.cancel)
            yield

    app = FastAPI(title="gridhub", version="0.1.0", lifespan=lifespan, openapi_url="/api/openapi.json", **_NO_PAGES)
    app.include_router(_open_routes(hub))
    app.include_router(open311_routes(hub))
    replays = replay_routes(hub)
    parts = (_case_routes(hub), _acting_routes(hub, committer), _watching_routes(hub), delivery_routes(hub), replays)
    for router in parts:
        app.include_router(router)
    app.include_router(search_routes(hub))
    app.include_router(cockpit_routes(hub))
    app.include_router(file_routes(hub))
    for made in (session_routes, own_account_routes, oidc_routes, people_routes, audit_routes):
        app.include_router(made(hub))
    app.include_router(board_routes(hub))
    app.include_router(switch_routes(hub))
    app.include_router(journal_routes(hub))
    app.include_router(quarantine_routes(hub, renewal))
    app.include_router(duty_routes(hub))
    app.include_router(vocabulary_routes(hub))
    app.include_router(queue_routes(hub))
    app.include_router(clock_routes(hub))
    app.include_router(reconcile_routes(hub))
    app.include_router(fusion_routes(hub))
    app.include_router(assessment_routes(hub))
    app.include_router(appeal_routes(hub, partial(_accepted, hub, committer)))
    app.include_router(report_routes(hub))
    app.include_router(evidence_routes(hub, guard(hub)))
    app.exception_handler(Refusal)(_refusal)
    app.exception_handler(Unacceptable)(_unacceptable)
    app.exception_handler(Unavailable)(_unavailable)
    app.exception_handler(OutOfScope)(_out_of_scope)
    app.exception_handler(Misconfigured)(_misconfigured)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_plain_no)
    app.openapi = lambda: _openapi(app, hub)  # type: ignore[method-assign]
    door = IntakeDoor(hub, committer, BulkDoor(hub, silence=longest_body), longest_body)
    return Front(app, door, LiveDoor(hub, lookout), maps)


class Front:
    """One ASGI application: the hot path first, the console's files, FastAPI for everything else."""

    def __init__(self, api: FastAPI, door: IntakeDoor, live: LiveDoor, maps: MapWay) -> None:
        self.api, self.door, self.live, self.maps, self.console = api, door, live, maps, ConsoleDoor()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["path"].startswith((PREFIX, BULK)):
            await self.door(scope, receive, send)
        elif scope["type"] == "http" and (filed := filing(self.door.hub, scope)) is not None:
            await self.door(filed, receive, send)
        elif scope["type"] == "http" and scope["path"] == LIVE:
            await self.live(scope, receive, send)
        elif scope["type"] == "http" and self.maps.serves(scope):
            await self.maps(scope, receive, send)
        elif scope["type"] == "http" and self.console.serves(scope):
            await self.console(scope, send)
        else:
            await self.api(scope, bounded(receive), send)


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    body = {"error": {"code": error.code, "text": str(error), "hint": error.hint}}
    headers = {"retry-after": str(error.retry_after)} if error.retry_after else None
    return JSONResponse(body, error.status, headers)


async def _unacceptable(request: Request, error: Exception) -> Response:
    assert isinstance(error, Unacceptable)
    return await _refusal(request, Refusal(STATUS[error.why], error.why, str(error)))


async def _out_of_scope(request: Request, error: Exception) -> Response:
    return await _refusal(request, Refusal(403, "forbidden", str(error), "scopes: docs/people.md"))


async def _misconfigured(request: Request, error: Exception) -> Response:
    return await _refusal(request, Refusal(409, "misconfigured", str(error), "see gridhub check"))


async def _unavailable(_: Request, error: Exception) -> Response:
    body = {"error": {"code": "unavailable", "text": str(error), "hint": "try again in a few seconds"}}
    return JSONResponse(body, 503, {"retry-after": "5"})


async def _plain_no(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself: no such path, another method, a body that is no text."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method"}.get(error.status_code, "unreadable")
    answer = await _refusal(request, Refusal(error.status_code, code, str(error.detail), "see /api/openapi.json"))
    answer.headers.update(error.headers or {})
    return answer


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    text = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return JSONResponse({"error": {"code": "invalid", "text": text, "hint": "see /api/openapi.json"}}, 422)


def _open_routes(hub: Hub) -> APIRouter:
    router = APIRouter()

    @router.get("/api/health", summary="Is this process up, and does its database answer?")
    async def health() -> dict[str, str]:
        await hub.store.answers()
        return {"status": "ok", "city": hub.configuration.city.name}

    watch = Watch(hub)

    @router.get("/metrics", summary="Figures of this process and its database, as Prometheus reads them")
    async def metrics() -> Response:
        return Response(await watch.page(), media_type=CONTENT_TYPE_LATEST)

    @router.get("/api/lifecycle", summary="The lifecycle table: actions, stages, who may, what is needed")
    async def lifecycle() -> list[dict[str, Any]]:
        return lifecycle_view()

    @router.get("/api/asyncapi.json", summary="What is published on the bus, as AsyncAPI describes it")
    async def asyncapi() -> dict[str, Any]:
        return document()

    return router


def _case_routes(hub: Hub) -> APIRouter:
    router, see = APIRouter(), guard(hub)

    @router.get("/api/latest", summary="The cases that moved last")
    async def latest(who: Annotated[Who, Depends(see)], limit: Limited = 5) -> View:
        return {"items": [case_view(case) for case in await hub.casebook.latest(limit, scope=who.scope)]}

    @router.get("/api/cases/{number}", summary="One case by any number of any system, with its journey")
    async def case(number: str, who: Annotated[Who, Depends(see)]) -> View:
        journey = await hub.casebook.journey(plain(number), scope=who.scope)
        if journey is None:
            raise Refusal(404, Why.UNKNOWN_CASE, f"nobody knows a case {number[:64]}")
        city = hub.configuration.city
        now = hub.now()
        return journey_view(journey, city.systems) | {
            "clocks": clocks_view(journey.events, city, now),
            "joint_work": joint_view(journey, city.responsibility.units, now),
        }

    @router.get(
        "/api/units", summary="Organisation units that can be given work",
        dependencies=[Depends(allowed(hub, Right.SEE, Right.ADMINISTER))],
    )  # fmt: skip
    async def units() -> View:
        found = hub.configuration.city.responsibility.units.values()
        return {"items": [unit.model_dump(mode="json") for unit in found]}

    return router


_ORDER = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": ActionOrder.model_json_schema()}}}
}


def _acting_routes(hub: Hub, committer: Committer) -> APIRouter:
    router, operate = APIRouter(), of_the_city(hub, Right.OPERATE)

    @router.post("/api/cases/{number}/actions", summary="Do something to a case", openapi_extra=_ORDER)
    async def act(number: str, request: Request, who: Annotated[Who, Depends(allowed(hub, Right.ACT))]) -> View:
        body = await _beginning(request)
        if not who.scope.whole and await hub.casebook.named(plain(number), scope=who.scope) is None:
            raise Refusal(404, Why.UNKNOWN_CASE, f"nobody knows a case {number[:64]}")
        outcome = await _accepted(hub, committer, plain(number), body, who)
        journey = await hub.casebook.journey(outcome.case_no, scope=EVERYTHING)
        assert journey is not None
        return case_view(journey.case)

    @router.post("/api/parked/{delivery}/release", summary="Send a parked message again")
    async def release(delivery: UUID, _: Annotated[Who, Depends(operate)]) -> dict[str, bool]:
        if not await hub.outbox.release(delivery, now=hub.now()):
            raise Refusal(404, "not_parked", f"{delivery} is not parked (any more)")
        return {"released": True}

    @router.post("/api/parked/{delivery}/withdraw", summary="Never send a parked message; its lane goes on without it")
    async def withdraw(
        delivery: UUID, reason: Annotated[str, Body(embed=True, min_length=1, max_length=500)],
        _: Annotated[Who, Depends(operate)],
    ) -> View:  # fmt: skip
        if not await hub.outbox.withdraw(delivery, plain(reason), now=hub.now()):
            raise Refusal(404, "not_parked", f"{delivery} is not parked (any more)")
        return {"withdrawn": True}

    return router


def _watching_routes(hub: Hub) -> APIRouter:
    router = APIRouter(dependencies=[Depends(of_the_city(hub, Right.WATCH))])

    async def books() -> View:
        now = hub.now()
        return {"at": now, **books_view(await hub.casebook.books(now))}

    counted = Recent(books)

    @router.get("/api/summary", summary="The books: reports, cases, messages, and whether they balance")
    async def summary() -> View:
        """`at`: when it was counted. With millions of cases counting takes long, and is not done for every request."""
        return await counted.get()

    @router.get("/api/systems", summary="Connected systems, their doors and messages, and how what is fetched is doing")
    async def systems() -> View:
        flows: dict[str, list[dict[str, Any]]] = {}
        for flow in await inflows(hub.store):
            shown = {"name": flow.name, "moved_at": flow.moved_at, "trouble": flow.trouble}
            flows.setdefault(flow.system, []).append(shown)
        names = sorted(hub.configuration.systems)
        return {"items": [_system_view(name, hub) | {"inflow": flows.get(name, [])} for name in names]}

    @router.get("/api/workers", summary="Worker processes that live, and breakers that are not closed there")
    async def workers() -> View:
        return {"items": [row_view(row) for row in await Crew(hub.store).living(hub.now())]}

    @router.get("/api/bus", summary="What waits to be announced on the bus, and why nothing moves")
    async def bus() -> View:
        return row_view(await Announcements(hub.store).backlog())

    @router.get("/api/notices", summary="What people were told of failures, and what could not be told")
    async def notices(source: str = "", limit: Limited = 50) -> View:
        found = await Notices(hub.store).listed(source=plain(source), limit=limit)
        return {"items": [row_view(notice) | {"tellings": list(told)} for notice, told in found]}

    @router.get("/api/parked", summary="Outbound messages that wait for a person")
    async def parked(limit: Limited = 100) -> View:
        return {"items": [row_view(row) for row in await hub.outbox.stuck(limit=limit)]}

    return router


async def _beginning(request: Request) -> bytes:
    """The whole body, or one byte more than an order may have; the rest is read and dropped."""
    body = b""
    async for chunk in request.stream():
        body += chunk[: MOST_BYTES + 1 - len(body)]
    return body


async def _accepted(hub: Hub, committer: Committer, number: str, body: bytes, who: Who) -> Outcome:
    """What became of an order. Raises Refusal where it is not accepted."""
    outcome = await _order(hub, committer, number, body, who)
    if outcome.verdict not in ACCEPTED:
        why = outcome.why or Why.CONTRACT
        raise Refusal(STATUS[why], why, outcome.text, "what is possible: /api/lifecycle")
    return outcome


async def _order(hub: Hub, committer: Committer, number: str, body: bytes, who: Who) -> Outcome:
    """An order goes the way of every message: read, decided, committed, in the journal with who gave it."""
    message = Message(
        system=CENTRE, body=body, at=hub.now(), id=hub.ids(), door="actions", content_type="application/json",
        path=f"/api/cases/{number}/actions", headers={} if who.machine else {HEADER: who.login},
    )  # fmt: skip
    content: Command | Unacceptable
    try:
        if len(body) > MOST_BYTES:
            raise Unacceptable(f"larger than {MOST_BYTES} bytes", why=Why.TOO_LARGE)
        content = ordered(number, body, hub.now(), by="" if who.machine else who.login)
    except Unacceptable as error:
        content = error
    try:
        return summed_up(await committer.submit(message, [Arrival(message, content)]))
    except Busy:
        raise Refusal(429, "busy", "too much at once; come back in a second") from None


def _system_view(name: str, hub: Hub) -> dict[str, Any]:
    connected = hub.configuration.systems[name]
    system = connected.system
    return {
        "id": name, "title": system.role.title, "edition": system.role.edition, "source": system.role.source,
        "owner": system.role.owner, "paused": connected.paused,
        "doors": [f"{PREFIX}{name}" + (f"/{door.path.text}" if door.path.text else "") for door in system.doors],
        "pulls": [pull.name for pull in system.pulls],
        "receivers": [receiver.name for receiver in system.receivers], "outbound": sorted(system.outbound),
    }  # fmt: skip


def _operation(title: str, door: Door) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    operation: dict[str, Any] = {
        "summary": f"{title}: messages pushed to the hub, as its contract says",
        "requestBody": {"required": True, "content": dict.fromkeys(door.media_types or ("*/*",), binary)},
        "responses": {"200": {"description": "the source's own reply envelope"}},
    }
    if door.path.names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in door.path.names
        ]
    return operation


def _openapi(app: FastAPI, hub: Hub) -> dict[str, Any]:
    """FastAPI's document with the intake doors written in: they are served ahead of it."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        with_rights(document, app.routes)
        for name, connected in hub.configuration.systems.items():
            for door in connected.system.doors:
                path = f"{PREFIX}{name}" + (f"/{door.path.text}" if door.path.text else "")
                document["paths"][path] = {
                    method.lower(): _operation(connected.system.role.title, door) for method in door.methods
                }
                streamed = f"{BULK}{path.removeprefix(PREFIX)}"
                document["paths"][streamed] = {"post": bulk_operation(connected.system.role.title)}
        document["paths"][LIVE] = {"get": live_operation()}
        app.openapi_schema = gathered(document)
    return app.openapi_schema
