"""The urban lifeline: its own samples to the facts, our replies to its values, and its simulated platform."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette

import adapters
from adapters import System
from canonical.errors import InDoubt, Refused, Unacceptable, Unavailable, Why
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from canonical.time import SHANGHAI
from simulators import lifeline as platform
from simulators.system import Setup
from tests.adapters.systems import ID, inbound, loaded, outbound_of, written

SHARED = Path(__file__).parents[2].parent / "shared" / "contracts" / "lifeline-workorder-push" / "samples"
stored = pytest.mark.skipif(not SHARED.is_dir(), reason="the reference contracts are not beside this checkout")
THAT_DAY = datetime(2026, 3, 16, 10, 0, tzinfo=SHANGHAI)
SYSTEM = loaded(adapters.shipped()["lifeline"])
ORDER = {
    "workordercode": "GS1", "scene": "供水", "workordercontent": "示例", "place": "示例路", "area": "镜湖区",
    "dispatchtime": "2026-03-16 09:18:11", "processlimited": None, "state": 0, "workordertype": 1, "attachments": "",
    "sendscene": "供水",
}  # fmt: skip


@pytest.fixture(scope="module")
def system() -> System:
    return SYSTEM


def read(body: bytes) -> Any:
    [content] = SYSTEM.receive(inbound(body, door="workorders", content_type="application/json", at=THAT_DAY))
    return content


def order(**more: object) -> Any:
    return read(orjson.dumps(ORDER | more))


def sample(name: str) -> Any:
    return json.loads((SHARED / name).read_bytes())


def reply(system: System, kind: str, code: str, at: str, **more: object) -> tuple[Message, Any]:
    action = {"kind": kind, "actor": {"party": "centre", "id": "op", "name": "U0001"}, "at": at} | more
    given = {"action": action, "binding": {"external_id": code}, "unit_name": "D0007"}
    return written(system, outbound_of("reply", given))


@stored
def test_an_order_carries_every_fact() -> None:
    reading = read((SHARED / "01_receive_workorder.json").read_bytes())
    report = reading.report

    assert (reading.kind, reading.external_id, report.title) == ("order", "GS20260316000001", "供水 预警")
    assert report.description == "示例路DN300供水管压力骤降，疑似爆管，请核查处置"
    assert (report.address, report.given_area, report.given_class) == (
        "镜湖区示例路与利民路交叉口", "镜湖区", "供水/预警",
    )  # fmt: skip
    assert report.reported_at == datetime(2026, 3, 16, 9, 18, 11, tzinfo=SHANGHAI)
    assert report.deadline.at == datetime(2026, 3, 18, 23, 59, 59, tzinfo=SHANGHAI)
    assert [(one.url, one.name) for one in report.attachments] == [
        ("http://lifeline.example.gov.cn/a/1.jpg", "1.jpg"), ("http://lifeline.example.gov.cn/a/2.mp4", "2.mp4"),
    ]  # fmt: skip
    assert (report.class_code, report.coordinate, report.reporter.name) == (None, None, "")
    assert report.extra["ordersource"] == "1111"


@stored
def test_an_order_for_two_specialties_without_a_limit_is_one_case_that_names_both() -> None:
    reading = read((SHARED / "02_receive_two_scenes_no_limit.json").read_bytes())

    assert reading.report.title == "燃气 预警 燃气,排水"
    assert reading.report.extra["sendscene"] == "燃气,排水"
    assert (reading.report.deadline, reading.report.attachments) == (None, ())


@stored
@pytest.mark.parametrize(("name", "kind"), [("03_reply.json", "file"), ("04_reply_done.json", "close")])
def test_our_reply_equals_the_stored_one(system: System, name: str, kind: str) -> None:
    wanted = sample(name)

    at = datetime.fromisoformat(wanted["processtime"]).replace(tzinfo=SHANGHAI)
    message, body = reply(system, kind, wanted["workordercode"], at.isoformat(), result="已修复")

    assert (message.method, message.path, body) == ("POST", "/TbPushWork/replyWork", wanted)


@stored
def test_what_the_platform_is_answered_equals_its_own_envelopes(system: System) -> None:
    message = inbound(orjson.dumps(ORDER), door="workorders")
    taken = system.reply(message, Outcome(Verdict.CASE))
    refused = system.reply(message, Outcome(Verdict.REFUSED, why=Why.CONTRACT))

    assert (taken.status, json.loads(taken.body)) == (200, sample("21_response_ok.json"))
    assert json.loads(refused.body) == sample("22_response_fail.json") | {"message": "参数不符合接口约定"}


def test_an_order_pushed_again_is_answered_with_success_so_that_the_platform_stops(system: System) -> None:
    message = inbound(orjson.dumps(ORDER), door="workorders")

    assert json.loads(system.reply(message, Outcome(Verdict.REPEATED)).body)["code"] == 10000


def test_an_order_that_is_done_comments_on_its_case_and_opens_none() -> None:
    done = order(state=2)

    assert done.report is None
    assert done.action.kinds == {Party.SOURCE: ActionKind.COMMENT}


@pytest.mark.parametrize("wrong", [{"state": 3}, {"workordertype": 9}, {"workordercode": " "}, {"dispatchtime": "x"}])
def test_what_breaks_the_contract_is_refused(wrong: dict[str, object]) -> None:
    assert isinstance(order(**wrong), Unacceptable)


@pytest.mark.parametrize("attachments", [None, "", ",", " "])
def test_empty_attachments_are_none(attachments: str | None) -> None:
    assert order(attachments=attachments).report.attachments == ()


def test_a_specialty_nobody_knew_is_taken_all_the_same() -> None:
    assert order(scene="热力", sendscene="热力").report.given_class == "热力/预警"


def judged(system: System, status: int, body: bytes) -> object:
    answer = Message(system="lifeline", body=body, at=THAT_DAY, id=ID, content_type="application/json", status=status)
    return system.judge("reply", answer)


def test_answers_are_judged_by_their_code(system: System) -> None:
    assert judged(system, 200, b'{"success":true,"code":10000,"message":"x"}')
    with pytest.raises(Refused):
        judged(system, 200, b'{"success":false,"code":10001,"message":"x"}')
    with pytest.raises(Unavailable):
        judged(system, 503, b"")
    with pytest.raises(InDoubt):
        judged(system, 200, b"<html/>")


@pytest.mark.parametrize("kind", ["order", "two_scenes", "no_limit"])
def test_every_order_of_the_simulated_platform_reads(kind: str) -> None:
    for number in range(40):
        fields = platform._fields(Random(number), kind, number, THAT_DAY)
        reading = read(orjson.dumps(fields))

        assert isinstance(reading, Reading), reading
        assert reading.report is not None
        assert (reading.external_id, reading.report.address) == (fields["workordercode"], fields["place"])
        assert (reading.report.deadline is None) is (fields["processlimited"] is None)


async def _told(sent: Message, code: str) -> httpx.Response:
    simulated = platform.Lifeline(Setup(hub="http://127.0.0.1:9", secret="s", quiet=True))
    simulated._orders[code] = platform.Order({"workordercode": code, "workordercontent": "", "scene": ""})
    transport = httpx.ASGITransport(Starlette(routes=simulated.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://platform") as client:
        return await client.post(sent.path, content=sent.body)


@pytest.mark.parametrize(("kind", "more"), [("file", {}), ("refuse", {"reason": "x"}), ("close", {"result": "x"})])
def test_the_simulated_platform_takes_our_replies(system: System, kind: str, more: dict[str, str]) -> None:
    sent, _ = reply(system, kind, "GS1", "2026-03-16T11:02:00+08:00", **more)

    answer = asyncio.run(_told(sent, "GS1"))

    assert judged(system, answer.status_code, answer.content)
    unknown = asyncio.run(_told(sent, "GS2"))
    with pytest.raises(Refused):
        judged(system, unknown.status_code, unknown.content)
