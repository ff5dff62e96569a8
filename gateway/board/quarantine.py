"""`/api/quarantine`: codes without a row, rows added while the hub runs, and reading again what waited for them."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from canonical.message import Direction, Verdict
from canonical.replay import Chosen, OnFailure, Replay
from canonical.rights import Right
from canonical.time import in_shanghai
from gateway.access import Who, acting, of_the_city
from gateway.board.codes import Crosswalk, Tried, Waiting, known_values, suggestions, waiting
from gateway.board.who import Actor
from gateway.hub import Hub
from gateway.recent import Recent
from gateway.refusal import Refusal, plain
from gateway.renewal import Renewal
from gateway.replay.plan import Order
from gateway.replay.run import Replayer, keep_editions
from gateway.replay.view import replay_view
from gateway.trial import numbers_masked
from gateway.views import View, row_view
from storage.code_rows import CodeRow, CodeRows
from storage.quarantine import deferred

_MOST, _EXAMPLES = 500, 5
_TEXT = r"^[^\x00\r\n]*$"
Limited = Annotated[int, Query(ge=1, le=_MOST, description="rows at most")]
System = Annotated[str, Query(description="only of this system", max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class RowOrder(_Body):
    """A row for a code table."""

    system: str = Field(min_length=1, max_length=100, description="name of the system in systems.yaml")
    table: str = Field(
        min_length=1, max_length=100, pattern=r"^[\w-]+$", description="name of the table, such as kinds"
    )
    local: str = Field(min_length=1, max_length=200, pattern=_TEXT, description="the system's own code")
    canonical: str = Field(
        min_length=1, max_length=200, pattern=_TEXT, description="the hub's value, or: text only, unchanged, quarantine"
    )
    title: str = Field(default="", max_length=200, pattern=_TEXT, description="what the code is called")
    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$", description="why; kept with the row")
    replay: bool = Field(default=True, description="read again what waits for this code")
    dry_run: bool = Field(default=False, description="true: only tell what it would do")
    actor: Actor = ""


class AgainOrder(_Body):
    """Read quarantined messages of a system again, whatever they wait for."""

    system: str = Field(min_length=1, max_length=100, description="name of the system in systems.yaml")
    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$", description="why; kept in the ledger")
    actor: Actor = ""


def quarantine_routes(hub: Hub, renewal: Renewal) -> APIRouter:
    """The routes. Codes are the whole city's."""
    router = APIRouter(prefix="/api/quarantine")
    watch, operate = Depends(of_the_city(hub, Right.WATCH)), Depends(of_the_city(hub, Right.OPERATE))
    crosswalk, rows = Crosswalk(hub, renewal), CodeRows(hub.store)

    async def looked() -> list[Waiting]:
        return await waiting(hub)

    codes = Recent(looked)

    @router.get("", summary="What waits in quarantine, by system; codes without a row", dependencies=[watch])
    async def listed(
        system: System = "",
        after: Annotated[int, Query(ge=0, le=10**6, description="`next` of the answer before")] = 0,
        limit: Limited = 100,
    ) -> View:
        """Codes are those of the newest 2,000 messages. `suggestions`: rows of the same table whose codes are alike."""
        found = [one for one in await codes.get() if not plain(system) or one.missing.system == system]
        counts = await deferred(hub.store, (Verdict.QUARANTINED,))
        shown = found[after : after + limit]
        return {
            "items": [_waiting_view(hub, one) for one in shown],
            "next": after + limit if after + limit < len(found) else None,
            "systems": [
                {"system": one.system, "count": one.count, "since": in_shanghai(one.oldest).isoformat()}
                for one in counts
            ],
        }  # fmt: skip

    @router.get("/codes", summary="Rows that people added while the hub ran, the newest first", dependencies=[watch])
    async def added(
        system: System = "", after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="`next`")] = None,
        limit: Limited = 100,
    ) -> View:  # fmt: skip
        found = [row for row in reversed(await rows.all(plain(system))) if after is None or row.id < after]
        shown = found[:limit]
        return {"items": [row_view(row) for row in shown], "next": shown[-1].id if len(found) > limit else None}

    @router.post("/codes", summary="Add a row to a code table; used at once by all processes")
    async def add(order: RowOrder, who: Annotated[Who, operate]) -> View:
        """Whatever waits for the code is read again. To take a row back, add one that says `quarantine`."""
        by = acting(who, plain(order.actor))
        _known(hub, order.system)
        row = CodeRow(order.system, order.table, order.local, order.canonical, order.title, by, order.reason, hub.now())
        if order.dry_run:
            return _tried_view((await crosswalk.tried(row))[0]) | {"added": False, "replay": None}
        tried = await crosswalk.add(row)
        done = await crosswalk.replay(
            order.system, tried.messages if order.replay else (), by=by, reason=f"{order.reason} (code {order.local})"
        )
        edition = hub.configuration.systems[order.system].edition
        return _tried_view(tried) | {"added": True, "edition": edition, "replay": await _became(hub, done)}

    @router.post("/replay", summary="Read again what of a system is in quarantine, for whatever reason")
    async def again(order: AgainOrder, who: Annotated[Who, operate]) -> View:
        """Planned and begun at once; workers carry it out. See `/api/replays/{replay}`."""
        by = acting(who, plain(order.actor))
        _known(hub, order.system)
        await keep_editions(hub)
        replayer, chosen = Replayer(hub), Chosen(verdict=(str(Verdict.QUARANTINED),))
        planned = await replayer.plan(
            Order(system=order.system, direction=Direction.IN, chosen=chosen, on_failure=OnFailure.SKIP)
        )
        started = await replayer.start(planned.id, by, order.reason) if planned.total else None
        return {"messages": planned.total, "replay": replay_view(started) if started else None}

    return router


def _known(hub: Hub, system: str) -> None:
    if system not in hub.configuration.systems:
        raise Refusal(404, "unknown_system", f"no system {system[:64]} is connected", "see /api/systems")


def _waiting_view(hub: Hub, one: Waiting) -> View:
    missing, connected = one.missing, hub.configuration.systems[one.missing.system]
    table = missing.table.removeprefix("codes/").removesuffix(".csv")
    return {
        "system": missing.system, "system_title": connected.system.role.title, "table": table, "file": missing.table,
        "code": numbers_masked(missing.code), "field": missing.field, "path": missing.path, "count": missing.count,
        "since": in_shanghai(missing.first).isoformat(), "newest": in_shanghai(missing.last).isoformat(),
        "messages": [str(message) for message in one.messages[-_EXAMPLES:]],
        "suggestions": [asdict(row) for row in suggestions(connected, missing.table, missing.code)],
        "values": known_values(connected, table) if missing.table.startswith("codes/") else [],
    }  # fmt: skip


def _tried_view(tried: Tried) -> View:
    reads: dict[str, int] = {}
    for _, as_ in tried.reads:
        reads[as_] = reads.get(as_, 0) + 1
    return {
        "row": row_view(tried.row), "messages": len(tried.messages), "heals": tried.heals, "reads": reads,
        "examples": [{"message": str(id_), "reads": as_} for id_, as_ in tried.reads[:_EXAMPLES]],
    }  # fmt: skip


async def _became(hub: Hub, done: Replay | None) -> View | None:
    if done is None:
        return None
    outcomes: dict[str, Any] = await Replayer(hub).replays.outcomes(done.id)
    return {"id": str(done.id), "state": done.state, "total": done.total, "outcomes": outcomes}
