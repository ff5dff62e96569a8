"""A sheet made of counts: figures, scores, ranks and grades of everybody, and of all together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from assessment.period import Period
from assessment.rulebook import Rulebook, Scheme
from assessment.scoring import figures, formula, ranked, scored
from assessment.sheet import Assessed, Column, Sheet

SUBJECT_TITLES: Mapping[str, str] = MappingProxyType({
    "district": "区县", "street": "街道", "community": "社区", "grid": "单元网格", "unit": "处置部门",
    "system": "行业系统", "source": "来源系统", "class": "类别", "major": "大类", "level": "层级",
    "collector": "采集员", "acceptor": "受理员", "duty_chief": "值班长", "dispatcher": "派遣员", "handler": "处置人",
})  # fmt: skip
NOBODY = ""
ALL = "*"
"""As the counts have them: of whom nobody is known, and all together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Those who are assessed, as far as they are known."""

    names: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    """The level of a unit."""
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """A former name, a unit merged in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands over a sheet."""

    city: str
    period: Period
    by: str
    as_of: datetime
    run: int
    edition: int = 0
    notes: Sequence[str] = ()
    facts_at: datetime | None = None


def sheet(counts: Mapping[str, Mapping[str, float]], rules: Rulebook, people: People, heading: Heading) -> Sheet:
    """The sheet of these counts. Who has nothing of anything does not stand in it."""
    by = heading.by
    columns, scheme = rules.columns(by), rules.schemes.get(by)
    rows = [
        _assessed(subject, of, columns, scheme, rules, people)
        for subject, of in counts.items()
        if subject not in (NOBODY, ALL) and any(of.values())
    ]
    total = Assessed(id=ALL, name="合计", figures=figures(counts.get(ALL, {}), columns, rules))
    title = scheme.title if scheme else f"{SUBJECT_TITLES[by]}统计"
    return Sheet(
        title=f"{heading.city}{heading.period.title}{title}", city=heading.city, period=heading.period.name,
        first=heading.period.first, last=heading.period.last, by=by, as_of=heading.as_of, edition=heading.edition,
        rules=rules.edition, run=heading.run, columns=[column_of(one, rules) for one in columns],
        rows=ranked(rows, scheme, rules), total=total, notes=[*heading.notes, *_notes(counts, by, scheme)],
        facts_at=heading.facts_at,
    )  # fmt: skip


def _assessed(
    subject: str, counts: Mapping[str, float], columns: Sequence[str], scheme: Scheme | None, rules: Rulebook,
    people: People,
) -> Assessed:  # fmt: skip
    score, notes = scored(counts, scheme, rules) if scheme and not scheme.rank_by else (None, [])
    return Assessed(
        id=subject, name=people.names.get(subject, subject), figures=figures(counts, columns, rules), score=score,
        group=_class_of(subject, people.levels.get(subject, ""), scheme),
        notes=[*people.notes.get(subject, ()), *notes],
    )  # fmt: skip


def _class_of(subject: str, level: str, scheme: Scheme | None) -> str:
    """A unit named by a class is of it; else the first class of its level, or of any."""
    classes = scheme.classes if scheme else ()
    named = (one.title for one in classes if subject in one.units)
    fitting = (one.title for one in classes if not one.units and (not one.level or level in one.level))
    return next(named, None) or next(fitting, "")


def column_of(name: str, rules: Rulebook) -> Column:
    """What stands over the figures of a counter or rate."""
    rate = rules.rates.get(name)
    if rate is None:
        counter = rules.counters[name]
        return Column(name, counter.title, "count", formula=_said(counter.title, counter.what))
    return Column(name, rate.title, rate.unit, rate.better, formula(rate, rules), _source(rate.source, rate.note))


def _said(title: str, what: Iterable[str]) -> str:
    return f"{title}: {'、'.join(what)}"


def _source(source: str, note: str) -> str:
    return "；".join(part for part in (source, note) if part)


def _notes(counts: Mapping[str, Mapping[str, float]], by: str, scheme: Scheme | None) -> list[str]:
    notes = []
    if any(counts.get(NOBODY, {}).values()):
        notes.append(f"另有未归属{SUBJECT_TITLES[by]}的数据，只计入合计")
    if scheme and scheme.source:
        notes.append(f"计分依据: {scheme.source}")
    return notes
