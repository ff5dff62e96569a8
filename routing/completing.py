"""What people and systems leave unsaid in an action, added from the city's tables and from what the case waits for."""

from collections.abc import Callable, Mapping

from canonical.case import Action, Case, Share
from canonical.clock import Clock
from canonical.errors import IllegalAction
from canonical.lifecycle import ENDED, ActionKind, Stage
from canonical.place import Coordinate, Place, PlaceMethod
from canonical.report import Report
from canonical.time import SHANGHAI
from routing.book import Book
from routing.extending import lasting, within
from routing.rules import assigning, filing, unit_above
from routing.units import gone_to, named


def completed(action: Action, case: Case, book: Book) -> Action:
    """The action with what it lacks. Raises IllegalAction where a table does not know what it names."""
    complete = _COMPLETE.get(action.kind)
    return complete(action, case, book) if complete else action


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


_LOCATED = ("lon", "lat", "grid", "grid_set", "grids", "area")


def _placed(said: Place, case: Case, book: Book) -> Place:
    """What the centre says about the place, over what is known; a point also gives its unit grid."""
    fields = {name: getattr(said, name) for name in said.model_fields_set}
    day = case.received_at.astimezone(SHANGHAI).date()
    if said.grid is not None:
        base = book.city.locator.registry.base(day)
        fields["grid_set"] = base.edition if said.grid in base.index else ""
    if said.lon is not None and said.lat is not None and said.grid is None:
        point = Coordinate(x=said.lon, y=said.lat, crs="EPSG:4490")
        [located] = book.city.locator.locate([Report(address=case.place.address, coordinate=point)], day)
        found = {name: getattr(located, name) for name in _LOCATED}
        fields = found | {name: value for name, value in fields.items() if name not in {"lon", "lat"}}
    return case.place.model_copy(update=fields | {"method": PlaceMethod.CENTRE})


def _assigned(action: Action, case: Case, book: Book) -> Action:
    if not action.unit:
        raise IllegalAction(f"{action.kind} needs unit: the id of a unit in units.csv", at="unit")
    units = book.city.responsibility.units
    action = action.model_copy(update={"unit": named(action.unit, units)})
    unit = units.get(action.unit)
    if unit is None:
        raise IllegalAction(f"unit '{action.unit}' is not in units.csv", at="unit")
    if unit.gone(book.now.astimezone(SHANGHAI).date()):
        raise IllegalAction(f"{gone_to(unit)}: name that one", at="unit")
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


def _raised(action: Action, case: Case, book: Book) -> Action:
    """To the unit above, where none is named."""
    if not action.unit:
        action = action.model_copy(update={"unit": unit_above(case, book.city, book.now)})
    return _assigned(action, case, book)


def _whistled(action: Action, case: Case, book: Book) -> Action:
    """Done when the city's rule says, where the first whistle does not."""
    if case.stage in _NOBODYS:
        raise IllegalAction(f"nobody leads case {case.no} yet: dispatch it first, then call others", at="kind")
    action = _assigned(action, case, book)
    if action.completion is None and case.joint is None:
        action = action.model_copy(update={"completion": book.city.rules.whistle.completion})
    return action


_NOBODYS = frozenset({Stage.REPORTED, Stage.VERIFYING, Stage.FILED, Stage.RETURNED})


def _of_called(action: Action, case: Case, _book: Book) -> Action:
    """Which part of the joint work it is about: a person names the unit, and has no need to know the round."""
    called = [one for one in case.assignments if one.share is Share.JOINT]
    if action.round or not action.unit:
        unit = action.unit or next((one.unit for one in called if one.round == action.round), "")
        return action.model_copy(update={"unit": unit})
    own = [one for one in called if one.unit == action.unit]
    if not own:
        units = ", ".join(dict.fromkeys(one.unit for one in called)) or "nobody"
        raise IllegalAction(f"{action.unit} was not called in case {case.no}; called: {units}", at="unit")
    latest = next((one for one in own if one.open), own[-1])
    return action.model_copy(update={"round": latest.round})


def _extended(action: Action, case: Case, book: Book) -> Action:
    """By what was asked for, or the most that the rule allows of it; else by the original limit."""
    disposal = case.clock(Clock.DISPOSAL)
    original = disposal.limits[0] if disposal and disposal.limits else None
    asked = (case.request and case.request.limit) or original
    limit = action.limit or (within(asked, disposal, book.city) if asked and disposal else asked)
    return action.model_copy(update={"limit": limit})


def _asked(action: Action, case: Case, book: Book) -> Action:
    """An extension to the moment that the unit names; by one original limit, where it does not say by how much."""
    disposal = case.clock(Clock.DISPOSAL)
    if action.limit is None and action.until is not None and disposal is not None and disposal.due is not None:
        return action.model_copy(update={"limit": lasting(disposal.due.at, action.until)})
    return action if action.limit else _extended(action, case, book)


def _waiting(action: Action, _case: Case, book: Book) -> Action:
    """A suspension as long as is said, where no day is named: from now, as the rule's longest is counted."""
    if action.until is not None or action.limit is None:
        return action
    return action.model_copy(update={"until": book.city.calendar.due(book.now, action.limit).at})


def _suspended(action: Action, case: Case, book: Book) -> Action:
    said = _waiting(action, case, book)
    return said.model_copy(update={"until": said.until or (case.request and case.request.until) or None})


def _taken_over(action: Action, case: Case, _book: Book) -> Action:
    if not case.lead_system:
        raise IllegalAction(f"case {case.no} is led by the hub already", at="kind")
    return action.model_copy(update={"system": case.lead_system})


def _handed_back(action: Action, case: Case, book: Book) -> Action:
    """To the system that leads the class by fusion.csv now."""
    leading = book.city.fusion.leading(case.class_code, book.now)
    if leading is None:
        raise IllegalAction(f"by fusion.csv no system leads {case.class_code or 'a case without class'}", at="kind")
    return action.model_copy(update={"system": leading.system})


_COMPLETE: Mapping[ActionKind, Callable[[Action, Case, Book], Action]] = {
    ActionKind.FILE: _filed,
    ActionKind.DISPATCH: _assigned,
    ActionKind.REDISPATCH: _assigned,
    ActionKind.ARBITRATE: _assigned,
    ActionKind.ESCALATE: _raised,
    ActionKind.DEESCALATE: _assigned,
    ActionKind.WHISTLE: _whistled,
    ActionKind.REPORT_IN: _of_called,
    ActionKind.ANSWER: _of_called,
    ActionKind.DECLINE: _of_called,
    ActionKind.ASK_EXTENSION: _asked,
    ActionKind.ASK_SUSPENSION: _waiting,
    ActionKind.GRANT_EXTENSION: _extended,
    ActionKind.SUSPEND: _suspended,
    ActionKind.SETTLE: _filed,
    ActionKind.CLOSE: _closed,
    ActionKind.MERGE: _merged,
    ActionKind.TAKE_OVER: _taken_over,
    ActionKind.HAND_BACK: _handed_back,
}
