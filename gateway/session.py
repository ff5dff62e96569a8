"""A system's session: the token it hands out at signing in, and what it is asked in its name. Blocking, in threads."""

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from adapters import System
from adapters.before import Ask, Heard, answered
from canonical.message import Message
from canonical.ports import Connector
from gateway.hub import Hub

_LIFE_USED = 0.9
"""Share of a token's life after which it is renewed: the clocks of two systems are never quite the same."""


@dataclass(slots=True)
class Session:
    """A token that a system hands out at signing in; fetched when needed, renewed when it is refused."""

    system: System
    connector: Connector
    hub: Hub
    token: str = field(default="", repr=False)
    until: datetime | None = None
    """When the token will be too old, when that is known."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def stale(self) -> bool:
        """True when the token is, or soon will be, too old."""
        return self.until is not None and self.hub.now() >= self.until

    def renew(self, refused: str | None = None) -> bool:
        """Sign in anew, blocking. False when the system has no signing in, or we have no account there.

        `refused`: the token that was not taken. Where another thread has a newer one by now, that is the one to use:
        many platforms end the old token when they give a new one.
        """
        with self._lock:
            return bool(refused is not None and self.token and self.token != refused) or self._signed_in()

    def said(self, name: str, **names: object) -> Message:
        """The answer to the declared message `name` that asks; what it needs to know before is asked first.

        `names` as for System.say. Raises what sending and judging the questions before raises.
        """
        return self._said(name, self.token, names)

    def _signed_in(self) -> bool:
        if self.system.signing_in is None:
            return False
        token = self.system.token(self._said(self.system.signing_in.message, "", {}))
        life = timedelta(seconds=token.seconds * _LIFE_USED)
        self.token, self.until = token.value, self.hub.now() + life if token.seconds else None
        return True

    def _said(self, name: str, token: str, names: dict[str, Any]) -> Message:
        def send(message: str, **more: Any) -> Message:  # noqa: ANN401
            asked = self.system.say(
                message, now=self.hub.now(), id=self.hub.ids(), session=token, **{**names, **more}
            )  # fmt: skip
            sent = self.connector.seal(asked)
            return replace(self.connector.send(sent), asked=sent)

        def hear(ask: Ask) -> Heard:
            answer = send(ask.message, **ask.names)
            return answer, self.system.heard(ask.message, answer)[1]

        before = answered(self.system.before(name, **names), hear)
        return send(name, before=before.answers)
