"""A process that pulls is killed at the worst instants; another one goes on, and every row becomes exactly one case."""

import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import example_city
from tests.gateway.forked import Forked
from tests.gateway.outside import process
from tests.gateway.pulling import NAME, PULL, Asked, Platform, declared, detail, tree
from tests.gateway.running import HubUnderTest, until

Start = Callable[..., HubUnderTest]
ROWS = 12
QUEUE = "    acknowledge: {message: got_trees, each: page}\n"
DETAIL = "    detail: {ask: one_tree, items: rows}\n"
WINDOW = "    total: total\n"


class Garden:
    """A platform that serves its rows by page or as a queue, and lets a test happen at one of its requests."""

    def __init__(self, parks: Platform, *, queue: bool) -> None:
        self.rows = [tree(number) for number in range(ROWS)]
        self.queue = queue
        self.at = ("", 0)
        self.happens: Callable[[], object] = lambda: None
        self.late = False
        parks.on |= {"/trees": self.trees, "/tree": self.one, "/got": self.got}
        self._seen: dict[str, int] = {}

    def _now(self, path: str, *, done: bool) -> None:
        self._seen[path] = self._seen.get(path, 0) + (not done)
        if self.at == (path, self._seen[path]) and self.late == done:
            self.happens()

    def trees(self, asked: Asked) -> Any:
        self._now("/trees", done=False)
        begin = 0 if self.queue else (int(asked.query["page"]) - 1) * 2
        return {"code": "ok", "rows": self.rows[begin : begin + 2], "total": len(self.rows)}

    def one(self, asked: Asked) -> Any:
        self._now("/tree", done=False)
        return detail(asked)

    def got(self, asked: Asked) -> Any:
        self._now("/got", done=False)
        self.rows = [row for row in self.rows if row["no"] not in asked.body["nos"]]
        self._now("/got", done=True)
        return {"code": "ok"}


def city(folder: Path, more: str, url: str) -> Path:
    """The example city with this platform beside the others."""
    shutil.copytree(example_city(), folder)
    declared(folder, PULL + more)
    with (folder / "systems.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n{NAME}:\n  adapter: {NAME}\n  url: {url}\n  secrets: {{user: 示例}}\n")
    return folder


INSTANTS = {
    "between two pages": (WINDOW, ("/trees", 3), False),
    "among the details of a page": (WINDOW + DETAIL, ("/tree", 4), False),
    "after the commit, before the acknowledgement is taken": (QUEUE, ("/got", 2), False),
    "when the acknowledgement is taken, before its answer": (QUEUE, ("/got", 2), True),
}


@pytest.mark.parametrize(("more", "at", "late"), INSTANTS.values(), ids=INSTANTS)
def test_whenever_a_process_is_killed_another_goes_on_after_a_minute_and_no_row_is_lost_or_doubled(
    start_hub: Start, parks: Platform, tmp_path: Path, more: str, at: tuple[str, int], *, late: bool
) -> None:
    hub = start_hub(doors=False)
    config = str(city(tmp_path / "city", more, parks.url))
    garden = Garden(parks, queue=more == QUEUE)
    killed: list[Forked] = []
    garden.at, garden.late, garden.happens = at, late, lambda: killed[0].send_signal(signal.SIGKILL)
    with process(hub, tmp_path / "one.log", "work", "--role", "poll", GRIDHUB_CONFIG=config) as worker:
        killed.append(worker)
        worker.wait(40)

    [cursor] = hub.rows("SELECT until, claimed_until - now() AS left FROM cursor WHERE system = $1", NAME)
    kept = taken(hub)
    assert len(kept) < ROWS
    assert cursor["until"] is None  # not before all of the window is committed
    assert timedelta() < cursor["left"] <= timedelta(minutes=1)
    shown = [f"T{number}" for number in range(ROWS)]
    assert set(shown) <= set(kept) | {row["no"] for row in garden.rows}  # what is gone from the queue is with us

    garden.at = ("", 0)
    hub.rows("UPDATE cursor SET claimed_until = claimed_until - interval '1 minute' RETURNING 1")
    with process(hub, tmp_path / "two.log", "work", "--role", "poll", GRIDHUB_CONFIG=config):
        until(lambda: polled(hub), seconds=40, what="the end of the turn")
    assert sorted(taken(hub)) == sorted(shown)
    assert hub.counts()["cases"] == ROWS
    assert hub.orphans() == dict.fromkeys(hub.orphans(), 0)
    assert not garden.queue or garden.rows == []


def taken(hub: HubUnderTest) -> list[str]:
    """Their numbers that became cases."""
    return [row["external_id"] for row in hub.rows("SELECT external_id FROM binding WHERE system = $1", NAME)]


def polled(hub: HubUnderTest) -> bool:
    return bool(hub.rows("SELECT 1 FROM cursor WHERE until IS NOT NULL AND trouble = ''"))
