"""The clock of cases on a real database: each step once, in order, whoever works and whoever is killed."""

import asyncio
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from canonical.time import SHANGHAI
from gateway.case_clock import CalendarWatch, CaseClock
from gateway.configuration import Configuration, load
from gateway.settings import example_city
from tests.gateway.clock_office import NOW, Office, told_by
from tests.gateway.running import ENVIRONMENT

TOLD = """
SELECT clock, step, count(*), count(DISTINCT case_id), bool_or(late) FROM clock_step GROUP BY 1, 2 ORDER BY 1, 2
"""
ORDER = """
SELECT count(*) FROM clock_step a JOIN clock_step b ON a.case_id = b.case_id AND a.clock = b.clock
 WHERE a.at < b.at AND a.seq > b.seq
"""
UNTOLD = """
SELECT count(*) FROM clock_step s LEFT JOIN event e ON e.case_id = s.case_id AND e.seq = s.seq AND e.action = 'remind'
 WHERE e.seq IS NULL
"""


def test_each_step_is_told_once_by_any_number_of_processes(database_url: str, configuration: Configuration) -> None:
    async def tell(office: Office) -> None:
        await office.open_cases(230)
        office.hours.at = NOW + timedelta(hours=2)  # half of the four working hours, and the sign limit
        await office.settle()
        told = await office.rows(TOLD)
        assert ("disposal", "50%", 230, 230, False) in told
        assert ("sign", "due", 230, 230, False) in told

        office.hours.at = NOW + timedelta(days=2)  # nobody worked meanwhile
        await office.settle()
        told = await office.rows(TOLD)
        assert ("disposal", "80%", 230, 230, True) in told
        assert ("disposal", "due", 230, 230, True) in told
        assert ("disposal", "50%", 230, 230, False) in told
        assert await office.rows(ORDER) == await office.rows(UNTOLD) == [(0,)]
        assert await office.rows("SELECT count(*) FROM cases WHERE next_step_at <= '2026-05-22 09:30+08'") == [(0,)]

    told_by(database_url, configuration, tell)


def test_who_dies_in_the_middle_leaves_nothing_half_told(database_url: str, configuration: Configuration) -> None:
    async def tell(office: Office) -> None:
        await office.open_cases(210)
        office.hours.at = NOW + timedelta(days=1)
        for wait in (0.0, 0.005, 0.02, 0.05, 0.08, 0.15):
            await office.hubs[1].store.time()  # a connection is there: what dies is the work, not the way to it
            work = asyncio.create_task(CaseClock(office.hubs[1]).round())
            await asyncio.sleep(wait)
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        await office.settle()

        [(steps,)] = await office.rows("SELECT count(*) FROM clock_step")
        [(events,)] = await office.rows("SELECT count(*) FROM event WHERE action = 'remind'")
        due = "SELECT count(DISTINCT case_id) FROM clock_step WHERE step = 'due' AND clock = 'disposal'"
        [(cases,)] = await office.rows(due)
        assert (steps, cases) == (events, 210)

    told_by(database_url, configuration, tell)


def test_when_the_notice_of_next_year_is_loaded_provisional_due_times_are_computed_again(
    database_url: str, configuration: Configuration, tmp_path: Path
) -> None:
    folder = tmp_path / "city"
    shutil.copytree(example_city(), folder)
    with (folder / "calendar" / "holidays.csv").open("a", encoding="utf-8") as file:
        file.write("2027-01-01/2027-01-03,off,元旦,演示\n")
    later = load(folder, ENVIRONMENT)

    async def tell(office: Office) -> None:
        office.hours.at = datetime(2026, 12, 31, 17, 0, tzinfo=SHANGHAI)
        await office.open_cases(3)
        for hub in office.hubs:
            await CalendarWatch(hub).round()
        due = "SELECT state #>> '{due,at}', state #>> '{due,provisional}' FROM cases ORDER BY no"
        assert set(await office.rows(due)) == {("2027-01-01T11:00:00+08:00", "true")}

        office.hubs = [replace(hub, configuration=later) for hub in office.hubs]
        office.hours.at += timedelta(minutes=10)
        await asyncio.gather(*(CalendarWatch(hub).round() for hub in office.hubs))
        office.hours.at += timedelta(minutes=10)
        await CalendarWatch(office.hubs[0]).round()

        assert set(await office.rows(due)) == {("2027-01-04T11:00:00+08:00", None)}
        assert await office.rows("SELECT count(*) FROM event WHERE action = 'recompute'") == [(3,)]

    told_by(database_url, configuration, tell)


def test_a_case_that_our_code_cannot_tell_of_does_not_stop_the_clock_of_the_others(
    database_url: str, configuration: Configuration
) -> None:
    async def tell(office: Office) -> None:
        await office.open_cases(5)
        [(spoilt,)] = await office.rows("SELECT id FROM cases ORDER BY no LIMIT 1")
        spoil = "UPDATE cases SET state = jsonb_set(state, '{stage}', '\"closed\"') WHERE id = '{}' RETURNING no"
        assert len(await office.rows(spoil.replace("{}", str(spoilt)))) == 1
        office.hours.at = NOW + timedelta(hours=2)
        await office.settle()

        told = await office.rows("SELECT count(DISTINCT case_id) FROM clock_step WHERE clock = 'disposal'")
        assert told == [(4,)]

    told_by(database_url, configuration, tell, processes=2)
