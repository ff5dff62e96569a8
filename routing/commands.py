"""Orders of the centre's people: completed from the city's tables, then done like any other action."""

from uuid import UUID

from canonical.case import Action, BindingRole, Case
from canonical.errors import Unacceptable, Why
from canonical.lifecycle import ActionKind
from canonical.message import Message, Verdict
from canonical.reading import Outcome
from canonical.records import Command
from routing.book import Book
from routing.completing import completed

CENTRE = "centre"
"""The journal's name for the centre's own desk, as if it were a system."""


def command(book: Book, order: Command, message: Message) -> tuple[Outcome, UUID | None]:
    """Do what was ordered and whatever follows by rule. Raises Unacceptable: unknown case, or not possible now."""
    case_id = book.known.by_no.get(order.case_no)
    if case_id is None:
        raise Unacceptable(f"there is no case {order.case_no}", why=Why.UNKNOWN_CASE)
    case = book.known.cases[case_id]
    action = completed(order.action, case, book)
    book.do(case_id, action, message.id)
    if action.kind is ActionKind.MERGE:
        _move_sources(book, case, action)
    book.follow(case_id)
    return Outcome(Verdict.APPLIED, case_no=case.no), case_id


def _move_sources(book: Book, case: Case, action: Action) -> None:
    """The merged case's sources now follow the case that remains; each keeps its own number and gets its own answer."""
    target = book.known.by_no[action.target]
    reason = f"case {case.no} was merged into this one: {action.reason}"
    book.do(target, Action(kind=ActionKind.COMMENT, actor=action.actor, at=book.now, reason=reason), None)
    for binding in tuple(book.known.of_case.get(case.id, ())):
        if binding.role is BindingRole.SOURCE:
            book.rebind(binding, target)
            if case.filed_at is None:  # otherwise its source was told already
                book.tell_joined(book.known.cases[target], binding)
