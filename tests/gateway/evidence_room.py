"""What the tests of evidence share: sealing and packing in a database, and packs that somebody has tampered with."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import text

from gateway.evidence.check import Checked, Checker
from gateway.evidence.pack import WHOLE, Order, Written, write_pack
from gateway.evidence.seal import Sealer
from gateway.evidence.verify import MANIFEST, plain, verified
from gateway.hub import clock
from storage.store import Store


def at_store(url: str, job: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
    """Do this with the database, in a process of its own as it were."""

    async def run() -> Any:
        store = Store(url)
        try:
            return await job(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def seal(store: Store, *, algorithm: str = "sha256") -> int:
    """Seal all there is; how many rows that were."""
    sealer, rows = Sealer(store, now=clock, algorithm=algorithm), 0
    while sealed := await sealer.once():
        rows += sealed
    return rows


async def execute(store: Store, statement: str, **values: object) -> None:
    """Behind the hub's back."""
    async with store.transaction() as transaction:
        await transaction.connection.execute(text(statement), values)


async def checked(store: Store) -> Checked:
    """The whole chain against the database."""
    return await Checker(store).all()


def packed(url: str, numbers: Sequence[str], folder: Path, order: Order | None = None, **how: Any) -> Written:
    """A sealed and written pack; whole unless the order says otherwise."""

    async def job(store: Store) -> Written:
        await seal(store, **how)
        return await write_pack(store, numbers, folder, at=clock(), order=order or Order(WHOLE))

    written: Written = at_store(url, job)
    return written


def findings(folder: Path, **known: str) -> list[str]:
    """What is wrong with a pack."""
    return verified(folder, **known).findings


def remade(folder: Path) -> None:
    """The manifest made to fit again, as a forger would."""
    said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    there = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in there}
    said.pop("digest")
    said["files"] = {
        name: sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(names.items())
        if name not in (MANIFEST, "signature.json")
    }
    (folder / MANIFEST).write_bytes(plain(said | {"digest": sha256(plain(said)).hexdigest()}) + b"\n")


def lines(folder: Path, name: str) -> list[Any]:
    """A file of lines as JSON."""
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def rewrite(folder: Path, name: str, lines: Sequence[bytes]) -> None:
    """A file of these lines, and a manifest that fits it."""
    (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    remade(folder)
