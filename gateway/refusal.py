"""Who is let in to the API, and how it says no: one envelope for every refusal."""

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request

from canonical.errors import HubError, Why
from gateway.hub import Hub


class Refusal(HubError):
    """An answer in our own error envelope."""

    def __init__(self, status: int, code: str, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.status, self.code, self.hint = status, code, hint


def plain(value: str) -> str:
    """A query value as the database can take it."""
    if "\0" in value:
        raise Refusal(422, Why.CONTRACT, "U+0000 cannot be looked for")
    return value


def guard(hub: Hub) -> Callable[[Request], Awaitable[None]]:
    """Lets in who has the centre's token."""
    expected = hub.settings.centre_token.encode()

    async def allowed(request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        known = bool(expected) and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected)
        if not known:
            hint = "send Authorization: Bearer <GRIDHUB_CENTRE_TOKEN>"
            raise Refusal(401, Why.UNAUTHENTICATED, "the token is missing or wrong", hint)

    return allowed
