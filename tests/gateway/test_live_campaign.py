"""Whoever comes back hears everything once: over broken connections, two gateways and transactions that take long."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import asyncpg
import pytest

from canonical.rights import Role
from tests.gateway.ear import Ear
from tests.gateway.outside import push
from tests.gateway.people_desk import Desk, desk
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest, until

__all__ = ["desk"]

DISTRICTS = ("340202", "340207")
CASES = 40


class Restless:
    """A console whose connection breaks again and again, anywhere, and that comes back to any gateway."""

    def __init__(self, gateways: list[HubUnderTest], headers: dict[str, str], chance: random.Random) -> None:
        self._gateways, self._headers, self._chance = gateways, headers, chance
        self.moves: list[tuple[str, int]] = []
        self.resets: list[str] = []
        self.connections = self.cut_short = 0
        self.calm = False
        self._stop = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        last = ""
        while not self._stop:
            with Ear(self._chance.choice(self._gateways).url, self._headers, last=last, taken=self._taken) as ear:
                until(partial(self._broken, ear), what="a break")
                self.connections += 1
            self.moves += ear.moves
            self.resets += [one.data["why"] for one in ear.of("reset")]
            last = ear.reading.last or last

    def _broken(self, ear: Ear) -> bool:
        return ear.over or self._stop or self._late(ear)

    def _late(self, ear: Ear) -> bool:
        """Sometimes it leaves between two events. In the end it only looks at what is there."""
        return bool(ear.reading.last) and self._chance.random() < (0.05 if self.calm else 0.02)

    def _taken(self, piece: bytes) -> int:
        """Most pieces whole; of many events the beginning of some is not read to its end."""
        if piece.count(b"event: moved") > 1 and self._chance.random() < 0.5:
            self.cut_short += 1
            return self._chance.randrange(len(piece))
        return len(piece)

    def heard(self, wanted: set[tuple[str, int]]) -> bool:
        """True when it has heard all of these."""
        return wanted <= set(self.moves)

    def end(self) -> None:
        self._stop = True
        self._thread.join(90)
        assert not self._thread.is_alive()


@contextmanager
def long_transaction(url: str) -> Iterator[Callable[[], None]]:
    """One that has begun to write, and goes on; what is given ends it with a further event of the first case."""
    begun, end = threading.Event(), threading.Event()

    async def hold() -> None:
        loop = asyncio.get_running_loop()
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        async with connection.transaction():
            await connection.fetch("SELECT pg_current_xact_id()")
            begun.set()
            await loop.run_in_executor(None, end.wait)
            await connection.execute(_ONE_MORE)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()

    def commit() -> None:
        end.set()
        thread.join(30)

    try:
        assert begun.wait(30)
        yield commit
    finally:
        commit()


_ONE_MORE = """
INSERT INTO event (case_id, seq, at, action, party, body)
SELECT case_id, 1000, at, 'comment', 'centre', jsonb_set(body, '{seq}', '1000') FROM event
 WHERE seq = 1 ORDER BY case_id LIMIT 1
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_each_event_of_the_scope_is_heard_once_whatever_breaks(
    desk: Desk, start_hub: Callable[..., HubUnderTest], seed: int
) -> None:
    hub, other = desk.hub, start_hub()
    limits = {"whole": (), **{district: (district,) for district in DISTRICTS}}
    cookies = {
        name: desk.person(f"p{name}", Role.DISTRICT_CENTRE, areas=areas).cookies["gridhub_session"]
        for name, areas in limits.items()
        if areas
    }
    headers = {name: {"cookie": f"gridhub_session={cookie}"} for name, cookie in cookies.items()} | {
        "whole": hub.centre
    }
    push(hub, "first")  # the long transaction's
    consoles = {
        name: Restless([hub, other], headers[name], random.Random(f"{seed} {name}")) for name in limits
    }  # fmt: skip
    chance = random.Random(seed)
    try:
        until(lambda: all(one.connections for one in consoles.values()), what="the first break")
        before = _events(hub, ())
        with long_transaction(hub.database_url) as commit:
            for number in range(CASES):
                district = chance.choice(DISTRICTS)
                hotline(ticket(f"c{number}", rqstAreaCode=district, rqstAddress="")).to(hub)
                if chance.random() < 0.3:
                    hub.act(hub.case(f"t-c{number}")["no"], kind="comment", reason="示例批注", by="operator-7")
                time.sleep(chance.random() * 0.2)
                if number == CASES // 2:
                    commit()
        for one in consoles.values():
            one.calm = True
        wanted = {name: set(_events(hub, areas)) - set(before) for name, areas in limits.items()}
        assert min(map(len, wanted.values())) > CASES // 2
        for name, one in consoles.items():
            until(partial(one.heard, wanted[name]), seconds=90, what=f"all of {name}")
    finally:
        for one in consoles.values():
            one.end()

    for name, areas in limits.items():
        heard = consoles[name].moves
        assert len(heard) == len(set(heard)), f"{name}: {sorted(one for one in heard if heard.count(one) > 1)}"
        assert set(heard) <= set(_events(hub, areas))
        assert consoles[name].resets == []
        assert _in_order(heard)
    assert 1000 in {seq for _, seq in consoles["whole"].moves}
    assert sum(one.cut_short for one in consoles.values()) > 0
    assert min(one.connections for one in consoles.values()) > 3


def _events(hub: HubUnderTest, areas: tuple[str, ...]) -> list[tuple[str, int]]:
    rows = hub.rows(
        "SELECT c.no, e.seq FROM event e JOIN cases c ON c.id = e.case_id"
        " WHERE $1::text = '' OR c.area LIKE $1::text || '%'", "".join(areas),
    )  # fmt: skip
    return [(row["no"], row["seq"]) for row in rows]


def _in_order(heard: list[tuple[str, int]]) -> bool:
    """The events of each case as they came one after the other; the long transaction's was written by hand."""
    highest: dict[str, int] = {}
    for no, seq in heard:
        if seq < 1000 and seq <= highest.get(no, 0):
            return False
        highest[no] = max(highest.get(no, 0), seq if seq < 1000 else 0)
    return True
