"""The simulated public opinion monitor 舆情监测: articles and posts about the city, pulled page by page by the hub.

`GET /api/opinions?begin=&end=&pageNo=&pageSize=` gives what was published from `begin` (in) to `end` (out), both local
`yyyy-MM-dd HH:mm:ss`, oldest first. Every call is signed: `X-App-Key`, `X-Timestamp` in ms, `X-Nonce`, and `X-Sign`,
the upper-case SHA-256 hex of key + timestamp + nonce + secret. The answer is `{"code":0,"message":"success","data":
{"total":n,"list":[…]}}`, `publishTime` in ms; errors come with HTTP 200 and a code of `CODES`. The whole contract is
constructed after what vendors of such services publish.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from random import Random
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import city
from simulators.door import happening
from simulators.system import SHANGHAI, Setup, System

_PATH = "/api/opinions"
_TIME = "%Y-%m-%d %H:%M:%S"
_LIFE = 300_000
"""Milliseconds a signature's time may be away from our clock."""
_MOST = 100
"""Rows a page may have."""
CODES = {
    "bad_parameter": (40001, "参数错误"),
    "bad_signature": (40101, "签名错误"),
    "unknown_key": (40102, "appKey不存在"),
    "expired": (40103, "时间戳已过期"),
    "used_nonce": (40104, "随机串重复"),
    "limited": (42901, "请求过于频繁"),
    "refused": (50001, "服务繁忙"),
}
_HEADERS = ("x-app-key", "x-timestamp", "x-nonce", "x-sign")


class Topic(NamedTuple):
    """What people write about. `sentiment`: -1 negative, 0 neutral, 1 positive; `sensitivity`: 1 low to 3 high."""

    title: str
    text: str
    sentiment: int
    sensitivity: int


TOPICS = (
    Topic("小区门口积水没过脚踝", "一下雨就积水，接送孩子只能蹚水，希望尽快疏通管道。", -1, 2),
    Topic("夜间施工噪声扰民", "凌晨一点还在打桩，老人孩子睡不着，有没有人管？", -1, 2),
    Topic("路口红绿灯长时间不亮", "早高峰路口信号灯不亮，车辆抢行很危险。", -1, 3),
    Topic("公园新增健身步道受好评", "步道铺好了，晚上散步的人多了，点赞。", 1, 1),
    Topic("农贸市场周边占道经营", "摊贩占了半条马路，公交车都过不去。", -1, 1),
    Topic("网传自来水有异味", "多位网友称自来水有漂白粉味，期待权威回应。", -1, 3),
    Topic("社区办事窗口周末不打烊", "周六也能办社保了，方便上班族。", 1, 1),
    Topic("某培训机构关门退费难", "机构突然关门，十多位家长要求退还学费。", -1, 3),
    Topic("老旧小区加装电梯进展", "三号楼电梯已经开始打桩，预计年底投用。", 0, 1),
)
_SOURCES = (("微博", "weibo"), ("抖音", "douyin"), ("本地论坛", "bbs"), ("新闻客户端", "news"), ("微信公众号", "mp"))


@dataclass(frozen=True)
class Opinion:
    """One article or post; `fields` as it is listed."""

    id: str
    fields: Mapping[str, object]
    published: datetime
    given: int = 0
    """Times it was handed out."""

    def row(self) -> dict[str, str]:
        """For the people who watch."""
        return {
            "id": self.id,
            "no": self.id,
            "state": "given" if self.given else "new",
            "title": str(self.fields["title"]),
            "given": str(self.given),
            "published": self.published.isoformat(timespec="milliseconds"),
        }


