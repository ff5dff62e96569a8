"""The platform: fills its tables, drops its files, reads what the hub wrote back, and keeps its own cases."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators.door import happening
from simulators.market_supervision import exchange
from simulators.market_supervision.exchange import PENDING, REJECTED, TAKEN, VIEW, Exchange, Feedback, Row
from simulators.market_supervision.feed import FEEDS, dropped
from simulators.market_supervision.matter import (
    ACCEPTED,
    CLOSED,
    DECLINED,
    EXTENDED,
    IN_VIEW,
    KINDS,
    STATE_TITLES,
    VOID,
    WAITING,
    WEIGHTS,
    Matter,
    matter,
)
from simulators.system import Setup, System

_FROM: Mapping[str, frozenset[str]] = {
    ACCEPTED: frozenset({WAITING, ACCEPTED}),
    DECLINED: frozenset({WAITING, ACCEPTED}),
    EXTENDED: frozenset({WAITING, ACCEPTED, EXTENDED}),
    CLOSED: frozenset({WAITING, ACCEPTED, EXTENDED}),
}
"""fkzt -> from which states it may come."""
_COUNTS = {ACCEPTED: "signed", DECLINED: "returned", EXTENDED: "delayed", CLOSED: "finished"}
_ENDS = frozenset({DECLINED, CLOSED})
_LOOK = 0.02
"""Least seconds between two looks at the write-back table."""


class MarketSupervision(System):
    """市场监管 12315. Nobody is called: both sides meet in the exchange database.

    `pace` is the time between two looks at `ex_fkxx`; `refuse` rejects good feedback; `down` and `silent` leave it
    unread. Options: `url`, any synchronous SQLAlchemy URL (without one a SQLite file that goes when the system stops;
    `/_sim/exchange` tells where); `folder`, where new and changed rows are dropped as files too, each `every` seconds.
    `/_sim/happen` takes the kinds of cases (`withdrawn`: pending first, void a step later), and `drop`.
    """

    name = "market_supervision"
    title = "模拟市场监管12315"
    state_titles = STATE_TITLES
    options = frozenset({"url", "folder", "every"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        given = setup.options
        self._url = given.get("url", "")
        self._folder = Path(given["folder"]).resolve() if given.get("folder") else None
        self._every = float(given.get("every", "300"))
        self._matters: dict[str, Matter] = {}
        self._verdicts: dict[str, str] = {}
        """fkid -> clbz, once decided; kept in case the database goes away before it is marked."""
        self._undropped: dict[str, list[Row]] = {VIEW.name: [], PENDING.name: []}
        self._first_number = self.dice("number").randrange(50_000)
        self._ready = asyncio.Event()
        self._exchange: Exchange | None = None

    def routes(self) -> list[BaseRoute]:
        """Only control doors."""
        kinds = (*KINDS, "drop") if self._folder else tuple(KINDS)
        return [happening(kinds, self._happen), Route("/_sim/exchange", self._show_exchange)]

    def items(self) -> list[dict[str, str]]:
        """The cases."""
        return [one.row() for one in self._matters.values()]

    def create(self, number: int) -> str:
        """A consumer rings or writes."""
        kind = self.dice("kind", number).choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        return self._open(number, kind)

    async def work(self) -> None:
        """As every system, beside the reading of the write-back table and the dropping of files."""
        with ExitStack() as stack:
            url = self._url
            if not url:
                folder = stack.enter_context(TemporaryDirectory(prefix="gridhub-12315-"))
                url = f"sqlite:///{Path(folder) / 'exchange.db'}"
            self._exchange = Exchange(url)
            stack.callback(self._exchange.close)
            if self._folder:
                self._folder.mkdir(parents=True, exist_ok=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read_back())
                if self._folder:
                    group.create_task(self._drop_now_and_then())
                await super().work()

    # Outwards

    def _happen(self, kind: str) -> str:
        if kind == "drop":
            return ";".join(self._drop())
        self.counts["emitted"] += 1
        return self._open(self.counts["emitted"], kind)

    def _open(self, number: int, kind: str) -> str:
        one = matter(self.dice("matter", number), kind, self._first_number + number, self.now())
        self._matters[one.caseid] = one
        self.spawn(self._live_of(one))
        return one.caseid

    async def _live_of(self, one: Matter) -> None:
        await self._ready.wait()
        table = VIEW if one.kind in IN_VIEW else PENDING
        if not await self._stored(partial(exchange.inserted, table=table, rows=one.rows)):
            return
        self.counts["inserted"] += len(one.rows)
        if self._folder:
            self._undropped[table.name].extend(one.rows)
        if one.kind == "withdrawn":
            await self.step()
            await self._withdraw(one)

    async def _withdraw(self, one: Matter) -> None:
        """The consumer changes his mind, unless the case has ended before."""
        if self._matters[one.caseid].state in _ENDS:
            return
        at = self.now().replace(microsecond=0, tzinfo=None)
        if await self._stored(partial(exchange.withdrawn, caseid=one.caseid, at=at)):
            self.counts["withdrawn"] += 1
            self._matters[one.caseid] = replace(self._matters[one.caseid], state=VOID)
            if self._folder:
                self._undropped[PENDING.name].append({**one.rows[0], "state": "1", "updatedate": at})

    async def _stored(self, work: Callable[[Connection], None]) -> bool:
        """Whether the database took it, asked at most `attempts` times."""
        for attempt in range(1, self.behaviour.attempts + 1):
            if await self._done(work):
                return True
            await asyncio.sleep(self.behaviour.gap * attempt)
        self.counts["unstored"] += 1
        return False

    async def _done(self, work: Callable[[Connection], None]) -> bool:
        assert self._exchange is not None  # at work
        try:
            await self._exchange.run(work)
        except SQLAlchemyError:  # away, locked or full: counted, and its words stay unsaid
            self.counts["database_errors"] += 1
            return False
        return True

    async def _drop_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            self._drop()

    def _drop(self) -> list[str]:
        """Files with what is new since the last ones; their names."""
        assert self._folder is not None
        names = []
        for feed in FEEDS:
            rows = self._undropped[feed.table.name]
            if rows:
                names.append(dropped(self._folder, feed, _doubles_last(rows), self.now()))
                self._undropped[feed.table.name] = []
        self.counts["dropped"] += len(names)
        return names

    # Inwards

    async def _read_back(self) -> None:
        while True:
            if not self._ready.is_set():
                if await self._done(exchange.prepared):
                    self._ready.set()
            elif self.behaviour.down or self.behaviour.silent:
                self.counts["missed_looks"] += 1
            else:
                await self._look()
            await asyncio.sleep(max(self.behaviour.pace if self._ready.is_set() else self.behaviour.gap, _LOOK))

    async def _look(self) -> None:
        """One look at what the hub wrote."""
        found: list[Feedback] = []
        if not await self._done(lambda connection: found.extend(exchange.unread(connection))) or not found:
            return
        verdicts = {row.fkid: self._verdict(row) for row in found}
        ended = [str(row.caseid) for row in found if verdicts[row.fkid] == TAKEN and row.fkzt in _ENDS]
        at = self.now().replace(microsecond=0, tzinfo=None)
        await self._done(partial(exchange.read, verdicts=verdicts, ended=ended, at=at))

    def _verdict(self, row: Feedback) -> str:
        """clbz of this row: the same, however often it is asked."""
        if row.fkid not in self._verdicts:
            self.counts["received"] += 1
            self._verdicts[row.fkid] = TAKEN if self._take(row) else REJECTED
            self.counts["refusals"] += self._verdicts[row.fkid] == REJECTED
        return self._verdicts[row.fkid]

    def _take(self, row: Feedback) -> bool:
        one, letter = self._matters.get(row.caseid or ""), row.fkzt or ""
        if one is None or one.state not in _FROM.get(letter, ()) or self.fault_dice.random() < self.behaviour.refuse:
            return False
        self.counts[_COUNTS[letter]] += 1
        self._matters[one.caseid] = replace(one, state=letter, opinion=row.fknr or "")
        return True

    async def _show_exchange(self, _request: Request) -> Response:
        address = self._exchange.address if self._exchange else self._url
        return JSONResponse({"url": address, "folder": str(self._folder or ""), "ready": self._ready.is_set()})


def _doubles_last(rows: list[Row]) -> list[Row]:
    """The second row of a case apart from its first, as the source's joins give it."""
    firsts = {row["AJID"]: row for row in reversed(rows) if "AJID" in row}
    return sorted(rows, key=lambda row: "AJID" in row and firsts[row["AJID"]] is not row)
