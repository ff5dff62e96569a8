"""Rules: where a value stands and how it is converted. A declaration's leaves, compiled once to closures.

A scalar in a declaration is itself. A mapping whose keys are rule keys is a rule; any other mapping is an object, and
`{object: {...}}` is an object whatever its keys.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.code_table import REST, CodeTable
from adapters.contract import ANYTHING, Names
from adapters.explain import near, report_invalid
from adapters.shape import xml_text
from adapters.time_pattern import time_pattern
from adapters.value import as_list, as_text, empty, int_at, number_at, text_at
from adapters.yaml_file import Where, YamlFile
from canonical.errors import ContractViolation, Unauthenticated, UnmappedCode
from canonical.findings import Finding

Get = Callable[[Any], Any]
"""A compiled rule: document to value, None when there is none. Raises Unacceptable."""

Condition = str | int | float | bool | None | list[str | int | float | bool | None] | dict[str, str]


class XmlRule(BaseModel):
    """An XML text inside a value."""

    model_config = ConfigDict(extra="forbid")
    root: str
    declare: str = ""
    """Encoding its declaration states, whatever the envelope's is."""
    tree: dict[str, Any]


class Rule(BaseModel):
    """One rule. Steps run in the order of the keys here; an empty value ends in `default`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    from_: str | list[str] | None = Field(default=None, alias="from", description="path, or paths: the first not empty")
    secret: str | list[str] | None = Field(default=None, description="name of a secret, or names: the first given")
    text: str | None = Field(default=None, description="template with {path}; empty when every path is empty")
    of: list[Any] | None = Field(default=None, description="several rules, for `join`; empty ones are left out")
    xml: XmlRule | None = Field(default=None, description="an XML document as text")
    object_: dict[str, Any] | None = Field(
        default=None, alias="object", description="an object, keys taken as they are"
    )
    if_: dict[str, Condition] | None = Field(default=None, alias="if", description="else empty")
    unless: dict[str, Condition] | None = Field(default=None, description="then empty")
    match: str | None = Field(default=None, description="regular expression; its first group, empty when not found")
    split: str | None = Field(default=None, description="text to list")
    each: Any = Field(default=None, description="what is made of every item of a list; paths begin at the item")
    join: str | None = Field(default=None, description="list to text")
    cut: int | None = Field(default=None, ge=1, description="longest text, in characters")
    codes: str | dict[str, Any] | None = Field(default=None, description="code table, `table.column`, or rows in place")
    keep: bool = Field(default=False, description="with codes: a code without a row stays as it is (texts only)")
    time: str | None = Field(default=None, description="pattern of a local time")
    as_: str | None = Field(default=None, alias="as", pattern="^(int|number|text)$", description="type of the value")
    default: Any = Field(default=None, description="value or rule when empty")


SOURCES = ("from", "secret", "text", "of", "xml", "object")
KEYS = frozenset(field.alias or name for name, field in Rule.model_fields.items())
_TEMPLATE_END = "}"
_SEARCHED = 2000
"""Characters a `match` looks at: an expression must not become a burden on a long text."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule may refer to, and where findings go."""

    file: YamlFile
    findings: list[Finding] = field(repr=False)
    names: Names
    """The names the document has."""
    tables: Mapping[str, CodeTable]
    zone: ZoneInfo
    secrets: Mapping[str, str | None] = field(repr=False)
    """Declared names to values; None: not given."""
    writing: bool = False

    def wrong(self, where: Where, text: str) -> None:
        """Add a finding."""
        self.findings.append(self.file.finding(where, text))


def is_rule(node: object) -> bool:
    """True when a declared value is a rule, not a literal or an object."""
    return isinstance(node, Mapping) and bool(node) and any(key in SOURCES for key in node) and KEYS.issuperset(node)


def compile_path(path: str, scope: Scope, where: Where) -> Get:
    """A dotted path as a getter; `.` is the document itself. Checked against the names the document has."""
    if path == ".":
        return lambda document: document
    names: Any = scope.names
    for part in path.split("."):
        if part not in names and "*" not in names:
            scope.wrong(
                where, f"the contract has no '{part}' (in '{path}')" + near(part, (n for n in names if n != "[]"))
            )
            break
        names = names.get(part) or names.get("*") or {}
    return path_getter(path)


