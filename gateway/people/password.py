"""Passwords: what one must be like, and digests that are dear to guess."""

import asyncio
import re

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

SHORTEST, LONGEST = 10, 200
LONG = 16
"""Characters from which on any kind will do."""
_KINDS = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
_ENOUGH_KINDS = 3

_HASHER = PasswordHasher()
"""argon2id with the library's own parameters, which follow RFC 9106."""
_AT_ONCE = asyncio.Semaphore(2)
"""Each takes 64 MiB and 50 ms of a processor: many at once must not stop the doors."""
NOBODYS = _HASHER.hash("of no account")
"""Checked where there is no account, so that the time tells nothing."""


def weakness(password: str, login: str) -> str:
    """What is wrong with a new password, for people; empty: nothing."""
    if len(password) < SHORTEST:
        return f"a password has {SHORTEST} characters or more"
    if len(password) > LONGEST:
        return f"a password has {LONGEST} characters at most"
    if login.lower() in password.lower():
        return "the password must not hold the login"
    if len(set(password)) < SHORTEST // 2:
        return "the password repeats too few characters"
    kinds = sum(bool(re.search(kind, password)) for kind in _KINDS)
    if len(password) < LONG and kinds < _ENOUGH_KINDS:
        return f"below {LONG} characters a password mixes three of: small letters, capitals, digits, others"
    return ""


async def digested(password: str) -> str:
    """What is kept of a password."""
    async with _AT_ONCE:
        return await asyncio.to_thread(_HASHER.hash, password)


async def fits(digest: str, password: str) -> bool:
    """True when it is the password. As slow without an account, or without a password, as with one."""
    async with _AT_ONCE:
        return await asyncio.to_thread(_fits, digest or NOBODYS, password) and bool(digest)


def outdated(digest: str) -> bool:
    """True when the library would make a stronger one today."""
    return _HASHER.check_needs_rehash(digest)


def _fits(digest: str, password: str) -> bool:
    try:
        return _HASHER.verify(digest, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False
