"""The video platform's AK/SK signature as its gateway checks it: Content-MD5, signed headers, HMAC-SHA256.

What the contract leaves open is answered generously: the line of an absent header may be left out or stand empty.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

_PLAIN = ("accept", "content-md5", "content-type")
"""Headers that stand in the text by value alone, in this order."""
_NEEDED = frozenset({"x-ca-key", "x-ca-timestamp"})


def string_to_sign(method: str, target: str, headers: Mapping[str, str], *, empty_lines: bool = False) -> str:
    """The text both sides sign. `target` is the path with its query as sent; header names are lower case."""
    plain = [headers.get(name, "") for name in _PLAIN if empty_lines or headers.get(name)]
    signed = [f"{name}:{headers.get(name, '')}" for name in _names(headers)]
    return "\n".join((method.upper(), *plain, *signed, target))


def signature(secret: str, text: str) -> str:
    """base64 of the HMAC-SHA256."""
    return b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode()


class Gatekeeper:
    """Knows one key with its secret, and the numbers that were used already."""

    def __init__(self, key: str, secret: str, clock: Callable[[], datetime], window: timedelta) -> None:
        self._key = key
        self._secret = secret
        self._clock = clock
        self._window = window
        self._used: dict[str, datetime] = {}

    def problem(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> str:
        """What is wrong with a request, in the gateway's words; empty: nothing."""
        if headers.get("x-ca-key") != self._key:
            return "Invalid AppKey"
        if not set(_names(headers)) >= _NEEDED:
            return "Missing signature headers"
        digest = b64encode(hashlib.md5(body).digest()).decode()  # noqa: S324  # the contract's checksum
        if headers.get("content-md5", digest if not body else "") != digest:
            return "Content-MD5 does not match the body"
        texts = [string_to_sign(method, target, headers, empty_lines=empty) for empty in (False, True)]
        given = headers.get("x-ca-signature", "").encode()
        if not any(hmac.compare_digest(given, signature(self._secret, text).encode()) for text in texts):
            return "Invalid Signature"
        return self._stale(headers)

    def _stale(self, headers: Mapping[str, str]) -> str:
        now = self._clock()
        try:
            sent = datetime.fromtimestamp(int(headers["x-ca-timestamp"]) / 1000, now.tzinfo)
        except (ValueError, OverflowError, OSError):
            return "Invalid timestamp"
        if abs(now - sent) > self._window:
            return "Timestamp expired"
        self._used = {nonce: at for nonce, at in self._used.items() if now - at <= self._window}
        nonce = headers.get("x-ca-nonce", "")
        if nonce and nonce in self._used:
            return "Nonce used"
        self._used[nonce] = now
        return ""


def _names(headers: Mapping[str, str]) -> list[str]:
    listed = headers.get("x-ca-signature-headers", "").split(",")
    return sorted(name.strip().lower() for name in listed if name.strip())