def path_getter(path: str) -> Get:
    """The getter alone. A missing name, or a name in something that is no object, gives None."""
    if "." in path:
        return _deep_getter(tuple(path.split(".")))

    def get(document: Any) -> Any:  # noqa: ANN401
        return document.get(path) if type(document) is dict else None

    return get


def _deep_getter(parts: tuple[str, ...]) -> Get:
    def get(document: Any) -> Any:  # noqa: ANN401
        for part in parts:
            if type(document) is not dict:
                return None
            document = document.get(part)
        return document

    return get


def compile_condition(conditions: Mapping[str, Condition], scope: Scope, where: Where, *, fold: bool = False) -> Get:
    """True when every path has one of its values. `{contains: text}`, `{present: yes}`; `fold` ignores letter case."""
    tests = [
        (compile_path(path, scope, (*where, path)), _test(wanted, scope, (*where, path), fold=fold))
        for path, wanted in conditions.items()
    ]
    if len(tests) == 1:
        get, test = tests[0]
        return lambda document: test(get(document))
    return lambda document: all(test(get(document)) for get, test in tests)


def _test(wanted: Condition, scope: Scope, where: Where, *, fold: bool) -> Callable[[Any], bool]:
    def text_of(value: object) -> str | None:
        if isinstance(value, dict | list):
            return None
        return as_text(value).strip().casefold() if fold else as_text(value)

    if isinstance(wanted, dict):
        [(test, argument)] = wanted.items() if len(wanted) == 1 else [("", "")]
        if test == "contains":
            needle = argument.casefold() if fold else argument
            return lambda value: needle in (text_of(value) or "")
        if test == "present":
            return lambda value: empty(value) is (argument == "no")
        scope.wrong(where, "a value, a list of values, {contains: text} or {present: 'yes'} is expected")
    values = frozenset(text_of(value) for value in (wanted if isinstance(wanted, list) else [wanted]))
    return lambda value: text_of(value) in values


def compile_tree(node: object, scope: Scope, where: Where) -> Get:
    """A tree of objects, lists, literals and rules. Objects keep all their keys; an empty rule gives ""."""
    if is_rule(node):
        get = compile_rule(node, scope, where)
        return lambda document: "" if (value := get(document)) is None else value
    if isinstance(node, Mapping):
        if KEYS.issuperset(node) and node:
            scope.wrong(
                where, f"a rule needs one of {', '.join(SOURCES)}; an object with such keys is written object: {{...}}"
            )
        return _object(node, scope, where)
    if isinstance(node, list):
        items = [compile_tree(item, scope, (*where, index)) for index, item in enumerate(node)]
        return lambda document: [item(document) for item in items]
    return lambda _document: node


def _object(node: Mapping[str, Any], scope: Scope, where: Where) -> Get:
    members = [(name, compile_tree(below, scope, (*where, name))) for name, below in node.items()]
    return lambda document: {name: get(document) for name, get in members}


def compile_rule(node: object, scope: Scope, where: Where, convert: Callable[[str], Any] | None = None) -> Get:
    """One rule (or literal) to a getter.

    `convert` makes a canonical value of a text; literals and code tables are converted now, so that a wrong row is a
    finding and the message costs nothing.
    """
    if not is_rule(node):
        return _literal(node, scope, where, convert)
    try:
        rule = Rule.model_validate(node)
    except ValidationError as error:
        report_invalid(error, scope.file, scope.findings, where, Rule)
        return lambda _document: None
    given = [key for key in SOURCES if key in node]  # type: ignore[operator]
    if len(given) != 1:
        scope.wrong(where, f"one of {', '.join(SOURCES)} is expected, not {' and '.join(given)}")
    get = _source(rule, scope, where)
    for step in (_conditional, _matched, _listed, _shortened, _coded, _timed, _typed):
        get = step(rule, get, scope, where, convert)
    if rule.default is None:
        return get
    default = compile_rule(rule.default, scope, (*where, "default"), convert)
    return lambda document: default(document) if empty(value := get(document)) else value


def _literal(node: object, scope: Scope, where: Where, convert: Callable[[str], Any] | None) -> Get:
    if isinstance(node, Mapping | list):
        if isinstance(node, Mapping):
            unknown = [key for key in node if key not in KEYS]
            for key in unknown:
                scope.wrong((*where, key), "no key of a rule" + near(key, KEYS))
        scope.wrong(where, f"a value or a rule ({', '.join(SOURCES)}) is expected")
        return lambda _document: None
    value: Any = node
    if convert is not None and node is not None:
        try:
            value = convert(as_text(node))
        except ValueError as error:
            scope.wrong(where, str(error))
    return lambda _document: value


