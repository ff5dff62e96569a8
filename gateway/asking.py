"""Questions of ours to one system: pages, counts, signs of life. A token that has ended in between is renewed."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from adapters import System
from canonical.errors import Unauthenticated
from canonical.message import Message
from gateway.hub import Hub
from gateway.session import Session

_Heard = TypeVar("_Heard")


class Asking:
    """Asks one system. What it answers is judged as its declaration says; nothing is repeated but for a new token."""

    def __init__(self, hub: Hub, system: System, session: Session) -> None:
        self.hub, self.system, self.session = hub, system, session

    async def ask(self, name: str, read: Callable[[Message], _Heard], **names: object) -> _Heard:
        """What `read` finds in the answer to the declared message `name`; `names` as for System.say.

        Raises Unavailable, InDoubt, Refused, Unauthenticated (signing in does not help), ContractViolation.
        """
        return await asyncio.to_thread(self._ask, name, read, names)

    async def say(self, name: str, **names: object) -> Any:  # noqa: ANN401 a document of theirs
        """The document in the answer to the declared message `name`. Raises as ask does."""
        return await self.ask(name, lambda answer: self.system.heard(name, answer)[1], **names)

    # Blocking, in a thread

    def _ask(self, name: str, read: Callable[[Message], _Heard], names: dict[str, object]) -> _Heard:
        if self.session.stale:
            self.session.renew(self.session.token)
        token = self.session.token
        try:
            return read(self.session.said(name, **names))
        except Unauthenticated:
            if not self.session.renew(token):
                raise
            return read(self.session.said(name, **names))
