"""Patterns with wildcards, matched in time that grows with the text alone: no pattern makes it slow."""

from collections.abc import Callable

_ANY, _ONE = object(), object()


def matches(pattern: str, any_: str, one: str, escape: str, *, nocase: bool) -> Callable[[str], bool]:
    """A test for texts. `any_` stands for any letters, `one` for one, `escape` takes the meaning of what follows."""
    parts = _parts(pattern.casefold() if nocase else pattern, any_ or "", one or "", escape or "")
    return lambda text: _fits(parts, text.casefold() if nocase else text)


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


def _fits(parts: list[object], text: str) -> bool:
    """Greedy with one point to return to: the last wildcard."""
    at, part, star, mark = 0, 0, -1, 0
    while at < len(text):
        if part < len(parts) and parts[part] is _ANY:
            star, mark, part = part, at, part + 1
        elif part < len(parts) and (parts[part] is _ONE or parts[part] == text[at]):
            part, at = part + 1, at + 1
        elif star >= 0:
            part, mark, at = star + 1, mark + 1, mark + 1
        else:
            return False
    return all(one is _ANY for one in parts[part:])
