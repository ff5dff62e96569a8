"""The one expression language: CEL (Common Expression Language), for what a rule's keys cannot say.

CEL has no side effects, no loops that do not end, and regular expressions in linear time. An expression sees `doc` (the
document, or canonical values when writing) and the hub functions below; nothing else. It is compiled once; unknown
names are findings when the folder is checked. A missing member makes the whole expression empty.
"""

import html
import logging
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.binary import binary, bit, octets
from adapters.cel_library import cel, stdlib
from adapters.time_pattern import time_pattern
from adapters.value import as_text
from canonical.errors import ContractViolation, Unacceptable, UnmappedCode, Why

Functions = Mapping[str, Callable[..., Any]]

# The library warns of every function that fails; our callers get an error of ours instead.
logging.getLogger("cel").setLevel(logging.CRITICAL)

_CORE = frozenset(
    """has all exists exists_one map filter size int uint double string bytes timestamp duration type dyn contains
    startsWith endsWith matches getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes
    getSeconds getMilliseconds optional.of optional.none optional.ofNonZeroValue hasValue value or orValue max min""".split()  # noqa: SIM905, E501
)
_NO_ROW = "no row in codes/"
_BOUND = re.compile(r"\.(?:map|filter|all|exists|exists_one)\(\s*([A-Za-z_]\w*)\s*,")
_LONGEST = {0: 1_000_000, 1: 1000, 2: 100, 3: 20}
"""Items an expression may see in lists, by how deep its walks over lists stand in each other.

The library copies what a walk has gathered at every step: a second walk of 1,000 items inside another takes minutes.
"""
_WALK = re.compile(r"\.(?:map|filter|all|exists|exists_one)\(")
_TEXT = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_TAG = re.compile(r"<[^<>]{0,500}>")
_DEGREES = re.compile(r"^\s*(-?\d{1,3})[°度:\s]\s*(\d{1,2}(?:\.\d+)?)(?:['′分:\s]\s*(\d{1,2}(?:\.\d+)?)?)?[\"″秒]?\s*$")


def text_of(value: object) -> str:
    """A scalar as text; null is empty."""
    return as_text(value)


def number_of(value: object) -> float:
    """A number, sent as number or text: CEL itself never turns one into the other."""
    return float(as_text(value))


def halfwidth(text: str) -> str:
    """Full-width forms as half-width ones: ＡＢ１２（） to AB12()."""
    return unicodedata.normalize("NFKC", text)


def digits(text: str) -> str:
    """Only the digits of a text."""
    return "".join(character for character in text if "0" <= character <= "9")


def plain(text: str) -> str:
    """A text without HTML tags and entities, white space squeezed."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def degrees(text: object) -> float:
    """118°22'34.5", 118 22 34.5 or 118.37 as decimal degrees. Raises ValueError."""
    given = as_text(text)
    found = _DEGREES.match(given)
    if found is None:
        return float(given)
    whole, minutes, seconds = float(found[1]), float(found[2]), float(found[3] or 0)
    size = abs(whole) + minutes / 60 + seconds / 3600
    return -size if given.lstrip().startswith("-") else size


def pair(text: str, index: int) -> float:
    """The first (0) or second (1) number of `118.37,31.33` or `POINT(118.37 31.33)`. Raises ValueError."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", text)
    if len(numbers) < 2:
        raise ValueError("two numbers are expected")
    return float(numbers[index])


def entries(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The members of an object as {name, value}, by name: an object of the language has no order of its own."""
    return [{"name": name, "value": value[name]} for name in sorted(value)]


def flatten(value: list[Any]) -> list[Any]:
    """Lists inside a list as one list."""
    return [item for below in value for item in (below if isinstance(below, list) else [below])]


def hub_functions(zone: ZoneInfo, tables: Mapping[str, Any], ledgers: Mapping[str, Any]) -> Functions:
    """Functions of time, place, codes and text for one system's declarations."""

    def time(text: object, pattern: str) -> datetime:
        local = time_pattern(pattern, zone).parse(as_text(text).strip())
        return local.astimezone(UTC)  # CEL knows instants, not zones with rules

    def written(at: datetime, pattern: str) -> str:
        return time_pattern(pattern, zone).write(at)

    def code(table: str, given: object) -> str:
        row = tables[table].rows.get(as_text(given).strip())
        if row is None:
            raise ValueError(f"{_NO_ROW}{table}.csv")
        return str(row[tables[table].columns[1]])

    def device(ledger: str, key: object, column: str) -> str | None:
        row = ledgers[ledger].rows.get(as_text(key).strip())
        return str(row[column]) if row is not None else None

    return {
        **{name: function for name, function in stdlib.STDLIB_FUNCTIONS.items() if "." not in name},
        "round": lambda value, places=0: round(value, places), "abs": abs,
        "text": text_of, "num": number_of, "halfwidth": halfwidth, "digits": digits, "plain": plain,
        "degrees": degrees, "pair": pair, "binary": binary, "octets": octets, "bit": bit, "entries": entries,
        "flatten": flatten,
        "time": time, "written": written, "code": code, "device": device,
    }  # fmt: skip


