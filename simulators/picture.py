"""Pictures made on the spot: the smallest valid PNG, one pixel in a colour of its own, so that no two need be alike."""

import zlib
from random import Random
from struct import pack

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(dice: Random) -> bytes:
    """One pixel, 8 bits a channel, in the colour that falls."""
    colour = dice.randbytes(3)
    header = pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\x00" + colour)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data))
