"""Texts as they are compared: width and case do not count, and each character knows where it stood."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

AROUND = 12
"""Characters shown on each side of what was found."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A text folded character by character."""

    text: str
    origin: tuple[int, ...]
    """Of each folded character: which one of the original it is of. One may fold to several (㎡) or to none."""

    def find(self, word: str) -> tuple[int, int] | None:
        """Where the first occurrence of a folded word begins and ends in the original; None: nowhere."""
        at = self.text.find(word)
        if at < 0:
            return None
        return self.origin[at], self.origin[at + len(word) - 1] + 1


def folded(text: str) -> str:
    """Full-width forms become half-width, letters small: `ＤＨ１２` and `dh12` are the same."""
    return "".join(map(_one, text))


def with_origin(text: str) -> Folded:
    """The same, and where each character came from."""
    pairs = [(piece, index) for index, character in enumerate(text) for piece in _one(character)]
    return Folded("".join(piece for piece, _ in pairs), tuple(index for _, index in pairs))


def bigrams(text: str) -> Iterator[str]:
    """Each two neighbours of a folded text; what has a space in it belongs to no word."""
    for pair in pairwise(text):
        if not (pair[0].isspace() or pair[1].isspace()):
            yield "".join(pair)


def around(text: str, where: tuple[int, int]) -> str:
    """A piece of the original with a little on each side, on one line."""
    begin, end = max(0, where[0] - AROUND), min(len(text), where[1] + AROUND)
    piece = " ".join(text[begin:end].split())
    return f"{'…' if begin else ''}{piece}{'…' if end < len(text) else ''}"


def _one(character: str) -> str:
    # Character by character: a whole text would be put together differently, and no position would be known.
    if character.isascii():
        return character.lower()
    return unicodedata.normalize("NFKC", character).casefold()
