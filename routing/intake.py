"""Intake: what becomes of each arrival. Pure: gets what is known, gives what to write and what to answer.

A report becomes a case, joins one, or is refused; an action is done to a case or refused; what cannot be decided yet is
held or quarantined. Nothing else can happen to a message.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from canonical.case import Action, Actor, Binding, BindingRole, Case
from canonical.errors import Unacceptable, Why
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.message import Direction, Message, Verdict
from canonical.place import Place
from canonical.reading import Outcome, Reading
from canonical.records import Arrival, Changes, Command, JournalEntry, Known, Split
from routing.acting import act
from routing.book import Book
from routing.city import City
from routing.commands import CENTRE, command
from routing.rules import source_due

_GONE = frozenset({Stage.REFUSED, Stage.CANCELLED, Stage.MERGED})
"""A further task of such a case is a new case: there is nothing left to join."""

HOLD = timedelta(minutes=10)
"""How long an action may wait for its case to become known here; then it is refused like any unknown one."""

Taken = tuple[Outcome, UUID | None]
"""What became of an arrival, and of which case it spoke."""


def decide(
    arrivals: Sequence[Arrival],
    known: Known,
    city: City,
    *,
    numbers: Iterator[int],
    now: datetime,
    ids: Callable[[], UUID],
) -> tuple[Changes, list[Outcome]]:
    """What to write for these arrivals, in one transaction, and one outcome for each, in order.

    `numbers` must hold at least one number an arrival. Bad input never raises: it becomes an outcome.
    """
    book = Book(known, city, now, ids)
    places = _places(arrivals, city)
    outcomes: list[Outcome] = []
    for index, arrival in enumerate(arrivals):
        outcome, case_id = _take(book, arrival, places.get(index), numbers)
        outcomes.append(outcome)
        book.changes.journal.append(_entry(arrival, outcome, case_id))
    if any(arrival.pulled for arrival in arrivals):
        book.changes.journal = _news(arrivals, book.changes.journal)
    return book.changes, outcomes


def _news(arrivals: Sequence[Arrival], journal: Sequence[JournalEntry]) -> list[JournalEntry]:
    """The journal without what a pull brought again, and without the pages that held nothing else."""
    known = {entry.message.id for entry in journal if entry.verdict is Verdict.REPEATED}
    with_news = {arrival.message.parent for arrival in arrivals if arrival.message.id not in known}
    dull = {
        arrival.message.id
        for arrival in arrivals
        if arrival.pulled
        and (
            arrival.message.id in known or (isinstance(arrival.content, Split) and arrival.message.id not in with_news)
        )
    }
    return [entry for entry in journal if entry.message.id not in dull]


def _places(arrivals: Sequence[Arrival], city: City) -> dict[int, Place]:
    """Locate all reports of the batch at once."""
    reports = {
        index: arrival.content.report
        for index, arrival in enumerate(arrivals)
        if isinstance(arrival.content, Reading) and arrival.content.report
    }
    return dict(zip(reports, city.locator.locate(list(reports.values())), strict=True))


def _take(book: Book, arrival: Arrival, place: Place | None, numbers: Iterator[int]) -> Taken:
    content = arrival.content
    try:
        if isinstance(content, Unacceptable):
            return _unacceptable(content), None
        if isinstance(content, Split):
            return Outcome(Verdict.SPLIT, text=f"{content.parts} messages"), None
        if isinstance(content, Command):
            return command(book, content, arrival.message)
        return _reading(book, content, arrival.message, place, numbers)
    except Unacceptable as error:
        return _unacceptable(error), None


def _unacceptable(error: Unacceptable) -> Outcome:
    verdict = Verdict.QUARANTINED if error.why is Why.UNMAPPED_CODE else Verdict.REFUSED
    return Outcome(verdict, why=error.why, text=str(error))


def _reading(book: Book, reading: Reading, message: Message, place: Place | None, numbers: Iterator[int]) -> Taken:
    case_id = _find(book, reading)
    if case_id is not None:
        if reading.action is not None:
            return act(book, case_id, reading, reading.action, message), case_id
        return Outcome(Verdict.REPEATED, case_no=book.known.cases[case_id].no), case_id
    if reading.report is not None and place is not None:
        return _report(book, reading, message, place, numbers)
    if reading.system in book.known.on_their_way and book.now - message.at < HOLD:
        return Outcome(
            Verdict.HELD, text="its case is still on its way to you; kept, and applied when it is there"
        ), None
    raise Unacceptable("there is no case that your system knows by this id", why=Why.UNKNOWN_CASE)


def _find(book: Book, reading: Reading) -> UUID | None:
    """The case a reading speaks of: by the system's own id, else by our number, else by what we once sent."""
    known = book.known
    binding = known.bindings.get((reading.system, reading.external_id))
    if binding is not None:
        return binding.case_id
    no, _, round_ = reading.reference.partition("-")
    case_id = known.by_no.get(no) if round_.isdigit() else None
    if case_id is None and reading.fingerprint:
        case_id = known.by_fingerprint.get((reading.system, reading.fingerprint))
    case = known.cases.get(case_id) if case_id else None
    if case is None or not any(assignment.system == reading.system for assignment in case.assignments):
        return None
    if reading.external_id != reading.reference:
        book.bind(_owner_binding(case, reading, int(round_) if round_.isdigit() else len(case.assignments)))
    return case.id


