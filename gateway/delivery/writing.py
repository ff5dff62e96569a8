"""Writing what is delivered: what must be asked first is asked, the files it carries are brought, then it is sealed.

Nothing here sends the message itself. A question changes nothing that matters at the other side, so whatever goes wrong
before the message is written leaves no doubt, and a lost worker's questions are simply asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from adapters.before import Before, Heard
from canonical.errors import HubError, Unacceptable, Unauthenticated, Unavailable
from canonical.message import Message, Verdict
from canonical.reading import Outbound
from gateway.carrying import TRAVELLED, CaseFiles, kept, travelled
from gateway.hub import Hub
from gateway.session import Session
from storage.files import FileStore
from storage.outbox import Claimed

_SLOWEST = 65_536
"""Bytes a second that a line carries at the least: a lease lasts so much longer for a message with files."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message that can be sent."""

    message: Message
    kept: Message
    """As the journal keeps it."""
    token: str = field(repr=False)
    """The session's token when it was written."""
    before: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    """What was left out, for people."""

    @property
    def slow(self) -> timedelta:
        """How much longer it may take than a small one."""
        return timedelta(seconds=len(self.message.body) // _SLOWEST)


@dataclass(frozen=True, slots=True)
class _Again:
    """A message of the journal whose body goes once more."""

    kept: Message
    travelled: Message
    """With its files in their places."""


class Writer:
    """Writes the messages of one system's lanes. `send` and `renew` as the lanes do it; `lease`: of one claim."""

    def __init__(
        self, hub: Hub, session: Session, *, lease: timedelta,
        send: Callable[[Message], Awaitable[Message]], renew: Callable[[str], Awaitable[bool]],
    ) -> None:  # fmt: skip
        self.hub, self.session, self.system = hub, session, session.system
        self.files = CaseFiles(hub.store, FileStore(hub.settings.file_folder))
        self._lease, self._send, self._renew = lease, send, renew

    async def not_yet(self, claimed: Claimed, outbound: Outbound) -> str:
        """What the message still waits for; empty when it can be written."""
        urls, wait = self.system.awaited(outbound)
        if not urls or self.hub.now() >= claimed.created_at + wait:
            return ""
        coming = await self.files.coming(claimed.case.id, urls)
        return f"waits for {coming} of {len(urls)} files that are still on their way here" if coming else ""

    async def written(self, claimed: Claimed, outbound: Outbound) -> Written:
        """The message, sealed. Raises what writing raises; Unavailable and Refused also for what was asked before."""
        notes: list[str] = []
        before = await self._before(claimed, outbound, notes)
        names = {"before": before.answers}
        outbound = await self._carrying(claimed, outbound, names, notes)
        again = await self._again(claimed) if outbound.message == claimed.message else None
        written = await self._sealed(outbound, names, again)
        return replace(written, before=before.answers, notes=(*before.notes, *dict.fromkeys(notes)))

    def at_once(self, outbound: Outbound) -> Written:
        """A message for which nothing is asked and nothing fetched. Raises what writing raises."""
        return self._seal(outbound, {"before": {}}, None)

    def lease(self, written: Written) -> datetime:
        """Until when a delivery whose message is sent now must be left to us."""
        return self.hub.now() + self._lease + written.slow

    async def _before(self, claimed: Claimed, outbound: Outbound, notes: list[str]) -> Before:
        asked = self.system.before(outbound.message, outbound)
        try:
            ask = next(asked)
            while True:
                try:
                    heard = await self._heard(claimed, replace(outbound, message=ask.message), ask.names, notes)
                except HubError as error:
                    ask = asked.throw(error)
                else:
                    ask = asked.send(heard)
        except StopIteration as end:
            before: Before = end.value
            return before

    async def _heard(
        self, claimed: Claimed, outbound: Outbound, names: Mapping[str, Any], notes: list[str]
    ) -> Heard | None:  # fmt: skip
        """What is heard to one question; a renewed session buys one more try. None: its file is not at hand."""
        outbound = await self._carrying(claimed, outbound, names, notes)
        if self.system.lacks_file(outbound, **names):
            return None
        for last in (False, True):
            token = self.session.token
            try:
                return await self._answered(claimed, outbound.message, await self._sealed(outbound, names))
            except Unauthenticated as error:
                if last or not await self._renew(token):
                    raise Unavailable(str(error)) from None
        raise AssertionError("unreachable")

    async def _answered(self, claimed: Claimed, name: str, question: Written) -> Heard:
        """The answer, and its document. The journal has what was asked and how it ended, never the answer."""
        outbox, message = self.hub.outbox, question.message
        await outbox.asking(claimed, question.kept, lease=self.lease(question))
        try:
            answer = await self._send(message)
            document = self.system.heard(name, answer)[1]
        except HubError as error:
            await outbox.asked(message, Verdict.REFUSED, str(error))
            raise
        told = f"answered HTTP {answer.status}, {len(answer.body)} bytes that are not kept"
        await outbox.asked(message, Verdict.ACKNOWLEDGED, told)
        return answer, document

    async def _carrying(
        self, claimed: Claimed, outbound: Outbound, names: Mapping[str, Any], notes: list[str]
    ) -> Outbound:  # fmt: skip
        """With the bytes of the files that it carries; what is left out is noted."""
        urls = self.system.carried(outbound, **names)
        if not urls:
            return outbound
        numbered = [one.url for one in (*outbound.case.attachments, *outbound.action.attachments)]
        most = self.system.connector.max_file
        carried = await self.files.carried(claimed.case.id, urls, most=most, numbered=list(dict.fromkeys(numbered)))
        notes += (f"{outbound.message}: {note}" for note in carried.notes)
        return replace(outbound, contents=carried.contents)

    async def _again(self, claimed: Claimed) -> _Again | None:
        """What a replay sends again as it travelled; None for what is written. Raises Unacceptable when it is lost."""
        if claimed.replays is None:
            return None
        found = await self.hub.journal.whole([claimed.replays])
        if claimed.replays not in found or found[claimed.replays].gone:
            raise Unacceptable("what is to be sent again is not in the journal any more: replay it anew")
        journalled = found[claimed.replays]
        try:
            body = await asyncio.to_thread(travelled, journalled, self.files.files)
        except Unavailable as error:
            raise Unacceptable(f"{error}; replay it anew") from None
        return _Again(journalled, replace(journalled, body=body))

    async def _sealed(self, outbound: Outbound, names: Mapping[str, Any], again: _Again | None = None) -> Written:
        if not outbound.contents:
            return self._seal(outbound, names, again)
        return await asyncio.to_thread(self._seal, outbound, names, again)  # megabytes are encoded

    def _seal(self, outbound: Outbound, names: Mapping[str, Any], again: _Again | None) -> Written:
        now, token, seal = self.hub.now(), self.session.token, self.session.connector.seal
        facts = {"now": now, "id": self.hub.ids(), "session": token, **names}
        message = self.system.write(outbound, **facts)
        sealed = seal(message)
        if again is None:
            return Written(sealed, kept(sealed, outbound.contents), token)
        if sealed.body == message.body:
            sealed = seal(self.system.write(outbound, travelled=again.travelled, **facts))
        else:  # the connector wraps what is written: what travelled has its envelope
            sealed = replace(sealed, body=again.travelled.body, content_type=again.travelled.content_type)
        told = {name: value for name, value in again.kept.headers.items() if name == TRAVELLED}
        return Written(sealed, replace(sealed, body=again.kept.body, headers={**sealed.headers, **told}), token)
