"""The simulated video image database 视图库 (GA/T 1400.4): Digest, register, keepalive, subscribe; then it notifies.

Nobody tells it where the hub is: it learns the address as `ReceiveAddr`. A peer that misses three keepalives is offline
and hears nothing until it registers again; what happened meanwhile is lost to it. Where the contract is silent, every
path under /VIID wants Digest, and a request of an unregistered peer gets StatusCode 4.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from urllib.parse import urljoin, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import wire
from simulators.digest import Doorkeeper, Outcome
from simulators.door import happening, json_object, sent_target
from simulators.motor_vehicle import PLATFORM, Vehicle, catalogue, compact, notification, vehicle
from simulators.system import SHANGHAI, Setup, System

_MEDIA = "application/VIID+JSON;charset=utf-8"
_MISSES = 3
_VEHICLES = "13"
"""SubscribeDetail."""
_OK, _OTHER, _BUSY, _INVALID, _UNREADABLE = 0, 1, 2, 4, 5
"""StatusCode."""
_WORDS = {_OK: "正常", _BUSY: "设备忙"}
_SCHEMES = frozenset({"http", "https"})
_KINDS = ("vehicle", "inline", "catalogue")


@dataclass(frozen=True)
class Subscription:
    """What a peer wants to hear, and where."""

    id: str
    title: str
    details: frozenset[str]
    address: str
    begin: datetime
    end: datetime
    peer: str
    images: str
    """Our own address as the peer reaches us, for StorageUrl1."""


class ImageDatabase(System):
    """视图库. Vehicles: seen, told, refused (StatusCode not 0 to the end), lost (nobody online wanted them)."""

    name = "image_database"
    title = "模拟视频图像信息数据库"
    state_titles = {"seen": "已采集", "told": "已通知", "refused": "通知未被接受", "lost": "无在线订阅"}
    options = frozenset({"user", "algorithm", "nonce_life", "keepalive", "inline"})
    """`user`: Digest user (hub), the secret is its password; `algorithm`: MD5 or SHA-256; `nonce_life`: seconds (300);
    `keepalive`: agreed period in seconds (90); `inline`: share of pictures inside the message (0.3)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(replace(setup, hub=""))  # addresses come with the subscriptions and are whole
        chosen = setup.options
        self._gate = Doorkeeper(
            chosen.get("user", "hub"),
            setup.secret,
            algorithm=chosen.get("algorithm", "MD5"),
            life=timedelta(seconds=float(chosen.get("nonce_life", "300"))),
            clock=self.now,
            dice=self.dice("nonces"),
        )
        self._patience = _MISSES * timedelta(seconds=float(chosen.get("keepalive", "90")))
        self._inline = float(chosen.get("inline", "0.3"))
        self._peers: dict[str, datetime] = {}
        """Registered peer -> when it was heard last."""
        self._subscriptions: dict[str, Subscription] = {}
        self._vehicles: dict[str, Vehicle] = {}
        self._states: dict[str, str] = {}

    def routes(self) -> list[BaseRoute]:
        """System, subscriptions, catalogue and images; peers to read, nonces to age, one thing to trigger."""
        system = "/VIID/System"
        return [
            Route(f"{system}/Register", self._door(self._register, registered=False), methods=["POST"]),
            Route(f"{system}/UnRegister", self._door(self._unregister), methods=["POST"]),
            Route(f"{system}/Keepalive", self._door(self._keepalive), methods=["POST"]),
            Route(f"{system}/Time", self._door(self._time), methods=["GET"]),
            Route("/VIID/Subscribes", self._door(self._subscribe), methods=["POST"]),
            Route("/VIID/Subscribes/{id}", self._door(self._cancel), methods=["PUT"]),
            Route("/VIID/APEs", self._door(self._catalogue), methods=["GET"]),
            Route("/img/{name}", self._image, methods=["GET"]),
            Route("/_sim/peers", self._show_peers),
            Route("/_sim/age", self._age, methods=["POST"]),
            happening(_KINDS, self._happen),
        ]

    def items(self) -> list[dict[str, str]]:
        """The vehicles."""
        return [
            {
                "id": id_,
                "no": id_,
                "state": self._states[id_],
                "title": f"违停 {one.plate} {one.device.name}",
                "picture": "inline" if one.inline else "url",
            }
            for id_, one in self._vehicles.items()
        ]

    def create(self, number: int) -> str:
        """A camera sees a parked vehicle."""
        dice = self.dice("vehicle", number)
        return self._see(dice, number, inline=dice.random() < self._inline)

    # Inwards

    def _door(self, take: Callable[[Request, bytes], Response], *, registered: bool = True) -> Callable[..., object]:
        async def door(request: Request) -> Response:
            body = await request.body()
            outcome = self._gate.outcome(request.method, sent_target(request), request.headers.get("authorization", ""))
            if outcome is not Outcome.KNOWN:
                self.counts[f"digest_{outcome}"] += 1
                return Response(status_code=401, headers={"WWW-Authenticate": self._gate.challenge(outcome)})
            if self.fault_dice.random() < self.behaviour.refuse:
                self.counts["refusals"] += 1
                return self._status(request, _BUSY)
            if body and _media(request) != "application/viid+json":
                return self._status(request, _UNREADABLE, text="Content-Type")
            if registered and not self._online(request.headers.get("user-identify", "")):
                self.counts["unregistered"] += 1
                return self._status(request, _INVALID, text="未注册")
            return take(request, body)

        return door

    def _register(self, request: Request, body: bytes) -> Response:
        device = _inner(body, "RegisterObject").get("DeviceID")
        if not isinstance(device, str) or len(device) != 20 or device != request.headers.get("user-identify"):
            return self._status(request, _INVALID, text="DeviceID与User-Identify不符")
        self._peers[device] = self.now()
        self.counts["registered"] += 1
        return self._status(request, _OK, about=device)

    def _unregister(self, request: Request, body: bytes) -> Response:
        device = _inner(body, "UnRegisterObject").get("DeviceID")
        if device != request.headers.get("user-identify"):
            return self._status(request, _INVALID, text="DeviceID与User-Identify不符")
        del self._peers[str(device)]
        self.counts["deregistered"] += 1
        return self._status(request, _OK, about=str(device))

    def _keepalive(self, request: Request, body: bytes) -> Response:
        device = _inner(body, "KeepaliveObject").get("DeviceID")
        if device != request.headers.get("user-identify"):
            return self._status(request, _INVALID, text="DeviceID与User-Identify不符")
        self._peers[str(device)] = self.now()
        self.counts["kept_alive"] += 1
        return self._status(request, _OK, about=str(device))

    def _time(self, _request: Request, _body: bytes) -> Response:
        local = {"VIIDServerID": PLATFORM, "TimeMode": "1", "LocalTime": compact(self.now()), "TimeZone": "+08:00"}
        return JSONResponse({"SystemTimeObject": local}, media_type=_MEDIA)

    def _subscribe(self, request: Request, body: bytes) -> Response:
        listed = _inner(body, "SubscribeListObject").get("SubscribeObject")
        rows = listed if isinstance(listed, list) else []
        wanted = [_subscription(row, request) for row in rows]
        if not wanted:
            return self._status(request, _UNREADABLE, text="SubscribeListObject")
        answers = []
        for row, one in zip(rows, wanted, strict=True):
            if one is not None:
                self._subscriptions[one.id] = one
                self.counts["subscribed"] += 1
            given = str(row.get("SubscribeID", "")) if isinstance(row, dict) else ""
            code = _OTHER if one is None else _OK
            answers.append(self._row(request, code, "订阅内容不完整" if one is None else "", given))
        return _listed(answers)

    def _cancel(self, request: Request, _body: bytes) -> Response:
        if self._subscriptions.pop(request.path_params["id"], None) is None:
            return self._status(request, _OTHER, text="SubscribeID不存在", about=request.path_params["id"])
        self.counts["cancelled"] += 1
        return self._status(request, _OK, about=request.path_params["id"])

    def _catalogue(self, _request: Request, _body: bytes) -> Response:
        self.counts["catalogue_read"] += 1
        return JSONResponse(catalogue(), media_type=_MEDIA)

    async def _image(self, request: Request) -> Response:
        one = self._vehicles.get(request.path_params["name"].removesuffix(".jpg"))
        if one is None:
            return Response(status_code=404)
        self.counts["pictures_fetched"] += 1
        return Response(one.picture, media_type="image/png")

    async def _show_peers(self, _request: Request) -> Response:
        peers = {peer: "online" if self._online(peer) else "offline" for peer in self._peers}
        return JSONResponse({"peers": peers, "subscriptions": sorted(self._subscriptions)})

    async def _age(self, _request: Request) -> Response:
        self._gate.age()
        return JSONResponse({})

    def _online(self, peer: str) -> bool:
        heard = self._peers.get(peer)
        return heard is not None and self.now() - heard <= self._patience

    # Outwards

    def _happen(self, kind: str) -> str:
        self.counts["happened"] += 1
        number = self.counts["happened"]
        if kind == "catalogue":
            self.spawn(self._push_catalogue(number))
            return str(number)
        return self._see(self.dice("happen", kind, number), 50_000 + number, inline=kind == "inline")

    def _see(self, dice: Random, number: int, *, inline: bool) -> str:
        one = vehicle(dice, number, self.now(), inline=inline)
        self._vehicles[one.id] = one
        self._states[one.id] = "seen"
        self.spawn(self._notify(one, number))
        return one.id

    async def _notify(self, one: Vehicle, number: int) -> None:
        now, heard = self.now(), []
        for subscription in tuple(self._subscriptions.values()):
            if _VEHICLES in subscription.details and subscription.begin <= now <= subscription.end:
                if not self._online(subscription.peer):
                    self.counts["held_back"] += 1
                    continue
                image = f"{subscription.images}/img/{one.id}.jpg"
                document = notification(subscription.id, subscription.title, now, number, one, image)
                heard.append(await self._send(f"{one.id}/{subscription.id}", subscription.address, document))
        told = all(verdict is wire.Verdict.ACCEPTED for verdict in heard)
        self._states[one.id] = ("told" if told else "refused") if heard else "lost"

    async def _push_catalogue(self, number: int) -> None:
        for address in sorted({one.address for one in self._subscriptions.values() if self._online(one.peer)}):
            await self._send(f"catalogue/{number}", urljoin(address, "APEs"), catalogue())  # beside the notifications

    async def _send(self, about: str, address: str, document: dict[str, object]) -> wire.Verdict:
        headers = {"Content-Type": _MEDIA, "User-Identify": PLATFORM}
        request = wire.Request(address, json.dumps(document, ensure_ascii=False).encode(), headers)
        again = frozenset({wire.Verdict.UNANSWERED, wire.Verdict.REFUSED})
        return await self.tell(about, request, _judged, again=again)

    def _status(self, request: Request, code: int, *, text: str = "", about: str = "") -> Response:
        return _listed([self._row(request, code, text, about)])

    def _row(self, request: Request, code: int, text: str, about: str) -> dict[str, object]:
        return {
            "RequestURL": request.url.path,
            "StatusCode": code,
            "StatusString": text or _WORDS.get(code, "其他未知错误"),
            "Id": about,
            "LocalTime": compact(self.now()),
        }


