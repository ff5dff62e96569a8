"""The samples of a folder: read and written again, and compared with their goldens.

`samples/<door>.<what>.in.<ext>` reads as `<door>.<what>.reading.json`; `<door>.<what>.around.json` may say what stood
around it: `path`, `headers`, `content_type`, `method`. `samples/<what>.out.json` says `message`, what is `given`, and
the `path` and `body` (and `headers`, if they matter) that must be written; `before` and `file`, where the message uses
them. A file's `content` is given as text.
Every secret `x` is `demo-x` in samples.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from adapters.explain import near
from adapters.shape import form_document
from canonical.assignment import Called
from canonical.case import Action, Binding, Case
from canonical.errors import HubError, Unacceptable
from canonical.findings import Finding
from canonical.message import Message
from canonical.reading import FileContent, Outbound, Reading
from canonical.time import SHANGHAI

if TYPE_CHECKING:
    from adapters.system import System

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=SHANGHAI)
"""When samples are received and written, unless they say otherwise."""
ID = UUID("01890000-0000-7000-8000-000000000001")
READINGS = TypeAdapter(list[Reading])
_TYPES = {
    ".json": "application/json", ".xml": "text/xml", ".csv": "text/csv", ".zip": "application/zip",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".txt": "text/plain",
}  # fmt: skip
_CASE: dict[str, Any] = {
    "id": str(ID), "no": "34022026052000001", "sequence": 1, "stage": "dispatched", "version": 3, "source": "x",
    "received_at": "2026-05-20T08:30:00+08:00",
    "assignments": [{"round": 1, "unit": "u1", "dispatched_at": "2026-05-20T10:00:00+08:00"}],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class InboundSample:
    """One stored message and its golden reading."""

    path: Path
    golden: Path

    @property
    def door(self) -> str:
        """The door, pull or receiver it came through."""
        return self.path.name.split(".")[0]

    def message(self, system: str) -> Message:
        """The message as it came. Raises ValueError when what stands beside it cannot be read."""
        stem = self.path.name.split(".in.")[0]
        beside = self.path.with_name(f"{stem}.around.json")
        around = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        body, headers = self.path.read_bytes(), dict(around.get("headers", {}))
        kind, query = _TYPES.get(self.path.suffix, ""), ""
        if self.path.suffix == ".http":
            query = _query(body)
            said, body = split_http(body)
            headers = said | headers
            kind = headers.get("content-type", "")
        return Message(
            system=system, body=body, at=datetime.fromisoformat(around["at"]) if "at" in around else NOW, id=ID,
            door=self.door, content_type=around.get("content_type", kind), headers=headers,
            path=around.get("path", query), method=around.get("method", "POST"),
        )  # fmt: skip


def _query(raw: bytes) -> str:
    """What the request line of a stored HTTP request says behind its path, which may hold a signature."""
    target = [*raw.partition(b"\n")[0].decode("latin-1").split(), "", ""][1]
    return target[target.index("?") :] if "?" in target else ""


def split_http(raw: bytes) -> tuple[dict[str, str], bytes]:
    """Headers (lower-case names) and body of a stored HTTP request."""
    head, _, body = raw.partition(b"\r\n\r\n") if b"\r\n\r\n" in raw else raw.partition(b"\n\n")
    lines = head.decode("latin-1").splitlines()[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}, body


def inbound_samples(folder: Path) -> list[InboundSample]:
    """The inbound samples of a folder, by name."""
    found = [path for path in sorted(folder.glob("samples/*.in.*")) if not path.name.endswith(".around.json")]
    return [InboundSample(path, path.with_name(path.name.split(".in.")[0] + ".reading.json")) for path in found]


def outbound_samples(folder: Path) -> list[Path]:
    """The outbound samples of a folder, by name."""
    return sorted(folder.glob("samples/*.out.json"))


def outbound_of(message: str, given: dict[str, Any]) -> Outbound:
    """The canonical values of an outbound sample. Raises ValidationError, KeyError."""
    case, action = Case.model_validate(_CASE | given.get("case", {})), Action.model_validate(given["action"])
    files = [one for one in (*case.attachments, *action.attachments) if one.content]
    return Outbound(
        message=message,
        case=case,
        action=action,
        binding=_binding(given.get("binding"), "owner"),
        source_binding=_binding(given.get("source_binding"), "source"),
        unit_name=given.get("unit_name", ""),
        called=Called.model_validate(given["called"]) if "called" in given else None,
        lead_name=given.get("lead_name", ""),
        area_names=given.get("area_names", {}),
        contents={one.url: FileContent(one.content) for one in files},
    )


def _binding(facts: dict[str, Any] | None, role: str) -> Binding | None:
    if facts is None:
        return None
    return Binding.model_validate({"case_id": str(ID), "system": "s", "role": role} | facts)


def check_samples(system: "System", folder: Path) -> list[Finding]:
    """Every sample that does not read or write as its golden says."""
    findings = list(_inbound(system, folder))
    findings += _outbound(system, folder)
    return findings


def _inbound(system: "System", folder: Path) -> Iterator[Finding]:
    for sample in inbound_samples(folder):
        name = f"samples/{sample.path.name}"
        yield from _around_findings(sample)
        if sample.door not in system.entrances:
            yield Finding(name, 0, "", f"the file name begins with no door, pull or receiver: '{sample.door}'")
        elif not sample.golden.is_file():
            yield Finding(name, 0, "", f"its golden reading is missing: samples/{sample.golden.name}")
        else:
            yield from _compared(system, sample, name)


def _around_findings(sample: InboundSample) -> Iterator[Finding]:
    beside = sample.path.with_name(sample.path.name.split(".in.")[0] + ".around.json")
    if not beside.is_file():
        return
    name = f"samples/{beside.name}"
    try:
        yield from _strange_keys(json.loads(beside.read_text(encoding="utf-8")), name, _AROUND_KEYS)
    except ValueError as error:
        yield Finding(name, 0, "", f"not JSON: {error}")


def _compared(system: "System", sample: InboundSample, name: str) -> Iterator[Finding]:
    try:
        golden = READINGS.validate_json(sample.golden.read_bytes())
        contents = system.read(sample.message("s"))
    except (ValidationError, ValueError) as error:
        yield Finding(f"samples/{sample.golden.name}", 0, "", f"cannot be read: {type(error).__name__}")
        return
    refused = next((one for one in contents if isinstance(one, Unacceptable)), None)
    if refused is not None:
        yield Finding(name, 0, refused.at, f"is not read: {refused} ({refused.why})")
    elif len(golden) != len(contents):
        yield Finding(name, 0, "", f"{len(contents)} readings, the golden has {len(golden)}")
    else:
        for number, (read, wanted) in enumerate(zip(contents, golden, strict=True), 1):
            held = read.model_dump(mode="json") if isinstance(read, Reading) else {}
            yield from _told_differences(name, f"reading {number}: ", "", held, wanted.model_dump(mode="json"))


_MOST, _SHOWN = 5, 80
"""Differing places told of one document, and characters of each value: samples hold invented persons only."""


def _told_differences(name: str, which: str, where: str, is_: Any, expected: Any) -> Iterator[Finding]:  # noqa: ANN401
    found = list(_differences(is_, expected, where))
    for place, one, wanted in found[:_MOST]:
        yield Finding(name, 0, place, f"{which}expected {_shown(wanted)}, is {_shown(one)}")
    if len(found) > _MOST:
        yield Finding(name, 0, where, f"{which}{len(found) - _MOST} more places are not as expected")


def _shown(value: object) -> str:
    if value is _NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


_NOTHING = object()


def _differences(is_: Any, expected: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401
    """(place, what is there, what is expected) of every place that differs, as deep as both go."""
    if isinstance(is_, dict) and isinstance(expected, dict):
        pairs = [(key, is_.get(key, _NOTHING), expected.get(key, _NOTHING)) for key in {**is_, **expected}]
    elif isinstance(is_, list) and isinstance(expected, list) and len(is_) == len(expected):
        pairs = [(str(index), one, wanted) for index, (one, wanted) in enumerate(zip(is_, expected, strict=True))]
    else:
        if is_ != expected:
            yield where, is_, expected
        return
    for key, one, wanted in pairs:
        yield from _differences(one, wanted, f"{where}.{key}".strip("."))


def _outbound(system: "System", folder: Path) -> Iterator[Finding]:
    for path in outbound_samples(folder):
        name = f"samples/{path.name}"
        try:
            golden = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            yield Finding(name, 0, "", f"cannot be read: {type(error).__name__}")
            continue
        strange = list(_strange_keys(golden, name, _OUT_KEYS))
        yield from strange
        yield from [] if strange else _written_again(system, golden, name)


def _written_again(system: "System", golden: dict[str, Any], name: str) -> Iterator[Finding]:
    needed = {"message", "path", "names" if "names" in golden else "given"}
    missing = sorted(needed - set(golden))
    if missing:
        yield from (Finding(name, 0, key, "is missing") for key in missing)
        return
    try:
        message = written(system, golden)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, one["loc"])) + f": {one['msg']}" for one in error.errors()[:_MOST])
        yield Finding(name, 0, "given", f"cannot be read: {places}")
    except KeyError as error:
        yield Finding(name, 0, "", f"{error} is missing")
    except ValueError as error:
        yield Finding(name, 0, "", f"cannot be read: {type(error).__name__}")
    except HubError as error:
        yield Finding(name, 0, "", f"is not written: {error}")
    else:
        yield from _told_apart(message, golden, name)


_OUT_KEYS: dict[str, frozenset[str] | None] = {
    "": frozenset({"message", "given", "names", "before", "file", "now", "session", "path", "body", "headers"}),
    "given": frozenset(
        {"case", "action", "binding", "source_binding", "unit_name", "area_names", "called", "lead_name"}
    ),
    "names": None,
    "before": None,
    "headers": None,
}
_AROUND_KEYS: dict[str, frozenset[str] | None] = {
    "": frozenset({"at", "path", "headers", "content_type", "method"}),
    "headers": None,
}
"""Keys of the files beside samples: any other one would do nothing, and nobody would see it."""


def _strange_keys(document: object, name: str, known: dict[str, frozenset[str] | None]) -> Iterator[Finding]:
    if not isinstance(document, dict):
        yield Finding(name, 0, "", "an object is expected")
        return
    for place, keys in known.items():
        held = document.get(place, {}) if place else document
        if not isinstance(held, dict):
            yield Finding(name, 0, place, "an object is expected")
            continue
        if keys is None:
            continue
        for key in held:
            if key not in keys:
                yield Finding(name, 0, f"{place}.{key}".strip("."), f"no such key{near(str(key), keys)}")


def written(system: "System", golden: dict[str, Any]) -> Message:
    """What the system writes for an outbound sample; one that asks gives `names` instead of a case."""
    now, session = datetime.fromisoformat(golden["now"]) if "now" in golden else NOW, golden.get("session", "")
    further = {key: golden[key] for key in ("before", "file") if key in golden}
    if "names" in golden:
        names = golden["names"] | further
        return system.say(golden["message"], now=now, id=ID, session=session, **names)
    outbound = outbound_of(golden["message"], golden["given"])
    file = further.get("file")
    if isinstance(file, dict) and "content" in file:
        outbound = replace(outbound, contents={**outbound.contents, str(file.get("url")): _content(file)})
    return system.write(outbound, now=now, id=ID, session=session, **further)


def _content(file: Mapping[str, Any]) -> FileContent:
    return FileContent(str(file["content"]).encode(), str(file.get("media", "")))


def _told_apart(message: Message, golden: dict[str, Any], name: str) -> Iterator[Finding]:
    yield from _told_differences(name, "", "path", message.path, golden["path"])
    if "body" in golden:
        yield from _told_differences(name, "", "body", body_of(message), golden["body"])
    for header, value in golden.get("headers", {}).items():
        there = message.headers.get(header.lower(), _NOTHING)
        yield from _told_differences(name, "", f"headers.{header}", there, value)


def _field(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_field(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {**value, "content": base64.b64decode(value["content"]).decode("utf-8", "replace")}


def body_of(message: Message) -> Any:  # noqa: ANN401
    """A written body as a sample shows it: JSON as document (out of its form part too), anything else as text.

    A form of several parts is an object, a file in it {name, media, content} with its content as text.
    """
    body = message.body
    if message.content_type.startswith("multipart/form-data"):
        try:
            fields = form_document(body, message, "utf-8")
        except Unacceptable:  # of another charset
            return body.decode("utf-8", "replace")
        if len(fields) != 1 or not isinstance(only := next(iter(fields.values())), str):
            return {name: _field(value) for name, value in fields.items()}
        body = only.encode()
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace")
