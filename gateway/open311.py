"""The hub as a GeoReport v2 server at /open311/v2: what other apps ask about the requests they filed here.

Filing is a push like every other and goes to the intake door of the connected system that has a door `requests.json`.
Only what came through such a system is shown: other sources' citizens were never told that their words are public.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from adapters.code_table import CodeTable, read_code_table
from canonical.case import Case
from canonical.findings import Finding
from canonical.message import Message
from canonical.reading import Reading
from canonical.rights import EVERYTHING
from canonical.time import SHANGHAI, in_shanghai
from gateway.configuration import Configuration
from gateway.georeport import (
    CLOSED,
    MEDIA,
    OPEN,
    Names,
    Row,
    discovery,
    failed,
    questions,
    request,
    service,
    status,
    update,
    updated,
    written,
)
from gateway.hub import Hub
from gateway.wire import PREFIX, Scope
from routing.catalogue import Acceptance
from storage.casebook import Journey

BASE = "/open311/v2"
_FILING = tuple(f"requests.{form}" for form in MEDIA)
_FOLLOWING = tuple(f"servicerequestupdates.{form}" for form in MEDIA)
_SPAN = timedelta(days=90)
_MOST = 1000
"""Requests in one answer, as the specification has it."""
_FAR = 20_000
"""Requests that pages may reach: whoever wants older ones asks for another range."""
_NAMED = 50
_BATCH = 500
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Answer = Callable[[Request, str], Awaitable[Response]]


class Problem(ValueError):
    """A question that cannot be answered, in the words the asker is told."""


def apps(configuration: Configuration) -> tuple[str, ...]:
    """The connected systems that file requests by GeoReport."""
    return tuple(
        name
        for name, one in sorted(configuration.systems.items())
        if {door.path.text for door in one.system.doors} >= set(_FILING)
    )


def filing(hub: Hub, scope: Scope) -> Scope | None:
    """The scope of a filing, or of an update of one, as its intake door knows it; None for anything else."""
    named = str(scope["path"]).removeprefix(f"{BASE}/")
    if scope["method"] != "POST" or named not in (*_FILING, *_FOLLOWING):
        return None
    systems = hub.configuration.systems
    of = (name for name in apps(hub.configuration) if any(d.path.text == named for d in systems[name].system.doors))
    if (system := next(of, "")) == "":
        return None
    path = f"{PREFIX}{system}/{named}"
    return {**scope, "path": path, "raw_path": quote(path).encode()}


def open311_routes(hub: Hub) -> APIRouter:
    """The questions of GeoReport v2; nothing when no such app is connected."""
    router = APIRouter(prefix=BASE, include_in_schema=False)
    if apps(hub.configuration):
        asked = Asked(hub, apps(hub.configuration))
        for path, answer in (
            ("/services.{form}", asked.services),
            ("/services/{id}.{form}", asked.definition),
            ("/requests.{form}", asked.requests),
            ("/requests/{id}.{form}", asked.one),
            ("/tokens/{id}.{form}", asked.token),
            ("/servicerequestupdates.{form}", asked.updates),
        ):
            router.add_api_route(path, _guarded(answer), methods=["GET"])
        router.add_api_route("/discovery.{form}", _guarded(asked.discovery), methods=["GET"])
        router.add_api_route("/{rest:path}", _nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    return router


async def _nothing(asked: Request) -> Response:
    form = asked.path_params["rest"].rpartition(".")[2]
    return failed(form, 404, "only services, requests, tokens, servicerequestupdates and discovery are here")


def _guarded(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(asked: Request) -> Response:
        form = asked.path_params["form"]
        if form not in MEDIA:
            return failed("xml", 400, "format not supported: json or xml")
        if any("\0" in value for value in (*asked.query_params.values(), asked.path_params.get("id", ""))):
            return failed(form, 400, "U+0000 cannot be looked for")
        try:
            return await answer(asked, form)
        except Problem as problem:
            return failed(form, 400, str(problem))

    return guarded


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for. Both ends belong to the range."""

    first: datetime
    last: datetime
    moved: tuple[datetime | None, datetime | None]
    """Moved last not before and not after these: not of the specification, but asked for by many."""
    states: frozenset[str]
    codes: frozenset[str]
    page: int
    size: int

    def fits(self, case: Case) -> bool:
        """True when the list shall hold the case."""
        after, before = self.moved
        return (
            self.first <= case.received_at <= self.last
            and (after is None or after <= updated(case))
            and (before is None or updated(case) <= before)
            and status(case) in self.states
            and (not self.codes or str(case.class_code) in self.codes)
        )


