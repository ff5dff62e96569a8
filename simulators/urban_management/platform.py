"""The platform: three .asmx pages for the hub, and the work on what was handed to it, told to the hub's SOAP door."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from hmac import compare_digest

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulators import wire
from simulators.system import SHANGHAI, Setup, System
from simulators.urban_management import soap
from simulators.urban_management.matter import (
    ACCEPTED,
    FINISHED,
    GIVEN_BACK,
    NEW,
    STATE_TITLES,
    TIME,
    VOID,
    Case,
    found_case,
)

_DOOR = "/in/urban_management"
_NOT_AUTHENTICATED = "身份验证失败"
_LETTER_FIELDS = ("ItemID", "Name", "Link", "Mail", "Content", "PostalCode", "Address", "IsPublish", "Title")
_RETURN_REASONS = (
    "不属于本部门职责，建议转交权属单位。",
    "现场未发现所述问题，请核实位置。",
    "该路段由街道管养，申请退回。",
)
_DELAY_REASONS = ("需采购配件，申请延期2个工作日。", "雨天无法施工，申请延期1个工作日。")
_RESULTS = ("已现场处置并恢复原状。", "已更换破损设施，现场恢复正常。", "已劝离并安排专人巡查。")


class UrbanManagement(System):
    """数字城管. Cases wait to be pulled (new), are accepted (处置中), finished, returned or void."""

    name = "urban_management"
    title = "模拟数字城管平台"
    state_titles = STATE_TITLES
    options = frozenset({"answer_with_id"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._cases: dict[str, Case] = {}
        self._letters: dict[str, str] = {}
        """ItemID -> our guid."""
        self._first_number = self.dice("number").randrange(10_000)
        share = setup.options.get("answer_with_id", "true")
        self._with_id = float({"true": "1", "false": "0"}.get(share.lower(), share))
        """Share of letters answered with our guid; the others get the plain `success`."""

    def routes(self) -> list[BaseRoute]:
        """Each page answers POST and describes itself at ?wsdl."""
        return [Route(service.path, self._page(service), methods=["GET", "POST"]) for service in soap.SERVICES]

    def items(self) -> list[dict[str, str]]:
        """Cases and letters."""
        return [case.row() for case in self._cases.values()]

    def create(self, number: int) -> str:
        """A collector finds something; the hub will pull it."""
        dice = self.dice("case", number)
        case = found_case(dice, self._first_number + number, self.now())
        self._cases[case.guid] = case
        if dice.random() < self.behaviour.amend:
            self.spawn(self._amend(case.guid))
        return case.guid

    # Inwards

    def _page(self, service: soap.Service) -> Callable[[Request], Coroutine[object, object, Response]]:
        operations = {operation.name: operation for operation in service.operations}

        async def page(request: Request) -> Response:
            if request.method == "GET":
                return Response(soap.wsdl(service, str(request.url.replace(query=""))), media_type="text/xml")
            if request.headers.get("content-type", "").split(";")[0].strip() != "text/xml":
                return Response(status_code=415)
            try:
                action = request.headers.get("soapaction", "").strip('"')
                operation = operations.get(action.removeprefix(soap.NAMESPACE))
                if operation is None or not action.startswith(soap.NAMESPACE):
                    raise soap.Fault("服务器未能识别 HTTP 标头 SOAPAction 的值。")
                result = _RESULTS_OF[operation](self, soap.arguments(await request.body(), operation))
            except soap.Fault as fault:
                self.counts["faults"] += 1
                return Response(soap.faulted(str(fault)), status_code=500, media_type="text/xml")
            return Response(soap.returned(operation, result), media_type="text/xml")

        return page

    def _knows(self, values: dict[str, str | None]) -> bool:
        known = compare_digest((values["ValidateData"] or "").encode(), self.setup.secret.encode())
        self.counts["unauthenticated"] += not known
        return known

    def case_list(self, values: dict[str, str | None]) -> str:
        """CG_GetCaseList: the page of cases changed in the window, both ends included."""
        if not self._knows(values):
            return soap.document(ok=False, description=_NOT_AUTHENTICATED)
        paras = _paras(values["ParasXml"])
        try:
            since, until = _time(paras["Time"]), _time(paras["LastTime"])
            page, size = int(paras["CurrentPageIndex"]), int(paras["PageSize"])
        except (KeyError, ValueError):
            return soap.document(ok=False, description="参数错误")
        if page < 1 or not 1 <= size <= 500:
            return soap.document(ok=False, description="分页参数错误")
        if self._refuses():
            return soap.document(ok=False, description="查询失败，请稍后再试")
        word = paras.get("KeyWord", "")
        cases = [
            case
            for case in self._cases.values()
            if not case.letter and since <= case.changed_at <= until and word in case.title
        ]
        chosen = cases[(page - 1) * size : page * size]
        self.counts["listed"] += len(chosen)
        total = f"<PageInfo><TotalNumCount>{len(cases)}</TotalNumCount></PageInfo>"
        listed = "".join(case.markup() for case in chosen)
        return soap.document(ok=True, description="查询成功", area=f"{total}<CaseList>{listed}</CaseList>")

    def status(self, values: dict[str, str | None]) -> str:
        """FNZF_BH_CityManage: A we go to work if it is ours, B we work again, E we drop it, F it is done elsewhere."""
        if not self._knows(values):
            return _NOT_AUTHENTICATED
        guid, letter = values["caseguid"] or "", values["status"] or ""
        case = self._cases.get(self._letters.get(guid, guid))
        refusal = self._status_refusal(case, letter, values["reason"])
        if refusal or case is None:
            self.counts["refusals"] += 1
            return refusal
        self.counts[_STATUS_COUNTS[letter]] += 1
        self._set_status(case, letter, values["reason"] or "")
        return "success"

    def _set_status(self, case: Case, letter: str, reason: str) -> None:
        if letter == "Y":
            return
        if letter in {"A", "B"}:
            self._begin(case.guid, reason=reason)
        else:
            self._change(case.guid, state=VOID if letter == "E" else FINISHED, reason=reason)

    def _status_refusal(self, case: Case | None, letter: str, reason: str | None) -> str:
        if case is None:
            return "案件不存在"
        if letter not in _STATUS_COUNTS:
            return "状态值无效"
        if letter in {"B", "E"} and not reason:
            return "缺少原因"
        if case.state not in _STATUS_FROM[letter] or self._refuses():
            return "案件状态不允许该操作"
        return ""

    def letter(self, values: dict[str, str | None]) -> str:
        """LDXX_PostLeaderDetail: a letter is a case to work on, known to the caller by its ItemID."""
        if not self._knows(values):
            return soap.document(ok=False, description=_NOT_AUTHENTICATED)
        paras = _paras(values["ParasXml"])
        refusal = self._letter_refusal(paras)
        if refusal:
            self.counts["refusals"] += 1
            return soap.document(ok=False, description=refusal)
        item = paras["ItemID"]
        number = len(self._letters) + 1
        dice = self.dice("letter", item)
        guid = f"lx-{dice.getrandbits(32):08x}-{number:04d}"
        now = self.now()
        self._letters[item] = guid
        self._cases[guid] = Case(guid, f"LX{now:%Y%m%d}{number:04d}", paras["Title"], now, letter=item)
        self.counts["letters"] += 1
        self._begin(guid)
        if dice.random() < self._with_id:
            return soap.document(ok=True, description="提交成功", area=f"<CaseGuid>{guid}</CaseGuid>")
        return "success"

    def _letter_refusal(self, paras: dict[str, str]) -> str:
        missing = [name for name in _LETTER_FIELDS if name not in paras]
        if missing:
            return f"缺少参数{missing[0]}"
        if not paras["ItemID"] or not paras["Content"]:
            return "来信编号或内容为空"
        if paras["IsPublish"] not in {"0", "1"}:
            return "IsPublish应为0或1"
        if paras["ItemID"] in self._letters:
            self.counts["doubles"] += 1
            return "来信编号重复"
        return "不予受理" if self._refuses() else ""

    # Work

    def _begin(self, guid: str, *, reason: str = "") -> None:
        case = self._cases[guid]
        self._change(guid, state=ACCEPTED, round=case.round + 1, reason=reason)
        self.spawn(self._work(guid, case.round + 1))

    async def _work(self, guid: str, round_: int) -> None:
        """Sign, then return it, or finish it, perhaps after asking for time. A hub that says no ends the work."""
        dice = self.dice("work", self._cases[guid].letter or guid, round_)
        returns, delays = dice.random() < self.behaviour.returned, dice.random() < self.behaviour.delay
        if round_ == 1:
            await self.step()
            if (
                not self._ours(guid, round_)
                or await self._say(guid, round_, "A", "已受理") is not wire.Verdict.ACCEPTED
            ):
                return
            if returns:
                await self._end(guid, round_, "B", GIVEN_BACK, dice.choice(_RETURN_REASONS))
                return
        if delays:
            await self.step()
            if self._ours(guid, round_):
                await self._say(guid, round_, "Y", dice.choice(_DELAY_REASONS))
        await self._end(guid, round_, "F", FINISHED, dice.choice(_RESULTS))

    async def _end(self, guid: str, round_: int, letter: str, state: str, reason: str) -> None:
        await self.step()
        if self._ours(guid, round_):
            self._change(guid, state=state, reason=reason)
            await self._say(guid, round_, letter, reason)

    async def _say(self, guid: str, round_: int, letter: str, reason: str) -> wire.Verdict:
        case = self._cases[guid]
        values = {"caseguid": case.letter or guid, "status": letter, "reason": reason}
        body = soap.called(soap.STATUS, {**values, "ValidateData": self.setup.secret})
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap.NAMESPACE}{soap.STATUS.name}"'}
        verdict = await self.tell(f"{guid}/{round_}/{letter}", wire.Request(_DOOR, body, headers), _judged)
        if verdict is wire.Verdict.ACCEPTED:
            self.counts[_SAID_COUNTS[letter]] += 1
        return verdict

    def _ours(self, guid: str, round_: int) -> bool:
        """Still the same round, and nobody ended it meanwhile."""
        case = self._cases[guid]
        return case.round == round_ and case.state == ACCEPTED

    async def _amend(self, guid: str) -> None:
        await self.step()
        self._change(guid, changed_at=self.now().replace(microsecond=0))
        self.counts["amended"] += 1

    def _refuses(self) -> bool:
        return self.fault_dice.random() < self.behaviour.refuse

    def _change(self, guid: str, **changes: object) -> None:
        self._cases[guid] = replace(self._cases[guid], **changes)  # type: ignore[arg-type]


_RESULTS_OF: dict[soap.Operation, Callable[[UrbanManagement, dict[str, str | None]], str]] = {
    soap.CASE_LIST: UrbanManagement.case_list,
    soap.STATUS: UrbanManagement.status,
    soap.LETTER: UrbanManagement.letter,
}
_STATUS_COUNTS = {
    "A": "told_accepted", "B": "told_again", "E": "told_void", "F": "told_finished", "Y": "told_delay",
}  # fmt: skip
_STATUS_FROM = {
    "A": frozenset({NEW}),
    "B": frozenset({FINISHED, GIVEN_BACK, ACCEPTED}),
    "E": frozenset({NEW, ACCEPTED, GIVEN_BACK, FINISHED}),
    "F": frozenset({NEW, ACCEPTED, FINISHED, GIVEN_BACK}),
    "Y": frozenset({ACCEPTED}),
}
"""From which of our states the hub may set which status."""
_SAID_COUNTS = {"A": "signed", "B": "returned", "F": "finished", "Y": "delayed"}


def _judged(answer: wire.Answer) -> wire.Verdict:
    result = soap.result_of(answer.body, soap.STATUS)
    if result is None:  # a fault, a proxy's page, nothing: safe to ask again by the contract
        return wire.Verdict.UNANSWERED
    return wire.Verdict.ACCEPTED if result.strip() == "success" else wire.Verdict.REFUSED


def _paras(text: str | None) -> dict[str, str]:
    root = soap.parsed(text or "")
    if root.tag != "paras":
        raise soap.Fault("服务器无法处理请求。 ---> 未将对象引用设置到对象的实例。")
    return {etree.QName(child).localname: child.text or "" for child in root if isinstance(child.tag, str)}


def _time(text: str) -> datetime:
    return datetime.strptime(text, TIME).replace(tzinfo=SHANGHAI)
