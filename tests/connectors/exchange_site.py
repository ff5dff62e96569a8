"""Another system's database, PostgreSQL and MariaDB in turn, and receivers of its tables."""

import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import Engine, create_engine

from canonical.ports import Received
from canonical.time import SHANGHAI
from connectors.exchange_table import Table, TableReceiver
from storage.embedded import NAME, EmbeddedPostgres
from tests.connectors.servers.mariadb import MariaDb

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
NINE = AT.astimezone(SHANGHAI).replace(tzinfo=None)
"""The same as the table tells it."""


class Notebook:
    """A memory that lives as long as the test."""

    def __init__(self) -> None:
        self.moves: list[str] = []
        self.known: dict[str, str] = {}

    def position(self) -> str:
        return self.moves[-1] if self.moves else ""

    def move(self, position: str) -> None:
        self.moves.append(position)

    def news(self, digests: Mapping[str, str]) -> frozenset[str]:
        return frozenset(key for key, digest in digests.items() if self.known.get(key) != digest)

    def remember(self, digests: Mapping[str, str]) -> None:
        self.known |= digests

    def absent(self, keys: Collection[str], *, told: str) -> frozenset[str]:
        return frozenset(key for key, digest in self.known.items() if key not in keys and digest != told)


@dataclass(frozen=True, slots=True)
class Site:
    """Another system's database."""

    kind: str
    engine: Engine
    url: str
    reach: Callable[[], socket.socket]
    """A raw connection to the server."""

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(self.spoken(statement))

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(self.spoken(statement))]

    def spoken(self, statement: str) -> str:
        """The statement with this database's type for times."""
        return statement.replace("MOMENT", "timestamp" if self.kind == "postgresql" else "datetime(6)")

    def through(self, port: int) -> str:
        """The URL of the same database behind a relay."""
        if self.kind == "postgresql":
            return f"postgresql+psycopg://{NAME}@127.0.0.1:{port}/{NAME}?sslmode=disable"
        return f"mysql+pymysql://root@127.0.0.1:{port}/exchange?charset=utf8mb4"


def _postgresql(server: EmbeddedPostgres) -> Site:
    url = server.url.replace("+asyncpg", "+psycopg")
    folder = url.partition("host=")[2]

    def reach() -> socket.socket:
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(f"{folder}/.s.PGSQL.5432")
        return raw

    return Site("postgresql", create_engine(url), url, reach)


def _mariadb(server: MariaDb) -> Site:
    def reach() -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.port))

    return Site("mariadb", create_engine(server.url()), server.url(), reach)


@pytest.fixture(params=["postgresql", "mariadb"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Each kind of database in turn, with nothing in it."""
    if request.param == "postgresql":
        here = _postgresql(request.getfixturevalue("postgres"))
        here.run("CREATE SCHEMA IF NOT EXISTS desk")
    else:
        here = _mariadb(request.getfixturevalue("mariadb"))
        here.run("CREATE DATABASE IF NOT EXISTS desk CHARACTER SET utf8mb4")
    yield here
    here.run("DROP SCHEMA desk CASCADE" if here.kind == "postgresql" else "DROP DATABASE desk")
    here.engine.dispose()


Open = Callable[..., TableReceiver]


@pytest.fixture
def opened(site: Site) -> Iterator[Open]:
    """Opens receivers and closes them at the end of the test."""
    made: list[TableReceiver] = []

    def receiver(
        table: Table, memory: Notebook | None = None, *, url: str = "", now: Callable[[], datetime] = lambda: AT
    ) -> TableReceiver:
        made.append(
            TableReceiver(
                url or site.url, table, system="landscape", door="rows", memory=memory or Notebook(), ids=uuid4,
                now=now, zone=SHANGHAI, timeout=5,
            )
        )  # fmt: skip
        return made[-1]

    yield receiver
    for one in made:
        one.close()


def told(received: Received) -> dict[str, Any]:
    return dict(orjson.loads(received.message.body))


def ids(received: Sequence[Received]) -> list[int]:
    return [told(one)["id"] for one in received]


def a_pass(receiver: TableReceiver, most: int = 100) -> list[Received]:
    """Everything until the receiver says that the pass is over; nothing gets a verdict."""
    found: list[Received] = []
    while some := receiver.receive(most=most, wait=0):
        assert len(some) <= most
        found += some
    return found


def accept(received: Sequence[Received]) -> list[int]:
    for one in received:
        one.accept()
    return ids(received)


QUEUE = (
    "CREATE TABLE desk.queue (id int PRIMARY KEY, state varchar(4), title varchar(50), at MOMENT NULL,"
    " note varchar(8), taken_at MOMENT NULL, seq int)"
)
FLAG = Table(
    "desk.queue", ("id",), "flag", flag="state", new=("0",), taken="2", failed="9", note="note", taken_at="taken_at"
)
CLAIM = replace(FLAG, claimed="1")
SEQUENCE = Table("desk.queue", ("id",), "sequence", sequence="seq")
RELOAD = Table("desk.queue", ("id",), "reload")


def fill(site: Site, *numbers: int, state: str = "0") -> None:
    site.run(
        *(f"INSERT INTO desk.queue (id, state, title, seq) VALUES ({n}, '{state}', '树 {n}', {n})" for n in numbers)
    )


def states(site: Site) -> dict[int, str]:
    return dict(site.ask("SELECT id, state FROM desk.queue ORDER BY id"))
