"""Finding by our number: what the other side made of a message whose answer never reached us.

Asked before anything is sent a second time: what it has is acknowledged, what it has not is sent, and whoever cannot be
asked now is asked later.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from canonical.errors import InDoubt, Misconfigured, Unacceptable, Unauthenticated, Unavailable
from canonical.message import Message
from canonical.reading import Answer, Outbound
from gateway.delivery.settling import Settling
from gateway.delivery.writing import Writer
from gateway.hub import Hub
from storage.outbox import Claimed, Sealed


@dataclass(frozen=True, slots=True)
class Found:
    """How the asking ended."""

    asked: Message | None
    answer: Message | None
    read: Answer | None = None
    """What the other side has of ours, or that it has nothing; None: that is not known."""
    later: Unavailable | None = None
    """It cannot be asked now."""


class Finder:
    """Asks one system for what it made of our messages. `send` and `renew` as the lanes do it."""

    def __init__(
        self, hub: Hub, writer: Writer, *, send: Callable[[Message], Awaitable[Message]],
        renew: Callable[[str], Awaitable[bool]], settling: Settling,
    ) -> None:  # fmt: skip
        self.hub, self.writer, self.session, self.system = hub, writer, writer.session, writer.system
        self._send, self._renew, self._settling = send, renew, settling

    def knows(self, message: str) -> bool:
        """True when the declaration says how this message is asked about."""
        return message in self.system.finds

    async def find(self, claimed: Claimed, outbound: Outbound) -> Found:
        """Ask about a delivery in hand; the journal has question and answer. A renewed session buys one more try."""
        outbound = replace(outbound, message=self.system.finds[outbound.message])
        for last in (False, True):
            asked: Message | None = None
            answer: Message | None = None
            token = self.session.token
            try:
                written = await self.writer.written(claimed, outbound)
                asked, token = written.message, written.token
                await self._settling.leaves(Sealed(claimed, written.kept, lease=self.writer.lease(written)))
                answer = await self._send(asked)
                return Found(asked, answer, self.system.judge(outbound.message, answer))
            except Unauthenticated as error:
                if last or not await self._renew(token):
                    return Found(asked, answer, later=Unavailable(str(error)))
                if asked is not None:
                    await self.hub.outbox.not_taken(claimed, asked, answer, str(error))
            except Unavailable as error:
                return Found(asked, answer, later=error)
            except InDoubt as error:  # a question changes nothing: it can be asked again
                return Found(asked, answer, later=Unavailable(str(error)))
            except (Unacceptable, Misconfigured):
                return Found(asked, answer)
        raise AssertionError("unreachable")