def _owner_binding(case: Case, reading: Reading, round_: int) -> Binding:
    return Binding(
        case_id=case.id, system=reading.system, role=BindingRole.OWNER, round=round_, external_id=reading.external_id,
        reference=reading.reference, visible_no=reading.visible_no,
    )  # fmt: skip


def _source_binding(case: Case, reading: Reading) -> Binding:
    extra = reading.report.extra if reading.report else {}
    return Binding(
        case_id=case.id, system=reading.system, role=BindingRole.SOURCE, external_id=reading.external_id,
        case_key=reading.case_key, visible_no=reading.visible_no, extra=extra, since=case.version,
    )  # fmt: skip


def _report(book: Book, reading: Reading, message: Message, place: Place, numbers: Iterator[int]) -> Taken:
    action = _collecting(book, reading, place)
    joined = book.known.by_case_key.get((reading.system, reading.case_key)) if reading.case_key else None
    if joined is not None and book.known.cases[joined].stage not in _GONE:
        case = book.do(joined, action.model_copy(update={"kind": ActionKind.JOIN}), message.id)
        binding = _source_binding(case, reading)
        book.bind(binding)
        book.tell_joined(case, binding)
        book.follow(case.id)
        return Outcome(Verdict.JOINED, case_no=case.no), case.id
    case = book.open(action, message.id, next(numbers))
    book.bind(_source_binding(case, reading))
    book.follow(case.id)
    return Outcome(Verdict.CASE, case_no=case.no), case.id


def _collecting(book: Book, reading: Reading, place: Place) -> Action:
    report = reading.report
    assert report is not None
    return Action(
        kind=ActionKind.COLLECT, actor=Actor(party=Party.SOURCE, id=reading.system), at=book.now,
        stated_at=report.reported_at, report=report, place=place, system=reading.system,
        source_due=source_due(report.deadline, book.now, book.city), editions={"declaration": reading.edition},
    )  # fmt: skip


def _entry(arrival: Arrival, outcome: Outcome, case_id: UUID | None) -> JournalEntry:
    content = arrival.content
    entry = JournalEntry(
        arrival.message, Direction.IN, outcome.verdict, why=outcome.why, text=outcome.text, case_id=case_id
    )  # fmt: skip
    if isinstance(content, Reading):
        is_report = content.report is not None and outcome.verdict is not Verdict.APPLIED
        return replace(
            entry, kind=content.kind, external_id=content.external_id, edition=content.edition, is_report=is_report
        )  # fmt: skip
    if isinstance(content, Split):
        return replace(entry, is_report=False)
    if isinstance(content, Command):
        return replace(entry, kind=content.action.kind, external_id=content.case_no, is_report=False)
    return replace(entry, external_id=content.key, is_report=arrival.message.system != CENTRE)
