"""The list of clocks that have run out or soon will: what it has, page by page, at the API and at eighty columns."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from canonical.action import Action, Actor
from canonical.case import Case
from canonical.clock import Clock
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message, Verdict
from canonical.records import Arrival, Command
from canonical.rights import EVERYTHING
from gateway.cli.clocks import hours
from gateway.cli.main import app
from gateway.clock_list import WORKING, asked, clock_list
from gateway.configuration import Configuration
from tests.gateway.clock_office import NOW, Office, told_by
from tests.gateway.outside import environment, push
from tests.gateway.running import HubUnderTest

UNIT = "340202-cleaning"


async def shown(office: Office, limit: int = 50, **said: Any) -> dict[str, Any]:
    """The list, as people ask for it now."""
    hub = office.hubs[0]
    city, now = hub.configuration.city, hub.now()
    return await clock_list(hub.store, city, asked(city, now, **said), now, limit, scope=EVERYTHING)


def keys(view: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["due_at"], one["case_no"], one["clock"]) for one in view["items"]]


async def running(office: Office, until: datetime) -> list[tuple[str, str, str]]:
    """The same, from the states of all cases one by one."""
    states = await office.rows("SELECT CAST(state AS text) FROM cases")
    cases = [Case.model_validate_json(state) for (state,) in states]
    found = [
        (one.due.at.isoformat(), case.no, str(one.clock))
        for case in cases if not case.ended
        for one in case.clocks if one.running and one.due and one.due.at <= until
    ]  # fmt: skip
    return sorted(found)


async def order(office: Office, number: str, kind: ActionKind, **more: Any) -> None:
    """A person of the centre does it now."""
    hub = office.hubs[0]
    action = Action(kind=kind, actor=Actor(party=Party.CENTRE, id="operator-7"), at=hub.now(), **more)
    message = Message(system="centre", body=b"", at=hub.now(), id=hub.ids())
    [outcome] = await hub.reception.take_in([Arrival(message, Command(number, action))])
    assert outcome.verdict is Verdict.APPLIED, outcome


def test_what_is_overdue_or_soon_due_is_listed_once_by_urgency_whatever_the_page(
    database_url: str, configuration: Configuration
) -> None:
    async def tell(office: Office) -> None:
        await office.open_cases(7)
        for later in (timedelta(), timedelta(hours=1), timedelta(hours=3), timedelta(days=2)):
            office.hours.at = NOW + later
            await office.settle()
            whole = await shown(office, within="4h")
            assert keys(whole) == await running(office, office.hours.at + timedelta(hours=4))
            assert whole["next"] is None
            paged, after = [], ""
            for _ in range(100):
                page = await shown(office, 3, within="4h", after=after)
                paged += keys(page)
                after = page["next"]
                if after is None:
                    break
            assert paged == keys(whole)
            late = await shown(office, overdue=True)
            assert keys(late) == await running(office, office.hours.at)
            assert {one["overdue"] for one in late["items"]} <= {True}
        assert {one["clock"] for one in late["items"]} >= {"disposal", "sign"}

    told_by(database_url, configuration, tell, processes=1)


def test_it_is_narrowed_by_unit_system_clock_and_step(database_url: str, configuration: Configuration) -> None:
    async def tell(office: Office) -> None:
        await office.open_cases(3)
        office.hours.at = NOW + timedelta(hours=1, minutes=40)
        await office.settle()
        whole = await shown(office, within="2d")
        unit = whole["items"][0]["unit"]
        reply = await shown(office, within="30d", clock=Clock.REPLY)
        assert {(one["clock"], one["unit"]) for one in reply["items"]} == {("reply", "")}
        theirs = await shown(office, within="30d", unit=unit)
        assert (
            {one["clock"] for one in theirs["items"]} == {"sign", "level", "disposal"} <= {str(one) for one in WORKING}
        )
        assert (await shown(office, within="30d", unit="3402-gas"))["items"] == []
        carried = await shown(office, within="2d", system="hotline_12345")
        assert keys(carried) == keys(whole)
        assert (await shown(office, within="2d", system="market_supervision"))["items"] == []
        near = await shown(office, within="2d", step="80%")
        assert {one["clock"] for one in near["items"]} == {"sign"}
        assert {one["next_step"] for one in near["items"]} == {"due"}
        office.hours.at = NOW + timedelta(hours=2, minutes=1)
        await office.settle()
        assert {one["clock"] for one in (await shown(office, step="due"))["items"]} == {"sign"}

    told_by(database_url, configuration, tell, processes=1)


def test_a_clock_that_stands_still_or_was_stopped_is_not_listed(
    database_url: str, configuration: Configuration
) -> None:
    async def tell(office: Office) -> None:
        await office.open_cases(3)
        first, second, third = [no for (no,) in await office.rows("SELECT no FROM cases ORDER BY no")]
        await order(office, first, ActionKind.SIGN)
        until = NOW + timedelta(days=9)
        await order(office, first, ActionKind.ASK_SUSPENSION, until=until, reason="等材料")
        await order(office, first, ActionKind.SUSPEND, until=until, reason="同意")
        await order(office, second, ActionKind.CANCEL, reason="重复")
        await order(office, third, ActionKind.DISPOSE, result="已清理")
        office.hours.at = NOW + timedelta(days=3)
        assert {one[1:] for one in keys(await shown(office, within="30d"))} == {
            (first, "reply"),
            (third, "reply"),
            (third, "check"),
            (third, "case"),
        }

    told_by(database_url, configuration, tell, processes=1)


def test_what_is_left_is_negative_once_it_is_overdue_and_says_so_in_hours(
    database_url: str, configuration: Configuration
) -> None:
    async def tell(office: Office) -> None:
        await office.open_cases(1)
        office.hours.at = NOW + timedelta(hours=1)
        [sign] = (await shown(office, clock=Clock.SIGN))["items"]
        assert (sign["overdue"], hours(sign["remaining_seconds"])) == (False, "1h00m")
        office.hours.at = NOW + timedelta(hours=2, minutes=5)
        [sign] = (await shown(office, clock=Clock.SIGN))["items"]
        assert (sign["overdue"], hours(sign["remaining_seconds"])) == (True, "-0h05m")

    told_by(database_url, configuration, tell, processes=1)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"within": "soon"}, "30m"), ({"within": "-4h"}, "30m"), ({"within": "9999d"}, "366d"),
        ({"within": "4h\0"}, ""), ({"step": "42%"}, "there are: +1 work_day"), ({"step": "\0"}, ""),
        ({"clock": "lunch"}, ""), ({"unit": "\0"}, ""), ({"system": "\0"}, ""), ({"after": "x"}, "`next`"),
        ({"after": "nan~1~sign~"}, "`next`"), ({"after": "1e300~1~sign~"}, "`next`"), ({"after": "1~1\0~sign~"}, ""),
        ({"limit": 0}, ""), ({"limit": 501}, ""), ({"overdue": "perhaps"}, ""),
    ],
)  # fmt: skip
def test_what_cannot_be_looked_for_is_told_with_what_can(hub: HubUnderTest, query: dict[str, Any], said: str) -> None:
    answer = hub.client.get("/api/clocks", params=query, headers=hub.centre)

    assert answer.status_code == 422
    assert said in answer.json()["error"]["text"] + answer.json()["error"]["hint"]


def test_the_api_and_the_terminal_tell_it_in_eighty_columns(hub: HubUnderTest) -> None:
    number = push(hub, "shown")
    listed = hub.client.get("/api/clocks", params={"within": "60d"}, headers=hub.centre).json()
    one = hub.client.get(f"/api/cases/{number}", headers=hub.centre).json()
    open_ = {clock["clock"] for clock in one["clocks"] if clock["state"] == "running" and clock["due_at"]}
    assert {item["clock"] for item in listed["items"]} == open_ >= {"sign", "disposal", "source"}

    typed = CliRunner(env=environment(hub) | {"COLUMNS": "80", "TERM": "dumb"})
    table = typed.invoke(app, ["clocks", "--within", "60d"])
    case = typed.invoke(app, ["case", "show", number])
    assert table.exit_code == case.exit_code == 0, table.stderr + case.stderr
    assert max(map(cell_len, [*table.stdout.splitlines(), *case.stdout.splitlines()])) <= 80
    assert table.stdout.count(number) == len(open_)
    assert "来源时限" in case.stdout
    assert "计时 running" in case.stdout
    late = sum(item["overdue"] for item in listed["items"])
    assert f"{len(open_)} clocks, {late} overdue 超期" in table.stdout
    assert typed.invoke(app, ["clocks", "--step", "42%"]).exit_code == 2
    unknown = typed.invoke(app, ["clocks", "--unit", "3402-urbam"])
    assert unknown.exit_code == 2
    assert "'3402-urbam' is not in units.csv" in unknown.stderr
