"""Statements and differences as people and machines read them: JSON, CSV, and how far a system can be trusted today."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from canonical.reconciliation import CLASS_TITLES, LineClass
from canonical.tables import harmless
from canonical.time import in_shanghai
from gateway.configuration import ConnectedSystem
from gateway.reconciliation.due import AGAIN, scheduled
from gateway.reconciliation.repair import age, repairs
from storage.differences import Act, Confidence, Difference
from storage.statements import Statement

View = dict[str, Any]
COLUMNS = (
    "class", "title", "lines", "case_no", "part", "external_id", "our_state", "their_state", "our_at", "their_at",
    "text",
)  # fmt: skip
"""Of the export. `lines` sums up to the statement's total: what agrees stands in one row."""


def statement_view(made: Statement) -> View:
    """One statement with its totals."""
    return {
        "id": str(made.id), "system": made.system, "day": made.day.isoformat(), "edition": made.edition,
        "by": made.way, "ordered_by": made.ordered_by, "due_at": _at(made.due_at), "started_at": _at(made.started_at),
        "as_of": _at(made.as_of), "finished_at": _at(made.finished_at),
        "lines": {
            name.value: dict(zip(("lines", "ours", "theirs"), made.counts.get(name, (0, 0, 0)), strict=True))
            for name in LineClass
        },
        "ours": made.ours, "theirs": made.theirs, "left_out": made.left_out, "trouble": made.trouble,
        "balance": {
            "equations": {
                "cases compared = their lines": made.sum(1) == made.ours,
                "items compared = their lines": made.sum(2) == made.theirs,
            },
            "holds": made.balances,
        },
    }  # fmt: skip


def line_view(row: Mapping[str, Any]) -> View:
    """One line of a statement."""
    shown = {name: _at(value) if isinstance(value, datetime) else value for name, value in row.items()}
    return {"class": shown.pop("class"), "title": CLASS_TITLES[LineClass(row["class"])], **shown}


def difference_view(found: Difference, now: datetime, acts: Iterable[Act] | None = None) -> View:
    """One difference, with its age and what can be done about it."""
    view: View = {
        "id": str(found.id), "system": found.system, "class": found.class_.value,
        "title": CLASS_TITLES[found.class_], "state": found.state, "case_no": found.case_no, "part": found.part,
        "external_id": found.external_id, "our_state": found.our_state, "their_state": found.their_state,
        "our_at": _at(found.our_at), "their_at": _at(found.their_at), "text": found.text,
        "first_seen": _at(found.first_seen), "last_seen": _at(found.last_seen),
        "age_hours": round(age(found, now).total_seconds() / 3600, 1), "repair": found.repair,
        "repaired_at": _at(found.repaired_at), "under_repair": found.under_repair, "signed_at": _at(found.signed_at),
        "closed_at": _at(found.closed_at), "closed_how": found.closed_how,
        "repairs": [one.value for one in repairs(found)],
    }  # fmt: skip
    if acts is not None:
        view["acts"] = [
            {"at": _at(one.at), "act": one.act, "actor": one.actor, "reason": one.reason, "outcome": one.outcome}
            for one in acts
        ]
    return view


def confidence_view(
    connected: ConnectedSystem, last: Statement | None, found: Confidence | None, now: datetime
) -> View:  # fmt: skip
    """How far one system and we are known to agree: `confident` only after a recent statement that could say all."""
    plan = connected.system.reconciling
    assert plan is not None
    done = last if last is not None and last.finished_at is not None else None
    recent = done is not None and done.due_at >= scheduled(plan.declared, now - AGAIN)
    confident = bool(done and recent and not done.trouble and done.balances and plan.declared.by != "told")
    return {
        "system": connected.system.role.id, "title": connected.system.role.title, "by": plan.declared.by,
        "why": plan.declared.why, "last": statement_view(done) if done else None,
        "running": last is not None and last.finished_at is None, "recent": recent, "confident": confident,
        "open": found.open if found else 0, "signed_off": found.signed_off if found else 0,
        "by_age": {
            "under_a_day": found.day if found else 0, "under_a_week": found.week if found else 0,
            "older": found.older if found else 0,
        },
        "oldest": _at(found.oldest) if found else None,
    }  # fmt: skip


def csv_of(made: Statement, rows: Iterable[Mapping[str, Any]]) -> str:
    """The statement as CSV for a spreadsheet: what agrees in one row, everything else line by line."""
    told: dict[str, int] = {}
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        shown = line_view(row) | {"lines": 1}
        told[shown["class"]] = told.get(shown["class"], 0) + 1
        writer.writerow({name: _cell(shown[name]) for name in COLUMNS})
    for name in LineClass:
        left = made.counts.get(name, [0])[0] - told.get(name, 0)
        if left:
            text = made.trouble if name is LineClass.UNKNOWN_THERE else ""
            writer.writerow({"class": name.value, "title": CLASS_TITLES[name], "lines": left, "text": _cell(text)})
    return "\ufeff" + out.getvalue()


def _cell(value: object) -> object:
    """A spreadsheet must not take another system's words for a formula."""
    return harmless(value) if isinstance(value, str) else value


def _at(at: datetime | None) -> str | None:
    return in_shanghai(at).isoformat() if at else None
