"""The simulated social governance platform against hand-made requests, the shared samples and a recording hub."""

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from simulators.social_governance.event import written

NAME = "social_governance"
FOLDER = "social-governance-snapshot-rest"
REPORT = "/city/v3/ShootAnyTimeWW/ReprotEvent"
REPORT_H5 = "/city/v3/QualifiedMattersH5/ReportEvent"
EXAMINE = "/city/v3/ShootAnyTimeH5/ExamineQualified"
LOGIN = "/city/v3/Account/Login"
SECRET = "a-secret-of-the-tests"
EVENT: dict[str, Any] = {
    "Id": 0,
    "BCategoryId": 3,
    "BCategoryName": "环境卫生",
    "SCategoryId": "0302",
    "SCategoryName": "垃圾堆放",
    "CollectorOpenId": "3402202603160001-1",
    "CollectorName": "王某某",
    "CollectorMobilePhone": "13800000003",
    "EventDesc": "楼道口堆放建筑垃圾",
    "EventAddress": "镜湖区示例社区3栋",
    "EventPhotos": [],
    "Range": {"Longitude": 118.3762, "Latitude": 31.3341},
}
EVENT_H5: dict[str, Any] = {
    "EventID": 0,
    "PsychopathId": 0,
    "BCategoryId": 3,
    "SCategoryId": "0302",
    "PM": {"Lon": 118.3762, "Lat": 31.3341},
    "EventDesc": "楼道口堆放建筑垃圾",
    "EventAddress": "镜湖区示例社区3栋",
    "EventPhotos": [],
    "ShootAnyTimeId": 0,
    "ReportSource": 1,
}


def send(side: Any, path: str, document: dict[str, Any], token: str = SECRET) -> dict[str, Any]:
    response: httpx.Response = side.post(path, json=document, headers={"token": token})
    assert response.status_code == 200
    envelope: dict[str, Any] = response.json()
    assert list(envelope) == ["Data", "Ret", "ErrCode", "Msg", "SeqId", "InfoMsg"]
    return envelope


def records(hub: Any) -> list[dict[str, Any]]:
    return [json.loads(body) for body in hub.bodies()]


def offered(side: Any, hub: Any) -> dict[str, Any]:
    side.emit()
    side.drained()
    return records(hub)[-1]


def test_a_snapshot_is_pushed_as_the_contracts_record(start: Any, hub: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME)
    record = offered(side, hub)
    example = json.loads(sample(FOLDER, "02_event_record.json"))

    assert list(record) == list(example)
    assert {name: type(value) for name, value in record.items()} == {
        name: type(value) for name, value in example.items()
    }
    assert (record["ES"], record["IsQualified"]) == (0, 0)
    assert re.fullmatch(r"\d{4}/[1-9]\d?/[1-9]\d? \d{1,2}:\d\d:\d\d", record["CDate"])
    assert hub.requests[0][1]["token"] == SECRET
    assert record["VillageId"].startswith(record["TownId"])


def test_dates_have_no_leading_zeros() -> None:
    assert written(datetime(2026, 3, 6, 9, 12, 33, tzinfo=ZoneInfo("Asia/Shanghai"))) == "2026/3/6 9:12:33"


def test_the_contracts_report_is_worked_in_three_records_that_echo_the_callers_reference(
    start: Any, hub: Any, sample: Callable[..., bytes]
) -> None:
    side = start(NAME)
    envelope = send(side, REPORT, json.loads(sample(FOLDER, "01_report_event_request.json")))
    expected = json.loads(sample(FOLDER, "01_report_event_response.json"))
    assert envelope | {"SeqId": 0} == expected | {"SeqId": 0}
    side.drained()

    told = records(hub)
    assert [record["ES"] for record in told] == [1, 2, 3]
    assert {record["CollectorOpenId"] for record in told} == {"o-demo-openid-0001"}
    assert len({record["Id"] for record in told}) == 1
    done = told[-1]
    assert done["ReplyDesc"]
    assert done["ReplyPhotos"]
    assert done["Disposer"]
    assert (done["ReplyStatusDesc"], done["ESDesc"]) == ("已回复", "已办结")
    summary = side.summary()
    assert (summary["signed"], summary["finished"], summary["accepted"]) == (1, 1, 3)


def test_a_returned_event_ends_in_status_nine_with_a_reason(start: Any, hub: Any) -> None:
    side = start(NAME, **{"return": 1})
    send(side, REPORT, EVENT)
    side.drained()
    assert [record["ES"] for record in records(hub)] == [1, 9]
    assert records(hub)[-1]["ReplyDesc"]
    assert side.summary()["returned"] == 1


def test_a_report_repeated_becomes_a_second_event(start: Any) -> None:
    side = start(NAME)
    send(side, REPORT, EVENT)
    send(side, REPORT, EVENT)
    assert len({item["id"] for item in side.items()}) == 2
    assert side.drained()["doubles"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"BCategoryId": "3"},
        {"BCategoryId": True},
        {"SCategoryId": 302},
        {"SCategoryId": ""},
        {"EventDesc": None},
        {"EventAddress": ""},
        {"CollectorName": ""},
        {"EventPhotos": "a.jpg"},
        {"EventPhotos": [1]},
        {"Range": None},
        {"Range": {"Longitude": "118.3762", "Latitude": 31.3341}},
    ],
)
def test_a_report_that_the_binder_cannot_bind_is_a_bad_parameter(start: Any, changes: dict[str, Any]) -> None:
    side = start(NAME)
    assert send(side, REPORT, EVENT | changes)["Ret"] == 1
    assert side.items() == []


