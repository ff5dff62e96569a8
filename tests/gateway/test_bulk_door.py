"""The bulk door over real sockets: a verdict for every line, whatever stands in it, whatever becomes of the sender."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx
import pytest

from gateway.api import create_app
from gateway.bulk import LINES, STREAMS
from tests.gateway.pushes import GRID, HOTLINE, MEGABYTE, record, soap, ticket
from tests.gateway.running import SECRET, HubUnderTest, until

NDJSON = {"content-type": "application/x-ndjson"}


def line(id_: str, token: str = SECRET, **changes: Any) -> bytes:
    """A hotline's task as one line."""
    return json.dumps({"params": ticket(id_, **changes), "token": token}, ensure_ascii=False).encode() + b"\n"


def bulk(
    hub: HubUnderTest, lines: Iterable[bytes], system: str = HOTLINE, headers: Mapping[str, str] = NDJSON
) -> list[dict[str, Any]]:  # fmt: skip
    """The verdicts of these lines."""
    answer = hub.client.post(f"/bulk/{system}", content=b"".join(lines), headers=dict(NDJSON | dict(headers)))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return rows(answer.content)


def rows(content: bytes) -> list[dict[str, Any]]:
    """Whole lines of an answer."""
    return [json.loads(one) for one in content.split(b"\n")[:-1]]


def kept(hub: HubUnderTest) -> list[tuple[str, str]]:
    """Verdict and reason of everything in the journal, in the order it came."""
    found = hub.rows("SELECT verdict, why FROM message WHERE direction = 'in' ORDER BY id")
    return [(row["verdict"], row["why"]) for row in found]


def test_every_line_has_its_verdict_and_a_failed_one_does_not_fail_its_neighbours(hub: HubUnderTest) -> None:
    lines = [
        line("1"), b"\n", b'{"params": {"taskGuid"\n', line("2", token="wrong"), line("3", accordType="9999"),
        b"\xff\xfe\x00\n", line("1"), b"  \r\n", b"[]\n", b"null\n", line("4")[:-1],
    ]  # fmt: skip

    told = bulk(hub, lines)

    assert [(row["line"], row["verdict"], row.get("why", "")) for row in told] == [
        (1, "case", ""), (3, "refused", "unreadable"), (4, "refused", "unauthenticated"),
        (5, "quarantined", "unmapped_code"), (6, "refused", "unreadable"), (7, "repeated", ""),
        (9, "refused", "unauthenticated"), (10, "refused", "unauthenticated"), (11, "case", ""),
    ]  # fmt: skip
    assert [row["id"] for row in told if row["verdict"] in {"case", "repeated"}] == ["t-1", "t-1", "t-4"]
    assert told[0]["case_no"] == told[5]["case_no"]
    assert sorted(kept(hub)) == sorted((row["verdict"], row.get("why", "")) for row in told)
    assert len(hub.cases()) == 2
    assert not any(hub.orphans().values())


def test_a_line_may_be_the_text_of_a_body_that_is_no_json(hub: HubUnderTest) -> None:
    envelope = soap("<Unknown/>").body.decode()

    [told] = bulk(hub, [json.dumps(envelope).encode()], "urban_management")

    assert (told["verdict"], told["why"]) == ("refused", "unknown_message")
    assert hub.rows("SELECT body FROM message")[0]["body"] == envelope.encode()


def test_headers_of_the_request_stand_around_every_line(hub: HubUnderTest) -> None:
    lines = [json.dumps(record(str(number))).encode() + b"\n" for number in range(3)]

    assert {row["verdict"] for row in bulk(hub, lines, GRID, {"token": SECRET})} == {"case"}
    assert {row["why"] for row in bulk(hub, lines, GRID, {"token": "wrong"})} == {"unauthenticated"}


def test_a_verdict_is_told_when_it_is_committed_and_not_when_the_stream_ends(hub: HubUnderTest) -> None:
    with opened(hub) as wire:
        for number in range(3):
            sent(wire, line(str(number)))
            got = b""
            while b'"case"' not in got:  # would never come if lines were waited for
                got += wire.recv(65536)
            assert len(hub.cases()) == number + 1


