"""What is done to a value, step by step, in the order of `STEPS`. Each step is a getter around a getter."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from adapters.charset import known, written
from adapters.code_table import OUTCOMES, QUARANTINE, REST, UNCHANGED
from adapters.explain import near
from adapters.inlined import LookUp, Timed
from adapters.packed import unpacked
from adapters.path import Get, path_getter
from adapters.rule_model import Rule
from adapters.scope import Scope
from adapters.sealing import CipherKeys, Sealer
from adapters.signing import ALGORITHMS, OUTPUTS
from adapters.time_pattern import TimePattern, time_pattern
from adapters.value import as_text, empty, int_at, number_at, text_at
from adapters.yaml_file import Where
from canonical.errors import ContractViolation, Misconfigured, Unauthenticated, UnmappedCode

Convert = Callable[[str], Any] | None
Step = Callable[[Rule, Get, Scope, Where, Convert], Get]

_SEARCHED = 2000
"""Characters a `match` looks at: an expression must not become a burden on a long text."""


class UnknownCode(UnmappedCode):
    """A code without a row. Its text does not say which code; whoever explains a message to its owner asks here."""

    table: str = ""
    code: str = ""


def _without_row(text: str, at: str, rule: Rule, code: str) -> UnknownCode:
    error = UnknownCode(text, at=at)
    error.table, error.code = _table_name(rule), code
    return error


def place(rule: Rule) -> str:
    """How findings and refusals call the value."""
    if rule.from_ is not None:
        return rule.from_ if isinstance(rule.from_, str) else rule.from_[0]
    return rule.text or rule.expr or "the value"


def secret_value(names: str | list[str], scope: Scope, where: Where) -> Callable[[], str]:
    """The first given of some declared secrets. Calling it raises Unauthenticated when none is given."""
    wanted = [names] if isinstance(names, str) else names
    for name in wanted:
        if name not in scope.secrets:
            scope.wrong(where, f"'{name}' is no declared secret" + near(name, scope.secrets))
    value = next((scope.secrets[name] for name in wanted if scope.secrets.get(name)), None)

    def get() -> str:
        if value is None:
            raise Unauthenticated(f"no {' or '.join(wanted)} is given; sign in first")
        return value

    return get


def _matched(rule: Rule, get: Get, scope: Scope, where: Where, _convert: Convert) -> Get:
    if rule.match is None:
        return get
    at = place(rule)
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


def sealer_of(declared: CipherKeys, scope: Scope, where: Where) -> Callable[[Any], tuple[Sealer, Any]]:
    """Document to a cipher with its key and what its `iv` gives. Calling it raises Unauthenticated, Misconfigured."""
    vector = _vector(declared, scope, where)
    named = declared.frame.behind if declared.frame else ""
    behind = secret_value(named, scope, (*where, "frame", "behind")) if named else str
    if isinstance(declared.key, dict):
        made = _made_key(declared.key, scope, (*where, "key"))
        return lambda document: (Sealer(declared, made(document), behind()), vector(document))
    key = secret_value(declared.key, scope, (*where, "key"))
    sealer = cache(lambda: Sealer(declared, key(), behind()))
    return lambda document: (sealer(), vector(document))


def _made_key(node: dict[str, Any], scope: Scope, where: Where) -> Callable[[Any], str]:
    """Document to the key that a rule makes. Calling it raises ContractViolation when there is none."""
    from adapters.rule import compile_rule  # a rule inside a step of a rule

    get, at = compile_rule(node, scope, where), ".".join(map(str, where))

    def key(document: Any) -> str:  # noqa: ANN401
        if not (made := text_at(get(document), at)):
            raise ContractViolation(f"{at}: there is no key to encrypt or decrypt with", at=at)
        return made

    return key


def _vector(declared: CipherKeys, scope: Scope, where: Where) -> Get:
    if isinstance(declared.iv, dict):
        from adapters.rule import compile_rule  # a rule inside a step of a rule

        return compile_rule(declared.iv, scope, (*where, "iv"))
    if not declared.iv:
        return lambda _document: ""
    secret = secret_value(declared.iv, scope, (*where, "iv"))
    return lambda _document: secret()


def _decrypted(rule: Rule, get: Get, scope: Scope, where: Where, _convert: Convert) -> Get:
    at = place(rule)

    def opened(cipher: Sealer, value: object, vector: object) -> bytes:
        return cipher.opened(value if isinstance(value, bytes) else text_at(value, at), vector)

    return _through(rule.decrypt, opened, get, at, scope, (*where, "decrypt"))


def _encrypted(rule: Rule, get: Get, scope: Scope, where: Where, _convert: Convert) -> Get:
    def sealed(cipher: Sealer, value: object, vector: object) -> str:
        return cipher.sealed(as_bytes(value, rule.charset), vector)

    return _through(rule.encrypt, sealed, get, place(rule), scope, (*where, "encrypt"))


def _through(
    declared: CipherKeys | None, work: Callable[[Sealer, Any, Any], Any], get: Get, at: str, scope: Scope, where: Where
) -> Get:  # fmt: skip
    """The value through a cipher, one way or the other; an empty one stays empty."""
    if declared is None:
        return get
    sealer = sealer_of(declared, scope, where)

    def done(document: Any) -> Any:  # noqa: ANN401
        value = get(document)
        if empty(value):
            return None
        try:
            cipher, vector = sealer(document)
            return work(cipher, value, vector)
        except Misconfigured as error:
            raise ContractViolation(f"{at}: {error}", at=at) from None

    return done


def _parsed(rule: Rule, get: Get, scope: Scope, where: Where, _convert: Convert) -> Get:
    if rule.parse is None:
        return get
    at, steps = place(rule), tuple(rule.parse)
    inner = path_getter(rule.pick) if rule.pick else None

    def parse(document: Any) -> Any:  # noqa: ANN401
        value = get(document)
        if empty(value):
            return None
        whole = unpacked(value, steps, at, rule.charset)
        return inner(whole) if inner else whole

    return parse


def _picked(rule: Rule, get: Get, scope: Scope, where: Where, _convert: Convert) -> Get:
    if rule.pick is not None and rule.parse is None:
        scope.wrong((*where, "pick"), "pick goes with parse; a plain path stands in from")
    return get


def _shortened(rule: Rule, get: Get, _scope: Scope, _where: Where, _convert: Convert) -> Get:
    if rule.cut is None:
        return get
    at, longest = place(rule), rule.cut
    return lambda document: text_at(get(document), at)[:longest]


def _in_ledger(rule: Rule, get: Get, scope: Scope, where: Where, convert: Convert) -> Get:
    if rule.ledger is None:
        return get
    name, _, column = rule.ledger.partition(".")
    ledger = scope.ledgers.get(name)
    if ledger is None:
        scope.wrong((*where, "ledger"), f"no ledger '{name}'" + near(name, scope.ledgers))
        return get
    if column not in ledger.columns:
        scope.wrong((*where, "ledger"), f"ledger {name} has no column '{column}'" + near(column, ledger.columns))
        return get
    values, at = ledger.column(column), place(rule)

    def look_up(document: Any) -> Any:  # noqa: ANN401
        key = get(document)
        return None if empty(key) else values.get(text_at(key, at).strip()) or None

    return look_up


def table_values(codes: str | dict[str, Any], scope: Scope, where: Where, convert: Convert) -> dict[str, Any]:
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


def _converted(value: Any, convert: Convert, scope: Scope, where: Where) -> Any:  # noqa: ANN401
    if convert is None or empty(value):
        return value
    if value in OUTCOMES and value != UNCHANGED:
        return value if value == QUARANTINE else None
    try:
        return convert(as_text(value))
    except ValueError as error:
        scope.wrong(where, str(error))
        return None


def _coded(rule: Rule, get: Get, scope: Scope, where: Where, convert: Convert) -> Get:
    if rule.codes is None:
        return get
    values = table_values(rule.codes, scope, (*where, "codes"), convert)
    if rule.keep and convert is not None:
        scope.wrong((*where, "keep"), "the hub has a closed list here; a code without a row cannot stay")
    if REST in values and not scope.writing:
        scope.wrong((*where, "codes"), "'*' would guess; only what is written may have it")
    at = place(rule)
    _total(rule, values, scope, where)
    rest = values.pop(REST, None) if REST in values else _NO_ROW
    special = _OUTCOMES.intersection(value for value in values.values() if isinstance(value, str))

    hits = {code: value for code, value in values.items() if not isinstance(value, str) or value not in special}

    def rare(given: object) -> Any:  # noqa: ANN401
        if empty(given):
            return None
        code = text_at(given, at).strip()
        value = values.get(code, rest)
        if special and isinstance(value, str) and value in special:
            return _special(value, code, at, rule)
        if value is _NO_ROW:
            if rule.keep:
                return code
            raise _without_row(f"{at}: a code without a row in {_table_name(rule)}", at, rule, code)
        return value

    return LookUp(get, hits, rare)


_NO_ROW = object()
_OUTCOMES = frozenset(OUTCOMES)


def _special(outcome: str, code: str, at: str, rule: Rule) -> str | None:
    if outcome == QUARANTINE:
        raise _without_row(f"{at}: a code that {_table_name(rule)} sets aside for a person", at, rule, code)
    return code if outcome == UNCHANGED else None


def _total(rule: Rule, values: dict[str, Any], scope: Scope, where: Where) -> None:
    """Every value the contract lists, or the hub has, needs a row; unless the table has a row for the rest."""
    if rule.keep or not isinstance(rule.from_, str):
        return
    known = scope.values_at(rule.from_)
    missing = [value for value in known if value and value not in values]
    if missing and REST not in values:
        text = f"no row in {_table_name(rule)} for {', '.join(missing[:10])}"
        scope.wrong((*where, "codes"), text + "; write a value, or text only, unchanged or quarantine")


def _table_name(rule: Rule) -> str:
    return f"codes/{rule.codes.partition('.')[0]}.csv" if isinstance(rule.codes, str) else "the declared rows"


def _timed(rule: Rule, get: Get, scope: Scope, where: Where, _convert: Convert) -> Get:
    if rule.time is None:
        return get
    given = [rule.time] if isinstance(rule.time, str) else rule.time
    try:
        zone = ZoneInfo(rule.zone) if rule.zone else scope.zone
        patterns = [time_pattern(pattern, zone) for pattern in given]
    except ZoneInfoNotFoundError:
        scope.wrong((*where, "zone"), f"no time zone '{rule.zone}'; write UTC or Asia/Shanghai")
        return get
    except ValueError as error:
        scope.wrong((*where, "time"), str(error))
        return get
    return _written(get, patterns[0]) if scope.writing else _read(rule, get, patterns, " or ".join(given))


def _written(get: Get, pattern: TimePattern) -> Get:
    def write(document: Any) -> str | None:  # noqa: ANN401
        value = get(document)
        return pattern.write(value) if isinstance(value, datetime) else None

    return write


def _read(rule: Rule, get: Get, patterns: Sequence[TimePattern], told: str) -> Get:
    at, day, first = place(rule), rule.day, patterns[0].parse

    def parse(value: object) -> datetime | None:
        if type(value) is str and value and day is None:
            try:
                return first(value)
            except (ValueError, OverflowError, OSError):
                pass  # another pattern may fit, or white space stands around it
        return slowly(value)

    def slowly(value: object) -> datetime | None:
        if empty(value):
            return None
        if isinstance(value, datetime):
            return value
        text = text_at(value, at).strip()
        for pattern in patterns:
            try:
                return _of_day(pattern.parse(text), day)
            except (ValueError, OverflowError, OSError):
                continue
        raise ContractViolation(f"{at}: a time written {told} is expected", at=at)

    return Timed(get, parse, patterns[0] if day is None else None)


def _of_day(at: datetime, day: str | None) -> datetime:
    """A date alone means the whole day: its last second when it is a deadline."""
    if day is None:
        return at
    start = datetime.combine(at.date(), time(), at.tzinfo)
    return start if day == "start" else start + timedelta(days=1, seconds=-1)


def _typed(rule: Rule, get: Get, _scope: Scope, _where: Where, _convert: Convert) -> Get:
    if rule.as_ is None:
        return get
    at, typed = place(rule), _TYPES[rule.as_]
    return lambda document: None if empty(value := get(document)) else typed(value, at)


def _digested(rule: Rule, get: Get, scope: Scope, where: Where, _convert: Convert) -> Get:
    if rule.digest is None:
        return get
    if rule.digest not in ALGORITHMS:
        scope.wrong((*where, "digest"), f"no digest '{rule.digest}'" + near(rule.digest, ALGORITHMS))
        return get
    if rule.digest.startswith(("hmac-", "rsa-")) is not (rule.key is not None):
        scope.wrong((*where, "digest"), "an hmac or a signature needs key: SECRET, and only these have one")
        return get
    made, shown = ALGORITHMS[rule.digest], OUTPUTS[rule.output]
    key = _key(rule, scope, where)

    def digest(document: Any) -> str | bytes | None:  # noqa: ANN401
        value = get(document)
        return None if value is None else shown(made(as_bytes(value, rule.charset), key(document)))

    return digest


def _in_charset(rule: Rule, get: Get, scope: Scope, where: Where, _convert: Convert) -> Get:
    """No step: whether the charset is one, and there are bytes to be had."""
    if rule.charset and not known(rule.charset):
        scope.wrong((*where, "charset"), f"no charset '{rule.charset}'; write utf-8 or gb18030")
        rule.charset = ""
    if rule.charset and not any(getattr(rule, key) for key in ("digest", "encrypt", "encode", "parse", "pairs")):
        scope.wrong((*where, "charset"), "charset goes with digest, encrypt, encode, parse or pairs")
    return get


def _key(rule: Rule, scope: Scope, where: Where) -> Callable[[Any], bytes]:
    """What a digest is keyed with: a secret, or what a rule derives of one."""
    if isinstance(rule.key, dict):
        from adapters.rule import compile_rule  # a rule inside a step of a rule

        derived = compile_rule(rule.key, scope, (*where, "key"))
        return lambda document: as_bytes(derived(document))
    if rule.key is None:
        return lambda _document: b""
    secret = secret_value(rule.key, scope, (*where, "key"))
    return lambda _document: secret().encode()


def as_bytes(value: object, charset: str = "") -> bytes:
    """What a digest is made over: text in UTF-8 or the charset, an object or list as JSON with sorted keys."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict | list):
        try:
            body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
            return written(body.decode(), charset) if charset else body
        except orjson.JSONEncodeError:  # bytes of an unpacked value, or of a body that is no text
            raise ContractViolation("a value to be digested or encoded cannot be written as JSON") from None
    return written(as_text(value), charset) if charset else as_text(value).encode("utf-8", "surrogateescape")


def _encoded(rule: Rule, get: Get, _scope: Scope, _where: Where, _convert: Convert) -> Get:
    if rule.encode is None:
        return get
    if rule.encode == "json":
        return lambda document: None if empty(value := get(document)) else orjson.dumps(value).decode()
    encode = _ENCODED[rule.encode]
    return lambda document: None if empty(value := get(document)) else encode(as_bytes(value, rule.charset))


_ENCODED: dict[str, Callable[[bytes], Any]] = {
    "base64": OUTPUTS["base64"],
    "hex": OUTPUTS["hex"],
    "base64url": lambda data: OUTPUTS["base64url"](data).rstrip("="),
    "url": lambda data: quote(data, safe=""),
    "path": lambda data: quote(data, safe="/"),
}
_TYPES: dict[str, Callable[[object, str], Any]] = {"int": int_at, "number": number_at, "text": text_at}

LISTED: Step | None = None
"""Where the steps about lists stand, which need rules inside rules."""
STEPS: list[Step | None] = [
    _in_charset, _matched, _decrypted, _parsed, _picked, LISTED, _shortened, _in_ledger, _coded, _timed, _typed,
    _digested, _encrypted, _encoded,
]  # fmt: skip
