"""Actions that other systems state: which of their parts in the case may say it, and whether it was said before."""

from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from canonical.case import Action, Actor, Assignment, BindingRole, Case, Share, checked
from canonical.errors import IllegalAction, TooEarly
from canonical.lifecycle import GIVES, ActionKind, Party, Stage
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading, StatedAction
from routing.book import Book
from routing.completing import completed
from routing.mirroring import mirror
from routing.said import remember_said, said_before
from routing.units import named


def act(book: Book, case_id: UUID, reading: Reading, stated: StatedAction, message: Message) -> Outcome:
    """Do what a system says was done. Said again, it is `repeated`; raises IllegalAction when the table forbids it."""
    case = book.known.cases[case_id]
    if case.lead_system == reading.system and Party.LEAD_SYSTEM in stated.kinds:
        return mirror(book, case_id, reading, stated, message)
    earlier = _other_round(book, case, reading)
    if earlier is not None and earlier.share is Share.JOINT and not case.ended:
        return _joint(book, case, reading, stated, message, earlier)
    if earlier is not None:
        return _of_ended_round(case, earlier, stated)
    parties = [party for party in _parties(book, case, reading.system) if party in stated.kinds]
    said = [_action(reading, stated, party, book) for party in parties]
    if any(said_before(book, case, reading, action) for action in said):
        return Outcome(Verdict.REPEATED, case_no=case.no)
    actions = [completed(action, case, book) for action in said]
    possible = next((index for index, action in enumerate(actions) if _possible(action, case)), None)
    if possible is not None:
        try:
            book.do(case_id, actions[possible], message.id)
        except TooEarly as error:  # its platform says it once: nobody would tell us again when the others are done
            return Outcome(Verdict.HELD, case_no=case.no, text=str(error))
        remember_said(book, case, reading, said[possible])
        book.follow(case_id)
        return Outcome(Verdict.APPLIED, case_no=case.no)
    if any(_ALREADY.get(kind, _never)(case, reading.system) for kind in stated.kinds.values()):
        return Outcome(Verdict.REPEATED, case_no=case.no)
    for action in actions:
        checked(action, stage=case.stage)
    raise IllegalAction(f"your system has no part in case {case.no} that could say this now")


_OF_JOINT = {
    ActionKind.SIGN: ActionKind.REPORT_IN,
    ActionKind.DISPOSE: ActionKind.ANSWER,
    ActionKind.RETURN: ActionKind.DECLINE,
}
"""A unit that was called says it as if the case were its own: its platform knows no other words."""


def _joint(
    book: Book, case: Case, reading: Reading, stated: StatedAction, message: Message, task: Assignment
) -> Outcome:
    """What a called unit's system says about its part."""
    said = stated.kinds.get(Party.JOINT) or stated.kinds.get(Party.OWNER)
    kind = _OF_JOINT.get(said, said) if said else None
    if kind is None or task.system != reading.system:
        raise IllegalAction(f"your system has no part in case {case.no} that could say this now")
    done = {
        ActionKind.REPORT_IN: task.signed_at,
        ActionKind.ANSWER: task.disposed_at,
        ActionKind.DECLINE: task.returned_at,
    }
    if done.get(kind):
        return Outcome(Verdict.REPEATED, case_no=case.no)
    changes = {"kind": kind, "round": task.round, "unit": task.unit}
    action = _action(reading, stated.model_copy(update={"kinds": {Party.JOINT: kind}}), Party.JOINT, book)
    action = action.model_copy(update=changes)
    if said_before(book, case, reading, action):
        return Outcome(Verdict.REPEATED, case_no=case.no)
    book.do(case.id, action, message.id)
    remember_said(book, case, reading, action)
    return Outcome(Verdict.APPLIED, case_no=case.no)


def _other_round(book: Book, case: Case, reading: Reading) -> Assignment | None:
    """The assignment a reading speaks of that is not the present lead's, by the owner's id or by our reference."""
    binding = book.known.bindings.get((reading.system, reading.external_id))
    no, _, said = reading.reference.partition("-")
    round_ = case.round
    if binding is not None and binding.role is BindingRole.OWNER:
        round_ = binding.round
    elif no == case.no and said.isdigit():
        round_ = int(said)
    known = 0 < round_ <= len(case.assignments) and round_ != case.round
    return case.assignments[round_ - 1] if known else None


def _of_ended_round(case: Case, ended: Assignment, stated: StatedAction) -> Outcome:
    """A late word about an earlier assignment changes nothing; said before, it is no error either."""
    said = {
        ActionKind.SIGN: ended.signed_at,
        ActionKind.RETURN: ended.returned_at,
        ActionKind.DISPOSE: ended.disposed_at,
    }
    if any(said.get(kind) for kind in stated.kinds.values()):
        return Outcome(Verdict.REPEATED, case_no=case.no)
    raise IllegalAction(f"your system has no part in case {case.no} that could say this now")


def _parties(book: Book, case: Case, system: str) -> Iterator[Party]:
    """What the system is to the case now. A source that also does the work withdraws rather than returns."""
    bindings = book.known.of_case.get(case.id, [])
    if any(binding.system == system and binding.role is BindingRole.SOURCE for binding in bindings):
        yield Party.SOURCE
    if case.owner == system:
        yield Party.OWNER


def _action(reading: Reading, stated: StatedAction, party: Party, book: Book) -> Action:
    kind = stated.kinds[party]
    unit = named(stated.unit, book.city.responsibility.units) if kind in GIVES else ""
    return Action(
        kind=kind, actor=Actor(party=party, id=reading.system, name=stated.actor_name), at=book.now,
        stated_at=stated.stated_at, reason=stated.reason, basis=stated.basis, result=stated.result, limit=stated.limit,
        until=stated.until, attachments=stated.attachments, unit=unit,
        editions={"declaration": reading.edition},
    )  # fmt: skip


def _possible(action: Action, case: Case) -> bool:
    try:
        checked(action, stage=case.stage)
    except IllegalAction:
        return False
    return True


def _was_owner(case: Case, system: str) -> bool:
    return any(assignment.system == system for assignment in case.assignments)


def _never(_case: Case, _system: str) -> bool:
    return False


def _signed(case: Case, system: str) -> bool:
    return _was_owner(case, system) and case.stage in _AFTER_SIGNING


def _disposed(case: Case, system: str) -> bool:
    return _was_owner(case, system) and case.disposed_at is not None


def _returned(case: Case, system: str) -> bool:
    return any(assignment.system == system and assignment.returned_at for assignment in case.assignments)


def _evaluated(case: Case, _system: str) -> bool:
    return case.stage is Stage.EVALUATED


def _cancelled(case: Case, _system: str) -> bool:
    return case.stage is Stage.CANCELLED


_AFTER_SIGNING = frozenset({Stage.HANDLING, Stage.DISPOSED, Stage.CHECKED, Stage.CLOSED, Stage.EVALUATED})

# Said before and true already: told again it changes nothing, and is no error. Every platform repeats itself.
_ALREADY: Mapping[ActionKind, Callable[[Case, str], bool]] = {
    ActionKind.SIGN: _signed,
    ActionKind.DISPOSE: _disposed,
    ActionKind.RETURN: _returned,
    ActionKind.EVALUATE: _evaluated,
    ActionKind.CANCEL: _cancelled,
}
