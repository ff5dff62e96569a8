"""A table we write into that is no longer as declared: what is meant for it waits, and goes on by itself."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.configuration import Configuration
from gateway.work import Role
from tests.gateway.market import TABLE, folder, joined
from tests.gateway.running import HubUnderTest, until
from tests.gateway.test_receivers import Desk, trouble

Start = Callable[..., HubUnderTest]


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    made = Desk(database_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def city(configuration: Configuration, tmp_path: Path, desk: Desk) -> Configuration:
    """The example city, connected to the office's table."""
    return joined(configuration, folder(tmp_path, TABLE), url=desk.url)


def test_what_a_changed_table_cannot_take_waits_is_told_once_and_is_written_when_it_is_mended(
    start_hub: Start, city: Configuration, desk: Desk
) -> None:
    desk.put(1, 3)
    hub = start_hub(loaded=city)
    hub.start_worker(frozenset({Role.RECEIVE, Role.DELIVER}))
    until(lambda: desk.states() == {"2": 3}, what="taking the rows")
    desk.run("ALTER TABLE desk.complaint RENAME COLUMN reply TO answer")
    for row in hub.rows("SELECT no FROM cases"):
        hub.act(row["no"], kind="refuse", reason="不属于受理范围", by="示例坐席")
    waiting = "SELECT state, why FROM delivery WHERE message = 'refusal' AND attempts > 1"
    until(lambda: len(hub.rows(waiting)) == 3, what="trying again", seconds=40)
    assert {(row["state"], row["why"]) for row in hub.rows(waiting) if row["state"] != "sent"} <= {
        ("pending", "Unavailable")
    }
    [shown] = [
        row["trouble"] for row in hub.rows("SELECT trouble FROM memory WHERE name = 'connector' AND trouble <> ''")
    ]
    assert "no column reply" in shown

    desk.run("ALTER TABLE desk.complaint RENAME COLUMN answer TO reply")
    until(lambda: all(desk.row(number).reply for number in (1, 2, 3)), what="the replies", seconds=60)
    assert hub.until_sent()["messages"]["parked"] == 0
    until(lambda: not trouble(hub, "connector"), what="all is well")
