"""Spans of time as spans of ids: an id begins with the millisecond in which it was made."""

from datetime import datetime, timedelta
from uuid import UUID

EARLIER, LATER = timedelta(days=1), timedelta(days=31)
"""How far a case's id, which begins with when it was made, may lie from when its report was received."""


def first_id(at: datetime) -> UUID:
    """The smallest id that can be made at `at` or later."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)
