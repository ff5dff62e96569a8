"""A contract: the schema agreed with the partner, held by two validators.

Every message is accepted fast by jsonschema-rs; only a rejected one is explained, slowly, by `jsonschema`, whose word
counts. Explanations name places and expectations, never values: those are citizens' data.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
from jsonschema.exceptions import SchemaError, ValidationError

from adapters.path import ANYTHING, Names
from canonical.errors import ContractViolation
from canonical.findings import Finding

_SHOWN = 5
_QUIET = frozenset({"properties", "items", "anyOf", "oneOf", "allOf", "then", "else", "not", "if"})


class Contract:
    """One JSON Schema (draft 2020-12). Immutable, shared between threads."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._fast: Callable[[Any], bool] = jsonschema_rs.Draft202012Validator(dict(schema)).is_valid
        self.schema = schema
        self.names = names_of(schema)
        self.values = dict(_values(schema))
        self._slow = jsonschema.Draft202012Validator(schema)

    def accepts(self, document: object) -> bool:
        """True when the document keeps the contract, by the fast validator."""
        return self._fast(document)

    def agrees(self, document: object) -> bool:
        """True when the document keeps the contract, by the authority."""
        return self._slow.is_valid(document)

    def check(self, document: object) -> None:
        """Raise ContractViolation that names every place (up to five) and what is expected there."""
        if self._fast(document):
            return
        errors = sorted(_leaves(self._slow.iter_errors(document)), key=lambda error: len(error.absolute_path))
        if not errors:
            return
        shown = list(dict.fromkeys(_explained(error) for error in errors))[:_SHOWN]
        raise ContractViolation("; ".join(shown), at=_place(errors[0]))


def _leaves(errors: Any) -> Iterator[ValidationError]:  # noqa: ANN401
    for error in errors:
        if error.context and error.validator in {"anyOf", "oneOf"}:
            deepest = max(error.context, key=lambda inner: len(inner.absolute_path))
            yield from _leaves([deepest])
        else:
            yield error


def _place(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path))
    missing = _missing(error)
    return ".".join(part for part in (path, missing[0] if missing else "") if part)


def _missing(error: ValidationError) -> list[str]:
    if error.validator != "required" or not isinstance(error.instance, dict):
        return []
    required: Any = error.validator_value
    return [name for name in required if name not in error.instance]


def _explained(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path)) or "the document"
    missing = _missing(error)
    if missing:
        return f"{path}: missing {', '.join(missing)}"
    if error.validator in _QUIET:
        return f"{path}: not as agreed"
    return f"{path}: {error.validator} {json.dumps(error.validator_value, ensure_ascii=False)[:120]} is expected"


def names_of(schema: object) -> Names:
    """The names a schema knows, through properties, items and alternatives. What it leaves open may hold any name."""
    if not isinstance(schema, Mapping) or _open(schema):
        return ANYTHING
    names: dict[str, Any] = {name: names_of(below) for name, below in schema.get("properties", {}).items()}
    if "items" in schema:
        names["[]"] = names_of(schema["items"])
    if schema.get("additionalProperties"):
        names["*"] = names_of(schema["additionalProperties"])
    for keyword in _ALTERNATIVES:
        for alternative in schema.get(keyword, ()):
            if not _open(alternative):
                names |= names_of(alternative)
    return names


_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_SHAPED = frozenset({"properties", "items", "additionalProperties", "enum", "const", *_ALTERNATIVES})


def _open(schema: Mapping[str, Any]) -> bool:
    """True for a schema that says nothing of what is inside: {} or {type: object}."""
    kinds = schema.get("type", "object")
    return "object" in (kinds if isinstance(kinds, list) else [kinds]) and not _SHAPED & set(schema)


def _values(schema: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Path to the listed values (enum, const) of every member outside lists."""
    listed = schema.get("enum", [schema["const"]] if "const" in schema else ())
    if where and listed:
        yield (
            where,
            tuple(str(value) for value in listed if isinstance(value, str | int) and not isinstance(value, bool)),
        )
    for name, below in schema.get("properties", {}).items():
        if isinstance(below, dict):
            yield from _values(below, f"{where}.{name}".strip("."))


def read_contract(path: Path, findings: list[Finding], *, name: str) -> Contract | None:
    """The contract in a file, or None; what is wrong is added to `findings`."""
    try:
        return _built(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        findings.append(Finding(name, 0, "", "missing: the schema agreed with the partner"))
    except UnicodeDecodeError as error:
        findings.append(Finding(name, 0, "", f"not UTF-8 at byte {error.start}"))
    except json.JSONDecodeError as error:
        findings.append(Finding(name, error.lineno, "", f"not JSON: {error.msg}"))
    except SchemaError as error:
        key = ".".join(map(str, error.absolute_path))
        findings.append(Finding(name, 0, key, f"not a JSON Schema (draft 2020-12): {error.message}"))
    except (re.error, jsonschema_rs.ValidationError) as error:
        findings.append(Finding(name, 0, "", f"a pattern or reference both validators understand is expected: {error}"))
    return None


def _built(schema: Any) -> Contract:  # noqa: ANN401 whatever the JSON holds
    """A schema that the fast validator takes needs no other look at it; of one it refuses, the authority says why."""
    try:
        for pattern in _patterns(schema):
            re.compile(pattern)
        if isinstance(schema, dict):
            return Contract(schema)
    except (re.error, jsonschema_rs.ValidationError):
        jsonschema.Draft202012Validator.check_schema(schema)
        raise
    jsonschema.Draft202012Validator.check_schema(schema)
    raise SchemaError("an object is expected")  # true and false are schemas, and agree nothing


def _patterns(schema: object) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _patterns(item)
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if isinstance(schema.get("patternProperties"), dict):
            yield from schema["patternProperties"]
        for below in schema.values():
            yield from _patterns(below)
