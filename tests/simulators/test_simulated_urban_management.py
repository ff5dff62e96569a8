"""The simulated urban management platform against envelopes written by hand, the shared samples and a recording hub."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import httpx
import pytest
import zeep
from lxml import etree

from simulators.plane import gauss_krueger

NAME = "urban_management"
FOLDER = "urban-mgmt-asmx-soap"
LIST = ("/WebService/CityManager.asmx", "CG_GetCaseList")
STATUS = ("/WebService/CityManagerQYSWGnew.asmx", "FNZF_BH_CityManage")
LETTER = ("/WebBuilderMobileService/Service.asmx", "LDXX_PostLeaderDetail")
SECRET = "a-secret-of-the-tests"
TEMPURI = "{http://tempuri.org/}"


def envelope(operation: str, *pairs: tuple[str, str]) -> bytes:
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in pairs)
    return (
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<soap:Body><{operation} xmlns="http://tempuri.org/">{inner}</{operation}></soap:Body></soap:Envelope>'
    ).encode()


def send(side: Any, door: tuple[str, str], body: bytes, action: str | None = None) -> httpx.Response:
    soap_action = f"http://tempuri.org/{door[1]}" if action is None else action
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action}"'}
    response: httpx.Response = side.post(door[0], content=body, headers=headers)
    return response


def result(response: httpx.Response, door: tuple[str, str]) -> str:
    assert response.status_code == 200, response.text
    text = etree.fromstring(response.content).findtext(f".//{TEMPURI}{door[1]}Result")
    assert isinstance(text, str)
    return text


def inner(text: str) -> etree._Element:
    assert text.startswith('<?xml version="1.0" encoding="gb2312"?>')
    return etree.fromstring(text.partition("?>")[2])


def paras_of(time: str, last: str, page: object, size: int) -> str:
    inside = {"Time": time, "LastTime": last, "KeyWord": "", "CurrentPageIndex": page, "PageSize": size}
    elements = "".join(f"<{name}>{value}</{name}>" for name, value in inside.items())
    return f'<?xml version="1.0" encoding="gb2312"?><paras>{elements}</paras>'


def listed(side: Any, page: object = 1, size: int = 30, since: str = "", until: str = "") -> etree._Element:
    now = datetime.now(side.system.now().tzinfo)
    time, last = since or f"{now - timedelta(hours=1):%F %T}", until or f"{now + timedelta(hours=1):%F %T}"
    paras = paras_of(time, last, page, size)
    body = envelope(LIST[1], ("ValidateData", SECRET), ("ParasXml", paras))
    return inner(result(send(side, LIST, body), LIST))


def tell(side: Any, guid: str, status: str, reason: str = "", secret: str = SECRET) -> str:
    pairs = (("caseguid", guid), ("status", status), ("reason", reason), ("ValidateData", secret))
    return result(send(side, STATUS, envelope(STATUS[1], *pairs)), STATUS)


def post_letter(side: Any, item: str = "3402202603160001-1", **changes: str) -> str:
    fields = {"ItemID": item, "Name": "张某某", "Link": "13800000001", "Mail": "", "Content": "路灯不亮"}
    fields |= {"PostalCode": "", "Address": "镜湖区", "IsPublish": "1", "Title": "路灯"} | changes
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    paras = f'<?xml version="1.0" encoding="gb2312"?><paras>{inside}</paras>'
    body = envelope(LETTER[1], ("ValidateData", SECRET), ("ParasXml", paras))
    return result(send(side, LETTER, body), LETTER)


def said(hub: Any) -> list[tuple[str, str, str]]:
    """(caseguid, status, reason) of every call on the hub's SOAP door."""
    calls = []
    for body in hub.bodies():
        [call] = etree.fromstring(body).iter(f"{TEMPURI}{STATUS[1]}")
        assert [etree.QName(child).localname for child in call] == ["caseguid", "status", "reason", "ValidateData"]
        values = [child.text or "" for child in call]
        assert values.pop() == SECRET
        calls.append((values[0], values[1], values[2]))
    return calls


def test_the_plane_is_the_contracts_to_a_few_millimetres() -> None:
    assert gauss_krueger(118.3762, 31.3341) == pytest.approx((630978.327, 3468834.873), abs=0.002)
    assert gauss_krueger(118.3829, 31.3476) == pytest.approx((631597.252, 3470339.878), abs=0.002)


def test_the_contracts_pull_is_understood(start: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME)
    side.emit(2)
    request = sample(FOLDER, "01_pull_request.xml").replace(b"DEMO-VALIDATE", SECRET.encode())
    root = inner(result(send(side, LIST, request), LIST))

    assert root.findtext(".//Status") == "True"
    assert root.findtext(".//TotalNumCount") == "0"  # the sample's window is a day in the past


