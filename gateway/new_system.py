"""A new system's folder on disk: the scaffold of a sample, tried until it reads, with the reading it gives."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import adapters
from adapters.samples import InboundSample
from adapters.scaffold import Scaffold, scaffold
from adapters.trace import trace
from adapters.wsdl_scaffold import wsdl_scaffold
from canonical.errors import Misconfigured, Unacceptable
from canonical.findings import Severity
from canonical.reading import Reading
from gateway.reading import bare
from gateway.trial import write_golden

_MEANINGS = {
    "report.reported_at": "reported_at", "report.reported_on": "reported_at", "report.deadline.at": "deadline",
    "report.coordinate.x": "x", "report.coordinate.y": "x", "report.urgency": "urgency", "report.class": "class",
    "report.reporter.withheld": "withheld", "report.attachments.from": "attachments",
}  # fmt: skip
"""A field that did not read to the guess that is left out then."""
_TRIES = 8
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LARGEST = 16 << 20
"""Bytes of a sample; a few records are enough to begin with."""


def new_system(
    name: str, file: Path, into: Path, *, role: str, now: datetime, keep: bool = False, serve: bool = False
) -> tuple[Path, Scaffold]:  # fmt: skip
    """Write folder `into`/`name`. Raises Misconfigured when it is there, or nothing can be begun with."""
    target = into / name
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            f"'{name}': a letter, then letters, digits and _ only, as a folder and an address will be called so;"
            " its Chinese name goes into `title` 中文名写在 title"
        )
    if target.exists():
        raise Misconfigured(f"{target} is there already; nothing was written")
    if not into.is_dir():
        raise Misconfigured(f"{into} is no folder")
    data = _sample(file)
    with tempfile.TemporaryDirectory(prefix="gridhub-new-") as made:
        draft = Path(made)
        if file.suffix.lower() == ".wsdl":
            wanted = wsdl_scaffold(name, file.name, data, role=role, serve=serve, beside=_schemas(file))
            draft /= name
            _write(draft, wanted.files)
        else:
            wanted, draft = _reading_one(name, file.name, data, draft, role=role, now=now, keep=keep)
        errors = [str(one) for one in adapters.check(draft) if one.severity is Severity.ERROR]
        if errors:
            raise Misconfigured(f"{file.name}: the guesses do not make a folder that checks\n" + "\n".join(errors))
        shutil.copytree(draft, target)
    return target, wanted


def _sample(file: Path) -> bytes:
    size = file.stat().st_size
    if not size:
        raise Misconfigured(f"{file.name} is empty: one message as it was sent is needed 文件是空的")
    if size > _LARGEST:
        raise Misconfigured(
            f"{file.name} has {size >> 20} MB, at most {_LARGEST >> 20} MB are read: cut a few records out of it"
            " 请截取几条"
        )
    return file.read_bytes()


def _schemas(wsdl: Path) -> dict[str, bytes]:
    """What lies beside a WSDL and may be imported by it, by name."""
    found = {path.name: path for path in wsdl.parent.glob("*") if path.suffix.lower() in {".xsd", ".wsdl"}}
    return {
        name: path.read_bytes() for name, path in found.items() if path.is_file() and path.stat().st_size <= _LARGEST
    }


def _begun(
    name: str, file: str, data: bytes, *, role: str, now: datetime, keep: bool, without: frozenset[str]
) -> Scaffold:  # fmt: skip
    """The scaffold; what is wrong with the sample names its file."""
    try:
        return scaffold(name, file, data, role=role, now=now, keep=keep, without=without)
    except (Misconfigured, Unacceptable) as error:
        raise Misconfigured(f"{file}: {str(error).removeprefix(f'{file}: ')}") from None


def _reading_one(
    name: str, file: str, data: bytes, drafts: Path, *, role: str, now: datetime, keep: bool
) -> tuple[Scaffold, Path]:  # fmt: skip
    """The scaffold whose sample reads: a guess that does not read is left out and the rest tried again."""
    without: frozenset[str] = frozenset()
    reason = ""
    for attempt in range(_TRIES):
        folder = drafts / str(attempt) / name
        wanted = _begun(name, file, data, role=role, now=now, keep=keep, without=without)
        _write(folder, wanted.files)
        sample = InboundSample(folder / wanted.sample, folder / "unused")
        system = bare(folder)
        explained = trace(system, sample.message("s"))
        bad = {one.field for each in explained for one in each.fields if one.trouble}
        contents = [each.content for each in explained]
        if contents and all(isinstance(content, Reading) for content in contents):
            write_golden(sample.path.with_name(sample.path.name.split(".in.")[0] + ".reading.json"), contents)
            return wanted, folder
        reason = next((str(content) for content in contents if isinstance(content, Unacceptable)), "nothing was read")
        doubtful = {_MEANINGS[field] for field in bad if field in _MEANINGS} or {"external_id"}
        if doubtful <= without:
            break
        without |= doubtful
    raise Misconfigured(f"{file}: cannot be read with what its fields seem to mean: {reason}")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
