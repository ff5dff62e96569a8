"""Whether a SOAP platform still promises what the WSDL in its folder says. Asked now and then; nothing stops for it."""

import asyncio
from typing import TYPE_CHECKING

from adapters import System
from canonical.errors import HubError
from canonical.ports import Connector
from gateway.hub import Hub
from gateway.log import log
from storage.memories import Memories

if TYPE_CHECKING:
    from connectors.soap import SoapConnector

NAME = "#wsdl"
"""Its row in the memory table, with what has changed as `trouble`."""
FIRST = 60.0
"""Seconds after the start: deliveries go before."""
EVERY = 6 * 3600.0
"""Seconds."""
SOON = 600.0
"""Seconds, when it could not be asked."""


def watched(system: System, connector: Connector) -> "SoapConnector | None":
    """The connector whose WSDLs are looked after; None where none are served."""
    if not system.connector.watch:
        return None
    from connectors.soap import SoapConnector

    return connector if isinstance(connector, SoapConnector) else None


class ServiceWatch:
    """One SOAP system's WSDLs, beside those it serves."""

    def __init__(self, hub: Hub, name: str, connector: "SoapConnector") -> None:
        self.name, self.connector = name, connector
        self.memories = Memories(hub.store)
        self._told: str | None = None

    async def round(self) -> float:
        """Look once. Returns the seconds until the next look. Raises Unavailable: our own database."""
        if self._told is None:
            self._told = ""
            return FIRST
        try:
            told = await asyncio.to_thread(self.connector.drift)
        except HubError:  # deliveries say so already, and it is no news about the WSDL
            return SOON
        if told != self._told:
            (log.warning if told else log.info)("wsdl.drift" if told else "wsdl.agrees", system=self.name, why=told)
            self._told = told
        await self.memories.trouble(self.name, NAME, f"WSDL: {told}" if told else "")
        return EVERY