class Expression:
    """A compiled expression. Immutable, shared between threads.

    Raises ValueError at construction, with what is wrong and near names.
    """

    def __init__(self, source: str, functions: Functions) -> None:
        try:
            program = cel.compile(source)
        except ValueError as error:
            raise ValueError(_told(error)) from None
        unknown = [name for name in program.functions() if name not in functions and not _core(name)]
        if unknown:
            raise ValueError(f"no function '{unknown[0]}'")
        bound = set(_BOUND.findall(source))
        strange = [name for name in program.variables() if name != "doc" and name not in bound]
        if strange:
            raise ValueError(f"no name '{strange[0]}': an expression sees doc, such as doc.{strange[0]}")
        depth = walks(source)
        if depth not in _LONGEST:
            raise ValueError(f"lists walked {depth} deep in each other; {max(_LONGEST)} is the deepest")
        self.source = source
        self._longest = _LONGEST[depth]
        self._program = program
        self._functions = [(name, _discreet(functions[name])) for name in program.functions() if name in functions]

    def __call__(self, document: object) -> Any:  # noqa: ANN401
        """The value, None when a member is missing. Raises ContractViolation, UnmappedCode, Unacceptable."""
        if type(document) is dict:  # what stands around it may be no text at all, as the body of a frame of bytes
            document = {name: below for name, below in document.items() if name[:1] != "$" or name in self.source}
        scope: Any = {"doc": self._seen(document, [0])}
        try:
            if self._functions:
                scope = cel.Context(variables=scope)
                for name, function in self._functions:
                    scope.add_function(name, function)
            return _in_order(self._program.execute(scope))
        except KeyError:
            return None
        except (RuntimeError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            if _NO_ROW in str(error):  # a function's own error comes wrapped
                raise UnmappedCode(f"a code without a row in a table of {self.source[:80]!r}", at="expr") from None
            text = f"the expression {self.source[:80]!r} cannot work on this value ({type(error).__name__})"
            raise ContractViolation(text, at="expr") from None

    def _seen(self, value: Any, items: list[int]) -> Any:  # noqa: ANN401
        """The value with its times in UTC: CEL takes no time of a zone with rules, and then nothing of the document."""
        if isinstance(value, dict):
            return {name: self._seen(below, items) for name, below in value.items()}
        if isinstance(value, list):
            items[0] += len(value)
            if items[0] > self._longest:
                text = f"lists of more than {self._longest} items are too long for {self.source[:80]!r}"
                raise Unacceptable(text, why=Why.TOO_LARGE, at="expr")
            return [self._seen(below, items) for below in value]
        return value.astimezone(UTC) if isinstance(value, datetime) else value


def _in_order(value: Any) -> Any:  # noqa: ANN401
    """The members of maps by their names: the library gives them in another order every time."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value, key=str)}
    return [_in_order(below) for below in value] if isinstance(value, list) else value


def walks(source: str) -> int:
    """How deep `map`, `filter`, `exists` and the like stand in each other: 0 when there is none."""
    opened, deepest = [], 0
    starts = {found.end() for found in _WALK.finditer(source)}
    for at, character in enumerate(_TEXT.sub(lambda text: " " * len(text[0]), source), 1):
        if character in "([{":
            opened.append(at in starts)
            deepest = max(deepest, sum(opened))
        elif character in ")]}" and opened:
            opened.pop()
    return deepest


def _discreet(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its errors without the value: the library logs them and puts them into its own."""

    def call(*given: Any) -> Any:  # noqa: ANN401
        try:
            return function(*given)
        except Exception as error:  # noqa: BLE001 whatever it is, it goes on as one of two
            text = str(error) if str(error).startswith(_NO_ROW) else type(error).__name__
            raise ValueError(text) from None

    return call


def _core(name: str) -> bool:
    return name in _CORE or not name[:1].isalpha() or name.startswith(("@", "_"))


def _told(error: ValueError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "ERROR" in line]
    return "not an expression: " + (lines[0].partition("ERROR:")[2].strip()[:160] if lines else "cannot be parsed")
