"""Several processes of a hub on one database, with one clock that stands until it is moved."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text

from canonical.codes import ClassCode
from canonical.message import Message, Verdict
from canonical.reading import Reading
from canonical.records import Arrival
from canonical.report import Report
from canonical.time import SHANGHAI
from gateway.case_clock import CaseClock
from gateway.configuration import Configuration
from gateway.hub import Hub, wire
from gateway.reception import Reception
from gateway.settings import Settings, example_city

NOW = datetime(2026, 5, 20, 9, 30, tzinfo=SHANGHAI)
STALL = ClassCode.parse("30428.2:E01-10")
"""暴露生活垃圾: 4 working hours, by an urban management unit."""


class Hours:
    """A clock that stands until it is moved; all processes share it."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


class Office:
    """Several processes on one database."""

    def __init__(self, hubs: list[Hub], hours: Hours) -> None:
        self.hubs, self.hours = hubs, hours

    async def open_cases(self, count: int) -> None:
        """Cases that are dispatched at once and wait for their unit."""
        hub = self.hubs[0]
        messages = [Message(system="hotline_12345", body=b"", at=NOW, id=hub.ids()) for _ in range(count)]
        arrivals = [Arrival(one, _report(number)) for number, one in enumerate(messages)]
        outcomes = await hub.reception.take_in(arrivals)
        assert {outcome.verdict for outcome in outcomes} == {Verdict.CASE}

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database holds."""
        async with self.hubs[0].store.transaction() as transaction:
            return [tuple(row) for row in await transaction.connection.execute(text(statement))]

    async def settle(self) -> None:
        """All processes work until nothing is due."""
        clocks = [CaseClock(hub) for hub in self.hubs]
        while not all(await asyncio.gather(*(clock.round() for clock in clocks))):
            pass


def _report(number: int) -> Reading:
    report = Report(class_code=STALL, given_area="340202", title="暴露垃圾")
    return Reading(system="hotline_12345", kind="ticket", edition="1", external_id=f"T{number}", report=report)


Tell = Callable[[Office], Coroutine[Any, Any, None]]


def told_by(url: str, configuration: Configuration, tell: Tell, processes: int = 3) -> None:
    """A story of some processes on one database."""

    async def begin() -> None:
        hours = Hours()
        async with AsyncExitStack() as stack:
            hubs = []
            for _ in range(processes):
                hub = wire(Settings(example_city(), url), url, configuration=configuration)
                stack.push_async_callback(hub.store.close)
                reception = Reception(configuration, hub.store, now=hours.now, ids=hub.ids)
                hubs.append(replace(hub, now=hours.now, reception=reception))
            await tell(Office(hubs, hours))

    asyncio.run(begin())