def test_a_listed_case_has_the_elements_of_the_contracts_sample(start: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME)
    side.emit(40)
    example = etree.fromstring(sample(FOLDER, "01_pull_response.xml")).findtext(f".//{TEMPURI}{LIST[1]}Result")
    assert example is not None
    shapes = [[child.tag for child in case] for case in inner(example).iter("Case")]
    cases = list(listed(side, size=100).iter("Case"))

    assert {tuple(child.tag for child in case) for case in cases} == {tuple(shapes[0])}
    assert all(630_000 < float(case.findtext("CoordX") or 0) < 640_000 for case in cases)
    assert all(re.fullmatch(r"\d{14}", case.findtext("GridCode") or "") for case in cases)
    assert all(re.fullmatch(r"\d{18}", case.findtext("CaseNo") or "") for case in cases)
    assert any("异味 & 积水" in (case.findtext("CaseDesc") or "") for case in cases)
    assert any(not case.findtext("LimitTime") for case in cases)


def test_an_ampersand_is_escaped_twice_on_the_wire(start: Any) -> None:
    side = start(NAME)
    side.emit(60)
    now, hour = side.system.now(), timedelta(hours=1)
    paras = paras_of(f"{now - hour:%F %T}", f"{now + hour:%F %T}", 1, 100)
    response = send(side, LIST, envelope(LIST[1], ("ValidateData", SECRET), ("ParasXml", paras)))
    assert "异味 &amp;amp; 积水" in response.text
    assert "dl?id=" in response.text
    assert "&amp;amp;t=1" in response.text


def test_pages_add_up_to_the_total_without_overlap(start: Any) -> None:
    side = start(NAME)
    ids = side.emit(25)
    pages = [listed(side, page, 10) for page in (1, 2, 3, 4)]

    assert [page.findtext(".//TotalNumCount") for page in pages] == ["25"] * 4
    guids = [[case.findtext("CaseGuid") for case in page.iter("Case")] for page in pages]
    assert [len(page) for page in guids] == [10, 10, 5, 0]
    assert sorted(guid or "" for page in guids for guid in page) == sorted(ids)


def test_only_cases_changed_in_the_window_are_listed(start: Any) -> None:
    side = start(NAME, amend=1, pace=1.1)
    side.emit()
    changed = str(next(iter(side.system._cases.values())).changed_at)[:19]
    assert listed(side, since=changed, until=changed).findtext(".//TotalNumCount") == "1"
    side.drained()

    assert listed(side, since=changed, until=changed).findtext(".//TotalNumCount") == "0"
    assert listed(side).findtext(".//TotalNumCount") == "1"


@pytest.mark.parametrize("page", ["0", "x", ""])
def test_a_bad_page_is_a_business_failure_inside_the_string(start: Any, page: str) -> None:
    side = start(NAME)
    assert listed(side, page=page).findtext(".//Status") == "False"


def test_a_wrong_shared_string_fails_as_the_sample_does(start: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME)
    wrong = sample(FOLDER, "01_pull_request.xml")
    expected = etree.fromstring(sample(FOLDER, "04_error_response.xml")).findtext(f".//{TEMPURI}{LIST[1]}Result")

    assert result(send(side, LIST, wrong), LIST) == expected
    assert tell(side, "cg-1", "A", secret="wrong") == "身份验证失败"
    assert side.summary()["unauthenticated"] == 2


def test_arguments_out_of_order_are_lost(start: Any) -> None:
    side = start(NAME)
    [guid] = side.emit()
    pairs = (("ValidateData", SECRET), ("caseguid", guid), ("status", "A"), ("reason", ""))
    assert result(send(side, STATUS, envelope(STATUS[1], *pairs)), STATUS) == "案件不存在"


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("http://tempuri.org/Other", envelope(*("FNZF_BH_CityManage",))),
        ("", envelope("FNZF_BH_CityManage")),
        (None, b"<broken"),
        (None, b""),
        (None, envelope("CG_GetCaseList")),
        (None, b'<!DOCTYPE x [<!ENTITY y "z">]>' + envelope("FNZF_BH_CityManage").partition(b"?>")[2]),
    ],
)
def test_what_the_server_cannot_read_is_a_fault_with_status_500(start: Any, action: str | None, body: bytes) -> None:
    side = start(NAME)
    response = send(side, STATUS, body, action)
    assert response.status_code == 500
    assert etree.fromstring(response.content).findtext(".//faultcode") == "soap:Server"
    assert side.summary()["faults"] == 1


def test_a_letter_is_worked_and_told_by_the_callers_number(start: Any, hub: Any) -> None:
    side = start(NAME)
    root = inner(post_letter(side))
    assert root.findtext(".//Status") == "True"
    assert (root.findtext(".//CaseGuid") or "").startswith("lx-")
    side.drained()

    calls = said(hub)
    assert [(guid, status) for guid, status, _ in calls] == [("3402202603160001-1", "A"), ("3402202603160001-1", "F")]
    assert calls[1][2]
    _path, headers, body = hub.requests[0]
    assert headers["soapaction"] == '"http://tempuri.org/FNZF_BH_CityManage"'
    assert side.item("3402202603160001-1")["state"] == "finished"
    assert body.startswith(b'<?xml version="1.0" encoding="utf-8"?>')


