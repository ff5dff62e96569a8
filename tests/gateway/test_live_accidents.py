"""Consoles that do not read, a database that goes away, too many at once, and the end of the process."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from gateway.access import CENTRE
from gateway.hub import clock
from gateway.live.broadcast import Broadcast
from gateway.live.lookout import Pace
from storage.moves import Look, Snapshot
from tests.connectors.servers.relay import Relay
from tests.gateway.ear import Ear
from tests.gateway.outside import push
from tests.gateway.running import HubUnderTest, until
from tests.gateway.test_live import insert
from tests.gateway.test_map_counts import through_a_relay
from tests.gateway.test_metrics import metrics, value
from tests.gateway.test_push_command import Doors, doors

__all__ = ["doors"]

StartHub = Callable[..., HubUnderTest]


@pytest.fixture
def narrow() -> socket.socket:
    """A door behind which little waits in the system: what is not read is soon the hub's to keep."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return listener


def flow(hub: HubUnderTest, ear: Ear, number: int, rounds: int) -> None:
    """So many events in each of so many looks, each heard before the next."""
    for _ in range(rounds):
        enough = len(ear.moves) + number
        insert(hub, number)
        until(partial(_heard, ear, enough), what="hearing of a round")


def _heard(ear: Ear, number: int) -> bool:
    return len(ear.moves) >= number


def test_a_console_that_does_not_read_is_reset_and_disturbs_nobody(start_hub: StartHub, narrow: socket.socket) -> None:
    hub, reads = start_hub(listener=narrow), threading.Event()
    push(hub, "slow-1")
    before = value(metrics(hub), "gridhub_live_resets_total", what="slow")

    def taken(piece: bytes) -> int:
        if b"event: moved" in piece:
            reads.wait(60)
        return len(piece)

    with Ear(hub.url, hub.centre) as other, Ear(hub.url, hub.centre, taken=taken, small=True) as slow:
        other.wait("hello")
        slow.wait("hello")
        assert value(metrics(hub), "gridhub_live_listeners") == 2
        flow(hub, other, 800, 4)
        assert value(metrics(hub), "gridhub_live_resets_total", what="slow") > before
        reads.set()
        assert slow.wait("reset").data["why"] == "slow"
        no = push(hub, "slow-2")
        until(lambda: no in {number for number, _ in slow.moves}, what="hearing again")

        assert other.of("reset") == []
        assert len(slow.moves) < len(other.moves)
        place = slow.events.index(slow.of("reset")[0])
        assert any(one.name == "moved" for one in slow.events[place:])


def test_a_console_that_takes_nothing_for_long_loses_its_place(start_hub: StartHub, narrow: socket.socket) -> None:
    hub = start_hub(listener=narrow, doors=False)
    hub.open_doors(pace=Pace(stalled=1))
    push(hub, "still-1")
    reads = threading.Event()

    def taken(piece: bytes) -> int:
        if b"event: moved" in piece:
            reads.wait(60)
        return len(piece)

    with Ear(hub.url, hub.centre, taken=taken, small=True) as still:
        still.wait("hello")
        with Ear(hub.url, hub.centre) as other:
            other.wait("hello")
            flow(hub, other, 900, 2)
        until(lambda: value(metrics(hub), "gridhub_live_listeners") == 0, what="giving it up")
        reads.set()
        until(lambda: still.over, what="the end of its stream")
        assert still.broken


def test_one_more_than_may_listen_is_told_when_to_come_back(start_hub: StartHub) -> None:
    hub = start_hub(doors=False)
    hub.open_doors(pace=Pace(listeners=1))
    with Ear(hub.url, hub.centre) as first:
        first.wait("hello")
        refused = hub.client.get("/api/live", headers=hub.centre)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "too_many_listeners")
        assert int(refused.headers["retry-after"]) > 0
    until(lambda: value(metrics(hub), "gridhub_live_listeners") == 0, what="leaving")
    with Ear(hub.url, hub.centre) as second:
        second.wait("hello")


@pytest.fixture
def relayed(start_hub: StartHub, database_url: str) -> Iterator[tuple[Relay, HubUnderTest]]:
    """A hub whose connection to the database can be cut."""
    with through_a_relay(database_url) as (relay, url):
        hub = start_hub(doors=False)
        hub.database_url = url
        hub.open_doors(pace=Pace(beat=1))
        yield relay, hub
        hub.close()


def test_a_database_that_is_away_is_told_and_what_happened_meanwhile_comes_after(
    relayed: tuple[Relay, HubUnderTest], start_hub: StartHub
) -> None:
    (relay, hub), other = relayed, start_hub()
    with ExitStack() as stack:
        ear = stack.enter_context(Ear(hub.url, hub.centre))
        ear.wait("hello")
        push(other, "away-1")
        until(lambda: len(ear.moves) >= 3, what="hearing of the first case")
        relay.shut = True
        relay.break_all()
        trouble = ear.wait("trouble")
        push(other, "away-2")
        beats = len(ear.of("beat"))
        ear.wait("beat", beats + 2)
        newcomer = stack.enter_context(Ear(hub.url, hub.centre))
        hello = newcomer.wait("hello")
        back = stack.enter_context(Ear(hub.url, hub.centre, last=ear.reading.last))
        back.wait("trouble")
        relay.shut = False
        over = ear.wait("trouble", 2)
        until(lambda: len(ear.moves) >= 6 and len(back.moves) >= 3, what="hearing of the second case")

        assert (trouble.data["over"], over.data["over"]) == (False, True)
        assert ear.of("beat")[-1].data["looked_at"] >= trouble.data["since"]
        assert (hello.id, newcomer.wait("reset").data["why"]) == ("", "late")
        assert len(ear.moves) == len(set(ear.moves)) == 6
        assert back.moves == ear.moves[3:]
        assert ear.of("reset") == back.of("reset") == []


def test_processes_that_are_told_to_stop_end_their_streams_at_once(hub: HubUnderTest, doors: Doors) -> None:
    with ExitStack() as stack:
        ears = [stack.enter_context(Ear(doors.url, hub.centre)) for _ in range(6)]
        for ear in ears:
            ear.wait("hello")
        doors.stop()  # would take the twenty seconds that a stream of cases has
        until(lambda: all(ear.over for ear in ears), what="the end of the streams")
        assert [ear.broken for ear in ears] == [""] * len(ears)


def test_who_has_heard_more_than_a_look_under_way_waits_for_the_next() -> None:
    broadcast = Broadcast(clock, most=9)
    broadcast.looked(Look(at(10), at(10)), number=0)
    broadcast.begun = 1
    ahead = broadcast.join(CENTRE, str(at(20)))  # told so by another process

    broadcast.looked(Look(at(10), at(15)), number=1)
    assert not ahead.attached
    broadcast.looked(Look(at(15), at(25)), number=2)
    assert ahead.attached


def at(transaction: int) -> Snapshot:
    """A moment in which all below it has ended."""
    return Snapshot(transaction, transaction)
