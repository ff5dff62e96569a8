"""The daily and weekly briefing 日报、周报: what happened, against the day or week before, in numbers and in sentences.

Numbers, units and systems only: nothing that people wrote, and no person.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Self

from assessment.period import Period, Span
from canonical.time import in_shanghai

NEAR = timedelta(hours=24)
"""Due within this time is due soon 即将到期."""
COLOURS = {"red": "红牌", "yellow": "黄牌", "ordinary": "普通"}
_WORST = 5


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted of a period. What is `open` and its parts are as at its end."""

    reported: int = 0
    filed: int = 0
    refused: int = 0
    dispatched: int = 0
    disposed: int = 0
    on_time: int = 0
    late: int = 0
    exempt: int = 0
    """Late, and not counted against the unit."""
    closed: int = 0
    returned: int = 0
    reworked: int = 0
    open: int = 0
    overdue: int = 0
    """Open past its due time."""
    near_due: int = 0
    suspended: int = 0

    def __add__(self, other: Self) -> "Tally":
        return Tally(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Tally)))

    @property
    def rate(self) -> float | None:
        """按期处置率 in percent, of what counts; None: nothing does."""
        base = self.on_time + self.late
        return 100 * self.on_time / base if base else None

    @property
    def behind(self) -> int:
        """Late, whether done by now or not."""
        return self.late + self.overdue

    @property
    def empty(self) -> bool:
        """True when there was nothing at all."""
        return self == Tally()


