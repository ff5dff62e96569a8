"""A simulated Open311 GeoReport v2 server 市民服务, and at will a client that files requests at the hub's own server.

As a server it has residents and works: requests go open -> closed, filed ones too. A batch service answers a token
whose number is there a step later. `open311_reporter` is the client.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hmac import compare_digest
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators.georeport import MEDIA, failed, written
from simulators.open311_reporter import Reporter
from simulators.service_request import BATCH, CLOSED, OPEN, SERVICES, Service, ServiceRequest, residents_request
from simulators.system import Setup, System

_BASE = "/open311/v2"
_BREATH = 0.05
"""Least seconds between two polls."""
_SPAN = timedelta(days=90)
_MOST = 1000
_LONGEST = 4000
"""Characters of a description."""
_NOTES = "已派工处理"
_CLOSINGS = ("已现场处置完毕", "已修复并恢复正常")
_NOT_OURS = "不属于本部门职责，请向相关部门反映"


class Open311(System):
    """Open311. Requests of this server are open or closed; filed ones also filing, token, refused, unanswered."""

    name = "open311"
    title = "模拟Open311市民服务平台"
    state_titles = {
        "open": "处理中",
        "closed": "已办结",
        "token": "待取号",
        "refused": "未受理",
        "unanswered": "无应答",
    }
    options = frozenset({"mode", "jurisdiction", "format", "base", "door"})
    """`mode`: server (residents report here) or client (they report at the hub); `jurisdiction`: required when set;
    `format`: json or xml, as a client; `base`: our path, `door`: the hub's (both /open311/v2)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        chosen = setup.options
        self._client_mode = {"server": False, "client": True}[chosen.get("mode", "server")]
        self._jurisdiction = chosen.get("jurisdiction", "")
        self._base = chosen.get("base", _BASE)
        form = chosen.get("format", "json")
        if form not in MEDIA:
            raise ValueError("format is json or xml")
        self._reporter = Reporter(self, chosen.get("door", _BASE), form, self._jurisdiction)
        self._requests: dict[str, ServiceRequest] = {}
        self._last_id = self.dice("id").randrange(10_000, 900_000)

    def routes(self) -> list[BaseRoute]:
        """The six methods; filing at the hub and asking about it."""
        base = self._base
        return [
            Route(f"{base}/services.{{form}}", self._door(self._services), methods=["GET"]),
            Route(f"{base}/services/{{id}}.{{form}}", self._door(self._definition), methods=["GET"]),
            Route(f"{base}/requests.{{form}}", self._door(self._list), methods=["GET"]),
            Route(f"{base}/requests.{{form}}", self._post, methods=["POST"]),
            Route(f"{base}/requests/{{id}}.{{form}}", self._door(self._one), methods=["GET"]),
            Route(f"{base}/tokens/{{id}}.{{form}}", self._door(self._token), methods=["GET"]),
            Route("/_sim/file", self._file_now, methods=["POST"]),
            Route("/_sim/poll", self._poll_now, methods=["POST"]),
        ]

    def items(self) -> list[dict[str, str]]:
        """Our requests, then what we filed at the hub."""
        ours = [
            {
                "id": one.id,
                "no": one.id,
                "state": one.status,
                "title": f"{one.service.name} {one.address}".strip(),
                "kind": "received" if one.filed else "resident",
            }
            for one in self._requests.values()
        ]
        theirs = [
            {"id": one.id, "no": one.number or one.token or one.id, "state": one.state, "title": one.description,
             "kind": "filed", "notes": one.notes}
            for one in self._reporter.filed.values()
        ]  # fmt: skip
        return ours + theirs

    def create(self, number: int) -> str:
        """A resident reports: here, or at the hub."""
        dice = self.dice("request", number)
        if self._client_mode:
            return self._reporter.file(dice)
        one = residents_request(dice, self._next_id(), self.now())
        self._requests[one.id] = one
        self.spawn(self._handle(one.id))
        return one.id

    def lose(self, item_id: str) -> bool:
        """A request that was here is not."""
        return self._requests.pop(item_id, None) is not None

    def change_silently(self, item_id: str, state: str) -> bool:
        """`open` or `closed`."""
        if item_id not in self._requests or state not in {OPEN, CLOSED}:
            return False
        self._change(item_id, status=state)
        return True

    async def work(self) -> None:
        """As every system; a client also asks about what it filed, every `pace` seconds."""
        if self._client_mode:
            await asyncio.gather(super().work(), self._follow())
        await super().work()

    # The server

    def _door(self, take: Callable[[Request, str], Response]) -> Callable[[Request], object]:
        async def door(request: Request) -> Response:
            form = request.path_params["form"]
            problem = self._stopped(form, dict(request.query_params))
            return problem or take(request, form)

        return door

    def _stopped(self, form: str, given: Mapping[str, str]) -> Response | None:
        if form not in MEDIA:
            return failed("xml", 400, "format not supported")
        if self._jurisdiction:
            named = given.get("jurisdiction_id", "")
            if named != self._jurisdiction:
                self.counts["refusals"] += 1
                if not named:
                    return failed(form, 400, "jurisdiction_id was not provided")
                return failed(form, 404, "jurisdiction_id provided was not found")
        if self.fault_dice.random() < self.behaviour.refuse:
            self.counts["refusals"] += 1
            return failed(form, 400, "service is not available just now")
        return None

    def _services(self, _request: Request, form: str) -> Response:
        return written("services", [one.written() for one in SERVICES.values()], form)

    def _definition(self, request: Request, form: str) -> Response:
        service = SERVICES.get(request.path_params["id"])
        if service is None:
            return failed(form, 404, "service_code provided was not found")
        attributes = [one.written(order) for order, one in enumerate(service.attributes, 1)]
        return written("service_definition", {"service_code": service.code, "attributes": attributes}, form)

    def _list(self, request: Request, form: str) -> Response:
        query = request.query_params
        numbers = _listed(query.get("service_request_id"))
        if numbers:  # overrides all other arguments
            found = [self._requests[one] for one in numbers if one in self._requests]
            return written("service_requests", [one.written() for one in found if one.numbered], form)
        span = _span(query.get("start_date"), query.get("end_date"), self.now())
        if isinstance(span, str):
            return failed(form, 400, span)
        states, codes = _listed(query.get("status")), _listed(query.get("service_code"))
        found = [
            one
            for one in self._requests.values()
            if one.numbered
            and span[0] <= one.requested <= span[1]
            and (not states or one.status in states)
            and (not codes or one.service.code in codes)
        ]
        found.sort(key=lambda one: (one.requested, one.id), reverse=True)
        self.counts["listed"] += len(found[:_MOST])
        return written("service_requests", [one.written() for one in found[:_MOST]], form)

    def _one(self, request: Request, form: str) -> Response:
        one = self._requests.get(request.path_params["id"])
        if one is None or not one.numbered:
            return failed(form, 404, "service_request_id was not found")
        return written("service_requests", [one.written()], form)

    def _token(self, request: Request, form: str) -> Response:
        token = request.path_params["id"]
        one = next((one for one in self._requests.values() if one.token == token), None)
        if one is None:
            return failed(form, 404, "token was not found")
        row = {"service_request_id": one.id if one.numbered else None, "token": token}
        return written("service_requests", [row], form)

    async def _post(self, request: Request) -> Response:
        form, fields = request.path_params["form"], _form(await request.body())
        stopped = self._stopped(form, fields)
        if stopped is not None:
            return stopped
        if not compare_digest(fields.get("api_key", "").encode(), self.setup.secret.encode()):
            self.counts["unauthenticated"] += 1
            return failed(form, 403, "Missing or invalid api_key")
        problems = _problems(fields)
        if problems:
            self.counts["refusals"] += 1
            return failed(form, 400, *problems)
        one = self._taken(fields, SERVICES[fields["service_code"]])
        if one.token:
            return written("service_requests", [{"token": one.token}], form)
        row = {"service_request_id": one.id, "service_notice": "三个工作日内处理", "account_id": None}
        return written("service_requests", [row], form)

    def _taken(self, fields: Mapping[str, str], service: Service) -> ServiceRequest:
        now, description = self.now(), fields.get("description", "")
        lat, lon = (float(fields[name]) if fields.get(name) else None for name in ("lat", "long"))
        known = [(one.service, one.description, one.lat, one.lon) for one in self._requests.values() if one.filed]
        self.counts["doubles"] += (service, description, lat, lon) in known  # it becomes a second one all the same
        id_ = self._next_id()
        batch = service.type == BATCH
        one = ServiceRequest(
            id_, service, description, lat, lon, fields.get("address_string", ""), now, now, filed=True,
            token=f"T{id_}" if batch else "", numbered=not batch,
        )  # fmt: skip
        self._requests[id_] = one
        self.counts["reported"] += 1
        self.spawn(self._handle(id_))
        return one

    async def _handle(self, request_id: str) -> None:
        """Numbered if need be, sent out, closed; or closed at once because it is not ours."""
        dice = self.dice("work", request_id)
        returned, closing = dice.random() < self.behaviour.returned, dice.choice(_CLOSINGS)
        await self.step()
        if returned:
            self.counts["returned"] += 1
            self._change(request_id, numbered=True, status=CLOSED, notes=_NOT_OURS)
            return
        self.counts["signed"] += 1
        self._change(request_id, numbered=True, notes=_NOTES)
        await self.step()
        self.counts["finished"] += 1
        self._change(request_id, status=CLOSED, notes=closing)

    def _change(self, request_id: str, **changes: object) -> None:
        if request_id not in self._requests:
            return  # lost
        self._requests[request_id] = replace(self._requests[request_id], updated=self.now(), **changes)  # type: ignore[arg-type]

    def _next_id(self) -> str:
        self._last_id += 1
        return f"SR-{self._last_id}"

    # The client

    async def _file_now(self, _request: Request) -> Response:
        self.counts["filings"] += 1
        return JSONResponse({"id": self._reporter.file(self.dice("file", self.counts["filings"]))})

    async def _poll_now(self, _request: Request) -> Response:
        await self._reporter.poll()
        return JSONResponse({one.id: one.state for one in self._reporter.filed.values()})

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(max(self.behaviour.pace, _BREATH))
            if not self.quiet:
                await self._reporter.poll()


