"""Fetching the files of cases: bring the bytes into the file store, as a step of its own with its own patience.

It never decides anything about a case. What an answer means stands in one place: stored, later, or gone for good.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import httpx

from canonical.errors import ContractViolation, HubError, Unacceptable, Unauthenticated, Unavailable
from canonical.message import Message
from connectors.download import Downloads
from gateway.hub import Hub
from gateway.log import log
from gateway.media import HEAD, UNKNOWN, is_talk, says_words, sniff
from storage.attachments import Attachments, DueFile
from storage.file_rows import INLINE, PART, WHOLE, Part, part_of
from storage.files import FileStore, Stored

Fetch = Callable[[str, DueFile], Message]
"""Asks a system for a file, blocking; the answer has any status."""
SignIn = Callable[[str], bool]
"""Signs in at a system anew, blocking. False when it has no signing in."""

CONCURRENCY = 4
"""Files at a time in one process; each may be held in memory whole."""
EACH = 2
"""Files of one system at a time."""
LEASE = timedelta(minutes=1)
"""So long the file of a killed worker waits for the next one; a living worker keeps it for as long as it takes."""
GIVE_UP = timedelta(days=7)
"""After that the case keeps the reference alone."""
ABANDONED = timedelta(days=1)
"""An unfinished file of this age has no writer any more."""
_SOONEST, _LATEST = 5.0, 3600.0

_EXPIRED = frozenset({404, 410})
_NOT_LET_IN = frozenset({401, 403})
_BUSY = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Later:
    """Not now."""

    text: str
    asked: float | None = None
    """Seconds the other side asked us to wait."""
    ours: bool = False
    """The trouble is our own: no reason ever to give up."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Never."""

    text: str


Outcome = Stored | Later | Gone
_Answer = TypeVar("_Answer")


def pause(attempts: int, asked: float | None, *, chance: float) -> timedelta:
    """How long a file waits after this many attempts: doubling from 5 seconds to an hour, spread by `chance` (0..1)."""
    grown = min(_SOONEST * 2 ** min(attempts - 1, 20), _LATEST)
    return timedelta(seconds=max(min(asked or 0.0, _LATEST), grown * (0.5 + chance / 2)))


def by_host(own: Fetch, outside: Downloads, url_of: Callable[[str], str]) -> Fetch:
    """Ask the system itself for what lies at its own address, as `own` does it, and the open network for the rest.

    `url_of`: a system's own address; empty when it has none.
    """

    def fetch(system: str, file: DueFile) -> Message:
        base = url_of(system)
        if not _belongs(file.url, base):
            return _stranger(system, outside.get(system, file.url, own_url=base))
        if not base:
            raise Unavailable(f"{system}: it has no address to fetch files from")
        answer = own(system, file)
        location = answer.headers.get("location", "") if 300 <= answer.status < 400 else ""
        if not location:
            return answer
        return _stranger(system, outside.get(system, _led_to(system, base, file.url, location), own_url=base))

    return fetch


def _belongs(url: str, base: str) -> bool:
    """True for an address without a host, or with the system's own scheme, host and port."""
    try:
        there, own = httpx.URL(url), httpx.URL(base)
    except httpx.InvalidURL:
        return False
    path_only = not there.scheme and not there.host
    return path_only or (there.scheme, there.netloc) == (own.scheme, own.netloc)


def _led_to(system: str, base: str, url: str, location: str) -> str:
    try:
        return str(httpx.URL(base).join(url).join(location))
    except httpx.InvalidURL:
        raise ContractViolation(f"{system}: a file's address leads to no URL", at="location") from None


def _stranger(system: str, answer: Message) -> Message:
    """Signing in at the system again would not open another's door."""
    if answer.status in _NOT_LET_IN:
        raise Unavailable(f"{system}: a file lies where we are not let in (HTTP {answer.status})")
    return answer


