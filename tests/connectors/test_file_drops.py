"""Files that partners drop, taken from a real folder and a real SFTP server: whole, once, and never overwritten."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from canonical.errors import ContractViolation, Misconfigured, Unavailable
from connectors.files import HEAD, Drop, FileReceiver
from connectors.folders import LocalFolder
from tests.connectors.file_place import CSV, LATE, Place, Remembered, local_place, local_place_of, names, remote_place
from tests.connectors.servers.sftp import SftpServer, new_key, sftp_server, sshd


@pytest.fixture(scope="module")
def server() -> Iterator[SftpServer]:
    program = sshd()
    if program is None:
        pytest.skip("this machine has no sshd")
    with sftp_server(program) as running:
        yield running


@pytest.fixture
def local(tmp_path: Path) -> Place:
    return local_place(tmp_path)


@pytest.fixture
def remote(server: SftpServer) -> Place:
    return remote_place(server)


@pytest.fixture(params=["local", "remote"])
def place(request: pytest.FixtureRequest) -> Place:
    made: Place = request.getfixturevalue(request.param)
    return made


# --- what is taken


def test_a_file_is_a_message_with_its_name_and_bytes(place: Place) -> None:
    place.drop("a.csv", b"\x00\xff")
    [found] = place.looked()
    message = found.message
    assert (message.system, message.door, message.path, message.body) == ("garden", "lists", "a.csv", b"\x00\xff")
    assert (message.content_type, message.at, dict(message.headers)) == ("text/csv", LATE, {})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.json", "application/json"),
        ("a.XML", "text/xml"),
        ("a.zip", "application/zip"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_the_suffix(local: Place, name: str, kind: str) -> None:
    local.drop(name)
    assert [one.message.content_type for one in local.looked(Drop("in", ("*",), quiet=0))] == [kind]


def test_only_names_that_match_and_are_finished_are_taken(place: Place) -> None:
    for name in ("SHUNTLIST_1.csv", "shuntlist_2.csv", "SHUNTLIST_3.txt", ".SHUNTLIST_4.csv", "SHUNTLIST_5.csv.part"):
        place.drop(name)
    (place.inbox / "SHUNTLIST_6.csv").mkdir()
    assert names(place.looked(Drop("in", ("SHUNTLIST_*.csv",), quiet=0))) == ["SHUNTLIST_1.csv"]
    everything = Drop("in", ("*",), quiet=0)
    assert names(place.looked(everything)) == ["SHUNTLIST_1.csv", "SHUNTLIST_3.txt", "shuntlist_2.csv"]


@pytest.mark.parametrize("name", [b"a\nb.csv", b"a\\b.csv", b"..\\a.csv", b"a\x7f.csv", "a\u2028b.csv".encode()])
def test_names_that_could_mean_something_else_are_left_alone(place: Place, name: bytes) -> None:
    place.drop(name)
    place.drop("good.csv")
    [good] = place.looked()
    good.accept()
    assert good.message.path == "good.csv"
    assert len(list(place.inbox.glob("*.csv"))) == 1


def test_a_growing_file_is_taken_only_when_it_was_quiet(place: Place) -> None:
    receiver = place.receiver(replace(CSV, quiet=5))
    place.drop("a.csv", b"half", age=60)
    seen = []
    for seconds, body in ((4, b"half"), (4, b"half and"), (4, b"half and half"), (4, b"half and half"), (1, b"")):
        seen.append(names(receiver.receive(most=10, wait=0)))
        place.clock.passes(seconds)
        if body:
            place.drop("a.csv", body, age=60)
    assert seen == [[]] * 5
    [found] = receiver.receive(most=10, wait=0)
    assert found.message.body == b"half and half"
    receiver.close()


def test_a_file_rewritten_at_the_same_size_is_not_quiet(place: Place) -> None:
    receiver = place.receiver(replace(CSV, quiet=5))
    for age in (30, 20, 10):
        place.drop("a.csv", age=age)
        assert receiver.receive(most=10, wait=0) == []
        place.clock.passes(5)
    assert len(receiver.receive(most=10, wait=0)) == 1
    receiver.close()


@pytest.mark.parametrize("marker", ["a.csv.ok", "a.ok"])
def test_a_marker_says_that_a_file_is_complete_and_goes_with_it(place: Place, marker: str) -> None:
    drop = Drop("in", ("*",), ready=".ok", quiet=5)
    place.drop("a.csv")
    place.clock.passes(100)
    assert place.looked(drop) == []
    place.drop(marker, b"")
    [found] = place.looked(drop)
    found.accept()
    assert (found.message.path, place.tree()) == ("a.csv", {"done/2026-03-17/a.csv"})


def test_a_marker_left_from_before_does_not_speak_for_a_new_file(place: Place) -> None:
    receiver = place.receiver(replace(CSV, ready=".ok", quiet=5))
    place.drop("a.ok", b"", age=60)
    place.drop("a.csv", b"half")
    assert receiver.receive(most=10, wait=0) == []
    place.clock.passes(5)
    assert names(receiver.receive(most=10, wait=0)) == ["a.csv"]
    receiver.close()


def test_a_marker_for_two_files_stays_until_both_are_done(place: Place) -> None:
    drop = Drop("in", ("*",), ready=".ok")
    for name in ("a.csv", "a.zip", "a.ok"):
        place.drop(name)
    [csv, archive] = place.looked(drop)
    csv.accept()
    assert "a.ok" in place.tree()
    archive.accept()
    assert place.tree() == {"done/2026-03-17/a.csv", "done/2026-03-17/a.zip"}


def test_a_file_that_is_too_large_is_shown_by_its_head(place: Place) -> None:
    place.drop("a.csv", b"x" * 100_001)
    place.drop("b.csv", b"x" * 100_000)
    receiver = place.receiver(replace(CSV, max_bytes=100_000))
    large, right = (receiver.receive(most=10, wait=0)[0] for _ in range(2))
    receiver.close()
    assert (len(large.message.body), dict(large.message.headers)) == (HEAD, {"oversize": "100001"})
    assert (len(right.message.body), dict(right.message.headers)) == (100_000, {})


def test_the_files_of_one_look_are_together_not_larger_than_one_may_be(place: Place) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        place.drop(name, b"x" * 40)
    receiver = place.receiver(replace(CSV, max_bytes=100))
    assert [names(receiver.receive(most=10, wait=0)) for _ in range(3)] == [["a.csv", "b.csv"], ["c.csv"], []]
    receiver.close()


def test_files_come_in_the_order_of_names_or_of_times(place: Place) -> None:
    for name, age in (("b.csv", 30), ("a.csv", 20), ("c.csv", 40)):
        place.drop(name, age=age)
    assert names(place.looked(most=2)) == ["a.csv", "b.csv"]
    assert names(place.looked(replace(CSV, order="time"), most=2)) == ["c.csv", "b.csv"]


def test_a_file_that_vanishes_between_looking_and_reading_is_passed_over(place: Place) -> None:
    gone = place.drop("a.csv")
    place.drop("b.csv")
    place.memory.meanwhile = lambda: gone.unlink(missing_ok=True)
    assert names(place.looked(replace(CSV, leave=True))) == ["b.csv"]


def test_a_file_that_changes_between_looking_and_reading_waits(place: Place) -> None:
    place.drop("a.csv", age=10)
    place.memory.meanwhile = lambda: place.drop("a.csv", b"longer")
    assert place.looked(replace(CSV, leave=True)) == []


def test_a_file_that_appears_while_we_wait_is_taken(local: Place) -> None:
    receiver = local.receiver()
    looks: list[datetime] = []

    def now() -> datetime:
        if looks:
            local.drop("a.csv")
        looks.append(LATE)
        return LATE

    waiting = FileReceiver(
        local.url, CSV, system="garden", door="lists", memory=local.memory, ids=uuid4, now=now, timeout=1
    )
    assert names(waiting.receive(most=1, wait=0)) == []
    assert names(waiting.receive(most=1, wait=0.05)) == ["a.csv"]
    receiver.close()


@contextmanager
def as_user(server: SftpServer) -> Iterator[None]:
    """Root may read everything, so that it becomes the server's user for a while; others stay who they are."""
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(server.user_id)
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("reached", [local_place_of, remote_place], ids=["local", "remote"])
def test_a_file_nobody_may_read_does_not_hold_up_the_others(
    reached: Callable[[SftpServer], Place], server: SftpServer
) -> None:
    place = reached(server)
    place.drop("a.csv").chmod(0o000)
    place.drop("b.csv")
    with as_user(server):
        assert names(place.looked(replace(CSV, archive=""))) == ["b.csv"]
    (place.inbox / "b.csv").unlink()
    with as_user(server), pytest.raises(Unavailable, match="refuses"):
        place.looked()


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_a_chinese_name_in_either_charset_is_shown_and_archived(place: Place, charset: str) -> None:
    place.drop("案件清单.csv".encode(charset))
    [found] = place.looked(Drop("in", ("案件*.csv",), quiet=0))
    found.reject("没有表头")
    assert found.message.path == "案件清单.csv"
    aside = {path.name for path in os.scandir(os.fsencode(place.inbox / "error"))}
    assert aside == {"案件清单.csv".encode(charset), "案件清单.csv.reason.txt".encode(charset)}


