"""The seams between the rooms. The gateway puts the parts together; nobody else knows both sides."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol, runtime_checkable

from canonical.message import Message
from canonical.time import Due, Limit, Pause


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


@runtime_checkable
class Exchanger(Connector, Protocol):
    """A connector that can be awaited, so that many messages on their way cost no threads."""

    async def exchange(self, message: Message) -> Message:
        """The same as `send`, on the event loop that runs now; for any number of messages at once.

        When it is cancelled, the other side may have taken the message.
        """


class Received(Protocol):
    """A received message that waits for its verdict. Exactly one of the three is called, once, after the commit."""

    @property
    def message(self) -> Message:
        """The message as it came. Its `path` says where it came from: table, file name, topic or queue."""

    def accept(self) -> None:
        """It is durable with us: mark, archive or acknowledge it at the other side. Raises Unavailable."""

    def reject(self, reason: str) -> None:
        """It will never be taken as it is. `reason` is for the other side's people: no personal data.

        Raises Unavailable.
        """

    def defer(self) -> None:
        """Not now: it must come again. Harmless when the connection is gone."""


class Receiver(Protocol):
    """Fetches what no door of ours gets: exchange tables, files, topics, queues. Blocking; used by one thread."""

    def receive(self, *, most: int, wait: float) -> Sequence[Received]:
        """Up to `most` messages, in the other side's order; empty after about `wait` seconds without any.

        What was handed out and got no verdict comes again, at the latest after a restart. Raises Unavailable when the
        other side cannot be reached, ContractViolation when its table, folder or queue is not as declared (drift).
        """

    def close(self) -> None:
        """Give back connections and claims. Harmless twice."""


class Memory(Protocol):
    """What one receiver remembers between its runs, in the hub's database. Blocking."""

    def position(self) -> str:
        """How far it has come, in its own notation; empty at first."""

    def move(self, position: str) -> None:
        """Remember how far it has come. Raises Unavailable."""

    def news(self, digests: Mapping[str, str]) -> frozenset[str]:
        """Those keys that are new, or whose digest differs from the remembered one. Raises Unavailable."""

    def remember(self, digests: Mapping[str, str]) -> None:
        """Key to digest of things that are durable with us now. Raises Unavailable."""

    def absent(self, keys: Collection[str], *, told: str) -> frozenset[str]:
        """Remembered keys that are not among these; without those whose digest is `told`. Raises Unavailable."""


class WorkingCalendar(Protocol):
    """Working time of one city: one function used by every start, stop and due computation."""

    @property
    def edition(self) -> str:
        """Which calendar this is, for the record of decisions."""

    def due(self, start: datetime, limit: Limit) -> Due:
        """When `limit` that starts to run at `start` (aware) runs out. Provisional past the published years."""

    def run_out(self, start: datetime, limits: Sequence[Limit], pauses: Sequence[Pause] = ()) -> Due | None:
        """When `limits`, one after the other, run out, the pauses left out. None while it is paused."""

    def spent(
        self, start: datetime, until: datetime, limits: Sequence[Limit], pauses: Sequence[Pause] = ()
    ) -> timedelta:
        """What of the limits was used up: working time, or wall time when all are of that."""

    def share(
        self, start: datetime, limits: Sequence[Limit], pauses: Sequence[Pause], share: float, due: Due | None = None
    ) -> datetime | None:  # fmt: skip
        """The instant at which such a share (0 to 1) of the limits is used up. None when a pause keeps it open.

        `due`: when they run out, where that has been worked out already.
        """

    def is_working(self, at: datetime) -> bool:
        """True inside a service window of a working day."""

    def windows_on(self, day: date) -> tuple[tuple[int, int], ...]:
        """The service windows of a day, (start, end) in minutes since midnight, in order; none on a day off."""
