"""Files from addresses that strangers wrote: what is fetched, what never is, and that nothing lasts or grows for ever.

All of 127.0.0.0/8 is this machine; the tests let 127.0.0.1 be the open network and 127.0.0.2 what must not be reached.
"""

import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from canonical.errors import ContractViolation, Refused, Unavailable, Why
from canonical.message import Message
from connectors.download import MOST_REDIRECTS, Downloads, may_be_reached

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PICTURE = b"\xff\xd8\xff" + b"x" * 2000


class Files(ThreadingHTTPServer):
    """A server of files that knows what it was asked, and by what the path says what it does."""

    daemon_threads = True

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((address, port), Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        self.port = self.server_address[1]
        self.url = f"http://{address}:{self.port}"


class Handler(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        what, _, rest = self.path.strip("/").partition("/")
        if what == "to":
            self.say(302, b"", ("location", bytes.fromhex(rest).decode("latin-1")))
        elif what == "circle":
            self.say(307, b"", ("location", self.path))
        elif what == "cut":
            self.say(200, PICTURE, ("content-length", str(len(PICTURE) + 1)))
        elif what == "trickle":
            self.trickle(rest)
        elif what == "silence":
            self.server.over.wait(10)
        elif what == "packed":
            self.say(200, PICTURE, ("content-encoding", "gzip"))
        else:
            self.say(int(what) if what.isdigit() else 200, PICTURE, ("content-type", "image/jpeg"))

    def say(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in dict(headers):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def trickle(self, where: str) -> None:
        """A byte now and then, in the head or in the body, until the other side or the test has enough."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"x-more: " if where == "head" else b"\r\n"))
        try:
            while not self.server.over.wait(0.02):
                self.wfile.write(b"x")
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def served() -> Iterator[Files]:
    with Files() as server:
        yield from running(server)


@pytest.fixture
def files(served: Files) -> Files:
    served.asked.clear()
    return served


@pytest.fixture
def forbidden(files: Files) -> Iterator[Files]:
    """What must not be reached, on the same port as the server of files."""
    with Files("127.0.0.2", files.port) as server:
        yield from running(server)


def running(server: Files) -> Iterator[Files]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()


def names(**addresses: str) -> Callable[[str, int], Sequence[str]]:
    """A resolver that knows these names, with `_` for `.`, and addresses themselves."""

    def resolve(host: str, _: int) -> Sequence[str]:
        known = addresses.get(host.replace(".", "_"))
        if known:
            return known.split()
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            raise OSError("no such name") from None

    return resolve


NAMES = names(
    files_example="127.0.0.1", inside_example="127.0.0.2", both_example="127.0.0.1 127.0.0.2", dead_example="127.0.0.1"
)
OUTSIDE = Downloads(
    ids=lambda: UUID(int=1), now=lambda: NOW, timeout=5, most=3000, resolve=NAMES,
    reachable=lambda address: address != "127.0.0.2",
)  # fmt: skip
STRICT = Downloads(ids=lambda: UUID(int=1), now=lambda: NOW, timeout=5, most=3000)


def get(
    url: str, *, downloads: Downloads = OUTSIDE, own_url: str = "", headers: dict[str, str] | None = None
) -> Message:  # fmt: skip
    return downloads.get("hotline", url, own_url=own_url, headers=headers)


def to(url: str) -> str:
    return f"/to/{url.encode().hex()}"


def test_a_file_comes_as_it_is_with_its_name_as_host(files: Files) -> None:
    answer = get(f"http://files.example:{files.port}/1.jpg?key=现场#top")

    assert (answer.status, answer.body, answer.content_type, answer.at) == (200, PICTURE, "image/jpeg", NOW)
    [(path, headers)] = files.asked
    assert path == "/1.jpg?key=%E7%8E%B0%E5%9C%BA"
    assert headers["host"] == f"files.example:{files.port}"
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [204, 401, 404, 503])
def test_an_answer_of_any_status_is_an_answer(files: Files, status: int) -> None:
    assert get(f"{files.url}/{status}").status == status


def test_the_shipped_policy_never_reaches_this_machine_by_any_spelling(files: Files) -> None:
    spellings = ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]", "127.1", "[::]")
    for host in spellings:
        with pytest.raises((ContractViolation, Unavailable)):
            get(f"http://{host}:{files.port}/1.jpg", downloads=STRICT)

    assert files.asked == []


def test_a_systems_own_host_may_be_this_machine(files: Files) -> None:
    assert get(f"{files.url}/1.jpg", downloads=STRICT, own_url=f"http://127.0.0.1:{files.port + 1}/api").status == 200


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("8.8.8.8", True), ("10.1.2.3", True), ("192.168.1.9", True), ("172.16.0.1", True), ("100.64.0.1", True),
        ("2400:3200::1", True), ("fd12::1", True), ("::ffff:10.1.2.3", True),
        ("127.0.0.1", False), ("127.9.9.9", False), ("0.0.0.0", False), ("169.254.169.254", False),
        ("169.254.0.23", False), ("100.100.100.200", False), ("192.0.0.192", False), ("224.0.0.1", False),
        ("255.255.255.255", False), ("::1", False), ("::", False), ("fe80::1", False), ("fe80::1%eth0", False),
        ("fd00:ec2::254", False), ("ff02::1", False), ("::ffff:127.0.0.1", False), ("::ffff:169.254.169.254", False),
        ("::127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
    ],
)  # fmt: skip
def test_addresses_are_judged(address: str, allowed: bool) -> None:
    assert may_be_reached(address) is allowed


def test_a_name_of_a_forbidden_machine_is_refused_even_if_it_is_one_of_several(files: Files, forbidden: Files) -> None:
    for name in ("inside.example", "both.example"):
        with pytest.raises(ContractViolation, match="never fetched"):
            get(f"http://{name}:{files.port}/1.jpg")

    assert files.asked == forbidden.asked == []


def test_the_connection_goes_to_the_address_that_was_judged(files: Files, forbidden: Files) -> None:
    answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])
    rebinding = replace(OUTSIDE, resolve=lambda *_: [next(answers)])

    assert get(f"http://files.example:{files.port}/1.jpg", downloads=rebinding).status == 200
    assert len(files.asked) == 1
    assert forbidden.asked == []


def test_a_redirect_is_followed_and_judged_like_the_first_address(files: Files, forbidden: Files) -> None:
    there = f"http://files.example:{files.port}/现场.jpg"
    assert get(files.url + to(there)).body == PICTURE
    assert get(files.url + to("/1.jpg")).body == PICTURE

    for address in (f"http://inside.example:{files.port}/", "ftp://files.example/1.jpg", "file:///etc/passwd"):
        with pytest.raises(ContractViolation):
            get(files.url + to(address))
    assert forbidden.asked == []


def test_a_redirect_in_circles_ends(files: Files) -> None:
    with pytest.raises(Unavailable, match="circles"):
        get(f"{files.url}/circle")

    assert len(files.asked) == MOST_REDIRECTS + 1


def test_what_is_signed_is_seen_by_the_systems_own_address_only(files: Files) -> None:
    away = to(f"http://files.example:{files.port}/1.jpg")
    get(files.url + away, own_url=f"{files.url}/api", headers={"Authorization": "secret", "Host": "else.example"})

    [(_, at_home), (_, abroad)] = files.asked
    assert (at_home["authorization"], at_home["host"]) == ("secret", f"127.0.0.1:{files.port}")
    assert "authorization" not in abroad

    get(f"{files.url}/1.jpg", own_url="http://127.0.0.1:1/api", headers={"authorization": "secret"})
    assert "authorization" not in files.asked[-1][1]


@pytest.mark.parametrize(
    "url",
    ["", "/1.jpg", "1.jpg", "ftp://files.example/1.jpg", "file:///etc/passwd", "data:image/jpeg;base64,AA==",
     "gopher://files.example/", "http://", "http://[::1", "http://files.example:99999999/", "http://a b/1.jpg",
     "javascript:alert(1)"],
)  # fmt: skip
def test_an_address_of_another_kind_is_never_fetched(url: str) -> None:
    with pytest.raises(ContractViolation):
        get(url)


def test_with_a_list_of_hosts_there_are_no_others_but_the_systems_own(files: Files) -> None:
    listed = replace(OUTSIDE, hosts=frozenset({"files.example"}))

    assert get(f"http://files.example:{files.port}/1.jpg", downloads=listed).status == 200
    assert get(f"{files.url}/1.jpg", downloads=listed, own_url=files.url).status == 200
    with pytest.raises(ContractViolation, match="not fetched from this host"):
        get(f"{files.url}/1.jpg", downloads=listed)


def test_too_large_a_file_is_refused(files: Files) -> None:
    with pytest.raises(Refused) as refused:
        get(f"{files.url}/1.jpg", downloads=replace(OUTSIDE, most=len(PICTURE) - 1))

    assert refused.value.why is Why.TOO_LARGE
    assert get(f"{files.url}/1.jpg", downloads=replace(OUTSIDE, most=len(PICTURE))).status == 200


@pytest.mark.parametrize("what", ["trickle/head", "trickle/body", "silence"])
def test_a_server_that_gives_a_byte_now_and_then_or_none_does_not_hold_us(files: Files, what: str) -> None:
    with pytest.raises(Unavailable, match="ReadTimeout"):
        get(f"{files.url}/{what}", downloads=replace(OUTSIDE, timeout=1.0, most=10**9))


def test_what_does_not_come_whole_is_unavailable(files: Files, free_port: Callable[[], int]) -> None:
    with pytest.raises(Unavailable, match="RemoteProtocolError"):
        get(f"{files.url}/cut")
    with pytest.raises(Unavailable, match="ConnectError"):
        get(f"http://dead.example:{free_port()}/1.jpg")
    with pytest.raises(Unavailable, match="not known"):
        get("http://nobody.example/1.jpg")


def test_a_file_that_comes_compressed_is_not_taken_for_the_file(files: Files) -> None:
    with pytest.raises(ContractViolation, match="compressed"):
        get(f"{files.url}/packed")


def test_the_certificate_must_be_for_the_name_though_the_connection_goes_to_an_address(tmp_path: Path) -> None:
    paper = certificate(tmp_path, "files.example")
    with Files() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(paper)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        secure = replace(OUTSIDE, trust=ssl.create_default_context(cafile=str(paper)))
        for _ in running(server):
            assert get(f"https://files.example:{server.port}/1.jpg", downloads=secure).body == PICTURE
            with pytest.raises(Unavailable, match="ConnectError"):
                get(f"https://dead.example:{server.port}/1.jpg", downloads=secure)
            with pytest.raises(Unavailable, match="ConnectError"):
                get(f"https://files.example:{server.port}/1.jpg")


def certificate(folder: Path, name: str) -> Path:
    """A certificate for this name that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    paper = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "paper.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + paper.public_bytes(serialization.Encoding.PEM))
    return file
