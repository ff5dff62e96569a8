"""The simulated lifeline platform against hand-made replies, the shared samples and a hub that records."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

NAME = "lifeline"
FOLDER = "lifeline-workorder-push"
DOOR = "/in/lifeline"
REPLY = "/TbPushWork/replyWork"
OK = {"success": True, "code": 10000, "message": "操作成功!", "pageInfo": None, "resultData": None}
FAIL = OK | {"success": False, "code": 10001, "message": "编号已存在!"}


@pytest.fixture
def side(start: Any, hub: Any) -> Any:
    """The platform, its door at the recording hub."""
    hub.answers[NAME] = json.dumps(OK)
    return start(NAME, options={"door": DOOR})


def happened(side: Any, kind: str) -> str:
    id_: str = side.post("/_sim/happen", json={"kind": kind}).json()["id"]
    side.drained()
    return id_


def reply(code: str, state: int) -> dict[str, object]:
    told = {"workordercode": code, "handlerid": "U0001", "disposaldeptid": "D0007"}
    return {**told, "processtime": "2026-03-16 11:02:00", "state": state}


@pytest.mark.parametrize(
    ("kind", "name"), [("order", "01_receive_workorder"), ("two_scenes", "02_receive_two_scenes_no_limit")]
)
def test_a_pushed_order_has_the_samples_fields_in_their_order(
    side: Any, hub: Any, sample: Callable[[str, str], bytes], kind: str, name: str
) -> None:
    happened(side, kind)
    expected = json.loads(sample(FOLDER, f"{name}.json"))
    path, headers, body = hub.requests[0]
    pushed = json.loads(body)
    assert (path, headers["content-type"], list(pushed)) == (DOOR, "application/json", list(expected))
    assert all(type(pushed[key]) is type(value) for key, value in expected.items() if key != "processlimited")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", pushed["dispatchtime"])


def test_orders_without_a_limit_and_for_two_specialties_happen_when_asked_for(side: Any, hub: Any) -> None:
    happened(side, "no_limit")
    happened(side, "two_scenes")
    unlimited, shared_out = map(json.loads, hub.bodies())
    assert unlimited["processlimited"] is None
    assert len(shared_out["sendscene"].split(",")) == 2


def test_the_story_has_limits_to_the_day_and_attachments_by_commas(side: Any, hub: Any) -> None:
    side.emit(40)
    side.drained()
    orders = [json.loads(body) for body in hub.bodies()]
    limits = {type(order["processlimited"]) for order in orders}
    assert limits == {str, type(None)}
    assert {order["attachments"].count(",") for order in orders} == {0, 1}
    assert len({order["workordercode"] for order in orders}) == 40


def test_an_order_that_is_not_answered_with_10000_is_pushed_again(side: Any, hub: Any) -> None:
    hub.failing = 2
    [code] = side.emit()
    summary = side.drained()
    assert (summary["accepted"], summary["tried_again"], len(hub.requests)) == (1, 2, 3)
    assert side.item(code)["heard"] == "accepted"


@pytest.mark.parametrize(
    ("answer", "heard"),
    [(json.dumps(FAIL), "refused"), ("<html>", "unanswered"), ('{"success":true}', "unanswered"), ("[]", "unanswered")],
)
def test_an_answer_that_is_none_is_given_up_after_the_attempts(side: Any, hub: Any, answer: str, heard: str) -> None:
    hub.answers[NAME] = answer
    [code] = side.emit()
    side.drained()
    assert (side.item(code)["heard"], len(hub.requests)) == (heard, 4)


def test_again_pushes_the_very_same_order(side: Any, hub: Any) -> None:
    first = happened(side, "order")
    assert happened(side, "again") == first
    one, other = hub.bodies()
    assert one == other


def test_replies_move_the_order_to_done(side: Any, sample: Callable[[str, str], bytes]) -> None:
    code = happened(side, "order")
    working = json.loads(sample(FOLDER, "03_reply.json")) | {"workordercode": code}
    done = json.loads(sample(FOLDER, "04_reply_done.json")) | {"workordercode": code}
    expected = json.loads(sample(FOLDER, "21_response_ok.json"))
    states = [side.item(code)["state"]]
    for document in (working, done):
        answer = side.post(REPLY, json=document)
        assert (answer.status_code, answer.json()) == (200, expected)
        states.append(side.item(code)["state"])
    assert states == ["0", "1", "2"]
    assert (side.item(code)["handler"], side.item(code)["department"]) == ("U0001", "D0007")
    summary = side.summary()
    assert (summary["signed"], summary["finished"], summary["refusals"]) == (1, 1, 0)


def test_an_unknown_code_is_refused_with_10001_and_http_200(side: Any, sample: Callable[[str, str], bytes]) -> None:
    answer = side.post(REPLY, json=reply("GS20990101000001", 1))
    refusal = json.loads(sample(FOLDER, "22_response_fail.json")) | {"message": "编号不存在!"}
    assert (answer.status_code, answer.json()) == (200, refusal)
    assert side.summary()["refusals"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"handlerid": ""}, "handlerid不能为空!"),
        ({"disposaldeptid": None}, "disposaldeptid不能为空!"),
        ({"state": 3}, "state取值错误!"),
        ({"state": "1"}, "state取值错误!"),
        ({"state": True}, "state取值错误!"),
        ({"processtime": "2026-03-16T11:02:00"}, "processtime格式错误!"),
    ],
)
def test_a_reply_that_breaks_the_table_is_refused(side: Any, changes: dict[str, object], message: str) -> None:
    code = happened(side, "order")
    assert side.post(REPLY, json=reply(code, 1) | changes).json()["message"] == message
    assert side.item(code)["state"] == "0"


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(side: Any, body: bytes) -> None:
    assert side.post(REPLY, content=body).json()["code"] == 10001


def test_a_state_never_goes_backwards_and_a_repeated_reply_changes_nothing(side: Any) -> None:
    code = happened(side, "order")
    done = reply(code, 2)
    assert side.post(REPLY, json=done).json()["code"] == 10000
    assert side.post(REPLY, json=done).json()["code"] == 10000
    assert side.post(REPLY, json=reply(code, 1)).json()["code"] == 10001
    summary = side.summary()
    assert (side.item(code)["state"], summary["finished"], summary["repeated_replies"]) == ("2", 1, 1)


def test_refusing_uses_the_envelope_and_leaves_the_order(side: Any) -> None:
    code = happened(side, "order")
    side.behave(refuse=1)
    assert side.post(REPLY, json=reply(code, 1)).json() == FAIL | {"message": "状态不允许该操作!"}
    assert side.item(code)["state"] == "0"


def test_the_reply_path_is_a_setting_and_the_orders_path_has_the_documents_words(start: Any) -> None:
    side = start(NAME, options={"reply_path": "/other/reply"}, attempts=1)
    assert side.post("/other/reply", json={}).json()["code"] == 10001
    assert side.post(REPLY, json={}).status_code == 404
    side.emit()
    side.drained()
    pushed = side.client.get("/_sim/state").json()["pushed"]
    assert [one["path"] for one in pushed] == ["/in/lifeline/TbPushWork/uploadTbPushWork"]
