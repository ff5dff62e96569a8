"""How a message of the platform gets to the hub: pushed, found by the next pull, or left in a folder or a table."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx

from adapters.shape_json import read_json
from canonical.errors import Unacceptable
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from gateway.certify.bench import Bench, until
from gateway.certify.change import NoSuchThing
from gateway.reception import summed_up
from storage.journal import JournalRow

_PATIENT, _QUICK = 20.0, 4.0
"""Seconds a message is waited for; and one that may leave no trace, because the hub knows it word for word."""
HANDED_IN = (
    "报文直接交给枢纽, 没有经过取数 (中间件、清单不由演练台扮演) | "
    "handed to the hub, not fetched: the bench plays no broker, and no list of a live or simulated platform"
)


class NotTaken(Exception):
    """The message is nowhere in the hub, though it should be."""


def told(bench: Bench, message: Message, ids: tuple[str, ...], *, news: bool = True) -> tuple[Outcome, str]:
    """What became of a message, and what the platform was answered. `news`: the hub does not know it yet.

    `ids`: the texts in it that name it. Raises NotTaken.
    """
    if message.door in bench.material.doors:
        return _pushed(bench, message)
    if bench.side is not None and message.door in bench.pulls:
        return _listed(bench, message, ids), ""
    if bench.exchange is not None and message.door in bench.exchange.drops:
        return _dropped(bench, message), ""
    if bench.exchange is not None and message.door in bench.exchange.tables:
        row = _document(message)
        if isinstance(row, dict) and bench.exchange.fits(message.door, row):
            newest = bench.newest()
            bench.exchange.insert(message.door, row, ids)
            return _seen(bench, message, news=news, since=newest), ""
    if message.door in bench.pulls and "charset=" in message.content_type.lower():
        raise NoSuchThing("报文没有自己的编码, 清单才有 | the message has no charset of its own, its list has")
    return summed_up(bench.hand_in(message)), ""


def fetched(bench: Bench, door: str) -> bool:
    """Whether what comes there is really fetched by the hub on this bench."""
    exchange = bench.exchange
    return (bench.side is not None and door in bench.pulls) or (
        exchange is not None and (door in exchange.drops or door in exchange.tables)
    )


def many(bench: Bench, messages: list[tuple[Message, tuple[str, ...]]]) -> None:
    """Leave many messages at once where the hub fetches them."""
    for message, ids in messages:
        if bench.side is not None and message.door in bench.pulls:
            bench.side.offer(message.door, message, ids)
        elif bench.exchange is not None and message.door in bench.exchange.drops:
            bench.exchange.put(message.door, message)
        else:
            assert bench.exchange is not None
            bench.exchange.insert(message.door, json.loads(message.body), ids)


def half_written(bench: Bench, message: Message) -> tuple[Path, bool]:
    """A file that is still being written; whether the hub touched it. Raises NoSuchThing."""
    if bench.exchange is None or message.door not in bench.exchange.drops:
        raise NoSuchThing("平台不投放文件 | the platform drops no files")
    if not bench.exchange.drops[message.door].ready:
        raise NoSuchThing("没有完成标记, 静止一段时间即算写完 | no marker is declared: quiet files are complete")
    newest = bench.newest()
    half = replace(message, body=message.body[: len(message.body) // 2])
    path = bench.exchange.put(message.door, half, marked=False)
    until(lambda: not path.exists(), _QUICK)
    return path, not path.exists() or bool(bench.rows_since(newest))


def finished(bench: Bench, message: Message, path: Path) -> Outcome:
    """The same file, whole and marked."""
    assert bench.exchange is not None
    newest = bench.newest()
    path.write_bytes(message.body)
    bench.exchange.mark(message.door, path)
    return _gone(bench, message, path, newest)


def _pushed(bench: Bench, message: Message) -> tuple[Outcome, str]:
    newest = bench.newest()
    answer = bench.push(message)
    rows = bench.rows_since(newest)
    if not rows:
        raise NotTaken(f"交换记录里没有这条报文 | not in the journal: HTTP {answer.status_code}")
    return _outcome(rows[-1]), answered(answer)


def answered(answer: httpx.Response) -> str:
    """An answer, as it is shown and compared."""
    return f"HTTP {answer.status_code}\n{answer.text}"


def _listed(bench: Bench, message: Message, ids: tuple[str, ...]) -> Outcome:
    side, pull = bench.side, message.door
    assert side is not None
    newest = bench.newest()
    readable = isinstance(_document(message), dict | list)
    since = side.only(pull, message, ids) if readable else side.spoil(pull, message.body)
    found: list[JournalRow] = []

    def there() -> bool:
        found[:] = _own(bench, message, newest)
        return bool(found) or side.looked(pull, since)

    if not until(there, _PATIENT):
        raise NotTaken(f"清单没有被问 | the list was not asked for within {_PATIENT:g} s: {_why(bench, pull)}")
    if found:
        return _outcome(found[0])
    if not readable:
        return Outcome(Verdict.REFUSED, text="清单读不出, 过后再问 | the list cannot be read; it is asked for again")
    if "charset=" in message.content_type.lower():
        raise NoSuchThing("声明只收 UTF-8 | the declaration takes UTF-8 only")
    return Outcome(Verdict.REPEATED, text="逐字相同, 不再收 | known word for word: not taken in again")


def _own(bench: Bench, message: Message, newest: UUID | None) -> list[JournalRow]:
    """Its rows in the journal, whole lists and pages aside."""
    read = [one.external_id for one in bench.material.system.read(message) if isinstance(one, Reading)]
    rows = [row for row in bench.rows_since(newest) if row.door == message.door and row.verdict != Verdict.SPLIT]
    return [row for row in rows if not read or not row.external_id or row.external_id in read]


def _seen(bench: Bench, message: Message, *, news: bool, since: UUID | None) -> Outcome:
    found: list[JournalRow] = []

    def there() -> bool:
        found[:] = _own(bench, message, since)
        return bool(found)

    if until(there, _PATIENT if news else _QUICK):
        return _outcome(found[0])
    if news:
        raise NotTaken(f"没有被取走 | not fetched within {_PATIENT:g} s: {_why(bench, message.door)}")
    return Outcome(Verdict.REPEATED, text="逐字相同, 不再收 | known word for word: not taken in again")


def _dropped(bench: Bench, message: Message) -> Outcome:
    assert bench.exchange is not None
    newest = bench.newest()
    return _gone(bench, message, bench.exchange.put(message.door, message), newest)


def _gone(bench: Bench, message: Message, path: Path, newest: UUID | None) -> Outcome:
    assert bench.exchange is not None
    stays = bench.exchange.drops[message.door].leave

    def there() -> bool:
        return bool(bench.rows_since(newest)) if stays else not path.exists()

    if not until(there, _PATIENT):
        raise NotTaken(f"文件没有被取走 | the file was not fetched within {_PATIENT:g} s: {_why(bench, message.door)}")
    rows = [row for row in bench.rows_since(newest) if row.door == message.door]
    if not rows:
        raise NotTaken("文件取走了, 交换记录里没有 | the file is gone, and the journal does not have it")
    if len(rows) == 1 and rows[0].verdict == Verdict.SPLIT:  # a table with nothing below its first line
        return Outcome(Verdict.REFUSED, text="一行也没有, 无可收 | it holds no row: there is nothing to take in")
    return _outcome(rows[-1])


def _why(bench: Bench, door: str) -> str:
    """Which list, folder or table, and what the hub or the platform says about it."""
    said = [bench.trouble(door), bench.side.state.trouble if bench.side else ""]
    return ": ".join([door, *filter(None, said)])


def _document(message: Message) -> object:
    charset = message.content_type.lower().partition("charset=")[2].split(";")[0].strip() or "utf-8"
    try:
        return read_json(message.body.decode(charset).encode())
    except (ValueError, LookupError, Unacceptable):
        return None


def _outcome(row: JournalRow) -> Outcome:
    return Outcome(Verdict(row.verdict), row.case_no, row.why or None, row.text)  # type: ignore[arg-type]
