"""The run that puts cases into the grids of another day: batch by batch, each in one transaction, with a diff.

A run that is stopped goes on when it is given again: what stands in the day's editions already stays as it is.
"""

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import IO
from uuid import UUID

from canonical.records import Known
from canonical.tables import harmless
from canonical.time import SHANGHAI
from gateway.hub import Hub
from routing.book import Book
from routing.reattributing import CHANGES, Reattributed, Verdict, reattribute
from storage.batch import Batch

AT_ONCE = 200
"""Cases of one transaction."""
_FIRST = UUID(int=0)
COLUMNS = (
    "no", "received", "stage", "verdict", "grid_before", "grid_after", "edition_before", "edition_after",
    "industry_before", "industry_after", "responsible_before", "responsible_after", "unit", "unit_by_list",
)  # fmt: skip
"""Of the diff: nothing that people wrote."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which cases, and into the grids of which day."""

    day: date
    begin: datetime | None = None
    """With `end`: cases received in an interval, ended ones as well. None: the open ones."""
    end: datetime | None = None


@dataclass(slots=True)
class Counted:
    """What became of the cases so far."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Unit grid before and after, of cases that moved from one to another; empty: none."""
    units: int = 0
    """Open cases that the responsibility list would give to another unit now."""

    @property
    def seen(self) -> int:
        """All that were looked at."""
        return self.verdicts.total()


async def run(
    hub: Hub, chosen: Chosen, *, by: str, reason: str, dry: bool, diff: IO[str] | None = None,
    told: Callable[[Counted], None] = lambda _: None,
) -> Counted:  # fmt: skip
    """Put the chosen cases into the grids of the day. `dry`: only says what would become of them. Raises DatabaseAway.

    `diff` gets a CSV row for each case that changes or that could not.
    """
    counted, last = Counted(), _FIRST
    writer = csv.DictWriter(diff, COLUMNS, lineterminator="\r\n") if diff else None
    if writer:
        writer.writeheader()
    while True:
        async with hub.store.batch() as batch:
            known = await _page(batch, chosen, last)
            book = Book(known, hub.configuration.city, hub.now(), hub.ids)
            found = reattribute(book, sorted(known.cases), chosen.day, f"{reason} ({by})" if by else reason)
            if book.changes.events and not dry:
                await batch.save(book.changes, book.now)
        _count(counted, found)
        if writer:
            rows = (_row(one) for one in found if one.verdict is not Verdict.SAME)
            writer.writerows({name: harmless(text) for name, text in row.items()} for row in rows)
        told(counted)
        if len(found) < AT_ONCE:
            return counted
        last = max(one.case.id for one in found)


async def _page(batch: Batch, chosen: Chosen, last: UUID) -> Known:
    if chosen.begin is None or chosen.end is None:
        return await batch.open_after(last, AT_ONCE)
    return await batch.received_after(last, AT_ONCE, chosen.begin, chosen.end)


def _count(counted: Counted, found: list[Reattributed]) -> None:
    for one in found:
        counted.verdicts[one.verdict] += 1
        counted.units += bool(one.unit)
        before, after = one.case.place.grid or "", one.after.grid or ""
        if one.verdict in CHANGES and before != after:
            counted.pairs[before, after] += 1


def _row(one: Reattributed) -> dict[str, str]:
    before, after = one.case.place, one.after
    assignment = one.case.assignment
    return {
        "no": one.case.no, "received": one.case.received_at.astimezone(SHANGHAI).date().isoformat(),
        "stage": one.case.stage, "verdict": one.verdict, "grid_before": before.grid or "",
        "grid_after": after.grid or "", "edition_before": before.grid_set, "edition_after": after.grid_set,
        "industry_before": _industry(before.grids),
        "industry_after": _industry(after.grids), "responsible_before": before.responsible,
        "responsible_after": after.responsible, "unit": assignment.unit if assignment else "", "unit_by_list": one.unit,
    }  # fmt: skip


def _industry(grids: Mapping[str, str]) -> str:
    return " ".join(f"{edition}:{code}" for edition, code in sorted(grids.items()))
