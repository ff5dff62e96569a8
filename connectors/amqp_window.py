"""Publishing many messages with confirms: a window of them on their way at a time, and of each lane only one.

Confirming one by one costs a round trip and a disk write each; a window costs them once for hundreds. Of a lane the
next message leaves when the broker has the one before, so that a refused or lost one can never be overtaken.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pika import BasicProperties
from pika.channel import Channel
from pika.exceptions import AMQPError
from pika.frame import Method
from pika.spec import Basic

from canonical.errors import HubError, Unavailable
from connectors.amqp_link import PublishingLink, Settings, ours

WINDOW = 500
"""Messages on their way at a time. More wins nothing; one is thirty times slower."""


@dataclass(frozen=True, slots=True)
class Post:
    """One message for an exchange."""

    exchange: str
    routing_key: str
    body: bytes = field(repr=False)
    properties: BasicProperties
    lane: object = None
    """Messages of one lane are published one after the other; None: whenever there is room."""


Step = Callable[[Channel, Callable[[Any], None]], None]
"""Something to declare on a channel, and whom to tell when it is done."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a batch: for each message whether the broker has it, and what went wrong."""

    confirmed: list[bool]
    error: HubError | None

    @property
    def whole(self) -> bool:
        """True when the broker has all of them."""
        return all(self.confirmed)


class WindowedLink(PublishingLink):
    """One connection with publisher confirms for batches, driven by whoever calls; never mended.

    Raises Unavailable, Unauthenticated and Misconfigured when it cannot be opened.
    """

    def __init__(self, settings: Settings, what: str, *, window: int = WINDOW) -> None:
        self._window = window
        self._sent = 0
        """Delivery tag of the last message on this channel."""
        self._flight = _Flight((), 0)
        super().__init__(settings, what)

    def arrange(self, steps: Sequence[Step]) -> list[Any]:
        """Declare what has to be there, or ask for it; what the broker answered to each.

        Raises Unavailable, Misconfigured and ContractViolation, as `ours` says.
        """
        assert self._channel is not None
        self._used_at = time.monotonic()
        done: list[Any] = []
        for step in steps:
            step(self._channel, done.append)
        self._run(lambda: len(done) == len(steps), self._timeout)
        if self._failure is not None:
            raise ours(self._system, self._failure)
        if len(done) < len(steps):
            raise Unavailable(f"{self._system}: the broker does not answer")
        return done

    def publish_all(self, posts: Sequence[Post]) -> Published:
        """Publish all of them and wait for the broker's word on each. What it does not have can be published again.

        Ends early when the connection breaks, or when no word came for the time-out.
        """
        self._used_at = time.monotonic()
        flight = self._flight = _Flight(posts, self._sent)
        self._fill()
        while not flight.over and self._failure is None:
            before = flight.settled
            self._run(lambda: flight.over, self._timeout)
            if flight.settled == before:
                break
        self._used_at = time.monotonic()
        return Published(flight.confirmed, self._trouble(flight))

    def _trouble(self, flight: "_Flight") -> HubError | None:
        if self._failure is not None:
            return ours(self._system, self._failure)
        if not flight.over:
            self._failure = TimeoutError()  # words that come later would be counted for another batch
            return Unavailable(f"{self._system}: the broker confirms nothing")
        return None if flight.refused == 0 else Unavailable(f"{self._system}: the broker could not take a message")

    def _fill(self) -> None:
        """Publish while there is room."""
        flight = self._flight
        assert self._channel is not None
        try:
            with self._connection.together():
                while len(flight.sent) < self._window and (post := flight.next()) is not None:
                    self._channel.basic_publish(post.exchange, post.routing_key, post.body, post.properties)
                    self._sent += 1
        except AMQPError as error:
            self._failure = self._failure or error

    def _on_word(self, frame: Method[Any]) -> None:
        method = frame.method
        self._flight.word(method.delivery_tag, multiple=method.multiple, taken=isinstance(method, Basic.Ack))
        self._fill()


class _Flight:
    """One batch on its way."""

    def __init__(self, posts: Sequence[Post], last_tag: int) -> None:
        self.posts = posts
        self.confirmed = [False] * len(posts)
        self.sent: dict[int, int] = {}
        """Delivery tag to index, oldest first."""
        self.settled = self.refused = 0
        self._tag = last_tag
        self._ready = 0
        self._freed: deque[int] = deque()
        """Whose lane has become free."""
        self._behind: dict[object, deque[int]] = {}
        """Lanes with a message on its way, and what waits behind it."""
        self._stopped: set[object] = set()

    @property
    def over(self) -> bool:
        return self.settled == len(self.posts)

    def next(self) -> Post | None:
        """The next one that may leave now, counted as sent; None when there is none."""
        index = self._next_index()
        if index is None:
            return None
        self._tag += 1
        self.sent[self._tag] = index
        return self.posts[index]

    def word(self, tag: int, *, multiple: bool, taken: bool) -> None:
        """The broker's word on one message, or on all up to it."""
        if not multiple:
            self._settle(tag, taken)
            return
        for known in [known for known in self.sent if known <= tag]:
            self._settle(known, taken)

    def _next_index(self) -> int | None:
        if self._freed:
            return self._freed.popleft()
        while self._ready < len(self.posts):
            index = self._ready
            self._ready += 1
            lane = self.posts[index].lane
            if lane in self._stopped:
                self.settled += 1
                continue
            if lane is None:
                return index
            waiting = self._behind.get(lane)
            if waiting is None:
                self._behind[lane] = deque()
                return index
            waiting.append(index)
        return None

    def _settle(self, tag: int, taken: bool) -> None:
        index = self.sent.pop(tag, None)
        if index is None:
            return
        self.settled += 1
        self.confirmed[index] = taken
        lane = self.posts[index].lane
        waiting = self._behind.get(lane) if lane is not None else None
        if not taken:
            self.refused += 1
            self._stop(lane)
        elif waiting:
            self._freed.append(waiting.popleft())
        elif waiting is not None:
            del self._behind[lane]

    def _stop(self, lane: object) -> None:
        """Nothing of this lane leaves any more: it must not overtake the one that was not taken."""
        if lane is not None:
            self._stopped.add(lane)
            self.settled += len(self._behind.pop(lane, ()))
