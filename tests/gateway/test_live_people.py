"""Each hears of what they may see, and no longer than they may."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from canonical.rights import Role
from gateway.live.lookout import Pace
from gateway.people.accounts import close
from tests.gateway.ear import Ear
from tests.gateway.outside import LITTER, push
from tests.gateway.people_desk import Desk, desk
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest, until

__all__ = ["desk"]


@pytest.fixture
def hub(start_hub: Callable[..., HubUnderTest]) -> HubUnderTest:
    """One that asks every second whether each may still listen."""
    started = start_hub(doors=False)
    started.open_doors(pace=Pace(valid=1))
    return started


def test_a_district_and_a_unit_hear_of_their_own_cases_and_of_no_system(desk: Desk) -> None:
    hub = desk.hub
    first = push(hub, "one")
    unit = hub.case(first)["assignments"][0]["unit"]
    district = desk.person("p340207", Role.DISTRICT_CENTRE, areas=("340207",))
    worker = desk.person("punit", Role.UNIT, units=(unit,))
    with (
        Ear(hub.url, cookie(district)) as there,
        Ear(hub.url, cookie(worker)) as here,
        Ear(hub.url, hub.centre) as all_,
    ):
        for ear in (there, here, all_):
            ear.wait("hello")
        all_.wait("systems")
        lamp, litter = push(hub, "two"), push(hub, "three", LITTER)
        hotline(ticket("four", rqstAreaCode="340207", rqstAddress="")).to(hub)
        other = hub.case("t-four")["no"]
        until(lambda: {no for no, _ in all_.moves} == {lamp, litter, other}, what="hearing of all")
        until(lambda: other in {no for no, _ in there.moves}, what="hearing of the other district's")
        until(lambda: lamp in {no for no, _ in here.moves}, what="hearing of the unit's")

        assert {no for no, _ in there.moves} == {other}
        assert litter not in {no for no, _ in here.moves}
        assert there.of("systems") == here.of("systems") == []
        until(lambda: counted(all_) == 4, what="figures of the city")
        until(lambda: counted(there) == 1, what="figures of the district")
        assert there.of("hello")[0].data["person"] == {"login": "p340207"}


def test_an_administrator_and_whoever_owes_a_password_are_not_let_in(desk: Desk) -> None:
    keeper = desk.person("keeper", Role.ADMINISTRATOR)
    answer = keeper.get("/api/live")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_whoever_signs_out_or_is_shut_out_hears_the_end_and_cannot_come_back(desk: Desk) -> None:
    hub = desk.hub
    leaving, shut = (desk.person(login, Role.CITY_CENTRE) for login in ("leaving", "shut"))
    with Ear(hub.url, cookie(leaving)) as gone, Ear(hub.url, cookie(shut)) as out, Ear(hub.url, hub.centre) as stays:
        for ear in (gone, out, stays):
            ear.wait("hello")
        assert leaving.delete("/api/session").status_code in {200, 204}
        asyncio.run(shut_out(desk, "shut"))
        gone.wait("ended", seconds=60)
        out.wait("ended", seconds=60)
        until(lambda: gone.over and out.over, what="the end of both streams")
        assert not gone.broken
        assert not stays.over
        push(hub, "after")
        until(lambda: stays.moves, what="hearing of a case")
        assert gone.moves == out.moves == []
    with Ear(hub.url, cookie(shut)) as again:
        until(lambda: again.over, what="the answer")
        assert again.status == 401


def counted(ear: Ear) -> int:
    """Cases that came in today, by the figures that were heard last."""
    return int(ear.of("figures")[-1].data["intake"]["today"]) if ear.of("figures") else 0


async def shut_out(desk: Desk, login: str) -> None:
    wired = desk.hub.wired()
    try:
        await close(wired, login, by="test", reason="示例")
    finally:
        await wired.store.close()


def cookie(client: httpx.Client) -> dict[str, str]:
    """The session of somebody who has signed in, as a header."""
    return {"cookie": f"gridhub_session={client.cookies['gridhub_session']}"}
