"""Live figures of a scope: what stands open, is late, came in and ended, summed up by whom and by what.

Read from the tallies, and what falls due around now by the index of due times: right to the second. All of one moment.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

from sqlalchemy import TextClause, text

from canonical.lifecycle import ENDED
from canonical.rights import Scope
from canonical.time import in_shanghai
from storage.scoping import tallied, values
from storage.spans import EARLIER, first_id
from storage.stages import OPEN_STAGES
from storage.store import Store
from storage.tables.tally import AS_COUNTED, COUNTED, OPENED
from storage.tallies import BY_NAME, Cube, month_of

SOON = timedelta(hours=4)
_FINEST = len("340202016")
"""Digits of a street: what a scope says beyond, the tallies cannot tell."""


class By(StrEnum):
    """What figures are summed up by."""

    DISTRICT = "district"
    STREET = "street"
    UNIT = "unit"
    SYSTEM = "system"
    SOURCE = "source"
    CLASS = "class"
    STAGE = "stage"
    LEVEL = "level"
    CHANNEL = "channel"
    HOUR = "hour"
    HOW = "how"


@dataclass(slots=True)
class Group:
    """Numbers of cases: of one district, unit, stage and so on, or of all. Days are those of Asia/Shanghai."""

    open: int = 0
    suspended: int = 0
    overdue: int = 0
    overdue_provisional: int = 0
    """Of those overdue: by a limit that counts on holidays not published yet."""
    due_soon: int = 0
    """Due within SOON."""
    taken: int = 0
    """Received today."""
    taken_before: int = 0
    """Received yesterday, the whole day."""
    ended_today: int = 0
    """Closed today. Some had no limit: they are neither on time nor late."""
    on_time_today: int = 0
    late_today: int = 0
    ended: int = 0
    """Closed this month."""
    on_time: int = 0
    late: int = 0


@dataclass(slots=True)
class Numbers:
    """Everything of one moment."""

    at: datetime
    total: Group = field(default_factory=Group)
    groups: Mapping[By, dict[str, Group]] = field(default_factory=lambda: {by: defaultdict(Group) for by in By})
    """What has no street, unit, class and so on is under the empty key."""

    def of(self, by: By, key: str) -> Group:
        """The figures under a key; zeros where there are none."""
        return self.groups[by].get(key) or Group()


async def numbers(store: Store, scope: Scope, now: datetime, *, directly: bool = False) -> Numbers:
    """All figures of a scope. Raises DatabaseAway.

    `directly`: by counting cases, however long that takes, as is done for scopes finer than a street. In scopes by
    class, stages and loops are counted so.
    """
    directly = directly or any(len(area) > _FINEST for area in scope.areas)
    limits, given = _limits(scope), _moments(now) | values(scope)
    told = Numbers(now)
    async with store.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        await connection.execute(_PLANNED, {"scanning": "on" if directly else "off"})
        for number, look in enumerate(_LOOKS):
            rows = (await connection.execute(_statement(number, limits, directly=directly), given)).mappings()
            found = [(look.by(row["which"]), row) for row in rows]
            for by, row in found:
                for name in look.sums:
                    setattr(told.groups[by][row["key"]], name, row[name])
            for name in look.sums:  # every case has a key, if an empty one, in each dimension
                setattr(told.total, name, sum(row[name] for by, row in found if by is look.dimensions[0]))
    return told


# Compiling takes longer than the query; and the planner takes a cube for larger a part of its table than it is.
_PLANNED = text("SELECT set_config('jit', 'off', true), set_config('enable_seqscan', :scanning, true)")


def _limits(scope: Scope) -> Scope:
    """A scope that is alike for all that are limited by the same kinds: they share their statements."""
    areas, classes, systems, units = (
        ("",) if limit else () for limit in (scope.areas, scope.classes, scope.systems, scope.units)
    )
    return Scope("", areas=areas, classes=classes, systems=systems, units=units)


def _moments(now: datetime) -> dict[str, object]:
    hour = in_shanghai(now).replace(minute=0, second=0, microsecond=0)
    today = hour.replace(hour=0)
    yesterday = today - timedelta(days=1)
    return {
        "now": now, "soon": now + SOON, "hour": hour, "today": today, "yesterday": yesterday, "month": month_of(now),
        "first": first_id(yesterday - EARLIER),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Look:
    """One reading: of a cube, or of the cases that it counts."""

    cube: Cube
    when: str
    """Which buckets; SQL on the row `r`."""
    near: str
    """The same of the row `c` of cases, so that an index finds them."""
    dimensions: Sequence[By]
    sums: Mapping[str, str]
    """Fields of Group, and which rows each adds up."""
    by_class: Cube | None = None
    """The cube to read in scopes by class, which `cube` cannot tell; None: cases are counted."""
    beside: str = ""
    """Rows that are no tallies."""

    def by(self, which: int) -> By:
        """What the row of an answer is summed up by. `which`: GROUPING of all dimensions, a bit is 0 for that one."""
        count = len(self.dimensions)
        return self.dimensions[count - (which ^ ((1 << count) - 1)).bit_length()]


_IN_SHANGHAI = "r.at AT TIME ZONE 'Asia/Shanghai'"
_KEY = {
    By.DISTRICT: "CASE WHEN length(r.street) >= 6 THEN left(r.street, 6) ELSE '' END",
    By.STREET: "CASE WHEN length(r.street) >= 9 THEN left(r.street, 9) ELSE '' END",
    By.SYSTEM: "r.owner", By.CLASS: "r.class_code",
    By.HOUR: f"CAST(CAST(date_part('hour', {_IN_SHANGHAI}) AS int) AS text)",
}  # fmt: skip
_WHO = (By.DISTRICT, By.STREET, By.UNIT, By.SYSTEM, By.SOURCE)
_ALL = "true"
_OUTCOMES = {"on_time": "r.outcome = 'on_time'", "late": "r.outcome = 'late'"}
_ENDED = ", ".join(f"'{stage}'" for stage in sorted(ENDED))
# By what ended, so that the index of due times is read and not, beside it, that of all stages.
_UNDISPOSED = f"c.due_at IS NOT NULL AND c.disposed_at IS NULL AND c.stage NOT IN ({_ENDED})"
_PROVISIONAL = "c.due_at < :now AND coalesce(c.state -> 'due' ->> 'provisional' = 'true', false)"
_OF_CASE = AS_COUNTED | {"street": "coalesce(c.area, '')"}
"""As it counts, with the whole area in place of the street."""
_AROUND_NOW = ", ".join(
    f"{_PROVISIONAL if key == 'provisional' else _OF_CASE[key]} AS {key}" for key in BY_NAME["due"].keys
)
# By index, and without opening the states of all that is due soon.
_DUE_NOW = f"""
SELECT c.due_at AS at, {_AROUND_NOW}, 1 AS n
  FROM cases c WHERE c.due_at >= :hour AND c.due_at <= :soon AND {_UNDISPOSED}"""  # noqa: S608 words of our own

_LOOKS = (
    _Look(
        BY_NAME["open"], _ALL, f"c.stage IN ({OPEN_STAGES})", (By.STAGE, By.LEVEL, *_WHO),
        {"open": _ALL, "suspended": "r.stage = 'suspended'"},
    ),
    _Look(BY_NAME["open_class"], _ALL, f"c.stage IN ({OPEN_STAGES})", (By.CLASS,), {"open": _ALL},
          by_class=BY_NAME["open_class"]),
    _Look(
        BY_NAME["due"], "r.at < :hour", f"c.due_at < :hour AND {_UNDISPOSED}", (By.CLASS, *_WHO),
        {"overdue": "r.at < :now", "overdue_provisional": "r.at < :now AND r.provisional", "due_soon": "r.at >= :now"},
        by_class=BY_NAME["due"], beside=_DUE_NOW,
    ),
    _Look(
        BY_NAME["taken"], "r.at >= :yesterday", "c.id >= :first AND c.received_at >= :yesterday",
        (By.CHANNEL, By.HOUR, By.CLASS, *_WHO),
        {"taken": "r.at >= :today", "taken_before": "r.at < :today"}, by_class=BY_NAME["taken"],
    ),
    _Look(
        BY_NAME["ended"], "r.at >= :today", "c.closed_at >= :today", (By.HOW,),
        {"ended_today": _ALL, "on_time_today": _OUTCOMES["on_time"], "late_today": _OUTCOMES["late"]},
        by_class=BY_NAME["ended"],
    ),
    _Look(BY_NAME["ended_month"], "r.at >= :month", "c.closed_at >= :month", _WHO, {"ended": _ALL, **_OUTCOMES},
          by_class=BY_NAME["ended_class"]),
    _Look(BY_NAME["ended_class"], "r.at >= :month", "c.closed_at >= :month", (By.CLASS,), {"ended": _ALL, **_OUTCOMES},
          by_class=BY_NAME["ended_class"]),
)  # fmt: skip


@cache
def _statement(number: int, limits: Scope, *, directly: bool) -> TextClause:
    """The statement of a look: one row for each key of each dimension.

    By whom, it is summed up together first and then for each: of most cubes that is a tenth of the work.
    """
    look, seen = _LOOKS[number], tallied(limits, "r")
    cube = look.by_class if limits.classes else look.cube
    rows = _counting(look) if directly or cube is None else _summing(cube)
    keys = {f"by_{by}": _KEY.get(by, f"r.{by}") for by in look.dimensions}
    columns = f"at, {_columns(look.cube)}, n, {', '.join(f'{key} AS {name}' for name, key in keys.items())}"
    parts = [f"SELECT {columns} FROM ({rows}) r WHERE {look.when} AND {seen}"]  # noqa: S608 words of our own
    if look.beside:
        parts.append(f"SELECT {columns} FROM ({look.beside}) r WHERE {seen}")  # noqa: S608
    names, sums = (
        ", ".join(keys),
        ", ".join(f"sum(r.n) FILTER (WHERE {which}) AS {name}" for name, which in look.sums.items()),
    )
    whole = ", ".join(f"CAST(coalesce(sum({name}), 0) AS bigint) AS {name}" for name in look.sums)
    return text(f"""
    SELECT * FROM (
      SELECT GROUPING({names}) AS which, coalesce({names}) AS key, {whole}
        FROM (SELECT {names}, {sums} FROM ({" UNION ALL ".join(parts)}) r GROUP BY GROUPING SETS ({_together(look)})) p
       GROUP BY GROUPING SETS ({", ".join(f"({name})" for name in keys)})) whole
     WHERE key IS NOT NULL""")  # noqa: S608 words of our own


def _together(look: _Look) -> str:
    """The sets that are summed up first."""
    alone = [f"(by_{by})" for by in look.dimensions if by not in _WHO]
    who = ", ".join(f"by_{by}" for by in look.dimensions if by in _WHO)
    return ", ".join([*alone, *([f"({who})"] if who else [])])


def _columns(cube: Cube) -> str:
    return ", ".join(cube.keys)


def _summing(cube: Cube) -> str:
    """SQL: the rows of a cube, folded or not."""
    keys = _columns(cube)
    return f"""
    SELECT at, {keys}, n FROM tally WHERE cube = '{cube.name}'
    UNION ALL SELECT {_bucket(cube)}, {keys}, n FROM tally_change WHERE {cube.where}"""  # noqa: S608 words of our own


def _counting(look: _Look) -> str:
    """SQL: the same of the cases themselves."""
    columns = ", ".join(f"{_OF_CASE[name]} AS {name}" for name in COUNTED)
    return f"""
    SELECT {_bucket(look.cube)} AS at, counted.*
      FROM (SELECT {columns}, 1 AS n FROM cases c{OPENED} WHERE {look.near}) counted
     WHERE {look.cube.where}"""  # noqa: S608 words of our own


def _bucket(cube: Cube) -> str:
    """What is past need not be told apart."""
    return cube.at.replace(":past", ":hour")
