"""/api/reconciliation: statements, differences, and what a person does about them."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from canonical.errors import Unacceptable, Why
from canonical.reconciliation import LineClass
from canonical.rights import Right
from canonical.time import in_shanghai
from gateway.access import Who, acting, of_the_city
from gateway.configuration import ConnectedSystem
from gateway.hub import Hub
from gateway.reconciliation.repair import Done, Repair, Repairer
from gateway.reconciliation.view import confidence_view, csv_of, difference_view, line_view, statement_view
from storage.differences import Differences
from storage.statements import Statement, Statements

View = dict[str, Any]
_PRINTED = r"^[^\x00]*[^\x00\s][^\x00]*$"
Named = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=100, description="who does it, with the centre's token")]
Reason = Annotated[str, Field(pattern=_PRINTED, max_length=500, description="why; kept with the difference")]
Limited = Annotated[int, Query(ge=1, le=1000, description="rows at most")]
State = Literal["open", "signed_off", "closed", "all"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RunOrder(_Body):
    """Compare one system now."""

    system: str
    actor: Named = ""


class SignOff(_Body):
    """A difference may stay as it is until it changes."""

    actor: Named = ""
    reason: Reason


class RepairOrder(SignOff):
    """Repair a difference."""

    how: Repair


def reconcile_routes(hub: Hub) -> APIRouter:
    """Everything below /api/reconciliation: of the whole city."""
    watched = [Depends(of_the_city(hub, Right.WATCH))]
    router = APIRouter(prefix="/api/reconciliation", dependencies=watched)
    _statements(router, hub)
    _differences(router, hub)
    return router


def _statements(router: APIRouter, hub: Hub) -> None:
    statements, differences = Statements(hub.store), Differences(hub.store)
    operate = of_the_city(hub, Right.OPERATE)

    @router.get("", summary="How far each system and we are known to agree: last statement, open differences by age")
    async def overview() -> View:
        open_ = {one.system: one for one in await differences.confidence(hub.now())}
        return {
            "items": [
                confidence_view(connected, await statements.last(name), open_.get(name), hub.now())
                for name, connected in sorted(compared_systems(hub).items())
            ]
        }

    @router.get("/statements", summary="Statements, the newest first")
    async def found(system: str = "", day: date | None = None, limit: Limited = 50) -> View:
        made = await statements.find(system=_text(system), day=day, limit=limit)
        return {"items": [statement_view(one) for one in made]}

    @router.get("/statements/{statement}", summary="One statement with its lines, besides those that agree")
    async def one(
        statement: UUID,
        form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
        after: str = "",
        limit: Limited = 1000,
    ) -> Any:  # noqa: ANN401
        made = await statements.get(statement)
        if made is None:
            raise Unacceptable(f"there is no statement {statement}", why=Why.UNKNOWN_CASE)
        if form == "csv":
            name = f"{made.system}-{made.day}-{made.edition}.csv"
            headers = {"content-disposition": f'attachment; filename="{name}"'}
            return Response(csv_of(made, await all_lines(statements, made)), 200, headers, "text/csv; charset=utf-8")
        rows = await statements.lines(statement, after=_text(after), limit=limit)
        following = rows[-1]["subject"] if len(rows) == limit else None
        return {"statement": statement_view(made), "items": [line_view(row) for row in rows], "next": following}

    @router.post("/run", summary="Compare one system now; a worker does it")
    async def run(order: RunOrder, who: Annotated[Who, Depends(operate)]) -> View:
        actor = acting(who, order.actor)
        connected = compared_systems(hub).get(order.system)
        if connected is None or connected.system.reconciling is None:
            raise Unacceptable(f"no system '{order.system[:64]}' is compared", why=Why.UNKNOWN_CASE)
        now, way = hub.now(), connected.system.reconciling.declared.by
        day = in_shanghai(now).date()
        made = await statements.order(order.system, day, now, id=hub.ids(), way=way, by=actor)
        return {"statement": str(made)}


def _differences(router: APIRouter, hub: Hub) -> None:
    differences, repairer = Differences(hub.store), Repairer(hub)
    operate = of_the_city(hub, Right.OPERATE)

    @router.get("/differences", summary="Differences, the oldest first")
    async def found(
        system: str = "", class_: Annotated[LineClass | None, Query(alias="class")] = None, state: State = "open",
        case_no: str = "", limit: Limited = 200,
    ) -> View:  # fmt: skip
        rows = await differences.find(
            system=_text(system), class_=class_ or "", state="" if state == "all" else state, case_no=_text(case_no),
            limit=limit,
        )  # fmt: skip
        return {"items": [difference_view(one, hub.now()) for one in rows]}

    @router.get("/differences/{difference}", summary="One difference, with what was done about it")
    async def one(difference: UUID) -> View:
        return await _shown(difference)

    @router.post("/differences/{difference}/repair", summary="Repair a difference; done twice it is harmless")
    async def repair(difference: UUID, order: RepairOrder, who: Annotated[Who, Depends(operate)]) -> View:
        actor = acting(who, order.actor)
        return await _done(difference, await repairer.repair(difference, order.how, actor=actor, reason=order.reason))

    @router.post("/differences/{difference}/sign-off", summary="Accept a difference until it changes")
    async def sign_off(difference: UUID, order: SignOff, who: Annotated[Who, Depends(operate)]) -> View:
        actor = acting(who, order.actor)
        return await _done(difference, await repairer.sign_off(difference, actor=actor, reason=order.reason))

    async def _done(difference: UUID, done: Done) -> View:
        return {"done": done.done, "text": done.text, "difference": await _shown(difference)}

    async def _shown(difference: UUID) -> View:
        row = await differences.get(difference)
        if row is None:
            raise Unacceptable(f"there is no difference {difference}", why=Why.UNKNOWN_CASE)
        return difference_view(row, hub.now(), await differences.acts(difference))


def compared_systems(hub: Hub) -> dict[str, ConnectedSystem]:
    """The systems whose declaration says how they are compared."""
    return {name: one for name, one in hub.configuration.systems.items() if one.system.reconciling is not None}


async def all_lines(statements: Statements, made: Statement) -> list[dict[str, Any]]:
    """Every line of a statement that does not agree."""
    rows: list[dict[str, Any]] = []
    while page := await statements.lines(made.id, after=rows[-1]["subject"] if rows else "", limit=1000):
        rows += page
    return rows


def _text(value: str) -> str:
    if "\0" in value:
        raise Unacceptable("U+0000 cannot be looked for", why=Why.CONTRACT)
    return value
