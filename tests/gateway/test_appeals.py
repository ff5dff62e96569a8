"""Appeals 申诉 as people have them: a unit files one for its own case in time, the centre decides, and the figures of
the closed month change by a new edition only, as was told before.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from canonical.assignment import Share
from canonical.clock import Clock
from canonical.lifecycle import ActionKind, Stage
from canonical.rights import Role
from canonical.time import SHANGHAI
from gateway.assessment.closing import close
from storage.partitions import keep_months
from storage.store import Store
from tests.assessment.month import UNITS, Story, month, save
from tests.gateway.conftest import StartHub
from tests.gateway.people_desk import Desk
from tests.gateway.running import HubUnderTest

PERIOD = "2026-10"
NOW = datetime(2026, 11, 3, tzinfo=SHANGHAI)


@dataclass(frozen=True)
class Month:
    """A hub a few days after a month that was closed, and the people at it."""

    hub: HubUnderTest
    desk: Desk
    stories: list[Story]

    @property
    def overdue(self) -> Story:
        """A case that may be appealed: its unit was late in the month, and it was closed these days."""
        return next(one for one in self.stories if _may_be_appealed(one))

    def close(self, reason: str = "") -> None:
        """The month, once more."""

        async def job() -> None:
            store = Store(self.hub.database_url)
            await close(store, self.hub.configuration, PERIOD, by="op-1", reason=reason, now=lambda: NOW)
            await store.close()

        asyncio.run(job())


def _may_be_appealed(one: Story) -> bool:
    case, disposal = one.case, one.case.clock(Clock.DISPOSAL)
    if case.stage is not Stage.CLOSED or case.appeals or case.assignment is None or case.closed_at is None:
        return False
    if disposal is None or disposal.due is None or not disposal.overdue(NOW):
        return False
    return NOW - case.closed_at < timedelta(days=12) and disposal.due.at.astimezone(SHANGHAI).month == 10


@pytest.fixture
def told(start_hub: StartHub) -> Iterator[Month]:
    hub = start_hub(doors=False)
    hub.now = lambda: NOW
    hub.open_doors()
    stories = month(63, 300, until=NOW, joint=True)

    async def job() -> None:
        store = Store(hub.database_url)
        for number in (9, 10, 11):
            await keep_months(store, datetime(2026, number, 2, tzinfo=SHANGHAI))
        await save(store, stories)
        await store.close()

    asyncio.run(job())
    desk = Desk(hub)
    made = Month(hub, desk, stories)
    made.close()
    with desk.stack:
        yield made


def test_a_unit_appeals_the_centre_upholds_and_the_month_changes_by_an_edition_as_was_told(told: Month) -> None:
    case = told.overdue.case
    assert case.assignment is not None
    unit = told.desk.person("unit", Role.UNIT, units=(case.assignment.unit,))
    centre = told.desk.person("centre", Role.CITY_CENTRE)
    path = f"/api/cases/{case.no}/appeal"

    may = unit.get(path).json()
    assert (may["may"], may["why_not"], may["effect"]["edition"]) == (True, None, 1)
    assert {one["column"] for one in may["effect"]["changes"]} >= {"need_dispose"}
    filed = unit.post(path, json={"reason": "暴雨期间无法施工"})
    assert filed.status_code == 200, filed.text
    assert {name: filed.json()[name] for name in ("case_no", "state", "filed_by", "reason")} == {
        "case_no": case.no, "state": "open", "filed_by": "unit", "reason": "暴雨期间无法施工",
    }  # fmt: skip
    again = unit.post(path, json={"reason": "再来一次"})
    assert (again.status_code, "not decided yet" in again.json()["error"]["text"]) == (409, True)
    assert "not decided yet" in unit.get(path).json()["why_not"]
    upheld = {"kind": "uphold", "reason": "气象局证明属实"}
    assert unit.post(f"/api/cases/{case.no}/actions", json=upheld).status_code == 403
    assert centre.post(f"/api/cases/{case.no}/actions", json=upheld).status_code == 200

    [one] = unit.get("/api/appeals", params={"state": "upheld", "case_no": case.no}).json()["items"]
    assert (one["decided_by"], one["decision"]) == ("centre", "气象局证明属实")
    first = _figures(told, case.assignment.unit, 1)
    told.close("申诉成立")
    second = _figures(told, case.assignment.unit, 2)
    assert _figures(told, case.assignment.unit, 1) == first
    for change in may["effect"]["changes"]:
        assert (first[change["column"]], second[change["column"]]) == (change["before"], change["after"]), change
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {change["column"] for change in may["effect"]["changes"]}


def _figures(told: Month, unit: str, edition: int) -> dict[str, Any]:
    sheet = told.hub.get("/api/assessment/sheet", period=PERIOD, by="unit", edition=edition)
    [row] = [row for row in sheet["rows"] if row["id"] == unit]
    return {name: figure["value"] for name, figure in row["figures"].items()} | {"score": row["score"]}


def test_only_who_led_a_case_appeals_and_only_while_the_rules_allow_it(told: Month) -> None:
    case = told.overdue.case
    assert case.assignment is not None
    other = next(unit for unit in UNITS if unit not in {one.unit for one in case.assignments})
    stranger = told.desk.person("stranger", Role.UNIT, units=(other,))
    auditor = told.desk.person("auditor", Role.AUDITOR)
    path = f"/api/cases/{case.no}/appeal"

    assert stranger.get(path).status_code == stranger.post(path, json={"reason": "试试"}).status_code == 404
    assert auditor.post(path, json={"reason": "试试"}).status_code == 403
    assert auditor.get(path).json()["may"] is False
    for reason in ("", "x" * 2001, 7):
        assert told.hub.client.post(path, json={"reason": reason}, headers=told.hub.centre).status_code == 422
    nobody = told.hub.client.post(path, json={"reason": "试试"}, headers=told.hub.centre)
    assert (nobody.status_code, "actor" in nobody.json()["error"]["text"]) == (422, True)

    helper, unit = next(_called(told.stories))
    called = told.desk.person("called", Role.UNIT, units=(unit,))
    answer = called.post(f"/api/cases/{helper}/appeal", json={"reason": "只是协办"})
    assert (answer.status_code, "led the case" in answer.json()["error"]["text"]) == (403, True)

    open_ = next(one.case for one in told.stories if one.case.stage is Stage.HANDLING)
    assert "when it is over" in told.hub.get(f"/api/cases/{open_.no}/appeal")["why_not"]
    order = {"reason": "太早", "actor": "op-1"}
    early = told.hub.client.post(f"/api/cases/{open_.no}/appeal", json=order, headers=told.hub.centre)
    assert early.status_code == 409, early.text


def _called(stories: list[Story]) -> Iterator[tuple[str, str]]:
    """A closed case, and a unit that was only called to it."""
    for case in (one.case for one in stories if one.case.stage is Stage.CLOSED and one.case.assignment):
        led = {each.unit for each in case.assignments if each.share is Share.LEAD}
        yield from ((case.no, each.unit) for each in case.assignments if each.unit not in led)


@pytest.mark.parametrize("state", ["", "open", "upheld", "dismissed"])
def test_the_list_has_every_appeal_of_the_scope_with_its_decision_page_by_page(told: Month, state: str) -> None:
    expected = [row for row in _by_hand(told.stories) if state in ("", row[2])]
    assert expected

    def listed(client: Any, **headers: str) -> list[tuple[str, int, str]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            query = {"state": state, "since": "2026-09-01T00:00:00+08:00", "after": after, "limit": 3}
            answer = client.get("/api/appeals", params=query, headers=headers)
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            after = answer.json()["next"] or ""
            if not after:
                break
        assert [one["filed_at"] for one in found] == sorted((one["filed_at"] for one in found), reverse=True)
        return sorted((one["case_no"], one["seq"], one["state"]) for one in found)

    assert listed(told.hub.client, **told.hub.centre) == expected
    unit = told.desk.person("unit", Role.UNIT, units=(UNITS[0],))
    own = {one.case.no for one in told.stories if UNITS[0] in {a.unit for a in one.case.assignments}}
    assert listed(unit) == [row for row in expected if row[0] in own]


def _by_hand(stories: list[Story]) -> list[tuple[str, int, str]]:
    """Each appeal, and how the next decision on the case ended it."""
    said = {ActionKind.UPHOLD: "upheld", ActionKind.DISMISS: "dismissed"}
    found = []
    for one in stories:
        for at, event in enumerate(one.events):
            if event.action.kind is ActionKind.APPEAL:
                later = (said[each.action.kind] for each in one.events[at:] if each.action.kind in said)
                found.append((one.case.no, event.seq, next(later, "open")))
    return sorted(found)


@pytest.mark.parametrize("after", ["x", "bnVsbA==", "WyIyMDI2LTEwLTAxIiwgMSwgMl0=", "é"])
def test_a_page_that_there_is_not_is_told(told: Month, after: str) -> None:
    answer = told.hub.client.get("/api/appeals", params={"after": after}, headers=told.hub.centre)
    assert answer.status_code == 422, answer.text
