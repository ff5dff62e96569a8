"""Writes an evidence pack: one case, or all cases behind a figure, with the proofs of what is said about them.

All of one moment of the database. The folder appears when it is complete; whoever is killed before leaves a `.part`.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from canonical.errors import Unacceptable, Unavailable, Why
from canonical.report import Reporter
from gateway.evidence.leaf import Kept, instant
from gateway.evidence.page import readme
from gateway.evidence.prove import Proven, Prover
from gateway.evidence.sign import Signer
from gateway.evidence.verify import MANIFEST, PROOF, SIGNATURE, head_statement, pack_statement, plain
from gateway.masking import masked_reporter
from storage import evidence, seals
from storage.files import FileStore
from storage.seals import EventRow, MessageRow
from storage.store import Store

_MAY_QUOTE = frozenset({"text", "url", "name", "extra", "removed"})
AT_ONCE = 100
"""Cases read together."""
_FORMAT = 1


class Withhold(StrEnum):
    """What a pack may be without; what stands in its place is a digest or a commitment."""

    PERSONS = "persons"
    """Who reported, the names of those who acted, the bytes of messages and files: a third party needs none of them."""
    TRANSPORT = "transport"
    """Headers and paths of messages: they may hold partners' keys."""
    PAGES = "pages"
    """The bytes of messages that speak of other cases too."""


WHOLE = frozenset({Withhold.TRANSPORT, Withhold.PAGES})
MASKED = WHOLE | {Withhold.PERSONS}


@dataclass(frozen=True, slots=True)
class Written:
    """A pack that is there now."""

    folder: Path
    digest: str
    """Of the whole pack: whoever knows it from elsewhere needs no other proof that nothing of it was changed."""
    head: str
    """Of the chain; empty: nothing is sealed."""
    size: int
    cases: int
    lines: int
    not_sealed: int
    changed: Sequence[str]
    """Lines that are not what was sealed: somebody changed the database."""


@dataclass(frozen=True, slots=True)
class Order:
    """How a pack is to be."""

    withhold: frozenset[Withhold] = MASKED
    known_heads: Sequence[str] = ()
    """Heads that its reader knows from elsewhere."""
    about: Mapping[str, Any] | None = None
    """Of a figure: what it is, in words and numbers. None: the pack is of one case."""
    files: FileStore | None = None
    signer: Signer | None = None
    progress: Callable[[int], None] = field(default=lambda _: None)
    """Told how many cases are done."""


async def write_pack(
    store: Store, cases: Iterable[str], folder: Path, *, at: datetime, order: Order | None = None
) -> Written:  # fmt: skip
    """A pack of these cases, by numbers of ours, in a folder that is not there yet.

    Raises Unacceptable for a case that nobody knows, Unavailable when the folder cannot be written.
    """
    order, numbers = order or Order(), sorted(set(cases))
    if not numbers:
        raise Unacceptable("there is no case to be packed", why=Why.UNKNOWN_CASE)
    beside = folder.with_name(f".{folder.name}.part")
    try:
        _begin(beside, folder)
        async with store.transaction() as transaction:
            await evidence.still(transaction.connection)
            writing = _Writing(transaction.connection, beside, order, at, await seals.newest(transaction.connection))
            with writing:
                written = await writing.all(numbers, folder)
        _name(beside, folder)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error.strerror or type(error).__name__}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return written


def _begin(beside: Path, folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Unacceptable(f"{folder} is there already: a pack is written into a new folder", why=Why.CONTRACT)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)


