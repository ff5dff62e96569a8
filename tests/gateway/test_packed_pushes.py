"""Pushes with a Content-Encoding, over a real socket: unpacked within the door's limit, or refused and kept."""

import gzip
import zlib
from collections.abc import Callable

import pytest

from tests.gateway.pushes import ACCEPTED, HOTLINE, Push, hotline, last_row, refusal, ticket, told
from tests.gateway.running import HubUnderTest


def packed(push: Push, body: bytes, encoding: str) -> Push:
    return Push(push.system, body, {**push.headers, "content-encoding": encoding})


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_push_is_a_case_and_the_journal_can_be_read_again(
    hub: HubUnderTest, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    plain = hotline(ticket(encoding))

    assert told(HOTLINE, packed(plain, pack(plain.body), encoding).to(hub)) == ACCEPTED[HOTLINE]
    assert last_row(hub)["body"] == plain.body
    assert told(HOTLINE, plain.to(hub)) == ACCEPTED[HOTLINE], "the same said unpacked is a repeat"
    assert hub.summary()["reports"]["repeated"] == 1


@pytest.mark.parametrize(
    ("encoding", "body", "why", "text"),
    [
        ("gzip", b"not gzip", "unreadable", "not the whole gzip that it says it is"),
        ("gzip", gzip.compress(b"x" * 100)[:-9], "unreadable", "not the whole gzip that it says it is"),
        ("br", b"anything", "unreadable", "a content encoding other than gzip or deflate"),
        ("gzip, gzip", b"anything", "unreadable", "a content encoding other than gzip or deflate"),
        ("gzip", gzip.compress(bytes(50_000_000)), "too_large", "unpacks to more than 1048576 bytes"),
    ],
    ids=["not gzip", "cut", "brotli", "twice", "bomb"],
)
def test_what_cannot_be_unpacked_is_refused_in_the_sources_words_and_kept(
    hub: HubUnderTest, encoding: str, body: bytes, why: str, text: str
) -> None:
    answer = packed(hotline(ticket()), body, encoding).to(hub)

    assert told(HOTLINE, answer) == refusal(HOTLINE, why, text)
    assert (last_row(hub)["verdict"], last_row(hub)["why"]) == ("refused", why)
    assert hub.summary()["cases"]["all"] == 0
