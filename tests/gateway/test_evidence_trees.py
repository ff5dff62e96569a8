"""Trees and proofs by their laws: what is in a tree can be proven, nothing else can, and trees only grow."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.signing import ALGORITHMS
from gateway.evidence.tree import (
    Tree,
    extension_spans,
    needed_with,
    nodes_with,
    path_spans,
    pieces,
    root_of,
    standing_with,
)
from gateway.evidence.verify import LEAF, extends, hash_of, included, signed, sm3

SHA256 = hash_of("sha256")
# The entries and roots with which implementations of RFC 6962 are tested.
ENTRIES = [bytes.fromhex(one) for one in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
SIZES = st.integers(1, 70)


def leaves(size: int) -> list[bytes]:
    """Hashes of as many entries."""
    return [SHA256(LEAF + str(number).encode()) for number in range(size)]


class Chain:
    """The chain's tree as the database has it: with each leaf the nodes that end with it."""

    def __init__(self, size: int) -> None:
        self.node: dict[tuple[int, int], bytes] = {}
        for no, leaf in enumerate(leaves(size), 1):
            needed = {span: self.node[span] for span in needed_with(no)}
            own = nodes_with(SHA256, no, leaf, needed)
            self.node |= dict(zip(standing_with(no), own, strict=True))
            self.head = root_of(SHA256, (0, no), needed | dict(zip(standing_with(no), own, strict=True)))

    def of(self, spans: list[tuple[int, int]]) -> list[bytes]:
        """The nodes of spans."""
        return [root_of(SHA256, span, {piece: self.node[piece] for piece in pieces(span)}) for span in spans]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_standard(size: int) -> None:
    hashed = [SHA256(LEAF + entry) for entry in ENTRIES[:size]]

    assert Tree(SHA256, hashed).root.hex() == ROOTS[size - 1]


@given(st.data(), SIZES)
def test_each_leaf_is_proven_and_no_other_in_its_place(data: st.DataObject, size: int) -> None:
    tree = Tree(SHA256, leaves(size))
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    path = tree.path(index)

    assert included(SHA256, leaves(size)[index], index, size, path) == tree.root
    if other != index:
        assert included(SHA256, leaves(size)[other], index, size, path) != tree.root
        assert included(SHA256, leaves(size)[index], other, size, path) != tree.root
    for broken in (path[:-1], [*path, path[-1]], path[::-1]) if len(path) > 1 else ():
        assert included(SHA256, leaves(size)[index], index, size, broken) != tree.root


@given(st.data(), SIZES)
def test_the_chain_is_the_same_tree_and_its_proofs_the_same(data: st.DataObject, size: int) -> None:
    chain, tree = Chain(size), Tree(SHA256, leaves(size))
    index = data.draw(st.integers(0, size - 1))

    assert chain.head == tree.root
    assert chain.of(path_spans(index, size)) == tree.path(index)


@settings(max_examples=200)
@given(st.data(), SIZES)
def test_a_chain_goes_on_from_each_of_its_heads_and_from_no_other(data: st.DataObject, size: int) -> None:
    chain, old_size = Chain(size), data.draw(st.integers(1, size))
    old = Tree(SHA256, leaves(old_size)).root
    path = chain.of(extension_spans(old_size, size)) if old_size < size else []

    assert extends(SHA256, old, old_size, chain.head, size, path)
    forged = Tree(SHA256, [*leaves(old_size - 1), b"x" * 32]).root
    assert not extends(SHA256, forged, old_size, chain.head, size, path)
    assert not extends(SHA256, old, old_size, forged, size, path)
    if path:
        assert not extends(SHA256, old, old_size, chain.head, size, path[:-1])


@pytest.mark.parametrize(("index", "size", "path"), [(0, 0, []), (3, 3, []), (-1, 2, [b""]), (0, 1, [b"x" * 32])])
def test_a_place_that_is_not_in_the_tree_proves_nothing(index: int, size: int, path: list[bytes]) -> None:
    assert included(SHA256, b"x" * 32, index, size, path) is None


def test_sm3_is_that_of_the_standard_and_of_the_library() -> None:
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    for size in (0, 1, 55, 56, 63, 64, 65, 200):
        data = hashlib.shake_128(b"seed").digest(size)
        assert sm3(data) == ALGORITHMS["sm3"](data, b"") == hash_of("sm3")(data)


def test_a_signature_holds_for_its_key_and_data_alone() -> None:
    key, other = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
    public, stranger = (one.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for one in (key, other))
    signature = key.sign(b"head")

    assert signed(public, b"head", signature)
    assert not signed(public, b"heat", signature)
    assert not signed(stranger, b"head", signature)
    for at in (0, 31, 32, 63):
        assert not signed(public, b"head", bytes(b ^ (i == at) for i, b in enumerate(signature)))
    assert not signed(b"", b"head", signature)
    assert not signed(public, b"head", signature[:32] + b"\xff" * 32)