def test_a_name_in_no_charset_at_all_is_taken_too(place: Place) -> None:
    place.drop(b"\xff\xff.csv")
    [found] = place.looked(replace(CSV, leave=True))
    found.accept()
    found.message.path.encode()
    assert [key.encode() for key in place.memory.digests] == [rb"\udcff\udcff.csv"]


# --- verdicts


def test_an_accepted_file_goes_to_the_folder_of_its_day_in_shanghai(place: Place) -> None:
    place.drop("a.csv", b"first")
    [found] = place.looked()
    found.accept()
    assert (place.inbox / "done/2026-03-17/a.csv").read_bytes() == b"first"
    assert place.tree() == {"done/2026-03-17/a.csv"}


def test_a_name_that_comes_again_is_numbered_and_overwrites_nothing(place: Place) -> None:
    for body in (b"1", b"2", b"3"):
        place.drop("a.csv", body)
        [found] = place.looked()
        found.accept()
    done = place.inbox / "done/2026-03-17"
    assert {path.name: path.read_bytes() for path in done.iterdir()} == {
        "a.csv": b"1", "a.1.csv": b"2", "a.2.csv": b"3",
    }  # fmt: skip


def test_a_rejected_file_lies_beside_its_reason(place: Place) -> None:
    for _ in range(2):
        place.drop("a.csv")
        [found] = place.looked()
        found.reject("row 3: 4 cells where the header has 5")
    assert place.tree() == {
        "error/a.csv", "error/a.csv.reason.txt", "error/a.1.csv", "error/a.1.csv.reason.txt",
    }  # fmt: skip
    assert (place.inbox / "error/a.csv.reason.txt").read_text() == "row 3: 4 cells where the header has 5\n"


