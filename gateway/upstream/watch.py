"""Watching the upstream services: each is looked at once in its interval, by whichever worker comes first."""

import asyncio
from datetime import timedelta

from canonical.errors import Misconfigured
from connectors.ogc.asking import TIMEOUT, Asker
from gateway.hub import Hub
from gateway.log import log
from gateway.upstream.drift import changes, offered
from gateway.upstream.file import Registered
from gateway.upstream.look import Looker, Seen, State
from storage.upstream import Drift, Look, Upstreams

LOOK = 15.0
"""Seconds between questions to the database whether a look is due."""
KEEP = timedelta(days=400)
"""How long what changed is kept."""
_LEASE = timedelta(seconds=5 * TIMEOUT)
"""Longer than all that one look may take."""


class UpstreamWatch:
    """Any number of processes."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.upstreams, self.id = hub, Upstreams(hub.store), hub.ids()
        self._tidied = False

    async def round(self) -> float:
        """Look at what is due. Returns seconds until the next round."""
        registered = self.hub.configuration.upstream
        if not self._tidied:
            await self.upstreams.keep_only(list(registered), since=self.hub.now() - KEEP)
            self._tidied = True
        if not registered:
            return 3600.0
        await asyncio.gather(*(self._one(one) for one in registered.values()))
        return LOOK

    async def _one(self, registered: Registered) -> None:
        claimed, before = await self.upstreams.claim(
            registered.name, by=self.id, now=self.hub.now(), every=registered.every, lease=_LEASE
        )
        if claimed:
            await self._settle(registered, before, await seen(registered))

    async def _settle(self, registered: Registered, before: Look | None, found: Seen) -> None:
        now, name = self.hub.now(), registered.name
        said = offered(found.capabilities, registered.service.layers) if found.capabilities else None
        old = before.offered if before else None
        changed = changes(old, said) if old and said else []
        drift = [(self.hub.ids(), Drift(name, now, one.layer, one.what, one.change, one.text)) for one in changed]
        # While it cannot be read nobody knows what is gone: what was gone before still is.
        missing = found.missing if found.capabilities else before.missing if before else ()
        look = Look(name, now, found.state, None, found.why, found.seconds, found.hint, missing, offered=said)
        if not await self.upstreams.settle(look, drift, by=self.id):
            return
        if before is None or before.state != found.state:
            told = log.info if found.state == State.UP else log.warning
            told(
                "upstream.state", upstream=name, state=found.state, before=before.state if before else "", why=found.why
            )
        if found.hint and (before is None or before.hint != found.hint):
            log.warning("upstream.hint", upstream=name, hint=found.hint)
        if drift:
            log.warning("upstream.drifted", upstream=name, changes=len(drift))


async def seen(registered: Registered) -> Seen:
    """One look, whatever may be wrong."""
    try:
        asker = Asker(registered.service, ca=registered.ca)
    except Misconfigured as error:
        return Seen("certificate", str(error))
    try:
        return await Looker(registered, asker).look()
    finally:
        await asker.close()
