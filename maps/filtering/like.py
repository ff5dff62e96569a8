"""Patterns with wildcards, matched piece by piece from the left: no pattern makes it slow."""

import re
from collections.abc import Callable

_ANY, _ONE = object(), object()


def matches(pattern: str, any_: str, one: str, escape: str, *, nocase: bool) -> Callable[[str], bool]:
    """A test for texts. `any_` stands for any letters, `one` for one, `escape` takes the meaning of what follows."""
    parts = _parts(pattern.casefold() if nocase else pattern, any_ or "", one or "", escape or "")
    pieces, lengths = _pieces(parts)

    def fits(text: str) -> bool:
        text = text.casefold() if nocase else text
        if len(pieces) == 1:
            return pieces[0].fullmatch(text) is not None
        end = len(text) - lengths[-1]
        if end < lengths[0] or not pieces[0].match(text) or not pieces[-1].match(text, end):
            return False
        at = lengths[0]
        for piece in pieces[1:-1]:
            found = piece.search(text, at, end)
            if found is None:
                return False
            at = found.end()
        return True

    return fits


def _parts(pattern: str, any_: str, one: str, escape: str) -> list[object]:
    parts: list[object] = []
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        if letter == escape and position + 1 < len(pattern):
            position += 1
            parts.append(pattern[position])
        elif letter == any_:
            parts.append(_ANY)
        else:
            parts.append(_ONE if letter == one else letter)
        position += 1
    return parts


def _pieces(parts: list[object]) -> tuple[list[re.Pattern[str]], list[int]]:
    """What stands between wildcards for any letters, each of one length, and these lengths.

    Such a piece repeats nothing, so the leftmost place where it fits is the best one, and nothing is tried twice.
    """
    pieces: list[list[str]] = [[]]
    for part in parts:
        if part is _ANY:
            pieces.append([])
        else:
            pieces[-1].append("." if part is _ONE else re.escape(str(part)))
    return [re.compile("".join(one), re.DOTALL) for one in pieces], [len(one) for one in pieces]
