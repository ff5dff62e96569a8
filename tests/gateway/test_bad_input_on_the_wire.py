"""What goes wrong around a message: HTTP itself, cut connections, repeats at the same moment, places that cannot be,
callbacks too early or for nobody. The hub answers, keeps what it took, and goes on.
"""

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from threading import Thread
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.gateway.pushes import (
    ACCEPTED,
    FORM,
    GRID,
    HOTLINE,
    JSON,
    URBAN,
    XML,
    Push,
    good,
    grid,
    hotline,
    last_row,
    record,
    refusal,
    status,
    ticket,
    told,
)  # fmt: skip
from tests.gateway.running import SECRET, HubUnderTest

StartHub = Callable[..., HubUnderTest]
SYSTEMS = (HOTLINE, URBAN, GRID)
NOTHING = {"message": 0, "cases": 0, "event": 0, "binding": 0, "delivery": 0}


def accepted(hub: HubUnderTest, push: Push) -> None:
    """Push what must be taken."""
    assert told(push.system, push.to(hub)) == ACCEPTED[push.system]


def sound(hub: HubUnderTest) -> None:
    """The books balance and nothing is half-stored."""
    books = hub.summary()
    assert books["balance"]["holds"], books
    assert set(hub.orphans().values()) == {0}


# HTTP


