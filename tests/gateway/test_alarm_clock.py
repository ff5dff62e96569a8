"""A sensor that tells only of changes gets its case by the clock: once, whoever judges, and whoever is killed."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from canonical.time import SHANGHAI
from gateway.alarm_clock import LEASE, AlarmClock
from gateway.configuration import Configuration
from gateway.hub import Hub, clock, wire
from gateway.settings import Settings, example_city
from storage.due_alarms import claim_due
from tests.gateway.forked import start
from tests.gateway.market import NAME, city_folder, folder, joined
from tests.gateway.running import ENVIRONMENT
from tests.gateway.test_receivers import told

NOW = datetime(2026, 5, 20, 9, 0, tzinfo=SHANGHAI)
TELLING = """\
alarm: {device: {from: id}, kind: {text: smoke}, active: {from: title, codes: {烟: 'yes', 无烟: 'no'}}}
"""


@dataclass(slots=True)
class Hours:
    """A clock that stands until it is moved."""

    after: float = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.after)


@dataclass(slots=True)
class Watch:
    """One process on the database, with the clock it shares with the others."""

    hub: Hub
    hours: Hours
    judge: AlarmClock

    async def say(self, device: str, title: str = "烟", **headers: str) -> str:
        """A device tells; the verdict."""
        message = replace(told("/q", device, title=title, **headers), at=self.hub.now(), id=self.hub.ids())
        [outcome] = await self.hub.reception.take_in(self.hub.reception.read(message, again=True))
        return outcome.verdict

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database holds."""
        async with self.hub.store.transaction() as transaction:
            return [tuple(row) for row in await transaction.connection.execute(text(statement))]

    async def count(self, table: str) -> int:
        """How many rows."""
        [(number,)] = await self.rows(f"SELECT count(*) FROM {table}")
        return int(number)


def declared(root: Path, policy: str = "{hold: 30}") -> Path:
    """The office, whose complaints are the tellings of smoke detectors."""
    return with_alarms(folder(root, "amqp: {queue: q, declare: true}", protocol="amqp"), policy)


def with_alarms(made: Path, policy: str) -> Path:
    """The declaration, whose complaints are tellings from now on."""
    for name, more in (("system.yaml", f"alarms: {{smoke: {policy}}}\n"), ("messages/complaint.yaml", TELLING)):
        with (made / name).open("a", encoding="utf-8") as file:
            file.write(more)
    return made


@asynccontextmanager
async def watches(configuration: Configuration, url: str, number: int = 1) -> AsyncIterator[list[Watch]]:
    """As many processes on one database."""
    hours = Hours()
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(number):
            hub = wire(Settings(example_city(), url), url, configuration=configuration)
            stack.push_async_callback(hub.store.close)
            reception = type(hub.reception)(configuration, hub.store, now=hours.now, ids=hub.ids)
            hub = replace(hub, now=hours.now, reception=reception)
            made.append(Watch(hub, hours, AlarmClock(hub, settling=timedelta())))
        yield made


Tell = Callable[[list[Watch]], Coroutine[Any, Any, None]]
Story = Callable[..., None]


@pytest.fixture
def story(database_url: str, configuration: Configuration, tmp_path: Path) -> Story:
    """Tell a story at one or several processes."""

    def run(tell: Tell, number: int = 1, policy: str = "{hold: 30}") -> None:
        city = joined(configuration, declared(tmp_path, policy), secrets={"name": "u", "word": "w"})

        async def begin() -> None:
            async with watches(city, database_url, number) as made:
                await tell(made)

        asyncio.run(begin())

    return run


async def journal(watch: Watch) -> list[tuple[Any, ...]]:
    """(verdict, is it a report, has it a case) of each message, in order."""
    return await watch.rows("SELECT verdict, is_report, case_id IS NOT NULL FROM message ORDER BY id")


