"""What happens to a case because time passes: steps of its clocks are told, a suspension ends, a calendar changes."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from canonical.case import Actor, Case, Told, new_action
from canonical.clock import Ledger, Timed
from canonical.lifecycle import ActionKind, Party
from routing.book import Book

LATE = timedelta(minutes=2)
"""A step that is told later than this after its time is marked late: nobody was there to tell it."""
AT_MOST = 100
"""Steps of one case at a time: more is a defect, and must not turn for ever."""

_HUB = Actor(party=Party.HUB, id="clock")


def tick(book: Book, case_id: UUID) -> int:
    """Tell all steps of a case that are due, in the order of their times, and what follows from them. Says how many."""
    for told in range(AT_MOST):
        case = book.known.cases[case_id]
        if case.resume_at is not None and not case.lead_system and case.resume_at <= book.now:
            reason = f"suspended until {case.resume_at:%Y-%m-%d %H:%M}"
            book.do(case_id, new_action(kind=ActionKind.RESUME, actor=_HUB, at=book.now, reason=reason), None)
            book.follow(case_id)
            continue
        ledger = _first_due(case, book.now)
        if ledger is None:
            return told
        _remind(book, case, ledger)
        book.follow(case_id)
    return AT_MOST


def _first_due(case: Case, now: datetime) -> Ledger | None:
    due = [one for one in case.clocks if one.running and one.step_at is not None and one.step_at <= now]
    return min(due, key=lambda one: (one.step_at, one.clock, one.of), default=None)


def _remind(book: Book, case: Case, ledger: Ledger) -> None:
    assert ledger.step_at is not None
    task = next((one for one in case.joint_tasks if ledger.of and one.unit == ledger.of and one.open), None)
    told = Told(
        clock=ledger.clock, of=ledger.of, step=ledger.step, at=ledger.step_at, extension=ledger.extensions,
        since=ledger.since, late=book.now - ledger.step_at > LATE,
    )  # fmt: skip
    action = new_action(
        kind=ActionKind.REMIND, actor=_HUB, at=book.now, told=told, round=task.round if task else 0,
        unit=ledger.of or (case.assignment.unit if case.assignment else ""), timed=(book.timing.after_step(ledger),),
        editions={"rules": book.city.rules.edition},
    )  # fmt: skip
    book.do(case.id, action, None)


def recompute(book: Book, case_id: UUID) -> bool:
    """Due times as the calendars now in force have them, of clocks that run; False when none changes."""
    case = book.known.cases[case_id]
    timed = tuple(_changed(book, case))
    if not timed:
        return False
    action = new_action(
        kind=ActionKind.RECOMPUTE, actor=_HUB, at=book.now, timed=timed, reason="the calendar changed",
        editions={"calendar": book.city.calendar.edition},
    )  # fmt: skip
    book.do(case_id, action, None)
    return True


def _changed(book: Book, case: Case) -> Iterator[Timed]:
    for ledger in case.clocks:
        if ledger.running and ledger.limits:
            timed = book.timing.again(ledger, ledger.pauses)
            if timed.due != ledger.due:
                yield timed
