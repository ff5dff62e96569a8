"""Signing in over HTTP, against a server that checks by the formulas of the RFCs, written here once more."""

import gzip
import hashlib
import re
import ssl
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from canonical.errors import InDoubt, Misconfigured, Unavailable
from canonical.message import Message
from connectors.credentials import MAX_CHALLENGE, Credentials, Login
from connectors.http import HttpConnector
from connectors.soap import SoapConnector

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
GREETING = Path(__file__).with_name("greeting.wsdl")
USER = Credentials("digest", "34020000001180000001", "demo-Passwort:1")
TARGET = "/VIID/Subscribes?ID=340&at=%E4%BA%95"


@dataclass(frozen=True)
class Asked:
    """A request as the server got it."""

    method: str
    target: str
    authorization: str | None
    """Its bytes as latin-1."""
    body: bytes


@dataclass(frozen=True)
class Answered:
    """What the server says. The names of headers may repeat."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


Peer = Callable[[Asked], Answered]


class Server(ThreadingHTTPServer):
    """One peer behind a free port of 127.0.0.1; notes what it was asked."""

    daemon_threads = False

    def __init__(self, peer: Peer, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.peer = peer
        self.asked: list[Asked] = []
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.server_address[1]}"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def shown(self) -> list[str | None]:
        """The Authorization headers so far."""
        return [asked.authorization for asked in self.asked]


class Handler(BaseHTTPRequestHandler):
    """Reads each request whole and passes the peer's answer on."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 5

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        asked = Asked(self.command, self.path, self.headers["authorization"], body)
        self.server.asked.append(asked)
        answered = self.server.peer(asked)
        self.send_response(answered.status)
        for name, value in (("Content-Length", str(len(answered.body))), *answered.headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answered.body)

    def log_message(self, *_arguments: object) -> None:
        """Silent."""