def test_a_sender_who_goes_away_leaves_whole_lines_and_may_send_all_again(hub: HubUnderTest) -> None:
    lines = [line(str(number)) for number in range(3 * LINES)]
    with opened(hub) as wire:
        sent(wire, b"".join(lines[: 2 * LINES]) + lines[2 * LINES][:40])
        until(lambda: len(kept(hub)) >= LINES, what="the first verdicts")

    until(lambda: len(kept(hub)) == 2 * LINES, what="what had come whole")
    assert {verdict for verdict, _ in kept(hub)} == {"case"}
    again = [row["verdict"] for row in bulk(hub, lines)]
    assert again == ["repeated"] * 2 * LINES + ["case"] * LINES
    assert len(hub.cases()) == 3 * LINES


def test_gzip_is_read_as_it_comes_and_what_breaks_in_it_says_from_where_to_send_again(hub: HubUnderTest) -> None:
    packed = {"content-encoding": "gzip"}
    lines = [line(str(number)) for number in range(20)]
    whole = gzip.compress(b"".join(lines[:10])) + gzip.compress(b"".join(lines[10:]))

    assert [row["verdict"] for row in bulk(hub, [whole], headers=packed)] == ["case"] * 20
    *told, last = bulk(hub, [gzip.compress(b"".join(lines))[:-60]], headers=packed)
    assert {row["verdict"] for row in told} == {"repeated"}
    assert last == {
        "line": len(told) + 1, "error": {"code": "unreadable", "text": "the gzip ends before its end"}
    }  # fmt: skip
    [last] = bulk(hub, [b"no gzip at all"], headers=packed)
    assert last["error"]["text"] == "no gzip from here on"


def test_a_line_that_is_too_long_is_refused_and_only_its_beginning_kept(hub: HubUnderTest) -> None:
    told = bulk(hub, [line("1"), line("2", rqstContent="长" * MEGABYTE), line("3")])

    assert [(row["verdict"], row.get("why", "")) for row in told] == [
        ("case", ""), ("refused", "too_large"), ("case", ""),
    ]  # fmt: skip
    assert hub.rows("SELECT max(octet_length(body)) AS most FROM message")[0]["most"] == 64 * 1024


def test_who_stops_in_the_middle_is_told_from_where_to_go_on(start_hub: Callable[..., HubUnderTest]) -> None:
    hub = start_hub(doors=False)
    hub.open_doors(longest_body=1.0)
    with opened(hub) as wire:
        sent(wire, line("1") + line("2")[:30])
        got = b""
        while piece := wire.recv(65536):
            got += piece

    assert b'{"line":2,"error":{"code":"slow"' in got
    assert [verdict for verdict, _ in kept(hub)] == ["case"]


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("POST", "nobody", NDJSON["content-type"], 404), ("POST", f"{HOTLINE}/elsewhere", NDJSON["content-type"], 404),
        ("GET", HOTLINE, NDJSON["content-type"], 405), ("POST", HOTLINE, "application/json", 415),
    ],
)  # fmt: skip
def test_what_is_no_stream_for_a_door_is_told_so(
    hub: HubUnderTest, method: str, path: str, kind: str, status: int
) -> None:
    answer = hub.client.request(method, f"/bulk/{path}", content=line("1"), headers={"content-type": kind})

    assert answer.status_code == status
    assert answer.json()["error"]["text"]
    assert hub.counts()["message"] == 0


