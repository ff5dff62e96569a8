"""The last looks of this process, kept for consoles that come back after a moment."""

from collections import deque

from gateway.live.position import Position
from gateway.live.words import ToldLook

MOST_LOOKS = 600
"""Ten minutes of looks, one a second."""
MOST_MOVES = 5000


class Kept:
    """Looks that follow one another without a gap."""

    def __init__(self) -> None:
        self._looks: deque[ToldLook] = deque()
        self._moves = 0

    def clear(self) -> None:
        """What follows does not follow from what was kept."""
        self._looks.clear()
        self._moves = 0

    def keep(self, told: ToldLook) -> None:
        """The next look; the oldest are forgotten."""
        if not told.look.moves and told.look.before == told.look.after:
            return
        self._looks.append(told)
        self._moves += len(told.look.moves)
        while len(self._looks) > MOST_LOOKS or self._moves > MOST_MOVES:
            self._moves -= len(self._looks.popleft().look.moves)

    def since(self, position: Position) -> list[tuple[ToldLook, int]] | None:
        """What is left to tell from there on, as Position.left; None when it is not known here."""
        looks = list(self._looks)
        if looks and position.partly is None and position.seen == looks[-1].look.after:
            return []
        for number, told in enumerate(looks):
            if told.look.before == position.seen and position.partly in (None, told.look.after):
                return [(told, position.told), *((later, 0) for later in looks[number + 1 :])]
        return None
