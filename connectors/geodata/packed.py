"""A file's parts in a folder of their own, under names of ours: no name of the sender's is ever a path."""

import shutil
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from connectors.geodata.sheet import MOST_BYTES, too_large, unreadable

_MOST_MEMBERS = 10_000
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    LookupError,
)
"""What Python says of broken, locked and unknown archives."""
_UTF8_NAMES = 0x800


def set_apart(source: Path, folder: Path, endings: Sequence[str], layer: str) -> tuple[Path, str]:
    """Copies a file and its sidecars, or one of an archive, into the folder as `layer.*`: the copy, and its own name.

    Raises ContractViolation for an archive that is broken, hostile or has several of them.
    """
    if zipfile.is_zipfile(source):
        return _unpacked(source, folder, endings, layer)
    stem = source.stem.lower()
    parts = [one for one in source.parent.iterdir() if one.stem.lower() == stem and one.suffix.lower() in endings]
    if sum(one.stat().st_size for one in parts) > MOST_BYTES:
        raise too_large(f"{source.name}: more than {MOST_BYTES >> 20} MB: divide it")
    for one in parts:
        shutil.copyfile(one, folder / f"layer{one.suffix.lower()}")
    shutil.copyfile(source, folder / f"layer{endings[0]}")
    return folder / f"layer{endings[0]}", source.stem


def check_archive(source: Path) -> None:
    """Raises ContractViolation when an archive is broken or would unfold to more than is read."""
    try:
        with zipfile.ZipFile(source) as archive:
            _members(archive, source.name)
    except BROKEN:
        raise unreadable(f"{source.name}: the archive is broken: pack or save it again") from None


def _unpacked(source: Path, folder: Path, endings: Sequence[str], layer: str) -> tuple[Path, str]:
    try:
        with zipfile.ZipFile(source) as archive:
            members = _members(archive, source.name)
            stem = _chosen(
                [name for name in members if name.lower().endswith(endings[0])], layer, source.name, endings[0]
            )
            for name, member in members.items():
                path = PurePosixPath(name)
                if str(path.with_suffix("")).lower() == stem.lower() and path.suffix.lower() in endings:
                    (folder / f"layer{path.suffix.lower()}").write_bytes(archive.read(member))
    except BROKEN as error:
        raise unreadable(
            f"{source.name}: the archive is broken or locked ({type(error).__name__}): pack it again"
        ) from None
    return folder / f"layer{endings[0]}", PurePosixPath(stem).name


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """By their names. Python unfolds no member beyond the size that its entry tells."""
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS or sum(one.file_size for one in members) > MOST_BYTES:
        raise too_large(f"{name}: unpacks to more than {MOST_BYTES >> 20} MB or {_MOST_MEMBERS} files: divide it")
    named = {_name(one): one for one in members}
    for path in named:
        if path.startswith("/") or ".." in PurePosixPath(path).parts or ":" in path:
            raise unreadable(f"{name}: a file in it would leave its folder: pack it again without paths")
    return named


def _name(member: zipfile.ZipInfo) -> str:
    """Chinese systems write names in GBK, and the archive does not tell."""
    name = member.filename
    if not member.flag_bits & _UTF8_NAMES:
        with suppress(UnicodeError):  # then it stays as it was
            name = name.encode("cp437").decode("gb18030")
    return name.replace("\\", "/")


def _chosen(names: Sequence[str], layer: str, archive: str, ending: str) -> str:
    """The path without its ending of the one that is meant."""
    stems = {str(PurePosixPath(name).with_suffix("")) for name in names if not name.startswith("__MACOSX")}
    fit = sorted(stem for stem in stems if not layer or PurePosixPath(stem).name == layer)
    if len(fit) == 1:
        return fit[0]
    titles = ", ".join(sorted(PurePosixPath(stem).name for stem in stems)[:10])
    if not stems:
        raise unreadable(f"{archive}: no {ending} in it: pack the file with its sidecars")
    raise unreadable(f"{archive}: say which layer: {titles}")
