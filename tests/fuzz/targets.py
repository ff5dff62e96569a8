"""What is fuzzed: for every name a function that takes any bytes and raises nothing, and bytes to begin from.

Readers of the invented platform (tests/fuzz/readers.py), every door, pull and receiver of the shipped folders, their
answers, and what an integrator writes: declarations, schemas, patterns, expressions.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

import adapters
from adapters.expression import Expression, hub_functions
from adapters.samples import ID, NOW, InboundSample
from adapters.time_pattern import time_pattern
from canonical.errors import HubError, Unacceptable
from canonical.message import Message
from canonical.reading import Reading
from canonical.rights import Scope
from maps.atlas import Query
from maps.crs import named
from maps.filtering import cql2_json, cql2_text
from maps.filtering.evaluate import mask_of
from maps.filtering.fes import document
from maps.filtering.fes import filter_of as fes_filter
from maps.filtering.problem import BadFilter
from maps.limits import Limits
from maps.table import Table
from tests.fuzz.readers import CHECKS, RULES, SHAPES, good, storable, taken
from tests.maps import small_city
from tests.maps.small_city import atlas

Work = Callable[[bytes], object]
ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to fuzz."""

    name: str
    work: Work
    seeds: Sequence[bytes]


def targets() -> dict[str, Target]:
    """All of them, by name."""
    made = [*_invented(), *_shipped(), *_answers(), *_written(), *_filters()]
    return {target.name: target for target in made}


def _invented() -> list[Target]:
    doors = [Target(f"shape-{name}", _door(name), (good()[name],)) for name in SHAPES]
    named = [*(f"rule_{name}" for name in RULES), *(f"check_{name}" for name in CHECKS)]
    documents = (
        b'{"a":"1","t":"x"}',
        b'{"a":1,"t":{"x":[1,"2026-05-20 10:00:00"]}}',
        b'{"a":"1","t":["118.3","31.3"]}',
    )
    rules = [Target(name.replace("_", "-"), _door(name), documents) for name in named]
    return [*doors, *rules, Target("around", _around, (b"t=1&x=%E4",)), Target("content-type", _kind, (b"a/b; c=d",))]


def _around(data: bytes) -> None:
    taken("rule_around", b'{"a":"1"}', around=data.decode("latin-1"))


def _kind(data: bytes) -> None:
    taken("parts", good()["parts"], kind=data.decode("latin-1"))


def _door(name: str) -> Work:
    return lambda data: taken(name, data)


def _shipped() -> list[Target]:
    made = []
    for name, folder in adapters.shipped().items():
        system = adapters.load(folder, adapters.sample_secrets(folder))
        for entrance in system.entrances:
            samples = [InboundSample(path, path) for path in sorted((folder / "samples").glob(f"{entrance}.*.in.*"))]
            messages = [sample.message("s") for sample in samples] or [_message(b"{}", entrance)]
            made.append(Target(f"{name}-{entrance}", _entrance(system, messages[0]), [one.body for one in messages]))
    return made


def _entrance(system: adapters.System, like: Message) -> Work:
    def work(data: bytes) -> None:
        for answer in system.read(_message(data, like.door, like)):
            assert isinstance(answer, Reading | Unacceptable)
            storable(answer)

    return work


def _message(body: bytes, door: str, like: Message | None = None) -> Message:
    return Message(
        system="s", body=body, at=NOW, id=ID, door=door, content_type=like.content_type if like else "application/json",
        path=like.path if like else "", headers=like.headers if like else {},
    )  # fmt: skip


def _answers() -> list[Target]:
    """The first message of every folder that each way of judging belongs to."""
    made = []
    for name, folder in adapters.shipped().items():
        system = adapters.load(folder, adapters.sample_secrets(folder))
        messages = {plan.declared.answer: message for message, (plan, _) in system.writers.items()}
        made += [Target(f"{name}-answer-{way}", _judge(system, message), _ANSWERS) for way, message in messages.items()]
    return made


_ANSWERS = (b"", b"{}", b'{"code":0,"data":{"id":1}}', b"<html><body>502</body></html>", b"[]", b"<a><b>1</b></a>")


