"""What the platform leaves and finds where no HTTP is spoken: folders of files, and tables of an exchange database.

Derived from the declaration and its samples: names of files from their patterns, columns from those declared and shown.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from adapters.declaration import SystemDeclaration
from adapters.receiver_declaration import DropDeclaration, TableDeclaration
from adapters.samples import inbound_samples, outbound_samples
from canonical.message import Message
from connectors.exchange_position import TEXT_TIMES

QUIET = 0.5
"""Seconds without growth after which a file of the bench is complete, where no marker says so."""
_CHECKSUMS = {".md5": "md5", ".sha1": "sha1", ".sha256": "sha256"}
_FAR = 1_000_000
_WILD = re.compile(r"\*|\?|\[[^\]]*\]")


@contextmanager
def tables(beside: str) -> Iterator[str]:
    """A database of its own for the tables of the platform."""
    name = f"exchange_{secrets.token_hex(8)}"
    address = make_url(beside).set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def told(statement: str) -> None:
        with engine.connect() as connection:
            connection.execute(text(statement))

    told(f"CREATE DATABASE {name}")
    try:
        yield address.set(database=name).render_as_string(hide_password=False)
    finally:
        told(f"DROP DATABASE {name} WITH (FORCE)")


class Exchange:
    """The folders and tables of one platform. `url`: an empty database for its tables."""

    def __init__(self, folder: Path, declared: SystemDeclaration, place: Path, url: str) -> None:
        self.drops = {name: one.files for name, one in declared.receivers.items() if one.files}
        self.tables = {name: one.table for name, one in declared.receivers.items() if one.table}
        self.writes = declared.connector.protocol in {"table", "files"}
        self._place, self._url, self._number = place, url, 0
        self.addresses: dict[str, str] = {}
        for name, drop in self.drops.items():
            (place / name / drop.folder).mkdir(parents=True)
            self.addresses[name] = f"file://{place / name}"
        (place / "sent").mkdir(parents=True)
        self._engine: Engine | None = None
        self._columns: dict[str, dict[str, str]] = {}
        self._keys: dict[tuple[str, tuple[str, ...]], int] = {}
        self._left: dict[tuple[str, tuple[str, ...]], tuple[dict[str, Any], int]] = {}
        """What was left under which ids, and how late."""
        self._late = 0
        if self.tables or declared.connector.protocol == "table":
            self._engine = create_engine(url)
            self.addresses |= dict.fromkeys(self.tables, url)
            self._make(folder, declared)
        self.url = url if declared.connector.protocol == "table" else f"file://{place / 'sent'}"

    def close(self) -> None:
        """Give the connections back."""
        if self._engine:
            self._engine.dispose()

    # --- files ---

    def put(self, receiver: str, message: Message, *, marked: bool = True) -> Path:
        """Drop a file, and its marker where one is declared; where it lies."""
        drop = self.drops[receiver]
        self._number += 1
        path = self._place / receiver / drop.folder / self._name(drop, message)
        path.write_bytes(message.body)
        if marked:
            self.mark(receiver, path)
        return path

    def mark(self, receiver: str, path: Path) -> None:
        """Say that a file is complete."""
        ready = self.drops[receiver].ready
        if ready:
            kind = _CHECKSUMS.get(ready.lower())
            told = f"{hashlib.new(kind, path.read_bytes()).hexdigest()}  {path.name}\n" if kind else ""
            path.with_name(path.name + ready).write_text(told, encoding="utf-8")

    def _name(self, drop: DropDeclaration, message: Message) -> str:
        given = message.path.rpartition("/")[2]
        if given and any(fnmatchcase(given, pattern) for pattern in drop.match):
            stem, dot, suffix = given.rpartition(".")
            numbered = f"{stem}_{self._number}{dot}{suffix}"
            if any(fnmatchcase(numbered, pattern) for pattern in drop.match):
                return numbered
        parts = {"*": f"{self._number:06d}", "?": "0"}
        return _WILD.sub(lambda found: parts.get(found[0], found[0][1:2]), drop.match[0])

    # --- tables ---

    def fits(self, receiver: str, row: object) -> bool:
        """Whether a document can be a row of the table: a table has neither fewer nor more columns."""
        declared = self.tables[receiver]
        columns = self._columns[declared.name]
        if not isinstance(row, dict) or {str(key) for key in row} - set(columns):
            return False
        return not {*declared.key, *declared.columns} - set(row)

    def insert(self, receiver: str, given: Mapping[str, Any], ids: tuple[str, ...]) -> None:
        """Leave a row, in the place of the one with its key. `ids`: texts that name the message."""
        declared = self.tables[receiver]
        row = self._placed(declared, dict(given), ids)
        table, columns = _quoted(declared.name), self._columns[declared.name]
        values = {name: _cell(row.get(name), kind) for name, kind in columns.items()}
        if declared.flag and not row.get(declared.flag):
            values[declared.flag] = declared.new[0]
        key = " AND ".join(f'"{name}" = :k{index}' for index, name in enumerate(declared.key))
        at = {f"k{index}": values[name] for index, name in enumerate(declared.key)}
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join(f":v{index}" for index in range(len(columns)))
        cells = {f"v{index}": values[name] for index, name in enumerate(columns)}
        assert self._engine is not None
        with self._engine.begin() as connection:
            connection.execute(text(f"DELETE FROM {table} WHERE {key}"), at)  # noqa: S608 names of the declaration
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), cells)  # noqa: S608

    def _placed(self, declared: TableDeclaration, row: dict[str, Any], ids: tuple[str, ...]) -> dict[str, Any]:
        """The row as another one, where its ids are others: a key of its own, and later in the sequence."""
        told = {str(row.get(name)) for name in declared.key}
        if ids and not told & set(ids):
            first = declared.key[0]
            number = self._keys.setdefault((declared.name, ids), len(self._keys) + 1)
            row[first] = f"{row[first]}-{number}" if isinstance(row[first], str) else number + _FAR
        before = self._left.get((declared.name, ids))
        if before is None or before[0] != row:
            self._late += 1
            self._left[(declared.name, ids)] = before = (dict(row), self._late)
        if declared.mode == "sequence":
            row[declared.sequence] = _later(row.get(declared.sequence), before[1])
        return row

    def count(self, words: str) -> int:
        """How many rows or files of ours hold these words."""
        found = sum(words.encode() in path.read_bytes() for path in (self._place / "sent").rglob("*") if path.is_file())
        if self._engine is None:
            return found
        with self._engine.connect() as connection:
            for name in self._columns:
                query = f"SELECT count(*) FROM {_quoted(name)} AS t WHERE t::text LIKE :words"  # noqa: S608
                found += connection.execute(text(query), {"words": f"%{words}%"}).scalar_one()
        return found

    def _make(self, folder: Path, declared: SystemDeclaration) -> None:
        """Every table that is read or written, with the columns that the declaration and its samples show."""
        keys: dict[str, tuple[str, ...]] = {}
        for name, one in self.tables.items():
            columns = self._columns.setdefault(one.name, {})
            keys.setdefault(one.name, one.key)
            for row in _rows(folder, name):
                columns |= {str(column): _kind(value) for column, value in row.items() if columns.get(column) != "text"}
            for column in _declared(one):
                columns.setdefault(column, "text")
        if declared.connector.protocol == "table":
            for table, columns_ in _written(folder):
                known = self._columns.setdefault(table, {})
                for column in columns_:
                    known.setdefault(column, "text")
        assert self._engine is not None
        with self._engine.begin() as connection:
            for table, columns in self._columns.items():
                schema, dot, _ = table.rpartition(".")
                if dot:
                    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
                said = [f'"{name}" {kind}' for name, kind in columns.items()]
                if key := ", ".join(f'"{name}"' for name in keys.get(table, ()) if name in columns):
                    said.append(f"PRIMARY KEY ({key})")
                connection.execute(text(f"CREATE TABLE {_quoted(table)} ({', '.join(said)})"))


def _declared(table: TableDeclaration) -> Iterator[str]:
    yield from (*table.key, *table.columns, *table.where)
    yield from filter(None, (table.flag, table.note, table.taken_at, table.sequence))


def _rows(folder: Path, receiver: str) -> Iterator[Mapping[str, Any]]:
    for sample in inbound_samples(folder):
        if sample.door == receiver:
            try:
                row = json.loads(sample.path.read_bytes())
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def _written(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(table, columns) of every sample of a row that is written."""
    for path in outbound_samples(folder):
        golden = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(golden.get("body"), dict):
            yield str(golden["path"]), list(golden["body"])


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "bigint" if isinstance(value, int) else "double precision" if isinstance(value, float) else "text"


def _later(value: object, steps: int) -> object:
    """A sequence some steps further."""
    if isinstance(value, int):
        return value + steps
    for pattern in TEXT_TIMES:
        with suppress(ValueError):
            return (datetime.strptime(str(value), pattern) + timedelta(seconds=steps)).strftime(pattern)  # noqa: DTZ007 as the platform writes it
    return value


def _cell(value: object, kind: str) -> object:
    """A value as the column takes it."""
    if value is None:
        return None
    return str(value) if kind == "text" and not isinstance(value, str) else value


def _quoted(table: str) -> str:
    return ".".join(f'"{part}"' for part in table.split("."))