def _source(rule: Rule, scope: Scope, where: Where) -> Get:
    if rule.from_ is not None:
        paths = [rule.from_] if isinstance(rule.from_, str) else rule.from_
        return _first([compile_path(path, scope, (*where, "from")) for path in paths])
    if rule.secret is not None:
        return _secret([rule.secret] if isinstance(rule.secret, str) else rule.secret, scope, (*where, "secret"))
    if rule.text is not None:
        return _template(rule.text, scope, (*where, "text"))
    if rule.of is not None:
        parts = [compile_rule(part, scope, (*where, "of", index)) for index, part in enumerate(rule.of)]
        return lambda document: [value for get in parts if not empty(value := get(document))]
    if rule.xml is not None:
        tree, xml = compile_tree(rule.xml.tree, scope, (*where, "xml", "tree")), rule.xml
        return lambda document: xml_text(xml.root, tree(document), xml.declare)
    return _object(rule.object_ or {}, scope, (*where, "object"))


def _first(getters: Sequence[Get]) -> Get:
    if len(getters) == 1:
        return getters[0]

    def get(document: Any) -> Any:  # noqa: ANN401
        for getter in getters:
            if not empty(value := getter(document)):
                return value
        return None

    return get


def _secret(names: list[str], scope: Scope, where: Where) -> Get:
    for name in names:
        if name not in scope.secrets:
            scope.wrong(where, f"'{name}' is no declared secret" + near(name, scope.secrets))
    value = next((scope.secrets[name] for name in names if scope.secrets.get(name)), None)

    def get(_document: object) -> str:
        if value is None:
            raise Unauthenticated(f"no {' or '.join(names)} is given; sign in first")
        return value

    return get


def _template(template: str, scope: Scope, where: Where) -> Get:
    first, *rest = template.split("{")
    parts: list[tuple[Get, str]] = []
    for piece in rest:
        path, end, literal = piece.partition(_TEMPLATE_END)
        if not end:
            scope.wrong(where, "a '{' without its '}'")
        parts.append((compile_path(path, scope, where), literal))

    def get(document: Any) -> str:  # noqa: ANN401
        values = [text_at(path(document), template) for path, _ in parts]
        if not any(values):
            return ""
        return first + "".join(value + literal for value, (_, literal) in zip(values, parts, strict=True))

    return get


def _conditional(rule: Rule, get: Get, scope: Scope, where: Where, _convert: object) -> Get:
    for key, conditions, wanted in (("if", rule.if_, True), ("unless", rule.unless, False)):
        if conditions is not None:
            get = _guarded(get, compile_condition(conditions, scope, (*where, key)), wanted=wanted)
    return get


def _guarded(get: Get, test: Get, *, wanted: bool) -> Get:
    return lambda document: get(document) if test(document) is wanted else None


def _matched(rule: Rule, get: Get, scope: Scope, where: Where, _convert: object) -> Get:
    if rule.match is None:
        return get
    at = _place(rule)
    try:
        expression = re.compile(rule.match)
    except re.error as error:
        scope.wrong((*where, "match"), f"not a regular expression: {error}")
        return get
    if expression.groups != 1:
        scope.wrong((*where, "match"), "exactly one group (...) is expected")
        return get

    def first_group(document: Any) -> str | None:  # noqa: ANN401
        found = expression.search(text_at(get(document), at)[:_SEARCHED])
        return found[1] if found else None

    return first_group


def _listed(rule: Rule, get: Get, scope: Scope, where: Where, _convert: object) -> Get:
    if rule.split is not None:
        get = _split(get, rule.split, _place(rule))
    if rule.each is not None:
        get = _each(rule, get, scope, where)
    return get if rule.join is None else _joined(get, rule.join, _place(rule))


def _split(whole: Get, mark: str, at: str) -> Get:
    return lambda document: [part for part in text_at(whole(document), at).split(mark) if part]


def _joined(many: Get, glue: str, at: str) -> Get:
    return lambda document: glue.join(text_at(item, at) for item in many(document) or () if not empty(item))


def _each(rule: Rule, many: Get, scope: Scope, where: Where) -> Get:
    item_scope = replace(scope, names=item_names(rule.from_, scope))
    item = compile_tree(rule.each, item_scope, (*where, "each"))
    return lambda document: [item(one) for one in as_list(many(document))]


