"""Joint work 吹哨联动 in `gridhub case show`."""

from collections.abc import Iterator
from typing import Any

_DONE_WHEN = {"all": "all have answered", "quorum": "more than half have answered", "lead": "the lead says so"}
_STATES = {"under_way": "under way", "done": "done", "ended": "ended without it"}


def joint_lines(works: list[dict[str, Any]]) -> Iterator[str]:
    """Each joint work in a few lines, to be read at 80 columns: how far it is, then one unit after the other."""
    for work in works:
        yield ""
        yield f"joint work 吹哨联动, {_STATES[work['state']]}: {work['by_name']} called {work['called']} {_time(work['since'])}"
        yield f"  {work['lead_name']} {work['lead']} leads 主办"
        yield f"  done when {_DONE_WHEN[work['completion']]}: {work['answered']} of {work['called']} answered{_rest(work)}"
        for unit in work["units"]:
            yield from _unit(unit)


def _rest(work: dict[str, Any]) -> str:
    waits = f", waits for {', '.join(work['waits_for'])}" if work["waits_for"] else ""
    early = f"; the lead has answered {_time(work['lead_answered_at'])}, kept" if work["lead_answered_at"] else ""
    return waits + early


def _unit(unit: dict[str, Any]) -> Iterator[str]:
    through = f"{unit['system']}, {unit['told']}" if unit["system"] else "no system, the desk hands it over"
    yield f"  {unit['name']} {unit['unit']}"
    yield f"    {unit['reference']} through {through}" if unit["system"] else f"    {unit['reference']}: {through}"
    there = f"报到 {_time(unit['reported_in_at'])}" if unit["reported_in_at"] else "未报到 not there yet"
    by = f", by {_time(unit['report_in_by'])}" if unit["report_in_by"] else ""
    yield f"    {there}{by}{', LATE 超时' * unit['report_in_late']}"
    if unit["declined_at"]:
        yield f"    不予报到 declined {_time(unit['declined_at'])}: {unit['declined_because']}"
        return
    answer = f"反馈 {_time(unit['answered_at'])}" if unit["answered_at"] else "未反馈 not answered"
    by = f", by {_time(unit['answer_by'])}" if unit["answer_by"] else ""
    yield f"    {answer}{by}{', LATE 超时' * unit['answer_late']}"
    if unit["result"]:
        yield f"    {unit['result']}"


def _time(iso: str | None) -> str:
    return iso[:16].replace("T", " ") if iso else "-"