def test_another_method_is_405_and_no_message(hub: HubUnderTest) -> None:
    for system, method in product(SYSTEMS, ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]):
        answer = hub.client.request(method, f"/in/{system}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        if method != "HEAD":
            assert answer.json()["error"]["code"] == "method"
    assert hub.counts() == NOTHING


NO_DOORS = ("nobody", "", "hotline_12345/no", "hotline_12345/a/b", "../api/summary", "hotline%5f12345x", "%00", "%ff")


def test_a_door_that_is_none_is_404_and_no_message(hub: HubUnderTest) -> None:
    for path in NO_DOORS:
        answer = raw_exchange(hub, request(f"/in/{path}", good(HOTLINE, "1")))
        assert answer.startswith(b"HTTP/1.1 404 "), path
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "unknown_system"
    assert hub.counts() == NOTHING


def request(path: str, push: Push, *, length: int | None = None) -> bytes:
    """A whole request as bytes; `length` is what its head says when that is not true."""
    headers = {"host": "hub", "content-length": str(len(push.body) if length is None else length), **push.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}connection: close\r\n\r\n".encode() + push.body


def raw_exchange(hub: HubUnderTest, *pieces: bytes) -> bytes:
    """Send bytes, one packet a piece, and read until the hub closes."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(65536), b""))


RUBBISH = (
    b"\0" * 100 + b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"POST /in/hotline_12345 HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01",
    b"POST /in/hotline_12345 HTTP/1.1\r\ncontent-length: many\r\n\r\n",
    b"\r\n\r\n\r\n\r\nhello\r\n\r\n",
    b"POST /in/hotline_12345 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n\r\n",
)


def test_what_is_no_http_is_400_and_no_message(hub: HubUnderTest) -> None:
    for rubbish in RUBBISH:
        assert raw_exchange(hub, rubbish).startswith(b"HTTP/1.1 400 "), rubbish
    assert hub.counts() == NOTHING
    accepted(hub, good(HOTLINE, "1"))


@pytest.mark.parametrize("system", [HOTLINE, GRID])
def test_a_body_in_chunks_is_one_message(hub: HubUnderTest, system: str) -> None:
    push = good(system, "1")
    pieces = (push.body[at : at + 7] for at in range(0, len(push.body), 7))
    answer = hub.client.post(f"/in/{system}", content=pieces, headers=dict(push.headers))
    assert told(system, answer) == ACCEPTED[system]
    assert last_row(hub)["body"] == push.body
    assert hub.counts() | {"event": 0, "delivery": 0} == NOTHING | {"message": 1, "cases": 1, "binding": 1}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_connection_cut_in_the_body_leaves_no_message_and_the_hub_goes_on(hub: HubUnderTest, system: str) -> None:
    whole = request(f"/in/{system}", good(system, "1"))
    for sent in (len(whole) - 1, len(whole) // 2, 20):
        with socket.create_connection(("127.0.0.1", hub.port), timeout=20) as connection:
            connection.sendall(whole[:sent])
    with ThreadPoolExecutor(8) as pool:  # whatever the cut ones left behind is behind these
        answers = list(pool.map(lambda n: good(system, f"after-{n}").to(hub), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert hub.counts()["message"] == 8
    sound(hub)


def test_a_body_longer_than_its_head_says_is_cut_there(hub: HubUnderTest) -> None:
    push = good(HOTLINE, "1")
    answer = raw_exchange(hub, request(f"/in/{HOTLINE}", push, length=len(push.body) - 30))
    assert answer.startswith(b"HTTP/1.1 200 ")
    row = last_row(hub)
    assert (row["verdict"], row["why"]) == ("refused", "unreadable")
    assert row["body"] == push.body[:-30]


# Any bytes


def some_headers() -> st.SearchStrategy[dict[str, str]]:
    types = st.sampled_from(
        [FORM, JSON, XML, "", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"]
    )
    words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
    kind = (types | words).map(lambda value: {"content-type": value} if value else {})
    return st.tuples(kind, st.sampled_from([{}, {"token": SECRET}])).map(lambda two: two[0] | two[1])


def bodies(system: str) -> st.SearchStrategy[bytes]:
    """Bytes; and good messages with something in them torn out, put in or changed."""
    body = good(system, "any").body

    def torn(at: int, length: int, put: bytes) -> bytes:
        return body[:at] + put + body[at + length :]

    places = st.integers(0, len(body))
    return st.binary(max_size=400) | st.builds(torn, places, st.integers(0, 60), st.binary(max_size=20))


@pytest.mark.parametrize("system", SYSTEMS)
def test_any_bytes_give_a_declared_answer_and_one_journal_row(hub: HubUnderTest, system: str) -> None:
    count = 0

    @settings(
        max_examples=80, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(bodies(system), some_headers())
    def holds(body: bytes, headers: dict[str, str]) -> None:
        nonlocal count
        count += 1
        answer = told(system, Push(system, body, headers).to(hub))
        row = last_row(hub)
        assert row["body"] == body
        if row["verdict"] in ("case", "joined", "repeated", "applied"):
            assert answer == ACCEPTED[system]
        else:
            assert answer == refusal(system, row["why"], row["text"])

    holds()
    assert hub.counts()["message"] == count
    sound(hub)


# The same again, and at once


@pytest.mark.parametrize("system", [HOTLINE, GRID])
def test_twenty_copies_at_once_through_two_hubs_are_one_case(start_hub: StartHub, system: str) -> None:
    hubs = [start_hub(), start_hub()]
    push = good(system, "1")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: told(system, push.to(hubs[n % 2])), range(20)))

    assert answers == [ACCEPTED[system]] * 20
    verdicts = Counter(row["verdict"] for row in hubs[0].rows("SELECT verdict FROM message"))
    assert verdicts == {"case": 1, "repeated": 19}
    counts = hubs[0].counts()
    assert (counts["cases"], counts["binding"]) == (1, 1)
    if system == HOTLINE:
        sent = hubs[0].rows("SELECT message FROM delivery")
        assert sorted(row["message"] for row in sent) == ["letter", "sign"]
    sound(hubs[0])


def test_twenty_tasks_of_one_matter_at_once_through_two_hubs_join_in_one_case(start_hub: StartHub) -> None:
    hubs = [start_hub(), start_hub()]
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(
                lambda n: told(HOTLINE, hotline(ticket(str(n), rowGuid="r-one")).to(hubs[n % 2])), range(20)
            )
        )  # fmt: skip

    assert answers == [ACCEPTED[HOTLINE]] * 20
    verdicts = Counter(row["verdict"] for row in hubs[0].rows("SELECT verdict FROM message"))
    assert verdicts == {"case": 1, "joined": 19}
    [case] = hubs[0].cases()
    assert case["reports"] == 20
    assert hubs[0].counts()["binding"] == 20
    sound(hubs[0])


def test_twenty_callbacks_at_once_are_done_once(start_hub: StartHub) -> None:
    hubs = [start_hub(), start_hub()]
    accepted(hubs[0], hotline(ticket("1")))
    number = hubs[0].case("t-1")["no"]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: told(URBAN, status(f"{number}-1", "F", "已修复").to(hubs[n % 2])), range(20)))

    assert answers == [ACCEPTED[URBAN]] * 20
    verdicts = Counter(row["verdict"] for row in hubs[0].rows("SELECT verdict FROM message WHERE system = $1", URBAN))
    assert verdicts == {"applied": 1, "repeated": 19}
    kinds = [event["action"]["kind"] for event in hubs[0].case(number)["events"]]
    assert kinds.count("dispose") == 1
    sound(hubs[0])


def test_a_repeat_with_another_text_changes_nothing_in_the_case(hub: HubUnderTest) -> None:
    accepted(hub, hotline(ticket("1")))
    before = hub.case("t-1")
    accepted(hub, hotline(ticket("1", rqstContent="另一段文字。", rqstAreaCode="340207")))
    assert hub.case("t-1") == before
    assert last_row(hub)["verdict"] == "repeated"


# Places that cannot be


IMPOSSIBLE: tuple[tuple[Any, Any], ...] = (
    (0, 0), ("0", "0"), (-0.0, 0.0), (116.39, 39.91), (31.36, 118.38), (118.38, 91), (-118.38, -31.36),
    (637000, 3470000),
)  # fmt: skip


def test_a_coordinate_that_cannot_be_is_kept_marked_and_waits_for_a_person(hub: HubUnderTest) -> None:
    for n, (x, y) in enumerate(IMPOSSIBLE):
        accepted(hub, grid(record(str(n), Range={"Longitude": x, "Latitude": y})))
        case = hub.case(str(n))
        assert case["queue"] == "location_unknown", (x, y)
        assert case["place"]["raw"] == {"x": float(x), "y": float(y), "crs": "EPSG:4490"}
        assert case["place"]["flags"], (x, y)
    assert hub.counts()["delivery"] == 0


# Callbacks too early, too late, for nobody


@contextmanager
def hasty_platform(hub_url: str, guid: str) -> Iterator[tuple[str, list[tuple[int, Any]]]]:
    """An urban management platform that says 受理 and 处置完毕 by its own id before it answers the letter."""
    said: list[tuple[int, Any]] = []

    class Letters(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if "Service.asmx" not in self.path:
                self.send_error(503)
                return
            with httpx.Client(base_url=hub_url, trust_env=False, verify=False, timeout=20) as client:
                for push in (status(guid, "A"), status(guid, "F", "已修复")):
                    answer = client.post(f"/in/{URBAN}", content=push.body, headers=dict(push.headers))
                    said.append(told(URBAN, answer))
            inner = (
                "&lt;EpointDataBody&gt;&lt;DATA&gt;&lt;ReturnInfo&gt;&lt;Status&gt;True&lt;/Status&gt;"
                f"&lt;/ReturnInfo&gt;&lt;UserArea&gt;&lt;CaseGuid&gt;{guid}&lt;/CaseGuid&gt;&lt;/UserArea&gt;"
                "&lt;/DATA&gt;&lt;/EpointDataBody&gt;"
            )
            body = (
                '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
                '<LDXX_PostLeaderDetailResponse xmlns="http://tempuri.org/"><LDXX_PostLeaderDetailResult>'
                f"{inner}</LDXX_PostLeaderDetailResult></LDXX_PostLeaderDetailResponse></s:Body></s:Envelope>"
            ).encode()
            self.send_response(200)
            self.send_header("content-type", XML)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Letters) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", said
        finally:
            server.shutdown()
            thread.join()


def test_an_owner_that_reports_back_before_it_answers_is_held_and_then_heard(start_hub: StartHub) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with hasty_platform(f"http://127.0.0.1:{listener.getsockname()[1]}", "guid-7") as (url, said):
        hub = start_hub(urls={URBAN: url}, worker=True, listener=listener)
        accepted(hub, hotline(ticket("1")))
        case = hub.until_stage("t-1", "disposed")
        hub.stop_worker()

    assert said == [ACCEPTED[URBAN]] * 2
    kinds = [event["action"]["kind"] for event in case["events"] if event["action"]["kind"] != "comment"]
    assert kinds == ["collect", "file", "dispatch", "sign", "dispose"]
    verdicts = hub.rows("SELECT verdict, external_id FROM message WHERE system = $1 AND direction = 'in'", URBAN)
    assert verdicts == [{"verdict": "applied", "external_id": "guid-7"}] * 2
    sound(hub)


def test_a_callback_by_our_number_before_the_letter_is_answered_is_done_at_once(hub: HubUnderTest) -> None:
    accepted(hub, hotline(ticket("1")))
    number = hub.case("t-1")["no"]
    accepted(hub, status(f"{number}-1", "A"))
    assert hub.case(number)["stage"] == "handling"


def test_another_system_cannot_speak_for_the_owner(hub: HubUnderTest) -> None:
    accepted(hub, hotline(ticket("1")))
    case = hub.case("t-1")
    answer = grid(record("9", ES=3, CollectorOpenId=f"{case['no']}-1")).to(hub)
    assert told(GRID, answer) == ACCEPTED[GRID]  # an event of its own, not news of our case
    assert hub.case(case["no"]) == case
    refused = status(f"{case['no']}-2", "Q").to(hub)
    row = last_row(hub)
    assert told(URBAN, refused) == refusal(URBAN, row["why"], row["text"])
    assert hub.case(case["no"]) == case
    sound(hub)


def test_a_callback_for_a_case_that_is_closed_is_refused_in_the_platforms_words(hub: HubUnderTest) -> None:
    accepted(hub, hotline(ticket("1")))
    number = hub.case("t-1")["no"]
    accepted(hub, hotline({"taskGuid": "t-1", "rowGuid": "r-1", "cstatus": "5", "opinion": "重复"}))
    before = hub.case(number)
    assert before["stage"] == "cancelled"
    for letter in "ABFY":
        answer = status(f"{number}-1", letter, "晚了").to(hub)
        row = last_row(hub)
        assert (row["verdict"], row["why"]) == ("refused", "not_allowed")
        assert told(URBAN, answer) == refusal(URBAN, "not_allowed", row["text"])
    assert hub.case(number) == before
    sound(hub)
