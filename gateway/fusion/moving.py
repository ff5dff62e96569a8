"""Open cases of a class change their centre: taken over from the lead system, or handed back to it.

Batch by batch, each in one transaction with what the system is told. A case has one centre at every moment; whoever
stops in between begins again and goes on with the rest.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from canonical.case import Action, Actor, Case, new_action
from canonical.codes import ClassCode
from canonical.errors import IllegalAction
from canonical.lifecycle import ActionKind, Party
from canonical.records import Known
from gateway.fusion.review import not_told
from gateway.hub import Hub
from gateway.refusal import Refusal
from routing.book import Book
from routing.completing import completed
from routing.fusion import Fusion, Leading
from routing.responsibility import class_key_of
from storage.batch import Batch

AT_ONCE = 200
"""Cases of one transaction."""
_FIRST = UUID(int=0)


@dataclass(slots=True)
class Moved:
    """What became of the open cases."""

    system: str
    pattern: str
    done: int = 0
    """They have another centre now, or would have."""
    stay: Counter[str] = field(default_factory=Counter)
    """Why the others keep theirs: how many."""
    cases: list[str] = field(default_factory=list)
    """Numbers of those that stay."""
    untold: str = ""
    """Why the system is not told, so that its people have to be; empty: it is."""

    @property
    def seen(self) -> int:
        """All that were looked at."""
        return self.done + self.stay.total()


Progress = Callable[[Moved], None]


async def move(
    hub: Hub, kind: ActionKind, system: str, pattern: str, *, reason: str, by: str, dry: bool = False,
    told: Progress = lambda _: None,
) -> Moved:  # fmt: skip
    """Take over, or hand back, the open cases of a class pattern such as `30428.2:E04-*`.

    Only cases whose class fusion.csv gives to that centre now; the others stay, counted with the reason. `dry`: only
    says what would become of them. Raises Refusal for a pattern or system that cannot be meant.
    """
    city, prefix = hub.configuration.city, prefix_of(pattern)
    _checked(city.fusion, system)
    role = city.systems.get(system)
    moved, last = Moved(system, pattern, untold=not_told(role, kind) if role else ""), _FIRST
    while True:
        async with hub.store.batch() as batch:
            known = await _page(kind, batch)(system, prefix, last, AT_ONCE)
            book = Book(known, city, hub.now(), hub.ids)
            for case in list(known.cases.values()):
                action = new_action(
                    kind=kind, actor=Actor(party=Party.CENTRE, id=by), at=book.now, reason=reason, system=system
                )
                _one(book, case, action, moved)
            if book.changes.events and not dry:
                await batch.save(book.changes, book.now)
        told(moved)
        if len(known.cases) < AT_ONCE:
            return moved
        last = max(known.cases)


def _page(kind: ActionKind, batch: Batch) -> Callable[[str, str, UUID, int], Awaitable[Known]]:
    return batch.led_by if kind is ActionKind.TAKE_OVER else batch.ours_from


def _one(book: Book, case: Case, action: Action, moved: Moved) -> None:
    why = _stays(book.city.fusion.row(case.class_code, book.now), action.kind, action.system)
    if not why:
        try:
            book.do(case.id, completed(action, case, book), None)
            book.follow(case.id)
            moved.done += 1
            return
        except IllegalAction as error:
            why = str(error).replace(f"case {case.no}", "it").replace(case.no, "it")
    moved.stay[why] += 1
    moved.cases.append(case.no)


def _stays(row: Leading | None, kind: ActionKind, system: str) -> str:
    """Why fusion.csv does not let it move; empty: it does."""
    leads = row.system if row else ""
    if kind is ActionKind.TAKE_OVER:
        return f"by fusion.csv {leads} leads its class" if leads else ""
    return "" if leads == system else f"by fusion.csv {leads or 'the hub'} leads its class"


def prefix_of(pattern: str) -> str:
    """How the codes of a class pattern begin: `30428.2:E04-` of `30428.2:E04-*`. Raises Refusal for what is none."""
    if class_key_of(pattern) is None:
        hint = "write 30428.2:E04-06, 30428.2:E04-*, 30428.2:E* or *"
        raise Refusal(422, "invalid", f"class: '{pattern[:48]}' is no class pattern", hint)
    return pattern.removesuffix("*")


def _checked(fusion: Fusion, system: str) -> None:
    if system not in fusion.systems:
        known = ", ".join(sorted(fusion.systems)) or "none"
        hint = f"systems of fusion.csv: {known}"
        raise Refusal(404, "unknown_system", f"system: '{system[:48]}' leads no class, and never has", hint)


def now_leading(fusion: Fusion, text: str, now: datetime) -> str:
    """Who is the centre for new cases of a class, and the row that says so."""
    row = fusion.row(ClassCode.parse(text) if text else None, now)
    return f"{row.system or 'hub'} ({row.id})" if row else "hub"
