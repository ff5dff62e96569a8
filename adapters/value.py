"""Scalars as other systems write them: 48213 and "48213" are the same id, "" and null are the same nothing."""

from datetime import datetime
from typing import Any

from canonical.errors import ContractViolation

_DIGITS = 18
"""Of a whole number; what is longer is an id, and no number of anything."""


def empty(value: object) -> bool:
    """Absent, for every rule: null, empty text, empty list, empty object."""
    return not value and (value is None or value == "" or value == [] or value == {})


def as_text(value: object) -> str:
    """A scalar as text: 48213 and "48213" are the same id. Raises TypeError for objects and lists."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError("a single value is expected, not an object or a list")


def as_list(value: object) -> list[Any]:
    """XML cannot tell one item from a list of one; an empty element is an empty list."""
    if isinstance(value, list):
        return value
    return [] if empty(value) else [value]


def text_at(value: object, at: str) -> str:
    """The value as text. Raises ContractViolation that names the place."""
    if type(value) is str:
        return value
    try:
        return as_text(value)
    except TypeError as error:
        raise ContractViolation(f"{at}: {error}", at=at) from None


def int_at(value: object, at: str) -> int:
    """A whole number, sent as number or text. Raises ContractViolation."""
    if type(value) is str and value.isdigit() and value.isascii() and len(value) <= _DIGITS:
        return int(value)
    text = text_at(value, at).strip()
    if not text.lstrip("-").isascii() or not text.removeprefix("-").isdigit() or len(text) > _DIGITS:
        raise ContractViolation(f"{at}: a whole number is expected", at=at)
    return int(text)


def number_at(value: object, at: str) -> float:
    """A finite number, sent as number or text. Raises ContractViolation."""
    try:
        text = text_at(value, at)
        number = float("nan" if "_" in text else text)  # Python's own way to write numbers is nobody's else
    except (ValueError, OverflowError):
        number = float("nan")
    if not abs(number) < 1e15:
        raise ContractViolation(f"{at}: a number is expected", at=at)
    return number
