"""The seams between the rooms. The gateway puts the parts together; nobody else knows both sides."""

from datetime import datetime
from typing import Protocol

from canonical.message import Message
from canonical.time import Due, Limit


class Connector(Protocol):
    """Moves bytes; knows no case. Never retries: the runtime does."""

    def seal(self, message: Message) -> Message:
        """The message as its bytes will travel (a SOAP connector puts the envelope round it). Pure; for the journal."""

    def send(self, message: Message) -> Message:
        """Send one sealed message and return the other side's answer, whatever its status.

        Raises Unavailable when it certainly was not taken (no connection, no name, refused), InDoubt when it may have
        been (a time-out or a broken connection after sending).
        """

    def close(self) -> None:
        """Give back connections. Harmless twice."""


class WorkingCalendar(Protocol):
    """Working time of one city: one function used by every start, stop and due computation."""

    @property
    def edition(self) -> str:
        """Which calendar this is, for the record of decisions."""

    def due(self, start: datetime, limit: Limit) -> Due:
        """When `limit` that starts to run at `start` (aware) runs out. Provisional past the published years."""

    def is_working(self, at: datetime) -> bool:
        """True inside a service window of a working day."""
