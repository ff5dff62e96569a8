"""A small city for the tests of intake, and a desk that plays the store: it keeps what decisions say is to be kept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from assessment.calendar_file import load_calendar
from canonical.case import Action, Actor, Binding, BindingRole, Case, Event
from canonical.codes import ClassCode
from canonical.findings import Finding
from canonical.ids import new_id
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading, StatedAction, SystemRole
from canonical.records import Arrival, Changes, Command, Delivery, JournalEntry, Known
from canonical.report import Report
from canonical.time import SHANGHAI
from routing.catalogue import load_catalogue
from routing.city import By, City, Policy
from routing.divisions import load_divisions
from routing.grid_sets import always
from routing.grids import GridIndex
from routing.intake import decide
from routing.locate import Locator
from routing.responsibility import load_responsibility
from routing.units import load_units

NOW = datetime(2026, 5, 20, 9, 30, tzinfo=SHANGHAI)
"""A Wednesday morning, inside the service window."""
STALL, LAMP, TREE, LAWSUIT, NOISE = (f"30428.2:E04-0{minor}" for minor in (6, 5, 4, 3, 2))
"""Classes: filed, verified, filed but nobody's, refused, filed for the centre's own queue."""
_FILES = {
    "divisions.csv": (
        "code,level,name,parent\n3402,city,芜湖市,\n340202,district,镜湖区,3402\n340207,district,鸠江区,3402\n"
    ),
    "classes.csv": (
        f"code,name,acceptance,reason,note\n{STALL},摊,file,,\n{LAMP},灯,verify,先看,\n{TREE},树,file,,\n"
        f"{LAWSUIT},诉,refuse,不受理,\n{NOISE},声,file,,\n"
    ),
    "standards.csv": "id,class,condition,keywords,default,limit_value,limit_unit,closing,source\n"
    + "".join(f"{code}/1,{code},有,,yes,4,work_hour,好,演示\n" for code in (STALL, LAMP, TREE, NOISE))
    + f"{STALL}/2,{STALL},急,很急,no,1,urgent_work_hour,好,演示\n",
    "units.csv": (
        "id,name,level,area,parent,system\nu1,一所,district,340202,,works\nu2,二所,city,3402,,grid\n"
        "u3,三所,city,3402,,\nu4,四所,city,3402,,works\n"
    ),
    "responsibility.csv": (
        f"id,class,area,hours,unit,valid_from,valid_to,basis\nR1,{STALL},340202,always,u1,2026-01-01,,三定\n"
        f"R2,{STALL},3402,always,u2,2026-01-01,,\nR3,30428.2:E04-*,3402,off_hours,u3,2026-01-01,,\n"
        f"R4,{LAMP},3402,always,u3,2026-01-01,,\nR5,{NOISE},3402,always,centre,2026-01-01,,\n"
    ),
    "calendar.csv": "date,day_type,name,notice\n2026-05-01,off,劳动节,演示\n",
}
K = ActionKind
_SOURCE = {K.FILE: "taken", K.JOIN: "taken", K.REFUSE: "no", K.CANCEL: "off", K.ASK_EXTENSION: "later", K.CLOSE: "done"}
_OWNER = {K.DISPATCH: "work", K.REDISPATCH: "work", K.REWORK: "again", K.CANCEL: "stop", K.MERGE: "stop"}
_BOTH = _SOURCE | {K.DISPATCH: "your_own", K.REDISPATCH: "your_own", K.REWORK: "again"}
SYSTEMS = {
    name: SystemRole(
        id=name, title=name, edition=f"{name}-1", source="source" in tells, owner="owner" in tells, tells=tells
    )
    for name, tells in {
        "hotline": {"source": _SOURCE},
        "works": {"owner": _OWNER, "source": _SOURCE, "both": _BOTH},
        "grid": {"source": _SOURCE, "owner": _OWNER, "both": _BOTH},
    }.items()
}


def city(policy: Policy | None = None) -> City:
    """The city, read from real tables."""
    findings: list[Finding] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in _FILES.items():
            (folder / file).write_text(content, encoding="utf-8")
        divisions = load_divisions(folder / "divisions.csv", findings)
        units = load_units(folder / "units.csv", divisions, SYSTEMS, findings)
        calendar = load_calendar(folder / "calendar.csv", ["08:00-12:00", "14:00-18:00"], findings)
        built = City(
            code="3402", name="芜湖市", divisions=divisions, catalogue=load_catalogue(folder, findings),
            locator=Locator(divisions, always(GridIndex([])), GridIndex([]), "3402"),
            responsibility=load_responsibility(folder / "responsibility.csv", units, divisions, findings),
            calendar=calendar, systems=SYSTEMS, policy=policy or Policy(),
            editions={"catalogue": "c1", "responsibility": "r1", "calendar": calendar.edition},
        )  # fmt: skip
    assert not [finding for finding in findings if "E04" not in finding.text], findings
    return built


CITY = city()
AUTOMATIC = replace(CITY, policy=Policy(check=By.AUTOMATIC))


class Desk:
    """Plays the store in memory: everything decided so far is known to the next batch."""

    def __init__(self, city: City = CITY, now: datetime = NOW) -> None:
        self.city, self.now = city, now
        self.cases: dict[UUID, Case] = {}
        self.events: list[Event] = []
        self.bindings: dict[tuple[str, str], Binding] = {}
        self.deliveries: list[Delivery] = []
        self.journal: dict[UUID, JournalEntry] = {}
        self.on_their_way: frozenset[str] = frozenset()
        self.changes = Changes()
        self._ids = count(1)
        self._numbers = count(1)

    def id(self) -> UUID:
        """The next identifier: the same ones for the same story."""
        return UUID(int=next(self._ids))

    def take(self, *arrivals: Arrival) -> list[Outcome]:
        """Decide one batch and keep what it changes."""
        self.changes, outcomes = decide(
            arrivals, self.known(), self.city, numbers=self._numbers, now=self.now, ids=self.id
        )
        self._keep(self.changes)
        return outcomes

    def known(self) -> Known:
        """All there is, as the store would tell it."""
        known = Known(cases=dict(self.cases), bindings=dict(self.bindings), on_their_way=self.on_their_way)
        known.by_no = {case.no: case.id for case in self.cases.values()}
        for binding in sorted(self.bindings.values(), key=lambda binding: binding.case_id):
            known.of_case.setdefault(binding.case_id, []).append(binding)
            if binding.case_key:
                known.by_case_key[binding.system, binding.case_key] = binding.case_id
            if binding.fingerprint:
                known.by_fingerprint[binding.system, binding.fingerprint] = binding.case_id
        return known

    def _keep(self, changes: Changes) -> None:
        assert not set(changes.new_cases) & set(self.cases)
        assert set(changes.changed_cases) <= set(self.cases)
        self.cases |= changes.new_cases | changes.changed_cases
        self.events += changes.events
        for binding in changes.bindings:
            assert (binding.system, binding.external_id) not in self.bindings
            self.bindings[binding.system, binding.external_id] = binding
        written = [(binding.system, binding.external_id) for binding in (*changes.bindings, *changes.rebound)]
        assert len(set(written)) == len(written), "of two rows with one key the database takes any"
        for binding in changes.rebound:
            self.bindings[binding.system, binding.external_id] = binding
        self.deliveries += changes.deliveries
        self.journal |= {entry.message.id: entry for entry in changes.journal}

    @property
    def case(self) -> Case:
        """The only case."""
        [case] = self.cases.values()
        return case

    def by_no(self, number: str) -> Case:
        """The case with this number."""
        return next(case for case in self.cases.values() if case.no == number)

    def actions(self, case: Case | None = None) -> list[ActionKind]:
        """What was done to a case, in order."""
        case = case or self.case
        return [event.action.kind for event in self.events if event.case_id == case.id]

    def told(self) -> list[tuple[str, str, str]]:
        """(system, message, address) of what the last batch tells others."""
        return [(d.system, d.message, d.address) for d in self.changes.deliveries]

    def bound(self, external_id: str, case: Case | None = None, **facts: Any) -> None:
        """The owner's answer told its own id of the case's present round."""
        case = case or self.case
        self.bindings[case.owner, external_id] = Binding(
            case_id=case.id, system=case.owner, role=BindingRole.OWNER, round=len(case.assignments),
            external_id=external_id, reference=case.reference, **facts,
        )  # fmt: skip

    def check_books(self) -> None:
        """What is true after every batch, whatever came."""
        folded: dict[UUID, list[Event]] = {}
        for event in self.events:
            folded.setdefault(event.case_id, []).append(event)
        assert set(folded) == set(self.cases)
        for case_id, (first, *others) in folded.items():
            case = self.cases[case_id]
            assert reduce(Case.after, others, Case.opened(first, no=case.no, sequence=case.sequence)) == case
        verdicts = Counter(entry.verdict for entry in self.journal.values() if entry.is_report)
        assert verdicts[Verdict.CASE] == len(self.cases)
        assert not verdicts[Verdict.APPLIED]
        assert verdicts[Verdict.CASE] + verdicts[Verdict.JOINED] == sum(case.reports for case in self.cases.values())
        sources = [binding for binding in self.bindings.values() if binding.role is BindingRole.SOURCE]
        assert len(sources) == verdicts[Verdict.CASE] + verdicts[Verdict.JOINED]
        assert {binding.case_id for binding in self.bindings.values()} <= set(self.cases)
        lanes: dict[tuple[UUID, str], list[int]] = {}
        for delivery in self.deliveries:
            lanes.setdefault((delivery.case_id, delivery.system), []).append(delivery.seq)
        assert all(seqs == sorted(set(seqs)) for seqs in lanes.values())


def message(system: str, at: datetime = NOW, parent: UUID | None = None) -> Message:
    """A message of which only the sender and the time matter."""
    return Message(system=system, body=b"", at=at, id=new_id(at), parent=parent)


def reported(
    system: str,
    key: str,
    *,
    case_key: str = "",
    class_code: str = STALL,
    area: str = "340202",
    at: datetime = NOW,
    text: str = "",
) -> Arrival:
    """A report by that system, under its own id."""
    report = Report(class_code=ClassCode.parse(class_code) if class_code else None, given_area=area, description=text)
    reading = Reading(
        system=system, kind="report", edition=f"{system}-1", external_id=key, case_key=case_key, report=report
    )
    return Arrival(message(system, at), reading)


def stated(
    system: str,
    key: str,
    kinds: dict[Party, ActionKind],
    *,
    reason: str = "because",
    result: str = "done",
    reference: str = "",
    fingerprint: str = "",
    report: Report | None = None,
    **more: Any,
) -> Arrival:
    """What that system says was done. `more`: further facts of the action."""
    action = StatedAction(kinds=kinds, reason=reason, result=result, **more)
    reading = Reading(
        system=system,
        kind="status",
        edition=f"{system}-1",
        external_id=key,
        reference=reference,
        fingerprint=fingerprint,
        action=action,
        report=report,
    )
    return Arrival(message(system), reading)


def by_owner(system: str, key: str, kind: ActionKind, **more: Any) -> Arrival:
    """What the owner says it did."""
    return stated(system, key, {Party.OWNER: kind}, **more)


def by_source(system: str, key: str, kind: ActionKind, **more: Any) -> Arrival:
    """What the source says it did."""
    return stated(system, key, {Party.SOURCE: kind}, **more)


def ordered(case_no: str, kind: ActionKind, **fields: Any) -> Arrival:
    """What a person of the centre orders."""
    action = Action(kind=kind, actor=Actor(party=Party.CENTRE, id="li"), at=NOW, **fields)
    return Arrival(message("centre"), Command(case_no, action))


def verdicts(outcomes: Sequence[Outcome]) -> list[Verdict]:
    """The first word about each."""
    return [outcome.verdict for outcome in outcomes]


LATER = timedelta(minutes=10)
