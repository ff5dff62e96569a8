"""A contract inferred from records: the names and types that were seen, lengths with headroom. A person tightens it."""

from collections.abc import Mapping, Sequence
from typing import Any

_LENGTHS = (64, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536, 262_144)
_HEADROOM = 4
_SHOWN, _CODE = 8, 12
"""Examples are told of members with at most so many values, each of at most so many characters."""


def schema_of(
    records: Sequence[Mapping[str, Any]], required: Sequence[str], title: str, examples: Sequence[str]
) -> Any:  # noqa: ANN401
    """A JSON Schema (draft 2020-12) of the records; `required`: top-level members; `examples`: members with codes.

    Values are told only of the members in `examples`, and as examples, not as enum: a new code must reach the code
    table, which sets it aside until a row is added; an enum would refuse it.
    """
    schema = _schema(list(records))
    for name in examples:
        member = schema["properties"].get(name)
        seen = sorted({str(record[name]) for record in records if record.get(name) not in (None, "")})
        if member and len(seen) <= _SHOWN and all(len(value) <= _CODE for value in seen):
            member["examples"] = seen
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return head | schema | {"required": sorted(set(required))}


def _schema(values: Sequence[Any]) -> dict[str, Any]:
    objects = [value for value in values if isinstance(value, dict)]
    lists = [value for value in values if isinstance(value, list)]
    single = [value for value in values if not isinstance(value, dict | list)]
    kinds = [*(["object"] if objects else []), *(["array"] if lists else [])]
    kinds += _kinds(single) if single or not kinds else []
    schema: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if objects:
        names = dict.fromkeys(name for one in objects for name in one)
        schema["properties"] = {name: _schema([one[name] for one in objects if name in one]) for name in names}
    if lists:
        inside = [item for one in lists for item in one]
        schema["items"] = _schema(inside) if inside else {}
    if "string" in kinds:
        schema["maxLength"] = _length(max((len(str(value)) for value in single), default=0))
    return schema


def _kinds(values: Sequence[Any]) -> list[str]:
    """Platforms send a number as text one day and bare the next, and null where they have nothing."""
    kinds: list[str] = []
    if any(isinstance(value, bool) for value in values):
        kinds.append("boolean")
    if any(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        kinds.append("number")
    return [*kinds, "string", "null"]


def _length(longest: int) -> int:
    return next((length for length in _LENGTHS if length >= longest * _HEADROOM), longest * _HEADROOM)
