"""The events as consoles read them: names, JSON, `text/event-stream` around it. Nobody's data, no texts of people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from canonical.clock import CLOCK_TITLES, Clock
from canonical.lifecycle import BY_ACTION, STAGE_TITLES
from canonical.rights import Right, Scope
from canonical.time import in_shanghai
from gateway.access import Who
from gateway.live.position import Position
from storage.moves import Look, Move

RETRY = b"retry: 3000\n\n"
"""Milliseconds after which a browser comes back."""


class Word(StrEnum):
    """What an event is."""

    HELLO = "hello"
    MOVED = "moved"
    SYSTEMS = "systems"
    FIGURES = "figures"
    ALARM = "alarm"
    BEAT = "beat"
    TROUBLE = "trouble"
    RESET = "reset"
    ENDED = "ended"


class Reset(StrEnum):
    """Why a console has to load anew."""

    SLOW = "slow"
    """It took less than came."""
    GAP = "gap"
    """It was away for longer than can be told again."""
    UNKNOWN = "unknown"
    """Its Last-Event-ID is of another database, or of nobody."""
    FLOOD = "flood"
    """More happened at once than can be told one by one."""
    LATE = "late"
    """The database was away when it came: what it loaded before may be older than its first event."""


RESET_TEXTS: Mapping[Reset, str] = {
    Reset.SLOW: "events came faster than they were read: load anew",
    Reset.GAP: "more has happened since than can be told again: load anew",
    Reset.UNKNOWN: "the Last-Event-ID is not one of this hub: load anew",
    Reset.FLOOD: "more happened at once than can be told one by one: load anew",
    Reset.LATE: "the database was away when you came: load anew",
}


@dataclass(frozen=True, slots=True)
class Audience:
    """Those who hear the same."""

    scope: Scope
    watches: bool
    """Hears of systems, too."""

    @classmethod
    def of(cls, who: Who) -> "Audience":
        """The one that somebody belongs to, whatever their scope is called."""
        same = who.scope
        return cls(
            Scope("", areas=same.areas, classes=same.classes, systems=same.systems, units=same.units),
            who.may(Right.WATCH),
        )

    def sees(self, move: Move) -> bool:
        """True when the case may be seen."""
        return self.scope.whole or self.scope.covers(
            area=move.area, class_code=move.class_code, systems=(move.source, move.owner),
            units=(move.unit, *move.units),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToldLook:
    """A look, each move written once, whoever hears it."""

    look: Look
    written: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, look: Look) -> "ToldLook":
        """It, in words."""
        return cls(look, [_written(one) for one in look.moves])

    def to(self, audience: Audience, *, told: int = 0) -> bytes:
        """All that this audience may hear, without the first `told` moves; the last of it stands for the whole look."""
        before, after = self.look.before, self.look.after
        heard = [n for n, one in enumerate(self.look.moves, 1) if n > told and audience.sees(one)]
        ids = [str(Position(before, after, n)) for n in heard[:-1]] + [str(after)]
        return b"".join(
            self.written[n - 1] + b"id: " + id_.encode() + b"\n\n" for n, id_ in zip(heard, ids, strict=False)
        )


def event(word: Word, data: Mapping[str, Any], id_: object = None) -> bytes:
    """One event. `id_`: from where to go on after it."""
    head = b"" if id_ is None else f"id: {id_}\n".encode()
    return _head(word, data) + head + b"\n"


def hello(at: datetime, version: str, who: Who, id_: object = None, *, resumed: bool = False) -> bytes:
    """The first event."""
    return event(
        Word.HELLO,
        {"at": _time(at), "version": version, "person": {"login": who.login}, "resumed": resumed},
        id_,
    )


def beat(at: datetime, looked_at: datetime | None, id_: object = None) -> bytes:
    """The hub lives; `looked_at`: when it last saw what happened."""
    return event(Word.BEAT, {"at": _time(at), "looked_at": _time(looked_at)}, id_)


def reset(at: datetime, why: Reset, id_: object) -> bytes:
    """Load anew; what happens from now on follows."""
    return event(Word.RESET, {"at": _time(at), "why": why, "text": RESET_TEXTS[why]}, id_)


def trouble(at: datetime, since: datetime, *, over: bool) -> bytes:
    """Since when nothing can be seen; `over`: it can again, and what happened meanwhile follows."""
    text = "the database answers again" if over else "the database does not answer: what you see is of before"
    return event(Word.TROUBLE, {"at": _time(at), "since": _time(since), "over": over, "text": text})


def _written(move: Move) -> bytes:
    """The move without its id, and before it the alarm that it is, if it is one."""
    at = _time(move.at)
    moved = _head(Word.MOVED, {
        "no": move.no, "seq": move.seq, "stage": move.stage, "stage_title": STAGE_TITLES[move.stage],
        "action": move.action, "title": BY_ACTION[move.action].title, "at": at, "source": move.source,
        "owner": move.owner, "unit": move.unit, "area": move.area, "class_code": move.class_code,
    })  # fmt: skip
    if not move.step or (move.step != _RUN_OUT and not move.step.startswith("+")):
        return moved
    clock = Clock(move.clock)
    alarm = {
        "at": at, "what": "overdue", "no": move.no, "clock": clock, "title": CLOCK_TITLES[clock], "step": move.step,
        "unit": move.unit,
    }  # fmt: skip
    return event(Word.ALARM, alarm) + moved


_RUN_OUT = "due"


def _head(word: Word, data: Mapping[str, Any]) -> bytes:
    return b"event: " + word.encode() + b"\ndata: " + orjson.dumps(data) + b"\n"


def _time(at: datetime | None) -> str | None:
    return in_shanghai(at).isoformat() if at else None
