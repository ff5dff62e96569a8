"""Modes of fusion as the API and the command line tell them: who leads what, what is open, where both differ."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from canonical.time import in_shanghai
from gateway.fusion.moving import Moved, now_leading
from gateway.views import View, row_view
from routing.fusion import Fusion
from storage.shadows import Agreement, Shadows


async def status_view(fusion: Fusion, shadows: Shadows, now: datetime) -> View:
    """Who is the centre for which class, since when, and how many cases are open under whom."""
    rows = [
        {
            "id": row.id, "class": row.pattern, "centre": row.system or "hub", "unit": row.unit,
            "since": in_shanghai(row.since).isoformat(), "in_force": row.since <= now, "basis": row.basis,
        }
        for row in fusion.rows
    ]  # fmt: skip
    led = await shadows.led()
    return {
        "mode": "lead_system" if fusion.leading_now(now) else "separate_hub",
        "rows": rows,
        "open": [
            {
                "centre": one.system or "hub", "source": one.source, "class": one.class_code, "cases": one.open,
                "new_cases_go_to": now_leading(fusion, one.class_code, now),
            }
            for one in led
        ],
    }  # fmt: skip


async def comparison_view(shadows: Shadows, since: datetime, until: datetime, pattern: str, limit: int) -> View:
    """How often both decided alike, class by class, and the latest decisions in which they differ."""
    found = await shadows.agreement(since, until, pattern)
    differing = await shadows.differing(since, until, pattern, limit)
    return {
        "since": in_shanghai(since).isoformat(), "until": in_shanghai(until).isoformat(),
        "classes": [asdict(one) | {"agreement": _shares(one)} for one in found],
        "differing": [row_view(one) for one in differing],
    }  # fmt: skip


def moved_view(moved: Moved, *, dry: bool) -> View:
    """What became of the open cases of a class."""
    stay = [{"why": why, "cases": count} for why, count in moved.stay.most_common()]
    return {
        "system": moved.system, "class": moved.pattern, "dry_run": dry, "seen": moved.seen, "moved": moved.done,
        "stay": stay, "some_that_stay": moved.cases[:20],
        "not_told": moved.untold,
    }  # fmt: skip


def _shares(one: Agreement) -> dict[str, Any]:
    """Of what could be compared; None: nothing could 无基数."""
    return {
        "filing": _share(one.filed_same, one.filed - one.filed_open),
        "unit": _share(one.unit_same, one.given - one.unit_open),
        "due": _share(one.due_same, one.due),
        "on_time": _share(one.done - one.on_time_ours - one.on_time_theirs, one.done),
    }


def _share(part: int, base: int) -> float | None:
    return round(part / base, 4) if base > 0 else None
