"""In shadow: what the city's own tables would have done where a lead system decides. Kept in the event, without effect.

The same rules are asked that would decide if the hub were the centre, at the same moment and with the same case.
"""

from collections.abc import Callable, Mapping

from canonical.action import Shadow
from canonical.case import Action, Case
from canonical.errors import IllegalAction
from canonical.lifecycle import GIVES, ActionKind
from routing.book import Book
from routing.rules import by_list, judge


def shadow(action: Action, case: Case, book: Book) -> Shadow | None:
    """The hub's own judgement beside this action of a lead system. `case`: before it. None: nothing to compare."""
    judge = _JUDGES.get(action.kind)
    if judge is None:
        return None
    try:
        return judge(case, book)
    except IllegalAction as error:  # a table does not know what the case needs
        return Shadow(why=str(error))


def _filing(case: Case, book: Book) -> Shadow:
    ours = judge(case, book.city, book.now)
    if ours is not None:
        return Shadow(kind=ours.kind, why=ours.reason or ours.actor.id)
    if case.class_code is None:
        return Shadow(why="the class is not known")
    known = case.class_code in book.city.catalogue.classes
    return Shadow(why="the place is not known" if known else f"class {case.class_code} is not in classes.csv")


def _giving(case: Case, book: Book) -> Shadow:
    if case.class_code is None:
        return Shadow(why="the class is not known")
    ours = by_list(case, book.city, book.now, ActionKind.DISPATCH)
    why = ours.reason or ours.actor.id
    if ours.kind not in GIVES:
        return Shadow(why=why)
    due = book.timing.complete(ours, case).due
    return Shadow(kind=ActionKind.DISPATCH, unit=ours.unit, due=due, why=why)


_JUDGES: Mapping[ActionKind, Callable[[Case, Book], Shadow]] = {
    ActionKind.FILE: _filing,
    ActionKind.REFUSE: _filing,
    ActionKind.SETTLE: _filing,
    ActionKind.DISPATCH: _giving,
    ActionKind.REDISPATCH: _giving,
}
