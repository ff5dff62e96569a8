"""What only a server can do to us: show another key, take no credential, break off at any moment."""

import base64
import hashlib
import socket
from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from canonical.errors import Misconfigured, Unauthenticated, Unavailable
from connectors.files import FileReceiver
from tests.connectors.file_place import CSV, Place, names, remote_place
from tests.connectors.servers.sftp import Relay, SftpServer, new_key, own_folder, sftp_server, sshd


@pytest.fixture(scope="module")
def server() -> Iterator[SftpServer]:
    program = sshd()
    if program is None:
        pytest.skip("this machine has no sshd")
    with sftp_server(program) as running:
        yield running


@pytest.fixture
def remote(server: SftpServer) -> Place:
    return remote_place(server)


def test_another_host_key_is_misconfigured_and_no_credential_is_sent(remote: Place) -> None:
    with pytest.raises(Misconfigured, match="another key"):
        remote.receiver(host_key=new_key()[1]).receive(most=1, wait=0)


def test_a_host_key_of_another_kind_is_misconfigured(remote: Place) -> None:
    numbers = b"".join(
        len(part).to_bytes(4, "big") + part for part in (b"ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xff" * 256)
    )
    with pytest.raises(Misconfigured, match="kind"):
        remote.receiver(host_key=f"ssh-rsa {base64.b64encode(numbers).decode()}").receive(most=1, wait=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host_key": ""}, {"host_key": "ssh-ed25519 AAAA"}, {"host_key": "ssh-ed25519"}, {"host_key": "klingon AAAA"},
        {"private_key": "no key"}, {"private_key": ""}, {"username": ""},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_right_are_misconfigured_at_once(remote: Place, wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured):
        remote.receiver(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"private_key": new_key()[0]}, {"private_key": "", "password": "13800000000"}, {"username": "x"}]
)
def test_a_credential_the_server_does_not_take_is_unauthenticated(remote: Place, wrong: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated) as caught:
        remote.receiver(**wrong).receive(most=1, wait=0)
    assert "138" not in f"{caught.value}"


def test_a_closed_port_and_a_server_of_another_kind_are_unavailable(remote: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        keys = remote.keys | {"url": f"sftp://127.0.0.1:{port}/in"}
        silent = FileReceiver(
            keys.pop("url"), CSV, system="garden", door="lists", memory=remote.memory, ids=uuid4, now=remote.clock,
            timeout=0.3, **keys,
        )  # fmt: skip
        with pytest.raises(Unavailable):  # takes the connection and says nothing
            silent.receive(most=1, wait=0)
    with pytest.raises(Unavailable):
        silent.receive(most=1, wait=0)


def test_a_connection_lost_before_the_verdict_is_made_anew_once(remote: Place, server: SftpServer) -> None:
    with Relay(server.port) as relay:
        remote.url = remote.url.replace(f":{server.port}", f":{relay.port}")
        receiver = remote.receiver()
        remote.drop("a.csv")
        [found] = receiver.receive(most=1, wait=0)
        relay.cut()
        found.accept()
        assert (relay.connections, remote.tree()) == (2, {"done/2026-03-17/a.csv"})
        remote.drop("b.csv")
        [found] = receiver.receive(most=1, wait=0)
        relay.left = 0
        relay.cut()
        with pytest.raises(Unavailable):
            found.accept()
        assert relay.connections == 3
        relay.left = -1
        assert names(receiver.receive(most=1, wait=0)) == ["b.csv"]
        receiver.close()


@pytest.mark.parametrize("pieces", range(0, 40, 3))
def test_wherever_the_connection_breaks_a_file_is_neither_lost_nor_damaged(
    remote: Place, server: SftpServer, pieces: int
) -> None:
    """Whatever was accepted, it lies in the inbox or in the archive, once and whole, and the next run ends in order."""
    body = hashlib.sha256(b"%d" % pieces).digest() * 4000
    remote.drop("a.csv", body)
    with Relay(server.port) as relay:
        direct, remote.url = remote.url, remote.url.replace(f":{server.port}", f":{relay.port}")
        receiver = remote.receiver()
        relay.left = pieces
        with suppress(Unavailable):
            for found in receiver.receive(most=1, wait=0):
                assert found.message.body == body
                found.accept()
        receiver.close()
    remote.url = direct
    assert remote.tree() in ({"a.csv"}, {"done/2026-03-17/a.csv"})
    for found in remote.looked():
        found.accept()
    assert remote.tree() == {"done/2026-03-17/a.csv"}
    assert (remote.inbox / "done/2026-03-17/a.csv").read_bytes() == body


def test_a_key_with_a_passphrase_needs_it(remote: Place) -> None:
    held = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"secret")
    )
    with pytest.raises(Misconfigured, match="passphrase"):
        remote.receiver(private_key=held.decode())
    with pytest.raises(Misconfigured, match="passphrase"):
        remote.receiver(private_key=held.decode(), password="other")
    remote.receiver(private_key=held.decode(), password="secret").close()


def test_folders_made_for_tests_are_away_afterwards() -> None:
    with own_folder() as folder:
        assert folder.is_dir()
    assert not folder.exists()
