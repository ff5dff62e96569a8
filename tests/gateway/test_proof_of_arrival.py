"""What proves that a sending in doubt had arrived: that the other side says so, and nothing less."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import adapters
from canonical.findings import Severity
from gateway.configuration import Configuration, ConnectedSystem
from storage.outbox import Stuck
from tests.gateway.pulling import NAME, Asked, Desk, Platform, Said, Tell, Working, declared, desk
from tests.gateway.pushes import FORM, HOTLINE, hotline, ticket
from tests.gateway.test_find_by_number import deliver

OWNER = "tells:\n  owner: {dispatch: plant}\n  both: {dispatch: plant}\n"
FINDS = "finds: {plant: find_plant}\n"
HAD = "      - {when: {code: had}, then: duplicate, text: {from: code}, external_id: {from: id}}\n"


def guarded(folder: Path, url: str, more: str = OWNER) -> ConnectedSystem:
    """The platform with a message that may be sent again because the platform says what it has already."""
    one = declared(folder, more, url)
    for name, old, new in (
        ("messages/plant.yaml", "repeat: never", "repeat: guarded"),
        (
            "system.yaml",
            "      - {when: {code: ok}, then: accepted",
            f"{HAD}      - {{when: {{code: ok}}, then: accepted",
        ),
    ):
        path = folder / NAME / name
        written = path.read_text("utf-8").replace(old, new)
        assert new in written
        path.write_text(written, "utf-8")
    assert [one for one in adapters.check(folder / NAME, samples=False) if one.severity is Severity.ERROR] == []
    system = adapters.load(folder / NAME, {"user": "示例"}, name=NAME)
    return ConnectedSystem(system, one.url, None, one.concurrency, paused=False)


@pytest.fixture
def working(database_url: str, tmp_path: Path, configuration: Configuration, parks: Platform) -> Working:
    """Tell a story at a desk with one case that is to be handed over to the platform."""

    def work(tell: Tell, more: str = OWNER) -> None:
        async def run() -> None:
            async with desk(configuration, database_url, guarded(tmp_path, parks.url, more)) as one:
                pushed = hotline(ticket("1"))
                await one.take_in(HOTLINE, pushed.body, FORM)
                await tell(one)

        asyncio.run(run())

    return work


class Nursery:
    """Knows our numbers again. `loses`: the first answer is lost; `hears`: what it was told then reached it."""

    def __init__(self, parks: Platform, *, loses: bool = True, hears: bool = True) -> None:
        self.planted: list[str] = []
        self.loses, self.hears, self.closed = loses, hears, False
        parks.on["/plant"] = self.plant

    def plant(self, asked: Asked) -> Any:
        no = asked.body["no"]
        if self.loses:
            self.loses = False
            self.planted += [no] if self.hears else []
            return Said(None)
        if no in self.planted:
            return {"code": "had", "id": f"P-{no}"}
        if self.closed:
            return {"code": "no such class"}
        self.planted.append(no)
        return {"code": "ok", "id": f"P-{no}"}


async def parked(desk: Desk) -> Stuck:
    [one] = await desk.hub.outbox.stuck()
    return one


def test_the_word_that_it_has_it_already_settles_the_doubt_and_tells_its_id(working: Working, parks: Platform) -> None:
    nursery = Nursery(parks)

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("in_doubt", 1, True)
        assert await deliver(desk, after=5) == ("acknowledged", 2, False)
        [no] = nursery.planted
        assert f"P-{no}" in await desk.known()

    working(tell)


def test_another_refusal_after_a_doubt_proves_nothing_and_waits_for_a_person(working: Working, parks: Platform) -> None:
    nursery = Nursery(parks, hears=False)
    nursery.closed = True

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("in_doubt", 1, True)
        assert await deliver(desk, after=5) == ("parked", 2, True)
        assert ((await parked(desk)).why, (await parked(desk)).text) == ("not_taken", "no such class")
        assert nursery.planted == []
        assert NAME not in {row[0] for row in await desk.rows("SELECT system FROM binding")}

    working(tell)


def test_what_had_not_arrived_is_taken_by_the_second_sending(working: Working, parks: Platform) -> None:
    nursery = Nursery(parks, hears=False)

    async def tell(desk: Desk) -> None:
        await deliver(desk)
        assert await deliver(desk, after=5) == ("acknowledged", 2, False)
        assert len(nursery.planted) == 1

    working(tell)


def test_that_it_has_it_already_is_a_refusal_of_what_was_never_in_doubt(working: Working, parks: Platform) -> None:
    Nursery(parks, loses=False)
    parks.on["/plant"] = lambda _asked: {"code": "had", "id": "P-another"}

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("refused", 1, False)
        assert (await parked(desk)).text == "had"
        assert "P-another" not in await desk.known()

    working(tell)


def test_who_can_be_asked_is_asked_before_the_second_sending_and_a_refusal_after_no_answer_stays_a_doubt(
    working: Working, parks: Platform
) -> None:
    nursery = Nursery(parks, hears=False)
    nursery.closed = True
    parks.on["/find"] = lambda _asked: {"code": "no such service"}

    async def tell(desk: Desk) -> None:
        await deliver(desk)
        assert await deliver(desk, after=5) == ("parked", 2, True)
        assert parks.paths() == ["/plant", "/find", "/plant"]

    working(tell, OWNER + FINDS)


def test_an_id_that_names_another_case_already_is_shown_to_a_person_and_that_case_keeps_it(
    working: Working, parks: Platform
) -> None:
    parks.on["/plant"] = lambda _asked: {"code": "ok", "id": "P-1"}

    async def tell(desk: Desk) -> None:
        await deliver(desk)
        [first] = await desk.rows("SELECT case_id FROM binding WHERE external_id = 'P-1'")
        pushed = hotline(ticket("2"))
        await desk.take_in(HOTLINE, pushed.body, FORM)
        await desk.deliver()

        waiting = await parked(desk)
        assert (waiting.why, waiting.in_doubt, "'P-1'" in waiting.text) == ("identity_conflict", False, True)
        assert await desk.rows("SELECT case_id FROM binding WHERE external_id = 'P-1'") == [first]
        assert parks.paths() == ["/plant", "/plant"]

    working(tell)
