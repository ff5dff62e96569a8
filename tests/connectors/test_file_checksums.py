"""Files beside which their checksum stands: what was damaged or cut off on the way is not taken, and comes again."""

import hashlib
from dataclasses import replace

import pytest

from canonical.errors import Unavailable
from tests.connectors.file_place import CSV, Place, names
from tests.connectors.test_file_drops import local, place, remote, server

__all__ = ["local", "place", "remote", "server"]

BODY = "编号,内容\n1,井盖\n".encode("gb18030")
MD5 = replace(CSV, ready=".md5")


def md5(body: bytes = BODY) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).hexdigest().encode()


@pytest.mark.parametrize(
    "written",
    [md5(), md5().upper() + b"\r\n", md5() + b"  a.csv\n", b"MD5 (a.csv) = " + md5(), b"0" * 32 + b"  b.csv\n" + md5()],
    ids=["alone", "capitals", "md5sum", "bsd", "of several"],
)
def test_a_file_that_is_what_its_marker_says_is_taken(place: Place, written: bytes) -> None:
    place.drop("a.csv", BODY)
    place.drop("a.csv.md5", written)

    assert names(place.looked(MD5)) == ["a.csv"]


def test_a_file_that_was_cut_off_is_told_left_and_taken_when_it_is_whole(place: Place) -> None:
    place.drop("a.csv", BODY[:-3])
    place.drop("a.csv.md5", md5())
    receiver = place.receiver(MD5)

    with pytest.raises(Unavailable, match=r"not what its \.md5 says") as caught:
        receiver.receive(most=10, wait=0)
    assert "a.csv" not in str(caught.value)
    assert place.tree() == {"a.csv", "a.csv.md5"}

    place.drop("a.csv", BODY)
    [found] = receiver.receive(most=10, wait=0)
    assert found.message.body == BODY
    found.accept()
    assert place.tree() == {"done/2026-03-17/a.csv"}
    receiver.close()


def test_a_damaged_file_keeps_no_other_from_being_taken(place: Place) -> None:
    place.drop("a.csv", b"damaged")
    place.drop("a.md5", md5())
    place.drop("b.csv", BODY)
    place.drop("b.md5", md5())

    assert names(place.looked(MD5)) == ["b.csv"]


@pytest.mark.parametrize(("ready", "written"), [(".md5", b""), (".md5", b"ok"), (".ok", b"0" * 32)])
def test_a_marker_without_a_checksum_is_only_a_marker(local: Place, ready: str, written: bytes) -> None:
    local.drop("a.csv", BODY)
    local.drop(f"a.csv{ready}", written)

    assert names(local.looked(replace(CSV, ready=ready))) == ["a.csv"]


@pytest.mark.parametrize(("ready", "kind"), [(".sha1", "sha1"), (".SHA256", "sha256")])
def test_other_checksums_are_known_by_the_markers_suffix(local: Place, ready: str, kind: str) -> None:
    for name, body in (("a.csv", BODY), ("b.csv", b"damaged")):
        local.drop(name, body)
        local.drop(name + ready, hashlib.new(kind, BODY).hexdigest().encode())

    assert names(local.looked(replace(CSV, ready=ready))) == ["a.csv"]
