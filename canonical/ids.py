"""Identifiers: UUID version 7 (RFC 9562), so that rows lie in the order of their making."""

import os
from datetime import datetime
from uuid import UUID


def new_id(now: datetime) -> UUID:
    """A version 7 UUID whose first 48 bits are `now` in milliseconds since 1970."""
    milliseconds = int(now.timestamp() * 1000) & 0xFFFFFFFFFFFF
    noise = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds << 80) | (0x7 << 76) | (((noise >> 64) & 0xFFF) << 64) | (0b10 << 62) | (noise & (2**62 - 1))
    return UUID(int=value)