class Fetcher:
    """Fetches whatever is due, for all systems. Any number may work, in any number of processes."""

    name = "files"

    def __init__(
        self, hub: Hub, files: FileStore, fetch: Fetch, *, sign_in: SignIn = lambda _: False,
        concurrency: int = CONCURRENCY, each: int = EACH, lease: timedelta = LEASE,
    ) -> None:  # fmt: skip
        self.hub, self.files, self.fetch, self.sign_in = hub, files, fetch, sign_in
        self.concurrency, self.each, self.lease = concurrency, each, lease
        self.attachments = Attachments(hub.store)
        self.wake = asyncio.Event()
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="files")
        self._tidied = False

    async def round(self) -> int:
        """Fill the free places with what is due. Returns how many were taken up; they go on by themselves."""
        now = self.hub.now()
        if not self._tidied:
            await self._in_thread(lambda: self.files.tidy(now - ABANDONED))
            self._tidied = True
        free = self.concurrency - len(self._under_way)
        if free <= 0:
            return 0
        busy = Counter(self._under_way.values())
        claimed = await self.attachments.claim(limit=free, now=now, lease=self.lease, each=self.each, busy=busy)
        for file in claimed:
            task = asyncio.create_task(self._take(file), name=f"file-{file.case_id}")
            self._under_way[task] = file.system
            task.add_done_callback(self._done)
        return len(claimed)

    async def drained(self) -> None:
        """Wait for everything that is under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def close(self) -> None:
        """Wait for what is on its way, then give back the threads."""
        self._threads.shutdown(wait=True)

    def _done(self, task: "asyncio.Task[None]") -> None:
        """A place is free again. What could not be settled stays claimed until its lease ends, and is taken up anew."""
        system = self._under_way.pop(task)
        self.wake.set()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Unavailable):
            log.warning("file.unsettled", system=system, why=str(error))
        elif error is not None:
            log.error("file.failed", system=system, exc_info=error)

    async def _take(self, file: DueFile) -> None:
        """One file from claim to outcome, ours all the while."""
        keeping = asyncio.create_task(self._keep(file), name=f"lease-{file.case_id}")
        try:
            await self._settled(file)
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def _keep(self, file: DueFile) -> None:
        while True:
            await asyncio.sleep(self.lease.total_seconds() / 3)
            with suppress(Unavailable):  # the lease lasts for two more tries
                await self.attachments.keep(file, self.hub.now() + self.lease)

    async def _settled(self, file: DueFile) -> None:
        part = part_of(file.url)
        if part is not None:
            outcome = await self._part(file, part)
        else:
            outcome = await self._in_thread(lambda: self._brought(file))
            if isinstance(outcome, Stored):
                await self.attachments.stored(file, outcome)
        await self._told(file, outcome)

    async def _told(self, file: DueFile, outcome: Outcome | None) -> None:
        now, facts = self.hub.now(), {"system": file.system, "case_id": str(file.case_id), "attempts": file.attempts}
        if isinstance(outcome, Later) and not outcome.ours and now - file.created_at > GIVE_UP:
            outcome = Gone(f"given up after {GIVE_UP.days} days: {outcome.text}")
        match outcome:
            case Stored():
                log.info("file.stored", size=outcome.size, media=outcome.media, **facts)
            case Later():
                at = now + pause(file.attempts, outcome.asked, chance=random.random())  # noqa: S311 no secret
                await self.attachments.retry(file, outcome.text, at)
                log.warning("file.later", why=outcome.text, **facts)
            case Gone():
                await self.attachments.gone(file, outcome.text)
                log.warning("file.gone", why=outcome.text, **facts)

    async def _part(self, file: DueFile, part: Part) -> Outcome | None:
        """Put the parts together when this was the last one; None when that has been done before."""
        pieces = await self.attachments.pieces(file, part)
        if pieces.joined:
            await self.attachments.join(file, part, None)
            return None
        if pieces.here < part.total:
            return Later(f"{pieces.here} of {part.total} parts are here")
        if pieces.size > self.files.most:
            return Gone(f"the parts are more than {self.files.most} bytes together")
        contents = await self.attachments.contents(file, part)
        if len(contents) < part.total:
            return Later("another worker has just put the parts together")
        outcome = await self._in_thread(lambda: self._kept(contents))
        if isinstance(outcome, Stored):
            await self.attachments.join(file, part, outcome)
        return outcome

    async def _in_thread(self, work: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    # Blocking, in a thread

    def _brought(self, file: DueFile) -> Outcome:
        try:
            if file.url.startswith(PART):
                return Gone("the address of a part says `inline:part:<file id>:<n>/<total>`")
            if file.content is not None:
                return self._inline(file.url, file.content)
            if file.url.startswith(INLINE):
                return self._there_already(file.url.removeprefix(WHOLE))
            return self._fetched(file)
        except Unacceptable as error:
            return Gone(str(error))
        except HubError as error:
            return Later(str(error), getattr(error, "retry_after", None))

    def _inline(self, url: str, content: bytes) -> Outcome:
        if url.startswith(WHOLE) and url.removeprefix(WHOLE) != hashlib.sha256(content).hexdigest():
            return Gone("the bytes are not the ones that the message named")
        return self._kept([content])

    def _there_already(self, sha256: str) -> Outcome:
        """Named by its bytes, and they did not come with it: another case may have brought the same."""
        if not self.files.verify(sha256):
            return Gone("its bytes never came")
        content = self.files.read(sha256)
        return Stored(sha256, len(content), sniff(content) or UNKNOWN)

    def _fetched(self, file: DueFile) -> Outcome:
        """Ask for it; signing in again buys one more try."""
        why = "the system does not accept our credential"
        for last in (False, True):
            try:
                answer = self.fetch(file.system, file)
            except Unauthenticated as error:
                why = str(error)
            else:
                if answer.status not in _NOT_LET_IN:
                    return self._judged(file, answer)
                why = f"the system does not let us have it (HTTP {answer.status})"
            if last or not self._signed_in(file.system):
                break
        return Later(why)

    def _signed_in(self, system: str) -> bool:
        try:
            return self.sign_in(system)
        except HubError as error:  # a refused signing in says nothing about the file
            log.warning("session.not_renewed", system=system, error=type(error).__name__)
            return False

    def _judged(self, file: DueFile, answer: Message) -> Outcome:
        status = answer.status
        if status == 200:
            return self._checked(file, answer)
        if status in _EXPIRED:
            return Gone(f"expired (HTTP {status})")
        if 400 <= status < 500 and status not in _BUSY:
            return Gone(f"refused for ever (HTTP {status})")
        return Later(f"not given now (HTTP {status})", _asked(answer))

    def _checked(self, file: DueFile, answer: Message) -> Outcome:
        if not answer.body:
            return Later("the answer was empty")
        if is_talk(answer.body, answer.content_type) and not says_words(file.name, file.url):
            return Later("the system answered with words where a file was promised")
        return self._kept([answer.body])

    def _kept(self, contents: list[bytes]) -> Outcome:
        try:
            return self.files.put(contents, sniff(_head(contents)) or UNKNOWN)
        except Unavailable as error:
            return Later(str(error), ours=True)
        except Unacceptable as error:
            return Gone(str(error))


def _head(contents: Iterable[bytes]) -> bytes:
    return b"".join(content[:HEAD] for content in contents)[:HEAD]


def _asked(answer: Message) -> float | None:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None
