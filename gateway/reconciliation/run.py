"""Reconciliation 对账 at work: one system's cases are compared with ours when a statement is due.

Comparing asks and changes nothing, at neither side. A statement is worked off in slices, each durable with its lines:
a worker that is killed is taken over, and two never do one slice both. A system that is away gets a statement that
says so.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from adapters.reconciling import Reconciling
from canonical.errors import HubError, InDoubt, Misconfigured, Unacceptable, Unauthenticated, Unavailable
from canonical.message import Message
from canonical.reconciliation import Line, LineClass, Ours, Terms, Theirs
from canonical.time import in_shanghai
from gateway.asking import Asking
from gateway.configuration import ConnectedSystem
from gateway.hub import Hub
from gateway.log import log
from gateway.reconciliation.due import due
from gateway.reconciliation.listing import Listing
from gateway.session import Session
from routing.reconcile import compare, subject_of
from storage.compared import Compared, Matter
from storage.differences import Differences
from storage.statements import Counts, Statement, Statements, Step

LEASE = timedelta(minutes=1)
"""Beyond the time-outs of one question: so long a killed worker's statement stays its own."""
_TRIES = 3
"""Time-outs that one question may wait through: attempt, signing in, second attempt."""
AT_ONCE = 20.0
"""Seconds of work after which a turn pauses, to go on at once unless the worker is to stop."""
_LOOK = 30.0
"""Seconds between two looks whether a statement is due, or was left by another worker."""
_BEAT = 15.0
_SLICE, _ASKED_SLICE = 500, 20
"""Cases in one transaction: where all is at hand, and where each is asked about."""
_PATIENCE = 3
"""Questions in a row that fail before the system counts as away."""
_SHARE = 2
"""Of a system's rate: its deliveries come first, so that questions have every second place."""
_SOON = 0.5
"""Seconds before a question that was not answered is asked once more."""


def asked(connected: ConnectedSystem) -> bool:
    """Whether comparing needs a connection: the system is asked, or lists."""
    return connected.system.reconciling is not None and connected.system.reconciling.declared.by != "told"


_OTHERWISE = "its declaration says another way of comparing since this was begun"


@dataclass(slots=True)
class _Progress:
    """Where a statement stands."""

    step: Step
    position: str
    counts: Counts
    ours: int
    theirs: int
    left_out: int

    @classmethod
    def of(cls, statement: Statement) -> "_Progress":
        counts = {name: list(numbers) for name, numbers in statement.counts.items()}
        return cls(statement.step, statement.position, counts, statement.ours, statement.theirs, statement.left_out)

    def count(self, lines: Sequence[Line]) -> None:
        for line in lines:
            numbers = self.counts.setdefault(line.class_.value, [0, 0, 0])
            numbers[0] += 1
            numbers[1] += line.ours is not None
            numbers[2] += line.theirs is not None


@dataclass(slots=True)
class _Word:
    """What the system says about one slice of ours."""

    theirs: list[Theirs] = field(default_factory=list)
    unheard: dict[str, str] = field(default_factory=dict)
    matched: list[str] = field(default_factory=list)
    """Subjects of listed items among them."""


