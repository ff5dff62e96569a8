"""What a system's tables no longer have, told once and shown until it is repaired; deliveries wait meanwhile."""

from canonical.errors import Drifted, Unavailable
from gateway.hub import Hub
from gateway.log import log
from storage.memories import Memories

CONNECTOR = "connector"
"""Under this name, beside a system's receivers, people are shown why nothing can be sent to it."""


class Drifting:
    """Remembers, of one system, which messages meet a place that is not as declared."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.name, self.memories = name, Memories(hub.store)
        self._shown: dict[str, str] = {}

    async def told(self, message: str, error: Unavailable) -> None:
        """Not taken. The log and /api/systems say so once, however many deliveries and attempts there are."""
        if isinstance(error, Drifted) and self._shown.get(message) != str(error):
            self._shown[message] = str(error)
            log.error("table.drift", system=self.name, message=message, why=str(error))
            await self._show()

    async def over(self, message: str) -> None:
        """Taken: what had troubled it is repaired."""
        if self._shown.pop(message, None) is not None:
            log.info("table.agrees", system=self.name, message=message)
            await self._show()

    async def _show(self) -> None:
        await self.memories.trouble(self.name, CONNECTOR, "; ".join(sorted(set(self._shown.values()))))