class Asked:
    """The answers, over one hub."""

    def __init__(self, hub: Hub, systems: tuple[str, ...]) -> None:
        self._hub, self._systems = hub, systems
        city = hub.configuration.city
        self._names = Names(city.catalogue, {id_: unit.name for id_, unit in city.responsibility.units.items()})
        self._questions = questions(_table(hub, systems[0]))
        self._services = services(hub.configuration, systems[0], partial(_probe, hub), self._questions)

    async def discovery(self, asked: Request, form: str) -> Response:
        """Where everything else is."""
        url = f"{str(asked.base_url).rstrip('/')}{BASE}"
        return written("discovery", discovery(url, self._hub.configuration.city.name), form)

    async def services(self, _asked: Request, form: str) -> Response:
        """What can be filed."""
        return written("services", list(self._services.values()), form)

    async def definition(self, asked: Request, form: str) -> Response:
        """The further questions of a service."""
        code = asked.path_params["id"]
        if code not in self._services:
            return failed(form, 404, "service_code provided was not found")
        return written("service_definition", {"service_code": code, "attributes": self._questions.get(code, [])}, form)

    async def requests(self, asked: Request, form: str) -> Response:
        """A list: by numbers, or by range, status and service, newest first."""
        given = asked.query_params
        if numbers := _listed(given.get("service_request_id")):  # overrides everything else
            if len(numbers) > _NAMED:
                raise Problem(f"service_request_id: at most {_NAMED}")
            named = [await self._known(number) for number in dict.fromkeys(numbers)]
            rows = [self._row(journey) for journey in named if journey is not None]
        else:
            query = _query(given, self._hub.now())
            cases = [case async for case in self._found(query)]
            cases.sort(key=lambda case: case.no, reverse=True)
            page = cases[(query.page - 1) * query.size : query.page * query.size]
            rows = [request(case, self._names, told=True) for case in page]
        return written("service_requests", rows, form)

    async def one(self, asked: Request, form: str) -> Response:
        """One request, by our number."""
        journey = await self._known(asked.path_params["id"])
        if journey is None:
            return failed(form, 404, "service_request_id provided was not found")
        return written("service_requests", [self._row(journey)], form)

    async def token(self, asked: Request, form: str) -> Response:
        """The number behind a token. Filing gives the number at once, so the number itself is its token."""
        token = asked.path_params["id"]
        journey = await self._known(token)
        if journey is None:
            return failed(form, 404, "token provided was not found")
        return written("service_requests", [{"service_request_id": journey.case.no, "token": token}], form)

    async def updates(self, asked: Request, form: str) -> Response:
        """What moved in a range of time, the oldest first. Not of the specification, but of its usual extension."""
        first, last = _range(asked.query_params, self._hub.now())
        moves = await self._hub.casebook.moves(self._systems, first, last, limit=_FAR + 1)
        if len(moves) > _FAR:
            raise Problem("too many updates: ask for a shorter range")
        rows = [update(one.case, one.event) for one in moves if one.event.from_ not in {None, one.event.to}]
        return written("service_request_updates", rows, form)

    async def _known(self, number: str) -> Journey | None:
        journey = await self._hub.casebook.journey(number, scope=EVERYTHING)
        return journey if journey and any(one.system in self._systems for one in journey.bindings) else None

    def _row(self, journey: Journey) -> Row:
        """A request that joined another source's case shows that case without that source's words."""
        return request(journey.case, self._names, told=journey.case.source in self._systems)

    async def _found(self, query: Query) -> AsyncIterator[Case]:
        """All cases that fit, in the order of their numbers: these begin with the city and the day of receipt."""
        code = self._hub.configuration.city.code
        count = 0
        for system in self._systems:
            after = f"{code}{in_shanghai(query.first):%Y%m%d}"
            ends = f"{code}{in_shanghai(query.last):%Y%m%d}~"
            while after < ends:
                cases = await self._hub.casebook.find(scope=EVERYTHING, source=system, after=after, limit=_BATCH)
                for case in cases:
                    if query.fits(case):
                        count += 1
                        yield case
                if count > _FAR:
                    raise Problem("too many requests: ask for a shorter range")
                after = cases[-1].no if len(cases) == _BATCH else ends