TALLY_TITLES = {
    "reported": "上报", "filed": "立案", "refused": "不予立案", "dispatched": "派遣", "disposed": "处置",
    "on_time": "按期处置", "late": "超期处置", "exempt": "超期剔除", "closed": "结案", "returned": "退件",
    "reworked": "返工", "open": "在办", "overdue": "超期未办", "near_due": "即将到期", "suspended": "缓办",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """A tally of one combination, as a store counts them; empty text: not known, or the centre's desk."""

    unit: str
    system: str
    source: str
    district: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Group:
    """The tally of one unit, system or district, and that of the period before."""

    id: str
    name: str
    tally: Tally
    before: Tally = Tally()


@dataclass(frozen=True, slots=True)
class Watched:
    """A case that leaders watch: supervised 督办, or late in joint handling 联动. Its number, and no words of it."""

    case_no: str
    unit: str
    """The unit's name."""
    what: str
    """红牌 and so on, or the clock that ran out: 报到, 联动处置."""
    due_at: datetime | None = None
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the trend."""

    day: date
    reported: int = 0
    disposed: int = 0
    closed: int = 0


@dataclass(frozen=True, slots=True)
class Briefing:
    """All a briefing says."""

    city: str
    period: str
    title: str
    first: datetime
    last: datetime
    """The end, not in it; of a period that still runs, when it was counted."""
    span: Span
    running: bool
    """It was counted before its end; what it is compared with was counted as long."""
    as_of: datetime
    """Until when the facts tell what happened."""
    run: int
    total: Tally
    before: Tally
    sources: Sequence[Group]
    systems: Sequence[Group]
    districts: Sequence[Group]
    units: Sequence[Group]
    trend: Sequence[Day]
    supervised: Sequence[Watched] = ()
    joint_late: Sequence[Watched] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """What units, systems and districts are called."""

    units: Mapping[str, str]
    systems: Mapping[str, str]
    districts: Mapping[str, str]


def grouped(
    now: Iterable[Counted], before: Iterable[Counted], of: Callable[[Counted], str], names: Mapping[str, str], none: str
) -> Sequence[Group]:
    """Tallies by a dimension, the busiest first. `none`: the name of what has none."""
    sums = [_sums(now, of), _sums(before, of)]
    found = [
        Group(id_, names.get(id_, id_) or none, sums[0].get(id_, Tally()), sums[1].get(id_, Tally()))
        for id_ in sums[0] | sums[1]
    ]
    return sorted((one for one in found if not one.tally.empty), key=lambda one: (-_moved(one.tally), one.id))


def summed(counted: Iterable[Counted]) -> Tally:
    """All of them together."""
    return sum((one.tally for one in counted), Tally())


def worst(units: Iterable[Group], most: int = _WORST) -> Sequence[Group]:
    """The units that are behind most: late or overdue, then by their rate."""
    behind = [one for one in units if one.tally.behind]
    return sorted(behind, key=lambda one: (-one.tally.behind, one.tally.rate or 0.0, one.id))[:most]


def sentences(briefing: Briefing) -> Sequence[str]:
    """The briefing in words."""
    return tuple(_sentences(briefing))


def compared(period: Period, now: datetime) -> tuple[datetime, Period, datetime]:
    """Until when a period is counted, the one before, and until when that is: as long, where the period still runs."""
    until, before = min(period.last, in_shanghai(now)), period.before()
    return until, before, min(before.last, before.first + (until - period.first))


def _sums(counted: Iterable[Counted], of: Callable[[Counted], str]) -> dict[str, Tally]:
    sums: dict[str, Tally] = {}
    for one in counted:
        sums[of(one)] = sums.get(of(one), Tally()) + one.tally
    return sums


def _moved(tally: Tally) -> int:
    return tally.reported + tally.dispatched + tally.disposed + tally.open


def _sentences(one: Briefing) -> Iterator[str]:
    now, before = one.total, one.before
    last = ("前一日" if one.span is Span.DAY else "上一周") + ("同期" if one.running else "")
    yield (
        f"{_when(one)}，{one.city}共上报案件 {now.reported:,} 件，{_change(now.reported, before.reported, last)}；"
        f"立案 {now.filed:,} 件，不予立案 {now.refused:,} 件。"
    )
    yield (
        f"派遣 {now.dispatched:,} 件，处置 {now.disposed:,} 件（{_change(now.disposed, before.disposed, last)}），"
        f"其中按期 {now.on_time:,} 件、超期 {now.late:,} 件{_exempt(now)}，{_rate(now, before, last)}；"
        f"结案 {now.closed:,} 件。"
    )
    yield (
        f"截至{_moment(one.last)}，在办 {now.open:,} 件，"
        f"其中超期未办 {now.overdue:,} 件（{last} {before.overdue:,} 件），"
        f"24 小时内到期 {now.near_due:,} 件，缓办 {now.suspended:,} 件。"
    )
    returned = f"退件 {now.returned:,} 件（{last} {before.returned:,} 件）"
    yield f"{returned}，返工 {now.reworked:,} 件（{last} {before.reworked:,} 件）。"
    yield from _listed(
        "按来源系统", one.sources, lambda group: f"{group.name}上报 {group.tally.reported:,} 件", "reported"
    )
    yield from _listed("按承办系统", one.systems, _worked, "dispatched", "disposed")
    yield from _listed("按区县", one.districts, _of_district, "reported", "disposed")
    yield from _behind(one)
    yield _supervised(one.supervised)
    yield _joint(one.joint_late)


def _when(one: Briefing) -> str:
    begin, end = in_shanghai(one.first), in_shanghai(one.last) - timedelta(microseconds=1)
    if one.span is Span.DAY:
        return f"{begin.month}月{begin.day}日"
    return f"{begin.month}月{begin.day}日至{end.month}月{end.day}日"


def _moment(at: datetime) -> str:
    local = in_shanghai(at)
    if (local.hour, local.minute) == (0, 0):
        day = local - timedelta(days=1)
        return f"{day.month}月{day.day}日24时"
    return f"{local.month}月{local.day}日{local:%H:%M}"


def _change(now: int, before: int, last: str) -> str:
    if now == before:
        return f"与{last}持平"
    word = "增加" if now > before else "减少"
    if not before:
        return f"{last}为 0 件"
    return f"较{last}{word} {abs(now - before):,} 件、{abs(now - before) / before:.1%}"


def _exempt(now: Tally) -> str:
    return f"（另有 {now.exempt:,} 件经申诉剔除）" if now.exempt else ""


def _rate(now: Tally, before: Tally, last: str) -> str:
    if now.rate is None:
        return "按期处置率无基数"
    text = f"按期处置率 {now.rate:.2f}%"
    if before.rate is None:
        return f"{text}（{last}无基数）"
    points = round(now.rate, 2) - round(before.rate, 2)
    if abs(points) < 0.005:
        return f"{text}，与{last}持平"
    return f"{text}，较{last}{'提高' if points > 0 else '下降'} {abs(points):.2f} 个百分点"


def _listed(title: str, groups: Sequence[Group], said: Callable[[Group], str], *counts: str) -> Iterator[str]:
    """A sentence about the groups for which one of these counts is not 0."""
    shown = [said(group) for group in groups if any(getattr(group.tally, count) for count in counts)]
    if shown:
        more = f"等 {len(shown)} 个" if len(shown) > 8 else ""
        yield f"{title}：{'、'.join(shown[:8])}{more}。"


def _brought(group: Group) -> str:
    return f"{group.name}上报 {group.tally.reported:,} 件"


def _worked(group: Group) -> str:
    return f"{group.name}派遣 {group.tally.dispatched:,} 件、处置 {group.tally.disposed:,} 件（{_own_rate(group)}）"


def _of_district(group: Group) -> str:
    return f"{group.name}上报 {group.tally.reported:,} 件、处置 {group.tally.disposed:,} 件（{_own_rate(group)}）"


def _own_rate(group: Group) -> str:
    return "按期率无基数" if group.tally.rate is None else f"按期率 {group.tally.rate:.2f}%"


def _behind(one: Briefing) -> Iterator[str]:
    found = worst(one.units)
    if not found:
        yield "没有单位超期。"
        return
    named = "、".join(
        f"{group.name} {group.tally.behind:,} 件（超期处置 {group.tally.late:,}、超期未办 {group.tally.overdue:,}）"
        for group in found
    )
    yield f"超期较多的单位：{named}。"


def _supervised(cases: Sequence[Watched]) -> str:
    if not cases:
        return "没有在办的督办案件。"
    counts = [(title, sum(case.what == title for case in cases)) for title in COLOURS.values()]
    kinds = "、".join(f"{title} {count} 件" for title, count in counts if count)
    late = sum(case.overdue for case in cases)
    return f"在办督办案件 {len(cases)} 件，其中{kinds}；已超期 {late} 件。"


def _joint(late: Sequence[Watched]) -> str:
    if not late:
        return "联动处置没有单位超时。"
    units = "、".join(dict.fromkeys(one.unit for one in late))
    return f"联动处置超时 {len(late)} 件次，涉及{units}。"