def _judge(system: adapters.System, message: str) -> Work:
    def work(data: bytes) -> None:
        for status in (200, 201, 400, 401, 503):
            answer = Message(
                system="s", body=data, at=NOW, id=ID, door=message, content_type="application/json", status=status,
                headers={"location": data[:20].decode("latin-1")},
            )  # fmt: skip
            with suppress(HubError):
                system.judge(message, answer)

    return work


def _written() -> list[Target]:
    """What an integrator may have written."""
    folder = adapters.shipped()["work_safety"]
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    chosen = {
        "declaration": "system.yaml", "message": "messages/issue.yaml", "codes": "codes/levels.csv",
        "contract": "contract/issue.schema.json", "sample": "samples/issues.new.in.json",
    }  # fmt: skip
    return [
        *(Target(f"folder-{name}", _changed(files, file), (files[file],)) for name, file in chosen.items()),
        Target("pattern", _pattern, (b"yyyy-MM-dd HH:mm:ss|2026-05-20 10:00:00", b"iso|2026-05-20", b"epoch_ms|1")),
        Target("expression", _expression, (b'doc.t.map(v, text(v)).join("-")|{"t":[1,2]}', b"num(doc.t) * 2.0|{}")),
    ]


def _changed(files: Mapping[str, bytes], file: str) -> Work:
    folder = _folder(tuple(files.items()))

    def work(data: bytes) -> None:
        path = folder / file
        path.write_bytes(data)
        try:
            adapters.check(folder, samples=file.startswith("samples/"))
        finally:
            path.write_bytes(files[file])

    return work


@cache
def _folder(files: tuple[tuple[str, bytes], ...]) -> Path:
    """A copy that stays until the process ends."""
    kept = tempfile.TemporaryDirectory(prefix="gridhub-fuzz-")
    _KEPT.append(kept)
    folder = Path(kept.name) / "work_safety"
    for name, content in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


_KEPT: list[Any] = []


def _pattern(data: bytes) -> None:
    pattern, _, text = data.decode("utf-8", "replace").partition("|")
    with suppress(ValueError, OverflowError, OSError):
        assert time_pattern(pattern, ZONE).parse(text).tzinfo is not None


def _expression(data: bytes) -> None:
    source, _, document = data.decode("utf-8", "replace").rpartition("|")
    with suppress(ValueError, Unacceptable, orjson.JSONDecodeError):
        Expression(source, hub_functions(ZONE, {}, {}))(orjson.loads(document))


def _filters() -> list[Target]:
    """What clients of maps filter by."""
    fes = (
        b'<Filter xmlns="http://www.opengis.net/fes/2.0"><PropertyIsLike wildCard="%" singleChar="_" escapeChar="!">'
        b"<ValueReference>stage</ValueReference><Literal>%d</Literal></PropertyIsLike></Filter>"
    )
    text = (
        b"NOT (stage LIKE 'd%' OR unit IN ('U1', 'U2')) AND T_AFTER(received_at, DATE('2026-03-16'))",
        b"S_WITHIN(geometry, POLYGON((118 31, 119 31, 119 32, 118 31))) AND CASEI(stage) = 'FILED'",
    )
    documents = (
        b'{"op":"and","args":[{"op":"in","args":[{"property":"unit"},["U1"]]},{"op":"not","args":[true]}]}',
        b'{"op":"s_intersects","args":[{"property":"geometry"},{"type":"Point","coordinates":[118,31]}]}',
    )
    return [
        Target("filter-fes", _filtered(lambda data: fes_filter(document(data), _LON_LAT, _LIMITS)), (fes,)),
        Target("filter-text", _filtered(lambda data: cql2_text.read(_shown(data), _LON_LAT, _LIMITS)), text),
        Target("filter-json", _filtered(lambda data: cql2_json.read(_shown(data), _LON_LAT, _LIMITS)), documents),
    ]


def _filtered(read: Callable[[bytes], Any]) -> Work:
    def work(data: bytes) -> None:
        with suppress(BadFilter):
            mask_of(read(data), _cases())

    return work


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "replace")


@cache
def _cases() -> Table:
    return atlas().select("cases", Query(small_city.NOW), Scope("centre", texts=True))


_LON_LAT, _LIMITS = named("CRS:84"), Limits()
