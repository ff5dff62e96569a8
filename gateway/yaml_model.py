"""YAML files of a city's folder as models: everything wrong with one at once, with the line of its key.

A key that stands twice is an error: YAML would silently go by the second of two rules that contradict each other.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from adapters.yaml_file import TOO_DEEP, composed, plain
from canonical.findings import Finding

M = TypeVar("M", bound=BaseModel)


def read_document(path: Path, findings: list[Finding]) -> Any:  # noqa: ANN401 whatever the YAML holds
    """The content of a file; None, and why, where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        document = plain(text)
    except FileNotFoundError:
        findings.append(Finding(path.name, 0, "", "missing"))
    except UnicodeDecodeError:
        findings.append(Finding(path.name, 0, "", "not UTF-8"))
    except RecursionError:
        findings.append(Finding(path.name, 0, "", TOO_DEEP))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        text = f"not YAML: {getattr(error, 'problem', error)}"
        if mark and "${" in path.read_text(encoding="utf-8").splitlines()[mark.line]:
            text += '; inside { } a variable stands in quotes: "${NAME}"'
        findings.append(Finding(path.name, mark.line + 1 if mark else 0, "", text))
    else:
        found = len(findings)
        findings += _twice(text, path.name)
        return document if len(findings) == found else None
    return None


def read_model(path: Path, model: type[M], findings: list[Finding]) -> M | None:
    """The file as this model."""
    found = len(findings)
    document = read_document(path, findings)
    if len(findings) > found:
        return None
    return modelled(document, model, path.name, lines_of(path), "", findings)


def modelled(
    document: object, model: type[M], file: str, lines: Mapping[str, int], prefix: str, findings: list[Finding]
) -> M | None:  # fmt: skip
    """A part of a file, below the key `prefix`, as this model."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            key = ".".join([*([prefix] if prefix else []), *map(str, problem["loc"])])
            findings.append(Finding(file, line_of(lines, key), key, problem["msg"]))
    return None


def lines_of(path: Path) -> dict[str, int]:
    """Line of each key and item of a list, by its dotted path."""
    return {path: line for path, line, _ in _keys(path.read_text(encoding="utf-8"))}


def line_of(lines: Mapping[str, int], key: str) -> int:
    """Line of the key, or of the nearest one above it that is there; 0 for the whole file."""
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return lines.get(key, 0)


def _twice(text: str, name: str) -> Iterator[Finding]:
    first: dict[tuple[str, int], int] = {}
    for path, line, mapping in _keys(text):
        before = first.setdefault((path, mapping), line)
        if before != line:
            yield Finding(name, line, path, f"stands in line {before} already: the two contradict each other")


def _keys(text: str) -> Iterator[tuple[str, int, int]]:
    """Dotted path and line of each key and item, and which mapping or list it stands in."""
    seen: set[int] = set()  # an alias may lead back to where it stands
    waiting = [("", composed(text))]
    while waiting:
        prefix, node = waiting.pop()
        if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
            continue
        seen.add(id(node))
        inside = node.value if isinstance(node, yaml.MappingNode) else [(one, one) for one in node.value]
        for place, (key, value) in enumerate(inside):
            name = key.value if isinstance(node, yaml.MappingNode) else place
            yield f"{prefix}{name}", key.start_mark.line + 1, id(node)
            waiting.append((f"{prefix}{name}.", value))
