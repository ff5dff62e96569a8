"""From counts to figures, scores, ranks and grades. What has no base is no figure: neither 0 nor 100 %."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from assessment.rulebook import Grade, Points, Rulebook, Scheme, Weight
from assessment.sheet import Assessed, Figure
from canonical.indicator import Rate

PLACES = 6
"""Decimals that are kept: sums of floats end the same on every machine."""
_FACTOR = {"percent": 100.0, "ratio": 1.0, "hours": 1 / 3600, "days": 1 / 86400}
"""Numerators of hours and days are seconds."""


def figures(counts: Mapping[str, float], columns: Iterable[str], rules: Rulebook) -> dict[str, Figure]:
    """The figures of one who is assessed, by column."""
    return {column: figure(counts, column, rules) for column in columns}


def figure(counts: Mapping[str, float], column: str, rules: Rulebook) -> Figure:
    """One figure: a count, or a rate with what it is made of."""
    rate = rules.rates.get(column)
    if rate is None:
        number = counts.get(column, 0.0)
        return Figure(value=number, numerator=number)
    above, below = (_summed(counts, terms) for terms in (rate.numerator, rate.denominator))
    value = round(above / below * _FACTOR[rate.unit], PLACES) if below > 0 else None
    return Figure(value=value, numerator=above, denominator=below)


def formula(rate: Rate, rules: Rulebook) -> str:
    """In words: `按期处置数 / 应处置数`."""

    def said(terms: Sequence[str]) -> str:
        text = ""
        for term in terms:
            sign = "−" if term.startswith("-") else "+"
            title = rules.counters[term.removeprefix("-")].title
            text += f" {sign} {title}" if text else (f"−{title}" if sign == "−" else title)
        return f"({text})" if len(terms) > 1 else text

    return f"{said(rate.numerator)} / {said(rate.denominator)}"


def _summed(counts: Mapping[str, float], terms: Sequence[str]) -> float:
    return sum(
        -counts.get(term.removeprefix("-"), 0.0) if term.startswith("-") else counts.get(term, 0.0) for term in terms
    )


def scored(counts: Mapping[str, float], scheme: Scheme, rules: Rulebook) -> tuple[float | None, list[str]]:
    """The score, and what it has of bonus and deduction in words. None: no weighed rate has a base."""
    weighed = _weighed(counts, scheme, rules)
    if weighed is None:
        return None, ["无基数，不计分"]
    notes = []
    for sign, points in ((1, scheme.bonuses), (-1, scheme.deductions)):
        for one in points:
            given, said = _points(counts, one, rules)
            if given:
                weighed += sign * given
                notes.append(f"{'加' if sign > 0 else '扣'} {given:g} 分: {said}")
    return round(weighed, PLACES), notes


def _weighed(counts: Mapping[str, float], scheme: Scheme, rules: Rulebook) -> float | None:
    if not scheme.weights:
        return 0.0
    shares = [(one, _share(counts, one, rules)) for one in scheme.weights]
    based = [(one.weight, share) for one, share in shares if share is not None]
    if not based:
        return None
    total, there = sum(one.weight for one in scheme.weights), sum(weight for weight, _ in based)
    sum_ = sum(weight * share for weight, share in based)
    if scheme.no_base == "left_out":
        return sum_ * total / there
    return sum_ + (total - there if scheme.no_base == "full" else 0.0)


def _share(counts: Mapping[str, float], weight: Weight, rules: Rulebook) -> float | None:
    made = figure(counts, weight.rate, rules)
    if made.value is None or not made.denominator:
        return None
    share = made.numerator / made.denominator
    return 1 - share if weight.reverse else share


def _points(counts: Mapping[str, float], one: Points, rules: Rulebook) -> tuple[float, str]:
    number = counts.get(one.counter, 0.0)
    doubled = min(counts.get(one.double, 0.0), number) if one.double else 0.0
    given = one.points * (number + doubled)
    title = one.title or rules.counters[one.counter].title
    said = f"{title} {number:g} 件" + (f"，其中加倍 {doubled:g} 件" if doubled else "")
    if one.cap is not None and given > one.cap:
        return one.cap, f"{said}，以 {one.cap:g} 分为限"
    return round(given, PLACES), said


def ranked(rows: Sequence[Assessed], scheme: Scheme | None, rules: Rulebook) -> list[Assessed]:
    """In the order of the ranking, class by class; equals share a rank 并列, and the next one is as many behind."""
    if scheme is None:
        return sorted(rows, key=lambda one: one.id)
    order = {one.title: place for place, one in enumerate(scheme.classes)}
    groups: dict[str, list[Assessed]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    found: list[Assessed] = []
    for group in sorted(groups, key=lambda title: (order.get(title, len(order)), title)):
        standing = sorted(groups[group], key=lambda one: (_standing(one, scheme, rules), one.id))
        rank = 0
        for place, row in enumerate(standing, start=1):
            value = _standing(row, scheme, rules)
            if place == 1 or value != _standing(standing[place - 2], scheme, rules):
                rank = place
            grade = next((one for one in _graded(scheme) if row.score is not None and row.score >= one.from_), None)
            found.append(
                replace(
                    row,
                    rank=rank if value < (1, 0.0) else None,
                    grade=grade.title if grade else "",
                    colour=grade.colour if grade else "",
                )
            )
    return found


def _graded(scheme: Scheme) -> list[Grade]:
    return sorted(scheme.grades, key=lambda one: -one.from_)


def _standing(row: Assessed, scheme: Scheme, rules: Rulebook) -> tuple[int, float]:
    """Small is good; who cannot be ranked stands behind all others."""
    if not scheme.rank_by:
        return (0, -row.score) if row.score is not None else (1, 0.0)
    value = row.figures[scheme.rank_by].value if scheme.rank_by in row.figures else None
    if value is None:
        return 1, 0.0
    rate = rules.rates.get(scheme.rank_by)
    return 0, value if rate is not None and rate.better == "low" else -value
