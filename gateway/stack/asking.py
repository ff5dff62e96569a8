"""Asks a page whether it is well. Needs nothing but the standard library, so it is quick to start."""

import http.client
import urllib.request

_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_WELL = 200


def answers(page: str, *, seconds: float = 1.0) -> bool:
    """Whether this page answers 200 within so many seconds."""
    try:
        with _DIRECTLY.open(page, timeout=seconds) as answer:
            return bool(answer.status == _WELL)
    except (OSError, http.client.HTTPException):
        return False
