"""The key that telephones are looked for by: of the city's secret, for this purpose alone."""

from gateway.search.telephone import digest
from gateway.secret_key import key
from gateway.settings import Settings

_PURPOSE = "telephones"


def telephone_key(settings: Settings) -> bytes:
    """32 bytes, the same on every machine with the same secret. Raises Misconfigured."""
    return key(settings, _PURPOSE)


def mark(key: bytes) -> str:
    """Tells this key from another, and nothing of it."""
    return digest(key, "mark").hex()[:16]