def test_a_rejected_file_with_the_longest_of_names_lies_beside_its_reason(place: Place) -> None:
    place.drop("x" * 251 + ".csv")
    [found] = place.looked()
    found.reject("no")
    assert sorted(name.rpartition(".")[2] for name in place.tree()) == ["csv", "txt"]


def test_without_an_archive_accepted_files_are_deleted(place: Place) -> None:
    place.drop("a.csv")
    [found] = place.looked(replace(CSV, archive=""))
    found.accept()
    assert place.tree() == set()


def test_what_got_no_verdict_comes_again_after_a_restart_and_not_before(place: Place) -> None:
    place.drop("a.csv")
    receiver = place.receiver()
    assert names(receiver.receive(most=10, wait=0)) == ["a.csv"]
    assert names(receiver.receive(most=10, wait=0)) == []
    assert names(place.looked()) == ["a.csv"]
    receiver.close()
    assert names(receiver.receive(most=10, wait=0)) == ["a.csv"]
    receiver.close()


def test_a_deferred_file_comes_again(place: Place) -> None:
    place.drop("a.csv")
    receiver = place.receiver()
    for _ in range(2):
        [found] = receiver.receive(most=10, wait=0)
        found.defer()
    assert place.tree() == {"a.csv"}
    receiver.close()


@pytest.mark.parametrize("verdict", ["accept", "reject"])
def test_a_file_that_was_replaced_since_is_not_archived_for_its_predecessor(place: Place, verdict: str) -> None:
    place.drop("a.csv", b"old", age=10)
    receiver = place.receiver()
    [old] = receiver.receive(most=10, wait=0)
    place.drop("a.csv", b"new")
    old.accept() if verdict == "accept" else old.reject("no")
    assert place.tree() == {"a.csv"}
    [new] = receiver.receive(most=10, wait=0)
    assert new.message.body == b"new"
    receiver.close()


def test_a_verdict_on_a_file_somebody_took_away_is_harmless(place: Place) -> None:
    gone = place.drop("a.csv")
    [found] = place.looked()
    gone.unlink()
    found.accept()
    assert place.tree() == set()


