"""What systems push to the hub, good and bad, as bytes; and what a door must have done with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import httpx
from lxml import etree

from simulators.hotline_12345.envelope import pushed
from tests.gateway.running import SECRET, HubUnderTest

NAME, PHONE = "欧阳某某", "13800000777"
"""The invented citizen of every report below; neither may be seen outside the case."""
HOTLINE, URBAN, GRID = "hotline_12345", "urban_management", "social_governance"
JSON = "application/json"
XML = "text/xml; charset=utf-8"
FORM = "multipart/form-data; boundary=----cns"
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Push:
    """One request to a door."""

    system: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]

    def to(self, hub: HubUnderTest, client: httpx.Client | None = None) -> httpx.Response:
        """The door's answer."""
        return (client or hub.client).post(f"/in/{self.system}", content=self.body, headers=dict(self.headers))


def ticket(id_: str = "1", **changes: Any) -> dict[str, Any]:
    """A hotline task about a street lamp, that is filed and dispatched to urban management."""
    params = {
        "taskGuid": f"t-{id_}", "taskType": "10", "taskStatus": "10", "rowGuid": f"r-{id_}", "serialNum": f"DH{id_}",
        "cstatus": "35", "rqstTitle": "示例诉求", "rqstContent": "反映示例路灯不亮。", "rqstSource": "DH",
        "accordType": "0401", "rqstAreaCode": "340202", "rqstAddress": "镜湖区赭山街道凤凰山社区", "rqstPerson": NAME,
        "linkNumber": PHONE, "isSecret": "0", "isImpt": "30",
    }  # fmt: skip
    return params | changes


def hotline(params: Any, token: Any = SECRET) -> Push:
    """A push of the hotline: JSON in the one part of a form."""
    made = pushed(f"/in/{HOTLINE}", params, token, "----cns")
    return Push(HOTLINE, made.body, made.headers)


def part(text: bytes, *, name: str = "params", content_type: str = FORM) -> Push:
    """Any bytes in a form's part."""
    head = f'------cns\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
    return Push(HOTLINE, head + text + b"\r\n------cns--\r\n", {"content-type": content_type})


def soap(inner: str, *, head: str = "") -> Push:
    """A SOAP envelope of the urban management platform around anything."""
    namespace = "http://schemas.xmlsoap.org/soap/envelope/"
    text = f'{head}<soap:Envelope xmlns:soap="{namespace}"><soap:Body>{inner}</soap:Body></soap:Envelope>'
    return Push(URBAN, text.encode(), {"content-type": XML, "soapaction": '"http://tempuri.org/FNZF_BH_CityManage"'})


def status(guid: str, letter: str, reason: str = "", token: str = SECRET) -> Push:
    """A status callback of the urban management platform."""
    given = {"caseguid": guid, "status": letter, "reason": reason, "ValidateData": token}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in given.items())
    return soap(f'<FNZF_BH_CityManage xmlns="http://tempuri.org/">{inner}</FNZF_BH_CityManage>')


def record(id_: str = "50001", **changes: Any) -> dict[str, Any]:
    """A snapshot event of the social governance platform."""
    event = {
        "Id": id_, "BCategoryId": "2", "SCategoryId": "0201", "CollectorOpenId": "o-1", "CollectorName": NAME,
        "CollectorMobilePhone": PHONE, "EventDesc": "楼道堆物", "EventAddress": "", "ES": 0, "EventPhotos": [],
        "CityId": "3402", "Range": None, "CDate": "",
    }  # fmt: skip
    return event | changes


def grid(event: object, token: str = SECRET) -> Push:
    """A push of the social governance platform."""
    return Push(GRID, json.dumps(event, ensure_ascii=False).encode(), {"content-type": JSON, "token": token})


def good(system: str, id_: str) -> Push:
    """What this system's door takes as a new case; for urban management, which reports none, a callback: nobody's."""
    return {HOTLINE: hotline(ticket(id_)), GRID: grid(record(id_))}.get(system, status(id_, "A"))


WORDS = {
    HOTLINE: {
        "unreadable": "报文无法解析", "too_large": "报文过大", "unauthenticated": "token验证失败",
        "contract": "报文不符合接口约定", "unmapped_code": "代码未在对照表中，已暂存待补充",
        "implausible": "时间不合理", "unknown_case": "没有对应的案件",
        "not_allowed": "案件当前状态不允许该操作", "unknown_message": "不支持的案件状态",
    },
    URBAN: {
        "unreadable": "报文无法解析", "too_large": "报文过大", "unauthenticated": "身份验证失败",
        "contract": "参数错误", "unmapped_code": "状态未在对照表中，已暂存待补充", "unknown_case": "没有对应的案件",
        "not_allowed": "案件当前状态不允许该操作", "unknown_message": "没有这个方法",
    },
    GRID: {
        "unreadable": "报文无法解析", "too_large": "报文过大", "unauthenticated": "Token无效", "contract": "参数错误",
        "unmapped_code": "代码未在对照表中，已暂存待补充", "implausible": "时间不合理",
        "unknown_case": "没有对应的事件",
    },
}  # fmt: skip
"""What each system is told, in its own words."""


def refusal(system: str, why: str, text: str) -> tuple[int, Any]:
    """(HTTP status, document) by which this system's contract says no."""
    words = WORDS[system][why]
    said = (f"{words}：{text}" if text else words)[:300]
    if system == HOTLINE:
        if why == "unauthenticated":
            return 200, {"status": {"code": "300", "text": words}, "custom": {}}
        return 200, {"status": {"code": "200", "text": ""}, "custom": {"code": "0", "text": said}}
    if system == GRID:
        ret, told = (3, words) if why == "unauthenticated" else (1, said)
        return 200, {"Data": None, "Ret": ret, "ErrCode": 0, "Msg": told, "SeqId": int, "InfoMsg": None}
    if why in ("unreadable", "too_large"):
        return 500, {"faultcode": "soap:Client", "faultstring": words}
    return 200, {"FNZF_BH_CityManageResult": said}


ACCEPTED: dict[str, tuple[int, Any]] = {
    HOTLINE: (200, {"status": {"code": "200", "text": ""}, "custom": {"code": "1", "text": "操作成功"}}),
    URBAN: (200, {"FNZF_BH_CityManageResult": "success"}),
    GRID: (200, {"Data": True, "Ret": 0, "ErrCode": 0, "Msg": "成功", "SeqId": int, "InfoMsg": None}),
}


def told(system: str, answer: httpx.Response) -> tuple[int, Any]:
    """(HTTP status, document) of an answer, as `refusal` and `ACCEPTED` write it."""
    if system == URBAN:
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        content = etree.fromstring(answer.content)[0][0]
        return answer.status_code, {etree.QName(child).localname: child.text or "" for child in content}
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    document = answer.json()
    if system == GRID and isinstance(document["SeqId"], int):
        document["SeqId"] = int
    return answer.status_code, document


def last_row(hub: HubUnderTest) -> dict[str, Any]:
    """The newest row of the journal."""
    return hub.rows("SELECT * FROM message ORDER BY id DESC LIMIT 1")[0]
