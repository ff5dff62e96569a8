"""Who listens, and what each is told. Knows no database: what happened is given to it.

What happened is written once for all who hear the same, and the very bytes go to each; whoever does not take them is
reset, and disturbs nobody.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.metadata import version

from gateway.access import Who
from gateway.live import words
from gateway.live.kept import Kept
from gateway.live.listener import MOST_WAITING, Listener
from gateway.live.words import Audience, Reset, ToldLook, Word
from gateway.metrics import LIVE_LISTENERS, LIVE_RESETS
from storage.moves import Look, Snapshot

FLOOD_EVERY = 10
"""Looks between two resets while a flood lasts: nobody loads anew every second."""


class Full(Exception):
    """As many listen as may."""


class Broadcast:
    """The listeners of one process."""

    def __init__(self, now: Callable[[], datetime], *, most: int, most_waiting: int = MOST_WAITING) -> None:
        """`most`: listeners; `most_waiting`: bytes for one of them."""
        self._now, self._most, self._most_waiting = now, most, most_waiting
        self._version = version("gridhub")
        self._listeners: set[Listener] = set()
        self._kept = Kept()
        self.standing: Callable[[Audience], bytes] = lambda _: b""
        """What whoever comes must know beside what happens."""
        self.begun = 0
        """Looks that have begun."""
        self.forget()

    def forget(self) -> None:
        """Nobody has looked for a while."""
        self.at: Snapshot | None = None
        self._looked: datetime | None = None
        self._trouble: datetime | None = None
        self._owed = False
        """There was a flood since the last reset: until the next one nobody has an id to go on from."""
        self._flooded = self.begun - FLOOD_EVERY
        self._kept.clear()

    def join(self, who: Who, given: str) -> Listener:
        """Somebody listens, from an id on that was `given`, or from now on. Raises Full."""
        if len(self._listeners) >= self._most:
            raise Full
        listener = Listener(who, given, joined=self.begun, most=self._most_waiting)
        self._listeners.add(listener)
        LIVE_LISTENERS.inc()
        listener.put(words.RETRY)
        if self._trouble:
            self._greet(listener)
        elif (
            self.at is not None
            and not self._owed
            and (listener.position is None or self._kept.since(listener.position) is not None)
        ):
            self._attach(listener, self.at)
        return listener

    def leave(self, listener: Listener) -> None:
        """Nobody listens there any more."""
        if listener in self._listeners:
            self._listeners.discard(listener)
            LIVE_LISTENERS.dec()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """All of them."""
        return tuple(self._listeners)

    @property
    def audiences(self) -> frozenset[Audience]:
        """All there are."""
        return frozenset(one.audience for one in self._listeners)

    # What happened

    def looked(self, look: Look, *, number: int) -> None:
        """A look that came back, the `number`th to begin: whoever listened before is told, then who waited joins."""
        over, self._trouble = self._trouble, None
        self.at, self._looked = look.after, self._now()
        if over:
            self._tell(self.listeners, words.trouble(self._now(), over, over=True))
        attached = [one for one in self.listeners if one.attached]
        if look.flood or self._owed:
            self._flood(attached, number)
        else:
            self._moved(attached, ToldLook.of(look))
        for one in self.listeners:
            if not one.attached and one.joined < number:
                self._attach(one, look.after)

    def _moved(self, listeners: Iterable[Listener], told: ToldLook) -> None:
        self._kept.keep(told)
        written: dict[Audience, bytes] = {}
        for one in listeners:
            if one.audience not in written:
                written[one.audience] = told.to(one.audience)
            self._put(one, written[one.audience])

    def _flood(self, listeners: Iterable[Listener], number: int) -> None:
        self._kept.clear()
        self._owed = number - self._flooded < FLOOD_EVERY
        if self._owed:
            return
        self._flooded = number
        for one in listeners:
            self._reset(one, Reset.FLOOD)

    def lost(self) -> None:
        """The database does not answer."""
        if self._trouble is not None:
            return
        self._trouble = self._looked or self._now()
        waiting = [one for one in self.listeners if not one.greeted]
        self._tell(
            [one for one in self.listeners if one.greeted], words.trouble(self._now(), self._trouble, over=False)
        )
        for one in waiting:
            self._greet(one)

    def beat(self) -> None:
        """The hub lives."""
        with_id = words.beat(self._now(), self._looked, self.at)
        without = words.beat(self._now(), self._looked)
        for one in self.listeners:
            if one.greeted:
                self._put(one, with_id if one.attached and not self._owed else without)

    def tell(self, part: bytes, audience: Callable[[Audience], bool]) -> None:
        """Something that no id is needed for, to those who hear what happens."""
        self._tell([one for one in self.listeners if one.attached and audience(one.audience)], part)

    def tell_missed(self, listener: Listener, parts: Iterable[tuple[Look, int]], until: Snapshot) -> bytes:
        """What somebody missed, and from where it goes on."""
        told = b"".join(ToldLook.of(look).to(listener.audience, told=number) for look, number in parts)
        return told + words.beat(self._now(), self._looked, until)

    def instead(self, why: Reset, at: Snapshot) -> bytes:
        """A reset in the place of what was missed."""
        LIVE_RESETS.labels(why).inc()
        return words.reset(self._now(), why, at)

    def ended(self, listener: Listener) -> None:
        """Somebody may listen no longer."""
        text = "you are signed out, or your rights have changed: sign in again"
        listener.end(words.event(Word.ENDED, {"at": self._now().isoformat(), "text": text}))

    # One listener

    def _attach(self, listener: Listener, at: Snapshot) -> None:
        """From this moment on it hears what happens; before that, what it missed."""
        listener.attached = True
        position = listener.position
        if listener.fresh and not listener.greeted:
            self._greet(listener, at)
        else:
            if not listener.greeted:
                self._greet(listener)
            if position is None or not position.within(at):
                self._reset(listener, Reset.LATE if listener.fresh else Reset.UNKNOWN, add=True)
            elif (known := self._kept.since(position)) is not None:
                parts = b"".join(told.to(listener.audience, told=number) for told, number in known)
                self._put(listener, parts + words.beat(self._now(), self._looked, at))
            else:
                listener.catch_up(at)
        self._put(listener, self.standing(listener.audience))

    def _greet(self, listener: Listener, at: Snapshot | None = None) -> None:
        listener.greeted = True
        resumed = listener.position is not None
        listener.put(words.hello(self._now(), self._version, listener.who, at, resumed=resumed))
        if self._trouble:
            listener.put(words.trouble(self._now(), self._trouble, over=False))

    def _tell(self, listeners: Iterable[Listener], part: bytes) -> None:
        for one in listeners:
            self._put(one, part)

    def _put(self, listener: Listener, part: bytes) -> None:
        if part and not listener.put(part):
            self._reset(listener, Reset.SLOW)

    def _reset(self, listener: Listener, why: Reset, *, add: bool = False) -> None:
        """Whoever is not attached yet has no place to go on from: it gets its reset when it is."""
        if self.at is None or not listener.attached:
            return
        part = self.instead(why, self.at)
        if add:
            listener.put(part)
        else:
            listener.instead(part + self.standing(listener.audience))
