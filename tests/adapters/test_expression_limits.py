"""What an expression may cost, and what it never tells, whatever document it is given."""

import logging
import time
from zoneinfo import ZoneInfo

import pytest

from adapters.expression import Expression, hub_functions, walks
from canonical.errors import Unacceptable, UnmappedCode, Why

ZONE = ZoneInfo("Asia/Shanghai")
FUNCTIONS = hub_functions(ZONE, {}, {})


@pytest.mark.parametrize(
    ("source", "deep"),
    [
        ("doc.a + '.map(v, w)'", 0),
        ("doc.t.map(v, v).filter(v, v != '')", 1),
        ("doc.t.all(v, (v > 1)) && doc.u.exists(v, v > 1)", 1),
        ("doc.t.filter(v, v.tags.exists(w, w == 1)).map(z, z)", 2),
        ("doc.t.map(v, ')' + v.map(w, w).join(''))", 2),
        ('doc.t.map(v, "a\\")" + doc.map(a, a.map(b, b)))', 3),
    ],
)
def test_walks_over_lists_are_counted_by_how_deep_they_stand(source: str, deep: int) -> None:
    assert walks(source) == deep


def test_four_walks_inside_each_other_are_a_finding() -> None:
    with pytest.raises(ValueError, match="4 deep"):
        Expression("doc.a.map(a, a.map(b, b.map(c, c.map(d, d))))", FUNCTIONS)


@pytest.mark.parametrize(
    ("source", "items"),
    [
        ("doc.t.exists(v, v == 'z')", 1000),
        ("doc.t.map(v, doc.t.exists(w, w == v)).size() > 0", 100),
        ("doc.t.map(u, doc.t.map(v, doc.t.exists(w, w == v))).size() > 0", 20),
        ("doc.t.size() > 0", 1_000_000),
    ],
)
def test_a_list_is_walked_up_to_a_length_and_refused_beyond(source: str, items: int) -> None:
    walk = Expression(source, FUNCTIONS)

    assert walk({"t": ["w"] * items}) in (True, False)
    begin = time.process_time()
    with pytest.raises(Unacceptable) as refused:
        walk({"t": ["w"] * (items // 2), "u": {"v": [["w"] * (items // 2)]}})

    assert refused.value.why is Why.TOO_LARGE
    assert time.process_time() - begin < 5, "it was walked before it was refused"


def test_a_function_that_fails_tells_no_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(Unacceptable) as raised:
        Expression("num(doc.phone)", FUNCTIONS)({"phone": "13800000000 示例"})

    assert "13800000000" not in caplog.text + str(raised.value) + repr(raised.value.__cause__)


def test_half_a_character_is_a_refusal_and_not_in_the_way_of_others() -> None:
    document = {"t": "井", "$body": "\udc80", "u": {"v": "x"}}

    assert Expression("doc.t + text(doc.u.v)", FUNCTIONS)(document) == "井x"
    for source in ("doc['$body']", "text(doc['$body'])"):
        with pytest.raises(Unacceptable):
            Expression(source, FUNCTIONS)(document)


def test_a_code_without_a_row_is_still_told_from_other_failures() -> None:
    class Table:
        rows: dict[str, dict[str, str]] = {}
        columns = ("local", "canonical")

    with pytest.raises(UnmappedCode):
        Expression("code('kinds', doc.kind)", hub_functions(ZONE, {"kinds": Table}, {}))({"kind": "77"})


def test_the_members_of_a_map_come_in_the_same_order_every_time() -> None:
    made = Expression("doc.rows.map(r, {'status': r, 'event_id': r, 'a': {'z': 1, 'b': 2}})", FUNCTIONS)

    for _ in range(20):
        assert repr(made({"rows": ["x"]})) == repr([{"a": {"b": 2, "z": 1}, "event_id": "x", "status": "x"}])
