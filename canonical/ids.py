"""Identifiers: UUID version 7 (RFC 9562), so that rows lie in the order of their making."""

import os
from datetime import datetime
from uuid import UUID


def new_id(now: datetime) -> UUID:
    """A version 7 UUID that begins with `now`: 48 bits of milliseconds since 1970, and 12 of what is beyond them.

    What was made a microsecond later sorts behind, so that messages stand in the order in which they came (RFC 9562,
    6.2, method 3). The other 62 bits are chance.
    """
    microseconds = int(now.timestamp() // 1) * 1_000_000 + now.microsecond
    milliseconds, beyond = divmod(microseconds, 1000)
    time = ((milliseconds & 0xFFFFFFFFFFFF) << 16) | (0x7 << 12) | (beyond * 4096 // 1000)
    chance = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    return UUID(int=(time << 64) | (0b10 << 62) | chance)
