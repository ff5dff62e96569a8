"""Telephone numbers as they are looked for: by digits, with or without the country and the area, never in clear.

What the index keeps of a number is a digest with a key of the city: who reads the database cannot try all numbers.
"""

import hmac
import re
from hashlib import sha256

LEAST = 7
"""Digits of the shortest number that is looked for."""
_MOST = 12
_GIVEN = re.compile(r"[+]?[0-9][0-9 ()（）-]*")
_COUNTRY = re.compile(r"(?:00)?86(?=1[3-9][0-9]{9}$|0?[1-9][0-9]{9,10}$)")
_AREA = re.compile(r"0(?:10|2[0-9]|[3-9][0-9]{2})(?=[1-9][0-9]{6,7}$)")


def digits(text: str) -> str:
    """The digits of a telephone number without the country's; empty when the text is none."""
    if not _GIVEN.fullmatch(text.strip()):
        return ""
    found = _COUNTRY.sub("", re.sub("[^0-9]", "", text))
    return found if LEAST <= len(found) <= _MOST else ""


def forms(number: str) -> frozenset[str]:
    """What it may be called by: whole, and a fixed line without its area."""
    return frozenset({number, _AREA.sub("", number)}) - {""}


def same(asked: str, given: str) -> bool:
    """True when two numbers can be one: where both have an area, it must be the same one."""
    return bool(asked) and bool(given) and (asked in forms(given) or given in forms(asked))


def digest(key: bytes, number: str) -> bytes:
    """32 bytes that say nothing to who has not the key."""
    return hmac.digest(key, number.encode(), sha256)
