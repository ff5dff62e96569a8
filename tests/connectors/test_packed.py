"""Packed bodies are unpacked within a bound, and what is broken is told."""

import gzip
import zlib

import pytest

from connectors.packed import unpacked

PLAIN = b'{"level": 1.5}' * 20
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        ("gzip", gzip.compress(PLAIN[:14], mtime=0) + gzip.compress(PLAIN[14:], mtime=0)),
        ("x-gzip", gzip.compress(PLAIN, mtime=0)),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", RAW.compress(PLAIN) + RAW.flush()),
    ],
)
def test_what_was_packed_is_read(encoding: str, packed: bytes) -> None:
    assert unpacked(packed, encoding, 10_000) == PLAIN


@pytest.mark.parametrize(
    "packed", [b"no gzip", gzip.compress(PLAIN, mtime=0)[:-9], gzip.compress(PLAIN, mtime=0) + b"more"]
)
def test_what_is_broken_is_a_value_error(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"broken|too early"):
        unpacked(packed, "gzip", 10_000)


def test_a_bomb_is_unpacked_no_further_than_asked() -> None:
    assert len(unpacked(gzip.compress(bytes(50_000_000)), "gzip", 1001)) == 1001
