"""A private OpenSSH server on 127.0.0.1 with keys of its own, and a relay before it that can break connections.

It runs without privileges: as root it becomes `nobody`, else it stays who runs the tests. Such a server lets in only
its own user, by key; it asks for passwords and takes none. PAM, because without it such accounts count as locked.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.ports import find_port

_SETTINGS = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM yes
MaxStartups 100
PasswordAuthentication yes
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
LogLevel QUIET
"""


def sshd() -> str | None:
    """The server's program, when this machine has one."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class SftpServer:
    """A server that runs, and what a client must know."""

    port: int
    root: Path
    """A folder of its user's; its absolute path is the same over SFTP."""
    username: str
    private_key: str
    host_key: str
    user_id: int
    group_id: int

    def give(self, path: Path) -> None:
        """Make a file or folder the server's user's."""
        if os.geteuid() == 0:
            os.chown(path, self.user_id, self.group_id, follow_symlinks=False)


def new_key() -> tuple[str, str]:
    """A private key in OpenSSH's format, and the public one as `type base64`."""
    key = Ed25519PrivateKey.generate()
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
    )


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder that everybody may enter, away again afterwards with all that is in it."""
    made = tempfile.mkdtemp(prefix="gridhub-sftp-")
    try:
        Path(made).chmod(0o755)
        yield Path(made)
    finally:
        shutil.rmtree(made)


@contextmanager
def sftp_server(program: str) -> Iterator[SftpServer]:
    """Started when the block begins, ended with it."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with own_folder() as folder:
        private_key, public_key = new_key()
        host_private, host_public = new_key()
        root = folder / "root"
        root.mkdir()
        server = SftpServer(find_port(), root, user.pw_name, private_key, host_public, user.pw_uid, user.pw_gid)
        (folder / "host_key").write_text(host_private)
        (folder / "host_key").chmod(0o600)
        (folder / "authorized_keys").write_text(public_key)
        (folder / "sshd_config").write_text(_SETTINGS.format(port=server.port, folder=folder))
        for path in (folder, *folder.iterdir()):
            server.give(path)
        with _running([program, "-D", "-f", f"{folder / 'sshd_config'}"], server):
            yield server


@contextmanager
def _running(command: Sequence[str], server: SftpServer) -> Iterator[None]:
    root = os.geteuid() == 0
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        user=server.user_id if root else None, group=server.group_id if root else None,
        extra_groups=[] if root else None,
    )  # fmt: skip
    try:
        _wait_for(server.port, process)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    waiting = threading.Event()
    for _ in range(500):
        if process.poll() is not None:
            raise RuntimeError(f"sshd ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as wire:
                wire.recv(4)
                return
        except OSError:
            waiting.wait(0.02)
    raise RuntimeError("sshd does not answer")


class Relay:
    """Passes bytes on to a server until it is told otherwise."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._wires: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = int(self._listener.getsockname()[1])
        self.left = -1
        """Pieces the client may still send; the answer to the last one is lost with the connection. -1: any number."""
        self.once = False
        """True: after a connection has broken, the next ones are well."""
        self.connections = 0
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cut(self) -> None:
        """Break every connection there is."""
        wires, self._wires = self._wires, []
        for wire in wires:
            _shut(wire)

    def close(self) -> None:
        """Break everything, and take no more."""
        _shut(self._listener)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._to_port))
            self._wires += [client, server]
            self._start(lambda client=client, server=server: self._pass(client, server, counted=True))  # type: ignore[misc]
            self._start(lambda client=client, server=server: self._pass(server, client, counted=False))  # type: ignore[misc]

    def _pass(self, source: socket.socket, target: socket.socket, *, counted: bool) -> None:
        try:
            while piece := source.recv(65536):
                if self.left == 0:
                    self.left = -1 if self.once else 0
                    break
                if counted and self.left > 0:
                    self.left -= 1
                target.sendall(piece)
        except OSError:
            pass  # the other direction has hung up
        _shut(source)
        _shut(target)
        source.close()


def _shut(wire: socket.socket) -> None:
    try:
        wire.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was shut before