def _listed(rows: list[dict[str, object]]) -> Response:
    return JSONResponse({"ResponseStatusListObject": {"ResponseStatusObject": rows}}, media_type=_MEDIA)


def _judged(answer: wire.Answer) -> wire.Verdict:
    """Every StatusCode 0 in an HTTP 200; anything else is told again."""
    try:
        rows = json.loads(answer.body)["ResponseStatusListObject"]["ResponseStatusObject"]
        codes = [str(row["StatusCode"]) for row in rows]
    except (ValueError, KeyError, TypeError):
        return wire.Verdict.UNANSWERED
    good = answer.status == 200 and bool(codes) and set(codes) == {"0"}
    return wire.Verdict.ACCEPTED if good else wire.Verdict.REFUSED


def _subscription(row: object, request: Request) -> Subscription | None:
    """None when something is missing."""
    if not isinstance(row, dict):
        return None
    names = ("SubscribeID", "Title", "SubscribeDetail", "ReceiveAddr", "BeginTime", "EndTime")
    id_, title, details, address, begin, end = (str(row.get(name) or "") for name in names)
    since, until = _moment(begin), _moment(end)
    if since is None or until is None or len(id_) != 33 or not details or urlsplit(address).scheme not in _SCHEMES:
        return None
    wanted = frozenset(part.strip() for part in details.split(","))
    images = f"{request.url.scheme}://{request.url.netloc}"
    return Subscription(id_, title, wanted, address, since, until, request.headers["user-identify"], images)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        return None


def _inner(body: bytes, name: str) -> dict[str, object]:
    inner = (json_object(body) or {}).get(name)
    return inner if isinstance(inner, dict) else {}


def _media(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()
