"""Filters as CQL2 text (OGC 21-065), read into pygeofilter's tree.

pygeofilter's own reader takes AND and OR as equally strong, so that `a OR b AND c` means something else, and refuses
quotes in texts, functions of time and what stands in brackets after NOT.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import shapely
from pygeofilter import ast, values

from maps.crs import Crs
from maps.filtering.cql2 import (
    COMPARISONS,
    SPATIAL,
    TEMPORAL,
    CaseInsensitive,
    alike,
    balanced,
    box,
    either_case,
    placed,
    timed,
)
from maps.filtering.problem import BadFilter
from maps.limits import Limits

_TOKENS = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<text>'(?:[^']|'')*')"
    r'|"(?P<quoted>(?:[^"]|"")+)"|(?P<word>[^\W\d][\w.:]*)|(?P<sign><>|<=|>=|!=|[=<>(),+\-*/]))'
)
_GEOMETRIES = frozenset({
    "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION",
})  # fmt: skip
_KEYWORDS = frozenset({"AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL"})
_SHOWN = 40
_LONGEST_WHOLE = 15
_DEEPEST_SHAPE = 8
"""GEOS reads shapes within shapes by recursion."""


class _Token(NamedTuple):
    kind: str
    text: str
    at: int
    """Where it begins in the filter."""


def read(text: str, crs: Crs, limits: Limits) -> Any:  # noqa: ANN401 pygeofilter's nodes
    """The tree. `crs`: of its shapes. Raises BadFilter."""
    if len(text) > limits.body:
        raise BadFilter(f"longer than {limits.body} letters")
    reader = _Reader(text, _tokens(text, limits), crs, limits)
    tree = reader.any_of()
    reader.end()
    return tree


def _tokens(text: str, limits: Limits) -> list[_Token]:
    made, at, rest = [], 0, text.rstrip()
    while at < len(rest):
        match = _TOKENS.match(rest, at)
        if match is None:
            raise BadFilter(f"cannot be read from '{rest[at : at + _SHOWN].strip()}' on")
        kind = str(match.lastgroup)
        made.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    if len(made) > _TOKENS_A_TERM * limits.terms + _TOKENS_A_POINT * limits.points:
        raise BadFilter(f"more than {limits.terms} conditions and values")
    return made


_TOKENS_A_TERM, _TOKENS_A_POINT = 4, 3


@dataclass(slots=True)
class _Reader:
    """Recursive descent; each level of brackets is counted."""

    text: str
    tokens: list[_Token]
    crs: Crs
    limits: Limits
    at: int = 0
    depth: int = 0
    terms: int = 0

    # --- tokens ---

    def word(self) -> str:
        """The next token where it is a word, in capitals; else nothing."""
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "word":
            return self.tokens[self.at].text.upper()
        return ""

    def sign(self) -> str:
        """The next token where it is a sign."""
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "sign":
            return self.tokens[self.at].text
        return ""

    def took(self, *words: str) -> bool:
        """True when the next tokens were these words or signs; they are passed."""
        for ahead, word in enumerate(words):
            token = self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else None
            if token is None or token.kind not in ("word", "sign") or token.text.upper() != word:
                return False
        self.at += len(words)
        return True

    def need(self, word: str) -> None:
        """Passes what must stand here. Raises BadFilter."""
        if not self.took(word):
            raise BadFilter(f"{word} is expected {self.here()}")

    def here(self) -> str:
        """Where the reader stands, for people."""
        if self.at >= len(self.tokens):
            return "at the end"
        return f"before '{self.text[self.tokens[self.at].at :][:_SHOWN]}'"

    def end(self) -> None:
        """Raises BadFilter where something is left."""
        if self.at < len(self.tokens):
            raise BadFilter(f"AND, OR or the end is expected {self.here()}")

    # --- logic: OR is weaker than AND, AND than NOT ---

    def any_of(self) -> Any:  # noqa: ANN401
        """Conditions between OR."""
        parts = [self.all_of()]
        while self.took("OR"):
            parts.append(self.all_of())
        return balanced(parts, ast.Or)

    def all_of(self) -> Any:  # noqa: ANN401
        """Conditions between AND."""
        parts = [self.factor()]
        while self.took("AND"):
            parts.append(self.factor())
        return balanced(parts, ast.And)

    def factor(self) -> Any:  # noqa: ANN401
        """One condition, or its opposite."""
        turned = False
        while self.took("NOT"):
            turned = not turned
        made = self.inside() if self._is_bracketed() else self.predicate()
        return ast.Not(made) if turned else made

    def _is_bracketed(self) -> bool:
        return self.sign() == "("

    def inside(self) -> Any:  # noqa: ANN401
        """What stands in brackets."""
        self.depth += 1
        if self.depth > self.limits.depth:
            raise BadFilter(f"conditions lie more than {self.limits.depth} deep")
        self.need("(")
        made = self.any_of()
        self.need(")")
        self.depth -= 1
        return made

    # --- conditions ---

    def predicate(self) -> Any:  # noqa: ANN401
        """A comparison, or a function that says yes or no."""
        self.terms += 1
        if self.terms > self.limits.terms:
            raise BadFilter(f"more than {self.limits.terms} conditions")
        word = self.word()
        if word in SPATIAL or word in TEMPORAL:
            return self._related(word)
        if word in ("TRUE", "FALSE") and not self._compares(ahead=1):
            self.at += 1
            return ast.Include(word == "FALSE")
        return self._compared(self.value())

    def _compares(self, ahead: int) -> bool:
        token = self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else None
        return token is not None and token.text in COMPARISONS

    def _related(self, word: str) -> Any:  # noqa: ANN401
        self.at += 1
        self.need("(")
        left = self.value()
        self.need(",")
        right = self.value()
        self.need(")")
        if word in TEMPORAL:
            return timed(word, left, right)
        return SPATIAL[word](left, right)

    def _compared(self, left: Any) -> Any:  # noqa: ANN401
        sign = self.sign()
        if sign in COMPARISONS:
            self.at += 1
            return alike(COMPARISONS[sign], left, self.value())
        if self.took("IS", "NULL"):
            return ast.IsNull(left, False)
        if self.took("IS", "NOT", "NULL"):
            return ast.IsNull(left, True)
        turned = self.took("NOT")
        made = self._ranged(left)
        return ast.Not(made) if turned else made

    def _ranged(self, left: Any) -> Any:  # noqa: ANN401
        if self.took("LIKE"):
            return either_case(left, self.value())
        if self.took("BETWEEN"):
            low = self.value()
            self.need("AND")
            return ast.Between(left, low, self.value(), False)
        if self.took("IN"):
            return _among(left, self._list())
        raise BadFilter(f"a comparison is expected {self.here()}")

    def _list(self) -> list[Any]:
        self.need("(")
        made = [self.value()]
        while self.took(","):
            made.append(self.value())
        self.need(")")
        self.terms += len(made)
        if self.terms > self.limits.terms:
            raise BadFilter(f"more than {self.limits.terms} values")
        return made

    # --- values ---

    def value(self) -> Any:  # noqa: ANN401
        """A property, a literal, a time or a shape."""
        if self.at >= len(self.tokens):
            raise BadFilter("a value is expected at the end")
        kind, text, _ = self.tokens[self.at]
        if kind == "word":
            return self._named(text)
        if kind == "sign":
            raise BadFilter(f"a value is expected {self.here()}")
        self.at += 1
        if kind == "number":
            return float(text) if set(text) & set(".eE") or len(text) > _LONGEST_WHOLE else int(text)
        if kind == "text":
            return text[1:-1].replace("''", "'")
        return ast.Attribute(text.replace('""', '"'))

    def _named(self, text: str) -> Any:  # noqa: ANN401
        word = text.upper()
        called = self.at + 1 < len(self.tokens) and self.tokens[self.at + 1].text == "("
        if called and word in _FUNCTIONS:
            self.at += 1
            return _FUNCTIONS[word](self)
        if word in _GEOMETRIES:
            return self._shape()
        if called:
            raise BadFilter(f"function {text[:_SHOWN]} is not supported")
        if word in _KEYWORDS:
            raise BadFilter(f"a value is expected {self.here()}")
        self.at += 1
        return {"TRUE": True, "FALSE": False}[word] if word in ("TRUE", "FALSE") else ast.Attribute(text)

    def case_insensitive(self) -> CaseInsensitive:
        """CASEI(...)."""
        self.need("(")
        inner = self.value()
        self.need(")")
        return CaseInsensitive(inner)

    def moment(self) -> str:
        """TIMESTAMP(...) and DATE(...): the text inside."""
        self.need("(")
        made = self._quoted()
        self.need(")")
        return made

    def interval(self) -> values.Interval:
        """INTERVAL(from, to), with `..` for an open end."""
        self.need("(")
        begin = self._quoted()
        self.need(",")
        end = self._quoted()
        self.need(")")
        return values.Interval(None if begin == ".." else begin, None if end == ".." else end)

    def _quoted(self) -> str:
        made = self.value()
        if not isinstance(made, str):
            raise BadFilter(f"a time in quotes is expected {self.here()}")
        return made

    def bounds(self) -> shapely.Geometry:
        """BBOX(...) as a shape."""
        figures = self._list()
        return box(figures, self.crs)

    def _shape(self) -> shapely.Geometry:
        """Well-known text, as far as its brackets go."""
        begin, level = self.tokens[self.at].at, 0
        self.at += 1
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            level += (token.text == "(") - (token.text == ")")
            self.at += 1
            if level > _DEEPEST_SHAPE:
                break
            if level == 0 and token.text == ")":
                return self._placed(self.text[begin : token.at + 1])
        raise BadFilter("a shape has no end, or too many brackets")

    def _placed(self, text: str) -> shapely.Geometry:
        return placed(lambda: shapely.from_wkt(text), self.crs, self.limits)


_FUNCTIONS: dict[str, Callable[[_Reader], Any]] = {
    "CASEI": _Reader.case_insensitive, "TIMESTAMP": _Reader.moment, "DATE": _Reader.moment,
    "INTERVAL": _Reader.interval, "BBOX": _Reader.bounds,
}  # fmt: skip


def _among(left: Any, options: list[Any]) -> Any:  # noqa: ANN401
    if isinstance(left, CaseInsensitive):
        return balanced([alike(ast.Equal, left, one) for one in options], ast.Or)
    return ast.In(left, options, False)
