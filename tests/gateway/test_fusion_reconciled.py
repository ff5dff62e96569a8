"""Reconciliation of cases that a platform leads: a repair never speaks to it as if the hub were the centre."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from canonical.reconciliation import LineClass
from gateway.reconciliation.repair import Repair, repairs
from gateway.work import Role
from tests.gateway.conftest import StartHub
from tests.gateway.lead_platform import BACK, LED, LITTER, NAME, OURS, Platform, city, loaded, platform
from tests.gateway.reconciling import LATER, Bench
from tests.gateway.running import HubUnderTest, until

_TOLD = "reconcile: {by: told, why: 演示平台没有查询接口, stale: 300}\n"


@pytest.fixture
def command() -> Iterator[Platform]:
    with platform() as one:
        yield one


def moved(hub: HubUnderTest, kind: str) -> None:
    order = {"kind": kind, "system": NAME, "class": LITTER, "by": "李", "reason": "试点", "dry_run": False}
    answer = hub.client.post("/api/fusion/move", json=order, headers=hub.centre)
    assert answer.json()["moved"] == 1, answer.text
    hub.start_worker(frozenset({Role.DELIVER}))
    waiting = f"SELECT count(*) AS n FROM delivery_open WHERE system = '{NAME}'"
    until(lambda: hub.rows(waiting)[0]["n"] == 0, what="telling the platform")
    hub.stop_worker()


def test_the_system_that_leads_is_not_told_again_and_what_it_says_can_be_taken_in(
    start_hub: StartHub, tmp_path: Path, command: Platform
) -> None:
    folder = city(tmp_path / "city", LED, url=command.url)
    with (folder / NAME / "system.yaml").open("a", encoding="utf-8") as file:
        file.write(_TOLD)
    led = Bench(start_hub(loaded=loaded(folder)))
    command.all_say(led.hub, ["A1"], "given", unit="3402-sanitation")
    assert led.counts(NAME, after=LATER) == {LineClass.STALE: 1}
    stale = led.difference(NAME)
    assert (stale.part, repairs(stale)) == ("lead_system", ())

    city(folder, LED, OURS)
    ours = Bench(start_hub(loaded=loaded(folder)))
    moved(ours.hub, "take_over")
    ours.statement(NAME, after=2 * LATER)
    taken = ours.difference(NAME)
    assert (taken.part, repairs(taken)) == ("both", (Repair.TELL,))

    city(folder, LED, OURS, BACK)
    back = Bench(start_hub(loaded=loaded(folder)))
    moved(back.hub, "hand_back")
    told = len(command.told)
    assert "command leads case" in back.refused(taken, Repair.TELL), "the line was made while the hub was the centre"
    assert back.hub.rows("SELECT 1 FROM delivery_open") == []
    assert len(command.told) == told
