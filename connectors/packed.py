"""Bodies that came packed, unpacked within a bound: what a few bytes unfold to is the sender's choice, not ours."""

import zlib
from collections.abc import Mapping
from types import MappingProxyType

_AUTOMATIC = zlib.MAX_WBITS | 32
"""zlib's word for a gzip or zlib header, whichever is there."""

ENCODINGS: Mapping[str, int] = MappingProxyType({"gzip": _AUTOMATIC, "x-gzip": _AUTOMATIC, "deflate": _AUTOMATIC})
"""Names of encodings that can be unpacked."""


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """The first `most` bytes of it, or all. Raises ValueError when it is not packed so, or ends too early."""
    if encoding == "deflate" and body and not _headed(body):  # some leave out the header (RFC 9110, 8.4.1.2)
        return _first(body, -zlib.MAX_WBITS, most)
    return _first(body, ENCODINGS[encoding], most)


def _headed(body: bytes) -> bool:
    return body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _first(body: bytes, bits: int, most: int) -> bytes:
    plain = bytearray()
    while True:
        unpacker = zlib.decompressobj(bits)
        try:
            plain += unpacker.decompress(body, most - len(plain))
        except zlib.error as error:
            raise ValueError("broken") from error
        if len(plain) >= most:
            return bytes(plain)
        if not unpacker.eof:
            raise ValueError("it ends too early")
        body = unpacker.unused_data
        if not body or bits != _AUTOMATIC:  # gzip: members may follow each other
            return bytes(plain)
