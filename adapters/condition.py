"""Conditions: values at paths, or one expression. True or false, never an error of the message."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from adapters.path import Get
from adapters.scope import Scope
from adapters.value import as_text, empty
from adapters.yaml_file import Where
from canonical.errors import Unacceptable

Test = str | int | float | bool | None | list[str | int | float | bool | None] | dict[str, str | int | float]
Conditions = dict[str, Test] | str
"""Path to wanted value, values or test; or one expression, as `doc.level in ['1', '2']`."""


def compile_condition(conditions: Conditions, scope: Scope, where: Where, *, fold: bool = False) -> Get:
    """True when every path has one of its values, or when the expression is true. `fold` ignores letter case."""
    if isinstance(conditions, str):
        return _expressed(conditions, scope, where)
    tests = [
        (scope.path(path, (*where, path)), _test(wanted, scope, (*where, path), fold=fold))
        for path, wanted in conditions.items()
    ]
    if len(tests) == 1:
        get, test = tests[0]
        return lambda document: test(get(document))
    return lambda document: all(test(get(document)) for get, test in tests)


def _expressed(source: str, scope: Scope, where: Where) -> Get:
    expression = scope.expression(source, where)

    def holds(document: Any) -> bool:  # noqa: ANN401
        try:
            return expression(document) is True
        except Unacceptable:  # a condition that cannot work on a value does not hold for it
            return False

    return holds


def _test(wanted: Test, scope: Scope, where: Where, *, fold: bool) -> Callable[[Any], bool]:
    if isinstance(wanted, dict):
        [(test, argument)] = wanted.items() if len(wanted) == 1 else [("", "")]
        if test in _TESTS:
            try:
                return _TESTS[test](argument, fold)
            except (re.error, ValueError) as error:
                scope.wrong(where, f"{test}: {error}")
        known = ", ".join(f"{{{name}: ...}}" for name in _TESTS)
        scope.wrong(where, f"a value, a list of values or one of {known} is expected")
    given = wanted if isinstance(wanted, list) else [wanted]
    if "*" in given:
        scope.wrong(
            where,
            "'*' is a text like any other here, not whatever comes; for any value write {present: \"yes\"}, for the"
            ' sign itself {matches: "^[*]$"}',
        )
    values = frozenset(_text(value, fold) for value in given)
    if fold:
        return lambda value: _text(value, fold) in values
    return lambda value: (value if type(value) is str else _text(value, fold)) in values


def _text(value: object, fold: bool) -> str | None:
    if isinstance(value, dict | list):
        return None
    return as_text(value).strip().casefold() if fold else as_text(value)


def _contains(needle: object, fold: bool) -> Callable[[Any], bool]:
    wanted = str(needle).casefold() if fold else str(needle)
    return lambda value: wanted in (_text(value, fold) or "")


def _present(wanted: object, _fold: bool) -> Callable[[Any], bool]:
    return lambda value: empty(value) is (wanted == "no")


def _matches(pattern: object, fold: bool) -> Callable[[Any], bool]:
    expression = re.compile(str(pattern), re.IGNORECASE if fold else 0)
    return lambda value: expression.search((_text(value, False) or "")[:_SEARCHED]) is not None


def _compared(sign: int) -> Callable[[object, bool], Callable[[Any], bool]]:
    def test(bound: object, _fold: bool) -> Callable[[Any], bool]:
        limit = float(str(bound))

        def holds(value: object) -> bool:
            try:
                return (float(as_text(value)) - limit) * sign > 0
            except (TypeError, ValueError):
                return False

        return holds

    return test


_SEARCHED = 20_000
_TESTS: Mapping[str, Callable[[object, bool], Callable[[Any], bool]]] = {
    "contains": _contains,
    "present": _present,
    "matches": _matches,
    "above": _compared(1),
    "below": _compared(-1),
}
