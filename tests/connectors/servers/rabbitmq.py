"""A private AMQP broker: Debian's RabbitMQ with node, ports, port mapper and folder of its own, as nobody; or three
of them as a cluster.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
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
vm_memory_high_watermark.absolute = 1GB
log.console = false
log.file.level = warning
"""

_ERLANG = "+S 1:1 +sbwt none -setcookie only-for-tests -kernel inet_dist_use_interface {127,0,0,1}"


class PortMapper:
    """Erlang's epmd on a port of its own: nodes of one cluster find each other there."""

    def __init__(self, free_port: Callable[[], int]) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, log: Path) -> None:
        """Start it once and wait until it listens."""
        if self._process is None:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [f"{EPMD}", "-port", f"{self.port}", "-address", "127.0.0.1"], stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True, user=account(), group=account_group(),
                )  # fmt: skip
            wait_for_port(self.port, self._process, log)

    def remove(self) -> None:
        """Stop it. Harmless twice."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


class RabbitMq:
    """One broker; `stop` and `start` keep what it has stored.

    `mapper` and `peers`: those of a cluster it belongs to.
    """

    def __init__(
        self, free_port: Callable[[], int], *, mapper: PortMapper | None = None, name: str = "",
        peers: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.port, self.secure_port = free_port(), free_port()
        self.mapper, self._own_mapper = mapper or PortMapper(free_port), mapper is None
        self.name, self._peers, self._node_port = name or f"gridhub{self.port}@localhost", peers, free_port()
        self.url = f"amqp://127.0.0.1:{self.port}"
        self.secure_url = f"amqps://127.0.0.1:{self.secure_port}"
        self._folder = Path(tempfile.mkdtemp(prefix="gridhub-rabbitmq-"))
        self.ca = self._folder / "broker.pem"
        self._log = self._folder / "output"
        self._environment = self._variables()
        self._process: subprocess.Popen[bytes] | None = None
        self._prepare()

    def start(self) -> None:
        """Start it and wait until it listens; about eight seconds."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start it, and do not wait."""
        self.mapper.start(self._log)
        self._process = self._run([f"{PROGRAM}"])

    def wait(self) -> None:
        """Until it listens."""
        assert self._process is not None
        wait_for_port(self.port, self._process, self._log, seconds=240)  # eight on a machine that does nothing else

    @property
    def running(self) -> bool:
        """It was started, and neither stopped nor killed since."""
        return self._process is not None

    def stop(self) -> None:
        """Stop it as the system does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """Let it die as it stands: nothing is written down or said any more."""
        assert self._process is not None
        machine = int((self._folder / "pid").read_text())  # what we started is the shell script around it
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None
        pause = threading.Event()
        while Path(f"/proc/{machine}").exists():  # its ports are free only then
            pause.wait(0.01)

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
            if self._own_mapper:
                self.mapper.remove()
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
            "ERL_EPMD_PORT": f"{self.mapper.port}", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name, "RABBITMQ_DIST_PORT": f"{self._node_port}",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILE": f"{folder / 'rabbitmq.conf'}",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder / 'plugins'}", "RABBITMQ_MNESIA_BASE": f"{folder / 'mnesia'}",
            "RABBITMQ_PLUGINS_EXPAND_DIR": f"{folder / 'expanded'}", "RABBITMQ_LOG_BASE": f"{folder / 'log'}",
            "RABBITMQ_PID_FILE": f"{folder / 'pid'}",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
        }  # fmt: skip

    def _named(self) -> Iterator[tuple[int, str]]:
        return enumerate(self._peers, 1)

    def _prepare(self) -> None:
        (self._folder / "rabbitmq.conf").write_text(
            _CONFIGURATION.format(
                folder=self._folder, port=self.port, secure_port=self.secure_port, username=USERNAME, password=PASSWORD
            )
            + "".join(f"cluster_formation.classic_config.nodes.{number} = {name}\n" for number, name in self._named())
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


class RabbitCluster:
    """Three nodes on this machine that are one broker."""

    def __init__(self, free_port: Callable[[], int]) -> None:
        self.mapper = PortMapper(free_port)
        names = [f"gridhub{free_port()}@localhost" for _ in range(3)]
        self.nodes = [RabbitMq(free_port, mapper=self.mapper, name=name, peers=names) for name in names]

    @property
    def urls(self) -> list[str]:
        """Where each node listens."""
        return [node.url for node in self.nodes]

    def start(self) -> None:
        """Start them side by side: the first that is there makes the cluster, the others join it."""
        for node in self.nodes:
            node.begin()
        for node in self.nodes:
            node.wait()

    def remove(self) -> None:
        """Stop everything that was started here."""
        try:
            for node in self.nodes:
                node.remove()
        finally:
            self.mapper.remove()


@contextmanager
def cluster(free_port: Callable[[], int]) -> Iterator[RabbitCluster]:
    """A running cluster, removed at the end."""
    made = RabbitCluster(free_port)
    try:
        made.start()
        yield made
    finally:
        made.remove()