def services(
    configuration: Configuration,
    system: str,
    probe: Callable[[str, str], Reading | None],
    asks: Mapping[str, Sequence[Row]],
) -> Mapping[str, Row]:
    """The classes of the city that can be filed: not refused by it, and read by the app's declaration as they are."""
    catalogue, found = configuration.city.catalogue, {}
    for code, one in catalogue.classes.items():
        reading = probe(system, str(code)) if one.acceptance is not Acceptance.REFUSE else None
        if reading and reading.report and reading.report.class_code == code:
            found[str(code)] = service(one, catalogue, asks=str(code) in asks)
    return found


def _table(hub: Hub, system: str) -> CodeTable | None:
    """The questions in the app's folder, checked when it was loaded; a folder need not have any."""
    findings: list[Finding] = []
    path = hub.configuration.systems[system].folder / "codes" / "questions.csv"
    return read_code_table(path, findings, name=path.name) if path.is_file() else None


def _probe(hub: Hub, system: str, code: str) -> Reading | None:
    """How a filing with this service_code would be read. It is read only; nothing is taken in."""
    body = urlencode({"service_code": code, "address_string": "?"}).encode()
    message = Message(
        system=system, body=body, at=hub.now(), id=hub.ids(), path="requests.json",
        content_type="application/x-www-form-urlencoded", door=_door(hub, system),
    )  # fmt: skip
    [reading] = hub.configuration.systems[system].system.read(message)
    return reading if isinstance(reading, Reading) else None


def _door(hub: Hub, system: str) -> str:
    doors = hub.configuration.systems[system].system.doors
    return next(door.name for door in doors if door.path.text == "requests.json")


def _query(given: Mapping[str, str], now: datetime) -> Query:
    """What is asked. Raises Problem."""
    first, last = _range(given, now)
    states = frozenset(_listed((given.get("status") or "").lower())) or frozenset({OPEN, CLOSED})
    if states - {OPEN, CLOSED}:
        raise Problem("status must be open or closed")
    page, size = _number(given, "page", 1, _FAR), _number(given, "page_size", _MOST, _MOST)
    moved = _moment(given, "updated_after"), _moment(given, "updated_before", day_end=True)
    return Query(first, last, moved, states, frozenset(_listed(given.get("service_code"))), page, size)


def _range(given: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    first, last = _moment(given, "start_date"), _moment(given, "end_date", day_end=True)
    if last is None:
        last = now if first is None else min(max(now, first), first + _SPAN)
    first = first or last - _SPAN
    if not timedelta(0) <= last - first <= _SPAN:
        raise Problem("start_date and end_date must be in order and may not span more than 90 days")
    return first, last


def _moment(given: Mapping[str, str], name: str, *, day_end: bool = False) -> datetime | None:
    """An instant; of a day alone, which the W3C's format allows, its beginning or its end in the city's zone."""
    text = given.get(name)
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            day = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
            return day + timedelta(days=1, microseconds=-1) if day_end else day
        at = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that nobody escaped
        if at.tzinfo is not None:
            return in_shanghai(at)
    except (ValueError, OverflowError):
        pass
    raise Problem(f"{name} must be in w3 format with a zone, as 2026-05-20T00:00:00+08:00")


def _number(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= most):
        raise Problem(f"{name} must be a number from 1 to {most}")
    return int(text)


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
