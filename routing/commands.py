"""Orders of the centre's people: completed from the city's tables, then done like any other action."""

from collections.abc import Callable, Mapping
from uuid import UUID

from canonical.case import Action, BindingRole, Case
from canonical.errors import IllegalAction, Unacceptable, Why
from canonical.lifecycle import ENDED, ActionKind, Stage
from canonical.message import Message, Verdict
from canonical.place import Coordinate, Place, PlaceMethod
from canonical.reading import Outcome
from canonical.records import Command
from canonical.report import Report
from routing.book import Book
from routing.rules import assigning, filing

CENTRE = "centre"
"""The journal's name for the centre's own desk, as if it were a system."""


def command(book: Book, order: Command, message: Message) -> tuple[Outcome, UUID | None]:
    """Do what was ordered and whatever follows by rule. Raises Unacceptable: unknown case, or not possible now."""
    case_id = book.known.by_no.get(order.case_no)
    if case_id is None:
        raise Unacceptable(f"there is no case {order.case_no}", why=Why.UNKNOWN_CASE)
    case = book.known.cases[case_id]
    complete = _COMPLETE.get(order.action.kind)
    action = complete(order.action, case, book) if complete else order.action
    book.do(case_id, action, message.id)
    if action.kind is ActionKind.MERGE:
        _move_sources(book, case, action)
    book.follow(case_id)
    return Outcome(Verdict.APPLIED, case_no=case.no), case_id


def _filed(action: Action, case: Case, book: Book) -> Action:
    if action.place is not None:
        action = action.model_copy(update={"place": _placed(action.place, case, book)})
    action = filing(action, case, book.city)
    catalogue = book.city.catalogue
    if action.class_code is not None and action.class_code not in catalogue.classes:
        raise IllegalAction(f"class {action.class_code} is not in classes.csv", at="class_code")
    if action.standard and action.standard not in catalogue.standards:
        raise IllegalAction(f"standard row '{action.standard}' is not in standards.csv", at="standard")
    if action.place is None or not action.place.usable:
        raise IllegalAction("file needs a place: at least the county's code in place.area", at="place")
    if action.place.area and not book.city.divisions.known(action.place.area):
        raise IllegalAction(f"area {action.place.area} is not in divisions.csv", at="place.area")
    return action


def _placed(said: Place, case: Case, book: Book) -> Place:
    """What the centre says about the place, over what is known; a point also gives its unit grid."""
    fields = {name: getattr(said, name) for name in said.model_fields_set}
    if said.lon is not None and said.lat is not None and said.grid is None:
        point = Coordinate(x=said.lon, y=said.lat, crs="EPSG:4490")
        [located] = book.city.locator.locate([Report(address=case.place.address, coordinate=point)])
        fields = {"lon": located.lon, "lat": located.lat, "grid": located.grid, "area": located.area} | {
            name: value for name, value in fields.items() if name not in {"lon", "lat"}
        }
    return case.place.model_copy(update=fields | {"method": PlaceMethod.CENTRE})


def _assigned(action: Action, case: Case, book: Book) -> Action:
    if action.unit not in book.city.responsibility.units:
        raise IllegalAction(f"unit '{action.unit}' is not in units.csv", at="unit")
    return assigning(action, case, book.city, book.now)


def _closed(action: Action, case: Case, _book: Book) -> Action:
    return action if action.result else action.model_copy(update={"result": case.result})


def _merged(action: Action, case: Case, book: Book) -> Action:
    target = book.known.by_no.get(action.target)
    if target is None or action.target == case.no:
        raise IllegalAction(f"there is no other case '{action.target}' to merge into", at="target")
    stage = book.known.cases[target].stage
    if stage in ENDED - {Stage.CLOSED, Stage.EVALUATED}:
        raise IllegalAction(f"case {action.target} is {stage}: nothing can join it", at="target")
    return action


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


_COMPLETE: Mapping[ActionKind, Callable[[Action, Case, Book], Action]] = {
    ActionKind.FILE: _filed,
    ActionKind.DISPATCH: _assigned,
    ActionKind.REDISPATCH: _assigned,
    ActionKind.CLOSE: _closed,
    ActionKind.MERGE: _merged,
}