def test_a_sensor_that_tells_once_gets_its_case_when_the_alarm_has_lasted(story: Story) -> None:
    async def tell(made: list[Watch]) -> None:
        [one] = made
        assert await one.say("d1") == "counted"
        for after in (0, 10, 29.5):
            one.hours.after = after
            await one.judge.round()
        assert await one.count("cases") == 0
        assert await journal(one) == [("counted", False, False)]

        one.hours.after = 30
        await one.judge.round()
        await one.judge.round()
        assert await journal(one) == [("case", True, True)]
        assert await one.rows("SELECT b.external_id, b.system FROM binding b JOIN cases c ON c.id = b.case_id") == [
            ("d1", NAME)
        ]
        assert await one.rows("SELECT due_at, message_id FROM alarm") == [(None, None)]
        books = await one.hub.casebook.books(one.hub.now())
        assert books.reports == {"case": 1}

        assert await one.say("d1", "无烟") == "applied"
        assert await one.say("d1") == "counted"
        assert await one.count("cases") == 1

    story(tell)


def test_back_to_normal_in_time_opens_nothing(story: Story) -> None:
    async def tell(made: list[Watch]) -> None:
        [one] = made
        await one.say("d1")
        one.hours.after = 20
        await one.say("d1", "无烟")
        one.hours.after = 300
        await one.judge.round()
        assert await one.count("cases") == 0
        assert await one.count("alarm WHERE due_at IS NOT NULL") == 0

    story(tell)


def test_what_the_broker_retained_moves_no_clock_when_the_hub_starts_again(story: Story) -> None:
    async def tell(made: list[Watch]) -> None:
        [one] = made
        await one.say("d1")
        one.hours.after = 20
        assert await one.say("d1", retained="true") == "repeated"
        one.hours.after = 30
        await one.judge.round()
        assert await one.rows("SELECT verdict FROM message ORDER BY id") == [("case",), ("repeated",)]
        assert await one.say("d1", "无烟", retained="true") == "applied"

    story(tell)


def test_of_many_devices_and_processes_each_gets_one_case(story: Story) -> None:
    async def tell(made: list[Watch]) -> None:
        for number in range(60):
            await made[number % 3].say(f"d{number}")
        made[0].hours.after = 31
        for _ in range(2):
            await asyncio.gather(*(one.judge.round() for one in made))
        assert await made[0].count("cases") == 60
        assert await journal(made[0]) == [("case", True, True)] * 60

    story(tell, 3)


def test_two_that_judge_the_same_device_at_once_open_one_case(story: Story) -> None:
    """The lease keeps them apart; this is what happens when it does not."""

    async def tell(made: list[Watch]) -> None:
        one, two = made
        await one.say("d1")
        one.hours.after = 31
        due = await claim_due(one.hub.store, limit=10, now=one.hub.now(), lease=timedelta())
        again = [await watch.judge._arrivals(due) for watch in made]
        outcomes = await asyncio.gather(
            one.hub.reception.take_in(again[0]), two.hub.reception.take_in(again[1])
        )  # fmt: skip
        assert sorted(outcome.verdict for [outcome] in outcomes) == ["case", "counted"]
        assert await one.count("cases") == 1
        assert await journal(one) == [("case", True, True)]

    story(tell, 2)


def test_what_a_lost_process_had_in_hand_is_judged_by_another_when_its_lease_is_over(story: Story) -> None:
    async def tell(made: list[Watch]) -> None:
        one, two = made
        for number in range(5):
            await one.say(f"d{number}")
        one.hours.after = 31
        due = await claim_due(one.hub.store, limit=10, now=one.hub.now(), lease=LEASE)
        assert len(due) == 5  # and then it is no more
        await two.judge.round()
        assert await two.count("cases") == 0
        two.hours.after = 31 + LEASE.total_seconds()
        await two.judge.round()
        assert await two.count("cases") == 5
        assert await journal(two) == [("case", True, True)] * 5

    story(tell, 2)