@pytest.mark.parametrize("missing", sorted(set(EVENT) - {"Id", "BCategoryName", "SCategoryName", "CollectorOpenId"}))
def test_what_is_needed_on_add_is_needed(start: Any, missing: str) -> None:
    side = start(NAME)
    envelope = send(side, REPORT, {name: value for name, value in EVENT.items() if name != missing})
    assert envelope["Ret"] == 1
    assert missing in envelope["Msg"]


def test_a_form_is_not_bound_although_the_page_lists_it(start: Any) -> None:
    side = start(NAME)
    response = side.post(REPORT, data={"EventDesc": "x"}, headers={"token": SECRET})
    assert (response.status_code, response.json()["Ret"]) == (200, 1)


@pytest.mark.parametrize("path", [REPORT, REPORT_H5, EXAMINE])
def test_a_wrong_token_is_answered_as_the_sample(start: Any, sample: Callable[..., bytes], path: str) -> None:
    side = start(NAME)
    expected = json.loads(sample(FOLDER, "05_response_token_invalid.json"))
    assert send(side, path, EVENT, token="wrong") | {"SeqId": 0} == expected | {"SeqId": 0}
    assert side.items() == []


def test_a_session_from_login_works_until_it_expires(start: Any) -> None:
    side = start(NAME, options={"token_life": "0.3"})
    assert send(side, LOGIN, {"UserName": "hub", "Password": "wrong"})["Ret"] == 5
    data = send(side, LOGIN, {"UserName": "hub", "Password": SECRET})["Data"]

    assert send(side, REPORT, EVENT, token=data["Token"])["Ret"] == 0
    time.sleep(0.35)
    assert send(side, REPORT, EVENT, token=data["Token"])["Ret"] == 7


def test_too_many_requests_are_put_off_as_the_sample(start: Any, sample: Callable[..., bytes]) -> None:
    side = start(NAME, limited=1)
    expected = json.loads(sample(FOLDER, "06_response_rate_limited.json"))
    assert send(side, REPORT, EVENT) | {"SeqId": 0} == expected | {"SeqId": 0}


def test_an_examined_snapshot_handed_back_is_worked_under_its_own_id(
    start: Any, hub: Any, sample: Callable[..., bytes]
) -> None:
    side = start(NAME)
    number = int(offered(side, hub)["Id"])
    examine = json.loads(sample(FOLDER, "04_examine_request.json")) | {"Id": number}
    report = json.loads(sample(FOLDER, "03_h5_report_event_request.json")) | {"ShootAnyTimeId": number}

    assert send(side, EXAMINE, examine)["Ret"] == 0
    assert side.item(str(number))["state"] == "1"
    assert send(side, EXAMINE, examine)["Ret"] == 0
    assert send(side, REPORT_H5, report)["Data"] is True
    side.drained()
    told = [(record["Id"], record["ES"], record["IsQualified"]) for record in records(hub)]
    assert told == [(str(number), 0, 0), (str(number), 2, 1), (str(number), 3, 1)]


def test_an_unqualified_snapshot_is_worked_no_more(start: Any, hub: Any) -> None:
    side = start(NAME, pace=0.2)
    number = int(offered(side, hub)["Id"])
    send(side, REPORT_H5, EVENT_H5 | {"ShootAnyTimeId": number})
    assert send(side, EXAMINE, {"Id": number, "IsQualified": 0, "EventId": 1})["Ret"] == 0
    side.drained()
    assert len(hub.requests) == 1
    assert side.item(str(number))["state"] == "9"


def test_work_asked_for_again_is_done_again(start: Any, hub: Any) -> None:
    side = start(NAME)
    number = int(offered(side, hub)["Id"])
    for _ in range(2):
        assert send(side, REPORT_H5, EVENT_H5 | {"ShootAnyTimeId": number})["Ret"] == 0
        side.drained()
    assert [record["ES"] for record in records(hub)] == [0, 2, 3, 2, 3]
    assert records(hub)[3]["ReplyDesc"] == ""


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (EXAMINE, {"Id": 1, "IsQualified": 1, "EventId": 1}),
        (EXAMINE, {"Id": "1", "IsQualified": 1, "EventId": 1}),
        (REPORT_H5, EVENT_H5 | {"ShootAnyTimeId": 1}),
        (REPORT_H5, EVENT_H5 | {"ReportSource": 4}),
        (REPORT_H5, EVENT_H5 | {"PM": {"Longitude": 1, "Latitude": 2}}),
    ],
)
def test_what_names_nothing_known_is_a_bad_parameter(start: Any, path: str, document: dict[str, Any]) -> None:
    side = start(NAME)
    assert send(side, path, document)["Ret"] == 1


def test_a_record_is_pushed_again_when_the_hub_asks_for_patience(start: Any, hub: Any) -> None:
    side = start(NAME)
    hub.answers[NAME] = json.dumps({"Data": None, "Ret": 2, "ErrCode": 0, "Msg": "", "SeqId": 1, "InfoMsg": None})
    side.emit()
    assert (side.drained()["unanswered"], len(hub.requests)) == (1, 4)
    hub.answers[NAME] = json.dumps({"Data": None, "Ret": 1, "ErrCode": 0, "Msg": "", "SeqId": 1, "InfoMsg": None})
    side.emit()
    assert (side.drained()["refused"], len(hub.requests)) == (1, 5)
