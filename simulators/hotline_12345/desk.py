"""The hotline's desk: pushes tasks, answers the hub's callbacks by the state of the task, and visits the citizen."""

from collections.abc import Callable
from dataclasses import replace
from hmac import compare_digest
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators.hotline_12345.envelope import TOKEN_REJECTED, Unreadable, judged, opened, pushed, replied
from simulators.hotline_12345.ticket import (
    BACK,
    DISSATISFIED,
    DONE,
    FILED_AWAY,
    INTERIM,
    LEAD,
    TO_SIGN,
    WORKING,
    Task,
    first_task,
    guid,
)
from simulators.system import Setup, System
from simulators.wire import Verdict

_DOOR = "/in/hotline_12345"
_NO_GOOD_ANSWER = frozenset({Verdict.UNANSWERED, Verdict.REFUSED})
"""The contract: a push is repeated when it gets no custom.code 1."""


class Callback(NamedTuple):
    """One callback: from which task states, to which, and which fields must be filled."""

    verb: str
    from_: frozenset[str]
    to: tuple[str, ...]
    """taskStatus the callback must carry; empty: it carries none and the state stays."""
    needs: tuple[str, ...]
    counts: str


CALLBACKS = {
    "sign": Callback("签收", frozenset({TO_SIGN}), (WORKING,), ("signTime", "signPerson"), "signed"),
    "back": Callback(
        "退回", frozenset({TO_SIGN, WORKING}), (BACK,), ("handleType", "backReason", "backTime"), "returned"
    ),
    "delay": Callback(
        "延期", frozenset({WORKING, INTERIM}), (), ("delayDays", "delayUnit", "delayReason", "applyTime"), "delayed"
    ),
    "feedback": Callback(
        "反馈",
        frozenset({WORKING, INTERIM}),
        (DONE, INTERIM),
        ("handleType", "answerContent", "finishTime"),
        "finished",
    ),
}
_SUBMIT = (
    "userGuid", "sex", "rqstType", "rqstTitle", "rqstSource", "rqstPerson", "rqstContent", "rqstAreaCode",
    "rqstAddress", "password", "number", "linkNumber", "isSecret", "agestage",
)  # fmt: skip


