"""Intake: what becomes of each arrival. Pure: gets what is known, gives what to write and what to answer.

A report becomes a case, joins one, or is refused; an action is done to a case or refused, an addition is added to one;
a telling of an alarm goes through the storm filter; what cannot be decided yet is held or quarantined, and what
concerns no case is noted. Nothing else can happen to a message.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from canonical.alarm import Alarm, AlarmPolicy, AlarmState, CapState
from canonical.case import Action, Actor, Binding, BindingRole, Case, new_action, new_binding
from canonical.errors import IllegalAction, Unacceptable, Why
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.message import Direction, Message, Verdict
from canonical.place import Place
from canonical.reading import Outcome, Reading
from canonical.records import Arrival, Changes, Command, JournalEntry, Known, Split
from canonical.time import SHANGHAI
from routing.acting import act
from routing.adding import add, comment, new_files
from routing.book import Book
from routing.city import City
from routing.commands import CENTRE, command
from routing.evidence import with_evidence
from routing.mirroring import mirror
from routing.numbers import named_by_us, rounds_of
from routing.rules import source_due
from routing.storm import Decision, Told, elapsed, heard, policy_of, repeats, tell

_GONE = frozenset({Stage.REFUSED, Stage.CANCELLED, Stage.MERGED})
"""A further task of such a case is a new case: there is nothing left to join."""

HOLD = timedelta(minutes=10)
"""How long an action or addition may wait for its case to become known here; then it is refused as unknown."""

_NO_REPORTS = frozenset({Verdict.APPLIED, Verdict.ADDED, Verdict.COUNTED, Verdict.NOTED})
"""What ended so is no report in the books, whatever was read in it."""

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
    places = _places(arrivals, city, now)
    outcomes: list[Outcome] = []
    for index, arrival in enumerate(arrivals):
        outcome, case_id = _take(book, arrival, places.get(index), numbers)
        outcomes.append(outcome)
        if not arrival.waited or case_id is not None:  # else its row says already what was told
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


def _places(arrivals: Sequence[Arrival], city: City, now: datetime) -> dict[int, Place]:
    """Locate all reports of the batch at once; of alarms only those that open a case, when they do."""
    reports = {
        index: arrival.content.report
        for index, arrival in enumerate(arrivals)
        if isinstance(arrival.content, Reading) and arrival.content.report and not arrival.content.alarm
    }
    return dict(zip(reports, city.locator.locate(list(reports.values()), now.astimezone(SHANGHAI).date()), strict=True))


def _take(book: Book, arrival: Arrival, place: Place | None, numbers: Iterator[int]) -> Taken:
    content = arrival.content
    try:
        if isinstance(content, Unacceptable):
            return _unacceptable(content), None
        if isinstance(content, Split):
            return Outcome(Verdict.SPLIT, text=f"{content.parts} messages"), None
        if isinstance(content, Command):
            return command(book, content, arrival.message)
        if arrival.waited and content.alarm is not None:
            return _elapsed(book, content, content.alarm, arrival.message, numbers)
        return _reading(book, content, arrival.message, place, numbers)
    except Unacceptable as error:
        return _unacceptable(error), None


def _unacceptable(error: Unacceptable) -> Outcome:
    verdict = Verdict.QUARANTINED if error.why is Why.UNMAPPED_CODE else Verdict.REFUSED
    return Outcome(verdict, why=error.why, text=str(error))


def _reading(book: Book, reading: Reading, message: Message, place: Place | None, numbers: Iterator[int]) -> Taken:
    if reading.alarm is not None:
        return _alarm(book, reading, reading.alarm, message, numbers)
    if not (reading.report or reading.action or reading.addition):
        return Outcome(Verdict.NOTED, text="understood; it concerns no case"), None
    case_id = _find(book, reading)
    if case_id is not None:
        return _known_case(book, case_id, reading, message), case_id
    if reading.report is not None and place is not None:
        return _report(book, reading, message, place, numbers)
    # An addition is often faster than its report, but not than our number; an action is awaited only where something
    # is under way to its system.
    early = reading.addition is not None and not reading.reference
    awaited = early or reading.system in book.known.on_their_way
    if awaited and book.now - message.at < HOLD:
        return Outcome(
            Verdict.HELD, text="its case is still on its way to you; kept, and applied when it is there"
        ), None
    raise Unacceptable("there is no case that your system knows by this id", why=Why.UNKNOWN_CASE)


def _known_case(book: Book, case_id: UUID, reading: Reading, message: Message) -> Outcome:
    """What a known case takes: the action, and the addition as far as it is news. A report it has already."""
    outcome = Outcome(Verdict.REPEATED, case_no=book.known.cases[case_id].no)
    if reading.action is not None:
        outcome = act(book, case_id, reading, reading.action, message)
    if reading.addition is not None:
        added = add(book, book.known.cases[case_id], reading, reading.addition, message)
        outcome = added if outcome.verdict is Verdict.REPEATED else outcome
    return outcome


def _alarm(book: Book, reading: Reading, alarm: Alarm, message: Message, numbers: Iterator[int]) -> Taken:
    """A telling goes through the storm filter; an action or addition beside it is done to the case it speaks of."""
    state, case = _remembered(book, reading, alarm)
    if repeats(state, alarm, message.at):
        open_case = case if case is not None and not case.ended else None
        told_before = Outcome(
            Verdict.REPEATED, case_no=open_case.no if open_case else "", text="delivered again; counted before"
        )
        return told_before, open_case.id if open_case else None
    told = tell(
        heard(state, alarm), book.known.caps.get((reading.system, alarm.kind)), alarm, _policy(book, reading, alarm),
        case, received_at=message.at, now=book.now, may_open=reading.report is not None, message_id=message.id,
    )  # fmt: skip
    if told.decision is Decision.OPEN:
        return _alarm_case(book, reading, told, message, numbers)
    book.remember(told.state)
    _remember_cap(book, told.cap)
    return _beside(book, reading, told, message)


def _elapsed(book: Book, reading: Reading, alarm: Alarm, message: Message, numbers: Iterator[int]) -> Taken:
    """A device that was told active and then nothing more: its case is opened of that telling when the time is over."""
    state, case = _remembered(book, reading, alarm)
    cap = book.known.caps.get((reading.system, alarm.kind))
    told = elapsed(state, cap, _policy(book, reading, alarm), case, now=book.now)
    if told is None or state.message_id != message.id or reading.report is None:
        return Outcome(Verdict.COUNTED, text="judged before, or told again meanwhile"), None
    if told.decision is Decision.OPEN:
        outcome, case_id = _alarm_case(book, reading, told, message, numbers)
        return replace(outcome, text="nothing further was told; opened by the clock"), case_id
    book.remember(told.state)
    _remember_cap(book, told.cap)
    return Outcome(Verdict.COUNTED, text=told.text), None


def _remembered(book: Book, reading: Reading, alarm: Alarm) -> tuple[AlarmState, Case | None]:
    """What is remembered of a device, and its case."""
    state = book.known.alarms.get((reading.system, alarm.device, alarm.kind))
    state = state or AlarmState(system=reading.system, device=alarm.device, kind=alarm.kind)
    case = _case_of(book, state)
    if case is not None and case.id != state.case_id:  # merged: the device follows the case that remained
        state = state.model_copy(update={"case_id": case.id})
    return state, case


def _policy(book: Book, reading: Reading, alarm: Alarm) -> AlarmPolicy:
    role = book.city.systems.get(reading.system)
    return policy_of(role.alarms if role else {}, alarm.kind)


def _case_of(book: Book, state: AlarmState) -> Case | None:
    """The case of a device; of a merged one the case that remained. None: there is none, or it is not to be seen."""
    case = book.known.cases.get(state.case_id) if state.case_id else None
    while case is not None and case.stage is Stage.MERGED:
        remaining = book.known.by_no.get(case.merged_into)
        case = book.known.cases.get(remaining) if remaining else None
    return case


def _remember_cap(book: Book, cap: CapState | None) -> None:
    if cap is not None and cap is not book.known.caps.get((cap.system, cap.kind)):
        book.remember_cap(cap)


def _alarm_case(book: Book, reading: Reading, told: Told, message: Message, numbers: Iterator[int]) -> Taken:
    assert reading.report is not None  # the filter opens nothing without one
    [place] = book.city.locator.locate([reading.report], book.now.astimezone(SHANGHAI).date())
    outcome, case_id = _report(book, reading, message, place, numbers)
    book.remember(told.state.model_copy(update={"case_id": case_id}))
    if outcome.verdict is Verdict.CASE:  # one that joins a case opens none
        _remember_cap(book, told.cap)
    return outcome, case_id


def _beside(book: Book, reading: Reading, told: Told, message: Message) -> Taken:
    """A telling that opened nothing: the annotation of its open case, and what it says besides the alarm."""
    case = _case_of(book, told.state)
    is_open = case is not None and not case.ended
    outcome = Outcome(Verdict.COUNTED, case_no=case.no if case and is_open else "", text=told.text)
    if case is not None and told.decision is Decision.ANNOTATE:
        alarm_at = reading.alarm.at if reading.alarm else None
        comment(book, case, reading, told.text, message, stated_at=alarm_at)
        outcome = Outcome(Verdict.APPLIED, case_no=case.no, text=told.text)
    stated = reading.action is not None or reading.addition is not None
    if case is not None and is_open:
        reading, left_out = with_evidence(reading, book.known.cases[case.id])
        outcome = replace(outcome, text=outcome.text + left_out)
    if reading.action is not None or reading.addition is not None:
        spoken_of = case.id if case and is_open and _called(book, case, reading) else _find(book, reading)
        if spoken_of is None and case is not None and is_open and reading.action is None:
            spoken_of = case.id  # a later picture under an id of its own
        done = _known_case(book, spoken_of, reading, message) if spoken_of else outcome
        if stated and done.verdict is not Verdict.REPEATED:
            return done, spoken_of or (case.id if case and is_open else None)
    return outcome, case.id if case and is_open else None


def _called(book: Book, case: Case, reading: Reading) -> bool:
    """Whether the reading's id is this case's, where a device has one id for all its alarms."""
    base = f"{reading.external_id}#"
    bindings = book.known.of_case.get(case.id, ())
    return any(binding.system == reading.system and binding.external_id.startswith(base) for binding in bindings)


def _find(book: Book, reading: Reading) -> UUID | None:
    """The case a reading speaks of: by the system's own id, else by our number, else by what we once sent."""
    known = book.known
    named, round_ = named_by_us(known, reading)
    binding = known.bindings.get((reading.system, reading.external_id))
    if binding is not None:
        contradicts = named is not None and named.id != binding.case_id and named.stage is not Stage.MERGED
        if contradicts and binding.role is BindingRole.OWNER:
            raise Unacceptable("the reference names another case than the id does", why=Why.NOT_ALLOWED)
        return binding.case_id
    if named is None and reading.fingerprint:
        case_id = known.by_fingerprint.get((reading.system, reading.fingerprint))
        printed = known.cases.get(case_id) if case_id else None
        named = printed if printed and rounds_of(printed, reading.system) else None
    if named is None:
        return None
    if round_ is not None or not reading.reference:
        _bind_owner(book, named, reading, round_ or named.round)
    return named.id


