"""HTTP Digest (RFC 7616, qop auth) from the server's side, with nonces of its own that grow old."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest
from random import Random

_PARAMETER = re.compile(r'([A-Za-z-]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class Outcome(StrEnum):
    """What became of a caller's authorization."""

    KNOWN = "known"
    MISSING = "missing"
    STALE = "stale"
    """The password is right and the nonce is old, used up or unknown."""
    WRONG = "wrong"


@dataclass
class _Nonce:
    made: datetime
    count: int = 0
    """The highest nc seen."""


class Doorkeeper:
    """Knows one user. `algorithm` is MD5 or SHA-256."""

    def __init__(
        self, user: str, password: str, *, algorithm: str, life: timedelta, clock: Callable[[], datetime], dice: Random
    ) -> None:
        self._user = user
        self._password = password
        self._algorithm = algorithm
        self._hash = _HASHES[algorithm]
        self._life = life
        self._clock = clock
        self._dice = dice
        self._nonces: dict[str, _Nonce] = {}
        self.realm = "viid"

    def challenge(self, outcome: Outcome) -> str:
        """The WWW-Authenticate header with a new nonce."""
        nonce = f"{self._dice.getrandbits(128):032x}"
        self._nonces[nonce] = _Nonce(self._clock())
        stale = ", stale=true" if outcome is Outcome.STALE else ""
        return f'Digest realm="{self.realm}", qop="auth", nonce="{nonce}", algorithm={self._algorithm}{stale}'

    def age(self) -> None:
        """All nonces handed out so far are old from now on."""
        self._nonces.clear()

    def outcome(self, method: str, target: str, authorization: str) -> Outcome:
        """Judge a request's Authorization header; `target` is the path with its query."""
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() != "digest":
            return Outcome.MISSING
        given = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        expected = self._response(method, given)
        right = compare_digest(expected, given.get("response", "").lower().encode())
        if not right or given.get("username") != self._user or given.get("uri") != target:
            return Outcome.WRONG
        return self._fresh(given)

    def _response(self, method: str, given: dict[str, str]) -> bytes:
        secret = self._digest(f"{self._user}:{self.realm}:{self._password}")
        request = self._digest(f"{method}:{given.get('uri', '')}")
        middle = ":".join(given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        return self._digest(f"{secret}:{middle}:{request}").encode()

    def _fresh(self, given: dict[str, str]) -> Outcome:
        nonce = self._nonces.get(given.get("nonce", ""))
        if nonce is None or self._clock() - nonce.made > self._life:
            return Outcome.STALE
        try:
            count = int(given.get("nc", ""), 16)
        except ValueError:
            return Outcome.WRONG
        if count <= nonce.count:
            return Outcome.STALE  # a header seen before: once is all it is good for
        nonce.count = count
        return Outcome.KNOWN

    def _digest(self, text: str) -> str:
        return self._hash(text.encode()).hexdigest()
