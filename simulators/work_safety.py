"""The simulated work safety platform 安全生产隐患排查: hidden dangers to be listed, and the calls that handle them.

`POST /api/login` gives a token for 7200 s; HTTP 401 says that it has ended, also in the middle of a listing. The list
is read by `updatedSince` (ms, inclusive), `limit` and an opaque `cursor`, oldest change first. accept, overrule,
reassign and rectify are separate calls. Which state allows which call is constructed: see `CALLS`.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hmac import compare_digest
from random import Random
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import city
from simulators.door import json_object
from simulators.picture import png
from simulators.system import Setup, System

DRAFT, RECTIFYING, CHECKING, DONE, WAITING = 1, 2, 3, 4, 5
"""status."""
_LEVELS = (3, 4, 5, 5, 6, 6)
"""3 重大, 4 一般A, 5 一般B, 6 一般C."""
_TEXTS = (
    "配电箱未上锁，内部线路裸露",
    "灭火器压力不足，已过检验期",
    "疏散通道堆放货物，宽度不足",
    "脚手架连墙件缺失两处",
    "危险化学品与一般货物混放",
    "有限空间作业未设置警示标志",
)
_HANDLERS = ("示例整改人01", "示例整改人02", "示例整改人03")
_PAGE, _LARGEST = 20, 100
_NOTHING, _BAD, _UNKNOWN, _CONFLICT, _BUSY = 200, 400, 404, 409, 500


class Call(NamedTuple):
    """One handling call: from which states, to which, and which fields must be filled."""

    from_: frozenset[int]
    to: int
    needs: tuple[str, ...]
    counts: str


CALLS = {
    "accept": Call(frozenset({WAITING}), RECTIFYING, (), "signed"),
    "overrule": Call(frozenset({WAITING, RECTIFYING}), DRAFT, ("reason",), "returned"),
    "reassign": Call(frozenset({WAITING, RECTIFYING}), WAITING, ("handlerName", "reason"), "reassigned"),
    "rectify": Call(frozenset({RECTIFYING}), CHECKING, ("result",), "rectified"),
}


@dataclass(frozen=True)
class Issue:
    """One hidden danger."""

    id: str
    level: int
    text: str
    region: str
    address: str
    due: datetime
    created: datetime
    updated: datetime
    handler: str
    files: tuple[str, ...]
    status: int = WAITING

    @property
    def position(self) -> tuple[int, str]:
        """Where it stands in the list."""
        return milliseconds(self.updated), self.id

    def written(self) -> dict[str, object]:
        """As the list and the detail show it."""
        return {
            "issueId": self.id,
            "issueLevel": self.level,
            "status": self.status,
            "creatorDescribe": self.text,
            "regionName": self.region,
            "address": self.address,
            "dueTimestamp": milliseconds(self.due),
            "createdAt": milliseconds(self.created),
            "updatedAt": milliseconds(self.updated),
            "handlerName": self.handler,
            "attachments": [{"fileId": file, "name": f"现场照片{file[-1]}.png"} for file in self.files],
        }


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)


class WorkSafety(System):
    """隐患排查. Issues by status: 1 草稿, 2 整改中, 3 验收中, 4 已完成, 5 待处理."""

    name = "work_safety"
    title = "模拟安全生产隐患排查平台"
    state_titles = {"1": "草稿", "2": "整改中", "3": "验收中", "4": "已完成", "5": "待处理"}
    options = frozenset({"account", "token_life", "drafts"})
    """`account`: who may log in (hub), the secret is the password; `token_life`: seconds (7200); `drafts`: share of
    issues that begin as a draft (0)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._account = setup.options.get("account", "hub")
        self._life = timedelta(seconds=float(setup.options.get("token_life", "7200")))
        self._drafts = float(setup.options.get("drafts", "0"))
        self._issues: dict[str, Issue] = {}
        self._files: dict[str, bytes] = {}
        self._tokens: dict[str, datetime] = {}
        self._expire_after: int | None = None
        """So many more requests, then all tokens end. None: they end by their time."""
        self._first = self.dice("number").randrange(10_000)

    def routes(self) -> list[BaseRoute]:
        """Login, list, detail, the four calls, files; and tokens that end on demand."""
        return [
            Route("/api/login", self._login, methods=["POST"]),
            Route("/api/issues", self._door(self._list), methods=["GET"]),
            Route("/api/issues/{id}", self._door(self._detail), methods=["GET"]),
            Route("/api/issues/{id}/{call}", self._door(self._handle), methods=["POST"]),
            Route("/api/files/{id}", self._door(self._file), methods=["GET"]),
            Route("/_sim/expire", self._expire, methods=["POST"]),
        ]

    def items(self) -> list[dict[str, str]]:
        """The issues."""
        return [
            {
                "id": one.id,
                "no": one.id,
                "state": str(one.status),
                "title": f"{one.text} {one.address}",
                "handler": one.handler,
            }
            for one in self._issues.values()
        ]

    def create(self, number: int) -> str:
        """An inspector writes down a hidden danger."""
        dice, now = self.dice("issue", number), self.now()
        where = city.spot(dice)
        id_ = f"YH{self._first + number:08d}"
        files = tuple(f"F{id_[2:]}{index}" for index in range(1, dice.randrange(1, 4)))
        self._files |= {file: png(dice) for file in files}
        draft = dice.random() < self._drafts
        one = Issue(
            id=id_,
            level=dice.choice(_LEVELS),
            text=dice.choice(_TEXTS),
            region=f"{where.community.district}{where.community.street}",
            address=where.address,
            due=now + timedelta(days=dice.choice((3, 7, 15))),
            created=now,
            updated=now,
            handler=dice.choice(_HANDLERS),
            files=files,
            status=DRAFT if draft else WAITING,
        )
        self._issues[id_] = one
        if draft:
            self.spawn(self._submit(id_))
        if dice.random() < self.behaviour.amend:
            self.spawn(self._amend(id_))
        return id_

    def lose(self, item_id: str) -> bool:
        """An issue that was here is not."""
        return self._issues.pop(item_id, None) is not None

    def change_silently(self, item_id: str, state: str) -> bool:
        """A status, as a number."""
        if item_id not in self._issues or state not in self.state_titles:
            return False
        self._change(item_id, status=int(state))
        return True

    # Doors

    async def _login(self, request: Request) -> Response:
        document = json_object(await request.body()) or {}
        account, password = document.get("account"), document.get("password")
        known = isinstance(password, str) and compare_digest(password.encode(), self.setup.secret.encode())
        if account != self._account or not known:
            self.counts["unauthenticated"] += 1
            return _answered(401, "账号或密码错误", status=401)
        self.counts["logins"] += 1
        token = f"{self.dice('token', self.counts['logins']).getrandbits(160):040x}"
        self._tokens[token] = self.now() + self._life
        return _answered(_NOTHING, "ok", {"token": token, "expiresIn": int(self._life.total_seconds())})

    def _door(self, take: Callable[[Request, bytes], Response]) -> Callable[[Request], object]:
        async def door(request: Request) -> Response:
            self._count_down()
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or self._tokens.get(token, self.now()) <= self.now():
                self.counts["unauthenticated"] += 1
                return _answered(401, "登录已失效", status=401)
            if self.fault_dice.random() < self.behaviour.refuse:
                self.counts["refusals"] += 1
                return _answered(_BUSY, "系统繁忙")
            return take(request, await request.body())

        return door

    def _count_down(self) -> None:
        if self._expire_after is None:
            return
        if self._expire_after == 0:
            self._tokens.clear()
            self._expire_after = None
            return
        self._expire_after -= 1

    async def _expire(self, request: Request) -> Response:
        """`{"after": n}`: all tokens end after n more requests; 0 or nothing: before the next."""
        after = (json_object(await request.body()) or {}).get("after", 0)
        self._expire_after = after if type(after) is int and after > 0 else 0
        return JSONResponse({"after": self._expire_after})

    def _list(self, request: Request, _body: bytes) -> Response:
        query = request.query_params
        try:
            since, limit = int(query.get("updatedSince") or 0), int(query.get("limit") or _PAGE)
            after = _opened(query["cursor"]) if query.get("cursor") else (since, "")
        except ValueError:
            return _answered(_BAD, "参数错误")
        if not 1 <= limit <= _LARGEST:
            return _answered(_BAD, f"limit应在1到{_LARGEST}之间")
        rest = sorted((one for one in self._issues.values() if one.position > after), key=lambda one: one.position)
        page = rest[:limit]
        cursor = _closed(page[-1].position) if len(rest) > limit else None
        self.counts["listed"] += len(page)
        return _answered(_NOTHING, "ok", {"items": [one.written() for one in page], "nextCursor": cursor})

    def _detail(self, request: Request, _body: bytes) -> Response:
        one = self._issues.get(request.path_params["id"])
        return _answered(_UNKNOWN, "隐患不存在") if one is None else _answered(_NOTHING, "ok", one.written())

    def _file(self, request: Request, _body: bytes) -> Response:
        content = self._files.get(request.path_params["id"])
        if content is None:
            return _answered(_UNKNOWN, "文件不存在", status=404)
        self.counts["files_fetched"] += 1
        return Response(content, media_type="image/png")

    def _handle(self, request: Request, body: bytes) -> Response:
        one, name = self._issues.get(request.path_params["id"]), request.path_params["call"]
        if one is None or name not in CALLS:
            self.counts["refusals"] += 1
            return _answered(_UNKNOWN, "隐患不存在" if one is None else "操作不存在")
        call, document = CALLS[name], json_object(body)
        problem = "内容不是JSON对象" if document is None else _missing(document, call.needs)
        code = _BAD if problem else _CONFLICT if one.status not in call.from_ else _NOTHING
        if code != _NOTHING or document is None:
            self.counts["refusals"] += 1
            return _answered(code, problem or "当前状态不允许该操作")
        self.counts[call.counts] += 1
        handler = str(document.get("handlerName") or one.handler)
        self._change(one.id, status=call.to, handler=handler)
        if name == "rectify":
            self.spawn(self._check(one.id, self.dice("check", one.id, self.counts["rectified"])))
        return _answered(_NOTHING, "ok", {"issueId": one.id, "status": call.to})

    # Work

    async def _submit(self, issue_id: str) -> None:
        await self.step()
        self._change(issue_id, status=WAITING)

    async def _amend(self, issue_id: str) -> None:
        await self.step()
        self.counts["amended"] += 1
        self._change(issue_id, text=f"{self._issues[issue_id].text}（补充：范围扩大）")

    async def _check(self, issue_id: str, dice: Random) -> None:
        """验收: done, or back to rectifying."""
        await self.step()
        good = dice.random() >= self.behaviour.rework
        self.counts["finished" if good else "sent_back"] += 1
        self._change(issue_id, status=DONE if good else RECTIFYING)

    def _change(self, issue_id: str, **changes: object) -> None:
        """Changed, and therefore listed again: no two changes of one issue fall on the same millisecond."""
        if issue_id not in self._issues:
            return  # lost
        one = self._issues[issue_id]
        updated = max(self.now(), one.updated + timedelta(milliseconds=1))
        self._issues[issue_id] = replace(one, updated=updated, **changes)  # type: ignore[arg-type]


def _answered(code: int, message: str, data: object = None, *, status: int = 200) -> Response:
    return JSONResponse({"code": code, "msg": message, "data": data}, status_code=status)


def _missing(document: Mapping[str, object], names: tuple[str, ...]) -> str:
    empty = [name for name in names if not isinstance(document.get(name), str) or not document[name]]
    return f"缺少{empty[0]}" if empty else ""


def _closed(position: tuple[int, str]) -> str:
    return urlsafe_b64encode(json.dumps(position).encode()).decode()


def _opened(cursor: str) -> tuple[int, str]:
    """Raises ValueError."""
    try:
        updated, id_ = json.loads(urlsafe_b64decode(cursor))
    except (NotBase64, TypeError) as error:
        raise ValueError(cursor) from error
    return int(updated), str(id_)
