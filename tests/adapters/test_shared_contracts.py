"""The platforms' own samples, as stored beside the checkout: inbound to the facts, outbound to exactly their values."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from lxml import etree

from adapters import System
from canonical.codes import ClassCode
from canonical.errors import ContractViolation, InDoubt, Refused, Unauthenticated, Unavailable
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message, Verdict
from canonical.place import Coordinate
from canonical.reading import Answer, Outcome, Reading
from canonical.report import Attachment, Report, Urgency
from canonical.time import SHANGHAI, Limit, LimitUnit
from tests.adapters.systems import FOLDERS, ID, NOW, inbound, loaded, outbound_of, written

CONTRACTS = Path(__file__).parents[2].parent / "shared" / "contracts"
pytestmark = pytest.mark.skipif(not CONTRACTS.is_dir(), reason="the reference contracts are not beside this checkout")
FOLDER = {folder.name: folder for folder in FOLDERS}
THAT_DAY = datetime(2026, 3, 16, 20, 0, tzinfo=SHANGHAI)


@pytest.fixture(scope="module")
def hotline() -> System:
    return loaded(FOLDER["hotline_12345"], token="DEMO-CNS-TOKEN")


@pytest.fixture(scope="module")
def urban() -> System:
    return loaded(FOLDER["urban_management"], validate="DEMO-VALIDATE")


@pytest.fixture(scope="module")
def social() -> System:
    return loaded(FOLDER["social_governance"], token="T", hub_token="H")


def stored(folder: str, name: str) -> bytes:
    return (CONTRACTS / folder / "samples" / name).read_bytes()


def of_hotline(name: str) -> bytes:
    return stored("hotline-12345-cns", name)


def of_urban(name: str) -> bytes:
    return stored("urban-mgmt-asmx-soap", name)


def of_social(name: str) -> bytes:
    return stored("social-governance-snapshot-rest", name)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def only(answers: list[Any]) -> Reading:
    [reading] = answers
    assert isinstance(reading, Reading), reading
    return reading


def report_of(reading: Reading) -> Report:
    assert reading.report is not None
    return reading.report


# --- 12345 hotline -----------------------------------------------------------------------------------------------


def pushed(raw: bytes) -> Message:
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    content_type = re.search(rb"Content-Type: (.*)", head)
    assert content_type
    return inbound(body.replace(b"\n", b"\r\n"), content_type=content_type[1].decode().strip(), at=THAT_DAY)


def test_the_push_on_the_wire_reads_as_the_stored_inner_json(hotline: System) -> None:
    wire = only(hotline.receive(pushed(of_hotline("01_dispatch_push.http"))))

    assert wire == only(hotline.receive(inbound(of_hotline("01_dispatch_push.params.json"), at=THAT_DAY)))


def test_a_hotline_task_carries_every_fact(hotline: System) -> None:
    reading = only(hotline.receive(inbound(of_hotline("01_dispatch_push.params.json"), at=THAT_DAY)))
    report = report_of(reading)

    assert (reading.external_id, reading.case_key, reading.visible_no) == (
        "5b7c2f10-3d6e-4a51-9f0e-0c2a91d7e001", "8f1d0a52-77aa-4c1e-8a8e-2f6f1c0f1001", "DH2026031600127",
    )  # fmt: skip
    assert (report.title, report.address, report.given_area) == (
        "反映小区门口路灯不亮", "镜湖区北京中路（示例小区）东门外", "340202",
    )  # fmt: skip
    assert report.description.startswith("来电人反映镜湖区北京中路某小区东门外3盏路灯")
    assert (str(report.class_code), report.given_class) == ("30428.2:P01-37", "0401")
    assert report.reported_at == at("2026-03-16 09:12:33")
    assert (report.reporter.name, report.reporter.phone, report.reporter.withheld) == ("张某某", "13800000001", False)
    assert (report.urgency, report.share, report.coordinate) == (Urgency.NORMAL, "lead", None)
    assert report.deadline
    assert report.deadline.at == at("2026-03-23 09:40:00")
    assert report.deadline.limit == Limit(value=5, unit=LimitUnit.WORK_DAY)
    assert report.sign_deadline
    assert report.sign_deadline.limit == Limit(value=4, unit=LimitUnit.WORK_HOUR)
    assert report.attachments[0] == Attachment(url="http://hotline.example.gov.cn/attach/a1", name="现场1.jpg", id="a1")
    assert len(report.attachments) == 2


def test_a_withheld_reporter_stays_withheld_and_the_limit_counts_from_sending(hotline: System) -> None:
    report = report_of(
        only(hotline.receive(inbound(of_hotline("02_dispatch_push_secret_urgent.params.json"), at=THAT_DAY)))
    )

    assert (report.reporter.name, report.reporter.phone, report.reporter.withheld) == ("", "", True)
    assert (str(report.class_code), report.urgency) == ("30428.2:P01-03", Urgency.URGENT)
    assert report.deadline
    assert (report.deadline.at, report.deadline.since) == (None, at("2026-03-16 19:01:00"))
    assert report.deadline.limit == Limit(value=2, unit=LimitUnit.WORK_HOUR)
    assert report.sign_deadline
    assert report.sign_deadline.limit == Limit(value=30, unit=LimitUnit.MINUTE)


def test_the_second_task_of_a_case_shares_its_key(hotline: System) -> None:
    first = only(hotline.receive(inbound(of_hotline("01_dispatch_push.params.json"), at=THAT_DAY)))
    second = only(hotline.receive(inbound(of_hotline("03_dispatch_push_assist_same_serial.params.json"), at=THAT_DAY)))

    assert second.external_id != first.external_id
    assert (second.case_key, second.visible_no) == (first.case_key, first.visible_no)
    assert (report_of(second).share, report_of(second).opinion) == ("joint", "协助供电部门核查线路。")


TASK_1 = {
    "external_id": "5b7c2f10-3d6e-4a51-9f0e-0c2a91d7e001",
    "visible_no": "DH2026031600127",
    "extra": {"rqstSource": "DH"},
}
TASK_3 = TASK_1 | {"external_id": "5b7c2f10-3d6e-4a51-9f0e-0c2a91d7e003"}
CALLBACKS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "11_callback_sign": ("sign", "/cns-rest/rest/cnsTask/sign", TASK_1, {
        "kind": "file", "at": "2026-03-16T10:05:11+08:00"}),
    "12_callback_back": ("back", "/cns-rest/rest/cnsTask/back", TASK_3, {
        "kind": "refuse", "at": "2026-03-16T11:20:00+08:00",
        "reason": "该路段路灯由市政设施管理处维护，不属于本单位职责。"}),
    "13_callback_delay": ("delay", "/cns-rest/rest/cnsTask/delay", TASK_1, {
        "kind": "ask_extension", "at": "2026-03-18T15:00:00+08:00", "reason": "等待灯具到货",
        "limit": {"value": 3, "unit": "work_day"}}),
    "14_callback_feedback": ("feedback", "/cns-rest/rest/cnsTask/feedback", TASK_1, {
        "kind": "close", "at": "2026-03-18T16:30:00+08:00",
        "result": "已更换3盏路灯光源，现场恢复照明，并电话答复来电人，来电人表示满意。",
        "attachments": [{"url": "http://hub.example.gov.cn/f/1.jpg"}, {"url": "http://hub.example.gov.cn/f/2.jpg"}]}),
}  # fmt: skip
CLERK = {"party": "centre", "id": "op", "name": "示例经办人"}


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_is_exactly_the_sample(hotline: System, name: str) -> None:
    message, path, binding, action = CALLBACKS[name]

    sent, document = written(hotline, outbound_of(message, {"action": {"actor": CLERK} | action, "binding": binding}))

    assert document == json.loads(of_hotline(f"{name}.params.json"))
    assert (sent.method, sent.path) == ("POST", path)
    assert sent.content_type.startswith("multipart/form-data; boundary=")


def test_a_request_on_a_citizens_behalf_is_the_sample(hotline: System) -> None:
    case = {
        "title": "咨询公租房申请条件", "description": "咨询公租房申请所需材料。",
        "class_code": ClassCode.parse("local:E98-01").model_dump(), "place": {"area": "340202"},
        "reporter": {"name": "李某某", "phone": "13800000002"},
    }  # fmt: skip
    source = {"external_id": "x", "extra": {"sex": "1"}}
    action = {"kind": "dispatch", "at": NOW, "actor": CLERK}

    _, document = written(hotline, outbound_of("add_case", {"case": case, "action": action, "source_binding": source}))

    assert document == json.loads(of_hotline("15_add_case.params.json"))


def test_a_message_that_would_break_the_contract_is_not_written(hotline: System) -> None:
    action = {"kind": "refuse", "at": NOW, "actor": CLERK, "reason": "号码 13800000001 " + "长" * 5000}

    with pytest.raises(ContractViolation) as error:
        written(hotline, outbound_of("back", {"action": action, "binding": TASK_1}))

    assert error.value.at == "params.backReason"
    assert "13800000001" not in str(error.value)


def answered(body: bytes, status: int = 200, **headers: str) -> Message:
    return Message(system="s", body=body, at=NOW, id=ID, status=status, headers=headers)


@pytest.mark.parametrize("status", [200, 302])
def test_the_hotlines_success_is_success_whatever_the_http_status(hotline: System, status: int) -> None:
    assert hotline.judge("add_case", answered(of_hotline("21_response_ok.json"), status)) == Answer()
    numbers = b'{"status":{"code":200},"custom":{"code":1}}'
    assert hotline.judge("add_case", answered(numbers, status)) == Answer()


def test_the_hotlines_refusals_and_failures_are_told_apart(hotline: System) -> None:
    with pytest.raises(Refused, match="任务单状态不允许签收"):
        hotline.judge("sign", answered(of_hotline("22_response_business_error.json")))
    with pytest.raises(Unauthenticated):
        hotline.judge("sign", answered(of_hotline("23_response_token_error.json")))
    with pytest.raises(Unavailable) as unavailable:
        hotline.judge("sign", answered(b"busy", 503, **{"retry-after": "30"}))
    assert unavailable.value.retry_after == 30
    for body in (b"<html>", b"", b"{}", b'{"status":{"code":"200"}}', b"[]", b"\xff"):
        with pytest.raises(InDoubt):
            hotline.judge("sign", answered(body))


def test_the_hub_answers_the_hotline_in_its_own_envelope(hotline: System) -> None:
    push = inbound(b"")
    accepted = hotline.reply(push, Outcome(Verdict.CASE, case_no="1"))

    assert json.loads(accepted.body) == json.loads(of_hotline("21_response_ok.json"))
    assert accepted.status == 200


def test_what_the_other_side_says_is_told_short_and_without_long_numbers(hotline: System) -> None:
    said = "来电人 13800000001 的工单已关闭" + "，" * 500
    body = json.dumps({"status": {"code": "200"}, "custom": {"code": "0", "text": said}}).encode()

    with pytest.raises(Refused) as error:
        hotline.judge("sign", answered(body))

    assert str(error.value).startswith("来电人 *** 的工单已关闭")
    assert len(str(error.value)) == 200


def test_a_push_with_another_token_is_refused_as_the_hotline_does(hotline: System) -> None:
    push = inbound(of_hotline("01_dispatch_push.params.json").replace(b"DEMO-CNS", b"WRONG"), at=THAT_DAY)
    [refusal] = hotline.receive(push)
    assert isinstance(refusal, Exception)

    reply = hotline.reply(push, Outcome(Verdict.REFUSED, why=refusal.why))

    assert json.loads(reply.body) == json.loads(of_hotline("23_response_token_error.json"))
    assert isinstance(only(hotline.read(push)), Reading)  # a replay does not ask for the token again


# --- urban management ----------------------------------------------------------------------------------------------


def test_a_page_of_cases_splits_into_readable_items(urban: System) -> None:
    page = urban.page("cases", answered(of_urban("01_pull_response.xml")), now=THAT_DAY, ids=uuid4)
    first, second = (only(urban.read(item)) for item in page.items)

    assert (page.total, page.more) == (2, False)
    assert {item.parent for item in page.items} == {ID}
    assert (first.external_id, first.visible_no) == ("cg-2f6b7c1e-0001", "340202202603160015")
    report = report_of(first)
    assert (str(report.class_code), report.given_class) == ("30428.2:E04-06", "02/0201 占道经营")
    assert report.coordinate == Coordinate(x=630978.327, y=3468834.873, crs="EPSG:4548")
    assert (report.given_area, report.channel, report.urgency) == ("34020200600115", "采集员上报", Urgency.NORMAL)
    assert report.reported_at == at("2026-03-16 08:31:07")
    assert report.deadline
    assert report.deadline.at == at("2026-03-16 10:31:07")
    assert (report.reporter.name, report.reporter.phone) == ("采集员007", "138****0007")
    assert report.attachments == (Attachment(url="http://cg.example.gov.cn/dl?id=m1&t=1", name="上报1.jpg", id="m1"),)
    other = report_of(second)
    assert other.description == "污水井盖破损，有异味 & 积水"
    assert (other.deadline, other.attachments, other.urgency) == (None, (), Urgency.URGENT)
    assert str(other.class_code) == "30428.2:P01-02"


@pytest.mark.parametrize(("total", "asked", "more"), [(45, 1, False), (1, 1, False), (61, 2, True), (60, 2, False)])
def test_pages_go_on_until_the_total_is_reached(urban: System, total: int, asked: int, more: bool) -> None:
    text = of_urban("01_pull_response.xml").decode()
    start, _, rest = text.partition("&lt;Case&gt;")
    one, _, end = rest.partition("&lt;/CaseList&gt;")
    many = f"&lt;Case&gt;{one}" * 15 if total > 45 else ""  # two cases, fifteen times: a full page
    body = f"{start}{many}&lt;/CaseList&gt;{end}".replace("TotalNumCount&gt;2&", f"TotalNumCount&gt;{total}&")

    page = urban.page("cases", answered(body.encode()), now=NOW, ids=uuid4, page=asked)

    assert (page.total, len(page.items), page.more) == (total, 30 if many else 0, more)


def arguments(envelope: bytes) -> tuple[str, dict[str, str | None]]:
    """Operation and ordered arguments of a stored envelope."""
    body = etree.fromstring(envelope).find("{*}Body")
    assert body is not None
    operation = body[0]
    return etree.QName(operation).localname, {etree.QName(child).localname: child.text for child in operation}


def same_call(message: Message, envelope: bytes) -> None:
    operation, expected = arguments(envelope)
    document = json.loads(message.body)
    assert message.path.partition("#")[2] == operation
    assert list(document) == list(expected)  # positional on the other side
    assert document == expected


def test_the_question_for_a_page_is_the_sample(urban: System) -> None:
    message = urban.ask(
        "cases", since=at("2026-03-16 00:00:00"), until=at("2026-03-16 23:59:59"), page=1, now=NOW, id=ID
    )

    same_call(message, of_urban("01_pull_request.xml"))


def test_a_status_told_to_the_platform_is_the_sample(urban: System) -> None:
    action = {"kind": "cancel", "at": NOW, "actor": CLERK, "reason": "经核实为重复案件，予以作废"}
    given = {"action": action, "binding": {"external_id": "cg-2f6b7c1e-0001"}}

    same_call(urban.write(outbound_of("status", given), now=NOW, id=ID), of_urban("02_status_callback_request.xml"))


def test_a_letter_is_the_sample_but_for_what_a_case_does_not_hold(urban: System) -> None:
    case = {
        "title": "路灯不亮", "description": "北京中路示例小区东门外3盏路灯不亮",
        "place": {"address": "镜湖区北京中路（示例小区）东门外"},
        "reporter": {"name": "张某某", "phone": "13800000001"},
    }  # fmt: skip
    action = {"kind": "dispatch", "at": NOW, "actor": CLERK}
    ours = {"<ItemID>12<": "<ItemID>34022026052000001-1<", ">demo@example.com<": "><", ">241000<": "><"}
    _, expected = arguments(of_urban("03_post_case_request.xml"))
    text = expected["ParasXml"] or ""
    for theirs, own in ours.items():
        text = text.replace(theirs, own)

    _, document = written(urban, outbound_of("letter", {"case": case, "action": action}))

    assert document == {"ValidateData": "DEMO-VALIDATE", "ParasXml": text}


def test_the_platforms_answers_are_told_apart(urban: System) -> None:
    ok = of_urban("02_status_callback_response.xml")
    assert urban.judge("status", answered(ok)) == Answer()
    with pytest.raises(Refused, match="案件不存在"):
        urban.judge("status", answered(ok.replace(b"success", "案件不存在".encode())))
    with pytest.raises(Unavailable):
        urban.judge("status", answered(of_urban("05_soap_fault.xml"), 500))
    with pytest.raises(Unauthenticated):
        urban.page("cases", answered(of_urban("04_error_response.xml")), now=NOW, ids=uuid4)
    broken = of_urban("04_error_response.xml").replace("身份验证失败".encode(), "参数错误".encode())
    with pytest.raises(Refused):
        urban.page("cases", answered(broken.replace(b"False", b"FALSE")), now=NOW, ids=uuid4)
    with pytest.raises(InDoubt):
        urban.judge("status", answered(b"<html/>"))


def letter_answer(result: str) -> bytes:
    text = of_urban("02_status_callback_response.xml").decode()
    text = text.replace("FNZF_BH_CityManage", "LDXX_PostLeaderDetail")
    return text.replace(">success<", f">{result}<").encode()


def test_a_letters_answer_may_be_a_word_or_a_body_with_their_id(urban: System) -> None:
    body = "&lt;EpointDataBody&gt;&lt;DATA&gt;&lt;ReturnInfo&gt;&lt;Status&gt;true&lt;/Status&gt;&lt;/ReturnInfo&gt;"
    body += "&lt;UserArea&gt;&lt;CaseGuid&gt;cg-9&lt;/CaseGuid&gt;&lt;/UserArea&gt;&lt;/DATA&gt;&lt;/EpointDataBody&gt;"

    assert urban.judge("letter", answered(letter_answer("success"))) == Answer()
    assert urban.judge("letter", answered(letter_answer(body))) == Answer(external_id="cg-9")
    with pytest.raises(InDoubt):
        urban.judge("letter", answered(letter_answer("success").replace(b"DetailResult>", b"DetailOther>")))
    with pytest.raises(Refused, match="来信内容为空"):
        urban.judge("letter", answered(letter_answer("来信内容为空")))


def test_the_platform_calls_our_door_and_hears_its_own_word(urban: System) -> None:
    call = inbound(of_urban("02_status_callback_request.xml"), content_type="text/xml; charset=utf-8")
    reading = only(urban.receive(call))
    reply = urban.reply(call, Outcome(Verdict.APPLIED))

    assert reading.external_id == reading.reference == "cg-2f6b7c1e-0001"
    assert reading.action
    assert reading.action.kinds == {Party.SOURCE: ActionKind.CANCEL, Party.OWNER: ActionKind.RETURN}
    assert arguments(reply.body) == arguments(of_urban("02_status_callback_response.xml"))
    assert reply.content_type == "text/xml; charset=utf-8"


def test_only_what_cannot_be_read_is_a_fault(urban: System) -> None:
    call = inbound(b"<nothing", content_type="text/xml")
    [refusal] = urban.receive(call)
    assert isinstance(refusal, Exception)

    fault = urban.reply(call, Outcome(Verdict.REFUSED, why=refusal.why))
    unknown = inbound(of_urban("02_status_callback_request.xml").replace(b">E<", b">Q<"), content_type="text/xml")
    [unmapped] = urban.receive(unknown)
    assert isinstance(unmapped, Exception)

    assert (fault.status, b"faultstring" in fault.body) == (500, True)
    assert urban.reply(unknown, Outcome(Verdict.QUARANTINED, why=unmapped.why)).status == 200


# --- social governance ---------------------------------------------------------------------------------------------


def test_an_event_record_is_a_report_and_a_step(social: System) -> None:
    reading = only(social.receive(inbound(of_social("02_event_record.json"), at=THAT_DAY, token="H")))
    report = report_of(reading)

    assert (reading.external_id, reading.reference) == ("48213", "o-demo-openid-0001")
    assert reading.action
    assert reading.action.kinds == {Party.OWNER: ActionKind.SIGN, Party.LEAD_SYSTEM: ActionKind.DISPATCH}
    assert report.coordinate == Coordinate(x=118.3762, y=31.3341, crs="EPSG:4490")
    assert (str(report.class_code), report.given_class) == ("30428.2:E01-11", "3/0302 垃圾堆放")
    assert report.reported_at == at("2026-03-16 09:12:33")
    assert (report.reporter.name, report.reporter.phone, report.given_area) == ("王某某", "13800000003", "340202012001")
    assert [attachment.url[-5:] for attachment in report.attachments] == ["1.jpg", "2.jpg"]


SNAPSHOT = {
    "sequence": 90017,
    "description": "楼道口堆放建筑垃圾，影响通行",
    "class_code": ClassCode.parse("30428.2:E01-11").model_dump(),
    "place": {"address": "镜湖区示例社区3栋2单元", "lon": 118.3762, "lat": 31.3341, "area": "340202012001"},
    "reporter": {"name": "王某某", "phone": "13800000003"},
    "attachments": [{"url": "http://city.example.gov.cn/p/1.jpg"}, {"url": "http://city.example.gov.cn/p/2.jpg"}],
}


def test_what_the_platform_is_sent_is_the_samples(social: System) -> None:
    record = only(social.receive(inbound(of_social("02_event_record.json"), at=THAT_DAY, token="H")))
    source = {"external_id": record.external_id, "extra": report_of(record).extra}
    dispatch = {"kind": "dispatch", "at": NOW, "actor": CLERK}
    one_photo = SNAPSHOT | {"attachments": SNAPSHOT["attachments"][:1]}  # type: ignore[index]

    _, reported = written(social, outbound_of("report_event", {"case": SNAPSHOT, "action": dispatch}))
    _, handed = written(
        social, outbound_of("h5_report_event", {"case": one_photo, "action": dispatch, "source_binding": source})
    )
    accept = {"case": SNAPSHOT, "action": dispatch | {"kind": "file"}, "binding": source}
    message, examined = written(social, outbound_of("examine", accept))

    expected = json.loads(of_social("01_report_event_request.json"))
    assert reported == expected | {"CollectorOpenId": "34022026052000001-1"}
    assert handed == json.loads(of_social("03_h5_report_event_request.json"))
    assert examined == json.loads(of_social("04_examine_request.json"))
    assert message.headers["token"] == "T"


def test_a_record_of_what_we_sent_carries_the_same_fingerprint(social: System) -> None:
    outbound = outbound_of(
        "report_event", {"case": SNAPSHOT, "action": {"kind": "dispatch", "at": NOW, "actor": CLERK}}
    )

    record = only(social.receive(inbound(of_social("02_event_record.json"), at=THAT_DAY, token="H")))

    assert social.fingerprint(outbound, now=NOW, id=ID) == record.fingerprint != ""


RET: dict[int, type[Exception] | None] = {
    0: None, 1: Refused, 2: Unavailable, 3: Unauthenticated, 4: Unavailable, 5: Refused, 6: Unavailable,
    7: Unauthenticated, 8: InDoubt,
}  # fmt: skip


@pytest.mark.parametrize("ret", RET)
def test_ret_decides_and_nothing_else(social: System, ret: int) -> None:
    body = json.dumps({"Data": True, "Ret": ret, "ErrCode": 9 - ret, "Msg": "说明"}).encode()
    expected = RET[ret]
    if expected is None:
        assert social.judge("report_event", answered(body)) == Answer()
        return
    with pytest.raises(expected):
        social.judge("report_event", answered(body))


def test_the_stored_answers_are_judged(social: System) -> None:
    assert social.judge("report_event", answered(of_social("01_report_event_response.json"))) == Answer()
    with pytest.raises(Unauthenticated):
        social.judge("examine", answered(of_social("05_response_token_invalid.json")))
    with pytest.raises(Unavailable):
        social.judge("examine", answered(of_social("06_response_rate_limited.json")))


def test_a_session_replaces_the_static_token() -> None:
    import adapters

    system = adapters.load(FOLDER["social_governance"], {"user": "u", "password": "p", "hub_token": "h"})
    outbound = outbound_of(
        "report_event", {"case": SNAPSHOT, "action": {"kind": "dispatch", "at": NOW, "actor": CLERK}}
    )
    asked = system.sign_in(NOW, ID)
    assert asked

    token = system.token(answered(b'{"Data":{"Token":"abc"},"Ret":0}')).value

    assert json.loads(asked.body) == {"UserName": "u", "Password": "p"}
    assert system.write(outbound, now=NOW, id=ID, session=token).headers["token"] == "abc"
    with pytest.raises(Unauthenticated):
        system.write(outbound, now=NOW, id=ID)
    with pytest.raises(Unauthenticated):
        system.token(answered(b'{"Data":null,"Ret":0}'))
    assert loaded(FOLDER["hotline_12345"]).sign_in(NOW, ID) is None
