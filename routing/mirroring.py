"""Mirroring: what a lead system 牵头系统 says it has done becomes the case's history here, and is not judged.

Platforms tell states, and often only the last one. So the steps between are done too, in the order of the lifecycle
table, and each says that it was implied. What the city's own tables would have done stands beside in `shadow`.
"""

from uuid import UUID

from canonical.case import Action, Actor, Case, new_action
from canonical.clock import Clock, Timed
from canonical.codes import ClassCode
from canonical.errors import IllegalAction
from canonical.lifecycle import BY_ACTION, GIVES, ActionKind, Party, Stage
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading, StatedAction
from routing.book import Book
from routing.city import City
from routing.rules import filing
from routing.said import remember_said, said_before
from routing.shadowing import shadow
from routing.units import named

_K, _S = ActionKind, Stage
ONWARD = {
    _S.REPORTED: _K.FILE,
    _S.VERIFYING: _K.FILE,
    _S.FILED: _K.DISPATCH,
    _S.RETURNED: _K.REDISPATCH,
    _S.DISPATCHED: _K.SIGN,
    _S.SUSPENDED: _K.RESUME,
    _S.HANDLING: _K.DISPOSE,
    _S.DISPOSED: _K.CHECK,
    _S.CHECKED: _K.CLOSE,
}
"""The step that lies between a stage and the next, when a platform tells only where it is now."""
_ORDER = (
    _S.REPORTED, _S.VERIFYING, _S.FILED, _S.RETURNED, _S.DISPATCHED, _S.SUSPENDED, _S.HANDLING, _S.DISPOSED, _S.CHECKED,
    _S.CLOSED, _S.EVALUATED,
)  # fmt: skip
_ON_THE_WAY = frozenset({*ONWARD.values(), _K.VERIFY, _K.EVALUATE})
"""What a case has had, once it is further: told again, it is no news. A return after the work was done is."""
_HANDS = frozenset({_K.DISPATCH, _K.REDISPATCH})
_FILES = frozenset({_K.FILE, _K.SETTLE})


def mirror(book: Book, case_id: UUID, reading: Reading, stated: StatedAction, message: Message) -> Outcome:
    """What the lead system did to its case. Said again, it is `repeated`. Raises IllegalAction if it cannot follow."""
    case, kind = book.known.cases[case_id], stated.kinds[Party.LEAD_SYSTEM]
    word = _Word(reading, stated, book)
    said = word.action(kind)
    steps = () if said_before(book, case, reading, said) else way(case, kind, word.unit)
    if not steps:
        return Outcome(Verdict.REPEATED, case_no=case.no)
    for number, step in enumerate(steps, start=1):
        action = said.model_copy(update={"kind": step}) if number == len(steps) else word.implied(step, kind)
        book.do(case_id, word.completed(action, book.known.cases[case_id]), message.id)
    remember_said(book, case, reading, said)
    return Outcome(Verdict.APPLIED, case_no=case.no)


def way(case: Case, kind: ActionKind, unit: str = "") -> tuple[ActionKind, ...]:
    """The steps from where the case is to what is said, that one the last; none when it is there already.

    `unit`: whom a dispatch names. Raises IllegalAction when nothing leads from here to there.
    """
    stage, steps = case.stage, list[ActionKind]()
    if kind in _HANDS:
        if stage in BY_ACTION[_K.RETURN].from_ and case.assignment and unit not in {"", case.assignment.unit}:
            return _K.RETURN, _K.REDISPATCH  # it moved the case without saying that it came back
        kind = _K.REDISPATCH if stage is _S.RETURNED else _K.DISPATCH
    while stage not in BY_ACTION[kind].from_:
        onward = ONWARD.get(stage)
        if onward is None:
            return _there_already(case, kind)
        steps.append(onward)
        stage = BY_ACTION[onward].to or stage
    return (*steps, kind)


def _there_already(case: Case, kind: ActionKind) -> tuple[ActionKind, ...]:
    to = BY_ACTION[kind].to
    passed = _ORDER[: _ORDER.index(case.stage) + 1] if case.stage in _ORDER else ()
    if case.stage is to or (kind in _ON_THE_WAY and to in passed):
        return ()
    raise IllegalAction(f"case {case.no} is {case.stage} here: {kind} cannot follow", at="kind")


class _Word:
    """One message of the lead system, as actions."""

    def __init__(self, reading: Reading, stated: StatedAction, book: Book) -> None:
        self.reading, self.stated, self.book = reading, stated, book
        self.actor = Actor(party=Party.LEAD_SYSTEM, id=reading.system, name=stated.actor_name)
        self.unit = named(stated.unit, book.city.responsibility.units)

    def action(self, kind: ActionKind) -> Action:
        """What it says, word for word."""
        stated = self.stated
        return new_action(
            kind=kind, actor=self.actor, at=self.book.now, stated_at=stated.stated_at, reason=stated.reason,
            basis=stated.basis, result=stated.result, limit=stated.limit, until=stated.until, unit=self.unit,
            attachments=stated.attachments,
            timed=self._deadline(), editions={"declaration": self.reading.edition},
        )  # fmt: skip

    def implied(self, kind: ActionKind, said: ActionKind) -> Action:
        """A step before the one it says; it carries what the step cannot do without."""
        return new_action(
            kind=kind, actor=self.actor, at=self.book.now, reason=f"implied by {said}",
            result="" if said is _K.EVALUATE else self.stated.result, unit=self.unit,
            timed=self._deadline() if kind in _HANDS else (),
            editions={"declaration": self.reading.edition},
        )  # fmt: skip

    def completed(self, action: Action, case: Case) -> Action:
        """With what the hub needs to keep it, and what its own tables would have done."""
        if action.kind in _FILES and (said := self._class()) and said != case.class_code:
            case = case.model_copy(update={"class_code": said})  # under which it files, whatever was reported first
        changes: dict[str, object] = {"shadow": shadow(action, case, self.book)}
        if action.kind in _FILES:
            action = _filed(action, case, self.book.city)
        if action.kind in GIVES:
            unit = self.book.city.responsibility.units.get(action.unit)
            changes |= {"system": self.reading.system, "level": unit.level if unit else None}
        return action.model_copy(update=changes)

    def _class(self) -> ClassCode | None:
        """Under which it keeps the case now, where its message tells the whole record."""
        return self.reading.report.class_code if self.reading.report else None

    def _deadline(self) -> tuple[Timed, ...]:
        """Its own deadline runs beside ours."""
        timed = self.book.timing.theirs(Clock.OWNER, self.stated.deadline)
        return (timed,) if timed else ()


def _filed(action: Action, case: Case, city: City) -> Action:
    """With the standard row the hub would take; without one, where the class has none here."""
    try:
        return filing(action, case, city)
    except IllegalAction:
        return action.model_copy(update={"class_code": case.class_code, "place": case.place})
