"""Rows written into real PostgreSQL and MariaDB tables, and what their refusals become."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from canonical.errors import ContractViolation, Drifted, HubError, InDoubt, Misconfigured, Unavailable
from canonical.message import Message
from canonical.time import SHANGHAI
from connectors.exchange_table import TableConnector
from tests.connectors.exchange_site import AT, NINE, Site, site
from tests.connectors.servers.mariadb import mariadb
from tests.connectors.servers.relay import Relay

__all__ = ["mariadb", "site"]

ORDERS = (
    "CREATE TABLE desk.orders (no varchar(20) PRIMARY KEY, title varchar(10) NOT NULL, at MOMENT NULL,"
    " amount decimal(8,2), code varchar(8) UNIQUE, closed int)"
)


@pytest.fixture
def opened() -> Iterator[Callable[[str], TableConnector]]:
    made: list[TableConnector] = []

    def connector(url: str) -> TableConnector:
        made.append(TableConnector(url, ids=uuid4, now=lambda: AT, timeout=5, zone=SHANGHAI))
        return made[-1]

    yield connector
    for one in made:
        one.close()


@pytest.fixture
def connector(site: Site, opened: Callable[[str], TableConnector]) -> TableConnector:
    site.run(ORDERS)
    return opened(site.url)


def row(method: str = "POST", key: str = "", path: str = "desk.orders", **values: Any) -> Message:
    return Message(
        system="landscape", body=orjson.dumps(values), at=AT, id=UUID(int=7), door="dispatch",
        content_type="application/json", headers={"key": key} if key else {}, method=method, path=path,
    )  # fmt: skip


def sent(connector: TableConnector, message: Message) -> tuple[int, dict[str, Any]]:
    sealed = connector.seal(message)
    assert sealed == message
    answer = connector.send(sealed)
    assert (answer.parent, answer.door, answer.path, answer.system) == (
        message.id,
        "dispatch",
        message.path,
        "landscape",
    )
    return answer.status, orjson.loads(answer.body)


def test_a_row_is_inserted_with_each_value_as_the_column_wants_it(site: Site, connector: TableConnector) -> None:
    message = row(
        NO="芜-1", Title="行道树倒伏", at="2026-03-16 09:00:00", amount="12.50", code=17, closed=False
    )  # fmt: skip

    assert sent(connector, message) == (200, {"rows": 1})

    [found] = site.ask("SELECT no, title, at, amount, code, closed FROM desk.orders")
    assert [str(one) for one in found] == ["芜-1", "行道树倒伏", "2026-03-16 09:00:00", "12.50", "17", "0"]


def test_a_time_with_an_offset_is_kept_as_the_tables_clock_tells_it(site: Site, connector: TableConnector) -> None:
    assert sent(connector, row(no="1", title="x", at="2026-03-16T01:00:00Z"))[0] == 200

    assert site.ask("SELECT at FROM desk.orders") == [(NINE,)]


def test_bytes_travel_as_base64(site: Site, connector: TableConnector) -> None:
    site.run(f"ALTER TABLE desk.orders ADD COLUMN photo {'bytea' if site.kind == 'postgresql' else 'blob'}")

    assert sent(connector, row(no="1", title="x", photo="AP8="))[0] == 200

    assert [bytes(photo) for (photo,) in site.ask("SELECT photo FROM desk.orders")] == [b"\x00\xff"]


def test_an_update_sets_the_row_its_key_picks(site: Site, connector: TableConnector) -> None:
    site.run("INSERT INTO desk.orders (no, title, closed) VALUES ('1', 'x', 0), ('2', 'x', 0)")

    assert sent(connector, row("PUT", "no , closed", no="1", closed=0, title="y", at=None)) == (200, {"rows": 1})
    assert sent(connector, row("PUT", "no", no="1", title="y")) == (200, {"rows": 1}), "found, and equal already"
    assert sent(connector, row("PUT", "no", no="3", title="y")) == (200, {"rows": 0})

    assert site.ask("SELECT no, title FROM desk.orders ORDER BY no") == [("1", "y"), ("2", "x")]


def test_a_row_that_is_there_already_is_a_duplicate(site: Site, connector: TableConnector) -> None:
    assert sent(connector, row(no="1", title="x", code="a"))[0] == 200

    assert sent(connector, row(no="1", title="y")) == (409, {"error": "duplicate"})
    assert site.ask("SELECT no, title FROM desk.orders") == [("1", "x")]


def test_another_unique_column_is_no_duplicate_of_the_row(site: Site, connector: TableConnector) -> None:
    assert sent(connector, row(no="1", title="x", code="a"))[0] == 200

    constraint = "orders_code_key" if site.kind == "postgresql" else "code"
    assert sent(connector, row(no="2", title="x", code="a")) == (422, {"error": "data", "constraint": constraint})


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ({"no": "1", "title": None}, "title"),
        ({"no": "1", "title": "示例市民13800000000家门口的行道树"}, "title"),
        ({"no": "1"}, "title"),
        ({"no": "1", "title": "x", "amount": "viel"}, "amount"),
        ({"no": "1", "title": "x", "amount": 123456789}, "amount"),
        ({"no": "1", "title": "x", "at": "column 'no'"}, "at"),
    ],
    ids=["null", "too long", "missing", "no number", "out of range", "no time"],
)
def test_what_the_table_does_not_take_is_told_without_its_values(
    site: Site, connector: TableConnector, values: dict[str, Any], column: str
) -> None:
    status, body = sent(connector, row(**values))

    assert (status, body["error"]) == (422, "data")
    # PostgreSQL names the column of a missing value only.
    assert body.get("column", column) == column
    assert ("column" in body) or (site.kind == "postgresql" and values.get("title"))
    assert site.ask("SELECT no FROM desk.orders") == []


@pytest.mark.parametrize("value", ["'); DROP TABLE desk.orders; --", "' OR ''='", "%s %(x)s :y", "\\'", "\U0001f333"])
def test_a_value_is_only_ever_a_value(site: Site, connector: TableConnector, value: str) -> None:
    site.run("ALTER TABLE desk.orders ADD COLUMN remark varchar(100)")

    assert sent(connector, row(no="1", title="x", remark=value))[0] == 200
    assert sent(connector, row("PUT", "remark", remark=value, title="y")) == (200, {"rows": 1})

    assert site.ask("SELECT remark, title FROM desk.orders") == [(value, "y")]


@pytest.mark.parametrize(
    "message",
    [
        row("DELETE", "no", no="1"),
        row("PUT", no="1", title="x"),
        row("PUT", "no", no=None, title="x"),
        row("PUT", "number", no="1", title="x"),
        row("PUT", "no", no="1"),
        row(),
        row(no="1", titel="x"),
        row(path="desk.order", no="1"),
        row(path="", no="1"),
        row(**{'no") VALUES (1); DROP TABLE desk.orders; --': "1"}),
    ],
    ids=[
        "method",
        "no key",
        "null key",
        "key not in body",
        "nothing to set",
        "empty",
        "column",
        "table",
        "no table",
        "name",
    ],
)
def test_a_message_that_does_not_fit_the_table_is_told(site: Site, connector: TableConnector, message: Message) -> None:
    with pytest.raises((ContractViolation, Drifted)):
        connector.send(message)
    assert site.ask("SELECT no FROM desk.orders") == []


def test_a_wrong_column_is_named_with_what_looks_like_it(connector: TableConnector) -> None:
    with pytest.raises(Drifted, match=r"no column titel \(there is title\)"):
        connector.send(row(no="1", titel="x"))


def test_a_column_that_was_renamed_since_is_named(site: Site, connector: TableConnector) -> None:
    assert sent(connector, row(no="1", title="x"))[0] == 200
    site.run("ALTER TABLE desk.orders RENAME COLUMN title TO title_text")

    with pytest.raises(Drifted, match=r"no column title \(there is title_text\)"):
        connector.send(row(no="2", title="x"))
    assert sent(connector, row(no="2", title_text="x"))[0] == 200

    site.run("ALTER TABLE desk.orders RENAME COLUMN title_text TO title")
    assert sent(connector, row(no="3", title="x"))[0] == 200


def test_a_body_that_is_no_object_is_told(connector: TableConnector) -> None:
    for body in (b"", b"[1]", b"\xff", b"null"):
        with pytest.raises(ContractViolation):
            connector.send(Message(system="landscape", body=body, at=AT, id=UUID(int=7), path="desk.orders"))


@pytest.mark.parametrize(
    ("word", "error"), [(b"COMMIT", InDoubt), (b"INSERT INTO", Unavailable)], ids=["commit", "insert"]
)
def test_a_connection_that_breaks_in_the_commit_leaves_doubt_and_earlier_none(
    site: Site, opened: Callable[[str], TableConnector], word: bytes, error: type[HubError]
) -> None:
    site.run(ORDERS)
    with Relay(site.reach) as relay:
        connector = opened(site.through(relay.port))
        assert sent(connector, row(no="1", title="x"))[0] == 200
        relay.break_at = word

        with pytest.raises(error):
            connector.send(row(no="2", title="x"))

        assert sent(connector, row(no="3", title="x"))[0] == 200
        connector.close()
    assert len(site.ask("SELECT no FROM desk.orders")) == (3 if error is InDoubt else 2)


@pytest.mark.parametrize("site", ["mariadb"], indirect=True)
def test_a_table_without_transactions_is_in_doubt_from_the_insert_on(
    site: Site, opened: Callable[[str], TableConnector]
) -> None:
    site.run(ORDERS + " ENGINE=MyISAM")
    with Relay(site.reach) as relay:
        connector = opened(site.through(relay.port))
        relay.break_at = b"INSERT INTO"

        with pytest.raises(InDoubt):
            connector.send(row(no="1", title="x"))
        connector.close()


def test_a_server_that_is_not_there_is_unavailable(
    opened: Callable[[str], TableConnector], free_port: Callable[[], int]
) -> None:
    for url in (f"postgresql+psycopg://x@127.0.0.1:{free_port()}/x", f"mysql+pymysql://x@127.0.0.1:{free_port()}/x"):
        with pytest.raises(Unavailable) as caught:
            opened(url).send(row(no="示例", title="x"))
        assert "示例" not in str(caught.value)


def test_an_option_the_driver_does_not_know_is_misconfigured(opened: Callable[[str], TableConnector]) -> None:
    with pytest.raises(Misconfigured):
        opened("postgresql://a:b@127.0.0.1:port/x")


def test_closing_twice_is_harmless(connector: TableConnector) -> None:
    connector.close()
    connector.close()