class PublicOpinion(System):
    """舆情监测平台. A case is an article; nothing is ever told back.

    Options: `app_key` (the secret is the agreed one); `late`, the share of articles that were published hours before
    the monitor found them. `/_sim/happen`: `article`, `late` and `change` make or change one article; `repeat_page`
    makes the next page but a first one the page before it once more; `shift_page` makes it begin one row early, as if a
    row had come in at the head.
    """

    name = "public_opinion"
    title = "模拟舆情监测平台"
    state_titles = {"new": "未读取", "given": "已读取"}
    options = frozenset({"app_key", "late"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._key = setup.options.get("app_key", "gridhub")
        self._late = float(setup.options.get("late", "0"))
        self._opinions: dict[str, Opinion] = {}
        self._nonces: dict[str, int] = {}
        """Nonce -> its time in ms."""
        self._faults: Counter[str] = Counter()
        """Page faults still owed."""

    def routes(self) -> list[BaseRoute]:
        """The list, and the control door."""
        kinds = ("article", "late", "change", "repeat_page", "shift_page")
        return [Route(_PATH, self._list, methods=["GET"]), happening(kinds, self._happen)]

    def items(self) -> list[dict[str, str]]:
        """The articles."""
        return [opinion.row() for opinion in self._opinions.values()]

    def create(self, number: int) -> str:
        """Somebody writes something."""
        return self._written(number, late=self.dice("late", number).random() < self._late)

    def _happen(self, kind: str) -> str:
        if kind.endswith("_page"):
            self._faults[kind] += 1
            return kind
        if kind == "change" and self._opinions:
            return self._change(next(reversed(self._opinions)))
        self.counts["emitted"] += 1
        return self._written(self.counts["emitted"], late=kind == "late")

    def _written(self, number: int, *, late: bool) -> str:
        dice = self.dice("opinion", number)
        published = self.now() - (timedelta(minutes=dice.randrange(90, 400)) if late else timedelta())
        opinion = _opinion(dice, number, published)
        self._opinions[opinion.id] = opinion
        return opinion.id

    def _change(self, id_: str) -> str:
        """More people read and repeat it; its time of publication stays."""
        opinion = self._opinions[id_]
        fields = {**opinion.fields}
        for name in ("hotness", "similarCount"):
            value = fields[name]
            assert isinstance(value, int)
            fields[name] = value * 2 + 1
        self._opinions[id_] = replace(opinion, fields=fields)
        self.counts["changed"] += 1
        return id_

    # Inwards

    async def _list(self, request: Request) -> Response:
        wrong = self._unsigned(request) or self._unwilling()
        window = None if wrong else _window(request.query_params)
        if window is None:
            code, message = CODES[wrong or "bad_parameter"]
            self.counts["refusals"] += 1
            return JSONResponse({"code": code, "message": message, "data": None})
        chosen = sorted(
            (one for one in self._opinions.values() if window.begin <= one.published < window.end),
            key=lambda one: (one.published, one.id),
        )
        rows = chosen[self._from(window) :][: window.size]
        for opinion in rows:
            self._opinions[opinion.id] = replace(self._opinions[opinion.id], given=opinion.given + 1)
        self.counts["pages"] += 1
        self.counts["listed"] += len(rows)
        data = {"total": len(chosen), "list": [dict(opinion.fields) for opinion in rows]}
        return JSONResponse({"code": 0, "message": "success", "data": data})

    def _from(self, window: "Window") -> int:
        """The first row of the page, gone wrong if that is owed. A first page is always right."""
        first = (window.page - 1) * window.size
        for fault, back in (("repeat_page", window.size), ("shift_page", 1)):
            if window.page > 1 and self._faults[fault]:
                self._faults[fault] -= 1
                self.counts[fault] += 1
                return first - back
        return first

    def _unsigned(self, request: Request) -> str:
        key, stamp, nonce, sign = (request.headers.get(name, "") for name in _HEADERS)
        wrong = self._mistaken(key, stamp, nonce, sign)
        self.counts["unauthenticated"] += bool(wrong)
        if not wrong:
            self._nonces[nonce] = int(stamp)
        return wrong

    def _mistaken(self, key: str, stamp: str, nonce: str, sign: str) -> str:
        now = int(self.now().timestamp() * 1000)
        expected = sha256(f"{key}{stamp}{nonce}{self.setup.secret}".encode()).hexdigest().upper()
        self._nonces = {known: at for known, at in self._nonces.items() if now - at <= _LIFE}
        if key != self._key:
            return "unknown_key"
        if not nonce or not re.fullmatch(r"\d{1,15}", stamp, re.ASCII):
            return "bad_signature"
        if not compare_digest(sign.encode(), expected.encode()):
            return "bad_signature"
        if abs(now - int(stamp)) > _LIFE:
            return "expired"
        return "used_nonce" if nonce in self._nonces else ""

    def _unwilling(self) -> str:
        for word, share in (("limited", self.behaviour.limited), ("refused", self.behaviour.refuse)):
            if self.fault_dice.random() < share:
                return word
        return ""


class Window(NamedTuple):
    """What a call asks for."""

    begin: datetime
    end: datetime
    page: int
    size: int


def _window(query: Mapping[str, str]) -> Window | None:
    """None: something is missing or wrong."""
    try:
        begin, end = (datetime.strptime(query[name], _TIME).replace(tzinfo=SHANGHAI) for name in ("begin", "end"))
        page, size = int(query.get("pageNo", "1")), int(query.get("pageSize", "20"))
    except (KeyError, ValueError):
        return None
    return Window(begin, end, page, size) if page >= 1 and 1 <= size <= _MOST and begin < end else None


def _opinion(dice: Random, number: int, published: datetime) -> Opinion:
    topic, spot = dice.choice(TOPICS), city.spot(dice)
    source, host = dice.choice(_SOURCES)
    id_ = f"YQ{dice.getrandbits(40):010x}{number:06d}"
    published = published.replace(microsecond=published.microsecond // 1000 * 1000)
    fields: dict[str, object] = {
        "id": id_,
        "title": f"{spot.community.district}{topic.title}",
        "content": f"{spot.address}，{topic.text}",
        "source": source,
        "url": f"https://{host}.example.com/p/{id_}",
        "author": f"示例网友{dice.randrange(1000):03d}",
        "publishTime": round(published.timestamp() * 1000),
        "sentiment": topic.sentiment,
        "sensitivity": topic.sensitivity,
        "region": spot.community.district,
        "hotness": dice.randrange(10, 5000),
        "similarCount": dice.randrange(40),
    }
    return Opinion(id_, fields, published)
