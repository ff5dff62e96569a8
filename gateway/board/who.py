"""Who does it, and who may look at the whole city: messages, switches and replays belong to no part of it."""

from typing import Annotated

from fastapi import Request
from pydantic import Field

from canonical.errors import Why
from canonical.rights import Right
from gateway.access import Asking, Who, allowed
from gateway.hub import Hub
from gateway.refusal import Refusal, plain

Actor = Annotated[
    str, Field(max_length=100, description="who does it; needed with the centre's token, else it is who signed in")
]


def citywide(hub: Hub, right: Right) -> Asking:
    """A dependency that lets in who has this right over the whole city. Raises Refusal: 401, or 403."""
    asked = allowed(hub, right)

    async def whole(request: Request) -> Who:
        who = await asked(request)
        if not who.scope.whole:
            text = "this concerns the whole city, and you see a part of it"
            raise Refusal(403, "out_of_scope", text, "scopes: docs/people.md")
        return who

    return whole


def acting(who: Who, given: str, *, name: str = "actor") -> str:
    """The name that is kept. Raises Refusal: 422 where the centre's token does not say who. `name`: of the field."""
    if not who.machine:
        return who.login
    if not plain(given).strip():
        raise Refusal(422, Why.CONTRACT, f"{name}: say who does it", "whoever signs in is known without it")
    return given.strip()
