"""Cases as lists: filtered, in three orders, page after page by key: the thousandth page costs what the first does.

What a list is asked for stands in `Wanted`; whose list it is, in the scope.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import text

from canonical.case import Case
from canonical.rights import Scope
from storage.scoping import literal, seen, values
from storage.spans import EARLIER, LATER, first_id
from storage.stages import OPEN_STAGES
from storage.store import Store


class Order(StrEnum):
    """How a list of cases is sorted."""

    NO = "no"
    """By number, the lowest first."""
    NEWEST = "newest"
    """What the hub took in last comes first."""
    DUE = "due"
    """Open cases whose work is not done, what is due first comes first."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases. What is left empty does not limit; limits hold together."""

    queue: str = ""
    stage: str = ""
    source: str = ""
    owner: str = ""
    class_code: str = ""
    """The beginning of a class's code."""
    area: str = ""
    """The beginning of a division's code."""
    unit: str = ""
    """The unit that leads."""
    level: str = ""
    """The loop that has it."""
    channel: str = ""
    received_from: datetime | None = None
    received_until: datetime | None = None
    """Before this instant."""
    due_before: datetime | None = None
    """Open, the work not done, and due before this instant."""


class WrongPage(ValueError):
    """The key of a page is none of this order."""


_EQUAL = {
    "queue": "c.queue", "stage": "c.stage", "source": "c.source", "owner": "c.owner", "unit": "c.unit",
    "level": "c.state ->> 'level'", "channel": "c.state ->> 'channel'",
}  # fmt: skip
_BEGINNING = {"class_code": "c.class_code", "area": "c.area"}
_UNDONE = f"c.due_at IS NOT NULL AND c.disposed_at IS NULL AND c.stage IN ({OPEN_STAGES})"
_RECEIVED = {
    "received_from": ("c.received_at >= :received_from AND c.id >= :first_id", "first_id", -EARLIER),
    "received_until": ("c.received_at < :received_until AND c.id < :last_id", "last_id", LATER),
}
"""By the instant, and by the span of ids that it can lie in: there is no index of the instant."""


@dataclass(frozen=True, slots=True)
class _Way:
    """One order: its columns, and what the key of a page says."""

    by: str
    after: str
    also: str = "true"


_WAYS: Mapping[Order, _Way] = MappingProxyType(
    {
        Order.NO: _Way("c.no", "c.no > :no"),
        Order.NEWEST: _Way("c.id DESC", "c.id < :id"),
        Order.DUE: _Way("c.due_at, c.id", "(c.due_at, c.id) > (:due, :id)", _UNDONE),
    }
)


class CaseList:
    """The lists of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def page(
        self, wanted: Wanted, *, scope: Scope, order: Order = Order.NO, after: str = "", limit: int = 50
    ) -> tuple[list[Case], str | None]:
        """A page and the key of the following one; None: there is none. `after`: the key of this one, empty: the first.

        Raises WrongPage, and DatabaseAway.
        """
        way = _WAYS[order]
        key = page_key(order, after)
        where, given = conditions(wanted)
        query = text(f"""
            SELECT CAST(c.state AS text) AS state, c.id, c.no, c.due_at FROM cases c
             WHERE {where} AND {seen(scope)} AND {way.also} AND {way.after if key else "true"}
             ORDER BY {way.by} LIMIT :limit
        """)  # noqa: S608 words of our own
        async with self.store.transaction() as transaction:
            rows = (await transaction.connection.execute(query, given | key | values(scope) | {"limit": limit})).all()
        following = _key_of(order, rows[-1].no, rows[-1].id, rows[-1].due_at) if len(rows) == limit else None
        return [Case.model_validate_json(row.state) for row in rows], following


def conditions(wanted: Wanted) -> tuple[str, dict[str, object]]:
    """What the row `c` of `cases` must be, for `text`, and the parameters."""
    found, given = ["true"], dict[str, object]()
    for name, column in _EQUAL.items():
        if value := getattr(wanted, name):
            found.append(f"{column} = :{name}")
            given[name] = str(value)
    for name, column in _BEGINNING.items():
        if value := getattr(wanted, name):
            found.append(f"{column} LIKE :{name}")
            given[name] = f"{literal(value)}%"
    for name, (condition, id_name, slack) in _RECEIVED.items():
        if at := getattr(wanted, name):
            found.append(condition)
            given |= {name: at, id_name: first_id(_moved(at, slack))}
    if wanted.due_before:
        found.append(f"{_UNDONE} AND c.due_at < :due_before")
        given["due_before"] = wanted.due_before
    return " AND ".join(found), given


def _moved(at: datetime, by: timedelta) -> datetime:
    """Earlier or later; the instant itself at the ends of the calendar."""
    try:
        return at + by
    except OverflowError:
        return at


def page_key(order: Order, after: str) -> dict[str, object]:
    """The parameters that the key of a page stands for; none for the first page. Raises WrongPage."""
    if not after:
        return {}
    if order is Order.NO:
        return {"no": after}
    due, _, id_ = after.rpartition("_")
    try:
        key: dict[str, object] = {"id": UUID(id_)}
        if order is Order.DUE:
            key["due"] = datetime.fromisoformat(due).astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongPage("not what 'next' of this order was") from None
    return key


def _key_of(order: Order, no: str, id_: UUID, due_at: datetime | None) -> str:
    if order is Order.NO:
        return no
    if order is Order.NEWEST or due_at is None:
        return str(id_)
    return f"{due_at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z_{id_}"
