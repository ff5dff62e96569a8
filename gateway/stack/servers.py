"""Private servers of the stack: PostgreSQL, RabbitMQ, an MQTT broker, Prometheus. Each in a folder of its own.

They listen on loopback alone. Root runs them as `nobody`; what is not installed is left out and said so.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from gateway.stack.asking import answers
from gateway.stack.supervisor import Program

ACCOUNT = "gridhub"
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's script on PATH insists on an account of its own."""
PACKAGES = {"rabbitmq": "rabbitmq-server", "mosquitto": "mosquitto", "prometheus": "prometheus"}
"""Server -> the package of Debian and its kin."""


def installed(server: str) -> bool:
    """Whether its program is on this machine."""
    found = {
        "database": True,
        "rabbitmq": _RABBITMQ.exists() and shutil.which("epmd", path=_PATH) is not None,
        "mosquitto": all(shutil.which(name, path=_PATH) for name in ("mosquitto", "mosquitto_passwd")),
        "prometheus": shutil.which("prometheus", path=_PATH) is not None,
    }
    return found[server]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one server lives."""

    folder: Path
    ports: Sequence[int]
    password: str


def database(folder: Path, link: Path) -> Program:
    """PostgreSQL on a private socket; `url` says how it is reached."""
    command = [sys.executable, "-m", "gateway.stack.postgres", str(folder), str(link)]
    return Program("database", command, os.environ, (link / _SOCKET).is_socket, grace=40)


def short_folder() -> str:
    """A fresh private folder with a short path."""
    usual = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="gridhub-", dir=usual if len(usual) < _SHORT else "/tmp")  # noqa: S108 mkdtemp


_SHORT = 60
_SOCKET = ".s.PGSQL.5432"


def url(link: Path) -> str:
    """For GRIDHUB_DATABASE_URL."""
    return f"postgresql://{ACCOUNT}@/{ACCOUNT}?host={link}"


def rabbitmq(place: Place) -> list[Program]:
    """A broker of one node with its own port mapper; quorum queues work on one node as on three."""
    port, node, mapper = place.ports
    (place.folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\ndefault_user = {ACCOUNT}\ndefault_pass = {place.password}\n"
        "disk_free_limit.absolute = 100MB\n"
        "log.console = true\nlog.console.level = warning\n"
    )
    (place.folder / "plugins").write_text("[].\n")
    account = _given_away(place.folder)
    folder = place.folder
    environment = {
        "PATH": _PATH, "LANG": "C.UTF-8", "HOME": f"{folder}", "ERL_CRASH_DUMP_SECONDS": "0",
        "ERL_EPMD_PORT": f"{mapper}",
        "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_NODENAME": "gridhub@localhost", "RABBITMQ_DIST_PORT": f"{node}",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILE": f"{folder / 'rabbitmq.conf'}",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder / 'plugins'}", "RABBITMQ_MNESIA_BASE": f"{folder / 'mnesia'}",
        "RABBITMQ_PLUGINS_EXPAND_DIR": f"{folder / 'expanded'}", "RABBITMQ_LOG_BASE": f"{folder / 'log'}",
        "RABBITMQ_PID_FILE": f"{folder / 'pid'}",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
    }  # fmt: skip
    mapped = [str(shutil.which("epmd", path=_PATH)), "-port", f"{mapper}", "-address", "127.0.0.1"]
    return [
        Program("rabbitmq-names", mapped, environment, partial(maps_names, mapper), mapper, account=account),
        Program("rabbitmq", [f"{_RABBITMQ}"], environment, partial(listens, port), port, grace=30, account=account),
    ]


def mosquitto(place: Place) -> Program:
    """An MQTT broker with one account; what it has stored stays."""
    [port] = place.ports
    folder = place.folder
    passwords = folder / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(  # noqa: S603 our own argument list
        [str(shutil.which("mosquitto_passwd", path=_PATH)), "-b", f"{passwords}", ACCOUNT, place.password],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
        f"connection_messages false\npersistence true\npersistence_location {folder}/\nlog_dest stderr\n"
    )
    command = [str(shutil.which("mosquitto", path=_PATH)), "-c", f"{folder / 'mosquitto.conf'}"]
    return Program("mosquitto", command, {"PATH": _PATH}, partial(listens, port), port, account=_given_away(folder))


def prometheus(place: Place, targets: Mapping[str, Sequence[int]], rules: Path | None) -> Program:
    """Figures of `targets` (job -> ports of metrics pages), kept for a day."""
    [port] = place.ports
    folder = place.folder
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{one}" for one in ports]}]}
        for job, ports in targets.items()
    ]
    told = {"global": {"scrape_interval": "5s", "evaluation_interval": "15s"}, "scrape_configs": jobs}
    if rules is not None:
        shutil.copy(rules, folder / rules.name)
        told["rule_files"] = [rules.name]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(told, sort_keys=False))
    command = [
        str(shutil.which("prometheus", path=_PATH)), f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", "--storage.tsdb.retention.time=1d",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    asked = partial(answers, f"http://127.0.0.1:{port}/-/healthy")
    return Program("prometheus", command, {"PATH": _PATH}, asked, port, account=_given_away(folder))


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def maps_names(port: int) -> bool:
    """Whether Erlang's port mapper answers: it is asked for the names it knows."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as asking:
            asking.sendall(b"\0\1n")
            return asking.recv(4) == port.to_bytes(4, "big")
    except OSError:
        return False


def healthy(page: str) -> Callable[[], bool]:
    """Asks this page."""
    return partial(answers, page)


def _given_away(folder: Path) -> tuple[int, int] | None:
    """A folder made by root goes to `nobody`, who runs the server."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return nobody.pw_uid, nobody.pw_gid
