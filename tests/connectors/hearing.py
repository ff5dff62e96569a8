"""What tests of receivers do with one: hear so many messages, wait for it to come back, or for it to give up."""

import time
from collections.abc import Sequence

from canonical.errors import Unavailable
from canonical.ports import Received, Receiver


def heard(hearing: Receiver, count: int, *, seconds: float = 10.0) -> list[Received]:
    """Exactly so many messages, and no more in the next moment."""
    until = time.monotonic() + seconds
    found: list[Received] = []
    while len(found) < count and time.monotonic() < until:
        found += hearing.receive(most=100, wait=0.5)
    found += hearing.receive(most=100, wait=0.1)
    assert len(found) == count
    return found


def bodies(received: Sequence[Received]) -> list[bytes]:
    return [one.message.body for one in received]


def patiently(hearing: Receiver) -> Sequence[Received]:
    """What comes, if anything does."""
    try:
        return hearing.receive(most=100, wait=0.5)
    except Unavailable:
        return []


def receive_long(hearing: Receiver) -> None:
    """By the clock: what is still in the queue when the connection breaks is handed out without waiting."""
    until = time.monotonic() + 15
    while time.monotonic() < until:
        hearing.receive(most=1, wait=0.1)
