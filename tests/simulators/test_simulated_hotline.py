"""The simulated hotline against hand-made requests, the shared samples and a hub that records."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from simulators.hotline_12345.subjects import SUBJECTS
from simulators.hotline_12345.ticket import first_task

NAME = "hotline_12345"
FOLDER = "hotline-12345-cns"
TASK = "/cns-rest/rest/cnsTask"
SUBMIT = "/cns-rest/rest/sxCaseInfo/addCaseInfo"
NOW = datetime(2026, 3, 16, 9, 40, tzinfo=ZoneInfo("Asia/Shanghai"))


def params_of(body: bytes) -> dict[str, Any]:
    """The document of a push, cut out by hand."""
    text = body.decode()
    found = re.search(r"\r\n\r\n(\{.*\})\r\n--", text, re.DOTALL)
    assert found
    document = json.loads(found.group(1))
    assert document["token"] == "a-secret-of-the-tests"
    params: dict[str, Any] = document["params"]
    return params


def call_back(side: Any, path: str, params: dict[str, Any], token: str = "a-secret-of-the-tests") -> httpx.Response:
    part = json.dumps({"params": params, "token": token}, ensure_ascii=False)
    response: httpx.Response = side.post(path, files={"params": (None, part)})
    return response


def custom(response: httpx.Response) -> tuple[str, str]:
    document = response.json()
    assert document["status"]["code"] == "200"
    return document["custom"]["code"], document["custom"]["text"]


def emitted(side: Any, hub: Any) -> dict[str, Any]:
    side.emit()
    side.drained()
    return params_of(hub.bodies()[-1])


def sign(task: dict[str, Any]) -> dict[str, Any]:
    identity = {"taskGuid": task["taskGuid"], "serialNum": task["serialNum"]}
    return identity | {"taskStatus": "20", "signTime": "2026-03-16 10:05:11", "signPerson": "示例经办人"}


def feed_back(task: dict[str, Any], status: str = "80") -> dict[str, Any]:
    identity = {"taskGuid": task["taskGuid"], "serialNum": task["serialNum"]}
    told = {"answerType": "DH", "answerContent": "已修复", "finishTime": "2026-03-18 16:30:00", "attachUrls": ""}
    return identity | {"taskStatus": status, "handleType": "10"} | told


def test_a_push_has_the_shape_of_the_contracts_sample(start: Any, hub: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME)
    side.emit()
    side.drained()
    _path, headers, body = hub.requests[0]
    head, _, example = sample(FOLDER, "01_dispatch_push.http").partition(b"\r\n\r\n")
    boundary = headers["content-type"].partition("boundary=")[2]

    params = params_of(body)
    assert list(params) == list(json.loads(sample(FOLDER, "01_dispatch_push.params.json"))["params"])
    wire = body.decode().replace(boundary, "----cns0316")
    assert re.sub(r"\{.*\}", "{}", wire).strip() == re.sub(r"\{.*\}", "{}", example.decode()).strip()
    assert b"multipart/form-data" in head


def test_a_task_goes_all_the_way_to_a_satisfied_citizen(start: Any, hub: Any) -> None:
    side = start(NAME)
    task = emitted(side, hub)

    assert custom(call_back(side, f"{TASK}/sign", sign(task))) == ("1", "操作成功")
    assert side.item(task["taskGuid"])["state"] == "20"
    assert custom(call_back(side, f"{TASK}/feedback", feed_back(task)))[0] == "1"
    side.drained()

    visited = params_of(hub.bodies()[-1])
    assert (visited["taskGuid"], visited["taskStatus"], visited["cstatus"]) == (task["taskGuid"], "80", "100")
    summary = side.summary()
    assert (summary["accepted"], summary["signed"], summary["finished"], summary["satisfied"]) == (2, 1, 1, 1)


def test_a_dissatisfied_citizen_brings_a_new_task_of_the_same_ticket(start: Any, hub: Any) -> None:
    side = start(NAME, dissatisfied=1)
    task = emitted(side, hub)
    call_back(side, f"{TASK}/sign", sign(task))
    call_back(side, f"{TASK}/feedback", feed_back(task))
    side.drained()

    first, visited, again = (params_of(body) for body in hub.bodies())
    assert (visited["taskGuid"], visited["cstatus"]) == (first["taskGuid"], "65")
    assert again["taskGuid"] != first["taskGuid"]
    assert (again["rowGuid"], again["serialNum"]) == (first["rowGuid"], first["serialNum"])
    assert (again["cstatus"], again["taskStatus"]) == ("35", "10")
    assert again["opinion"] == "回访不满意，请重新办理"


def test_an_assisting_task_shares_the_ticket_and_is_not_visited(start: Any, hub: Any) -> None:
    side = start(NAME, assist=1)
    side.emit()
    side.drained()
    lead, assist = sorted((params_of(body) for body in hub.bodies()), key=lambda one: one["taskType"])

    assert (lead["taskType"], assist["taskType"]) == ("10", "20")
    assert lead["rowGuid"] == assist["rowGuid"]
    assert lead["taskGuid"] != assist["taskGuid"]
    call_back(side, f"{TASK}/sign", sign(assist))
    call_back(side, f"{TASK}/feedback", feed_back(assist))
    assert side.drained()["calls"] == 2


def test_a_second_sign_is_a_business_refusal(start: Any, hub: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME)
    task = emitted(side, hub)
    call_back(side, f"{TASK}/sign", sign(task))

    refusal = json.loads(sample(FOLDER, "22_response_business_error.json"))
    assert call_back(side, f"{TASK}/sign", sign(task)).json() == refusal
    assert side.summary()["signed"] == 1


@pytest.mark.parametrize("token", ["", "wrong", "A-SECRET-OF-THE-TESTS", "令牌"])
def test_a_wrong_token_is_rejected_before_anything_else(
    start: Any, hub: Any, sample: Callable[..., bytes], token: str
) -> None:
    side = start(NAME)
    task = emitted(side, hub)

    response = call_back(side, f"{TASK}/sign", sign(task), token)
    assert (response.status_code, response.json()) == (200, json.loads(sample(FOLDER, "23_response_token_error.json")))
    assert side.item(task["taskGuid"])["state"] == "10"


def test_feedback_before_signing_makes_no_sense(start: Any, hub: Any) -> None:
    side = start(NAME)
    task = emitted(side, hub)

    assert custom(call_back(side, f"{TASK}/feedback", feed_back(task))) == ("0", "任务单状态不允许反馈")


def test_an_interim_feedback_leaves_the_task_open(start: Any, hub: Any) -> None:
    side = start(NAME)
    task = emitted(side, hub)
    call_back(side, f"{TASK}/sign", sign(task))

    assert custom(call_back(side, f"{TASK}/feedback", feed_back(task, "100")))[0] == "1"
    assert side.item(task["taskGuid"])["state"] == "100"
    assert custom(call_back(side, f"{TASK}/feedback", feed_back(task)))[0] == "1"
    summary = side.drained()
    assert (summary["interim"], summary["finished"]) == (1, 1)


def test_a_task_is_returned_with_a_reason_and_delayed_only_while_worked_on(start: Any, hub: Any) -> None:
    side = start(NAME)
    task = emitted(side, hub)
    identity = {"taskGuid": task["taskGuid"], "serialNum": task["serialNum"]}
    asked = {"delayDays": "3", "delayUnit": "2", "delayReason": "等待配件", "applyTime": "2026-03-18 15:00:00"}
    back = {"taskStatus": "30", "handleType": "20", "backReason": "不属于本单位职责", "backTime": "2026-03-16 11:20:00"}

    assert custom(call_back(side, f"{TASK}/delay", identity | asked)) == ("0", "任务单状态不允许延期")
    call_back(side, f"{TASK}/sign", sign(task))
    assert custom(call_back(side, f"{TASK}/delay", identity | asked))[0] == "1"
    assert custom(call_back(side, f"{TASK}/back", identity | back | {"backReason": ""})) == ("0", "缺少参数backReason")
    assert custom(call_back(side, f"{TASK}/back", identity | back))[0] == "1"
    assert custom(call_back(side, f"{TASK}/feedback", feed_back(task)))[0] == "0"
    summary = side.summary()
    assert (summary["delayed"], summary["returned"], summary["states"]) == (1, 1, {"30": 1})


@pytest.mark.parametrize("name", ["11_callback_sign", "12_callback_back", "13_callback_delay", "14_callback_feedback"])
def test_the_contracts_callbacks_are_understood_for_a_task_of_ours(
    start: Any, hub: Any, sample: Callable[..., bytes], name: str
) -> None:
    side = start(NAME)
    task = emitted(side, hub)
    if name != "11_callback_sign":
        call_back(side, f"{TASK}/sign", sign(task))
    params = json.loads(sample(FOLDER, f"{name}.params.json"))["params"]
    ours = params | {"taskGuid": task["taskGuid"], "serialNum": task["serialNum"]}

    assert custom(call_back(side, f"{TASK}/{name.rpartition('_')[2]}", params))[1] == "任务单不存在"
    assert custom(call_back(side, f"{TASK}/{name.rpartition('_')[2]}", ours))[0] == "1"


def test_a_submission_is_answered_with_a_redirect_that_carries_the_answer(
    start: Any, sample: Callable[..., bytes]
) -> None:
    side = start(NAME)
    params = json.loads(sample(FOLDER, "15_add_case.params.json"))["params"]

    response = call_back(side, SUBMIT, params)
    assert (response.status_code, custom(response)) == (302, ("1", "操作成功"))
    assert custom(call_back(side, SUBMIT, params | {"rqstTitle": None}))[0] == "0"
    assert side.summary()["submitted"] == 1


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n{\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n{}\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n[]\r\n--x--\r\n',
        ),
    ],
)
def test_a_request_outside_the_envelope_is_refused(start: Any, content_type: str, body: bytes) -> None:
    side = start(NAME)
    response = side.post(f"{TASK}/sign", content=body, headers={"Content-Type": content_type})
    assert custom(response)[0] == "0"
    assert side.summary()["failures"] == 0


def test_a_push_without_a_good_answer_is_repeated_three_times_with_the_same_task(start: Any, hub: Any) -> None:
    side = start(NAME)
    hub.answers[NAME] = json.dumps({"status": {"code": "200", "text": ""}, "custom": {"code": "0", "text": "no"}})
    side.emit()
    summary = side.drained()

    assert len(hub.requests) == 4
    assert len({params_of(body)["taskGuid"] for body in hub.bodies()}) == 1
    assert (summary["refused"], summary["accepted"], summary["tried_again"]) == (1, 0, 3)


def test_a_push_is_repeated_until_the_hub_is_back(start: Any, hub: Any) -> None:
    side = start(NAME)
    hub.failing = 2
    side.emit()
    assert (side.drained()["accepted"], len(hub.requests)) == (1, 3)


def test_a_duplicate_comes_although_the_hub_had_accepted(start: Any, hub: Any) -> None:
    side = start(NAME, repeat=1)
    side.emit()
    assert side.drained()["repeated"] == 1
    assert hub.bodies()[0] == hub.bodies()[1]


def test_tickets_are_as_varied_as_a_citys_day() -> None:
    tasks: list[Any] = [first_task(Random(number), number, NOW).fields for number in range(2000)]

    def share(true: Callable[[Any], object]) -> float:
        return sum(1 for fields in tasks if true(fields)) / len(tasks)

    assert 0.05 < share(lambda f: f["isSecret"] == "1") < 0.11
    assert 0.05 < share(lambda f: not f["rqstAreaCode"] and not f["rqstAddress"]) < 0.11
    assert 0.07 < share(lambda f: f["isImpt"] == "10") < 0.13
    assert 0.15 < share(lambda f: not f["answerDeadline"]) < 0.35
    assert 0.01 < share(lambda f: f["answerDeadline"] and f["answerDeadline"] < "2026-03-16 09:40:00") < 0.05
    assert 0 < share(lambda f: f["accordType"] == "9999") < 0.015
    assert 0 < share(lambda f: not f["accordType"]) < 0.05
    assert 0.02 < share(lambda f: f["rqstType"] == "10") < 0.3
    assert len({f["accordType"] for f in tasks}) >= len(SUBJECTS)
    assert all(
        not f[name] for f in tasks if f["isSecret"] == "1" for name in ("rqstPerson", "rqstNumber", "linkNumber")
    )
    assert all(f["linkNumber"].startswith("1380000") for f in tasks if f["isSecret"] == "0")
    assert all(re.fullmatch(r"(DH|WZ)20260316\d{5}", f["serialNum"]) for f in tasks)
