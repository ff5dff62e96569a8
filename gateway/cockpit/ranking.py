"""Districts, streets, units, systems, sources and classes in an order: who has most, who is late most."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from gateway.cockpit.words import titles
from gateway.refusal import Refusal
from routing.city import City
from storage.tally_figures import By, Group, Numbers

View = dict[str, Any]


class Rank(StrEnum):
    """What can be put in an order."""

    DISTRICT = "district"
    STREET = "street"
    UNIT = "unit"
    SYSTEM = "system"
    SOURCE = "source"
    CLASS = "class"


class Sort(StrEnum):
    """By what."""

    OPEN = "open"
    OVERDUE = "overdue"
    DUE_SOON = "due_soon"
    TAKEN = "taken"
    ENDED = "ended"
    ON_TIME_SHARE = "on_time_share"


def share(on_time: int, late: int) -> float | None:
    """Of what had a limit, the part that kept it; None: nothing had."""
    return round(on_time / (on_time + late), 4) if on_time + late else None


def listed(told: Numbers, city: City, by: By, sort: Sort, *, rising: bool = False) -> list[View]:
    """All that have any figure, in order; who has no share stands last, and equal ones by their codes."""
    names = titles(city, by)
    rows = [_row(code, names.get(code, code), one) for code, one in told.groups[by].items() if code and one != Group()]
    sign = 1 if rising else -1
    rows.sort(key=lambda row: (row[sort] is None, sign * (row[sort] or 0), row["code"]))
    return rows


def _row(code: str, title: str, one: Group) -> View:
    return {
        "code": code, "title": title, "open": one.open, "overdue": one.overdue, "due_soon": one.due_soon,
        "taken": one.taken, "ended": one.ended, "on_time": one.on_time, "late": one.late,
        "on_time_share": share(one.on_time, one.late),
    }  # fmt: skip


def page(rows: Sequence[View], after: str, limit: int) -> tuple[list[View], str | None]:
    """So many rows after the one with this code, and the code that the next page begins after.

    Raises Refusal when no row has it: the figures have changed since.
    """
    begin = 0
    if after:
        place = next((number for number, row in enumerate(rows) if row["code"] == after), None)
        if place is None:
            raise Refusal(422, "invalid", f"after: nothing here has the code '{after[:64]}'", "begin again without it")
        begin = place + 1
    found = list(rows[begin : begin + limit])
    return found, found[-1]["code"] if begin + limit < len(rows) else None
