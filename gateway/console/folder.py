"""The console's built files: where they lie, and each as it is sent, compressed where a browser can take it."""

import hashlib
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INDEX = "index.html"
HASHED = "assets/"
"""What lies there has a digest of its content in its name, and never changes."""
_CODINGS: Sequence[tuple[str, str]] = (("br", ".br"), ("gzip", ".gz"))
"""In the order we prefer them. The build makes them (console/compress.ts)."""
_TYPES = mimetypes.MimeTypes()  # the machine's own table may say anything of .js
for _ending, _type in {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".json": "application/json", ".png": "image/png", ".woff2": "font/woff2",
}.items():  # fmt: skip
    _TYPES.add_type(_type, _ending)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it goes out."""

    body: bytes
    media_type: str
    coding: str
    """`br`, `gzip`, or nothing: as it is."""
    etag: str
    lasting: bool
    """It may be kept for ever."""


def built() -> Path | None:
    """The folder of the built console: beside the sources, else inside the installed package, else None."""
    gateway = Path(__file__).parents[1]
    for folder in (gateway.parent / "console" / "dist", gateway / "console_files"):
        if (folder / INDEX).is_file():
            return folder
    return None


class Folder:
    """All files of the folder, by name. Read when they are first asked for; read anew when it was built again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._made = -1
        self._names: Mapping[str, Path] = {}
        self._kept: dict[tuple[str, str], Sent] = {}

    def sent(self, name: str, codings: frozenset[str]) -> Sent | None:
        """The file of this name in the best coding of these; None where there is none of that name.

        Only names that were listed are found: there is no way out of the folder.
        """
        self._look()
        if name not in self._names:
            return None
        coding, ending = next(
            ((coding, ending) for coding, ending in _CODINGS if coding in codings and name + ending in self._names),
            ("", ""),
        )
        if (name, coding) not in self._kept:
            self._kept[name, coding] = self._read(name, coding, ending)
        return self._kept[name, coding]

    def _look(self) -> None:
        index = self.root / INDEX
        made = index.stat().st_mtime_ns if index.is_file() else 0
        if made == self._made:
            return
        files = (path for path in self.root.rglob("*") if path.is_file())
        listed = {path.relative_to(self.root).as_posix(): path for path in files}
        self._names = {name: path for name, path in listed.items() if not name.startswith(".")}
        self._kept, self._made = {}, made

    def _read(self, name: str, coding: str, ending: str) -> Sent:
        body = self._names[name + ending].read_bytes()
        guessed = _TYPES.guess_type(name)[0] or "application/octet-stream"
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return Sent(body, guessed, coding, etag, name.startswith(HASHED))
