"""Rules: where a value stands and how it is converted. A declaration's leaves, compiled once to closures.

A scalar in a declaration is itself. A mapping whose keys are rule keys is a rule; any other mapping is an object, and
`{object: {...}}` is an object whatever its keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from adapters.condition import compile_condition
from adapters.explain import near, report_invalid
from adapters.inlined import First, Otherwise
from adapters.path import ANYTHING, CONTEXT, Get, Names, names_at
from adapters.rule_model import KEYS, SOURCES, PairsRule, Rule
from adapters.rule_step import STEPS, as_bytes, place, secret_value
from adapters.scope import Scope
from adapters.shape_xml import xml_text
from adapters.signing import canonical_pairs
from adapters.value import as_list, as_text, empty, text_at
from adapters.yaml_file import Where
from canonical.errors import ContractViolation

_TEMPLATE_END = "}"


def is_rule(node: object) -> bool:
    """True when a declared value is a rule, not a literal or an object."""
    return isinstance(node, Mapping) and bool(node) and any(key in SOURCES for key in node) and KEYS.issuperset(node)


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
        return scope.note(where, node, _literal(node, scope, where, convert))
    noting, scope = scope, replace(scope, leaves=None)  # rules inside this one are part of it
    try:
        rule = Rule.model_validate(node)
    except ValidationError as error:
        report_invalid(error, scope.file, scope.findings, where, Rule)
        return lambda _document: None
    given = [key for key in SOURCES if key in node]  # type: ignore[operator]
    if len(given) != 1:
        scope.wrong(where, f"one of {', '.join(SOURCES)} is expected, not {' and '.join(given)}")
    get = _source(rule, scope, where)
    get = _conditional(rule, get, scope, where)
    for step in STEPS[: STEPS.index(None)]:  # what comes before lists
        get = step(rule, get, scope, where, convert) if step else get
    get = _listed(rule, get, scope, where)
    for step in STEPS[STEPS.index(None) :]:
        get = step(rule, get, scope, where, None if rule.then is not None else convert) if step else get
    if rule.then is not None:
        get = _onwards(get, compile_rule(rule.then, replace(scope, names=ANYTHING), (*where, "then"), convert))
    if rule.default is None:
        return noting.note(where, node, get)
    default = compile_rule(rule.default, scope, (*where, "default"), convert)
    return noting.note(where, node, Otherwise(get, default))


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
            scope.wrong(where, _closed(as_text(node), convert) or str(error))
    return lambda _document: value


def _closed(given: str, convert: Callable[[str], Any]) -> str:
    """What the hub's closed list would take instead; empty where there is no list."""
    if isinstance(convert, type) and issubclass(convert, StrEnum):
        return f"'{given}' is not known here" + near(given, convert)
    return ""


def _source(rule: Rule, scope: Scope, where: Where) -> Get:
    if rule.from_ is not None:
        paths = [rule.from_] if isinstance(rule.from_, str) else rule.from_
        getters = [scope.path(path, (*where, "from")) for path in paths]
        return getters[0] if len(getters) == 1 else First(tuple(getters))
    if rule.secret is not None:
        return _secret(rule.secret, scope, (*where, "secret"), needed="default" not in rule.model_fields_set)
    if rule.text is not None:
        return _template(rule.text, scope, (*where, "text"))
    if rule.of is not None:
        parts = [compile_rule(part, scope, (*where, "of", index)) for index, part in enumerate(rule.of)]
        return lambda document: [value for get in parts if not empty(value := get(document))]
    if rule.xml is not None:
        tree, xml = compile_tree(rule.xml.tree, scope, (*where, "xml", "tree")), rule.xml
        return lambda document: xml_text(xml.root, tree(document), xml.declare, xml.namespace)
    if rule.pairs is not None:
        return _pairs(rule.pairs, scope, (*where, "pairs"), rule.charset or "utf-8")
    if rule.expr is not None:
        return scope.expression(rule.expr, (*where, "expr"))
    return _object(rule.object_ or {}, scope, (*where, "object"))