@contextmanager
def serving(peer: Peer, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    with Server(peer, context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def connected(server: Server, credentials: Credentials | None, **more: Any) -> Iterator[HttpConnector]:
    wire = HttpConnector(server.url, timeout=5, ids=uuid4, now=lambda: AT, credentials=credentials, **more)
    try:
        yield wire
    finally:
        wire.close()


def message(body: bytes = b"{}", **changes: Any) -> Message:
    made = Message(system="video", body=body, at=AT, id=UUID(int=7), path=TARGET, content_type="application/json")
    return replace(made, **changes)


def words(authorization: str | None) -> dict[str, str]:
    """The parameters of a well-formed Digest header; fails on any other."""
    assert authorization is not None
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "Digest"
    parts = re.findall(r'([a-z]+\*?)=("(?:[^"\\]|\\.)*"|[^",\s]+)(?:, |$)', rest)
    assert ", ".join(f"{name}={value}" for name, value in parts) == rest
    return {name: re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value for name, value in parts}


@dataclass
class Gate:
    """A peer that lets in who signs by RFC 7616 (or 2069 without qop)."""

    credentials: Credentials = USER
    algorithm: str = ""
    qop: str = "auth"
    realm: str = "GAT1400"
    written: str = ""
    """The challenge, with {nonce} and {stale}; empty for the usual one."""
    uses: int = 1_000_000
    """Requests one nonce is good for."""
    in_order: bool = False
    tells_stale: bool = True
    coding: str = "utf-8"
    nonces: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Numbers and cnonces taken under each."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    fresh: Iterator[int] = field(default_factory=lambda: count(1))

    def __call__(self, asked: Asked) -> Answered:
        with self.lock:
            if asked.authorization is None:
                return self.refusal(stale=False)
            given = words(asked.authorization)
            if not self.right(asked, given):
                return self.refusal(stale=False)
            if not self.new(given):
                return self.refusal(stale=self.tells_stale)
        return Answered(200, body=asked.body)

    def refusal(self, *, stale: bool) -> Answered:
        nonce = f"n/{next(self.fresh)}=="
        self.nonces[nonce] = []
        usual = f'Digest realm="{self.realm}", nonce="{{nonce}}", opaque="o,\\"p"{{stale}}'
        usual += f', qop="{self.qop}"' * bool(self.qop) + f", algorithm={self.algorithm}" * bool(self.algorithm)
        text = (self.written or usual).format(nonce=nonce, stale=", stale=TRUE" if stale else "")
        return Answered(401, (("WWW-Authenticate", text),), b"<unauthorised/>")

    def right(self, asked: Asked, given: Mapping[str, str]) -> bool:
        if given["nonce"] not in self.nonces or given["uri"] != asked.target or given["realm"] != self.realm:
            return False

        def h(text: str) -> str:
            name = "sha256" if "SHA-256" in self.algorithm.upper() else "md5"
            return hashlib.new(name, text.encode("latin-1")).hexdigest()

        user, password = (part.encode(self.coding).decode("latin-1") for part in
                          (self.credentials.username, self.credentials.password))  # fmt: skip
        a1 = h(f"{user}:{self.realm}:{password}")
        if self.algorithm.lower().endswith("-sess"):
            known = self.nonces[given["nonce"]]
            a1 = h(f"{a1}:{given['nonce']}:{known[0][1] if known else given['cnonce']}")
        a2 = h(f"{asked.method}:{asked.target}")
        if not self.qop:
            return given["response"] == h(f"{a1}:{given['nonce']}:{a2}") and "qop" not in given
        numbered = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:{given['qop']}"
        return given["response"] == h(f"{a1}:{numbered}:{a2}") and given["qop"] == "auth"

    def new(self, given: Mapping[str, str]) -> bool:
        """Whether the nonce is still good and the number not used: no request counts twice."""
        taken = self.nonces[given["nonce"]]
        number = int(given["nc"], 16) if "nc" in given else len(taken) + 1
        if len(taken) >= self.uses or number in (n for n, _ in taken):
            return False
        if self.in_order and taken and number <= taken[-1][0]:
            return False
        taken.append((number, given.get("cnonce", "")))
        return True


def test_basic_shows_name_and_password_with_every_message() -> None:
    user = Credentials("basic", "城管局", "p:ä")
    with serving(lambda _: Answered()) as server, connected(server, user) as wire:
        wire.send(message())
        wire.send(message(headers={"Authorization": "Bearer t"}))
    assert server.shown() == ["Basic " + b64encode("城管局:p:ä".encode()).decode()] * 2


def test_without_credentials_a_messages_own_authorization_goes_out() -> None:
    with serving(lambda _: Answered(401)) as server, connected(server, None) as wire:
        assert wire.send(message(headers={"authorization": "Bearer t"})).status == 401
    assert server.shown() == ["Bearer t"]


@pytest.mark.parametrize("qop", ["auth", "auth-int, auth", "auth-int,AUTH", ""])
@pytest.mark.parametrize("algorithm", ["", "MD5", "md5", "MD5-sess", "SHA-256", "sha-256", "SHA-256-sess"])
def test_digest_answers_the_first_refusal_and_signs_the_next_messages_unasked(algorithm: str, qop: str) -> None:
    gate = Gate(algorithm=algorithm, qop=qop)
    with serving(gate) as server, connected(server, USER) as wire:
        answers = [wire.send(message(body)) for body in (b"1", b"2", b"3")]

    assert [(answer.status, answer.body) for answer in answers] == [(200, b"1"), (200, b"2"), (200, b"3")]
    assert [asked.body for asked in server.asked] == [b"1", b"1", b"2", b"3"]
    unsigned, *signed = server.shown()
    assert unsigned is None
    if qop:
        assert [words(shown)["nc"] for shown in signed] == ["00000001", "00000002", "00000003"]
    assert {words(shown)["nonce"] for shown in signed} == {"n/1=="}
    assert {words(shown)["opaque"] for shown in signed} == {'o,"p'}
    assert {words(shown).get("algorithm", "") for shown in signed} == {algorithm}


@pytest.mark.parametrize(
    "written",
    [
        "Digest realm=GAT1400,nonce={nonce},qop=auth{stale}",
        "Digest REALM=GAT1400, Nonce={nonce}, QoP=AUTH, Algorithm=md5",
        'digest REALM="GAT1400", Nonce=\'ignored\', NONCE="{nonce}", QOP="auth"',
        'Digest  realm = "GAT1400" , nonce = "{nonce}" , qop = auth , algorithm = MD5',
        'DIGEST realm="GAT1400",qop=auth,auth-int,nonce="{nonce}",stale=false',
        'Digest\trealm="GAT1400",, nonce="{nonce}", qop="auth", domain="/a, /b", unknown',
        'Digest realm="GAT1400", nonce="{nonce}", qop="auth", algorithm="MD5", opaque=""',
        'Basic realm="x, Digest y=z", Digest realm="GAT1400", nonce="{nonce}", qop="auth"',
        'Negotiate, Digest realm="GAT1400", nonce="{nonce}", qop="auth", Basic realm="x"',
        'Digest realm="no", nonce="no", algorithm=SHA-512-256, Digest realm="GAT1400", nonce="{nonce}", qop="auth"',
        'Digest realm="no", nonce="no", qop="auth-int", Digest realm="\\GAT1400", nonce="{nonce}", qop="auth"',
    ],
)
def test_digest_reads_challenges_as_peers_write_them(written: str) -> None:
    with serving(Gate(written=written)) as server, connected(server, USER) as wire:
        assert [wire.send(message()).status for _ in range(2)] == [200, 200]
    assert len(server.asked) == 3


def test_digest_numbers_its_requests_in_hexadecimal() -> None:
    with serving(Gate()) as server, connected(server, USER) as wire:
        for _ in range(17):
            wire.send(message())
    assert words(server.shown()[-1])["nc"] == "00000011"


def test_digest_takes_the_first_challenge_it_knows() -> None:
    gate = Gate(algorithm="SHA-256")

    def peer(asked: Asked) -> Answered:
        answered = gate(asked)
        [(name, value)] = answered.headers or [("x", "")]
        others = [value.replace("SHA-256", other) for other in ("SHA-512-256", "SHA-256", "MD5")]
        return replace(answered, headers=tuple((name, other) for other in others))

    with serving(peer) as server, connected(server, USER) as wire:
        assert wire.send(message()).status == 200
    assert words(server.shown()[-1])["algorithm"] == "SHA-256"


@pytest.mark.parametrize("tells_stale", [True, False])
def test_digest_begins_anew_when_its_nonce_is_too_old(tells_stale: bool) -> None:
    gate = Gate(uses=2, tells_stale=tells_stale)
    with serving(gate) as server, connected(server, USER) as wire:
        assert [wire.send(message()).status for _ in range(5)] == [200] * 5
    numbers = [(words(shown)["nonce"], int(words(shown)["nc"])) for shown in server.shown()[1:]]
    assert numbers == [
        ("n/1==", 1), ("n/1==", 2), ("n/1==", 3), ("n/2==", 1), ("n/2==", 2), ("n/2==", 3), ("n/3==", 1)
    ]  # fmt: skip


def test_digest_returns_a_second_refusal_as_it_is_and_shows_nothing_unasked_after_it() -> None:
    wrong = replace(USER, password="wrong")
    with serving(Gate()) as server, connected(server, wrong) as wire:
        answers = [wire.send(message()) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(401, b"<unauthorised/>")] * 2
    assert "nonce" in answers[0].headers["www-authenticate"]
    assert [shown is None for shown in server.shown()] == [True, False, True, False]


def test_digest_gets_in_again_after_its_password_was_refused_for_a_while() -> None:
    gate = Gate()
    with serving(gate) as server, connected(server, USER) as wire:
        assert wire.send(message()).status == 200
        gate.credentials = replace(USER, password="other")
        assert wire.send(message()).status == 401
        gate.credentials = USER
        assert [wire.send(message()).status for _ in range(2)] == [200, 200]
    assert [shown is None for shown in server.shown()] == [True, False, False, False, True, False, False]


@pytest.mark.parametrize(
    "challenge",
    [
        None,
        "",
        "Digest",
        'Digest realm="r"',
        'Basic realm="r", nonce="n"',
        'Digest realm="r", nonce="n", algorithm=SM3',
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r", nonce="' + "n" * MAX_CHALLENGE + '"',
        'Digest realm="r, nonce=n" nonce',
    ],
)
def test_digest_returns_a_refusal_it_cannot_answer(challenge: str | None) -> None:
    headers = () if challenge is None else (("WWW-Authenticate", challenge),)
    with serving(lambda _: Answered(401, headers, b"no")) as server, connected(server, USER) as wire:
        answer = wire.send(message())
    assert (answer.status, answer.body, server.shown()) == (401, b"no", [None])


@pytest.mark.parametrize("in_order", [False, True])
def test_threads_share_a_digest_and_no_number_is_used_twice(in_order: bool) -> None:
    """A peer may even refuse numbers that overtook one another: each message still gets in."""
    bodies = [f"{number}".encode() for number in range(64)]
    with (
        serving(Gate(in_order=in_order, uses=20)) as server,
        connected(server, USER) as wire,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(lambda body: wire.send(message(body)), bodies))
    assert [(answer.status, answer.body) for answer in answers] == [(200, body) for body in bodies]
    shown = [words(header) for header in server.shown() if header]
    assert len({(given["nonce"], given["nc"]) for given in shown}) == len(shown)


@pytest.mark.parametrize(
    ("user", "realm"),
    [
        (Credentials("digest", 'a"b\\c', "p"), "GAT1400"),
        (Credentials("digest", "城管局", "密码"), "GAT1400"),
        (USER, "视频专网".encode("gbk").decode("latin-1")),
    ],
)
def test_digest_knows_names_in_any_script(user: Credentials, realm: str) -> None:
    with serving(Gate(credentials=user, realm=realm)) as server, connected(server, user) as wire:
        assert wire.send(message()).status == 200
    assert words(server.shown()[-1])["username"].encode("latin-1") == user.username.encode()


def test_digest_writes_a_name_as_rfc_7616_does_for_a_peer_that_reads_it() -> None:
    user = Credentials("digest", "Jäsøn Doe", "p")
    written = 'Digest realm="GAT1400", nonce="{nonce}", qop="auth", charset=UTF-8'
    with serving(Gate(credentials=user, written=written)) as server, connected(server, user) as wire:
        assert wire.send(message()).status == 200
    assert words(server.shown()[-1])["username*"] == "UTF-8''J%C3%A4s%C3%B8n%20Doe"


RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("challenge", "password", "cnonce", "response"),
    [
        (  # RFC 7616, 3.9.1
            RFC_7616.format("MD5"), "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            RFC_7616.format("SHA-256"), "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        (  # RFC 2617, 3.5
            'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
            'opaque="5ccc069c403ebaf9f0171e9517f40e41"',
            "Circle Of Life", "0a4f113b", "6629fae49393a05397450978507c4ef1",
        ),
    ],
)  # fmt: skip
def test_digest_signs_as_the_rfcs_do(challenge: str, password: str, cnonce: str, response: str) -> None:
    login = Login(Credentials("digest", "Mufasa", password), cnonces=lambda: cnonce)
    assert login.session() is None
    session = login.challenged([challenge.encode()])
    assert session is not None
    assert words(session.authorization("GET", b"/dir/index.html").decode())["response"] == response


def test_a_refusal_of_any_length_is_not_read_to_its_end() -> None:
    with (
        serving(lambda _: replace(Gate().refusal(stale=False), body=b"." * 1001)) as server,
        connected(server, USER, max_answer=1000) as wire,
        pytest.raises(InDoubt, match="larger than 1000"),
    ):
        wire.send(message())
    assert server.shown() == [None]


def test_soap_signs_in_too() -> None:
    with serving(Gate()) as server:
        wire = SoapConnector(
            server.url, {"/service": GREETING}, timeout=5, ids=uuid4, now=lambda: AT, credentials=USER, max_answer=1000
        )
        sealed = wire.seal(message('{"first": "一"}'.encode(), path="/service#Greet"))
        answer = wire.send(sealed)
        wire.close()
    assert (answer.status, answer.body) == (200, sealed.body)
    assert "authorization" not in sealed.headers  # the journal keeps the sealed message


def _raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(text) + packer.flush()


TEXT = "示例市民反映井盖破损。".encode() * 50


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP ", gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]) + b"\0\0"),
        ("deflate", zlib.compress(TEXT)),
        ("Deflate", _raw_deflate(TEXT)),
        ("identity", TEXT),
    ],
    ids=count(),
)
def test_an_answer_packed_unasked_is_unpacked(encoding: str, body: bytes) -> None:
    packed = Answered(200, (("Content-Encoding", encoding), ("X-Kept", "1")), body)
    with serving(lambda _: packed) as server, connected(server, None, max_answer=len(TEXT)) as wire:
        answer = wire.send(message())
    assert (answer.body, answer.headers["x-kept"]) == (TEXT, "1")
    assert ("content-encoding" in answer.headers) is (encoding == "identity")


