"""Files we leave for partners, in a real folder and on a real SFTP server: whole, once, never in another's place."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from canonical.errors import ContractViolation, InDoubt, Misconfigured, Unavailable
from canonical.message import Message
from connectors.files import FileConnector
from tests.connectors.servers.sftp import Relay, SftpServer, sftp_server, sshd

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)


class Outbox:
    """A folder `out` of a partner, and connectors to it."""

    def __init__(self, root: Path, server: SftpServer | None) -> None:
        self.root = root
        self.server = server
        self.out = root / "out"
        self.out.mkdir()
        if server:
            server.give(root)
            server.give(self.out)

    def connector(self, port: int = 0) -> FileConnector:
        if self.server is None:
            return FileConnector(self.root.as_uri(), ids=uuid4, now=lambda: AT, timeout=5)
        return FileConnector(
            f"sftp://127.0.0.1:{port or self.server.port}{self.root}", ids=uuid4, now=lambda: AT, timeout=5,
            username=self.server.username, private_key=self.server.private_key, host_key=self.server.host_key,
        )  # fmt: skip

    def tree(self) -> dict[str, bytes]:
        return {f"{path.relative_to(self.root)}": path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def server() -> Iterator[SftpServer]:
    program = sshd()
    if program is None:
        pytest.skip("this machine has no sshd")
    with sftp_server(program) as running:
        yield running


@pytest.fixture
def local(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path, None)


@pytest.fixture
def remote(server: SftpServer) -> Outbox:
    root = server.root / uuid4().hex
    root.mkdir()
    return Outbox(root, server)


@pytest.fixture(params=["local", "remote"])
def outbox(request: pytest.FixtureRequest) -> Outbox:
    made: Outbox = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def connector(outbox: Outbox) -> Iterator[FileConnector]:
    made = outbox.connector()
    yield made
    made.close()
    made.close()


def message(path: str = "out/a.csv", body: bytes = b"a\n1\n", **headers: str) -> Message:
    return Message(system="garden", body=body, at=AT, id=UUID(int=7), door="report", path=path, headers=headers)


def test_a_file_is_left_and_answered(outbox: Outbox, connector: FileConnector) -> None:
    sealed = connector.seal(message())
    answer = connector.send(sealed)
    assert (answer.status, answer.parent, answer.at, answer.system, answer.door) == (
        201, sealed.id, AT, "garden", "report",
    )  # fmt: skip
    assert answer.id != sealed.id
    assert outbox.tree() == {"out/a.csv": b"a\n1\n"}


def test_the_same_file_again_is_safe(outbox: Outbox, connector: FileConnector) -> None:
    assert [connector.send(message()).status for _ in range(2)] == [201, 200]
    assert outbox.tree() == {"out/a.csv": b"a\n1\n"}


@pytest.mark.parametrize("body", [b"", b"a", b"a\n2\n", b"a\n1\n2\n"])
def test_a_name_that_holds_something_else_is_a_conflict(outbox: Outbox, connector: FileConnector, body: bytes) -> None:
    connector.send(message())
    assert connector.send(message(body=body, ready=".ok")).status == 409
    assert outbox.tree() == {"out/a.csv": b"a\n1\n"}


def test_a_marker_follows_the_file_and_is_made_up_for(outbox: Outbox, connector: FileConnector) -> None:
    assert connector.send(message(ready=".ok")).status == 201
    (outbox.out / "a.csv.ok").unlink()
    assert [connector.send(message(ready=".ok")).status for _ in range(2)] == [200, 200]
    assert outbox.tree() == {"out/a.csv": b"a\n1\n", "out/a.csv.ok": b""}


def test_large_and_empty_bodies_arrive_whole(outbox: Outbox, connector: FileConnector) -> None:
    large = bytes(range(256)) * 12_000
    assert connector.send(message("out/large.zip", large)).status == 201
    assert connector.send(message("out/empty.csv", b"")).status == 201
    assert outbox.tree() == {"out/large.zip": large, "out/empty.csv": b""}


@pytest.mark.parametrize(
    "path",
    ["", "/", "../a.csv", "out/../../a", "out//a", "out\\a", "out/.a.csv", "out/a\nb", "out/a\0", "//etc/a", "out/"],
)
def test_a_path_that_leads_elsewhere_is_refused(outbox: Outbox, connector: FileConnector, path: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        connector.send(message(path))
    assert (caught.value.at, outbox.tree()) == ("path", {})


@pytest.mark.parametrize("ready", ["/../x", "\n", "a/b"])
def test_a_marker_that_leads_elsewhere_is_refused(outbox: Outbox, connector: FileConnector, ready: str) -> None:
    with pytest.raises(ContractViolation):
        connector.send(message(ready=ready))
    assert outbox.tree() == {}


def test_a_folder_that_is_not_there_is_unavailable_and_not_made(outbox: Outbox, connector: FileConnector) -> None:
    with pytest.raises(Unavailable) as caught:
        connector.send(message("elsewhere/13800000000.csv"))
    assert "138" not in f"{caught.value}"
    assert outbox.tree() == {}
    assert [path.name for path in outbox.root.iterdir()] == ["out"]


def test_a_link_out_of_the_root_is_refused(local: Outbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (local.root / "linked").symlink_to(outside)
    with pytest.raises(ContractViolation):
        local.connector().send(message("linked/a.csv"))
    assert list(outside.iterdir()) == []


def test_threads_may_share_a_connector(outbox: Outbox, connector: FileConnector) -> None:
    """Four want each name, with the same bytes: one of them is the first."""
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(connector.send, [message(f"out/{n % 8}.csv", b"%d" % (n % 8)) for n in range(32)]))
    assert sorted(answer.status for answer in sent) == [200] * 24 + [201] * 8
    assert outbox.tree() == {f"out/{n}.csv": b"%d" % n for n in range(8)}


def test_one_name_wanted_by_many_with_other_bytes_goes_to_one(local: Outbox) -> None:
    connectors = [local.connector() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda n: connectors[n].send(message(body=b"%d" % n)), range(8)))
    assert sorted(answer.status for answer in sent) == [201] + [409] * 7
    [first] = [n for n, answer in enumerate(sent) if answer.status == 201]
    assert local.tree() == {"out/a.csv": b"%d" % first}


def test_a_host_without_a_known_key_is_misconfigured() -> None:
    with pytest.raises(Misconfigured, match="ssh-keyscan"):
        FileConnector("sftp://host/out", ids=uuid4, now=lambda: AT, timeout=1, username="hub", password="x")


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize(
    ("ready", "pieces"),
    [*(("", pieces) for pieces in (0, 4, 8, *range(11, 21))), *((".ok", pieces) for pieces in range(19, 29))],
)
def test_wherever_the_connection_breaks_the_error_is_true_and_sending_again_ends_well(
    remote: Outbox, server: SftpServer, pieces: int, ready: str, once: bool
) -> None:
    """The file takes some 19 pieces, signing in included, and its marker 9 more."""
    last = f"out/a.csv{ready}"
    body = bytes(range(256)) * 600
    with Relay(server.port) as relay:
        connector = remote.connector(relay.port)
        relay.left, relay.once = pieces, once
        status = None
        try:
            status = connector.send(message(body=body, ready=ready)).status
        except Unavailable:
            assert last not in remote.tree()
        except InDoubt:
            assert "out/a.csv" in remote.tree() or any(name.endswith(".part") for name in remote.tree())
        visible = {name: held for name, held in remote.tree().items() if not name.startswith("out/.")}
        assert visible in ({}, {"out/a.csv": body}, {"out/a.csv": body, "out/a.csv.ok": b""})
        assert status is None or (status == 201 and last in visible)
        relay.left = -1
        assert connector.send(message(body=body, ready=ready)).status in {200, 201}
        connector.close()
    assert {name: held for name, held in remote.tree().items() if name.endswith((".csv", ".ok"))} == {
        last: b"", "out/a.csv": body,
    }  # fmt: skip
    assert (
        len(remote.tree()) == len({last, "out/a.csv"}) or status is None
    )  # an attempt that broke may leave one hidden file, no more
    assert len(remote.tree()) <= len({last, "out/a.csv"}) + 1