def test_a_status_call_equals_the_contracts_sample(start: Any, hub: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME)
    post_letter(side)
    side.drained()

    def shape(body: bytes) -> list[str]:
        return [element.tag for element in etree.fromstring(body).iter() if isinstance(element.tag, str)]

    assert shape(hub.bodies()[0]) == shape(sample(FOLDER, "02_status_callback_request.xml"))


def test_the_contracts_letter_is_taken(start: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME, options={"answer_with_id": "false"})
    request = sample(FOLDER, "03_post_case_request.xml").replace(b"DEMO-VALIDATE", SECRET.encode())
    assert result(send(side, LETTER, request), LETTER) == "success"
    assert side.item("12")["title"] == "路灯不亮"


@pytest.mark.parametrize("changes", [{"ItemID": ""}, {"Content": ""}, {"IsPublish": "yes"}])
def test_an_incomplete_letter_is_refused(start: Any, changes: dict[str, str]) -> None:
    side = start(NAME)
    assert inner(post_letter(side, **changes)).findtext(".//Status") == "False"
    assert side.items() == []


def test_a_letter_sent_twice_is_worked_once(start: Any) -> None:
    side = start(NAME)
    post_letter(side)
    assert inner(post_letter(side)).findtext(".//Description") == "来信编号重复"
    summary = side.drained()
    assert (summary["letters"], summary["doubles"], summary["finished"]) == (1, 1, 1)


def test_half_of_the_letters_can_be_answered_without_an_id(start: Any) -> None:
    side = start(NAME, options={"answer_with_id": "0.5"})
    answers = [post_letter(side, item=f"{number}-1") for number in range(40)]
    assert 8 < answers.count("success") < 32


def test_a_returned_letter_comes_with_a_reason_and_is_worked_no_more(start: Any, hub: Any) -> None:
    side = start(NAME, **{"return": 1})
    post_letter(side)
    side.drained()
    assert [status for _, status, _ in said(hub)] == ["A", "B"]
    assert said(hub)[1][2]
    assert side.summary()["returned"] == 1


def test_more_time_is_asked_for_before_the_end(start: Any, hub: Any) -> None:
    side = start(NAME, delay=1)
    post_letter(side)
    side.drained()
    assert [status for _, status, _ in said(hub)] == ["A", "Y", "F"]


def test_work_sent_back_is_done_again(start: Any, hub: Any) -> None:
    side = start(NAME)
    post_letter(side)
    side.drained()
    assert tell(side, "3402202603160001-1", "B", "现场问题仍然存在") == "success"
    side.drained()
    assert [status for _, status, _ in said(hub)] == ["A", "F", "F"]


def test_a_withdrawn_letter_is_dropped(start: Any, hub: Any, until: Callable[..., None]) -> None:
    side = start(NAME, pace=0.2)
    post_letter(side)
    until(lambda: len(hub.requests) == 1)
    assert tell(side, "3402202603160001-1", "E", "重复案件，予以作废") == "success"
    side.drained()
    assert [status for _, status, _ in said(hub)] == ["A"]
    assert side.item("3402202603160001-1")["state"] == "void"


def test_an_own_case_that_the_hub_accepts_is_worked_under_its_own_number(start: Any, hub: Any) -> None:
    side = start(NAME)
    [guid] = side.emit()
    assert tell(side, guid, "A") == "success"
    assert tell(side, guid, "A") == "案件状态不允许该操作"
    side.drained()
    assert [(caseguid, status) for caseguid, status, _ in said(hub)] == [(guid, "A"), (guid, "F")]
    assert tell(side, guid, "F", "已结案") == "success"


def test_an_own_case_that_another_owner_works_is_left_to_it(start: Any, hub: Any) -> None:
    side = start(NAME)
    hub.answers[NAME] = hub.answers[NAME].replace("success", "案件当前状态不允许该操作")
    [guid] = side.emit()
    tell(side, guid, "A")
    side.drained()
    assert [status for _, status, _ in said(hub)] == ["A"]
    assert tell(side, guid, "F", "已结案") == "success"
    assert side.item(guid)["state"] == "finished"


@pytest.mark.parametrize(("status", "reason"), [("Z", "x"), ("E", ""), ("B", ""), ("Y", "x")])
def test_a_status_that_makes_no_sense_gets_an_error_text(start: Any, status: str, reason: str) -> None:
    side = start(NAME)
    [guid] = side.emit()
    assert tell(side, guid, status, reason) not in {"", "success"}
    assert side.item(guid)["state"] == "new"


@pytest.mark.parametrize("door", [LIST, STATUS, LETTER])
def test_each_page_describes_itself_so_that_a_client_can_call_it(start: Any, door: tuple[str, str]) -> None:
    side = start(NAME)
    client: Any = zeep.Client(f"{side.url}{door[0]}?wsdl")  # type: ignore[no-untyped-call]
    names = [name for name, _ in client.get_element(f"{TEMPURI}{door[1]}").type.elements]
    try:
        answer = client.service[door[1]](**dict.fromkeys(names, "x"))
    except zeep.exceptions.Fault:
        answer = "身份验证失败"
    assert "身份验证失败" in answer
    client.transport.session.close()
