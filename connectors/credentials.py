"""How one system is to know that it is us: HTTP Basic and Digest (RFC 7617, 7616), and client certificates.

It must never tell a secret: a finding names the setting, and an Authorization header is made on the way to the wire,
behind the message that the journal keeps.
"""

import base64
import hashlib
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, get_args
from urllib.parse import quote

import httpx

from canonical.errors import Misconfigured

Scheme = Literal["none", "basic", "digest"]

MAX_CHALLENGE = 8 * 1024
"""Characters of all WWW-Authenticate headers of an answer; longer ones are not read."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a system's settings say about signing in. Raises Misconfigured when that cannot be.

    `certificate`, `key` and `ca` are paths of PEM files: our certificate with its chain, its private key without a
    pass phrase (empty when it stands in the same file), and the only authority to be trusted.
    """

    scheme: Scheme = "none"
    username: str = ""
    password: str = field(default="", repr=False)
    certificate: str = ""
    key: str = ""
    ca: str = ""

    def __post_init__(self) -> None:
        if self.scheme not in get_args(Scheme):
            raise Misconfigured(f"credentials: no scheme '{self.scheme}', only {', '.join(get_args(Scheme))}")
        if self.scheme != "none" and not self.username:
            raise Misconfigured(f"credentials: {self.scheme} needs a username")
        if not self.username.isprintable() or (self.scheme == "basic" and ":" in self.username):
            raise Misconfigured("credentials: the username has a character it cannot have")
        if self.key and not self.certificate:
            raise Misconfigured("credentials: key without certificate")


def tls(credentials: Credentials, verify: bool | ssl.SSLContext) -> bool | ssl.SSLContext:
    """What to check the other side with and what to show it. Raises Misconfigured when a file is missing or broken."""
    if not credentials.certificate and not credentials.ca:
        return verify
    if isinstance(verify, ssl.SSLContext) or (credentials.ca and not verify):
        raise Misconfigured("credentials: certificate and ca make their own TLS context; `verify` must be left alone")
    if credentials.ca:
        context = _with_authority(credentials.ca)
    else:
        context = httpx.create_ssl_context(verify=verify, trust_env=False)
    if credentials.certificate:
        _show(context, credentials)
    return context


def _with_authority(path: str) -> ssl.SSLContext:
    _readable("ca", path)
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise Misconfigured(f"credentials: ca: {path} holds no certificate in PEM form") from None


def _show(context: ssl.SSLContext, credentials: Credentials) -> None:
    _readable("certificate", credentials.certificate)
    if credentials.key:
        _readable("key", credentials.key)
    try:
        # An empty pass phrase, else OpenSSL would ask for one at the terminal.
        context.load_cert_chain(credentials.certificate, credentials.key or None, password="")
    except (ssl.SSLError, ValueError):
        raise Misconfigured(
            "credentials: certificate and key are no pair of PEM files, or the key has a pass phrase"
        ) from None


