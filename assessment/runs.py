"""Every run of every clock of a case: from the event that started it to the one that stopped it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from canonical.case import Case, Event
from canonical.lifecycle import ENDED, ActionKind, Stage
from canonical.time import Limit, Pause

CASE = "case"
"""The whole case 结案时限: from filing to closing, due when its disposal is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one clock."""

    clock: str
    of: str = ""
    """The joint task's unit; empty: the case's own."""
    since: int = 0
    """`seq` of the event that started it."""
    started_at: datetime
    until: int = 0
    """`seq` of the event that stopped it; 0: it runs."""
    stopped_at: datetime | None = None
    due_at: datetime | None = None
    suspended: bool = False
    unit: str = ""
    """Whose it is; empty: whoever has the case's work."""
    limits: tuple[Limit, ...] = ()
    pauses: tuple[Pause, ...] = ()


class _Stretch(NamedTuple):
    """A clock that runs while the case stands in these stages."""

    clock: str
    stages: frozenset[Stage]


_S = Stage
_STRETCHES = (
    _Stretch("accept", frozenset({_S.REPORTED})),
    _Stretch("verify", frozenset({_S.VERIFYING})),
    _Stretch("file", frozenset({_S.REPORTED, _S.VERIFYING})),
    _Stretch("dispatch", frozenset({_S.FILED, _S.RETURNED})),
    _Stretch("sign", frozenset({_S.DISPATCHED})),
    _Stretch("check", frozenset({_S.DISPOSED})),
    _Stretch("close", frozenset({_S.CHECKED})),
    _Stretch("reply", frozenset(Stage) - ENDED),
)


CLOCKS = frozenset({"disposal", CASE, *(stretch.clock for stretch in _STRETCHES)})
"""All there are."""


def runs_of(cases: Sequence[Case], events: Sequence[Event]) -> list[Run]:
    """The runs, in the order in which they began. `cases`: the case after each event."""
    runs = [run for stretch in _STRETCHES for run in _stretched(stretch, events)]
    runs += _disposal(cases, events)
    runs += _whole(cases, events)
    return sorted(runs, key=lambda run: (run.since, run.clock, run.of))


def _stretched(stretch: _Stretch, events: Iterable[Event]) -> Iterator[Run]:
    open_: Run | None = None
    for event in events:
        inside = event.to in stretch.stages
        if inside and open_ is None:
            open_ = Run(clock=stretch.clock, since=event.seq, started_at=event.action.at)
        elif not inside and open_ is not None:
            yield replace(open_, until=event.seq, stopped_at=event.action.at)
            open_ = None
    if open_ is not None:
        yield open_


def _disposal(cases: Sequence[Case], events: Sequence[Event]) -> Iterator[Run]:
    """One for the case: it runs on through return and rework, and stops at the last disposal."""
    run: Run | None = None
    for case, event in zip(cases, events, strict=True):
        kind, at = event.action.kind, event.action.at
        if kind is ActionKind.DISPATCH and run is None:
            run = Run(clock="disposal", since=event.seq, started_at=at)
        if run is None:
            continue
        run = replace(run, due_at=case.due.at if case.due else None)
        if run.until and (kind is ActionKind.REWORK or not (event.to in ENDED or case.disposed_at)):
            run = replace(run, until=0, stopped_at=None)
        elif not run.until and (kind is ActionKind.DISPOSE or event.to in ENDED):
            run = replace(run, until=event.seq, stopped_at=at)
    if run is not None:
        yield run


def _whole(cases: Sequence[Case], events: Sequence[Event]) -> Iterator[Run]:
    run: Run | None = None
    for case, event in zip(cases, events, strict=True):
        if event.action.kind is ActionKind.FILE and run is None:
            run = Run(clock=CASE, since=event.seq, started_at=event.action.at)
        if run is None:
            continue
        run = replace(run, due_at=case.due.at if case.due else None)
        if event.to in ENDED and not run.until:
            run = replace(run, until=event.seq, stopped_at=event.action.at)
        elif event.to not in ENDED and run.until:
            run = replace(run, until=0, stopped_at=None)
    if run is not None:
        yield run
