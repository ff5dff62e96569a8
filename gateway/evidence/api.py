"""`/api/cases/{number}/evidence` and `/api/evidence/head`: a pack as a ZIP, and the head of the chain."""

import asyncio
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from canonical.errors import Why
from canonical.rights import Right
from gateway.access import Asking, Who, acting
from gateway.evidence.head import head_view
from gateway.evidence.pack import MASKED, WHOLE, Order, Withhold, write_pack
from gateway.evidence.seal import Sealer
from gateway.evidence.sign import signer
from gateway.hub import Hub
from gateway.log import log
from gateway.refusal import Refusal, plain
from storage import evidence
from storage.files import FileStore
from storage.store import Store
from storage.viewings import Viewed, Viewings

_BLOCK = 1 << 16
_HEAD = "^([0-9a-f]{64})?$"


def evidence_routes(hub: Hub, guard: Asking) -> APIRouter:
    """The routes; `guard` lets people of the centre in."""
    router = APIRouter()
    one = asyncio.Semaphore(1)

    @router.get("/api/evidence/head", summary="The head of the chain of seals, to be kept by others")
    async def head(_: Annotated[Who, Depends(guard)]) -> dict[str, Any]:
        view = await head_view(hub.store, signer(hub.settings.evidence_key))
        if view is None:
            raise Refusal(404, "nothing_sealed", "nothing is sealed yet", "a worker with the role clock seals")
        return view

    @router.get("/api/cases/{number}/evidence", summary="The evidence pack of a case, as a ZIP")
    async def pack(
        number: str,
        who: Annotated[Who, Depends(guard)],
        whole: Annotated[
            bool, Query(description="with personal data and the bytes of messages; needs by and reason")
        ] = False,
        by: Annotated[str, Query(max_length=100, description="who takes it, of a whole one")] = "",
        reason: Annotated[str, Query(max_length=500, description="what for, of a whole one")] = "",
        known_head: Annotated[str, Query(pattern=_HEAD, description="a head that its reader kept")] = "",
    ) -> StreamingResponse:
        by = acting(who, by) if whole else by
        if whole and not (who.may(Right.RAW) and who.may(Right.REVEAL)):
            raise Refusal(
                403, "forbidden", "a whole pack needs the rights 'raw' and 'reveal'", "rights: docs/people.md"
            )
        if whole and not reason.strip():
            raise Refusal(422, Why.CONTRACT, "a whole pack holds personal data: say by whom and for what reason")
        async with hub.store.transaction() as transaction:
            no = await evidence.found(transaction.connection, plain(number), scope=who.scope)
        if no is None:
            raise Refusal(404, Why.UNKNOWN_CASE, f"nobody knows a case {number[:64]}")
        if whole:
            await Viewings(hub.store).looked(
                login=plain(by), what=Viewed.EVIDENCE, case_no=no, reason=plain(reason), at=hub.now()
            )  # fmt: skip
        log.info("evidence.packed", case=no, whole=whole, by=plain(by), reason=plain(reason))
        async with one:  # a pack costs disk and time: one at a time beside the doors
            folder = await asyncio.to_thread(
                _packed, hub, no, WHOLE if whole else MASKED, [known_head] * bool(known_head)
            )
        headers = {"content-disposition": f'attachment; filename="evidence-{no}.zip"'}
        return StreamingResponse(_zipped(folder, f"evidence-{no}"), media_type="application/zip", headers=headers)

    return router


def _packed(hub: Hub, no: str, withhold: frozenset[Withhold], known_heads: list[str]) -> Path:
    """Write it in a thread and a loop of its own: the doors must not wait for the disk. A folder to be removed."""
    order = Order(
        withhold, known_heads, files=FileStore(hub.settings.file_folder), signer=signer(hub.settings.evidence_key)
    )
    folder = Path(tempfile.mkdtemp(prefix="gridhub-evidence-"))

    async def job() -> None:
        store = Store(hub.store.engine.url.render_as_string(hide_password=False), pool=1)
        try:
            await Sealer(store, now=hub.now, algorithm=hub.settings.evidence_digest).catch_up()
            await write_pack(store, [no], folder / "pack", at=hub.now(), order=order)
        finally:
            await store.close()

    try:
        asyncio.run(job())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


class _Pipe:
    """What a ZIP is written into, block by block: it is never whole in memory or on the disk."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, data: bytes) -> int:
        """One more piece."""
        self._blocks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        """What was written since."""
        blocks, self._blocks = self._blocks, []
        return b"".join(blocks)


def _zipped(folder: Path, name: str) -> Iterator[bytes]:
    pipe = _Pipe()
    try:
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
            for path in sorted((folder / "pack").rglob("*")):
                if path.is_file():
                    inside = f"{name}/{path.relative_to(folder / 'pack').as_posix()}"
                    with path.open("rb") as source, archive.open(inside, "w", force_zip64=True) as target:
                        while block := source.read(_BLOCK):
                            target.write(block)
                            yield pipe.taken()
        yield pipe.taken()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
