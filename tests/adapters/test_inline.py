"""What a rule does alone, and what its lines do inside the function that is written of many rules, are the same."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.inline import Inline, compiled
from adapters.inlined import Budget, Every, Filled, First, LookUp, Needed, Otherwise, Text, Timed, With
from adapters.path import Bare, Get, path_getter
from adapters.time_pattern import time_pattern
from canonical.errors import ContractViolation, UnmappedCode

NAMES = ["a", "b", "it's", 'say "no"', "line\nbreak", "back\\slash", "{x}", "名", ""]
TIMES = ["2026-05-20 08:01:02", "2026-05-20T08:01:02", "2026-13-41 99:99:99", "2026-W21-3 08:01:02", "20260520", " "]
CODES = {"1": "one", "0": False, "名": None, "": "nothing"}
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, "", 0, False, True, 7, 0.5]), st.text(max_size=2), st.sampled_from([*TIMES, *CODES])
)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.sampled_from(NAMES), below, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip
DOCUMENTS = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), st.fixed_dictionaries({"a": SCALARS, "b": VALUES}), VALUES
)
ZONE = ZoneInfo("Asia/Shanghai")


def rare(given: object) -> object:
    """As a code table's: nothing for nothing, a refusal for what has no row."""
    if given in (None, ""):
        return None
    raise UnmappedCode("no row", at="there")


def timed(get: Get, pattern: str) -> Timed:
    """A time that is refused when it is not written so."""
    made = time_pattern(pattern, ZONE)

    def parse(value: object) -> Any:
        try:
            return made.parse(str(value)) if value else None
        except ValueError:
            raise ContractViolation("not a time", at="there") from None

    return Timed(get, parse, made)


def budget(value: object, unit: object) -> tuple[object, object]:
    """As a limit's: both are needed."""
    if unit is None:
        raise ContractViolation("no unit", at="unit")
    return value, unit


def blank(_value: object) -> str:
    """As an external id's."""
    raise ContractViolation("blank", at="there")


def opaque(document: object) -> object:
    """A getter that says nothing of itself."""
    return document.get("a") if isinstance(document, dict) else document


PARTS = st.sampled_from(["a", "b", "名", "0", "'line\nbreak'"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map(".".join)
BASIC = st.one_of(PATHS.map(path_getter), st.sampled_from([path_getter(name) for name in NAMES[:2]]), st.just(opaque))


def fills(getters: st.SearchStrategy[Get]) -> st.SearchStrategy[Filled]:
    """Several by name, some of them parts."""
    named = st.dictionaries(st.sampled_from(NAMES), getters, max_size=4)
    return st.builds(Filled, named, st.sampled_from([frozenset[str](), frozenset(NAMES)]))


def larger(getters: st.SearchStrategy[Get]) -> st.SearchStrategy[Get]:
    """Rules around rules."""
    return st.one_of(
        st.builds(First, st.lists(getters, min_size=1, max_size=3).map(tuple)),
        st.builds(Otherwise, getters, getters),
        st.builds(LookUp, getters, st.just(CODES), st.just(rare)),
        st.builds(timed, getters, st.sampled_from(["yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd", "epoch_s", "iso"])),
        st.builds(Text, getters, st.sampled_from(NAMES)),
        st.builds(Needed, st.builds(Text, getters, st.just("id")), st.just(blank)),
        st.builds(Budget, getters, getters, st.just(budget)),
        fills(getters),
        st.builds(With, fills(getters), st.lists(st.sampled_from(NAMES), min_size=1, max_size=2).map(tuple)),
        st.builds(Every, getters, fills(getters), st.sampled_from(NAMES)),
    )


RULES = st.recursive(BASIC, larger, max_leaves=8)


def outcome(get: Get, document: object) -> object:
    """What it gives, or how it refuses."""
    try:
        return repr(get(document))
    except (ContractViolation, UnmappedCode) as error:
        return type(error), str(error), error.at


@settings(max_examples=500)
@given(rule=RULES, document=DOCUMENTS)
@example(rule=timed(path_getter("a"), "yyyy-MM-dd HH:mm:ss"), document={"a": "2026-W21-3 08:01:02"})
@example(rule=timed(path_getter("a"), "yyyy-MM-dd HH:mm:ss"), document={"a": "2026-13-41 99:99:99"})
def test_alone_and_among_others_a_rule_gives_the_same(rule: Get, document: object) -> None:
    assert outcome(compiled(rule), document) == outcome(rule, document)


@settings(max_examples=300)
@given(first=RULES, second=RULES, document=DOCUMENTS)
def test_one_rule_does_not_disturb_the_next(first: Get, second: Get, document: object) -> None:
    both = Filled({"first": first, "second": second, "again": first})
    assert outcome(compiled(both), document) == outcome(both, document)


@pytest.mark.parametrize("name", ["x'); import os; ('", "\\", '"""', "{document}", "\n    return 1"])
def test_a_member_s_name_is_a_name_whatever_it_looks_like(name: str) -> None:
    rule = Filled({name: Text(Bare(name), name)})
    assert compiled(rule)({name: "7"}) == {name: "7"}


def test_very_many_alternatives_and_levels_are_no_trouble() -> None:
    rule: Get = First(tuple(path_getter(f"name{number}") for number in range(500)))
    assert compiled(rule)({"name499": "here"}) == "here"
    for _ in range(40):
        rule = Otherwise(path_getter("absent"), Text(rule, "deep"))
    assert compiled(rule)({"name1": "deep"}) == "deep"


def test_whoever_can_say_his_lines_is_known_by_it() -> None:
    assert isinstance(path_getter("a.b"), Inline)
    assert not isinstance(opaque, Inline)
