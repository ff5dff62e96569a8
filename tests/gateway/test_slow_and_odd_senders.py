"""Senders that never end, say a header twice, or put a path into a file's name, over real sockets."""

import json
import socket
import time
from collections.abc import Callable

import pytest

from tests.gateway.pushes import ACCEPTED, GRID, HOTLINE, good, hotline, last_row, part, ticket, told
from tests.gateway.running import HubUnderTest


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_never_ends_is_given_up_and_nothing_is_stored(
    start_hub: Callable[..., HubUnderTest], chunked: bool
) -> None:
    hub = start_hub(doors=False)
    hub.open_doors(longest_body=1.0)
    head = "transfer-encoding: chunked" if chunked else "content-length: 100"
    begun = "5\r\nabcde\r\n" if chunked else "abcde"

    with socket.create_connection(("127.0.0.1", hub.port), 20) as wire:
        wire.sendall(f"POST /in/{HOTLINE} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n{begun}".encode())
        began = time.monotonic()
        answer = wire.recv(4096)
        while rest := wire.recv(4096):
            answer += rest

    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 15
    assert hub.rows("SELECT 1 FROM message") == []
    assert told(HOTLINE, hotline(ticket()).to(hub)) == ACCEPTED[HOTLINE]


def test_a_header_said_twice_is_no_way_in(hub: HubUnderTest) -> None:
    push = good(GRID, "1")
    [(name, secret)] = [(name, value) for name, value in push.headers.items() if name.lower() != "content-type"]
    lines = [
        f"POST /in/{GRID} HTTP/1.1",
        "host: x",
        f"content-length: {len(push.body)}",
        "content-type: application/json",
    ]
    for first, second in ((secret, "wrong"), ("wrong", "wrong")):
        with socket.create_connection(("127.0.0.1", hub.port), 20) as wire:
            head = "\r\n".join([*lines, f"{name}: {first}", f"{name}: {second}", "connection: close", "", ""])
            wire.sendall(head.encode() + push.body)
            answer = b""
            while rest := wire.recv(65536):
                answer += rest
        assert answer.startswith(b"HTTP/1.1 200")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["Ret"] != 0
    assert hub.summary()["cases"]["all"] == 0


def test_half_a_surrogate_pair_is_unreadable(hub: HubUnderTest) -> None:
    answer = part(b'{"token": "x", "params": {"taskGuid": "\\ud800"}}').to(hub)

    assert answer.status_code == 200
    assert (last_row(hub)["verdict"], last_row(hub)["why"]) == ("refused", "unreadable")
