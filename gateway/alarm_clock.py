"""The clock of alarms: a device that tells once that something is wrong, and then nothing more, gets its case too.

`hold`, `quiet` and the storm cap end by time. What they held back is judged again when that time is over, through the
code that judges a telling, of the message as the journal keeps it. Any number of processes may do so; each may be
killed at any instant.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from canonical.message import Message, Verdict
from canonical.reading import Reading
from canonical.records import Arrival
from gateway.hub import Hub
from gateway.log import log
from storage.due_alarms import DueAlarm, claim_due

LEASE = timedelta(minutes=1)
"""A killed worker's devices are judged by another after this; so are those whose message cannot be read today."""
_AT_ONCE = 200
_PAUSE = 1.0
SETTLING = timedelta(seconds=5)
"""What devices said while nobody worked is heard first: "back to normal" may be among it."""


class AlarmClock:
    """Judges what is due, batch by batch."""

    def __init__(self, hub: Hub, *, settling: timedelta = SETTLING) -> None:
        self.hub = hub
        self._settling = settling
        self._begun: datetime | None = None

    async def round(self) -> float:
        """One batch. Returns the seconds until the next."""
        now = self.hub.now()
        self._begun = self._begun or now
        if now - self._begun < self._settling:
            return _PAUSE
        due = await claim_due(self.hub.store, limit=_AT_ONCE, now=now, lease=LEASE)
        arrivals = await self._arrivals(due)
        if arrivals:
            outcomes = await self.hub.reception.take_in(arrivals)
            opened = sum(outcome.verdict in _CASES for outcome in outcomes)
            log.info("alarms.judged", devices=len(arrivals), opened=opened)
        return 0.0 if len(due) == _AT_ONCE else _PAUSE

    async def _arrivals(self, due: Sequence[DueAlarm]) -> list[Arrival]:
        messages = await self.hub.journal.whole([one.message_id for one in due]) if due else {}
        found = [(one, await self._read(one, messages.get(one.message_id))) for one in due]
        for one, arrival in found:
            if arrival is None:  # a declaration that was changed since: it may be changed again
                log.error("alarm.unreadable", system=one.system, kind=one.kind, message_id=str(one.message_id))
        return [arrival for _, arrival in found if arrival is not None]

    async def _read(self, due: DueAlarm, message: Message | None) -> Arrival | None:
        """The message as it reads today; None when it does not tell of this device any more."""
        read = await self.hub.reception.read_again(message) if message else []
        of_it = (arrival for arrival in read if arrival.message.id == due.message_id and _tells(arrival, due))
        return next((replace(arrival, waited=True) for arrival in of_it), None)


def _tells(arrival: Arrival, due: DueAlarm) -> bool:
    content = arrival.content
    alarm = content.alarm if isinstance(content, Reading) else None
    return alarm is not None and (arrival.message.system, alarm.device, alarm.kind) == (
        due.system,
        due.device,
        due.kind,
    )


_CASES = frozenset({Verdict.CASE, Verdict.JOINED})