class Hotline(System):
    """The 12345 hotline. Keeps tasks 10 待签收 20 处理中 30 退回 80 完成 100 反馈, and what the visit found."""

    name = "hotline_12345"
    title = "模拟12345热线"
    state_titles = {
        TO_SIGN: "待签收",
        WORKING: "处理中",
        BACK: "退回",
        DONE: "完成待回访",
        INTERIM: "已反馈",
        "satisfied": "回访满意归档",
        "dissatisfied": "回访不满意",
        "filed_away": "无需回访归档",
    }

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._tasks: dict[str, Task] = {}
        self._submitted: list[dict[str, object]] = []
        self._first_number = self.dice("serial").randrange(100_000)

    def routes(self) -> list[BaseRoute]:
        """The four callbacks and the citizen's submission."""
        return [
            *(Route(f"/cns-rest/rest/cnsTask/{name}", self._door(name), methods=["POST"]) for name in CALLBACKS),
            Route("/cns-rest/rest/sxCaseInfo/addCaseInfo", self._add_case, methods=["POST"]),
        ]

    def items(self) -> list[dict[str, str]]:
        """The tasks."""
        return [task.row() for task in self._tasks.values()]

    def create(self, number: int) -> str:
        """A citizen rings."""
        dice = self.dice("ticket", number)
        task = first_task(dice, self._first_number + number, self.now())
        self._tasks[task.guid] = task
        self.spawn(self._dispatch(task.guid))
        if dice.random() < self.behaviour.assist:
            self.spawn(self._assist(task.guid))
        return task.guid

    # Outwards

    async def _push(self, task: Task) -> Verdict:
        request = pushed(_DOOR, task.params(), self.setup.secret, f"----cns{task.guid[:8]}")
        return await self.tell(f"{task.guid}/{task.cstatus}", request, judged, again=_NO_GOOD_ANSWER)

    async def _dispatch(self, task_guid: str) -> None:
        self._change(task_guid, heard="waiting")
        verdict = await self._push(self._tasks[task_guid])
        self._change(task_guid, heard=verdict.value)

    async def _assist(self, task_guid: str) -> None:
        await self.step()
        other = self._tasks[task_guid].assisting(guid(self.dice("assist", task_guid)), self.now())
        self._tasks[other.guid] = other
        self.counts["assists"] += 1
        await self._dispatch(other.guid)

    async def _visit(self, task_guid: str) -> None:
        await self.step()
        task = self._tasks[task_guid]
        if self.dice("visit", task_guid).random() >= self.behaviour.dissatisfied:
            await self._evaluate(task_guid, "satisfied", FILED_AWAY)
            return
        await self._evaluate(task_guid, "dissatisfied", DISSATISFIED)
        await self.step()
        again = task.again(guid(self.dice("again", task_guid)), self.now())
        self._tasks[again.guid] = again
        self.counts["redispatched"] += 1
        await self._dispatch(again.guid)

    async def _evaluate(self, task_guid: str, finding: str, cstatus: str) -> None:
        self.counts[finding] += 1
        task = self._change(task_guid, ending=finding, cstatus=cstatus)
        await self._push(task)

    # Inwards

    def _door(self, name: str) -> Callable[[Request], object]:
        async def callback(request: Request) -> Response:
            return await self._answered(request, lambda params: self._take(CALLBACKS[name], params))

        return callback

    async def _add_case(self, request: Request) -> Response:
        answer = await self._answered(request, self._submit)
        answer.status_code = 302  # with the JSON in the body: the reference client's own remark
        answer.headers["location"] = "/cns-rest/rest/sxCaseInfo/result"
        return answer

    async def _answered(self, request: Request, take: Callable[[dict[str, object]], str]) -> Response:
        """`take` gives the text of a refusal, or nothing when it did what was asked."""
        try:
            params, token = opened(request.headers.get("content-type", ""), await request.body())
        except Unreadable as error:
            self.counts["refusals"] += 1
            return JSONResponse(replied("0", str(error)))
        if not compare_digest(token.encode(), self.setup.secret.encode()):
            self.counts["unauthenticated"] += 1
            return JSONResponse(TOKEN_REJECTED)
        refusal = take(params)
        self.counts["refusals"] += bool(refusal)
        return JSONResponse(replied("0", refusal) if refusal else replied("1", "操作成功"))

    def _take(self, callback: Callback, params: dict[str, object]) -> str:
        task = self._tasks.get(str(params.get("taskGuid", "")))
        refusal = self._refusal(callback, task, params)
        if refusal or task is None:
            return refusal
        self.counts["interim" if params.get("taskStatus") == INTERIM else callback.counts] += 1
        if not callback.to:
            self._change(task.guid, delays=task.delays + 1)
            return ""
        self._change(task.guid, status=str(params["taskStatus"]))
        if params["taskStatus"] == DONE:
            self._finish(task)
        return ""

    def _refusal(self, callback: Callback, task: Task | None, params: dict[str, object]) -> str:
        if task is None:
            return "任务单不存在"
        if params.get("serialNum") != task.serial:
            return "工单编号与任务单不符"
        missing = [name for name in callback.needs if not isinstance(params.get(name), str) or not params[name]]
        if missing:
            return f"缺少参数{missing[0]}"
        if callback.to and params.get("taskStatus") not in callback.to:
            return "参数taskStatus错误"
        if task.status not in callback.from_ or self.fault_dice.random() < self.behaviour.refuse:
            return f"任务单状态不允许{callback.verb}"
        return ""

    def _finish(self, task: Task) -> None:
        if task.type != LEAD or task.fields["replayType"] == "10":
            self._change(task.guid, ending="filed_away")
        else:
            self.spawn(self._visit(task.guid))

    def _submit(self, params: dict[str, object]) -> str:
        wrong = [name for name in _SUBMIT if not isinstance(params.get(name, ""), str)]
        if wrong:
            return f"参数{wrong[0]}应为字符串"
        empty = [name for name in ("rqstTitle", "rqstContent") if not params.get(name)]
        if empty:
            return f"缺少参数{empty[0]}"
        if self.fault_dice.random() < self.behaviour.refuse:
            return "不予受理"
        self.counts["submitted"] += 1
        self._submitted.append(params)
        return ""

    def _change(self, task_guid: str, **changes: object) -> Task:
        task = replace(self._tasks[task_guid], **changes)  # type: ignore[arg-type]
        self._tasks[task_guid] = task
        return task