def _bind_owner(book: Book, case: Case, reading: Reading, round_: int) -> None:
    """The owner's own id of the case, when it tells one beside our number."""
    if reading.external_id.partition("-")[0] != case.no:
        book.bind(_owner_binding(case, reading, round_))


def _owner_binding(case: Case, reading: Reading, round_: int) -> Binding:
    return Binding(
        case_id=case.id, system=reading.system, role=BindingRole.OWNER, round=round_, external_id=reading.external_id,
        reference=reading.reference, visible_no=reading.visible_no,
    )  # fmt: skip


def _source_binding(book: Book, case: Case, reading: Reading) -> Binding:
    """The source's identity of the case. A device's one id for all its alarms is made unique by the case's number."""
    extra = reading.report.extra if reading.report else {}
    taken = (reading.system, reading.external_id) in book.known.bindings
    external_id = f"{reading.external_id}#{case.sequence}" if taken else reading.external_id
    return new_binding(
        case_id=case.id, system=reading.system, role=BindingRole.SOURCE, external_id=external_id,
        case_key=reading.case_key, visible_no=reading.visible_no, extra=extra, since=case.version,
    )  # fmt: skip


def _report(book: Book, reading: Reading, message: Message, place: Place, numbers: Iterator[int]) -> Taken:
    action = _collecting(book, reading, place)
    joined = book.known.by_case_key.get((reading.system, reading.case_key)) if reading.case_key else None
    if joined is not None and _takes(book.known.cases[joined], reading.system):
        case = book.do(joined, action.model_copy(update={"kind": ActionKind.JOIN}), message.id)
        binding = _source_binding(book, case, reading)
        book.bind(binding)
        book.tell_joined(case, binding)
        book.follow(case.id)
        return Outcome(Verdict.JOINED, case_no=case.no), case.id
    case = book.open(action, message.id, next(numbers))
    book.bind(_source_binding(book, case, reading))
    book.follow(case.id)
    return Outcome(Verdict.CASE, case_no=case.no, text=_under_way(book, case, reading, message)), case.id


