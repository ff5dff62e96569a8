"""`gridhub certify --url`: a test environment, reached or not, told in words a newcomer understands."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from tests.gateway.parks import parks

TOKEN = "given-at-login"


class Vendor(ThreadingHTTPServer):
    """A parks bureau's server, which knows nothing of any hub."""

    says = "good"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[tuple[str, str, str]] = []
        self.works: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}/api"


class _Handler(BaseHTTPRequestHandler):
    server: Vendor

    def any_method(self) -> None:
        """Any request."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        path = self.path.partition("?")[0]
        self.server.heard.append((self.command, path, body))
        if self.server.says == "page":
            self._say("<html><body>please log in</body></html>", "text/html")
        elif path == "/api/login":
            self._say({"ret": "0", "msg": "", "data": {"token": TOKEN, "expires": 3600}})
        elif self.headers.get("x-token") != TOKEN:
            self._say({"ret": "401", "msg": "token"})
        elif self.command == "GET":
            self._say({"ret": "0", "data": {"rows": [], "total": 0}})
        elif self.server.says == "refused":
            self._say({"ret": "9", "msg": "该区域未开通"})
        else:
            number = json.loads(body)["ourNo"]
            self._say({"ret": "0", "data": {"workNo": self.server.works.setdefault(number, f"W-{len(number)}-8801")}})

    do_GET = do_POST = any_method  # noqa: N815

    def _say(self, told: object, kind: str = "application/json") -> None:
        body = (told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)).encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor's test environment."""
    with Vendor() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def certified(tmp_path: Path, url: str, *more: str) -> Result:
    chosen = ["--scenarios", "reached,handed_over"]
    return CliRunner().invoke(app, ["certify", str(parks(tmp_path)), "--url", url, "--all", "--yes", *chosen, *more])


def test_a_live_platform_is_signed_in_to_asked_and_handed_a_case_and_nothing_else(
    vendor: Vendor, tmp_path: Path
) -> None:
    done = certified(tmp_path, vendor.url, "--secret", "account=hub-7", "--out", str(tmp_path / "out"))

    assert done.exit_code == 0, done.output
    assert len(vendor.works) == 1
    assert sum(path == "/api/orders" and method == "GET" for method, path, _ in vendor.heard) == 1
    assert json.loads(next(body for _, path, body in vendor.heard if path == "/api/login"))["user"] == "hub-7"
    report = (tmp_path / "out" / "certificate.json").read_text("utf-8")
    assert "hub-7" not in report
    assert TOKEN not in report


def test_a_live_platform_that_refuses_is_quoted(vendor: Vendor, tmp_path: Path) -> None:
    vendor.says = "refused"

    done = certified(tmp_path, vendor.url)

    assert done.exit_code == 1
    assert "refused 该区域未开通" in " ".join(done.output.split())


def test_a_page_for_people_is_told_as_one(vendor: Vendor, tmp_path: Path) -> None:
    vendor.says = "page"

    done = certified(tmp_path, vendor.url)

    assert done.exit_code == 1
    told = " ".join(done.output.split())
    assert "login" in told
    assert "a web page came" in told
    assert "the platform was not reached" in told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:{dead}/", "nothing listens at that port"),
        ("https://127.0.0.1:{port}/api", "no TLS is spoken there"),
        ("http://no-such-host.invalid/", "there is no host of that name"),
    ],
)
def test_a_platform_that_is_not_there_is_told_by_what_is_wrong(
    vendor: Vendor, tmp_path: Path, url: str, told: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        dead = probe.getsockname()[1]

    done = certified(tmp_path, url.format(dead=dead, port=vendor.server_address[1]))

    assert done.exit_code == 1
    assert told in " ".join(done.output.split())
    assert all(len(line) <= 80 for line in done.output.splitlines())


@pytest.mark.parametrize(
    ("url", "more", "told"),
    [
        ("ftp://host/", (), "https://host/path"),
        ("host/path", (), "https://host/path"),
        ("http://127.0.0.1:9/", ("--secret", "nobody=1"), "account, password"),
        ("http://127.0.0.1:9/", ("--secret", "account=@/no/such/file"), "No such file"),
    ],
)
def test_an_address_or_secret_that_cannot_be_one_is_wrong_usage(
    tmp_path: Path, url: str, more: tuple[str, ...], told: str
) -> None:
    done = certified(tmp_path, url, *more)

    assert done.exit_code == 2
    assert told in " ".join(done.output.replace("│", " ").split())


def test_options_that_the_other_side_of_a_folder_does_not_know_are_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["simulate", str(parks(tmp_path)), "--rate", "5", "--set", "down=1", "--port", "0"])

    assert done.exit_code == 2
    told = " ".join(done.output.replace("│", " ").split())
    assert "--rate, --set" in told
    assert "--port" not in told.partition("only")[0]
