"""Every run of every clock of a case: from the event that started it to the one that stopped it.

What has a budget is a ledger of the case. What has none is measured all the same, by the stages: it is never due.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from canonical.action import Event
from canonical.case import Case
from canonical.case import runs_of as ledgers
from canonical.clock import Clock, Ledger
from canonical.lifecycle import ENDED, ActionKind, Stage
from canonical.time import Limit, Pause


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
    """By whose calendar it goes; empty: the city's."""
    limits: tuple[Limit, ...] = ()
    pauses: tuple[Pause, ...] = ()


class _Stretch(NamedTuple):
    """A clock that runs while the case stands in these stages."""

    clock: str
    stages: frozenset[Stage]


_S = Stage
_STRETCHES = (
    _Stretch(Clock.ACCEPT, frozenset({_S.REPORTED})),
    _Stretch(Clock.VERIFY, frozenset({_S.VERIFYING})),
    _Stretch(Clock.FILE, frozenset({_S.REPORTED, _S.VERIFYING})),
    _Stretch(Clock.DISPATCH, frozenset({_S.FILED, _S.RETURNED})),
    _Stretch(Clock.SIGN, frozenset({_S.DISPATCHED})),
    _Stretch(Clock.CHECK, frozenset({_S.DISPOSED})),
    _Stretch(Clock.CLOSE, frozenset({_S.CHECKED})),
    _Stretch(Clock.REPLY, frozenset(Stage) - ENDED),
)


CLOCKS = frozenset(Clock)
"""All there are."""


def runs_of(cases: Sequence[Case], events: Sequence[Event]) -> list[Run]:
    """The runs, in the order in which they began. `cases`: the case after each event."""
    runs = [run for stretch in _STRETCHES for run in _stretched(stretch, events)]
    runs += [*_disposal(cases, events), *_whole(cases, events), *map(_of_ledger, ledgers(events))]
    found = {(run.since, run.clock, run.of): run for run in runs}  # a ledger knows better than a stage
    return [found[key] for key in sorted(found)]


def _of_ledger(one: Ledger) -> Run:
    return Run(
        clock=one.clock, of=one.of, since=one.since, started_at=one.started_at, until=one.until,
        stopped_at=one.stopped_at, due_at=one.due.at if one.due else None, suspended=one.paused, unit=one.unit,
        limits=one.limits, pauses=one.pauses,
    )  # fmt: skip


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
            run = Run(clock=Clock.DISPOSAL, since=event.seq, started_at=at)
        if run is None:
            continue
        run = replace(run, due_at=case.due.at if case.due else None, suspended=event.to is Stage.SUSPENDED)
        if run.until and (kind is ActionKind.REWORK or not (event.to in ENDED or case.disposed_at)):
            run = replace(run, until=0, stopped_at=None)
        elif not run.until and (kind is ActionKind.DISPOSE or event.to in ENDED):
            run = replace(run, until=event.seq, stopped_at=at)
    if run is not None:
        yield run


def _whole(cases: Sequence[Case], events: Sequence[Event]) -> Iterator[Run]:
    """Without a limit of its own 结案时限 the case is due when its disposal is."""
    run: Run | None = None
    for case, event in zip(cases, events, strict=True):
        if event.action.kind is ActionKind.FILE and run is None:
            run = Run(clock=Clock.CASE, since=event.seq, started_at=event.action.at)
        if run is None:
            continue
        run = replace(run, due_at=case.due.at if case.due else None, suspended=event.to is Stage.SUSPENDED)
        if event.to in ENDED and not run.until:
            run = replace(run, until=event.seq, stopped_at=event.action.at)
        elif event.to not in ENDED and run.until:
            run = replace(run, until=0, stopped_at=None)
    if run is not None:
        yield run