def test_a_telling_that_comes_while_the_clock_judges_changes_nothing_of_the_one_case(story: Story) -> None:
    async def tell(made: list[Watch]) -> None:
        one, two = made
        for number in range(20):
            device = f"d{number}"
            one.hours.after = number * 100.0
            await one.say(device)
            one.hours.after += 30
            await asyncio.gather(one.judge.round(), two.say(device))
        assert await one.count("cases") == 20
        assert await one.count("message WHERE verdict = 'case'") == 20

    story(tell, 2)


def test_a_message_that_cannot_be_read_today_waits_until_it_can(
    story: Story, database_url: str, configuration: Configuration, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()

    async def tell(made: list[Watch]) -> None:
        [one] = made
        await one.say("d1")
        one.hours.after = 31
        changed = declared(other)
        contract = changed / "contract" / "complaint.schema.json"
        contract.write_text(contract.read_text("utf-8").replace('"maxLength": 20', '"maxLength": 1'), "utf-8")
        city = joined(configuration, changed, secrets={"name": "u", "word": "w"})
        async with watches(city, database_url) as [strict]:
            strict.hours.after = 31
            await strict.judge.round()
        assert await journal(one) == [("counted", False, False)]
        one.hours.after = 31 + LEASE.total_seconds()
        await one.judge.round()
        assert await journal(one) == [("case", True, True)]

    story(tell)


def test_what_was_said_while_nobody_worked_is_heard_before_the_clock_judges(story: Story) -> None:
    async def tell(made: list[Watch]) -> None:
        [one] = made
        await one.say("d1")
        one.hours.after = 600
        started = AlarmClock(one.hub, settling=timedelta(seconds=5))
        await started.round()
        assert await one.count("cases") == 0
        await one.say("d1", "无烟")
        one.hours.after = 606
        await started.round()
        assert await one.count("cases") == 0

    story(tell)


def test_a_process_that_is_killed_in_the_middle_of_judging_loses_and_doubles_nothing(
    story: Story, database_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    city_folder(tmp_path, "amqp: {queue: q, declare: true}", protocol="amqp").rename(config)
    with_alarms(config / NAME, "{hold: 0.5}")

    async def tell(made: list[Watch]) -> None:
        [one] = made
        one.hours.after = (clock() - NOW).total_seconds()
        for number in range(20):
            await one.say(f"d{number}")
        variables = os.environ | ENVIRONMENT | {"GRIDHUB_DATABASE_URL": database_url}
        variables |= {"MARKET_URL": "amqp://127.0.0.1:1", "GRIDHUB_DATA": f"{tmp_path}"}
        command = ["work", "--role", "clock", "--config", f"{config}"]
        async with one.hub.store.transaction() as transaction:
            await transaction.connection.execute(text("LOCK TABLE cases IN EXCLUSIVE MODE"))
            with (tmp_path / "log").open("wb") as output:
                child = start(command, variables, output=output)
            try:
                while await one.count(f"alarm WHERE due_at > '{clock() + LEASE / 2}'") < 20:
                    await asyncio.to_thread(time.sleep, 0.1)  # another clock of the process waits for the cases too
                await waits(one)
            finally:
                child.send_signal(signal.SIGKILL)
                child.wait(10)
        assert await one.count(f"alarm WHERE due_at > '{clock()}'") == 20, "all in the hands of the dead one"
        assert await one.count("cases") == 0

        one.hours.after += LEASE.total_seconds() + 60
        await one.judge.round()
        assert await one.count("cases") == 20
        assert await journal(one) == [("case", True, True)] * 20

    story(tell, policy="{hold: 0.5}")


async def waits(watch: Watch) -> None:
    """Until a process waits for the cases."""
    async with asyncio.timeout(60):
        while not await watch.count("pg_locks WHERE NOT granted AND relation = CAST('cases' AS regclass)"):
            await asyncio.to_thread(time.sleep, 0.1)