def test_an_empty_answer_has_nothing_to_unpack() -> None:
    packed = Answered(200, (("Content-Encoding", "gzip"),), b"")
    with serving(lambda _: packed) as server, connected(server, None) as wire:
        assert wire.send(message()).body == b""


@pytest.mark.parametrize(
    ("encoding", "body", "told"),
    [
        ("gzip", gzip.compress(bytes(10_001)), "larger than 10000"),
        ("gzip", gzip.compress(bytes(6_000)) * 2, "larger than 10000"),
        ("gzip", gzip.compress(bytes(5_000_000))[:-9], "larger than 10000"),  # its end is never looked at
        ("deflate", zlib.compress(bytes(10_001)), "larger than 10000"),
        ("deflate", _raw_deflate(bytes(50_000_000))[:10_000], "larger than 10000"),
        ("gzip", gzip.compress(TEXT)[:-9], "whole gzip"),
        ("gzip", TEXT[:90], "whole gzip"),
        ("deflate", zlib.compress(TEXT)[:-5], "whole deflate"),
        ("deflate", TEXT[:90], "whole deflate"),
        ("deflate", b"x", "whole deflate"),
        ("br", b"whatever", "encoding"),
        ("gzip, gzip", gzip.compress(gzip.compress(TEXT)), "encoding"),
    ],
    ids=count(),
)
def test_an_answer_that_cannot_be_unpacked_in_its_limits_is_in_doubt(encoding: str, body: bytes, told: str) -> None:
    packed = Answered(200, (("Content-Encoding", encoding),), body)
    most = 10_000 if "larger" in told else 50_000
    with (
        serving(lambda _: packed) as server,
        connected(server, None, max_answer=most) as wire,
        pytest.raises(InDoubt, match=told) as caught,
    ):
        wire.send(message())
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@dataclass(frozen=True)
class Papers:
    """PEM files of a small trust centre: paths by name."""

    folder: Path

    def __getitem__(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")


def _private(key: ec.EllipticCurvePrivateKey, phrase: bytes = b"") -> bytes:
    locked = serialization.BestAvailableEncryption(phrase) if phrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey) -> bytes:
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca" if key is not signer else name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=key is signer, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """An authority, a stranger that calls itself the same, and pairs for server and client."""
    folder = tmp_path_factory.mktemp("papers")
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "stranger", "server", "client")}
    files = {f"{name}-key": _private(key) for name, key in keys.items()}
    files |= {name: _certificate(name, keys[name], keys["ca"]) for name in ("ca", "server", "client")}
    files |= {
        "stranger": _certificate("ca", keys["stranger"], keys["stranger"]),
        "client-both": files["client-key"] + files["client"],
        "client-locked": _private(keys["client"], b"phrase"),
        "broken": b"-----BEGIN CERTIFICATE-----\nsecret words\n-----END CERTIFICATE-----\n",
        "empty": b"",
    }
    made = Papers(folder)
    for name, text in files.items():
        Path(made[name]).write_bytes(text)
    return made


@pytest.fixture(scope="module")
def guarded(papers: Papers) -> Iterator[Server]:
    """A server that lets in only whom the authority knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers["server"], papers["server-key"])
    context.load_verify_locations(papers["ca"])
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(lambda asked: Answered(200, body=asked.body), context) as server:
        yield server


