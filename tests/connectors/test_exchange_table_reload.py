"""Tables read whole again and again: what is new, what changed, and what is no longer shown."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.exchange_table import TableReceiver
from tests.connectors.exchange_site import (
    AT,
    QUEUE,
    RELOAD,
    Notebook,
    Open,
    Site,
    a_pass,
    accept,
    fill,
    opened,
    site,
    told,
)
from tests.connectors.servers.mariadb import mariadb

__all__ = ["mariadb", "opened", "site"]

GONE = replace(RELOAD, gone={"state": "withdrawn"}, gone_after=600)


def after(receiver: TableReceiver, clock: list[datetime], seconds: int) -> list[dict[str, Any]]:
    """What comes, all accepted, so many seconds later."""
    clock[0] += timedelta(seconds=seconds)
    told = []
    while batch := receiver.receive(most=2, wait=0):
        for one in batch:
            told.append(orjson.loads(one.message.body))
            one.accept()
    return told


def test_a_row_that_a_list_no_longer_shows_is_told_once_after_a_while_and_is_news_when_it_comes_back(
    site: Site, opened: Open
) -> None:
    site.run("CREATE TABLE desk.queue (id int PRIMARY KEY, state varchar(9))")
    site.run("INSERT INTO desk.queue VALUES (1, 'new'), (2, 'new'), (3, 'new')")
    clock, book = [AT], Notebook()
    receiver = opened(GONE, book, now=lambda: clock[0])
    assert [row["id"] for row in after(receiver, clock, 0)] == [1, 2, 3]

    site.run("DELETE FROM desk.queue WHERE id = 2")
    assert after(receiver, clock, 200) == []
    assert after(receiver, clock, 300) == []
    assert after(receiver, clock, 400) == [{"id": 2, "state": "withdrawn"}]
    assert after(receiver, clock, 4000) == []

    site.run("INSERT INTO desk.queue VALUES (2, 'new')")
    assert after(receiver, clock, 10) == [{"id": 2, "state": "new"}]
    site.run("DELETE FROM desk.queue WHERE id = 2")
    assert [after(receiver, clock, 700) for _ in range(3)] == [[], [{"id": 2, "state": "withdrawn"}], []]


def test_a_list_that_is_being_filled_again_withdraws_nothing(site: Site, opened: Open) -> None:
    site.run("CREATE TABLE desk.queue (id int PRIMARY KEY, state varchar(9))")
    site.run("INSERT INTO desk.queue VALUES (1, 'new'), (2, 'new')")
    clock = [AT]
    receiver = opened(GONE, Notebook(), now=lambda: clock[0])
    after(receiver, clock, 0)

    site.run("DELETE FROM desk.queue")
    assert [after(receiver, clock, 700) for _ in range(3)] == [[], [], []]
    site.run("INSERT INTO desk.queue VALUES (1, 'new')")
    assert after(receiver, clock, 700) == []  # row 2 may still be on its way
    site.run("INSERT INTO desk.queue VALUES (2, 'new')")
    assert [after(receiver, clock, 700) for _ in range(2)] == [[], []]


def test_without_a_word_about_it_a_missing_row_means_nothing(site: Site, opened: Open) -> None:
    site.run("CREATE TABLE desk.queue (id int PRIMARY KEY, state varchar(9))")
    site.run("INSERT INTO desk.queue VALUES (1, 'new'), (2, 'new')")
    clock = [AT]
    receiver = opened(RELOAD, Notebook(), now=lambda: clock[0])
    after(receiver, clock, 0)
    site.run("DELETE FROM desk.queue WHERE id = 2")

    assert [after(receiver, clock, 9000) for _ in range(2)] == [[], []]


def test_a_reload_hands_out_what_is_new_or_changed(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, *range(1, 8))
    memory = Notebook()
    receiver = opened(RELOAD, memory)
    assert accept(a_pass(receiver, 3)) == [1, 2, 3, 4, 5, 6, 7]

    fill(site, 0)
    site.run("UPDATE desk.queue SET title = '倒伏' WHERE id = 5", "DELETE FROM desk.queue WHERE id = 2")

    assert accept(a_pass(receiver, 3)) == [0, 5]
    assert a_pass(opened(RELOAD, memory), 3) == []


def test_a_column_more_changes_nothing_when_columns_are_declared(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1)
    memory = Notebook()
    declared = replace(RELOAD, columns=("Title",))
    rows = a_pass(opened(declared, memory))
    assert told(rows[0]) == {"id": 1, "Title": "树 1"}
    accept(rows)

    site.run("ALTER TABLE desk.queue ADD COLUMN extra int")

    assert a_pass(opened(declared, memory)) == []


def test_a_key_of_several_columns_of_text(site: Site, opened: Open) -> None:
    site.run("CREATE TABLE desk.queue (area varchar(40), no varchar(20), id int, PRIMARY KEY (area, no))")
    awkward = ["a'b", 'a"b', "a\\b", "%s", ":x", "镜湖", "; DROP TABLE desk.queue; --"]
    for number, text in enumerate(awkward):
        with site.engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO desk.queue VALUES (%s, %s, %s)", (text, "1", number))
    receiver = opened(replace(RELOAD, key=("area", "no")))

    assert sorted(accept(a_pass(receiver, 2))) == list(range(len(awkward)))
    assert a_pass(receiver, 2) == []
