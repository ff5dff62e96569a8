"""Taking up and sending off in one commit: what can be written of the case alone leaves with the claim itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from canonical.errors import Unavailable
from canonical.reading import Outbound
from gateway import metrics
from gateway.delivery.writing import Written
from gateway.log import log
from storage.driver import NotWritten
from storage.outbox import Claimed, Outbox, Sealed, Wanted


@dataclass(frozen=True, slots=True)
class Departure:
    """A message that was written while its delivery was being taken up."""

    outbound: Outbound
    written: Written
    at: datetime
    until: datetime
    """The end of its lease."""
    began: float
    """The monotonic clock at `at`."""


class Unsure(Unavailable):
    """The database went away: nobody knows whether these deliveries were taken up. Nothing has left."""

    def __init__(self, claimed: Sequence[Claimed], text: str) -> None:
        super().__init__(text)
        self.claimed = claimed


async def departed(
    outbox: Outbox, wanted: Sequence[Wanted], write: Callable[[Claimed], Departure | None], *, now: datetime
) -> list[tuple[Claimed, Departure | None]]:  # fmt: skip
    """What is due, now ours, with its message where that may leave at once.

    `write` must neither wait nor raise. Where the journal cannot keep one of them, all are merely taken up: each by
    itself shows which it is. Raises Unsure.
    """
    found: list[Claimed] = []
    departures: list[Departure | None] = []

    def sealed(claimed: Sequence[Claimed]) -> list[Sealed | None]:
        found[:], departures[:] = claimed, map(write, claimed)
        return [
            Sealed(one, made.written.kept, made.at, made.until) if made else None
            for one, made in zip(claimed, departures, strict=True)
        ]

    try:
        pairs = await outbox.depart(wanted, sealed, now=now)
    except Unavailable as error:
        raise Unsure(found, str(error)) from error
    except NotWritten as error:
        log.warning("deliveries.one_by_one", messages=len(found), why=str(error))
        return [(one, None) for one in await outbox.claim(wanted, now=now)]
    made = dict(zip((one.id for one in found), departures, strict=True))
    if leaving := sum(one is not None for _, one in pairs):
        metrics.SETTLE_BATCH.labels("leaving").observe(leaving)
    return [(one, made[one.id]) for one, _ in pairs]
