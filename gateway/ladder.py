"""Whom the ladder 逐级升级 tells: the rungs that cases reached together, as notices.

A notice says which cases, by our own numbers, of which unit, and for whom it is meant; never anything that a citizen or
another system said.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from canonical.case import Case, Event, Told
from canonical.clock import CLOCK_TITLES
from canonical.time import in_shanghai
from routing.book import Book
from routing.trade_rules import Rung
from storage.rung_notices import LADDER, RungNotice

OCCASION = "rung"
_Reached = list[tuple[Case, Event, Told]]


def rung_notices(book: Book, ids: Callable[[], UUID]) -> list[RungNotice]:
    """A notice for each rung that names somebody, and each system whose cases reached it in this batch."""
    rules, reached = book.city.rules, defaultdict[tuple[str, str, str], _Reached](list)
    rungs: dict[tuple[str, str], Rung] = {}
    for event in book.changes.events:
        told = event.action.told
        rung = rules.rung(told.clock, told.step) if told else None
        if told is None or rung is None or not rung.notify:
            continue
        case = book.known.cases[event.case_id]
        if case.lead_system:  # its centre is another, and has a ladder of its own
            continue
        rungs[told.clock, told.step] = rung
        reached[told.clock, told.step, _system(case, event.action.unit)].append((case, event, told))
    return [_notice(book, ids(), rungs[clock, step], system, found) for (clock, step, system), found in reached.items()]


def _system(case: Case, unit: str) -> str:
    """The system through which this unit has its work."""
    return next((one.system for one in reversed(case.assignments) if one.unit == unit), "")


def _notice(book: Book, notice: UUID, rung: Rung, system: str, reached: _Reached) -> RungNotice:
    role, moments = book.city.systems.get(system), [told.at for _, _, told in reached]
    body = {
        "notice": str(notice), "occasion": OCCASION, "source": LADDER, "system": system,
        "title": role.title if role else "", "city": book.city.name, "count": len(reached),
        "counts": {f"{rung.clock} {rung.step}": len(reached)},
        "first_at": in_shanghai(min(moments)).isoformat(), "last_at": in_shanghai(max(moments)).isoformat(),
        "at": in_shanghai(book.now).isoformat(), "clock": rung.clock, "clock_title": CLOCK_TITLES[rung.clock],
        "step": rung.step, "notify": list(rung.notify), "supervise": rung.supervise, "escalate": rung.escalate,
        "basis": rung.source, "cases": [_case(book, *one) for one in reached],
    }  # fmt: skip
    return RungNotice(notice, system, f"{OCCASION} {rung.clock} {rung.step}", len(reached), body)


def _case(book: Book, case: Case, event: Event, told: Told) -> dict[str, Any]:
    unit = book.city.responsibility.units.get(event.action.unit)
    return {
        "case_no": case.no, "unit": event.action.unit, "unit_title": unit.name if unit else "",
        "step_at": in_shanghai(told.at).isoformat(), "late": told.late,
    }  # fmt: skip


def subject(body: dict[str, Any]) -> str:
    """What a mail is about."""
    to = "、".join(body["notify"])
    return f"{body['count']} 件 {body['clock_title']} {body['step']}, 告知 {to} | {body['clock']} {body['step']}"


def lines(body: dict[str, Any]) -> Iterable[str]:
    """The mail itself, beneath the system's name."""
    yield f"{body['clock_title']} {body['step']}: {body['count']}"
    yield f"for {', '.join(body['notify'])}"
    yield from _said(body)
    yield ""
    for one in body["cases"]:
        late = " (told late)" if one["late"] else ""
        yield f"  {one['case_no']}  {one['step_at'][:16].replace('T', ' ')}  {one['unit']} {one['unit_title']}{late}"
    yield from ("", "gridhub case show NUMBER", "gridhub clocks --overdue")


def _said(body: dict[str, Any]) -> Sequence[str]:
    done = f"督办 {body['supervise']}" if body["supervise"] else "上报上级 escalated" if body["escalate"] else ""
    return [text for text in (done, body["basis"]) if text]
