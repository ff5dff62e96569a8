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
    for problem in error.errors(include_url=False, include_input=False):
        place = (*where, *(part for part in problem["loc"] if part != "[key]"))
        text = problem["msg"]
        if problem["type"] == "extra_forbidden":
            text = "unknown key" + near(str(problem["loc"][-1]), _known_keys(model, problem["loc"][:-1]))
        findings.append(file.finding(place, text))


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
