"""Scores as rules: weights, bonus, deduction, doubling, ranks with ties, grades; and no base, which is no figure."""

from pathlib import Path

import pytest

from assessment.indicator_file import load_rulebook
from assessment.rulebook import Class, Points, Rulebook, Scheme, Weight
from assessment.scoring import figure, ranked, scored
from assessment.sheet import Assessed
from assessment.sheets import NOBODY

FOUND = load_rulebook(Path(__file__).parents[2] / "config" / "assessment", [])
assert FOUND is not None
BOOK: Rulebook = FOUND
JINNIU = {
    "need_dispose": 200.0, "dispose": 190.0, "in_time_dispose": 170.0, "overtime_to_dispose": 10.0, "extended": 4.0,
    "need_archive": 180.0, "rework": 9.0,
}  # fmt: skip
WEIGHTS = Scheme(title="金牛区", weights=BOOK.schemes["unit"].weights)


def test_the_formula_of_jinniu_with_its_five_weights() -> None:
    """日常处置率 x 30 + 按期处置率 x 20 + (1 - 返工率) x 20 + (1 - 超期待处置率) x 20 + (1 - 延期率) x 10."""
    by_hand = 30 * 190 / 200 + 20 * 170 / 200 + 20 * (1 - 9 / 180) + 20 * (1 - 10 / 200) + 10 * (1 - 4 / 200)

    score, notes = scored(JINNIU, WEIGHTS, BOOK)
    assert (score, notes) == (round(by_hand, 6), [])
    assert by_hand == pytest.approx(93.3)


def test_a_perfect_unit_has_a_hundred_points() -> None:
    perfect = {"need_dispose": 7.0, "dispose": 7.0, "in_time_dispose": 7.0, "need_archive": 7.0}

    assert scored(perfect, WEIGHTS, BOOK)[0] == 100


def test_a_rate_without_a_base_has_no_value_and_its_weight_goes_as_the_rule_says() -> None:
    half = {"need_dispose": 10.0, "dispose": 5.0, "in_time_dispose": 5.0}
    assert figure(half, "rework_rate", BOOK).value is None
    assert figure({}, "dispose_rate", BOOK).value is None

    got = {
        rule: scored(half, WEIGHTS.model_copy(update={"no_base": rule}), BOOK)[0]
        for rule in ("left_out", "full", "nothing")
    }
    without = 15 + 10 + 20 + 10  # 返工率 of 20 points has no base
    assert got == {"left_out": pytest.approx(without * 100 / 80), "full": without + 20, "nothing": without}
    assert scored({}, WEIGHTS, BOOK) == (None, ["无基数，不计分"])


def test_deductions_double_for_supervised_cases_and_end_at_their_cap() -> None:
    late = Points(counter="overtime_to_dispose", points=0.5, double="supervised_overdue", cap=6, title="超期未处置")
    scheme = Scheme(title="扣分", deductions=(late,), bonuses=(Points(counter="satisfied", points=0.1, cap=1),))

    assert scored({"overtime_to_dispose": 4.0}, scheme, BOOK)[0] == -2
    doubled = scored({"overtime_to_dispose": 4.0, "supervised_overdue": 3.0}, scheme, BOOK)
    assert doubled == (-3.5, ["扣 3.5 分: 超期未处置 4 件，其中加倍 3 件"])
    assert scored({"overtime_to_dispose": 40.0}, scheme, BOOK) == (-6, ["扣 6 分: 超期未处置 40 件，以 6 分为限"])
    assert scored({"satisfied": 4.0}, scheme, BOOK) == (0.4, ["加 0.4 分: 满意数 4 件"])


def _row(name: str, score: float | None, group: str = "") -> Assessed:
    return Assessed(id=name, name=name, figures={}, score=score, group=group)


def test_equals_share_a_rank_the_next_is_as_many_behind_and_who_has_no_score_has_none() -> None:
    scheme = BOOK.schemes["district"]
    rows = [_row("a", 80), _row("b", 95), _row("c", 80), _row("d", None), _row("e", 20)]

    found = {row.id: (row.rank, row.grade, row.colour) for row in ranked(rows, scheme, BOOK)}

    assert found == {
        "b": (1, "优秀", "#2E7D32"), "a": (2, "良好", "#1565C0"), "c": (2, "良好", "#1565C0"),
        "e": (4, "不合格", "#C62828"), "d": (None, "", ""),
    }  # fmt: skip
    assert [row.id for row in ranked(rows, scheme, BOOK)] == ["b", "a", "c", "e", "d"]


def test_units_are_compared_within_their_class_in_the_order_of_the_rules() -> None:
    scheme = Scheme(title="分类", classes=(Class(title="甲"), Class(title="乙")), weights=WEIGHTS.weights)
    rows = [_row("a", 80, "乙"), _row("b", 70, "甲"), _row("c", 90, "乙")]

    assert [(row.id, row.rank) for row in ranked(rows, scheme, BOOK)] == [("b", 1), ("c", 1), ("a", 2)]


def test_a_quantitative_ranking_goes_by_its_column_and_turns_round_where_little_is_good() -> None:
    def row(name: str, above: float, below: float) -> Assessed:
        counts = {"overtime_to_dispose": above, "need_dispose": below}
        return Assessed(
            id=name, name=name, figures={"overtime_to_dispose_rate": figure(counts, "overtime_to_dispose_rate", BOOK)}
        )  # fmt: skip

    rows = [row("a", 3, 10), row("b", 1, 10), row("c", 0, 0)]
    scheme = Scheme(title="定量", rank_by="overtime_to_dispose_rate")

    assert [(one.id, one.rank) for one in ranked(rows, scheme, BOOK)] == [("b", 1), ("a", 2), ("c", None)]


def test_weights_of_the_example_city_sum_to_a_hundred() -> None:
    sums = {by: sum(one.weight for one in scheme.weights) for by, scheme in BOOK.schemes.items() if scheme.weights}
    assert set(sums.values()) == {100}
    assert Weight(rate="x", weight=1).reverse is False
    assert NOBODY == ""
