"""What must never pass: broken bytes, hostile XML, wrong secrets, impossible values. And what errors must not say."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from adapters import System
from adapters.value import int_at
from canonical.errors import ContractViolation, Unacceptable, Why
from tests.adapters.systems import FOLDERS, NOW, inbound, loaded

FOLDER = {folder.name: folder for folder in FOLDERS}
HOTLINE = loaded(FOLDER["hotline_12345"])
URBAN = loaded(FOLDER["urban_management"])
SOCIAL = loaded(FOLDER["social_governance"])
TASK: dict[str, Any] = json.loads(
    (FOLDER["hotline_12345"] / "samples" / "tasks.manhole.in.json").read_text(encoding="utf-8")
)
RECORD: dict[str, Any] = json.loads(
    (FOLDER["social_governance"] / "samples" / "records.fitness.in.json").read_text("utf-8")
)
STATUS = (FOLDER["urban_management"] / "samples" / "status.finished.in.xml").read_bytes()


def task(**changes: object) -> bytes:
    return json.dumps(TASK | {"params": TASK["params"] | changes}).encode()


def record(**changes: object) -> bytes:
    return json.dumps(RECORD | changes).encode()


def refused(system: System, body: bytes, content_type: str = "", token: str = "") -> Unacceptable:
    [answer] = system.receive(inbound(body, content_type=content_type, token=token))
    assert isinstance(answer, Unacceptable), answer
    return answer


FORM = "multipart/form-data; boundary=b"


def form(text: bytes, part: bytes = b"params") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="' + part + b'"\r\n\r\n' + text + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b'{"token":"\xff"}', "application/json"),
        (b'{"token":"\\ud800"}', "application/json"),
        (b'{"token":"demo-token","params":NaN}', "application/json"),
        (b'{"token":"demo-token"}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (form(b"{}", b"other"), FORM),
        (form(b"{}")[:-9], FORM),
        (form(b"{}"), "multipart/form-data"),
        (form(b"{}").replace(b"--b--", b"") + form(b"{}"), FORM),
        (b"params=%FF", "application/x-www-form-urlencoded"),
        (b"other=1", "application/x-www-form-urlencoded"),
        (b"\x00\x01\x02", ""),
    ],
)  # fmt: skip
def test_broken_bytes_are_unreadable(body: bytes, kind: str) -> None:
    assert refused(HOTLINE, body, kind).why is Why.UNREADABLE


def test_the_same_task_is_read_from_every_kind_of_form() -> None:
    from urllib.parse import urlencode

    readings = [
        HOTLINE.receive(inbound(task(), content_type="application/json")),
        HOTLINE.receive(inbound(form(task()), content_type=FORM)),
        HOTLINE.receive(
            inbound(urlencode({"params": task()}).encode(), content_type="application/x-www-form-urlencoded")
        ),
    ]

    assert readings[0] == readings[1] == readings[2]
    assert not isinstance(readings[0][0], Unacceptable)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/hostname">',
        "<!DOCTYPE a>",
        '<!DOCTYPE a [<!ENTITY a0 "ha"><!ENTITY a1 "&a0;&a0;&a0;"><!ENTITY a2 "&a1;&a1;&a1;">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]>',
    ],
)
def test_xml_with_a_doctype_is_unreadable(head: str) -> None:
    body = STATUS.replace(b"?>", b"?>" + head.encode(), 1)

    assert refused(URBAN, body, "text/xml").why is Why.UNREADABLE


@pytest.mark.parametrize(
    "body",
    [STATUS[:-20], STATUS.replace(b"\xe5", b"\xff", 1), b"<a>" * 5000, STATUS.replace(b"</reason>", b"&#0;</reason>")],
)
def test_broken_xml_is_unreadable(body: bytes) -> None:
    assert refused(URBAN, body, "text/xml").why is Why.UNREADABLE


@pytest.mark.parametrize("depth", [70, 300, 900])
@pytest.mark.parametrize("name", ["attachList", "unknown"])
def test_what_is_too_deep_is_unreadable(depth: int, name: str) -> None:
    nested: object = 1
    for level in range(depth):
        nested = [nested] if level % 2 else {"a": nested}
    xml = STATUS.replace(b"</reason>", b"</reason>" + b"<a>" * 70 + b"</a>" * 70)

    assert refused(HOTLINE, task(**{name: nested})).why is Why.UNREADABLE
    assert refused(URBAN, xml, "text/xml").why is Why.UNREADABLE


def test_what_is_wide_is_not_deep() -> None:
    [reading] = HOTLINE.receive(inbound(task(attachList=[{"attachUrl": "u"}] * 200, other=[[[]]] * 200)))

    assert not isinstance(reading, Unacceptable)


def test_the_label_of_xml_does_not_count_only_its_bytes() -> None:
    labelled = STATUS.replace(b'encoding="utf-8"', b'encoding="gb2312"')

    assert URBAN.receive(inbound(labelled, content_type="text/xml")) == URBAN.receive(
        inbound(STATUS, content_type="text/xml")
    )
    assert not isinstance(URBAN.receive(inbound(labelled, content_type="text/xml"))[0], Unacceptable)


def test_a_character_no_database_holds_is_unreadable_and_its_spelling_is_not() -> None:
    assert refused(HOTLINE, task(rqstContent="a\x00b")).why is Why.UNREADABLE
    [reading] = HOTLINE.receive(inbound(task(rqstContent="a\\u0000b")))
    assert not isinstance(reading, Unacceptable)


@pytest.mark.parametrize(
    "token", ["", "demo-toke", "demo-token ", "DEMO-TOKEN", None, 1, ["demo-token"], {"a": 1}, "令牌"]
)
def test_another_token_is_refused(token: object) -> None:
    assert refused(HOTLINE, json.dumps(TASK | {"token": token}).encode()).why is Why.UNAUTHENTICATED


def test_a_loaded_system_does_not_show_its_secrets() -> None:
    for system in (HOTLINE, URBAN, SOCIAL):
        assert "demo-" not in repr(system)


def test_a_header_or_an_element_may_show_the_secret() -> None:
    assert refused(SOCIAL, record()).why is Why.UNAUTHENTICATED
    assert (
        refused(SOCIAL, record(), token="demo-token").why is Why.UNAUTHENTICATED
    )  # the hub's own secret is another one
    assert not isinstance(SOCIAL.receive(inbound(record(), token="demo-hub_token"))[0], Unacceptable)
    assert refused(URBAN, STATUS.replace(b"demo-validate", b"x"), "text/xml").why is Why.UNAUTHENTICATED


BREACHES: list[tuple[dict[str, object], Why, str]] = [
    ({"taskGuid": ""}, Why.CONTRACT, "taskGuid"),
    ({"taskGuid": 7}, Why.CONTRACT, "taskGuid"),
    ({"rqstContent": None}, Why.CONTRACT, "rqstContent"),
    ({"rqstContent": "长" * 20_001}, Why.CONTRACT, "rqstContent"),
    ({"rqstTime": "2026-02-30 08:00:00"}, Why.CONTRACT, "rqstTime"),
    ({"rqstTime": "2026/05/20"}, Why.CONTRACT, "rqstTime"),
    ({"finishLimit": {"value": "-1", "unit": "2"}}, Why.CONTRACT, ""),
    ({"finishLimit": {"value": "5", "unit": ""}}, Why.CONTRACT, "limit.unit"),
    ({"finishLimit": {"value": "five", "unit": "2"}}, Why.CONTRACT, "limit.value"),
    ({"finishLimit": {"value": "5", "unit": "7"}}, Why.UNMAPPED_CODE, "finishLimit.unit"),
    ({"accordType": "9999"}, Why.UNMAPPED_CODE, "accordType"),
    ({"isImpt": "40"}, Why.UNMAPPED_CODE, "isImpt"),
    ({"cstatus": "77"}, Why.UNKNOWN_MESSAGE, "cstatus"),
    ({"cstatus": None}, Why.CONTRACT, "cstatus"),
    ({"rqstTime": "2026-05-22 08:00:00"}, Why.IMPLAUSIBLE, "reported_at"),
    ({"rqstTime": "1970-01-01 00:00:00"}, Why.IMPLAUSIBLE, "reported_at"),
    ({"attachList": "none"}, Why.CONTRACT, "attachList"),
]


@pytest.mark.parametrize(("changes", "why", "where"), BREACHES)
def test_a_breach_names_its_reason_and_place(changes: dict[str, object], why: Why, where: str) -> None:
    refusal = refused(HOTLINE, task(**changes))

    assert refusal.why is why
    assert refusal.at == where or not where
    if "taskGuid" not in changes:
        assert refusal.key == "demo-task-0001"  # the source can be told which


@pytest.mark.parametrize("changes", [changes for changes, _, _ in BREACHES])
def test_a_refusal_says_nothing_of_the_citizen(changes: dict[str, object]) -> None:
    refusal = refused(HOTLINE, task(**{"rqstPerson": "赵某某", **changes}))
    words = str(refusal) + repr(refusal)

    for private in ("赵某某", "13900000099", "井盖松动", "示例路", "长长"):
        assert private not in words


@pytest.mark.parametrize("number", ["abc", "NaN", "1e400", "Infinity", True, "1.2.3"])
def test_a_coordinate_that_is_no_number_breaks_the_contract(number: object) -> None:
    refusal = refused(SOCIAL, record(Range={"Longitude": number, "Latitude": 31.3}), token="demo-hub_token")

    assert refusal.why is Why.CONTRACT


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 19, "²", "٣", "1.5", "--1", "-"])
def test_a_whole_number_is_short_and_of_plain_digits(text: str) -> None:
    with pytest.raises(ContractViolation):
        int_at(text, "here")


def test_a_coordinate_of_zero_is_passed_on_as_given() -> None:
    [reading] = SOCIAL.receive(inbound(record(Range={"Longitude": 0, "Latitude": "0"}), token="demo-hub_token"))

    assert not isinstance(reading, Unacceptable)
    assert reading.report
    assert reading.report.coordinate
    assert (reading.report.coordinate.x, reading.report.coordinate.y) == (0, 0)


def test_an_empty_code_stays_empty_and_an_extra_key_is_ignored() -> None:
    [reading] = HOTLINE.receive(inbound(task(accordType="", somethingNew={"a": [1]})))

    assert not isinstance(reading, Unacceptable)
    assert reading.report
    assert reading.report.class_code is None


def test_a_code_sent_as_number_is_the_same_code() -> None:
    [as_text], [as_number] = (HOTLINE.receive(inbound(task(taskType=kind))) for kind in ("20", 20))

    assert as_text == as_number


def test_of_a_key_sent_twice_the_last_counts() -> None:
    body = task().replace(b'"rqstTitle"', b'"rqstTitle": "first", "rqstTitle"')
    [reading] = HOTLINE.receive(inbound(body))

    assert not isinstance(reading, Unacceptable)
    assert reading.report
    assert reading.report.title == "井盖松动"


def test_a_door_nobody_declared_is_an_unknown_message() -> None:
    [answer] = HOTLINE.receive(inbound(task(), door="nowhere"))

    assert isinstance(answer, Unacceptable)
    assert answer.why is Why.UNKNOWN_MESSAGE


def test_a_task_is_read_again_in_a_year_by_the_time_it_came() -> None:
    late = inbound(task(), at=NOW + timedelta(days=300))

    assert not isinstance(HOTLINE.read(late)[0], Unacceptable)


def test_ten_megabytes_are_refused_in_proportion() -> None:
    """Linear: ten times the bytes take about ten times the time, not a hundred times."""
    spent = []
    for size in (1_000_000, 10_000_000):
        body = task(rqstContent="x" * size)
        start = time.process_time()
        assert refused(HOTLINE, body).why is Why.CONTRACT
        spent.append(time.process_time() - start)

    assert spent[1] < 40 * max(spent[0], 0.005)


def test_many_repeated_elements_are_read_in_proportion() -> None:
    body = STATUS.replace(b"<reason>", b"<x>1</x>" * 50_000 + b"<reason>")
    start = time.process_time()

    [reading] = URBAN.receive(inbound(body, content_type="text/xml"))

    assert not isinstance(reading, Unacceptable)
    assert time.process_time() - start < 5