@pytest.mark.parametrize(("certificate", "key"), [("client", "client-key"), ("client-both", "")])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_of_the_authority_gets_in(
    guarded: Server, papers: Papers, certificate: str, key: str, host: str
) -> None:
    user = Credentials(certificate=papers[certificate], key=key and papers[key], ca=papers["ca"])
    url = guarded.url.replace("127.0.0.1", host)
    wire = HttpConnector(url, timeout=5, ids=uuid4, now=lambda: AT, credentials=user)
    assert wire.send(message("井盖".encode())).body == "井盖".encode()
    wire.close()


@pytest.mark.parametrize("certificate", ["", "stranger"])
def test_a_certificate_that_is_missing_or_of_another_authority_is_unavailable(
    guarded: Server, papers: Papers, certificate: str
) -> None:
    """TLS 1.3 tells the client only after it has sent, but nothing was taken: the server never saw the request."""
    known = len(guarded.asked)
    key = certificate and papers[f"{certificate}-key"]
    user = Credentials(certificate=certificate and papers[certificate], key=key, ca=papers["ca"])
    with connected(guarded, user) as wire, pytest.raises(Unavailable, match="certificate"):
        wire.send(message())
    assert len(guarded.asked) == known


@pytest.mark.parametrize("ca", ["stranger", ""])
def test_a_server_of_another_authority_is_not_spoken_to(guarded: Server, papers: Papers, ca: str) -> None:
    user = Credentials(certificate=papers["client"], key=papers["client-key"], ca=ca and papers[ca])
    with connected(guarded, user) as wire, pytest.raises(Unavailable):
        wire.send(message())


