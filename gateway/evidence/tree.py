"""Merkle trees as RFC 9162 has them: one over the rows of a seal, and one over all seals, which is the chain.

Of the chain's tree nothing is ever computed anew: with each seal stand the nodes that end with it, so a head or a proof
costs as many look-ups as the tree is deep.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from gateway.evidence.verify import NODE, Hash

Span = tuple[int, int]
"""Leaves from the first up to, and without, the second."""


class Tree:
    """A tree over leaves that are all at hand."""

    def __init__(self, hash_: Hash, leaves: Sequence[bytes]) -> None:
        self.levels = [list(leaves)]
        while len(below := self.levels[-1]) > 1:
            above = [hash_(NODE + below[at] + below[at + 1]) for at in range(0, len(below) - 1, 2)]
            self.levels.append(above + below[len(above) * 2 :])

    @property
    def root(self) -> bytes:
        """Over one leaf at least."""
        return self.levels[-1][0]

    def path(self, index: int) -> list[bytes]:
        """From the leaf to the root: what is beside it."""
        found = []
        for level in self.levels[:-1]:
            if index ^ 1 < len(level):
                found.append(level[index ^ 1])
            index >>= 1
        return found


# --- the chain: spans of it, and where their nodes stand ---


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def pieces(span: Span) -> Iterator[Span]:
    """The whole subtrees a span is made of: each stands with its last seal."""
    first, end = span
    if (end - first) & (end - first - 1) == 0:
        yield span
    else:
        middle = first + _split(end - first)
        yield first, middle
        yield from pieces((middle, end))


def path_spans(index: int, size: int) -> list[Span]:
    """What proves that leaf `index` is in the chain of that size (RFC 9162, 2.1.3.1)."""
    first, end = 0, size
    found: list[Span] = []
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((first, middle))
            first = middle
    return found[::-1]


def extension_spans(old: int, size: int) -> list[Span]:
    """What proves that the chain of that size begins as the one of size `old` (RFC 9162, 2.1.4.1)."""
    first, end, whole = 0, size, True
    found: list[Span] = []
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((first, middle))
            first, whole = middle, False
    return found[::-1] if whole else [(first, end), *found[::-1]]


def root_of(hash_: Hash, span: Span, node: Mapping[Span, bytes]) -> bytes:
    """The node of a span, of the nodes of its pieces."""
    *before, last = pieces(span)
    root = node[last]
    for piece in reversed(before):
        root = hash_(NODE + node[piece] + root)
    return root


@cache
def heights(no: int) -> int:
    """How many whole subtrees end with seal `no`, the leaf itself counted."""
    return (no & -no).bit_length()


def standing_with(no: int) -> Iterator[Span]:
    """The whole subtrees that end with seal `no`, the smallest first."""
    for height in range(heights(no)):
        yield no - (1 << height), no


def nodes_with(hash_: Hash, no: int, leaf: bytes, node: Mapping[Span, bytes]) -> list[bytes]:
    """The nodes that end with seal `no`, of its leaf and of those that the chain has."""
    found = [leaf]
    for first, _ in [*standing_with(no)][1:]:
        middle = no - (1 << len(found) - 1)
        found.append(hash_(NODE + node[first, middle] + found[-1]))
    return found


def needed_with(no: int) -> list[Span]:
    """The whole subtrees of earlier seals that seal `no` needs: for its nodes and for the head."""
    spans = [piece for piece in pieces((0, no)) if piece[1] != no]
    return [*spans, *((first, (first + no) // 2) for first, _ in [*standing_with(no)][1:])]