def _form(body: bytes) -> dict[str, str]:
    """The last value of every field; a field that is not UTF-8 becomes replacement characters."""
    return {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}


def _problems(fields: Mapping[str, str]) -> list[str]:
    """All that is wrong with a filing."""
    found = []
    service = SERVICES.get(fields.get("service_code", ""))
    if service is None:
        found.append("service_code was not found" if fields.get("service_code") else "service_code was not provided")
    if not _located(fields):
        found.append("lat and long, address_string or address_id must be provided")
    if len(fields.get("description", "")) > _LONGEST:
        found.append("description is too long")
    for one in service.attributes if service else ():
        value = fields.get(f"attribute[{one.code}]", "")
        if one.required and not value:
            found.append(f"attribute[{one.code}] was not provided")
        elif value and one.values and value not in dict(one.values):
            found.append(f"attribute[{one.code}] has no such value")
    return found


def _located(fields: Mapping[str, str]) -> bool:
    if not (fields.get("lat") or fields.get("long")):
        return bool(fields.get("address_string") or fields.get("address_id"))
    try:
        lat, lon = float(fields["lat"]), float(fields["long"])
    except (KeyError, ValueError):
        return False
    return abs(lat) <= 90 and abs(lon) <= 180


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _span(start: str | None, end: str | None, now: datetime) -> tuple[datetime, datetime] | str:
    """The range asked for; a text says what is wrong with it."""
    try:
        first, last = (datetime.fromisoformat(text) if text else None for text in (start, end))
    except ValueError:
        return "start_date and end_date must be in w3 format"
    if any(moment is not None and moment.tzinfo is None for moment in (first, last)):
        return "start_date and end_date must carry a zone"
    if first is not None and last is not None and last - first > _SPAN:
        return "the range may not span more than 90 days"
    if last is None:
        last = now if first is None else max(now, first) if now - first <= _SPAN else first + _SPAN
    return first or last - _SPAN, last