def test_one_stream_too_many_is_told_to_come_back(hub: HubUnderTest) -> None:
    wires = [opened(hub) for _ in range(STREAMS)]
    for number, wire in enumerate(wires):
        sent(wire, line(str(number)))
    until(lambda: len(kept(hub)) == STREAMS, what="the streams")

    answer = hub.client.post(f"/bulk/{HOTLINE}", content=line("x"), headers=NDJSON)
    for wire in wires:
        wire.close()

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")

    def free() -> bool:
        again = hub.client.post(f"/bulk/{HOTLINE}", content=line("x"), headers=NDJSON)
        return again.status_code == 200 and b'"case"' in again.content

    until(free, what="a free place")


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("in/nobody", "application/json", b"404"), ("bulk/nobody", NDJSON["content-type"], b"404"),
        (f"bulk/{HOTLINE}", "application/json", b"415"),
    ],
)  # fmt: skip
def test_who_is_turned_away_before_all_is_sent_keeps_no_connection_open(
    hub: HubUnderTest, path: str, kind: str, status: bytes
) -> None:
    head = f"POST /{path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 200000\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", hub.port), timeout=10) as wire:
        for _ in range(2):  # all of it, piece by piece: the connection goes on
            wire.sendall(head + b"x" * 100_000)
            time.sleep(0.2)
            wire.sendall(b"x" * 100_000)
            got = b""
            while not got.endswith(b"}}"):
                got += wire.recv(65536)
            assert got.split()[1] == status
        wire.sendall(head + b"x" * 100_000)  # and a half, and then nothing
        got = b""
        while piece := wire.recv(65536):
            got += piece

    assert got.split()[1] == status


def test_verdicts_that_nobody_reads_yet_do_not_stop_the_stream(hub: HubUnderTest) -> None:
    """Many clients read nothing before they have sent everything: then neither may wait for the other."""
    lines = [line(str(number)) for number in range(3 * LINES)]
    got: list[bytes] = []

    async def story() -> None:
        app = create_app(hub.wired())
        waiting, all_sent = iter(lines), asyncio.Event()

        async def receive() -> dict[str, Any]:
            one = next(waiting, None)
            if one is None:
                all_sent.set()
            return {"type": "http.request", "body": one or b"", "more_body": one is not None}

        async def send(event: Mapping[str, Any]) -> None:
            await all_sent.wait()  # a full socket
            got.append(event.get("body", b""))

        scope = {
            "type": "http", "method": "POST", "path": f"/bulk/{HOTLINE}", "query_string": b"",
            "headers": [(b"content-type", b"application/x-ndjson")], "client": ("127.0.0.1", 1), "scheme": "http",
        }  # fmt: skip
        async with asyncio.timeout(60):
            await app(scope, receive, send)
        await app.door.hub.store.close()

    asyncio.run(story())
    assert [row["verdict"] for row in rows(b"".join(got))] == ["case"] * len(lines)


def test_a_database_that_goes_away_in_the_middle_costs_no_line(hub: HubUnderTest) -> None:
    lines = [line(str(number)) for number in range(4 * LINES)]
    with opened(hub) as wire:
        sent(wire, b"".join(lines[:LINES]))
        until(lambda: len(kept(hub)) >= 1, what="the first verdicts")
        hub.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                 " AND datname = current_database()")  # fmt: skip
        sent(wire, b"".join(lines[LINES:]))
        wire.sendall(b"0\r\n\r\n")
        got = b""
        while not got.endswith(b"0\r\n\r\n"):
            got += wire.recv(65536)

    assert got.count(b'"case"') + got.count(b'"repeated"') == len(lines)
    assert hub.counts()["cases"] == len(lines)


def opened(hub: HubUnderTest) -> socket.socket:
    """A stream that has begun."""
    wire = socket.create_connection(("127.0.0.1", hub.port), 30)
    head = f"POST /bulk/{HOTLINE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n"
    wire.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
    return wire


def sent(wire: socket.socket, piece: bytes) -> None:
    """One more piece of a stream."""
    wire.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))


def test_the_doors_are_documented(hub: HubUnderTest) -> None:
    document = httpx.get(f"{hub.url}/api/openapi.json", trust_env=False).json()

    told = document["paths"][f"/bulk/{HOTLINE}"]["post"]
    assert list(told["requestBody"]["content"]) == ["application/x-ndjson"]
    assert list(told["responses"]["200"]["content"]) == ["application/x-ndjson"]
    assert {"404", "415", "429"} <= set(told["responses"])
