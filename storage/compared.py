"""Our side of a comparison: what the hub has of a system's cases, and what is still on its way about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from canonical.case import Binding, BindingRole, Case
from canonical.reconciliation import Ours
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Matter:
    """One of ours, and by what the system is asked about it."""

    ours: Ours
    case: Case
    bindings: tuple[Binding, ...]
    """The likeliest first; one with our own number where the system has told none."""


class Compared:
    """What is compared with one system, out of one database."""

    def __init__(self, store: Store, system: str) -> None:
        self.store, self.system = store, system

    async def matters(self, cases: Sequence[UUID], parts: Sequence[str] = ("source", "owner")) -> list[Matter]:
        """Every matter of these cases in which the system has one of these parts, now."""
        found = await self._found(cases)
        return [matter for one in found for matter in _now(one, self.system, parts)]

    async def named(self, ids: Sequence[str], references: Sequence[str]) -> list[Matter]:
        """Every matter that one of the system's ids, or one of our numbers, means: earlier rounds too."""
        numbers = [reference.partition("-")[0] for reference in references if reference]
        values = {"system": self.system, "ids": list(ids), "numbers": numbers}
        async with self.store.transaction() as transaction:
            cases = (await transaction.connection.execute(_NAMED, values)).scalars().all()
        found = await self._found(cases)
        return [matter for one in found for matter in (*_now(one, self.system, _BOTH), *_earlier(one, self.system))]

    async def _found(self, cases: Sequence[UUID]) -> "list[_Found]":
        values = {"system": self.system, "ids": list(cases)}
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(_FACTS, values)).all()
            bindings = (await transaction.connection.execute(_BINDINGS, values)).scalars().all()
        of: dict[UUID, list[Binding]] = {}
        for body in bindings:
            binding = Binding.model_validate_json(body)
            of.setdefault(binding.case_id, []).append(binding)
        return [_Found(row, Case.model_validate_json(row.state), of.get(row.id, [])) for row in rows]


_BOTH = ("source", "owner")


@dataclass(frozen=True, slots=True)
class _Found:
    row: Row[Any]
    case: Case
    bindings: list[Binding]

    def ours(
        self, subject: str, part: str, bindings: Sequence[Binding], *, earlier: bool = False, round_: int = 0
    ) -> Matter:
        case, row = self.case, self.row
        reference = _reference(case, part, round_ if earlier else case.round)
        heard_at = max(filter(None, (row.moved_at, row.heard_at)))
        ours = Ours(
            subject=subject, case_id=case.id, case_no=case.no, part=part,
            external_ids=tuple(binding.external_id for binding in bindings),
            reference=reference, stage=case.stage, changed_at=row.changed_at, heard_at=heard_at, ended=case.ended,
            times=_times(case), attachments=row.files, underway=_underway(row), earlier=earlier,
        )  # fmt: skip
        return Matter(ours, case, tuple(bindings))


def _now(one: _Found, system: str, parts: Sequence[str]) -> Iterator[Matter]:
    """A case it reported is known by each of its numbers; one it works on by that of the round."""
    owner = one.case.owner == system
    sources = [binding for binding in one.bindings if binding.role is BindingRole.SOURCE]
    if sources and ("source" in parts or (owner and "owner" in parts)):
        part = "lead_system" if one.case.lead_system == system else "both" if owner else "source"
        yield from (one.ours(f"source:{binding.external_id}", part, [binding]) for binding in sources)
    elif owner and "owner" in parts:
        round_ = one.case.round
        known = [b for b in one.bindings if b.role is BindingRole.OWNER and b.round == round_]
        known.sort(key=lambda binding: (binding.external_id == one.case.reference, -binding.since, binding.external_id))
        matter = one.ours(f"owner:{one.case.reference}", "owner", known)
        yield matter if known else Matter(matter.ours, one.case, (_unnamed(one.case, system),))


def _unnamed(case: Case, system: str) -> Binding:
    return Binding(
        case_id=case.id, system=system, role=BindingRole.OWNER, round=case.round, external_id=case.reference,
        reference=case.reference,
    )  # fmt: skip


def _earlier(one: _Found, system: str) -> Iterator[Matter]:
    """Rounds that are over, and ids that were given up when the case was handed over again."""
    case = one.case
    own = [one.round for one in case.assignments if one.system == system]
    over = [round_ for round_ in own if round_ != case.round or not case.owner]
    for round_ in (0, *over):
        known = [b for b in one.bindings if b.role is BindingRole.OWNER and b.round == round_]
        if round_ or known:
            yield one.ours(f"earlier:{case.no}-{round_}", "owner", known, earlier=True, round_=round_)


def _reference(case: Case, part: str, round_: int) -> str:
    """Our number as that round's owner got it; a source has its own."""
    return f"{case.no}-{round_}" if part == "owner" and round_ else ""


def _times(case: Case) -> Mapping[str, datetime]:
    latest = case.assignment
    said = {
        "reported_at": case.reported_at, "received_at": case.received_at, "filed_at": case.filed_at,
        "dispatched_at": latest.dispatched_at if latest else None, "disposed_at": case.disposed_at,
        "closed_at": case.closed_at,
    }  # fmt: skip
    return {name: at for name, at in said.items() if at is not None}


_STATES = {
    "pending": "waits to be sent", "waiting": "waits to be sent", "sent": "is being sent", "sending": "is being sent",
    "in_doubt": "is in doubt", "refused": "was refused and waits for a person", "parked": "waits for a person",
}  # fmt: skip


def _underway(row: Row[Any]) -> str:
    if row.delivery is None:
        return ""
    message, state, in_doubt = row.delivery
    return f"{message} {_STATES['in_doubt'] if in_doubt == 'true' else _STATES.get(state, state)}"


_FACTS = text("""
SELECT c.id, CAST(c.state AS text) AS state,
       (SELECT max(e.at) FROM event e
         WHERE e.case_id = c.id AND e.body ->> 'from_' IS DISTINCT FROM e.body ->> 'to') AS changed_at,
       (SELECT max(e.at) FROM event e WHERE e.case_id = c.id) AS moved_at,
       (SELECT max(m.at) FROM message m WHERE m.case_id = c.id AND m.system = :system) AS heard_at,
       (SELECT count(*) FROM attachment a WHERE a.case_id = c.id AND a.system = :system) AS files,
       (SELECT ARRAY[d.message, d.state, CAST(d.in_doubt AS text)] FROM delivery d
         WHERE d.case_id = c.id AND d.system = :system AND d.state NOT IN ('acknowledged', 'withdrawn')
         ORDER BY d.seq LIMIT 1) AS delivery
  FROM cases c WHERE c.id = ANY(CAST(:ids AS uuid[])) ORDER BY c.id
""")
_BINDINGS = text("""
SELECT CAST(body AS text) FROM binding WHERE system = :system AND case_id = ANY(CAST(:ids AS uuid[]))
 ORDER BY case_id, external_id
""")
_NAMED = text("""
SELECT case_id FROM binding WHERE system = :system AND external_id = ANY(CAST(:ids AS text[]))
UNION
SELECT id FROM cases WHERE no = ANY(CAST(:numbers AS text[]))
""")
