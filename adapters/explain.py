"""Findings in words an official understands: place, what is expected, and what was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from adapters.yaml_file import Where, YamlFile
from canonical.findings import Finding


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` or the known words, for a finding."""
    words = sorted(known)
    match = get_close_matches(word, words, 1)
    return f"; did you mean '{match[0]}'?" if match else f"; known: {', '.join(words[:30])}"


def report_invalid(
    error: ValidationError, file: YamlFile, findings: list[Finding], where: Where, model: type[BaseModel]
) -> None:
    """Pydantic's findings in our words: place, what is expected, near match for unknown keys."""
    told: dict[Where, list[str]] = {}
    kinds: dict[Where, list[str]] = {}
    """What may stand there, one for each alternative."""
    for problem in error.errors(include_url=False, include_input=False):
        kind, loc = problem["type"], problem["loc"]
        place = _place(file, where, loc, missing=kind == "missing")
        if kind == "extra_forbidden":
            told.setdefault(place, []).append("unknown key" + near(str(loc[-1]), _known_keys(model, loc[:-1])))
        elif kind == "missing":
            told.setdefault(place, []).append("missing")
        elif kind in _KINDS:
            kinds.setdefault(place, []).append(_KINDS[kind])
        else:
            told.setdefault(place, []).append(problem["msg"])
    for place, alternatives in kinds.items():
        deeper = any(other[: len(place)] == place for other in told)
        if not deeper:  # else another alternative was meant, and what is wrong in it is told
            told[place] = [f"{' or '.join(dict.fromkeys(alternatives))} is expected"]
    for place, texts in told.items():
        findings.extend(file.finding(place, text) for text in dict.fromkeys(texts))


_KINDS = {
    "string_type": "a text", "bool_type": "yes or no (true, false)", "int_type": "a whole number",
    "float_type": "a number", "list_type": "a list", "tuple_type": "a list", "dict_type": "an object (key: value)",
    "model_type": "an object (key: value)",
}  # fmt: skip


def _place(file: YamlFile, where: Where, loc: Where, *, missing: bool) -> Where:
    """Where it stands in the file: without the names pydantic gives to alternatives."""
    place = where
    for number, part in enumerate(loc, 1):
        if (*place, part) in file.lines or (missing and number == len(loc)):
            place = (*place, part)
    return place


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in loc:
        fields = getattr(current, "model_fields", {})
        field_ = next((item for name, item in fields.items() if part in (name, item.alias)), None)
        if field_ is not None:
            current = _model_in(field_.annotation) or current
    return [item.alias or name for name, item in getattr(current, "model_fields", {}).items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None
