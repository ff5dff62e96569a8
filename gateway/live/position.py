"""How far a console has heard: the `id` of each event, and what is left to tell from there on.

The same in every process. Usually a moment; in the middle of a look the two moments it lies between, and how many of
the moves between them have been told.
"""

from dataclasses import dataclass
from typing import Self

from storage.moves import Look, Snapshot, in_order


@dataclass(frozen=True, slots=True)
class Position:
    """All that `seen` shows has been told and, of what `partly` shows beside it, the first `told`."""

    seen: Snapshot
    partly: Snapshot | None = None
    told: int = 0

    def __str__(self) -> str:
        return f"{self.seen}~{self.partly}~{self.told}" if self.partly else str(self.seen)

    @classmethod
    def read(cls, written: str) -> Self | None:
        """The position that is written so; None when none is."""
        seen_text, _, rest = written.partition("~")
        seen = Snapshot.read(seen_text)
        if seen is None or not rest:
            return cls(seen) if seen and written == seen_text else None
        partly_text, _, number = rest.partition("~")
        partly = Snapshot.read(partly_text)
        sound = partly is not None and seen.within(partly) and number.isascii() and number.isdigit()
        return cls(seen, partly, int(number)) if sound and len(number) <= _DIGITS else None

    def within(self, later: Snapshot) -> bool:
        """True when `later` can have been taken after it, on the same database."""
        return (self.partly or self.seen).within(later)

    def left(self, look: Look, until: Snapshot) -> list[tuple[Look, int]]:
        """What has still to be told up to `until`, and how many of the first moves of each part were told before.

        `look`: all that is new since `seen`; it may have seen more than `until` did.
        """
        moves = [one for one in look.moves if until.sees(one.transaction)]
        if self.partly is None:
            return [(Look(self.seen, until, in_order(moves)), 0)]
        begun = in_order(one for one in moves if self.partly.sees(one.transaction))
        others = in_order(one for one in moves if not self.partly.sees(one.transaction))
        return [(Look(self.seen, self.partly, begun), self.told), (Look(self.partly, until, others), 0)]


_DIGITS = 9
