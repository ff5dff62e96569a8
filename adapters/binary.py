"""Numbers inside bytes, as meters and trackers send them: `binary(doc.data, 'base64', 3, 'u16be')`. Pure."""

import binascii
import re
import struct
from collections.abc import Callable, Mapping
from typing import Literal

from adapters.packed import from_base64

_FORMS: Mapping[str, Callable[[str], bytes]] = {
    "base64": from_base64,
    "hex": lambda text: binascii.unhexlify(re.sub(r"[\s:-]", "", text)),
}
_KIND = re.compile(r"(?P<sign>[uif])(?P<bits>8|16|24|32|48|64)(?P<order>be|le|)|bcd(?P<octets>[1-8])")
_EXACT = 2**53
_FLOATS = {32: "f", 64: "d"}


def binary(text: str, form: str, at: int, kind: str) -> int | float:
    """The number that begins at octet `at` (from 0; from the end when negative).

    A fraction to expressions, which do not add whole numbers and fractions; only one too large for that stays whole.
    `form`: base64 or hex. `kind`: u8, i16be, u24le, f32be, ... or bcd2 (two octets of decimal digits). Raises
    ValueError.
    """
    number = _number(_FORMS[form](text), int(at), kind)
    return float(number) if abs(number) < _EXACT else number


def octets(text: str, form: str) -> int:
    """How many octets there are."""
    return len(_FORMS[form](text))


def bit(number: float, at: int) -> bool:
    """Whether bit `at` of a number is set; the lowest is 0."""
    return bool(int(number) >> int(at) & 1)


def _number(data: bytes, at: int, kind: str) -> int | float:
    found = _KIND.fullmatch(kind)
    if found is None:
        raise ValueError(f"no kind '{kind}': u8, i16be, u32le, f32be, bcd2 and so on")
    length = int(found["octets"] or int(found["bits"]) // 8)
    begin = at if at >= 0 else len(data) + at
    part = data[begin : begin + length]
    if begin < 0 or len(part) < length:
        raise ValueError("the bytes end before the number does")
    if found["octets"]:
        return int(part.hex())
    order: Literal["little", "big"] = "little" if found["order"] == "le" else "big"
    if found["sign"] != "f":
        return int.from_bytes(part, order, signed=found["sign"] == "i")
    if length * 8 not in _FLOATS:
        raise ValueError("a fraction has 32 or 64 bits")
    number: float = struct.unpack(("<" if order == "little" else ">") + _FLOATS[length * 8], part)[0]
    if number != number or abs(number) == float("inf"):
        raise ValueError("no finite number")
    return number