def test_where_we_only_read_nothing_moves_and_nothing_comes_twice(place: Place) -> None:
    drop = replace(CSV, leave=True)
    for name in ("a.csv", "b.csv", "c.csv"):
        place.drop(name, age=10)
    [accepted, rejected, _deferred] = place.looked(drop)
    accepted.accept()
    rejected.reject("no")
    assert place.tree() == {"a.csv", "b.csv", "c.csv"}
    assert names(place.looked(drop)) == ["c.csv"]
    place.drop("a.csv", b"changed")
    assert names(place.looked(drop)) == ["a.csv", "c.csv"]


def test_what_cannot_be_remembered_comes_again(local: Place) -> None:
    class Forgetful(Remembered):
        def remember(self, digests: Mapping[str, str]) -> None:
            raise Unavailable(f"no memory for {len(digests)}")

    local.memory = Forgetful()
    local.drop("a.csv")
    receiver = local.receiver(replace(CSV, leave=True))
    [found] = receiver.receive(most=1, wait=0)
    with pytest.raises(Unavailable):
        found.accept()
    assert names(receiver.receive(most=1, wait=0)) == ["a.csv"]


# --- places that are not as declared


def test_a_missing_folder_is_a_breach_of_the_agreement(place: Place) -> None:
    with pytest.raises(ContractViolation):
        place.looked(replace(CSV, folder="elsewhere"))


def test_a_root_that_is_not_there_is_a_share_that_is_not_mounted(local: Place) -> None:
    receiver = local.receiver(url=f"{local.url}/missing")
    with pytest.raises(Unavailable, match="mounted"):
        receiver.receive(most=1, wait=0)


def test_links_that_lead_out_of_the_root_are_not_followed(
    local: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.csv").write_bytes(b"secret")
    (local.inbox / "out.csv").symlink_to(outside / "secret.csv")
    (local.inbox / "circle.csv").symlink_to("circle.csv")
    (local.inbox / "nowhere.csv").symlink_to("nowhere")
    (local.root / "elsewhere").mkdir()
    (local.root / "elsewhere/inner.csv").write_bytes(b"inner")
    (local.inbox / "in.csv").symlink_to("../elsewhere/inner.csv")
    assert [one.message.body for one in local.looked()] == [b"inner"]
    assert LocalFolder(local.url).read("in/out.csv", 10) is None


def test_a_folder_that_is_a_link_out_of_the_root_is_refused(
    local: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "a.csv").write_bytes(b"x")
    (local.root / "linked").symlink_to(outside)
    with pytest.raises(ContractViolation, match="leads out"):
        local.looked(replace(CSV, folder="linked"))
    (local.inbox / "done").symlink_to(outside)
    local.drop("b.csv")
    [found] = local.looked()
    with pytest.raises(ContractViolation, match="leads out"):
        found.accept()
    assert {path.name for path in outside.iterdir()} == {"a.csv"}


def test_over_sftp_links_are_left_alone(remote: Place) -> None:
    (remote.inbox / "link.csv").symlink_to(remote.drop("real.txt"))
    assert remote.looked() == []


def test_a_pipe_with_the_name_of_a_file_holds_nobody_up(place: Place) -> None:
    os.mkfifo(place.inbox / "a.csv")
    assert place.looked() == []


@pytest.mark.parametrize(
    "broken",
    [
        {"folder": "../in"}, {"folder": "/in"}, {"match": ()}, {"match": ("",)}, {"archive": "a/../.."}, {"error": ""},
        {"ready": "/.ok"}, {"order": "size"}, {"quiet": -1}, {"max_bytes": 0},
    ],
)  # fmt: skip
def test_a_drop_that_makes_no_sense_is_misconfigured(broken: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        Drop(**({"folder": "in", "match": ("*",)} | broken))


@pytest.mark.parametrize(
    "url",
    [
        "", "in", "file://", "file:///", "file:///a/../b", "file://host/a", "ftp://host/a", "sftp:///a", "sftp://host:x/a",
        "sftp://user:secret@host/a", "sftp://host/a?b=c", "sftp://host/a/%2e%2e/b", "file:///a%00b",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_misconfigured(local: Place, url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        local.receiver(url=url, username="hub", password="secret", host_key=new_key()[1])
    assert "secret" not in f"{caught.value}"
