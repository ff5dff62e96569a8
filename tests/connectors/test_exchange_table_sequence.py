"""Tables read by a growing column: the position moves behind what is settled, and nothing is stepped over."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from canonical.errors import Unavailable
from canonical.time import SHANGHAI
from tests.connectors.exchange_site import AT, QUEUE, SEQUENCE, Notebook, Open, Site, a_pass, accept, fill, opened, site
from tests.connectors.servers.mariadb import mariadb

__all__ = ["mariadb", "opened", "site"]


def test_the_position_moves_behind_what_is_settled_and_never_past_it(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3, 4)
    memory = Notebook()
    receiver = opened(SEQUENCE, memory)
    first, second, third, fourth = a_pass(receiver)

    third.accept()
    assert memory.moves == []
    first.accept()
    assert memory.moves == ["1"]
    second.defer()
    fourth.reject("说不清")
    assert memory.moves == ["1"]
    assert accept(a_pass(receiver)) == [2]
    a_pass(receiver)
    assert memory.moves[-1] == "4"


def test_a_restarted_receiver_goes_on_where_everything_was_settled(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    memory = Notebook()
    rows = a_pass(opened(SEQUENCE, memory))
    rows[0].accept()
    rows[2].accept()

    restarted = opened(SEQUENCE, memory)

    assert accept(a_pass(restarted)) == [2]
    fill(site, 4)
    assert accept(a_pass(restarted)) == [4]
    assert memory.position() == "4"


@pytest.mark.parametrize("column", ["seq", "at"])
def test_a_late_commit_inside_the_overlap_is_taken(site: Site, opened: Open, column: str) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 5)
    site.run("UPDATE desk.queue SET at = CASE id WHEN 1 THEN '2026-03-16 08:00:01' WHEN 2 THEN '2026-03-16 08:00:02'"
             " ELSE '2026-03-16 08:00:05' END" if site.kind == "mariadb" else
             "UPDATE desk.queue SET at = TIMESTAMP '2026-03-16 08:00:00' + id * INTERVAL '1 second'")  # fmt: skip
    memory = Notebook()
    receiver = opened(replace(SEQUENCE, sequence=column, overlap=2), memory)
    assert accept(a_pass(receiver)) == [1, 2, 5]
    reached = memory.position()

    fill(site, 3, 4)
    site.run("UPDATE desk.queue SET at = '2026-03-16 08:00:04' WHERE id = 4",
             "UPDATE desk.queue SET at = '2026-03-16 08:00:02.5' WHERE id = 3",
             "UPDATE desk.queue SET seq = 2 WHERE id = 3")  # fmt: skip

    assert accept(a_pass(receiver)) == [4], "3 lies before the overlap"
    assert memory.position() == reached, "never backwards"


def test_a_time_from_the_future_moves_no_position(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2)
    site.run("UPDATE desk.queue SET at = '2026-03-16 08:59:00' WHERE id = 1",
             "UPDATE desk.queue SET at = '2099-01-01 00:00:00' WHERE id = 2")  # fmt: skip
    memory = Notebook()
    receiver = opened(replace(SEQUENCE, sequence="at"), memory)
    assert accept(a_pass(receiver)) == [1, 2]

    fill(site, 3)
    site.run("UPDATE desk.queue SET at = '2026-03-16 08:59:30' WHERE id = 3")

    assert accept(a_pass(receiver)) == [3]
    assert memory.position() == "2026-03-16 08:59:30"


def test_text_that_tells_times_is_looked_back_by_seconds(site: Site, opened: Open) -> None:
    site.run("CREATE TABLE desk.queue (id int PRIMARY KEY, seq varchar(20))",
             "INSERT INTO desk.queue VALUES (1, '20260316085900'), (2, '20260316090000')")  # fmt: skip
    memory = Notebook()
    receiver = opened(replace(SEQUENCE, overlap=30), memory)
    assert accept(a_pass(receiver)) == [1, 2]

    site.run("INSERT INTO desk.queue VALUES (3, '20260316085930'), (4, '20260316085929')")

    assert accept(a_pass(receiver)) == [3]
    assert memory.position() == "20260316090000"


@pytest.mark.parametrize("most", [1, 2, 3, 5, 6])
def test_more_rows_of_one_sequence_than_a_page_holds_all_come_once(site: Site, opened: Open, most: int) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3, 4, 5)
    site.run("UPDATE desk.queue SET seq = 7")
    memory = Notebook()
    receiver = opened(SEQUENCE, memory)

    assert accept(a_pass(receiver, most)) == [1, 2, 3, 4, 5]
    assert a_pass(receiver, most) == []
    assert memory.position() == "7"


def test_rows_without_a_sequence_come_as_they_change(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    site.run("UPDATE desk.queue SET seq = NULL WHERE id = 1")
    memory = Notebook()
    receiver = opened(SEQUENCE, memory)
    assert accept(a_pass(receiver, 2)) == [2, 3, 1]
    assert memory.position() == "3"

    site.run("UPDATE desk.queue SET title = '石榴' WHERE id = 1")

    assert accept(a_pass(receiver)) == [1]


def test_a_page_whose_news_could_not_be_asked_for_is_not_stepped_over(site: Site, opened: Open) -> None:
    class Failing(Notebook):
        down = False

        def news(self, digests: Mapping[str, str]) -> frozenset[str]:
            if self.down:
                raise Unavailable("the hub's own database")
            return super().news(digests)

    site.run(QUEUE)
    fill(site, 1, 2, 3)
    memory = Failing()
    receiver = opened(SEQUENCE, memory)
    [first] = receiver.receive(most=1, wait=0)
    memory.down = True
    with pytest.raises(Unavailable):
        receiver.receive(most=1, wait=0)
    memory.down = False
    first.accept()

    assert accept(a_pass(receiver)) == [2, 3]


def test_the_clock_that_jumps_back_inside_the_overlap_loses_nothing(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    clock = AT
    memory = Notebook()
    receiver = opened(replace(SEQUENCE, sequence="at", overlap=120), memory, now=lambda: clock)
    for number, seconds in enumerate([0, 30, -60, -30, 10], start=1):
        fill(site, number)
        local = (AT + timedelta(seconds=seconds)).astimezone(SHANGHAI).replace(tzinfo=None)
        site.run(f"UPDATE desk.queue SET at = '{local}' WHERE id = {number}")
        clock = AT + timedelta(seconds=60)
        assert accept(a_pass(receiver)) == [number]
    assert memory.moves == sorted(memory.moves)
