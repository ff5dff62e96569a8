"""A private MQTT broker: Debian's mosquitto with its own ports, accounts and folder, under an unprivileged account.

It sends as much as it has without waiting for answers: a receiver has to protect itself.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PROGRAM = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
USERNAME, PASSWORD = "gridhub", "only-for-tests"

_CONFIGURATION = """
per_listener_settings false
persistence true
persistence_location {folder}/
autosave_interval 3600
max_queued_messages 100000
max_inflight_messages 0
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/rights
listener {port} 127.0.0.1
listener {secure_port} 127.0.0.1
certfile {folder}/broker.pem
keyfile {folder}/broker.key
"""

_RIGHTS = f"""
user {USERNAME}
topic readwrite #
topic readwrite $oc/#
topic deny forbidden/#
"""


class Mosquitto:
    """One broker; `stop` and `start` keep what it has stored."""

    def __init__(self, free_port: Callable[[], int]) -> None:
        self.port, self.secure_port = free_port(), free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.secure_url = f"mqtts://127.0.0.1:{self.secure_port}"
        self._folder = Path(tempfile.mkdtemp(prefix="gridhub-mosquitto-"))
        self.ca, self.key = self._folder / "broker.pem", self._folder / "broker.key"
        self._process: subprocess.Popen[bytes] | None = None
        self._prepare()

    def start(self) -> None:
        """Start it and wait until it listens."""
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [f"{PROGRAM}", "-c", f"{self._folder / 'conf'}"], stdout=output, stderr=output,
                user=account(), group=account_group(),
            )  # fmt: skip
        wait_for_port(self.port, self._process, log)

    def stop(self) -> None:
        """Stop it as the system does: it writes down its sessions."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It is there and answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def _prepare(self) -> None:
        ports = {"port": self.port, "secure_port": self.secure_port}
        (self._folder / "conf").write_text(_CONFIGURATION.format(folder=self._folder, **ports))
        (self._folder / "rights").write_text(_RIGHTS)
        (self._folder / "passwords").touch(mode=0o600)
        subprocess.run(
            ["mosquitto_passwd", "-b", f"{self._folder / 'passwords'}", USERNAME, PASSWORD], check=True,
            capture_output=True,
        )  # fmt: skip
        write_certificate(self.ca, self.key)
        give_away(self._folder)


@contextmanager
def mosquitto(free_port: Callable[[], int]) -> Iterator[Mosquitto]:
    """A running broker, removed at the end."""
    broker = Mosquitto(free_port)
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()


def account() -> str | None:
    """Whom root runs a server as."""
    return "nobody" if os.getuid() == 0 else None


def account_group() -> str | None:
    """And in which group."""
    return "nogroup" if os.getuid() == 0 else None


def give_away(folder: Path) -> None:
    """A folder made by root for a server that runs as nobody."""
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path, *, seconds: float = 10.0) -> None:
    """Until somebody listens there."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    pause = threading.Event()
    while datetime.now(UTC) < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            pause.wait(0.02)
        else:
            return
    raise RuntimeError(f"the server does not listen on {port}:\n{log.read_text(errors='replace')[-2000:]}")


def write_certificate(certificate: Path, key: Path) -> None:
    """A self-signed certificate for 127.0.0.1."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
