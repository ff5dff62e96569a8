"""What a rule may refer to, and where findings go, while a declaration is compiled."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from adapters.code_table import CodeTable
from adapters.explain import near
from adapters.expression import Expression, hub_functions
from adapters.ledger import Ledger
from adapters.path import CONTEXT, Get, Names, context_used, names_at, path_getter, unknown_part
from adapters.yaml_file import Where, YamlFile
from canonical.findings import Finding, Severity

FILE_BYTES: Names = MappingProxyType({"$bytes": {}})
"""Below what can only be said of a file whose bytes are at hand."""
USES_FILES = "$bytes"
"""In a scope's context: a rule uses bytes of files."""
FILE_PLACES = ("case.attachments", "action.attachments", "file")
"""Where files stand whose bytes an outbound message may carry; in a scope's context: a rule goes there."""
FILES_ASKED_FOR = "before"
"""The same of the files that items of an answer were asked for: `$file` in a list of `before`."""
_DOTTED = re.compile(r"(@[^.']+)\.([^.'0-9][^.']*)$")
"""A name of OData and its like, such as @odata.nextLink, that nobody quoted."""
_OF_FILES = re.compile(r"\.(?:content|media|size)\b(?!\()")
_FILES = re.compile(r"\b(?:attachments|doc\.file)\b|\$file\b")
_OF_ASKED = re.compile(r"(?:^|\.)\$file\.(?:content|media|size)$")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One compiled rule of a message, kept so that a reading can be explained field by field."""

    where: Where
    """The key it stands at, such as ("report", "address")."""
    node: Any
    """The rule or literal as declared."""
    get: Get = field(repr=False)
    line: int


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of a rule. `context` collects what it needs around the document."""

    file: YamlFile
    findings: list[Finding] = field(repr=False)
    names: Names
    """The names the document has."""
    tables: Mapping[str, CodeTable]
    zone: ZoneInfo
    secrets: Mapping[str, str | None] = field(repr=False)
    """Declared names to values; None: not given."""
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    writing: bool = False
    context: set[str] = field(default_factory=set)
    """Context members that rules use: `$headers.x-sign`, `$query`, ..."""
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict, repr=False)
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Path to the values the contract (or, when writing, the hub) lists for it."""
    leaves: list[Leaf] | None = field(default=None, repr=False)
    """Where the rules of a message are noted; None where paths do not begin at the document."""
    answering: bool = False
    """True for what judges an answer, which may look at what was asked."""
    folder: Path | None = None
    """Where the declaration lies, for schemas that a step names."""

    def wrong(self, where: Where, text: str) -> None:
        """Add a finding."""
        self.findings.append(self.file.finding(where, text))

    def note(self, where: Where, node: object, get: Get) -> Get:
        """Keep a rule for explanations; gives the getter back."""
        if self.leaves is not None:
            self.leaves.append(Leaf(where, node, get, self.file.finding(where, "").line))
        return get

    def path(self, path: str, where: Where) -> Get:
        """A dotted path as a getter, checked against the names the document has."""
        unknown = unknown_part(path, self.names)
        if unknown:
            part, known = unknown
            self.wrong(where, f"the contract has no '{part}' (in '{path}')" + near(part, known))
        self.context.update(place for place in FILE_PLACES if self.writing and f"{path}.".startswith(f"{place}."))
        if names_at(path, self.names) is FILE_BYTES:
            self.context.add(USES_FILES)
        elif self.writing and _OF_ASKED.search(path):
            self.context.update((USES_FILES, FILES_ASKED_FOR))
        if (dotted := _DOTTED.match(path)) and not unknown:
            text = f"this is '{dotted[2]}' inside '{dotted[1]}'; if the dot belongs to the name, write \"'{path}'\""
            self.findings.append(self.file.finding(where, text, Severity.WARNING))
        if root := context_used(path):
            second = path.split(".")[1] if "." in path else ""
            self._placed(root, where)
            self.context.add(f"{root}.{second}" if root == "$headers" else root)
        return path_getter(path)

    def expression(self, source: str, where: Where) -> Get:
        """An expression as a getter; what is wrong with it is a finding."""
        if self._reads_files(source):
            self.context.update((USES_FILES, *FILE_PLACES, FILES_ASKED_FOR))
        for root in CONTEXT:
            if f"'{root}'" in source or f'"{root}"' in source:
                self.context.add(root)
                self._placed(root, where)
        try:
            return Expression(source, self.functions)
        except ValueError as error:
            self.wrong(where, str(error))
            return lambda _document: None

    def _placed(self, root: str, where: Where) -> None:
        if root == "$asked" and not self.answering:
            self.wrong(where, "$asked is there only where an answer is judged: in answers, pulls and sign_in")

    def _reads_files(self, source: str) -> bool:
        of_files = self.names.get("content") is FILE_BYTES or (self.writing and _FILES.search(source))
        return bool(of_files) and _OF_FILES.search(source) is not None

    def values_at(self, path: str) -> Sequence[str]:
        """The values that are listed for a path; empty when any text may stand there."""
        return self.values.get(path, ())


def functions_of(zone: ZoneInfo, tables: Mapping[str, CodeTable], ledgers: Mapping[str, Ledger]) -> Mapping[str, Any]:
    """The hub functions of one system's expressions."""
    return hub_functions(zone, tables, ledgers)
