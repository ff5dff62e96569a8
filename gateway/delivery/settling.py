"""What leaves and how it ended, committed for all deliveries of a process that are at that point."""

from collections import Counter
from collections.abc import Sequence

from canonical.errors import Unacceptable
from gateway import metrics
from gateway.delivery.group import Group
from gateway.delivery.words import UNKEPT
from gateway.log import log
from storage.driver import NotWritten
from storage.outbox import Ended, Learned, NotOurs, Outbox, Sealed


class Settling:
    """The two commits every delivery needs, shared by all lanes of a process."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self._leaving: Group[Sealed, bool] = Group(self._leave)
        self._ending: Group[Ended, Learned] = Group(self._end)

    async def leaves(self, sealed: Sealed) -> None:
        """It is in the journal, and may leave. Raises NotOurs when it must not, Unacceptable when it cannot be kept."""
        try:
            ours = await self._leaving.put(sealed)
        except NotWritten as error:
            raise Unacceptable(UNKEPT.format(why=error)) from None
        if not ours:
            raise NotOurs

    async def ended(self, ended: Ended) -> Learned:
        """How an attempt ended is kept. Raises Unavailable when the database does not answer."""
        return await self._ending.put(ended)

    async def _leave(self, sealed: Sequence[Sealed]) -> list[bool]:
        ours = await self.outbox.sending(sealed)
        metrics.SETTLE_BATCH.labels("leaving").observe(len(sealed))
        return [one.claimed.id in ours for one in sealed]

    async def _end(self, ended: Sequence[Ended]) -> list[Learned]:
        learned = await self.outbox.settle(ended)
        states = Counter(one.state.value for one in ended)
        log.info("deliveries.settled", systems=sorted({one.claimed.system for one in ended}), **states)
        metrics.SETTLE_BATCH.labels("ending").observe(len(ended))
        metrics.settled((one.claimed.system, one.state) for one in ended if not one.untried)
        return learned
