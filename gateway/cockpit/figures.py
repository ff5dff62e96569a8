"""The cockpit's figures as JSON, made once for all who see the same, and good for a second."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from canonical.lifecycle import Step
from canonical.rights import Scope
from canonical.time import in_shanghai
from gateway.cockpit.ranking import Sort, listed, share
from gateway.cockpit.words import HOW_TITLES, LOOP_TITLES, STANDS_IN, STEP_TITLES_EN, Titles, stage_view, titles
from gateway.hub import Hub
from gateway.recent import Recent
from routing.city import City
from storage.tally_figures import SOON, By, Group, Numbers, numbers

View = dict[str, Any]
GOOD_FOR = 1.0
"""Seconds for which figures are good."""
_SCOPES = 256
"""Scopes whose figures are remembered."""
_TOP = 10
_HOURS = 24


async def figures(hub: Hub, scope: Scope, now: datetime) -> View:
    """All figures of a scope, at `now`. Raises DatabaseAway."""
    return shown(await numbers(hub.store, scope, now), hub.configuration.city)


class Kept:
    """The numbers of each scope that is asked for, good for a second, in one process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._of: OrderedDict[tuple[object, ...], Recent[Numbers]] = OrderedDict()

    async def numbers(self, scope: Scope) -> Numbers:
        """Those of a scope. Raises DatabaseAway."""
        limits = scope.areas, scope.classes, scope.systems, scope.units
        recent = self._of.get(limits)
        if recent is None:
            recent = self._of[limits] = Recent(partial(self._read, scope), good_for=GOOD_FOR)
            if len(self._of) > _SCOPES:
                self._of.popitem(last=False)
        self._of.move_to_end(limits)
        return await recent.get()

    async def _read(self, scope: Scope) -> Numbers:
        return await numbers(self._hub.store, scope, self._hub.now())


def shown(told: Numbers, city: City) -> View:
    """The numbers of one moment as JSON."""
    total, at = told.total, in_shanghai(told.at)
    return {
        "at": at.isoformat(),
        "intake": _intake(told, city, at.hour),
        "funnel": [_step(step, told) for step in Step],
        "open": total.open, "suspended": total.suspended,
        "overdue": total.overdue, "overdue_provisional": total.overdue_provisional,
        "due_soon": total.due_soon, "due_soon_hours": SOON.total_seconds() / 3600,
        "today": _ended(total.ended_today, total.on_time_today, total.late_today) | {"how": _how(told)},
        "month": _ended(total.ended, total.on_time, total.late),
        "loops": _loops(told),
        "classes": listed(told, city, By.CLASS, Sort.OPEN)[:_TOP],
        "rankings": {by.value: listed(told, city, by, Sort.OVERDUE)[:_TOP] for by in (By.DISTRICT, By.STREET, By.UNIT)},
    }  # fmt: skip


def _intake(told: Numbers, city: City, hour: int) -> View:
    each = [told.of(By.HOUR, str(number)) for number in range(_HOURS)]
    return {
        "today": told.total.taken, "yesterday": told.total.taken_before,
        "yesterday_by_this_hour": sum(one.taken_before for one in each[: hour + 1]),
        "hours": [
            {"hour": number, "today": one.taken if number <= hour else None, "yesterday": one.taken_before}
            for number, one in enumerate(each)
        ],
        "sources": _taken(told.groups[By.SOURCE], titles(city, By.SOURCE)),
        "channels": _taken(told.groups[By.CHANNEL], {"": "未注明"}),
    }  # fmt: skip


def _taken(groups: Mapping[str, Group], names: Titles) -> list[View]:
    """Where cases came from, the most of today first."""
    came = [(code, one) for code, one in groups.items() if one.taken or one.taken_before]
    came.sort(key=lambda pair: (-pair[1].taken, -pair[1].taken_before, pair[0]))
    return [
        {"code": code, "title": names.get(code, code), "today": one.taken, "yesterday": one.taken_before}
        for code, one in came
    ]


def _step(step: Step, told: Numbers) -> View:
    """What stands in a step, and what passed it today; null where the tallies do not tell."""
    stages = [stage_view(stage, told.of(By.STAGE, stage).open) for stage in STANDS_IN[step]]
    passed = {Step.COLLECT: told.total.taken, Step.CLOSE: told.total.ended_today}
    return {
        "step": step.name.lower(), "title": step.value, "title_en": STEP_TITLES_EN[step],
        "open": sum(one["open"] for one in stages) if stages else None, "today": passed.get(step), "stages": stages,
    }  # fmt: skip


def _ended(ended: int, on_time: int, late: int) -> View:
    """Closed cases. What had no limit is neither on time nor late."""
    return {"ended": ended, "on_time": on_time, "late": late, "on_time_share": share(on_time, late)}


def _how(told: Numbers) -> list[View]:
    return [_titled(code, HOW_TITLES) | {"ended": told.of(By.HOW, code).ended_today} for code in HOW_TITLES]


def _loops(told: Numbers) -> list[View]:
    loops = [_titled(level, LOOP_TITLES) | {"open": told.of(By.LEVEL, level).open} for level in LOOP_TITLES]
    return [*loops, {"code": "", "title": "未分级", "title_en": "No loop yet", "open": told.of(By.LEVEL, "").open}]


def _titled(code: Any, table: Mapping[Any, tuple[str, str]]) -> View:  # noqa: ANN401 a key of the table
    title, english = table[code]
    return {"code": str(code), "title": title, "title_en": english}
