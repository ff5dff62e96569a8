"""An exchange table in which very much waits: a claim holds the rows it takes and no others."""

from dataclasses import replace

import pytest

from tests.connectors.exchange_site import CLAIM, QUEUE, Open, Site, accept, fill, ids, opened, site, states
from tests.connectors.servers.mariadb import mariadb

__all__ = ["mariadb", "opened", "site"]

WAITING = 300
_LOCKED = {
    "mariadb": "SELECT max(trx_rows_locked) AS n FROM information_schema.innodb_trx",
    "postgresql": "SELECT count(*) FROM desk.queue WHERE xmax <> 0",
}
"""How many rows are locked at this moment."""


def watched(here: Site) -> None:
    """Let the table note, at every change of a row, how many of its rows are locked."""
    if here.kind == "postgresql":
        here.run(
            "CREATE TABLE desk.locks (n int)",
            "CREATE FUNCTION desk.look() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN INSERT INTO desk.locks {_LOCKED[here.kind]}; RETURN new; END $$",
            "CREATE TRIGGER look BEFORE UPDATE ON desk.queue FOR EACH ROW EXECUTE FUNCTION desk.look()",
        )
        return
    here.run(
        "CREATE TABLE desk.locks (n int) ENGINE=MyISAM",
        # What the server tells of its locks is a tenth of a second old.
        "CREATE TRIGGER desk.look BEFORE UPDATE ON desk.queue FOR EACH ROW "
        f"INSERT INTO desk.locks SELECT n FROM ({_LOCKED[here.kind]}) AS looked WHERE SLEEP(0.15) = 0",
    )


@pytest.mark.parametrize("sequence", ["", "seq"], ids=["by key", "by a column without an index"])
def test_a_claim_locks_what_it_takes_and_not_all_that_waits(site: Site, opened: Open, sequence: str) -> None:
    site.run(QUEUE)
    fill(site, *range(WAITING))
    receiver = opened(replace(CLAIM, sequence=sequence))
    receiver.receive(most=1, wait=0)
    watched(site)

    assert ids(receiver.receive(most=2, wait=0)) == [1, 2]

    [[most]] = site.ask("SELECT max(n) FROM desk.locks")
    assert 0 < most < 20


def test_what_another_holds_is_stepped_over_and_taken_in_a_later_pass(site: Site, opened: Open) -> None:
    site.run(QUEUE)
    fill(site, 1, 2, 3)
    receiver = opened(CLAIM)

    with site.engine.connect() as other:
        other.exec_driver_sql("SELECT id FROM desk.queue WHERE id = 2 FOR UPDATE").all()
        assert accept(receiver.receive(most=2, wait=0)) == [1]
        assert accept(receiver.receive(most=2, wait=0)) == [3]
        other.rollback()

    assert receiver.receive(most=2, wait=0) == []
    assert accept(receiver.receive(most=2, wait=0)) == [2]
    assert set(states(site).values()) == {"2"}
