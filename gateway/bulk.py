"""The bulk door: a stream of messages in, one a line, and one verdict a line out as soon as it is committed.

`POST /bulk/<system>[/<path>]` stands beside `/in/<system>[/<path>]` and reads each line as that door reads a body. Any
length costs the same memory: lines are read, decided and committed batch by batch, and verdicts that nobody fetches yet
wait in a file. A line that fails never fails its neighbours.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Any

import orjson

from adapters import Door
from canonical.errors import Unacceptable, Unavailable, Why
from canonical.message import Message
from canonical.reading import Outcome
from canonical.records import Arrival, Split
from gateway import metrics
from gateway.configuration import ConnectedSystem
from gateway.hub import Hub
from gateway.reception import named, summed_up
from gateway.wire import KEPT_OF_OVERSIZE, Receive, Scope, Send, drained, path_of, turned_away

NDJSON = "application/x-ndjson"
_JSON = "application/json"
_TYPES = frozenset({NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines", "text/plain", ""})

LINES = 64
"""Lines of a batch: more would keep single messages waiting, fewer cost a commit too many."""
_BATCH_BYTES = 1024 * 1024
STREAMS = 4
"""Streams that one process reads at once; whoever comes later is told to come again."""
SILENCE = 60.0
"""Seconds in which something must come: who stops in the middle must not hold a place for ever."""
PATIENCE = 30.0
"""Seconds the database may be away before the stream ends with what is not stored."""
_IN_MEMORY = 1024 * 1024
_PLAIN = frozenset({"", "identity"})
_PACKED = frozenset({"gzip", "x-gzip"})


class _Gone(Exception):
    """The sender went away."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the stream: its number from 1, its bytes, and whether they are all of it."""

    number: int
    body: bytes
    whole: bool = True


@dataclass(slots=True)
class BulkDoor:
    """Streams of messages. At most STREAMS at once."""

    hub: Hub
    silence: float = SILENCE
    patience: float = PATIENCE
    _open: int = 0

    async def __call__(
        self, connected: ConnectedSystem, door: Door, scope: Scope, receive: Receive, send: Send
    ) -> None:  # fmt: skip
        """ASGI; the door was found, and the sender's address is admitted."""
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = headers.get("content-encoding", "").strip().lower()
        if content_type not in _TYPES:
            await turned_away(receive, send, 415, "media_type", f"{NDJSON} is expected: one JSON document a line")
        elif encoding not in _PLAIN | _PACKED:
            await turned_away(receive, send, 415, "encoding", "a content encoding other than gzip")
        elif self._open >= STREAMS:
            metrics.took_in([(connected.system.role.id, "busy")])
            text = f"{STREAMS} streams are being read; come back in a second"
            await turned_away(receive, send, 429, "busy", text, _LATER)
        else:
            self._open += 1
            try:
                chunks = _chunks(receive, self.silence)
                chunks = _unpacked(chunks) if encoding in _PACKED else chunks
                stream = _Stream(self.hub, connected, door, _around(headers), path_of(scope), self.patience)
                await stream.run(_lines(chunks, door.max_bytes), receive, send)
            finally:
                self._open -= 1


_LATER = {"retry-after": "1"}


def _around(headers: dict[str, str]) -> dict[str, str]:
    """The headers that every line has around it."""
    own = {"content-type", "content-encoding", "content-length", "transfer-encoding"}
    return {name: value for name, value in headers.items() if name not in own}


def bulk_operation(title: str) -> dict[str, Any]:
    """The door in OpenAPI's words."""
    verdict = {
        "type": "object", "required": ["line"],
        "properties": {
            "line": {"type": "integer", "description": "number of the line, from 1"},
            "id": {"type": "string", "description": "the source's own id"},
            "verdict": {"type": "string"}, "case_no": {"type": "string"}, "why": {"type": "string"},
            "text": {"type": "string"},
            "parts": {"type": "array", "description": "of a line that held several messages, the verdict of each"},
            "error": {"type": "object", "description": "the stream ended early: send again from this line"},
        },
    }  # fmt: skip
    line = {"schema": {"description": "a message a line, as the door beside it takes a body"}}
    told = {status: {"description": "nothing was read"} for status in ("403", "404", "405", "415", "429")}
    return {
        "summary": f"{title}: a stream of messages, a verdict a line as soon as it is committed",
        "requestBody": {"required": True, "content": {NDJSON: line}},
        "responses": {"200": {"description": "a verdict a line", "content": {NDJSON: {"schema": verdict}}}} | told,
    }


