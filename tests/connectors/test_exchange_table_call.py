"""Stored procedures of real PostgreSQL and MariaDB servers, called with arguments by name."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine

from canonical.errors import ContractViolation, InDoubt
from canonical.time import SHANGHAI
from connectors.exchange_call import Caller
from connectors.exchange_table import TableConnector
from tests.connectors.exchange_site import Site, site
from tests.connectors.servers.mariadb import mariadb
from tests.connectors.servers.relay import Relay
from tests.connectors.test_exchange_table_write import opened, row, sent

__all__ = ["mariadb", "opened", "site"]

TABLE = "CREATE TABLE desk.orders (no varchar(20) PRIMARY KEY, title varchar(10), amount decimal(8,2), at MOMENT NULL)"
RECEIVE = {
    "postgresql": """\
CREATE PROCEDURE desk."ReceiveOrder"(p_no varchar, p_title varchar, p_amount numeric, p_at timestamp,
                                     INOUT status int DEFAULT NULL, INOUT message varchar DEFAULT NULL)
LANGUAGE plpgsql AS $$
BEGIN
  IF p_title = 'no' THEN RAISE EXCEPTION 'citizen 13800000000'; END IF;
  INSERT INTO desk.orders VALUES (p_no, p_title, p_amount, p_at);
  IF p_title = 'half' THEN RAISE EXCEPTION 'half'; END IF;
  IF p_title = 'slow' THEN PERFORM pg_sleep(1); END IF;
  status := 0; message := '已接收' || p_no;
END $$""",
    "mariadb": """\
CREATE PROCEDURE desk.ReceiveOrder(p_no varchar(20), p_title varchar(10), p_amount decimal(8,2), p_at datetime(6),
                                   OUT status int, INOUT message varchar(40))
BEGIN
  IF p_title = 'no' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'citizen 13800000000'; END IF;
  INSERT INTO desk.orders VALUES (p_no, p_title, p_amount, p_at);
  IF p_title = 'half' THEN SIGNAL SQLSTATE '45000'; END IF;
  IF p_title = 'slow' THEN DO SLEEP(1); END IF;
  SET status = 0, message = CONCAT('已接收', p_no);
END""",
}
ORDER = {"p_title": "行道树", "p_amount": "12.50", "p_at": "2026-03-16 09:00:00"}


@pytest.fixture
def connector(site: Site, opened: Callable[[str], TableConnector]) -> TableConnector:
    made = RECEIVE[site.kind]
    site.run(TABLE, made)
    return opened(site.url)


def called(connector: TableConnector, path: str = "desk.receiveorder", **arguments: Any) -> tuple[int, dict[str, Any]]:
    return sent(connector, row("CALL", path=path, **arguments))


def test_a_procedure_is_called_by_name_and_answers_with_what_comes_out(site: Site, connector: TableConnector) -> None:
    assert called(connector, P_NO="芜-1", **ORDER) == (200, {"status": 0, "message": "已接收芜-1"})

    [found] = site.ask("SELECT no, title, amount, at FROM desk.orders")
    assert [str(one) for one in found] == ["芜-1", "行道树", "12.50", "2026-03-16 09:00:00"]


def test_what_the_procedure_says_no_to_leaves_nothing_and_none_of_its_words(
    site: Site, connector: TableConnector
) -> None:
    assert called(connector, p_no="1", **ORDER | {"p_title": "no"}) == (422, {"error": "raised"})
    assert called(connector, p_no="1", **ORDER | {"p_title": "half"}) == (422, {"error": "raised"})
    assert site.ask("SELECT count(*) FROM desk.orders") == [(0,)]


def test_a_second_call_with_the_same_key_is_told_from_other_refusals(connector: TableConnector) -> None:
    assert called(connector, p_no="1", **ORDER)[0] == 200
    assert called(connector, p_no="1", **ORDER) == (409, {"error": "duplicate"})
    assert called(connector, p_no="2", **ORDER | {"p_amount": "much"}) == (422, {"error": "data"})


@pytest.mark.parametrize(
    ("path", "arguments", "told"),
    [
        ("desk.receive_orders", ORDER | {"p_no": "1"}, "no such procedure"),
        ("desk.receiveorder", ORDER | {"p_number": "1"}, "takes no argument 'p_number'; it has p_no, p_title"),
        ("desk.receiveorder", ORDER, "needs the arguments p_no"),
    ],
)
def test_a_call_that_does_not_fit_is_told_with_what_is_there(
    connector: TableConnector, path: str, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(ContractViolation, match=told):
        called(connector, path, **arguments)


def test_a_connection_that_breaks_under_way_leaves_doubt(site: Site, opened: Callable[[str], TableConnector]) -> None:
    site.run(TABLE, RECEIVE[site.kind])
    with Relay(site.reach) as relay:
        connector = opened(site.through(relay.port))
        assert called(connector, p_no="1", **ORDER)[0] == 200
        relay.break_at = b"slow"
        with pytest.raises(InDoubt, match="while the procedure worked"):
            called(connector, p_no="2", **ORDER | {"p_title": "slow"})


def test_rows_that_a_procedure_selects_are_its_answer(site: Site, opened: Callable[[str], TableConnector]) -> None:
    made = {
        "postgresql": "CREATE FUNCTION desk.take(no varchar, n int DEFAULT 7) RETURNS TABLE(code int, msg varchar)"
        " LANGUAGE sql AS 'SELECT n, no UNION ALL SELECT 2, $$second$$'",
        "mariadb": "CREATE PROCEDURE desk.take(no varchar(20)) BEGIN SELECT 7 AS code, no AS msg; SELECT 2; END",
    }
    site.run(made[site.kind])
    connector = opened(site.url)

    for _ in range(2):  # what was not read of one call does not disturb the next
        assert called(connector, "desk.take", no="x") == (200, {"code": 7, "msg": "x"})


def test_a_procedure_without_arguments_may_commit_by_itself(
    site: Site, opened: Callable[[str], TableConnector]
) -> None:
    language = "LANGUAGE plpgsql AS $$ BEGIN INSERT INTO desk.orders(no) VALUES ('1'); COMMIT; END $$"
    body = language if site.kind == "postgresql" else "BEGIN INSERT INTO desk.orders(no) VALUES ('1'); COMMIT; END"
    site.run(TABLE, f"CREATE PROCEDURE desk.tick() {body}")

    assert called(opened(site.url), "desk.tick") == (200, {})
    assert site.ask("SELECT no FROM desk.orders") == [("1",)]


def test_databases_that_are_not_known_to_call_are_told() -> None:
    with pytest.raises(ContractViolation, match="PostgreSQL, MariaDB and MySQL"):
        Caller(create_engine("sqlite://"), SHANGHAI).call("s", "desk.take", {})
