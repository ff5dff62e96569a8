"""Reports that the hub takes in by itself end as figures: with its budgets, its calendars and its reminders."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from canonical.action import Action, Actor
from canonical.codes import ClassCode
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message, Verdict
from canonical.place import Place
from canonical.reading import Reading
from canonical.records import Arrival, Command
from canonical.rights import EVERYTHING
from gateway.assessment import sheet_of
from gateway.assessment.facts import spending
from gateway.configuration import Configuration
from storage.facts import Facts
from tests.gateway.clock_office import NOW, Office, told_by

CASES = Path(__file__).parents[2] / "adapters" / "urban_management" / "samples" / "cases.no-place.in.json"
FRONTAGE = ClassCode.parse("30428.2:E06-04")
"""Dispatched by the centre's people: the responsibility list leaves it to them."""
DESK = Actor(party=Party.CENTRE, id="op-1")


async def _done(office: Office, numbers: list[str], kind: ActionKind, **given: object) -> None:
    """What the desk records of these cases, as its orders come in."""
    hub = office.hubs[0]
    action = Action.model_validate({"kind": kind, "actor": DESK, "at": office.hours.at} | given)
    messages = [Message(system="centre", body=b"", at=action.at, id=hub.ids()) for _ in numbers]
    arrivals = [Arrival(one, Command(no, action)) for one, no in zip(messages, numbers, strict=True)]
    outcomes = await hub.reception.take_in(arrivals)
    assert {outcome.verdict.value for outcome in outcomes} == {"applied"}, outcomes


def test_cases_of_the_hub_are_on_time_or_late_by_their_own_ledgers(
    database_url: str, configuration: Configuration
) -> None:
    """Six cases of 4 working hours from 09:30: three done at 12:30, one at 18:00 the next day, two never."""

    async def tell(office: Office) -> None:
        await office.open_cases(6)
        numbers = [str(row[0]) for row in await office.rows("SELECT no FROM cases ORDER BY no")]
        for hours, some in ((3, numbers[:3]), (32.5, numbers[3:4])):
            office.hours.at = NOW + timedelta(hours=hours)
            await _done(office, some, ActionKind.SIGN)
            await _done(office, some, ActionKind.DISPOSE, result="已清运")
        office.hours.at = NOW + timedelta(days=3)
        await office.settle()
        store = office.hubs[0].store
        run = await Facts(store, spending(configuration)).update(office.hours.now)
        assert (run.cases, run.trouble) == (6, "")

        sheet = await sheet_of(
            store, configuration, "2026-05", "unit", now=office.hours.at + timedelta(minutes=1), scope=EVERYTHING
        )
        [unit] = [row for row in sheet.rows if (row.figures["need_dispose"].value or 0) > 0]
        wanted = ("need_dispose", "dispose", "in_time_dispose", "overtime_dispose", "overtime_to_dispose", "need_sign")
        assert {name: unit.figures[name].value for name in wanted} == {
            "need_dispose": 6, "dispose": 4, "in_time_dispose": 3, "overtime_dispose": 1, "overtime_to_dispose": 2,
            "need_sign": 6,
        }  # fmt: skip
        assert (unit.figures["reminded"].value or 0) > 6
        # 09:30 to 12:00, and 8 hours of each further day: the calendar's time, not the clock's on the wall.
        spent = "SELECT spent_seconds FROM fact WHERE what = 'clock.disposal' AND done_seq > 0 ORDER BY case_no"
        assert await office.rows(spent) == [(9000,), (9000,), (9000,), (9000 + 4 * 3600 + 8 * 3600,)]

    told_by(database_url, configuration, tell, processes=1)


