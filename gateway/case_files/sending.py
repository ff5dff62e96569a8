"""Bytes of files to browsers: what somebody sent must never run as a page of ours."""

import asyncio
import re
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse, Response

from canonical.errors import ContractViolation
from gateway.case_files.picture import NoPicture, thumbnail
from gateway.media import HEAD, UNKNOWN, sniff
from gateway.refusal import Refusal
from storage.attachments import FileRow
from storage.files import FileStore

_PDF = "application/pdf"
_SHOWN = re.compile(r"(?:image|video|audio)/|application/pdf$")
"""Shown where they are; everything else is saved."""
_RANGE = re.compile(r"bytes=[0-9]*-[0-9]*(?:, *[0-9]*-[0-9]*)*")
AT_ONCE = 2
"""Pictures that one process makes small at a time: each takes a processor."""
_NAME = re.compile(r"[\x00-\x1f\x7f\"/\\]")


class Sender:
    """Sends the files of one store."""

    def __init__(self, store: FileStore) -> None:
        self._store, self._at_once = store, asyncio.Semaphore(AT_ONCE)

    async def whole(self, row: FileRow, request: Request) -> Response:
        """The whole file, or the ranges that were asked for. Raises Refusal where it is not there."""
        path = _path(self._store, row)
        headers = _headers(f'"{row.sha256}"')
        if _known(request, headers["etag"]):
            return Response(status_code=304, headers=headers)
        _without_broken_range(request)
        media = await asyncio.to_thread(_media, path)
        way = "inline" if _SHOWN.match(media) else "attachment"
        # A reader of PDF inside the browser does not work in a sandbox.
        headers["content-security-policy"] = "default-src 'none'" + ("" if media == _PDF else "; sandbox")
        name = _NAME.sub("_", row.name) or row.sha256[:16]
        return FileResponse(path, headers=headers, media_type=media, filename=name, content_disposition_type=way)

    async def small(self, row: FileRow, side: int, request: Request) -> Response:
        """The picture with at most so many pixels a side. Raises Refusal where it is none."""
        path = _path(self._store, row)
        headers = _headers(f'"{row.sha256}-{side}"')
        if _known(request, headers["etag"]):
            return Response(status_code=304, headers=headers)
        try:
            async with self._at_once:
                content = await asyncio.to_thread(_thumbnail, path, side)
        except NoPicture as error:
            raise Refusal(422, "no_picture", str(error), "leave `size` out to get the file as it is") from None
        return Response(content, media_type="image/jpeg", headers=headers)


def _thumbnail(path: Path, side: int) -> bytes:
    with path.open("rb") as file:
        return thumbnail(file, side)


def _path(store: FileStore, row: FileRow) -> Path:
    try:
        path = store.path(row.sha256)
    except ContractViolation:
        path = None
    if path is None or not path.is_file():
        hint = "GRIDHUB_FILES must be the same folder for gateways and workers, and be restored with the database"
        raise Refusal(404, "file_missing", "the file was fetched, and is not in this gateway's folder", hint)
    return path


def _media(path: Path) -> str:
    with path.open("rb") as file:
        return sniff(file.read(HEAD)) or UNKNOWN


def _headers(etag: str) -> dict[str, str]:
    # Looked for again each time: a right that was taken away must not be outlived by a copy.
    return {"etag": etag, "cache-control": "private, no-cache", "x-content-type-options": "nosniff"}


def _known(request: Request, etag: str) -> bool:
    return etag in re.split(r", *", request.headers.get("if-none-match", ""))


def _without_broken_range(request: Request) -> None:
    """A range that nobody can read is no range: RFC 9110, 14.2."""
    if not _RANGE.fullmatch(request.headers.get("range", "bytes=0-")):
        request.scope["headers"] = [pair for pair in request.scope["headers"] if pair[0] != b"range"]