def _takes(case: Case, system: str) -> bool:
    """Whether a further task can join the case. What a lead system has closed, nobody else can have taken up again."""
    return case.stage not in _GONE and not (case.ended and case.lead_system not in {"", system})


def _under_way(book: Book, case: Case, reading: Reading, message: Message) -> str:
    """A lead system tells of its case when it is at work already. What of it cannot follow, in words."""
    if not case.lead_system or reading.action is None or Party.LEAD_SYSTEM not in reading.action.kinds:
        return ""
    try:
        mirror(book, case.id, reading, reading.action, message)
    except IllegalAction as error:
        return f"taken in, without its state: {error}"
    return ""


@lru_cache(1024)
def _source(system: str) -> Actor:
    """A system as actor: there are only as many as are connected."""
    return Actor(party=Party.SOURCE, id=system)


def _collecting(book: Book, reading: Reading, place: Place) -> Action:
    report = reading.report
    assert report is not None
    if reading.addition is not None:
        files = new_files(reading.addition.attachments, report.attachments)
        report = report.model_copy(update={"attachments": (*report.attachments, *files)})
    leading = book.city.fusion.leading(report.class_code, book.now)
    led = leading is not None and leading.system == reading.system
    return new_action(
        kind=ActionKind.COLLECT, actor=_source(reading.system), at=book.now,
        stated_at=report.reported_at, report=report, place=place, system=reading.system,
        lead_system=reading.system if led else "",
        source_due=source_due(report.deadline, book.now, book.city), editions={"declaration": reading.edition},
    )  # fmt: skip


def _entry(arrival: Arrival, outcome: Outcome, case_id: UUID | None) -> JournalEntry:
    content, kind, external_id, edition = arrival.content, "", "", ""
    if isinstance(content, Reading):
        kind, external_id, edition = content.kind, content.external_id, content.edition
        is_report = content.report is not None and outcome.verdict not in _NO_REPORTS
    elif isinstance(content, Command):
        kind, external_id, is_report = content.action.kind, content.case_no, False
    elif isinstance(content, Split):
        is_report = False
    else:
        external_id, is_report = content.key, arrival.message.system != CENTRE
    return JournalEntry(
        arrival.message, Direction.IN, outcome.verdict, why=outcome.why, text=outcome.text, kind=kind,
        is_report=is_report, external_id=external_id, case_id=case_id, edition=edition,
    )  # fmt: skip
