"""Who is let in to the API, what they may do there, and which rows they see."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import Request

from canonical.errors import Why
from canonical.rights import EVERYTHING, Right, Scope
from gateway.hub import Hub
from gateway.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who asks: a person who signed in, or a machine with the centre's token."""

    login: str
    rights: frozenset[Right]
    scope: Scope

    def may(self, right: Right) -> bool:
        """True when the right is theirs."""
        return right in self.rights


CENTRE = Who("centre", frozenset(Right), EVERYTHING)
"""Who shows the centre's token."""
Asking = Callable[[Request], Awaitable[Who]]


def allowed(hub: Hub, right: Right) -> Asking:
    """A dependency that lets in who has this right, and says who it is. Raises Refusal: 401, or 403."""

    async def asked(request: Request) -> Who:
        who = _by_token(hub, request.headers)
        if who is None:
            hint = "send Authorization: Bearer <GRIDHUB_CENTRE_TOKEN>"
            raise Refusal(401, Why.UNAUTHENTICATED, "the token is missing or wrong", hint)
        if not who.may(right):
            raise Refusal(403, "forbidden", f"{who.login} has not the right '{right}'", "rights: docs/people.md")
        return who

    return asked


def guard(hub: Hub) -> Asking:
    """Lets in who may look."""
    return allowed(hub, Right.SEE)


def _by_token(hub: Hub, headers: Mapping[str, str]) -> Who | None:
    expected = hub.settings.centre_token.encode()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    known = bool(expected) and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected)
    return CENTRE if known else None
