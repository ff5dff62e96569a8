"""YAML with line numbers, read so that a code stays a code.

Only `true`, `false`, `null` and plain decimal numbers are anything but text: YAML 1.1 would read 0401 as 257, `no` as
false and 12:30 as 750. A duplicate key is an error, because one of the two would silently be lost.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from canonical.findings import Finding, Severity

Where = tuple[str | int, ...]
"""A way into the file: keys and list indexes."""

_TAGS = (
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf")),
    ("tag:yaml.org,2002:null", re.compile(r"^(?:null|)$"), ["n", ""]),
    ("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789")),
    ("tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$"), list("-0123456789")),
)


_Quick: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C, where PyYAML was built with it; six times as quick."""
_NESTING = "[{-:?"
"""A level takes one of these at least."""
_DEEPEST = 10_000
"""Levels the parser in C bears for sure: at twice as many its stack would end, and the process with it."""
TOO_DEEP = "not YAML: nested too deeply"


class _Loader(yaml.SafeLoader):
    """SafeLoader with the few implicit types above."""


_QuickLoader: type[yaml.SafeLoader] = type("_QuickLoader", (_Quick,), {})
"""The same, in C."""

for _loader in (_Loader, _QuickLoader):
    _loader.yaml_implicit_resolvers = {}
    for _tag, _pattern, _first in _TAGS:
        _loader.add_implicit_resolver(_tag, _pattern, _first)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A file's content as plain values, and the line of every key and item."""

    name: str
    """How findings call it, relative to the declaration's folder."""
    data: Mapping[str, Any]
    lines: Mapping[Where, int] = field(repr=False)

    def finding(self, where: Where, text: str, severity: Severity = Severity.ERROR) -> Finding:
        """What is wrong at `where`; the line is that of the nearest enclosing key."""
        near = where
        while near not in self.lines and near:
            near = near[:-1]
        return Finding(self.name, self.lines.get(near, 1), ".".join(map(str, where)), text, severity)


def read_yaml(path: Path, findings: list[Finding], *, name: str) -> YamlFile | None:
    """The file, or None when it cannot be read as one mapping; why is added to `findings`."""
    try:
        return _read(composed(path.read_text(encoding="utf-8-sig"), _QuickLoader, _Loader), findings, name)
    except FileNotFoundError:
        findings.append(Finding(name, 0, "", "missing"))
        return None
    except UnicodeDecodeError as error:
        findings.append(Finding(name, 0, "", f"not UTF-8 at byte {error.start}; save it as UTF-8"))
        return None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        findings.append(Finding(name, line, "", f"not YAML: {getattr(error, 'problem', None) or 'cannot be read'}"))
        return None
    except RecursionError:
        findings.append(Finding(name, 0, "", TOO_DEEP))
        return None


def _read(root: yaml.Node | None, findings: list[Finding], name: str) -> YamlFile | None:
    if not isinstance(root, yaml.MappingNode):
        findings.append(Finding(name, 1, "", "a mapping (key: value) is expected"))
        return None
    lines: dict[Where, int] = {}
    data = _plain(root, (), lines, findings, name)
    return YamlFile(name, data, lines)


def composed(
    text: str, quick: type[yaml.SafeLoader] = _Quick, slow: type[yaml.SafeLoader] = yaml.SafeLoader
) -> yaml.Node | None:  # fmt: skip
    """The root node. What the quick parser refuses is read again by the slow one, whose words are plainer and count."""
    node: yaml.Node | None = _parsed(yaml.compose, text, quick, slow)
    return node


def plain(text: str) -> Any:  # noqa: ANN401 whatever the YAML holds
    """The content, as YAML 1.1 means it."""
    return _parsed(yaml.load, text, _Quick, yaml.SafeLoader)


def _parsed(how: Callable[..., Any], text: str, quick: type[yaml.SafeLoader], slow: type[yaml.SafeLoader]) -> Any:  # noqa: ANN401
    if sum(map(text.count, _NESTING)) > _DEEPEST:
        return how(text, Loader=slow)
    try:
        return how(text, Loader=quick)
    except yaml.YAMLError:
        return how(text, Loader=slow)


def _plain(node: yaml.Node, where: Where, lines: dict[Where, int], findings: list[Finding], name: str) -> Any:  # noqa: ANN401
    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*where, index), lines, findings, name) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in mapping:
            findings.append(Finding(name, line, ".".join(map(str, (*where, key))), "the key stands here twice"))
        lines[(*where, key)] = line
        mapping[key] = _plain(value_node, (*where, key), lines, findings, name)
    return mapping


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    if kind == "bool":
        return text == "true"
    if kind == "null":
        return None
    if kind == "int":
        return int(text)
    return float(text) if kind == "float" else text
