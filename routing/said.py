"""Said before: what tells an action that is redelivered from the same action done again.

Where the platform dates it, the date is its identity. Where it does not, the state has to show it: an extension that
was asked for in the same words is the same while the round of work is, and a suspension until it is over.
"""

import hashlib

from canonical.case import Action, Binding, BindingRole, Case
from canonical.lifecycle import BY_ACTION, ActionKind, Stage
from canonical.reading import Reading
from canonical.time import SHANGHAI
from routing.book import Book

SAID = "#said"
"""Key in a binding's `extra`: digests of the last actions said under it."""
_ASKED = frozenset({ActionKind.ASK_EXTENSION, ActionKind.ASK_SUSPENSION, ActionKind.WHISTLE})
_LAST = 16
_DIGITS = 12


def said_before(book: Book, case: Case, reading: Reading, action: Action) -> bool:
    """Whether the system has said just this before."""
    digest, binding = _digest(case, action), spoken_under(book, case, reading)
    return bool(digest and binding and digest in binding.extra.get(SAID, "").split())


def remember_said(book: Book, case: Case, reading: Reading, action: Action) -> None:
    """`case`: as it stood before."""
    digest, binding = _digest(case, action), spoken_under(book, case, reading)
    if digest and binding:
        kept = [one for one in binding.extra.get(SAID, "").split() if one != digest]
        book.amend(binding.model_copy(update={"extra": binding.extra | {SAID: " ".join([*kept, digest][-_LAST:])}}))


def _digest(case: Case, action: Action) -> str:
    """Empty where nothing tells a repetition from another time."""
    stays = BY_ACTION[action.kind].to is None
    stated = action.stated_at
    if stated is None and action.kind not in _ASKED:
        return ""
    if stated is not None and not stays and f"{stated.astimezone(SHANGHAI):%H%M%S}" == "000000":
        return ""  # a day alone: the same work may be done twice on one
    when = stated.isoformat() if stated else _asked_when(action, case)
    of: tuple[object, ...] = (action.kind, when, action.reason, action.result)
    of += (action.limit and action.limit.model_dump_json(), *([action.until.isoformat()] if action.until else []))
    of += (action.unit,) if action.unit else ()
    return hashlib.sha256(repr(of).encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def _asked_when(action: Action, case: Case) -> tuple[int, ...]:
    """The round of work, and which suspension of the case, or which call of that unit, this would be, or is."""
    if action.kind is ActionKind.WHISTLE:
        return case.round, case.reworks, sum(one.unit == action.unit and not one.open for one in case.assignments)
    if action.kind is ActionKind.ASK_EXTENSION:
        return case.round, case.reworks
    return case.round, case.reworks, case.suspensions - (case.stage is Stage.SUSPENDED)


def spoken_under(book: Book, case: Case, reading: Reading) -> Binding | None:
    """The binding it spoke under; of an owner that speaks by our number alone, its own of the case."""
    spoken = book.known.bindings.get((reading.system, reading.external_id))
    if spoken is not None and spoken.case_id == case.id:
        return spoken
    own = [one for one in book.known.of_case.get(case.id, ()) if one.system == reading.system]
    owners = [one for one in own if one.role is BindingRole.OWNER]
    return next(reversed(owners or own), None)
