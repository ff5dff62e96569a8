"""Class codes with their edition, and the crosswalk between editions.

Three numberings are in the field and a bare code does not say which it is: event major 04 is 突发事件 in CJ/T 214 and
街面秩序 in GB/T 30428.2-2013. So a code never travels without its edition.
"""

import csv
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Self

from pydantic import Field

from canonical.value import Value


class Edition(StrEnum):
    """Which catalogue a class code belongs to."""

    CJT_214 = "CJ/T 214"
    GBT_30428_2 = "GB/T 30428.2-2013"
    GBT_47678_5 = "GB/T 47678.5-2026"
    LOCAL = "local"
    """The city's own classes, listed in its catalogue."""


class ClassKind(StrEnum):
    """部件 (a thing that stands there) or 事件/事项 (something that happens)."""

    PART = "part"
    EVENT = "event"


class ClassCode(Value):
    """A class of part or event: edition, kind, major (大类), minor (小类). Written `30428.2:E04-06` in tables."""

    edition: Edition
    kind: ClassKind
    major: str = Field(pattern="^[0-9]{2}$")
    minor: str = Field(pattern="^[0-9]{2,3}$")

    @property
    def short(self) -> str:
        """`P01-37` or `E04-06`: kind, major and minor without the edition."""
        return f"{self.kind.value[0].upper()}{self.major}-{self.minor}"

    def __str__(self) -> str:
        return f"{_SHORT_EDITION[self.edition]}:{self.short}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the written form, as `30428.2:E04-06`. Raises ValueError that says what is expected."""
        edition, _, rest = text.strip().partition(":")
        major, _, minor = rest[1:].partition("-")
        if edition not in _EDITIONS or rest[:1] not in _KINDS or not minor:
            known = ", ".join(_EDITIONS)
            raise ValueError(
                f"'{text}' is not a class code: write EDITION:E04-06 or EDITION:P01-37, edition one of {known}"
            )
        return cls(edition=_EDITIONS[edition], kind=_KINDS[rest[0]], major=major, minor=minor)


_SHORT_EDITION = {
    Edition.CJT_214: "214",
    Edition.GBT_30428_2: "30428.2",
    Edition.GBT_47678_5: "47678.5",
    Edition.LOCAL: "local",
}
_EDITIONS = {short: edition for edition, short in _SHORT_EDITION.items()}
_KINDS = {"P": ClassKind.PART, "E": ClassKind.EVENT}


class Counterpart(Value):
    """One row of the crosswalk GB/T 30428.2-2013 to GB/T 47678.5-2026."""

    old: ClassCode
    old_name: str
    new: ClassCode | None
    """None says "no counterpart": a person decides, nothing is guessed."""
    new_name: str
    note: str


@cache
def crosswalk() -> dict[ClassCode, Counterpart]:
    """Every class of GB/T 30428.2-2013 that the crosswalk lists, with its counterpart or None.

    Source: derived by comparing both editions' class lists; to be checked with the annex of GB/T 47678.5-2026.
    """
    table = files("canonical").joinpath("crosswalk.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in table.splitlines() if not line.startswith("#"))
    counterparts = (
        Counterpart(
            old=ClassCode.parse(row["old"]),
            old_name=row["old_name"],
            new=ClassCode.parse(row["new"]) if row["new"] != "no counterpart" else None,
            new_name=row["new_name"],
            note=row["note"],
        )
        for row in rows
    )
    return {counterpart.old: counterpart for counterpart in counterparts}


def in_edition_2026(code: ClassCode) -> ClassCode | None:
    """The class in GB/T 47678.5-2026, or None where there is no counterpart.

    Raises KeyError for a class the crosswalk does not list (another edition's, or a local one).
    """
    return code if code.edition is Edition.GBT_47678_5 else crosswalk()[code].new
