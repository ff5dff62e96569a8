"""Questions of ours to one system: pages, counts, signs of life. A token that has ended in between is renewed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from adapters import System
from canonical.errors import Unauthenticated
from canonical.message import Message
from gateway.deliver import Session
from gateway.hub import Hub

_Heard = TypeVar("_Heard")


class Asking:
    """Asks one system. What it answers is judged as its declaration says; nothing is repeated but for a new token."""

    def __init__(self, hub: Hub, system: System, session: Session) -> None:
        self.hub, self.system, self.session = hub, system, session

    async def ask(self, write: Callable[[str], Message], read: Callable[[Message], _Heard]) -> _Heard:
        """What `read` finds in the answer to what `write` makes with the session's token.

        Raises Unavailable, InDoubt, Refused, Unauthenticated (signing in does not help), ContractViolation.
        """
        return await asyncio.to_thread(self._ask, write, read)

    async def say(self, name: str, **names: object) -> Any:  # noqa: ANN401 a document of theirs
        """The document in the answer to the declared message `name`; `names` as for System.say. Raises as ask does."""

        def written(token: str) -> Message:
            return self.system.say(name, now=self.hub.now(), id=self.hub.ids(), session=token, **names)

        return await self.ask(written, lambda answer: self.system.heard(name, answer)[1])

    # Blocking, in a thread

    def _ask(self, write: Callable[[str], Message], read: Callable[[Message], _Heard]) -> _Heard:
        if self.session.stale:
            self.session.renew(self.session.token)
        token = self.session.token
        try:
            return self._once(write, read)
        except Unauthenticated:
            if not self.session.renew(token):
                raise
            return self._once(write, read)

    def _once(self, write: Callable[[str], Message], read: Callable[[Message], _Heard]) -> _Heard:
        connector = self.session.connector
        sent = connector.seal(write(self.session.token))
        return read(replace(connector.send(sent), asked=sent))
