"""Whom the ladder names is told of a rung by a real webhook and a real mail server: once, whoever works or dies."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from email import message_from_string
from email.header import decode_header, make_header
from typing import Any

import pytest

from canonical.action import Supervision
from canonical.clock import Clock
from canonical.errors import Unavailable
from gateway.case_clock import CaseClock
from gateway.configuration import Configuration
from gateway.notify import Notifier
from gateway.notify_file import Notify
from routing.trade_rules import Rung
from storage.notices import Notices
from tests.gateway.clock_office import NOW, Office, told_by
from tests.gateway.notice_desk import MailServer, declared, serving
from tests.gateway.pulling import Platform, platform

Story = Callable[[Office, Platform, MailServer], Coroutine[Any, Any, None]]
OVERDUE = NOW + timedelta(days=2)
"""Nobody worked for two days: half, 80 %, the due time and the first working day after it have passed."""


def named(url: str, configuration: Configuration, story: Story) -> None:
    """A story of three processes that tell a webhook and a mail server."""

    async def tell(office: Office) -> None:
        with serving(MailServer()) as desk, platform() as duty:
            duty.on["/duty"] = lambda _asked: {}
            notify = declared(duty, desk)
            office.hubs = [replace(hub, configuration=replace(configuration, notify=notify)) for hub in office.hubs]
            await story(office, duty, desk)

    told_by(url, configuration, tell)


async def send(office: Office) -> None:
    """All processes tell what is to be told, until nothing is left."""
    for _ in range(20):
        await asyncio.gather(*(Notifier(hub).round() for hub in office.hubs))


def rungs(duty: Platform) -> Counter[tuple[str, str, bool]]:
    """How often each case was told of each rung."""
    bodies = [asked.body for asked in duty.asked]
    return Counter((one["case_no"], body["step"], one["late"]) for body in bodies for one in body["cases"])


async def expected(office: Office) -> Counter[tuple[str, str, bool]]:
    """Each case once at each of the two rungs of disposal that have passed, late."""
    numbers = [no for (no,) in await office.rows("SELECT no FROM cases")]
    return Counter((no, step, True) for no in numbers for step in ("due", "+1 work_day"))


def test_each_case_is_told_once_at_each_rung_by_any_number_of_processes(
    database_url: str, configuration: Configuration
) -> None:
    async def story(office: Office, duty: Platform, desk: MailServer) -> None:
        await office.open_cases(230)
        office.hours.at = OVERDUE
        await office.settle()
        await send(office)

        assert rungs(duty) == await expected(office)
        assert len(duty.asked) == len(desk.mails) < 20  # not a mail a case
        body = next(asked.body for asked in duty.asked if asked.body["step"] == "+1 work_day")
        assert (body["occasion"], body["source"], body["clock"]) == ("rung", "ladder", "disposal")
        assert (body["notify"], body["supervise"]) == (["处置部门负责人", "值班长"], "yellow")
        assert {asked.body["system"] for asked in duty.asked} == {"urban_management"}
        mail = message_from_string(next(one for one in desk.mails if "work_day" in one.partition("Subject")[0]))
        assert "值班长" in str(make_header(decode_header(mail["Subject"])))
        text = mail.get_payload(decode=True)
        assert isinstance(text, bytes)
        assert body["cases"][0]["case_no"][:6] in text.decode()
        assert "(told late)" in text.decode()

    named(database_url, configuration, story)


def test_a_step_without_a_rung_that_names_somebody_is_told_to_nobody(
    database_url: str, configuration: Configuration
) -> None:
    rules, silent = configuration.city.rules, Rung(Clock.SIGN, "due", supervise=Supervision.ORDINARY)
    rules = replace(rules, ladder=(*rules.ladder, silent))
    configuration = replace(configuration, city=replace(configuration.city, rules=rules))

    async def story(office: Office, duty: Platform, desk: MailServer) -> None:
        await office.open_cases(2)
        office.hours.at = NOW + timedelta(hours=2)  # half of the limit, and the limit of signing
        await office.settle()
        await send(office)

        assert await office.rows("SELECT count(*) FROM clock_step WHERE step IN ('50%', 'due')") == [(4,)]
        assert await office.rows("SELECT count(*) FROM event WHERE action = 'supervise'") == [(2,)]
        assert await office.rows("SELECT count(*) FROM notice") == [(0,)]
        assert (duty.asked, desk.mails) == ([], [])

    named(database_url, configuration, story)


WAIT_AT_COMMIT = (
    """CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$""",
    """CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait_at_commit()""",
)
COMMITTING = """
SELECT pid FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND wait_event = 'advisory' AND datname = current_database()
"""


@pytest.mark.parametrize("table", ["clock_step", "notice"])
def test_who_is_killed_between_firing_and_commit_has_told_nothing_and_another_tells_it_once(
    database_url: str, configuration: Configuration, table: str
) -> None:
    async def story(office: Office, duty: Platform, desk: MailServer) -> None:
        await office.open_cases(30)
        office.hours.at = OVERDUE
        holder = office.hubs[2].store
        async with holder.transaction() as transaction:
            for statement in WAIT_AT_COMMIT:
                await transaction.connection.exec_driver_sql(statement.replace("{table}", table))
        async with holder.transaction() as transaction:
            await transaction.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4711)")
            dying = asyncio.create_task(CaseClock(office.hubs[0]).round())
            while not (found := await office.rows(COMMITTING)):
                assert not dying.done()
                await asyncio.sleep(0.01)
            [(pid,)] = found
            await office.rows(f"SELECT pg_terminate_backend({pid}, 5000)")
            with suppress(Unavailable):
                await dying
                raise AssertionError("it was killed")
            assert await office.rows("SELECT count(*) FROM clock_step") == [(0,)]
            assert await office.rows("SELECT count(*) FROM notice") == [(0,)]

        office.hubs = office.hubs[1:]
        await office.settle()
        await send(office)
        assert rungs(duty) == await expected(office)
        assert len(desk.mails) == len(duty.asked)

    named(database_url, configuration, story)


def test_who_dies_before_sending_leaves_it_to_another_and_who_dies_after_it_repeats_it_under_the_same_id(
    database_url: str, configuration: Configuration
) -> None:
    async def story(office: Office, duty: Platform, desk: MailServer) -> None:
        await office.open_cases(3)
        office.hours.at = OVERDUE
        await office.settle()
        dead = Notices(office.hubs[0].store)
        lease = OVERDUE + timedelta(minutes=1)
        taken = await dead.due(now=OVERDUE, lease=lease)  # taken in hand by a process that dies here
        assert len(taken) == 4
        await send(office)
        assert duty.asked == []
        office.hours.at = lease
        await send(office)
        assert rungs(duty) == await expected(office)

        await office.rows("UPDATE notice_telling SET state = 'due' WHERE channel = 'webhook' RETURNING 1")  # unsettled
        await send(office)
        ids = Counter(asked.headers["gridhub-notice"] for asked in duty.asked)
        assert (len(ids), set(ids.values())) == (2, {2})
        assert len(desk.mails) == 2

    named(database_url, configuration, story)


def test_where_no_channel_is_declared_the_rung_is_kept_and_shown(
    database_url: str, configuration: Configuration
) -> None:
    async def tell(office: Office) -> None:
        office.hubs = [replace(hub, configuration=replace(configuration, notify=Notify())) for hub in office.hubs]
        await office.open_cases(2)
        office.hours.at = OVERDUE
        await office.settle()
        listed = await Notices(office.hubs[0].store).listed(source="ladder")
        assert [(one.system, one.count, list(told)) for one, told in listed] == [("urban_management", 2, [])] * 2
        assert await Notices(office.hubs[0].store).listed(source="deliveries") == []

    told_by(database_url, configuration, tell, processes=1)


def test_after_an_outage_over_three_thresholds_all_are_told_in_their_order_marked_late(
    database_url: str, configuration: Configuration
) -> None:
    async def story(office: Office, duty: Platform, _: MailServer) -> None:
        await office.open_cases(40)
        office.hours.at = OVERDUE
        await office.settle()
        told = await office.rows("""
            SELECT case_id, string_agg(step, ' ' ORDER BY seq), bool_and(late), count(DISTINCT seq) FROM clock_step
             WHERE clock = 'disposal' GROUP BY case_id""")
        assert {one[1:] for one in told} == {("50% 80% due +1 work_day", True, 4)}
        assert len(told) == 40
        assert await office.rows("""
            SELECT count(*) FROM clock_step a JOIN clock_step b ON a.case_id = b.case_id
             WHERE a.at < b.at AND a.seq > b.seq""") == [(0,)]
        supervised = await office.rows("""
            SELECT string_agg(body #>> '{action,supervision}', ' ' ORDER BY seq) FROM event WHERE action = 'supervise'
             GROUP BY case_id""")
        assert set(supervised) == {("ordinary yellow",)}
        await send(office)
        assert rungs(duty) == await expected(office)

    named(database_url, configuration, story)
