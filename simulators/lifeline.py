"""The simulated urban lifeline platform 城市生命线: pushes work orders to the hub and takes progress back.

The path of the reply is a setting, because the public document stops before it. Constructed here: the texts of the
refusals, that a state never goes backwards, and that the last reply sent twice is taken twice and changes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import city, wire
from simulators.door import happening, json_object
from simulators.system import Setup, System
from simulators.wire import Verdict

_TIME = "%Y-%m-%d %H:%M:%S"
_DOOR = "/in/lifeline/TbPushWork/uploadTbPushWork"
_REPLY_PATH = "/TbPushWork/replyWork"
_OK, _FAILED = 10000, 10001
WAITING, WORKING, DONE = 0, 1, 2
"""state."""
_NO_GOOD_ANSWER = frozenset({Verdict.UNANSWERED, Verdict.REFUSED})
"""Anything but code 10000: the order is pushed again."""
_ATTACHMENT = "http://lifeline.example.gov.cn/a"


class Trouble(NamedTuple):
    """What happens in one specialty and how the platform writes it."""

    prefix: str
    scene: str
    type: int
    """0 event, 1 warning, 2 risk, 3 hidden danger, 4 device."""
    text: str
    sendscene: str


TROUBLES = (
    Trouble("GS", "供水", 1, "DN300供水管压力骤降，疑似爆管，请核查处置", "供水"),
    Trouble("GS", "供水", 0, "路面渗水并有塌陷迹象，请核查供水管网", "供水,排水"),
    Trouble("GS", "供水", 4, "供水流量计通讯中断，请检修", "供水"),
    Trouble("RQ", "燃气", 1, "相邻地下空间甲烷浓度12%LEL，三级预警", "燃气,排水"),
    Trouble("RQ", "燃气", 2, "第三方施工距燃气中压管不足1米，请现场监护", "燃气"),
    Trouble("RQ", "燃气", 3, "餐饮场所软管超期未换，限期整改", "燃气"),
    Trouble("PS", "排水", 1, "下穿通道液位超警戒线，请启动强排", "排水"),
    Trouble("PS", "排水", 3, "雨水井溢流，疑似管道淤堵", "排水"),
    Trouble("QL", "桥梁", 2, "桥梁主跨挠度接近限值，请复核", "桥梁"),
    Trouble("QL", "桥梁", 4, "桥梁应变传感器离线，请检修", "桥梁"),
)
_CHOICES: Mapping[str, tuple[Trouble, ...]] = {
    "order": TROUBLES,
    "two_scenes": tuple(one for one in TROUBLES if "," in one.sendscene),
    "no_limit": TROUBLES,
}
_NEEDED = ("workordercode", "handlerid", "disposaldeptid", "processtime")
_COUNTS = {WAITING: "put_back", WORKING: "signed", DONE: "finished"}


@dataclass(frozen=True)
class Order:
    """One work order as the platform keeps it; `fields` is the body of the push."""

    fields: Mapping[str, object]
    state: int = WAITING
    heard: str = ""
    """What the hub said to the push: accepted, refused, unanswered."""
    reply: Mapping[str, object] | None = None
    """The last reply taken."""

    @property
    def code(self) -> str:
        """workordercode, unique."""
        return str(self.fields["workordercode"])

    def row(self) -> dict[str, str]:
        """For the people who watch."""
        reply = self.reply or {}
        return {
            "id": self.code,
            "no": self.code,
            "state": str(self.state),
            "title": str(self.fields["workordercontent"]),
            "scene": str(self.fields["scene"]),
            "heard": self.heard,
            "handler": str(reply.get("handlerid", "")),
            "department": str(reply.get("disposaldeptid", "")),
        }


class Lifeline(System):
    """城市生命线. Orders are 0 待处理, 1 处理中, 2 已完成; only the hub's replies move them.

    Options: `door`, the hub's path for orders; `reply_path`, our path for replies.
    """

    name = "lifeline"
    title = "模拟城市生命线平台"
    state_titles = {str(WAITING): "待处理", str(WORKING): "处理中", str(DONE): "已完成"}
    options = frozenset({"door", "reply_path"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._orders: dict[str, Order] = {}
        self._first_number = self.dice("number").randrange(500_000)
        self._door = setup.options.get("door", _DOOR)
        self._reply_path = setup.options.get("reply_path", _REPLY_PATH)

    def routes(self) -> list[BaseRoute]:
        """The reply, and `/_sim/happen` with order, two_scenes, no_limit or again (the newest pushed once more)."""
        return [Route(self._reply_path, self._reply, methods=["POST"]), happening((*_CHOICES, "again"), self._happen)]

    def items(self) -> list[dict[str, str]]:
        """The orders."""
        return [order.row() for order in self._orders.values()]

    def create(self, number: int) -> str:
        """A sensor or a patrol finds something."""
        return self._open(number, "order")

    # Outwards

    def _happen(self, kind: str) -> str:
        if kind == "again" and self._orders:
            code = next(reversed(self._orders))
            self.spawn(self._push(code))
            return code
        self.counts["emitted"] += 1
        return self._open(self.counts["emitted"], "order" if kind == "again" else kind)

    def _open(self, number: int, kind: str) -> str:
        fields = _fields(self.dice("order", number), kind, self._first_number + number, self.now())
        order = Order(fields)
        self._orders[order.code] = order
        self.spawn(self._push(order.code))
        return order.code

    async def _push(self, code: str) -> None:
        body = json.dumps(self._orders[code].fields, ensure_ascii=False).encode()
        request = wire.Request(self._door, body, {"Content-Type": "application/json"})
        verdict = await self.tell(code, request, _judged, again=_NO_GOOD_ANSWER)
        self._orders[code] = replace(self._orders[code], heard=verdict.value)

    # Inwards

    async def _reply(self, request: Request) -> Response:
        refusal = self._take(json_object(await request.body()))
        self.counts["refusals"] += bool(refusal)
        return JSONResponse(_enveloped(refusal))

    def _take(self, reply: dict[str, object] | None) -> str:
        """The text of a refusal, or nothing when the reply was taken."""
        order = self._orders.get(str((reply or {}).get("workordercode", "")))
        refusal = _malformed(reply)
        if refusal or reply is None:
            return refusal
        if order is None:
            return "编号不存在!"
        if reply == order.reply:
            self.counts["repeated_replies"] += 1
            return ""
        state = reply.get("state", order.state)
        assert isinstance(state, int)  # _malformed
        if state < order.state or self.fault_dice.random() < self.behaviour.refuse:
            return "状态不允许该操作!"
        self.counts[_COUNTS[state]] += 1
        self._orders[order.code] = replace(order, state=state, reply=reply)
        return ""


def _malformed(reply: dict[str, object] | None) -> str:
    if reply is None:
        return "参数格式错误!"
    for name in _NEEDED:
        if not isinstance(reply.get(name), str) or not reply[name]:
            return f"{name}不能为空!"
    if "state" in reply and (type(reply["state"]) is not int or reply["state"] not in _COUNTS):
        return "state取值错误!"
    try:
        datetime.strptime(str(reply["processtime"]), _TIME)  # noqa: DTZ007  # only its form counts
    except ValueError:
        return "processtime格式错误!"
    return ""


def _enveloped(refusal: str) -> dict[str, object]:
    code, message = (_FAILED, refusal) if refusal else (_OK, "操作成功!")
    return {"success": not refusal, "code": code, "message": message, "pageInfo": None, "resultData": None}


def _judged(answer: wire.Answer) -> Verdict:
    document = json_object(answer.body)
    if answer.status != 200 or document is None or "code" not in document:
        return Verdict.UNANSWERED
    return Verdict.ACCEPTED if document["code"] == _OK else Verdict.REFUSED


def _fields(dice: Random, kind: str, number: int, now: datetime) -> dict[str, object]:
    """The body of the push, in the order of the contract's sample."""
    trouble, spot = dice.choice(_CHOICES[kind]), city.spot(dice)
    code = f"{trouble.prefix}{now:%Y%m%d}{number % 1_000_000:06d}"
    limit = f"{now + timedelta(days=dice.choice((1, 2, 3, 5))):%Y-%m-%d}"
    unlimited = dice.random() < 0.2 or kind == "no_limit"
    files = dice.choice(((), ("1.jpg",), ("1.jpg", "2.mp4")))
    return {
        "workordercode": code,
        "scene": trouble.scene,
        "workordercontent": trouble.text,
        "place": spot.address,
        "area": spot.community.district,
        "dispatchtime": now.strftime(_TIME),
        "processlimited": None if unlimited else limit,
        "state": WAITING,
        "workordertype": trouble.type,
        "attachments": ",".join(f"{_ATTACHMENT}/{code}/{name}" for name in files),
        "sendscene": trouble.sendscene,
        "ordersource": "1111",
    }