async def _told(office: Office, configuration: Configuration, guid: str, source: str) -> str:
    """The urban management platform reports a case without a place; its number here."""
    hub = office.hubs[0]
    said = json.loads(CASES.read_text()) | {"CaseGuid": guid, "CaseSource": source}
    message = Message(system="urban_management", body=json.dumps(said).encode(), at=office.hours.at, id=hub.ids())
    system = configuration.systems["urban_management"].system
    [reading] = system.read(replace(message, door="cases"))
    assert isinstance(reading, Reading)
    [outcome] = await hub.reception.take_in([Arrival(message, reading)])
    assert outcome.verdict is Verdict.CASE
    [[number]] = await office.rows(f"SELECT no FROM cases JOIN binding ON case_id = id WHERE external_id = '{guid}'")
    return str(number)


def test_every_post_of_a_case_that_a_platform_reported_is_assessed_by_its_own_person(
    database_url: str, configuration: Configuration
) -> None:
    """A collector found one case, a citizen another; the centre's people file and dispatch both by orders."""

    async def tell(office: Office) -> None:
        found = await _told(office, configuration, "cg-1", "10")
        called = await _told(office, configuration, "cg-2", "20")
        place, verified = Place(area="340202"), Actor(party=Party.CENTRE, id="op-acceptor")
        chief, dispatcher = (verified.model_copy(update={"id": f"op-{name}"}) for name in ("chief", "dispatcher"))
        for number in (found, called):
            some = [number]
            await _done(office, some, ActionKind.VERIFY, actor=verified, reason="看一看")
            filed = {"class_code": FRONTAGE, "place": place, "standard": f"{FRONTAGE}/1"}
            await _done(office, some, ActionKind.FILE, actor=chief, **filed)
            await _done(office, some, ActionKind.DISPATCH, actor=dispatcher, unit="340202-urban")
        store = office.hubs[0].store
        office.hours.at += timedelta(minutes=5)
        await Facts(store, spending(configuration)).update(office.hours.now)

        async def counted(by: str, column: str) -> dict[str, float | None]:
            sheet = await sheet_of(store, configuration, "2026-05", by, now=office.hours.at, scope=EVERYTHING)
            rows = {row.id: row.figures[column].value for row in sheet.rows}
            return {name: value for name, value in rows.items() if value} | {"*": sheet.total.figures[column].value}

        assert await counted("collector", "report") == {"urban_management/采集员001": 1, "*": 2}
        assert await counted("acceptor", "verify_order") == {"op-acceptor": 2, "*": 2}
        assert await counted("duty_chief", "register") == {"op-chief": 2, "*": 2}
        assert await counted("dispatcher", "dispatch") == {"op-dispatcher": 2, "*": 2}

    told_by(database_url, configuration, tell, processes=1)


def test_a_case_is_closed_in_time_by_its_own_limit_whatever_its_disposal_was(
    database_url: str, configuration: Configuration
) -> None:
    """Both were disposed of late, of 4 working hours, and the hub closes what passed the check: one within 15 days
    (K18), one not.
    """

    async def tell(office: Office) -> None:
        await office.open_cases(2)
        numbers = [str(row[0]) for row in await office.rows("SELECT no FROM cases ORDER BY no")]
        for hours, some in ((32.5, numbers[:1]), (40 * 24, numbers[1:])):
            office.hours.at = NOW + timedelta(hours=hours)
            for kind in (ActionKind.SIGN, ActionKind.DISPOSE, ActionKind.CHECK):
                await _done(office, some, kind, result="已清运")
        office.hours.at = NOW + timedelta(days=45)
        store = office.hubs[0].store
        await Facts(store, spending(configuration)).update(office.hours.now)
        found = {}
        for period in ("2026-05", "2026-06"):
            total = (
                await sheet_of(store, configuration, period, "unit", now=office.hours.at, scope=EVERYTHING)
            ).total.figures
            wanted = ("need_dispose", "in_time_dispose", "need_archive", "archive", "in_time_archive")
            found[period] = [total[name].value for name in wanted]
        assert found == {"2026-05": [2, 0, 0, 0, 0], "2026-06": [0, 0, 2, 2, 1]}

    told_by(database_url, configuration, tell, processes=1)
