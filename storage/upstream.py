"""Looks at other servers' maps: when each was asked last, how it stood, and what changed in what it offers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from storage.store import Store


@dataclass(frozen=True, slots=True)
class Look:
    """How a service stood when it was asked."""

    name: str
    looked_at: datetime | None
    state: str
    since: datetime | None
    why: str
    seconds: float | None
    """How long the slower of its two answers took; None: it gave none."""
    hint: str
    """What should be changed in upstream.yaml."""
    missing: tuple[str, ...]
    """Layers that are used and that it no longer has."""
    missing_since: datetime | None = None
    offered: Mapping[str, Any] | None = None
    """By the last capabilities that could be read."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that came, went or changed."""

    name: str
    at: datetime
    layer: str
    what: str
    change: str
    text: str


class Upstreams:
    """The looks of one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def claim(
        self, name: str, *, by: UUID, now: datetime, every: timedelta, lease: timedelta
    ) -> tuple[bool, Look | None]:  # fmt: skip
        """True and the look before, when it is time to look and nobody else does: ours until the lease ends."""
        values = {"name": name, "by": by, "now": now, "before": now - every, "lease": now + lease}
        async with self.store.transaction() as transaction:
            row = (await transaction.connection.execute(_CLAIM, values)).first()
        if row is None:
            return False, None
        return True, _look(row) if row.looked_at else None

    async def settle(self, look: Look, drift: Sequence[tuple[UUID, Drift]], *, by: UUID) -> bool:
        """Keep the look and what changed. False when another process has it by now."""
        values = {
            "name": look.name, "at": look.looked_at, "state": look.state, "why": look.why[:500],
            "seconds": look.seconds, "hint": look.hint[:500], "missing": list(look.missing), "by": by,
            "offered": orjson.dumps(look.offered).decode() if look.offered is not None else None,
        }  # fmt: skip
        async with self.store.transaction() as transaction:
            if not (await transaction.connection.execute(_SETTLE, values)).rowcount:
                return False
            for id_, one in drift:
                row = {"id": id_, "name": one.name, "at": one.at, "layer": one.layer, "what": one.what,
                       "change": one.change, "text": one.text[:500]}  # fmt: skip
                await transaction.connection.execute(_DRIFT, row)
        return True

    async def looks(self) -> dict[str, Look]:
        """The last look at each service."""
        async with self.store.transaction() as transaction:
            return {row.name: _look(row) for row in await transaction.connection.execute(_LOOKS)}

    async def drift(self, *, name: str = "", limit: int = 100) -> list[Drift]:
        """What changed, the newest first."""
        async with self.store.transaction() as transaction:
            rows = await transaction.connection.execute(_DRIFTS, {"name": name, "limit": limit})
            return [Drift(*row) for row in rows]

    async def keep_only(self, names: Sequence[str], *, since: datetime) -> None:
        """Forget how services stand that are registered no more, and what changed in any before this moment."""
        async with self.store.transaction() as transaction:
            await transaction.connection.execute(_KEEP, {"names": list(names)})
            await transaction.connection.execute(_CUT, {"since": since})


def _look(row: Any) -> Look:  # noqa: ANN401
    offered = orjson.loads(row.offered) if isinstance(row.offered, str) else row.offered
    return Look(
        row.name, row.looked_at, row.state, row.since, row.why, row.seconds, row.hint, tuple(row.missing),
        row.missing_since, offered,
    )  # fmt: skip


_COLUMNS = (
    """name, looked_at, state, since, why, seconds, hint, missing, missing_since, CAST(offered AS text) AS offered"""
)
_CLAIM = text(f"""
INSERT INTO upstream_look AS u (name, claimed_until, claimed_by) VALUES (:name, :lease, :by)
ON CONFLICT (name) DO UPDATE SET claimed_until = EXCLUDED.claimed_until, claimed_by = EXCLUDED.claimed_by
 WHERE (u.looked_at IS NULL OR u.looked_at <= :before) AND (u.claimed_until IS NULL OR u.claimed_until < :now)
RETURNING {_COLUMNS}
""")  # noqa: S608
_SETTLE = text("""
UPDATE upstream_look
   SET looked_at = :at, since = CASE WHEN state = :state THEN coalesce(since, :at) ELSE :at END, state = :state,
       why = :why, seconds = CAST(:seconds AS double precision), hint = :hint,
       missing_since = CASE WHEN cardinality(CAST(:missing AS text[])) > 0 THEN coalesce(missing_since, :at) END,
       missing = :missing, offered = coalesce(CAST(:offered AS jsonb), offered), claimed_until = NULL, claimed_by = NULL
 WHERE name = :name AND claimed_by = :by
""")
_DRIFT = text("""
INSERT INTO upstream_drift (id, name, at, layer, what, change, text)
VALUES (:id, :name, :at, :layer, :what, :change, :text)
""")
_LOOKS = text(f"SELECT {_COLUMNS} FROM upstream_look WHERE looked_at IS NOT NULL ORDER BY name")  # noqa: S608
_DRIFTS = text("""
SELECT name, at, layer, what, change, text FROM upstream_drift
 WHERE :name IN ('', name) ORDER BY at DESC, name, layer, what, text LIMIT :limit
""")
_KEEP = text("DELETE FROM upstream_look WHERE NOT name = ANY(CAST(:names AS text[]))")
_CUT = text("DELETE FROM upstream_drift WHERE at < :since")