class Reconciler:
    """Compares one system's cases with ours. Any number may work at it; a statement is one's at a time, by lease."""

    def __init__(self, hub: Hub, connected: ConnectedSystem, session: Session | None) -> None:
        plan = connected.system.reconciling
        assert plan is not None
        self.hub, self.system, self.plan = hub, connected.system, plan
        self.name = connected.system.role.id
        self.statements, self.differences = Statements(hub.store), Differences(hub.store)
        self.compared = Compared(hub.store, self.name)
        self.asking = Asking(hub, connected.system, session) if session is not None else None
        self.lease = LEASE + timedelta(seconds=_TRIES * connected.system.connector.timeout)
        self.at_once, self.slice = AT_ONCE, _ASKED_SLICE if plan.declared.by == "query" else _SLICE
        self._by, self._alive_since = hub.ids(), hub.now()
        rate = connected.traffic.rate
        self._pause = max(plan.declared.pause, _SHARE / rate if rate else 0.0)
        self._listing: Listing | None = None
        self._of: UUID | None = None
        """The statement that was worked at last."""
        self._away, self._failures, self._kept = "", 0, 0.0

    async def order(self, by: str) -> UUID:
        """There is to be a statement now, whatever the schedule says. Returns its id."""
        now, way = self.hub.now(), self.plan.declared.by
        day = in_shanghai(now).date()
        return await self.statements.order(self.name, day, now, id=self.hub.ids(), way=way, by=by)

    async def round(self) -> float:
        """Begin what is due, and go on with what is begun. Returns the seconds until something may be due again."""
        now = self.hub.now()
        at = due(self.plan.declared, await self.statements.last(self.name), now, alive_since=self._alive_since)
        if at is not None:
            day, way = in_shanghai(at).date(), self.plan.declared.by
            await self.statements.begin(self.name, day, at, id=self.hub.ids(), way=way)
        statement = await self.statements.claim(self.name, by=self._by, now=now, lease=now + self.lease)
        if statement is None:
            return _LOOK
        if statement.id != self._of:
            self._of, self._listing, self._away, self._failures = statement.id, None, "", 0
        self._kept = asyncio.get_running_loop().time()
        if statement.way != self.plan.declared.by:
            await self.differences.finish(statement, by=self._by, now=self.hub.now(), trouble=_OTHERWISE)
            return 0.0
        return await self._go(statement)

    async def _go(self, statement: Statement) -> float:
        clock = asyncio.get_running_loop().time
        end, progress = clock() + self.at_once, _Progress.of(statement)
        while progress.step is not Step.FINISHED:
            if clock() > end:
                return 0.0
            await self._alive(statement)
            if progress.step in {Step.BEGUN, Step.LISTING}:
                statement = await self._begun(statement, progress)
            elif progress.step is Step.COMPARING:
                await self._ours(statement, progress)
            else:
                await self._rest(statement, progress)
        return _LOOK

    async def _alive(self, statement: Statement) -> None:
        clock = asyncio.get_running_loop().time
        if clock() - self._kept > _BEAT:
            await self.statements.keep(statement.id, by=self._by, lease=self.hub.now() + self.lease)
            self._kept = clock()

    # Listing

    async def _begun(self, statement: Statement, progress: _Progress) -> Statement:
        """One page of the list; after the last one, which of ours are compared is settled."""
        now, trouble = self.hub.now(), ""
        as_of = now
        if self.plan.declared.by == "list":
            progress.step = Step.LISTING
            if self._listing is None:
                self._listing = Listing(self.hub, self._asks(), self.plan, now)
                await self.statements.listing(statement.id, by=self._by, as_of=now)
            as_of = self._listing.as_of
            trouble = await self._page(statement, self._listing)
            if not trouble and not self._listing.over:
                return statement
            trouble = trouble or self._listing.trouble
        since = now - timedelta(days=self.plan.declared.closed_days)
        await self.statements.compare(
            statement.id, by=self._by, as_of=as_of, system=self.name, parts=self.plan.parts, ended_since=since,
            trouble=trouble,
        )  # fmt: skip
        progress.step, progress.position = Step.COMPARING, ""
        return replace(statement, as_of=as_of, trouble=trouble)

    async def _page(self, statement: Statement, listing: Listing) -> str:
        """Keep one page; why the list cannot be had, when it cannot: then nothing of it counts."""
        trouble = ""
        for last in (False, True):
            await asyncio.sleep(self._pause)
            try:
                items = await listing.page()
            except (Unacceptable, Misconfigured) as error:
                trouble = f"its list could not be had: {error}"
                break
            except HubError as error:
                trouble = f"it could not be reached: {error}"
                if not last:
                    await asyncio.sleep(_SOON)
                continue
            await self.statements.add_listed(statement.id, items, [subject_of(item) for item in items])
            return ""
        await self.statements.listing(statement.id, by=self._by, as_of=listing.as_of)
        return trouble

    def _asks(self) -> Asking:
        if self.asking is None:
            raise Misconfigured(f"{self.name}.url: it is compared by asking, so it needs an address in systems.yaml")
        return self.asking

    # Ours

    async def _ours(self, statement: Statement, progress: _Progress) -> None:
        cases = await self.statements.slice(statement.id, progress.position, self.slice)
        if not cases:
            if statement.way == "list":
                progress.step, progress.position = Step.REST, ""
                await self._settle(statement, progress, [])
            else:
                await self._finish(statement, progress)
            return
        as_of = self.hub.now() if statement.way == "query" else statement.as_of or self.hub.now()
        terms = self._terms(statement, as_of)
        word = await self._heard(statement, cases, terms)
        terms = self._terms(statement, as_of)  # it may have gone away meanwhile
        ours = [matter.ours for matter in await self.compared.matters(cases, self.plan.parts)]
        lines = compare(ours, word.theirs, terms, word.unheard)
        progress.position, progress.ours = str(cases[-1]), progress.ours + len(ours)
        progress.theirs += len({subject_of(item) for item in word.theirs})
        await self._settle(statement, progress, lines, matched=word.matched)

    def _general(self, statement: Statement) -> str:
        """Why the whole statement cannot say all it should."""
        return self._away or statement.trouble

    def _terms(self, statement: Statement, as_of: datetime) -> Terms:
        declared, trouble = self.plan.declared, self._general(statement)
        listed = statement.way == "list"
        return Terms(
            as_of=as_of, settle=timedelta(seconds=declared.settle),
            stale=timedelta(seconds=declared.stale) if declared.stale else None,
            apart=timedelta(seconds=declared.apart), whole=not trouble, trouble=trouble, told=statement.way == "told",
            since=as_of - timedelta(seconds=declared.back) if listed else None,
        )  # fmt: skip

    async def _heard(self, statement: Statement, cases: Sequence[UUID], terms: Terms) -> _Word:
        word = _Word()
        if statement.way == "told":
            return word
        matters = await self.compared.matters(cases, self.plan.parts)
        if statement.way == "list":
            ids = [id_ for matter in matters for id_ in matter.ours.external_ids]
            references = [matter.ours.reference for matter in matters if matter.ours.reference]
            for subject, row in await self.statements.listed(statement.id, ids, references):
                word.theirs.append(self.plan.theirs(row))
                word.matched.append(subject)
            if not self.plan.declared.asks or self._general(statement):
                return word
            lines = compare([matter.ours for matter in matters], word.theirs, replace(terms, since=None))
            missing = {line.subject for line in lines if line.class_ is LineClass.MISSING_THERE}
            matters = [matter for matter in matters if matter.ours.subject in missing]
        for matter in matters:
            await self._question(statement, matter, word)
        return word

    async def _question(self, statement: Statement, matter: Matter, word: _Word) -> None:
        """Ask about one of ours; what fails is told of it alone, until the system counts as away."""
        if self._away:
            return
        await self._alive(statement)
        await asyncio.sleep(self._pause)
        try:
            word.theirs += await self._patiently(matter)
            self._failures = 0
        except Unacceptable as error:
            self._failures = 0
            word.unheard[matter.ours.subject] = f"asked, it refuses to say: {error}"
        except HubError as error:
            self._failures += 1
            word.unheard[matter.ours.subject] = f"asked, no answer: {error}"
            if self._failures >= _PATIENCE:
                self._away = f"it could not be reached: {error}"
                log.warning("reconcile.away", system=self.name, why=str(error))

    async def _patiently(self, matter: Matter) -> list[Theirs]:
        try:
            return await self._asked(matter)
        except (Unavailable, InDoubt, Unauthenticated):
            await asyncio.sleep(_SOON)
            return await self._asked(matter)

    async def _asked(self, matter: Matter) -> list[Theirs]:
        """What the system has of one of ours: by each of its ids, by each message that asks, until one finds it."""
        case, asking = matter.case, self._asks()
        about = {"no": case.no, "reference": case.reference, "sequence": case.sequence}
        for name in self.plan.declared.asks:
            for binding in matter.bindings:
                heard = await asking.ask(
                    name, _reader(self.plan, asking, name), binding=binding.model_dump(mode="json"), case=about
                )  # fmt: skip
                if heard:
                    return _named(heard, self.plan, binding.external_id, matter.ours)
        return []

    # What they have besides

    async def _rest(self, statement: Statement, progress: _Progress) -> None:
        rows = await self.statements.rest(statement.id, progress.position, _SLICE)
        if not rows:
            await self._finish(statement, progress)
            return
        items = [self.plan.theirs(row) for _, row in rows]
        ours = await self._known(statement, items)
        terms = self._terms(statement, statement.as_of or self.hub.now())
        lines = compare(ours, items, terms)
        ids = {id_ for one in ours for id_ in one.external_ids} | {one.reference for one in ours if one.reference}
        left_out = sum(not (item.expected or _names_one(item, ids)) for item in items)
        progress.position, progress.ours = rows[-1][0], progress.ours + len(ours)
        progress.theirs, progress.left_out = progress.theirs + len(items) - left_out, progress.left_out + left_out
        await self._settle(statement, progress, lines)

    async def _known(self, statement: Statement, items: Sequence[Theirs]) -> list[Ours]:
        """Those of ours that these items mean, though they are not among the compared cases."""
        ids, references = [item.external_id for item in items], [item.reference for item in items if item.reference]
        said = {*ids, *references}
        matters = [
            matter
            for matter in await self.compared.named(ids, [*references, *ids])
            if said & {*matter.ours.external_ids, matter.ours.reference}
        ]
        among = await self.statements.under_comparison(statement.id, [matter.ours.case_id for matter in matters])
        return [_once_more(matter.ours) if matter.ours.case_id in among else matter.ours for matter in matters]

    # Keeping

    async def _settle(
        self, statement: Statement, progress: _Progress, lines: Sequence[Line], *, matched: Sequence[str] = ()
    ) -> None:
        progress.count(lines)
        await self.differences.settle(
            statement, lines, by=self._by, step=progress.step, position=progress.position, counts=progress.counts,
            ours=progress.ours, theirs=progress.theirs, left_out=progress.left_out, now=self.hub.now(),
            ids=[self.hub.ids() for _ in lines], matched=matched,
        )  # fmt: skip

    async def _finish(self, statement: Statement, progress: _Progress) -> None:
        trouble = self._general(statement)
        await self.differences.finish(statement, by=self._by, now=self.hub.now(), trouble=trouble)
        progress.step, self._listing = Step.FINISHED, None
        counts: Mapping[str, int] = {name: numbers[0] for name, numbers in progress.counts.items()}
        log.info("reconcile.done", system=self.name, day=str(statement.day), trouble=trouble, **counts)