def test_a_certificate_may_be_shown_to_a_server_that_is_not_checked(guarded: Server, papers: Papers) -> None:
    user = Credentials(certificate=papers["client"], key=papers["client-key"])
    with connected(guarded, user, verify=False) as wire:
        assert wire.send(message(b"x")).body == b"x"


def test_digest_and_a_certificate_go_together(papers: Papers) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers["server"], papers["server-key"])
    with (
        serving(Gate(algorithm="SHA-256"), context) as server,
        connected(server, replace(USER, ca=papers["ca"])) as wire,
    ):
        assert [wire.send(message()).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("setting", "files"),
    [
        ("certificate", {"certificate": "missing"}),
        ("certificate", {"certificate": "broken", "key": "client-key"}),
        ("certificate", {"certificate": "empty"}),
        ("key", {"certificate": "client", "key": "missing"}),
        ("key", {"certificate": "client", "key": "server-key"}),
        ("key", {"certificate": "client", "key": "broken"}),
        ("key", {"certificate": "client", "key": "client-locked"}),
        ("key", {"certificate": "client"}),
        ("ca", {"ca": "missing"}),
        ("ca", {"ca": "broken"}),
        ("ca", {"ca": "empty"}),
        ("ca", {"ca": "client-key"}),
    ],
)
def test_a_missing_or_broken_file_is_misconfigured(papers: Papers, setting: str, files: dict[str, str]) -> None:
    user = Credentials(**{name: papers[file] for name, file in files.items()})  # type: ignore[arg-type]
    with pytest.raises(Misconfigured, match=rf"\b{setting}\b") as caught:
        HttpConnector("https://127.0.0.1:9", timeout=1, ids=uuid4, now=lambda: AT, credentials=user)
    assert "secret" not in f"{caught.value}"


def test_a_context_and_files_are_one_too_many(papers: Papers) -> None:
    for verify in (ssl.create_default_context(), False):
        with pytest.raises(Misconfigured):
            HttpConnector(
                "https://127.0.0.1:9", timeout=1, ids=uuid4, now=lambda: AT, verify=verify,
                credentials=Credentials(ca=papers["ca"]),
            )  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {"scheme": "ntlm"},
        {"scheme": "basic"},
        {"scheme": "digest", "password": "p"},
        {"scheme": "basic", "username": "a:b"},
        {"scheme": "digest", "username": "a\r\nx: y"},
        {"key": "/etc/key.pem"},
    ],
)
def test_credentials_that_cannot_be_are_misconfigured(settings: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        Credentials(**settings)


def test_an_address_with_a_user_and_credentials_are_one_too_many() -> None:
    with pytest.raises(Misconfigured):
        HttpConnector("http://u:p@127.0.0.1:9", timeout=1, ids=uuid4, now=lambda: AT, credentials=USER)


def test_a_password_is_never_printed() -> None:
    assert USER.password not in f"{USER!r} {USER}"