def _secret(names: str | list[str], scope: Scope, where: Where, *, needed: bool) -> Get:
    value = secret_value(names, scope, where)
    wanted = [names] if isinstance(names, str) else names
    if not needed and not any(scope.secrets.get(name) for name in wanted):
        return lambda _document: None  # an optional secret with a default is nothing to sign in for
    return lambda _document: value()


def _pairs(declared: PairsRule, scope: Scope, where: Where, charset: str) -> Get:
    get, without = scope.path(declared.from_, (*where, "from")), tuple(declared.without)

    def pairs(document: Any) -> str:  # noqa: ANN401
        given = get(document)
        if not isinstance(given, Mapping):
            raise ContractViolation(f"{declared.from_}: an object is expected", at=declared.from_)
        members = {name: value for name, value in given.items() if name not in CONTEXT}
        return canonical_pairs(
            members, without=without, order=declared.order, between=declared.between, glue=declared.glue,
            skip_empty=declared.skip_empty, encode=declared.encode, charset=charset,
        )  # fmt: skip

    return pairs


def _onwards(get: Get, then: Get) -> Get:
    return lambda document: None if empty(value := get(document)) else then(value)


def _template(template: str, scope: Scope, where: Where) -> Get:
    first, *rest = template.split("{")
    parts: list[tuple[Get, str]] = []
    for piece in rest:
        path, end, literal = piece.partition(_TEMPLATE_END)
        if not end:
            scope.wrong(where, "a '{' without its '}'")
        parts.append((scope.path(path, where), literal))

    def get(document: Any) -> str:  # noqa: ANN401
        values = [text_at(path(document), template) for path, _ in parts]
        if values and not any(values):
            return ""
        return first + "".join(value + literal for value, (_, literal) in zip(values, parts, strict=True))

    return get


def _conditional(rule: Rule, get: Get, scope: Scope, where: Where) -> Get:
    for key, conditions, wanted in (("if", rule.if_, True), ("unless", rule.unless, False)):
        if conditions is not None:
            get = _guarded(get, compile_condition(conditions, scope, (*where, key)), wanted=wanted)
    return get


def _guarded(get: Get, test: Get, *, wanted: bool) -> Get:
    return lambda document: get(document) if test(document) is wanted else None


def _listed(rule: Rule, get: Get, scope: Scope, where: Where) -> Get:
    if rule.split is not None:
        get = _split(get, rule.split, place(rule))
    if rule.each is not None:
        get = _each(rule, get, scope, where)
    if rule.sort:
        get = _sorted(get, place(rule))
    return get if rule.join is None else _joined(get, rule.join, place(rule), rule.charset)


def _split(whole: Get, mark: str, at: str) -> Get:
    return lambda document: [part for part in text_at(whole(document), at).split(mark) if part]


def _sorted(many: Get, at: str) -> Get:
    return lambda document: sorted(text_at(item, at) for item in as_list(many(document)))


def _joined(many: Get, glue: str, at: str, charset: str) -> Get:
    def get(document: Any) -> str | bytes:  # noqa: ANN401
        items = [item for item in many(document) or () if not empty(item)]
        if any(type(item) is bytes for item in items):  # a body, or a file: to be digested
            whole = [item if type(item) is bytes else as_bytes(text_at(item, at), charset) for item in items]
            return as_bytes(glue, charset).join(whole)
        return glue.join(text_at(item, at) for item in items)

    return get


def _each(rule: Rule, many: Get, scope: Scope, where: Where) -> Get:
    item_scope = replace(scope, names=item_names(rule.from_, scope))
    item = compile_tree(rule.each, item_scope, (*where, "each"))
    return lambda document: [item(one) for one in as_list(many(document))]


def item_names(path: str | list[str] | None, scope: Scope) -> Names:
    """The names of a list's items, when the path leads into the contract, and several paths to the same kind."""
    paths = [path] if isinstance(path, str) else path or []
    found = [names_at(one, scope.names).get("[]") or ANYTHING for one in paths]
    return found[0] if found and all(one is found[0] for one in found) else ANYTHING