def unasked(hub: Hub) -> list[tuple[str, Reconciler]]:
    """The comparisons that ask nobody, of all systems that are not paused, with or without an address."""
    systems = hub.configuration.systems.items()
    told = [(name, one) for name, one in systems if one.system.reconciling and not asked(one) and not one.paused]
    return [(name, Reconciler(hub, one, None)) for name, one in told]


def _reader(plan: Reconciling, asking: Asking, name: str) -> Callable[[Message], tuple[object, ...]]:
    def read(answer: Message) -> tuple[object, ...]:
        judged, document = asking.system.heard(name, answer)
        return () if judged.absent else plan.heard(document, answer)

    return read


def _named(heard: Sequence[object], plan: Reconciling, asked_by: str, ours: Ours) -> list[Theirs]:
    """The items of an answer. The first is what was asked about, whatever it calls itself."""
    first, *others = [plan.theirs(item, external_id=asked_by) for item in heard]
    own = first.external_id if first.external_id in ours.external_ids else asked_by
    return [replace(first, external_id=own, reference=ours.reference), *(replace(o, reference="") for o in others)]


def _names_one(item: Theirs, known: set[str]) -> bool:
    return item.external_id in known or item.reference in known


def _once_more(one: Ours) -> Ours:
    """It stands on a line already: its case came to know this item only while the statement was made."""
    return replace(one, subject=f"again:{one.subject}", earlier=True)
