"""The small city where an industry system leads: `grid` is the centre for its cases, and beside it the hub mirrors."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from canonical.codes import ClassCode
from canonical.findings import Finding
from canonical.lifecycle import ActionKind, Party
from canonical.records import Arrival
from canonical.report import Report
from routing.city import City
from routing.fusion import COLUMNS, Fusion, load_fusion
from tests.routing.clock_city import ClockDesk, clock_city
from tests.routing.intake_city import STALL, stated

LED = "F1,*,grid,u2,2026-05-01T00:00,试运行方案"


def fusion(*rows: str, findings: list[Finding] | None = None, city: City | None = None) -> Fusion:
    """`fusion.csv` of these rows."""
    found: list[Finding] = [] if findings is None else findings
    city = city or clock_city()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fusion.csv"
        path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
        read = load_fusion(path, city.responsibility.units, city.systems, found)
    assert findings is not None or found == []
    return read


def told_apart(city: City) -> City:
    """`grid` can be told that it leads no more, or again."""
    role = city.systems["grid"]
    tells = role.tells | {"lead_system": {ActionKind.TAKE_OVER: "taken_over", ActionKind.HAND_BACK: "yours_again"}}
    return replace(city, systems=dict(city.systems) | {"grid": role.model_copy(update={"tells": tells})})


class FusionDesk(ClockDesk):
    """A desk beside a lead system."""

    def __init__(self, *rows: str) -> None:
        super().__init__(replace(told_apart(clock_city()), fusion=fusion(*(rows or (LED,)))))

    def lead(self, *rows: str) -> None:
        """From now on by these rows."""
        self.city = replace(self.city, fusion=fusion(*rows))

    def moved(self, at: datetime) -> None:
        """It is later."""
        self.now = at


def by_lead(key: str, kind: ActionKind, *, class_code: str = STALL, area: str = "340202", **more: Any) -> Arrival:
    """The lead system's whole record of a case: what was reported, and where it stands."""
    report = Report(class_code=ClassCode.parse(class_code) if class_code else None, given_area=area)
    return stated("grid", key, {Party.LEAD_SYSTEM: kind}, report=report, **more)


def kinds(actions: Iterable[ActionKind]) -> str:
    """In one line."""
    return " ".join(actions)
