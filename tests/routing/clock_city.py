"""The small city of the intake tests with time limits, steps, rules of the trade and units at three levels."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from canonical.action import Action, Actor, Supervision
from canonical.clock import Clock
from canonical.findings import Finding
from canonical.lifecycle import ActionKind, Party
from canonical.organisation import Level, Unit
from canonical.reading import Outcome
from canonical.records import Arrival, Command
from canonical.time import SHANGHAI, Limit, LimitUnit
from routing.book import Book
from routing.budgets import load_budgets
from routing.city import City
from routing.steps import Steps, read_step
from routing.ticking import recompute, tick
from routing.trade_rules import Appeals, Extension, Returns, Rung, Suspension, TradeRules
from tests.routing.intake_city import CITY, Desk, message

WORK_HOUR, WORK_DAY = LimitUnit.WORK_HOUR, LimitUnit.WORK_DAY
CLOCKS = """id,clock,class,urgency,source,level,limit_value,limit_unit,basis
K1,file,*,,,,4,work_hour,办法第三条
K2,file,*,urgent,,,1,urgent_work_hour,办法第三条
K3,sign,*,,,,2,work_hour,办法第四条
K4,check,*,,,,2,work_hour,办法第五条
K5,reply,*,,hotline,,5,work_day,热线办法
K6,level,*,,,district,1,work_day,办法第六条
K7,report_in,*,,,,2,work_hour,办法第七条
K8,joint,*,,,,1,work_day,办法第七条
"""
RULES = TradeRules(
    edition="r1",
    steps=Steps({
        Clock.DISPOSAL: tuple(filter(None, map(read_step, ("50%", "80%", "due", "+1 work_hour")))),
        Clock.FILE: tuple(filter(None, map(read_step, ("80%", "due")))),
        Clock.REPORT_IN: tuple(filter(None, map(read_step, ("due",)))),
        Clock.LEVEL: tuple(filter(None, map(read_step, ("due",)))),
    }),
    extension=Extension(approvals=("部门", "中心"), most=2, original=1, source="办法第八条"),
    suspension=Suspension(
        approvals=("中心",), most=1, longest=Limit(value=30, unit=LimitUnit.CALENDAR_DAY), source="办法第九条"
    ),
    returns=Returns(within=Limit(value=2, unit=WORK_DAY), most=2, same_unit=1, ping_pong=True, source="办法第十条"),
    appeals=Appeals(most=1, within=Limit(value=10, unit=WORK_DAY), only_overdue=True, source="办法第十一条"),
    ladder=(
        Rung(Clock.DISPOSAL, "due", supervise=Supervision.YELLOW, source="办法第十二条"),
        Rung(Clock.LEVEL, "due", escalate=True, source="办法第十二条"),
    ),
)  # fmt: skip


def clock_city(rules: TradeRules = RULES) -> City:
    """The city. u1 stands under the district's d1, that under the city's u2."""
    findings: list[Finding] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clocks.csv"
        path.write_text(CLOCKS, encoding="utf-8")
        budgets = load_budgets(path, CITY.systems, findings)
    assert findings == []
    units = dict(CITY.responsibility.units)
    units["d1"] = Unit(id="d1", name="区中心", level=Level.DISTRICT, area="340202", parent="u2", system="grid")
    units["u1"] = units["u1"].model_copy(update={"level": Level.STREET, "parent": "d1"})
    responsibility = replace(CITY.responsibility, units=units)
    return replace(CITY, budgets=budgets, rules=rules, responsibility=responsibility)


class ClockDesk(Desk):
    """A desk whose time passes."""

    def __init__(self, city: City | None = None) -> None:
        super().__init__(city or clock_city())

    def order(self, kind: ActionKind, by: str = "li", **fields: Any) -> Outcome:
        """A person of the centre orders it now, for the only case."""
        action = Action(kind=kind, actor=Actor(party=Party.CENTRE, id=by), at=self.now, **fields)
        [outcome] = self.take(Arrival(message("centre"), Command(self.case.no, action)))
        return outcome

    def pass_to(self, at: datetime) -> list[str]:
        """The clock worker comes at this moment. What it told, as `clock step`."""
        self.now = at
        book = Book(self.known(), self.city, at, self.id)
        for case in list(self.cases.values()):
            tick(book, case.id)
        return self._done(book)

    def recompute(self) -> list[str]:
        """The clock worker finds another calendar."""
        book = Book(self.known(), self.city, self.now, self.id)
        for case in list(self.cases.values()):
            recompute(book, case.id)
        return self._done(book)

    def _done(self, book: Book) -> list[str]:
        self.changes = book.changes
        self._keep(book.changes)
        told = (event.action.told for event in book.changes.events)
        return [f"{one.clock} {one.step}{' late' * one.late}" for one in told if one]


def at(text: str) -> datetime:
    """`05-20 10:00` of 2026, in Shanghai."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


SOON = timedelta(seconds=1)