def _name(beside: Path, folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()
    beside.rename(folder)


class _Writing:
    """One pack on its way."""

    def __init__(
        self, connection: AsyncConnection, folder: Path, order: Order, at: datetime, head: seals.Seal | None
    ) -> None:  # fmt: skip
        self.connection, self.folder, self.order, self.at = connection, folder, order, at
        self.prover = Prover(connection, head)
        self._open: dict[str, BinaryIO] = {}
        self._counts: dict[str, int] = {}
        self._packed: set[UUID] = set()
        self._gone: list[str] = []
        self._changed: list[str] = []
        self._not_sealed = 0

    def __enter__(self) -> "_Writing":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    async def all(self, numbers: Sequence[str], folder: Path) -> Written:
        """Everything; the folder is where it will lie."""
        single = self.order.about is None
        for at in range(0, len(numbers), AT_ONCE):
            await self._cases(numbers[at : at + AT_ONCE], single=single)
            self.order.progress(min(at + AT_ONCE, len(numbers)))
        if self.order.about is not None:
            about = _without_collectors(self.order.about) if self._masked else self.order.about
            self._whole("figure.json", {**about, "cases": list(numbers)})
        headers, proof = await self.prover.chain(self.order.known_heads)
        for header in headers:
            self._line("seals.jsonl", header.encode())
        self._whole(PROOF, proof)
        shutil.copyfile(Path(__file__).with_name("verify.py"), self.folder / "verify.py")
        (self.folder / "README.md").write_text(readme(single=single), encoding="utf-8")
        for file in self._open.values():
            file.close()
        digest = self._manifest(numbers)
        self._signature(proof["head"], digest)
        lines = sum(self._counts.get(name, 0) for name in ("events.jsonl", "messages.jsonl"))
        head = proof["head"]
        return Written(
            folder, digest, head["head"], head["size"], len(numbers), lines, self._not_sealed, self._changed
        )  # fmt: skip

    # --- cases ---

    async def _cases(self, numbers: Sequence[str], *, single: bool) -> None:
        found = await evidence.cases(self.connection, numbers)
        if missing := sorted({*numbers} - {no for no, _ in found.values()}):
            raise Unacceptable(f"nobody knows a case {missing[0]}", why=Why.UNKNOWN_CASE)
        for _, state in found.values():
            shown = self._shown(json.loads(state))
            if single:
                self._whole("case.json", shown)
            else:
                self._line("cases.jsonl", plain(shown))
        events, messages = await seals.rows_of(self.connection, list(found))
        await self._rows("events.jsonl", events)
        await self._messages(list(found), events, messages)
        await self._facts(list(found))

    def _shown(self, state: dict[str, Any]) -> dict[str, Any]:
        if self._masked:
            reporter = masked_reporter(Reporter.model_validate(state.get("reporter", {})))
            state["reporter"] = reporter.model_dump(mode="json", exclude_defaults=True)
            state.pop("attachments", None)
        return state

    @property
    def _masked(self) -> bool:
        return Withhold.PERSONS in self.order.withhold

    def _fact(self, fact: Mapping[str, Any]) -> dict[str, Any]:
        """A row as a line says it; masked, without what may quote a citizen or say where a file lies."""
        return {name: _said(value) for name, value in fact.items() if not (self._masked and name in _MAY_QUOTE)}

    async def _messages(self, ids: list[UUID], events: list[EventRow], messages: list[MessageRow]) -> None:
        """Those of the cases, those that events name, and the pages they came in."""
        there = {row.place.id: row for row in messages}
        named = {row.message_id for row in events if row.message_id}
        while wanted := (named | {row.parent for row in there.values() if row.parent}) - {*there} - {*self._gone_ids()}:
            _, more = await seals.rows_of(self.connection, [], list(wanted))
            there |= {row.place.id: row for row in more}
            self._gone += sorted(str(one) for one in wanted - {*there})
        new = [row for id_, row in sorted(there.items()) if id_ not in self._packed]
        self._packed |= {row.place.id for row in new}
        await self._rows("messages.jsonl", new)
        await self._bodies(ids, [row.place.id for row in new])

    def _gone_ids(self) -> list[UUID]:
        return [UUID(one) for one in self._gone]

    async def _bodies(self, cases: list[UUID], ids: list[UUID]) -> None:
        facts = await evidence.journal(self.connection, ids)
        pages = Withhold.PAGES in self.order.withhold
        shared = await evidence.shared_pages(self.connection, ids, cases) if pages else set()
        for at in range(0, len(ids), AT_ONCE):
            some = [id_ for id_ in ids[at : at + AT_ONCE] if id_ not in shared and not self._masked]
            bodies = await evidence.bodies(self.connection, some) if some else {}
            for id_ in ids[at : at + AT_ONCE]:
                removed, body = facts[id_]["removed"], bodies.get(id_)
                if body is not None:
                    (self.folder / "messages").mkdir(exist_ok=True)
                    (self.folder / "messages" / str(id_)).write_bytes(body)
                what = "here" if body is not None else "removed" if removed else "withheld"
                self._line("journal.jsonl", plain(self._fact(facts[id_]) | {"body": what}))

    async def _facts(self, ids: list[UUID]) -> None:
        for binding in await evidence.bindings(self.connection, ids):
            self._line("bindings.jsonl", plain(self._fact(json.loads(binding))))
        for delivery in await evidence.deliveries(self.connection, ids):
            self._line("deliveries.jsonl", plain(self._fact(delivery)))
        for file in await evidence.files(self.connection, ids):
            here = self._attachment(file["sha256"])
            self._line("attachments.jsonl", plain(self._fact(file) | {"here": here}))

    def _attachment(self, digest: str) -> bool:
        """Copy a file of the case into the pack, where it is there and may go."""
        if self._masked or self.order.files is None or not digest:
            return False
        target = self.folder / "attachments" / digest
        try:
            with self.order.files.open(digest) as source:
                target.parent.mkdir(exist_ok=True)
                with target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
        except Unavailable:
            return False
        return True

    # --- files ---

    async def _rows(self, name: str, rows: Sequence[EventRow] | Sequence[MessageRow]) -> None:
        for proven in await self.prover.proven(rows):
            number = self._line(name, proven.line)
            where = f"{name}:{number}"
            said: dict[str, Any] = {"of": where, "seal": proven.seal}
            said |= {"index": proven.index, "path": list(proven.path)} if proven.seal is not None else {}
            self._line("proofs.jsonl", plain(said))
            self._disclose(proven)
            self._not_sealed += proven.seal is None
            self._changed += [where] if proven.changed else []

    def _disclose(self, proven: Proven) -> None:
        left_out = {Withhold.PERSONS: Kept.PERSON, Withhold.TRANSPORT: Kept.TRANSPORT}
        withheld = {kept for withhold, kept in left_out.items() if withhold in self.order.withhold}
        for disclosure in proven.disclosures:
            if disclosure.kept not in withheld:
                self._line("disclosed.jsonl", disclosure.line)

    def _line(self, name: str, line: bytes) -> int:
        if name not in self._open:
            self._open[name] = (self.folder / name).open("wb")
        self._open[name].write(line + b"\n")
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name]

    def _whole(self, name: str, value: object) -> None:
        (self.folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    def _manifest(self, numbers: Sequence[str]) -> str:
        """What is in the pack; its digest."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        said: dict[str, Any] = {
            "pack": _FORMAT, "made_at": instant(self.at), "withheld": sorted(self.order.withhold), "gone": self._gone,
            "cases": len(numbers), "lines": self._counts,
            "files": {path.relative_to(self.folder).as_posix(): _digest(path) for path in paths},
        }  # fmt: skip
        digest = sha256(plain(said)).hexdigest()
        (self.folder / MANIFEST).write_bytes(plain(said | {"digest": digest}) + b"\n")
        return digest

    def _signature(self, head: dict[str, Any], digest: str) -> None:
        if self.order.signer is not None:
            sign = self.order.signer
            said = {"key": sign.public, "head": sign(head_statement(head)), "pack": sign(pack_statement(digest))}
            (self.folder / SIGNATURE).write_bytes(plain(said) + b"\n")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _without_collectors(said: Any) -> Any:  # noqa: ANN401 whatever JSON can say
    """What is said of a figure without the collectors' ids, which events have as commitments."""
    if isinstance(said, list):
        return [_without_collectors(one) for one in said]
    if not isinstance(said, Mapping):
        return said
    masked = {"person": ""} if said.get("post") == "collector" else {}
    return {name: _without_collectors(one) for name, one in said.items()} | masked


def _said(value: object) -> object:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, list):
        return [_said(one) for one in value]
    return str(value) if isinstance(value, UUID) else value
