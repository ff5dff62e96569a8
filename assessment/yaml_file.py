"""A YAML file of rules with the line of every key, and findings in words that say where, what, and what was meant."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from canonical.findings import Finding, Severity

_QUICK: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C, where PyYAML was built with it; ten times as quick."""
_NESTING, _DEEPEST = "[{-:?", 10_000
"""A level takes one of these at least; deeper the stack of the parser in C would end, and the process with it."""


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` or the known words, for a finding."""
    words = sorted(known)
    match = get_close_matches(word, words, 1)
    return f"; did you mean '{match[0]}'?" if match else f"; known: {', '.join(words[:30])}"


@dataclass(slots=True)
class YamlFile:
    """One file as it was read."""

    name: str
    document: object = None
    lines: dict[str, int] = field(default_factory=dict)
    """Line of each key, by its dotted path."""
    findings: list[Finding] = field(default_factory=list)

    def wrong(self, key: str, text: str, severity: Severity = Severity.ERROR) -> None:
        """A finding at this key, or the nearest one above it that is there."""
        at = key
        while at and at not in self.lines:
            at = at.rpartition(".")[0]
        self.findings.append(Finding(self.name, self.lines.get(at, 0), key, text, severity))


def read_yaml(path: Path, name: str) -> YamlFile:
    """The file; what keeps it from being read is among its findings."""
    file = YamlFile(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
        node = _parsed(yaml.compose, text)
        file.document = _parsed(yaml.load, text)
    except FileNotFoundError:
        file.wrong("", "missing")
    except (OSError, UnicodeDecodeError):
        file.wrong("", "cannot be read; save it as UTF-8")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        text = f"not YAML: {getattr(error, 'problem', None) or type(error).__name__}"
        file.findings.append(Finding(name, mark.line + 1 if mark else 0, "", text))
    else:
        _lines(node, file)
    return file


def _parsed(how: Callable[..., Any], text: str) -> Any:  # noqa: ANN401
    """What the parser in C refuses is read again by the slow one, whose words are plainer."""
    if sum(map(text.count, _NESTING)) > _DEEPEST:
        return how(text, Loader=yaml.SafeLoader)
    try:
        return how(text, Loader=_QUICK)
    except yaml.YAMLError:
        return how(text, Loader=yaml.SafeLoader)


def _lines(root: yaml.Node | None, file: YamlFile) -> None:
    """The line of each key; the same key twice would silently mean the second."""
    waiting, seen = [("", root)], set()
    while waiting:
        prefix, node = waiting.pop()
        if id(node) in seen:  # an alias may lead back to where it stands
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for place, value in enumerate(node.value):
                file.lines[f"{prefix}{place}"] = value.start_mark.line + 1
                waiting.append((f"{prefix}{place}.", value))
        if not isinstance(node, yaml.MappingNode):
            continue
        own: dict[str, int] = {}
        for key, value in node.value:
            line, path = key.start_mark.line + 1, f"{prefix}{key.value}"
            if key.value in own:
                text = f"stands in line {own[key.value]} already: the two contradict each other"
                file.findings.append(Finding(file.name, line, path, text))
            own[key.value] = line
            file.lines[path] = line
            waiting.append((f"{path}.", value))


def validated(
    file: YamlFile, model: type[BaseModel], document: object, prefix: str, *, where: str = ""
) -> BaseModel | None:
    """The document as this model; None, with findings, where it is none."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            place = [str(part) for part in problem["loc"] if not _of_union(str(part))]
            key = ".".join([*([prefix] if prefix else []), *place])
            text = problem["msg"]
            if problem["type"] == "extra_forbidden":
                text = f"unknown key{near(place[-1], _names(model))}"
            file.wrong(key, text)
    return None


def _of_union(part: str) -> bool:
    """Pydantic names the alternative it tried; nobody wrote that."""
    return part in {"bool", "int", "str", "none"} or part.startswith(("tuple[", "list[", "function-"))


def _names(model: type[BaseModel]) -> list[str]:
    return [one.alias or name for name, one in model.model_fields.items()]


def mapping(file: YamlFile, key: str) -> Mapping[str, object]:
    """What stands at a key of the top, by its own keys; what is no mapping is a finding."""
    document = file.document if isinstance(file.document, dict) else {}
    found = document.get(key, {})
    if isinstance(found, dict):
        return {str(name): value for name, value in found.items()}
    file.wrong(key, "a mapping of names is expected")
    return {}