# --- bytes to lines ---


async def _chunks(receive: Receive, silence: float) -> AsyncIterator[bytes]:
    """The body piece by piece. Raises _Gone, or TimeoutError when nothing comes for too long."""
    more = True
    while more:
        async with asyncio.timeout(silence):
            event = await receive()
        if event["type"] == "http.disconnect":
            raise _Gone
        more = event.get("more_body", False)
        yield event.get("body", b"")


async def _unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What gzip held; several archives one after another are one. Raises Unacceptable, and what `chunks` raises."""
    unpacker, begun = _unpacker(), False
    async for chunk in chunks:
        while chunk:
            begun = True
            try:
                yield unpacker.decompress(chunk, _PIECE)
            except zlib.error:
                raise Unacceptable("no gzip from here on", why=Why.UNREADABLE) from None
            chunk = unpacker.unconsumed_tail  # noqa: PLW2901
            if unpacker.eof:
                chunk, unpacker, begun = unpacker.unused_data, _unpacker(), False  # noqa: PLW2901
    if begun:
        yield unpacker.flush()
        if not unpacker.eof:
            raise Unacceptable("the gzip ends before its end", why=Why.UNREADABLE)


def _unpacker() -> Any:  # noqa: ANN401 the type has no public name
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


_PIECE = 64 * 1024
"""Bytes unpacked at once: what a small archive unpacks to may be endless."""


async def _lines(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[Line]:
    """Lines with something in them; of one that is too long only its beginning. Raises what `chunks` raises."""
    number, kept, size = 1, bytearray(), 0

    def line() -> Line:
        return Line(number, bytes(kept if size <= most else kept[:KEPT_OF_OVERSIZE]), size <= most)

    async for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            kept += end[: most + 1]
            size += len(end)
            if kept.strip():
                yield line()
            number, size = number + 1, 0
            kept.clear()
        size += len(rest)
        kept += rest[: max(0, most + 1 - len(kept))]
    if kept.strip():
        yield line()


# --- lines to verdicts ---


@dataclass(slots=True)
class _Stream:
    hub: Hub
    connected: ConnectedSystem
    door: Door
    headers: Mapping[str, str]
    path: str
    patience: float
    _number: int = 0
    """The last line that was read."""

    async def run(self, lines: AsyncIterator[Line], receive: Receive, send: Send) -> None:
        """Take all lines in: what has come is committed together, and meanwhile the next lines are read."""
        answer, ahead = _Answer(send), _Ahead(2 * LINES)
        reader = asyncio.create_task(self._ahead(lines, ahead))
        try:
            while batch := await _come(ahead):
                answer.tell(await self._committed(batch))
            await reader
        except _Gone:
            answer.abandon()
        except TimeoutError:
            answer.tell([_told(self._number + 1, "slow", "nothing came for too long; send again from here")])
        except Unacceptable as error:
            answer.tell([_told(self._number + 1, str(error.why), str(error))])
            await drained(receive)
        except _NotStored as error:
            answer.tell([_told(error.number, "unavailable", "not stored, nor what follows; send again from here")])
            await drained(receive)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await answer.end()

    async def _ahead(self, lines: AsyncIterator[Line], ahead: "_Ahead") -> None:
        """Read lines as long as there is room. What came before an error is taken in before it is raised."""
        trouble: Exception | None = None
        try:
            async for line in lines:
                await ahead.put((line, self._read(line)))
                self._number = line.number
        except Exception as error:  # noqa: BLE001 raised below
            trouble = error
        await ahead.put(None)
        if trouble is not None:
            raise trouble

    def _read(self, line: Line) -> list[Arrival]:
        body, content_type = _body_of(line, self.door)
        message = Message(
            system=self.connected.system.role.id, body=body, at=self.hub.now(), id=self.hub.ids(), door=self.door.name,
            content_type=content_type, headers=self.headers, method=self.door.methods[0], path=self.path,
        )  # fmt: skip
        if not line.whole:
            return [Arrival(message, Unacceptable(f"longer than {self.door.max_bytes} bytes", why=Why.TOO_LARGE))]
        return self.hub.reception.read(message)

    async def _committed(self, batch: list["_Read"]) -> list[bytes]:
        """The verdicts of a batch. Raises _NotStored when the database stays away."""
        arrivals = [arrival for _, some in batch for arrival in some]
        left = self.patience
        while True:
            try:
                outcomes = iter(await self.hub.reception.take_in(arrivals))
                break
            except Unavailable:
                if left <= 0:
                    raise _NotStored(batch[0][0].number) from None
                await asyncio.sleep(min(1.0, left))
                left -= 1.0
        return [_verdict(line, some, [next(outcomes) for _ in some]) for line, some in batch]


_Read = tuple[Line, list[Arrival]]


class _Ahead(asyncio.Queue[_Read | None]):
    """Lines that were read and not yet committed; None is the end. Full by their number or by their bytes."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.bytes = 0

    def _put(self, item: _Read | None) -> None:
        self.bytes += len(item[0].body) if item else 0
        super()._put(item)

    def _get(self) -> _Read | None:
        item = super()._get()
        self.bytes -= len(item[0].body) if item else 0
        return item

    def full(self) -> bool:
        """No room for another line."""
        return super().full() or self.bytes >= _BATCH_BYTES