def _readable(setting: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise Misconfigured(f"credentials: {setting}: {path} cannot be read: {error.strerror}") from None


class Session(Protocol):
    """Something that can be shown with every request."""

    def authorization(self, method: str, target: bytes) -> bytes:
        """The Authorization header for a request with this method and target (path and query as on the wire)."""


class Login:
    """Where we stand with one system. Safe to share between threads.

    `cnonces` makes a value nobody can foresee. A session is shared only after the other side has taken it: until then
    nobody else can use up its request numbers.
    """

    def __init__(self, credentials: Credentials, *, cnonces: Callable[[], str]) -> None:
        self._credentials = credentials
        self._cnonces = cnonces
        self._session: Session | None = _Basic(credentials) if credentials.scheme == "basic" else None

    def session(self) -> Session | None:
        """What the next request shows, if anything."""
        return self._session

    def challenged(self, headers: Sequence[bytes]) -> Session | None:
        """A new session for an answer 401 with these WWW-Authenticate headers; None when there is nothing to say."""
        if self._credentials.scheme != "digest":
            return None
        self._session = None  # too old, or refused
        challenge = _usable(headers)
        return None if challenge is None else _Digest(self._credentials, challenge, self._cnonces())

    def taken(self, session: Session) -> None:
        """The other side did not answer 401 to it: the next requests show it unasked."""
        self._session = session


class _Basic:
    def __init__(self, credentials: Credentials) -> None:
        pair = f"{credentials.username}:{credentials.password}".encode()
        self._header = b"Basic " + base64.b64encode(pair)

    def authorization(self, _method: str, _target: bytes) -> bytes:
        return self._header


# Below, text of the wire is str with one character a byte (latin-1): a realm in GBK goes back as it came.
_Hash = Callable[[str], str]


def _hash(name: str) -> _Hash:
    return lambda text: hashlib.new(name, text.encode("latin-1"), usedforsecurity=False).hexdigest()


_HASHES: Mapping[str, _Hash] = MappingProxyType(
    {"MD5": _hash("md5"), "MD5-SESS": _hash("md5"), "SHA-256": _hash("sha256"), "SHA-256-SESS": _hash("sha256")}
)


@dataclass(frozen=True, slots=True)
class _Challenge:
    realm: str
    nonce: str
    algorithm: str
    """As the other side wrote it; empty when it did not."""
    opaque: str | None
    qop: bool
    """Whether it takes `auth`; without, the older form without request numbers (RFC 2069)."""
    utf8: bool

    @property
    def name(self) -> str:
        return self.algorithm.upper() or "MD5"


class _Digest:
    """One nonce of the other side and the requests numbered under it."""

    def __init__(self, credentials: Credentials, challenge: _Challenge, cnonce: str) -> None:
        self._challenge = challenge
        self._username = credentials.username
        self._cnonce = cnonce
        self._numbers = count(1)  # one C call a number: two threads never get the same
        self._hash = _HASHES[challenge.name]
        secret = self._hash(f"{_wire(credentials.username)}:{challenge.realm}:{_wire(credentials.password)}")
        if challenge.name.endswith("-SESS"):
            # One cnonce for the whole session, so that it is also the first one, which the session key is made of.
            secret = self._hash(f"{secret}:{challenge.nonce}:{cnonce}")
        self._secret = secret

    def authorization(self, method: str, target: bytes) -> bytes:
        challenge, uri = self._challenge, target.decode("latin-1")
        request = self._hash(f"{method}:{uri}")
        number = f"{next(self._numbers):08x}"
        counted = f"{number}:{self._cnonce}:auth:" if challenge.qop else ""
        response = self._hash(f"{self._secret}:{challenge.nonce}:{counted}{request}")
        parts = [self._name(), f"realm={_quoted(challenge.realm)}", f"nonce={_quoted(challenge.nonce)}",
                 f"uri={_quoted(uri)}", f'response="{response}"']  # fmt: skip
        if challenge.algorithm:
            parts.append(f"algorithm={challenge.algorithm}")
        if challenge.opaque is not None:
            parts.append(f"opaque={_quoted(challenge.opaque)}")
        if challenge.qop:
            parts += ["qop=auth", f"nc={number}"]
        if challenge.qop or challenge.name.endswith("-SESS"):
            parts.append(f'cnonce="{self._cnonce}"')
        return ("Digest " + ", ".join(parts)).encode("latin-1")

    def _name(self) -> str:
        if self._challenge.utf8 and not self._username.isascii():  # RFC 7616, 3.4
            return f"username*=UTF-8''{quote(self._username, safe='')}"
        return f"username={_quoted(_wire(self._username))}"


def _wire(text: str) -> str:
    """Text of ours as UTF-8 bytes, one character each."""
    return text.encode().decode("latin-1")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# Peers write parameters in any case, with blanks round the `=`, and leave out quotes; several challenges may share
# one header. A word is a scheme when another parameter follows it.
_PART = re.compile(
    r"""(?<![\w-])(?:
        (?P<name>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^,]*))
      | (?P<scheme>[\w-]+)(?=\s+[\w-]+\s*=)
    )""",
    re.ASCII | re.VERBOSE,
)


def _usable(headers: Sequence[bytes]) -> _Challenge | None:
    """The first Digest challenge we can answer: the other side lists them as it prefers them (RFC 7616, 3.7)."""
    text = ", ".join(header.decode("latin-1") for header in headers)
    if len(text) > MAX_CHALLENGE:
        return None
    return next(filter(None, map(_challenge, _parameters(text))), None)


def _parameters(text: str) -> Iterator[Mapping[str, str]]:
    """The parameters of each Digest challenge, names in lower case."""
    scheme, found = "", dict[str, str]()
    for part in _PART.finditer(text):
        if part["scheme"]:
            if scheme == "digest":
                yield found
            scheme, found = part["scheme"].lower(), {}
        elif part["quoted"] is not None:
            found[part["name"].lower()] = re.sub(r"\\(.)", r"\1", part["quoted"])
        else:
            found[part["name"].lower()] = part["plain"].strip()
    if scheme == "digest":
        yield found


def _challenge(parameters: Mapping[str, str]) -> _Challenge | None:
    """None when it lacks its nonce, or asks for an algorithm or a quality that we do not have."""
    qops = parameters.get("qop", "").lower().replace(",", " ").split()
    challenge = _Challenge(
        realm=parameters.get("realm", ""), nonce=parameters.get("nonce", ""), opaque=parameters.get("opaque"),
        algorithm=parameters.get("algorithm", ""), qop="auth" in qops,
        utf8=parameters.get("charset", "").upper() == "UTF-8",
    )  # fmt: skip
    usable = challenge.nonce and challenge.name in _HASHES and (challenge.qop or not qops)
    return challenge if usable else None
