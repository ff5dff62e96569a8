"""A private AMQP broker: Debian's RabbitMQ with node, ports, port mapper and folder of its own, as nobody."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.connectors.servers.mosquitto import account, account_group, give_away, wait_for_port, write_certificate

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EPMD = shutil.which("epmd")
USERNAME, PASSWORD = "gridhub", "only-for-tests"

_CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{secure_port}
ssl_options.certfile = {folder}/broker.pem
ssl_options.keyfile = {folder}/broker.key
ssl_options.verify = verify_none
default_user = {username}
default_pass = {password}
default_permissions.configure = ^(?!forbidden)
default_permissions.read = ^(?!forbidden)
default_permissions.write = ^(?!forbidden)
disk_free_limit.absolute = 1MB
log.console = false
log.file.level = warning
"""


class RabbitMq:
    """One broker; `stop` and `start` keep what it has stored."""

    def __init__(self, free_port: Callable[[], int]) -> None:
        self.port, self.secure_port = free_port(), free_port()
        self._mapper_port, self._node_port = free_port(), free_port()
        self.url = f"amqp://127.0.0.1:{self.port}"
        self.secure_url = f"amqps://127.0.0.1:{self.secure_port}"
        self._folder = Path(tempfile.mkdtemp(prefix="gridhub-rabbitmq-"))
        self.ca = self._folder / "broker.pem"
        self._log = self._folder / "output"
        self._environment = self._variables()
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        self._prepare()

    def start(self) -> None:
        """Start it and wait until it listens; about eight seconds."""
        if self._mapper is None:
            self._mapper = self._run([f"{EPMD}", "-port", f"{self._mapper_port}", "-address", "127.0.0.1"])
            wait_for_port(self._mapper_port, self._mapper, self._log)
        self._process = self._run([f"{PROGRAM}"])
        wait_for_port(self.port, self._process, self._log, seconds=60)

    def stop(self) -> None:
        """Stop it as the system does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It is there and answers nothing."""
        machine = int((self._folder / "pid").read_text())  # what we started is the shell script around it
        os.kill(machine, signal.SIGSTOP)
        pause = threading.Event()
        while Path(f"/proc/{machine}/stat").read_text().rpartition(") ")[2][0] != "T":
            pause.wait(0.01)
        try:
            yield
        finally:
            os.kill(machine, signal.SIGCONT)

    def remove(self) -> None:
        """Stop everything that was started here, and take its folder away."""
        try:
            self.stop()
        finally:
            if self._process is not None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(10)
            if self._mapper is not None:
                self._mapper.terminate()
                self._mapper.wait(10)
            shutil.rmtree(self._folder)

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment,
                cwd=self._folder, start_new_session=True, user=account(), group=account_group(),
            )  # fmt: skip

    def _variables(self) -> dict[str, str]:
        folder = self._folder
        return {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": f"{folder}",
            "ERL_EPMD_PORT": f"{self._mapper_port}", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"gridhub{self.port}@localhost", "RABBITMQ_DIST_PORT": f"{self._node_port}",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILE": f"{folder / 'rabbitmq.conf'}",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder / 'plugins'}", "RABBITMQ_MNESIA_BASE": f"{folder / 'mnesia'}",
            "RABBITMQ_PLUGINS_EXPAND_DIR": f"{folder / 'expanded'}", "RABBITMQ_LOG_BASE": f"{folder / 'log'}",
            "RABBITMQ_PID_FILE": f"{folder / 'pid'}",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip

    def _prepare(self) -> None:
        (self._folder / "rabbitmq.conf").write_text(
            _CONFIGURATION.format(
                folder=self._folder, port=self.port, secure_port=self.secure_port, username=USERNAME, password=PASSWORD
            )
        )
        (self._folder / "plugins").write_text("[].\n")
        self._log.touch()
        write_certificate(self.ca, self._folder / "broker.key")
        give_away(self._folder)


@contextmanager
def rabbitmq(free_port: Callable[[], int]) -> Iterator[RabbitMq]:
    """A running broker, removed at the end."""
    broker = RabbitMq(free_port)
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()
