"""What a case is found by, as terms: one for each two neighbouring characters of its texts, each code, each beginning
and end of its numbers, and its telephones.

A term is 32 bits of a checksum, so that an index of millions of cases stays small. Two terms may meet in one number:
whatever the index finds is looked at again before it is shown.
"""

from collections.abc import Iterator
from enum import StrEnum
from zlib import crc32

from canonical.case import Case
from gateway.georeport import public
from gateway.search.folded import bigrams, folded
from gateway.search.telephone import digest, digits, forms
from storage.search_index import Entry

BEGINNINGS, ENDS = (16, 12, 8, 4), (6, 4)
"""Lengths of beginnings and ends of numbers that have a term: the longest that fits is looked for."""
LEAST_NUMBER = 4
"""Characters of the shortest piece of a number that is looked for."""
_LENGTHS = (4, 6, 9, 12)
"""Of codes of divisions: a case is found by each division that it lies in."""


class Kind(StrEnum):
    """What a term is of."""

    PAIR = "pair"
    AREA = "area"
    GRID = "grid"
    CLASS = "class"
    UNIT = "unit"
    BEGINNING = "beginning"
    END = "end"


def term(kind: Kind, value: str) -> int:
    """A signed number of 32 bits."""
    return _signed(crc32(f"{kind}:{value}".encode()))


def telephone_term(key: bytes, number: str) -> int:
    """The same, of a telephone number: 32 bits of its digest."""
    return _signed(int.from_bytes(digest(key, number)[:4], "big"))


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value


def texts(case: Case) -> dict[str, str]:
    """Field to text, as far as everybody who may see the case may read it: what is masked is not found either."""
    place = case.place
    given = {
        "title": case.title, "description": case.description, "address": place.address, "given_class": case.given_class,
    }  # fmt: skip
    return {field: public(text, case) for field, text in given.items() if text}


def codes(case: Case) -> Iterator[tuple[Kind, str]]:
    """Divisions, grids, class and units of a case."""
    place = case.place
    yield from ((Kind.AREA, place.area[:length]) for length in _LENGTHS if place.area and len(place.area) >= length)
    yield from ((Kind.GRID, code) for code in {place.grid, *place.grids.values()} if code)
    if case.class_code:
        yield Kind.CLASS, str(case.class_code)
    yield from ((Kind.UNIT, unit) for unit in {one.unit for one in case.assignments})


def numbers(entry: Entry) -> dict[str, set[str]]:
    """Number to the systems that call the case so; "" is the hub."""
    found: dict[str, set[str]] = {entry.case.no: {""}}
    for binding in entry.bindings:
        for number in (binding.external_id, binding.case_key, binding.visible_no):
            if number:
                found.setdefault(number, set()).add(binding.system)
    return found


def telephones(entry: Entry) -> set[str]:
    """The digits of whoever reported it, and of whoever reported it again."""
    return {number for phone in (entry.case.reporter.phone, *entry.joined) if (number := digits(phone))}


def terms(entry: Entry, key: bytes) -> frozenset[int]:
    """Everything that the case is found by. `key`: of telephones."""
    found = {term(Kind.PAIR, pair) for text in texts(entry.case).values() for pair in bigrams(folded(text))}
    found |= {term(kind, code) for kind, code in codes(entry.case)}
    for number in map(folded, numbers(entry)):
        found |= {term(Kind.BEGINNING, number[:length]) for length in BEGINNINGS if len(number) >= length}
        found |= {term(Kind.END, number[-length:]) for length in ENDS if len(number) >= length}
    for number in telephones(entry):
        found |= {telephone_term(key, form) for form in forms(number)}
    return frozenset(found)


def pieces(number: str) -> tuple[int, int]:
    """The terms of numbers that begin, and that end, with this folded piece of at least LEAST_NUMBER characters."""
    begins = next(length for length in BEGINNINGS if len(number) >= length)
    ends = next(length for length in ENDS if len(number) >= length)
    return term(Kind.BEGINNING, number[:begins]), term(Kind.END, number[-ends:])