def item_names(path: str | list[str] | None, scope: Scope) -> Names:
    """The names of a list's items, when the path is one path into the contract."""
    if not isinstance(path, str):
        return ANYTHING
    names: Any = scope.names
    for part in path.split("."):
        names = names.get(part) or names.get("*") or {}
    return names.get("[]") or ANYTHING


def table_values(
    codes: str | dict[str, Any], scope: Scope, where: Where, convert: Callable[[str], Any] | None
) -> dict[str, Any]:
    """Key to (converted) value of a declared table, `table.column`, or rows in place."""
    if isinstance(codes, dict):
        return {key: _converted(value, convert, scope, (*where, key)) for key, value in codes.items()}
    name, _, column = codes.partition(".")
    table = scope.tables.get(name)
    if table is None:
        scope.wrong(where, f"no table codes/{name}.csv" + near(name, scope.tables))
        return {}
    column = column or table.columns[1]
    if column not in table.columns[1:]:
        scope.wrong(where, f"codes/{name}.csv has no column '{column}'" + near(column, table.columns[1:]))
        return {}
    if table.reverse is not scope.writing:
        scope.wrong(where, f"codes/{name}.csv is a table for {'writing' if table.reverse else 'reading'}")
    return table.converted(column, convert, scope.findings) if convert else dict(table.column(column))


def _converted(value: Any, convert: Callable[[str], Any] | None, scope: Scope, where: Where) -> Any:  # noqa: ANN401
    if convert is None or empty(value):
        return value
    try:
        return convert(as_text(value))
    except ValueError as error:
        scope.wrong(where, str(error))
        return None


def _coded(rule: Rule, get: Get, scope: Scope, where: Where, convert: Callable[[str], Any] | None) -> Get:
    if rule.codes is None:
        return get
    values = table_values(rule.codes, scope, (*where, "codes"), convert)
    if rule.keep and convert is not None:
        scope.wrong((*where, "keep"), "the hub has a closed list here; a code without a row cannot stay")
    if REST in values and not scope.writing:
        scope.wrong((*where, "codes"), "'*' would guess; only what is written may have it")
    at = _place(rule)
    rest = values.pop(REST, None) if REST in values else _NO_ROW

    def look_up(document: Any) -> Any:  # noqa: ANN401
        given = get(document)
        if empty(given):
            return None
        code = text_at(given, at).strip()
        value = values.get(code, rest)
        if value is _NO_ROW:
            if rule.keep:
                return code
            raise UnmappedCode(f"{at}: a code without a row in {_table_name(rule)}", at=at)
        return value

    return look_up


_NO_ROW = object()


def _table_name(rule: Rule) -> str:
    return f"codes/{rule.codes.partition('.')[0]}.csv" if isinstance(rule.codes, str) else "the declared rows"


def _place(rule: Rule) -> str:
    if rule.from_ is not None:
        return rule.from_ if isinstance(rule.from_, str) else rule.from_[0]
    return rule.text or "the value"


def _timed(rule: Rule, get: Get, scope: Scope, where: Where, _convert: object) -> Get:
    if rule.time is None:
        return get
    try:
        pattern = time_pattern(rule.time, scope.zone)
    except ValueError as error:
        scope.wrong((*where, "time"), str(error))
        return get
    at = _place(rule)

    def write(document: Any) -> str | None:  # noqa: ANN401
        value = get(document)
        return pattern.write(value) if isinstance(value, datetime) else None

    def parse(document: Any) -> datetime | None:  # noqa: ANN401
        value = get(document)
        if empty(value):
            return None
        try:
            return pattern.parse(text_at(value, at).strip())
        except (ValueError, OverflowError, OSError):
            raise ContractViolation(f"{at}: a time written {rule.time} is expected", at=at) from None

    return write if scope.writing else parse


def _shortened(rule: Rule, get: Get, _scope: Scope, _where: Where, _convert: object) -> Get:
    if rule.cut is None:
        return get
    at, longest = _place(rule), rule.cut
    return lambda document: text_at(get(document), at)[:longest]


def _typed(rule: Rule, get: Get, _scope: Scope, _where: Where, _convert: object) -> Get:
    if rule.as_ is None:
        return get
    at, typed = _place(rule), _TYPES[rule.as_]
    return lambda document: None if empty(value := get(document)) else typed(value, at)


_TYPES: dict[str, Callable[[object, str], Any]] = {"int": int_at, "number": number_at, "text": text_at}