async def _come(ahead: _Ahead) -> list[_Read]:
    """What has come by now: at least one line, at most a batch; none at the end."""
    batch: list[_Read] = []
    while not batch or (len(batch) < LINES and not ahead.empty()):
        one = await ahead.get()
        if one is None:
            ahead.put_nowait(None)  # it stays the end
            break
        batch.append(one)
    return batch


class _NotStored(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _body_of(line: Line, door: Door) -> tuple[bytes, str]:
    """The message of a line and its content type: the line itself, or the text that it is when it is a JSON string."""
    text = line.body.strip()
    if line.whole and text.startswith(b'"'):
        try:
            return str(orjson.loads(text)).encode(), next(iter(door.media_types), "")
        except orjson.JSONDecodeError:
            pass  # refused as unreadable, as any other line that is no JSON
    return text, _JSON


def _verdict(line: Line, arrivals: list[Arrival], outcomes: list[Outcome]) -> bytes:
    told = [
        _row(named(arrival), outcome)
        for arrival, outcome in zip(arrivals, outcomes, strict=True)
        if not isinstance(arrival.content, Split)
    ]
    if len(told) == 1:
        return _json({"line": line.number, **told[0]})
    whole = _row("", summed_up(outcomes)) if outcomes else {}
    return _json({"line": line.number, **whole, "parts": told})


def _row(external_id: str, outcome: Outcome) -> dict[str, Any]:
    row = {
        "id": external_id, "verdict": outcome.verdict, "case_no": outcome.case_no, "why": outcome.why,
        "text": outcome.text,
    }  # fmt: skip
    return {name: value for name, value in row.items() if value or name == "verdict"}


def _told(number: int, code: str, text: str) -> bytes:
    """The last line of a stream that ended early: nothing of this line and what follows is stored."""
    return _json({"line": number, "error": {"code": code, "text": text}})


def _json(row: Mapping[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


# --- verdicts to bytes ---

_CLOSED = (b"connection", b"close")
"""Who stopped in the middle may have left half a request behind."""


@dataclass(slots=True)
class _Answer:
    """The answer, sent as fast as it is fetched: who reads nothing before all is sent must not wait for us, nor we."""

    send: Send
    _waiting: Any = field(default_factory=lambda: SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 closed at its end
    _written: int = 0
    _sent: int = 0
    _over: bool = False
    _abandoned: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _sender: "asyncio.Task[None] | None" = None

    def tell(self, rows: list[bytes]) -> None:
        """Add lines. They are on their way when the sender of the stream reads."""
        self._waiting.seek(self._written)
        self._waiting.writelines(rows)
        self._written = self._waiting.tell()
        self._news.set()
        if self._sender is None:
            self._sender = asyncio.create_task(self._run())

    def abandon(self) -> None:
        """Nobody is there to hear it."""
        self._abandoned = True

    async def end(self) -> None:
        """Wait until all is sent."""
        self._over = True
        self.tell([])
        assert self._sender is not None
        if self._abandoned:
            self._sender.cancel()
        await asyncio.wait([self._sender])
        self._waiting.close()

    async def _run(self) -> None:
        headers = [(b"content-type", NDJSON.encode()), (b"x-accel-buffering", b"no"), _CLOSED]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        while not (self._over and self._sent == self._written):
            if self._sent == self._written:
                self._sent = self._written = 0
                self._waiting.seek(0)
                self._waiting.truncate()
                self._news.clear()
                await self._news.wait()
                continue
            self._waiting.seek(self._sent)
            piece = self._waiting.read(_PIECE)
            self._sent += len(piece)
            await self.send({"type": "http.response.body", "body": piece, "more_body": True})
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})
