"""Hidden dangers of the simulated work safety platform: signed in, listed page by page, and handled to the end."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

import adapters
from adapters import System
from canonical.errors import Refused, Unauthenticated, Unavailable
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message
from canonical.reading import Reading
from connectors.http import HttpConnector
from simulators import Behaviour, Running, Setup, running
from tests.adapters.systems import ID, NOW, loaded, outbound_of

SECRET = "a-secret-of-the-tests"
STILL = {"rate": 0, "pace": 3600, "gap": 0.05, "repeat": 0, "return": 0, "rework": 0}


@pytest.fixture(scope="module")
def system() -> System:
    return loaded(adapters.shipped()["work_safety"], account="hub", password=SECRET)


@pytest.fixture
def side() -> Iterator[Running]:
    setup = Setup("http://127.0.0.1:9", SECRET, 7, Behaviour().changed(STILL), quiet=True, clock=lambda: NOW)
    with running("work_safety", setup) as up:
        yield up


@pytest.fixture
def line(side: Running) -> Iterator[HttpConnector]:
    connector = HttpConnector(side.url, timeout=10, now=lambda: NOW, ids=lambda: ID)
    yield connector
    connector.close()


def emitted(side: Running, number: int) -> None:
    httpx.post(f"{side.url}/_sim/emit", json={"n": number}, trust_env=False).raise_for_status()


def sent(line: HttpConnector, message: Message | None) -> Message:
    assert message is not None
    return line.send(line.seal(message))


def signed_in(system: System, line: HttpConnector) -> str:
    token = system.token(sent(line, system.sign_in(NOW, ID)))
    assert token.seconds == 7200
    return token.value


def listed(system: System, line: HttpConnector, session: str, since: datetime) -> tuple[list[Reading], int]:
    """Everything that changed since then, and in how many pages."""
    readings: list[Reading] = []
    cursor, pages = "", 0
    while True:
        pages += 1
        asked = system.ask(
            "issues", since=since, until=NOW, page=pages, now=NOW, id=ID, session=session, cursor=cursor
        )  # fmt: skip
        page = system.page("issues", sent(line, asked), now=NOW, ids=lambda: ID, page=pages)
        read = [one for item in page.items for one in system.read(item)]
        readings += [one for one in read if isinstance(one, Reading)]
        assert len(readings) == len({one.external_id for one in readings})
        assert all(isinstance(one, Reading) for one in read), read
        if not page.more:
            return readings, pages
        cursor = page.cursor


def told(system: System, line: HttpConnector, session: str, message: str, id_: str, **action: Any) -> None:
    facts = {"at": NOW, "actor": {"party": "centre", "id": "desk"}} | action
    binding = {"external_id": id_}
    outbound = outbound_of(message, {"action": facts, "binding": binding, "source_binding": binding, "unit_name": "样板所"})  # fmt: skip  # noqa: E501
    system.judge(message, sent(line, system.write(outbound, now=NOW, id=ID, session=session)))


def test_all_pages_are_read_by_the_cursor(system: System, side: Running, line: HttpConnector) -> None:
    emitted(side, 120)

    readings, pages = listed(system, line, signed_in(system, line), NOW - timedelta(hours=1))

    assert (len(readings), pages) == (120, 3)
    for reading in readings:
        assert reading.report
        assert reading.report.class_code is None
        assert reading.report.given_class
        assert reading.report.deadline
        assert reading.report.reported_at == NOW
    files = [file for reading in readings if reading.report for file in reading.report.attachments]
    assert files
    assert {file.url for file in files} == {f"/api/files/{file.id}" for file in files}


def test_nothing_older_than_asked_for_is_listed(system: System, side: Running, line: HttpConnector) -> None:
    emitted(side, 2)
    session = signed_in(system, line)

    assert len(listed(system, line, session, NOW)[0]) == 2
    assert listed(system, line, session, NOW + timedelta(milliseconds=1))[0] == []


def test_without_a_session_and_with_an_ended_one_we_must_sign_in(
    system: System, side: Running, line: HttpConnector
) -> None:
    emitted(side, 1)
    for session in ("", "ended"):
        with pytest.raises(Unauthenticated):
            listed(system, line, session, NOW)
    stranger = loaded(adapters.shipped()["work_safety"], account="hub", password="wrong")
    with pytest.raises(Unauthenticated):
        signed_in(stranger, line)


def test_an_issue_is_accepted_rectified_and_its_file_fetched(
    system: System, side: Running, line: HttpConnector
) -> None:
    emitted(side, 5)
    session = signed_in(system, line)
    issue = next(one for one in listed(system, line, session, NOW)[0] if one.report and one.report.attachments)
    assert issue.report

    def now_told() -> Reading:
        return next(one for one in listed(system, line, session, NOW)[0] if one.external_id == issue.external_id)

    told(system, line, session, "accept", issue.external_id, kind="file")
    accepted = now_told()
    told(system, line, session, "rectify", issue.external_id, kind="close", result="已整改")
    checking = now_told()
    file = system.say("get_file", now=NOW, id=ID, session=session, file={"id": issue.report.attachments[0].id})

    assert accepted.action
    assert accepted.action.given == "2"
    assert checking.action
    assert (checking.action.given, checking.action.kinds) == ("3", {Party.OWNER: ActionKind.DISPOSE})
    assert sent(line, file).body.startswith(b"\x89PNG")


def test_an_overruled_issue_is_a_draft_again_and_no_case(system: System, side: Running, line: HttpConnector) -> None:
    emitted(side, 1)
    session = signed_in(system, line)
    [[issue], _] = listed(system, line, session, NOW)

    told(system, line, session, "overrule", issue.external_id, kind="refuse", reason="不属于本市")

    [[draft], _] = listed(system, line, session, NOW)
    assert (draft.kind, draft.report, draft.action) == ("draft", None, None)


def test_an_issue_can_be_given_to_a_handler_of_the_platform(system: System, side: Running, line: HttpConnector) -> None:
    emitted(side, 1)
    session = signed_in(system, line)
    [[issue], _] = listed(system, line, session, NOW)

    told(system, line, session, "reassign", issue.external_id, kind="dispatch")

    [[given], _] = listed(system, line, session, NOW)
    assert given.report
    assert given.report.extra["handlerName"] == "样板所"


def test_a_call_that_its_state_does_not_allow_is_refused_in_its_words(
    system: System, side: Running, line: HttpConnector
) -> None:
    emitted(side, 1)
    session = signed_in(system, line)
    [[issue], _] = listed(system, line, session, NOW)

    with pytest.raises(Refused, match="当前状态不允许该操作"):
        told(system, line, session, "rectify", issue.external_id, kind="close", result="已整改")


@pytest.mark.parametrize(("status", "body"), [(503, b""), (429, b""), (200, b'{"code":500,"msg":"busy"}')])
def test_a_busy_platform_is_tried_again(system: System, status: int, body: bytes) -> None:
    with pytest.raises(Unavailable):
        system.judge("accept", Message(system="s", body=body, at=NOW, id=ID, status=status))


def test_a_foreign_case_cannot_be_dispatched_there_and_the_dispatcher_is_told_why(system: System) -> None:
    assert ActionKind.DISPATCH in system.role.unsupported["owner"]
    assert ActionKind.DISPATCH not in system.role.tells.get("owner", {})
