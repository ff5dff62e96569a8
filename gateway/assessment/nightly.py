"""The facts of assessment, brought up to date every night by whichever worker with the role clock comes first."""

from datetime import datetime, timedelta

from canonical.time import in_shanghai
from gateway.assessment.facts import spending
from gateway.hub import Hub
from gateway.log import log
from storage.facts import Facts

BEGINS = 1
"""O'clock in Asia/Shanghai: what happened on a day is there in the morning after."""
_PAUSE = 600.0


class Nightly:
    """The nightly update of one worker process. Others may help, or find it done."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.facts = hub, Facts(hub.store, spending(hub.configuration))

    async def round(self) -> float:
        """One look; seconds until the next."""
        if self.hub.configuration.rules is None:
            return _PAUSE
        last = await self.facts.last()
        if last is None or last.opened_at < tonight(self.hub.now()):
            run = await self.facts.update(self.hub.now)
            log.info("assessment.updated", run=run.number, cases=run.cases, facts=run.facts)
            if run.trouble:
                log.warning("assessment.left_out", run=run.number, cases=run.trouble)
        return _PAUSE


def tonight(now: datetime) -> datetime:
    """When the latest night's update was to begin."""
    local = in_shanghai(now)
    begin = local.replace(hour=BEGINS, minute=0, second=0, microsecond=0)
    return begin if local >= begin else begin - timedelta(days=1)
