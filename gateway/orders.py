"""What the centre's people send to the API, and how it becomes a command."""

import re
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from canonical.case import Action, Actor, Completion, Supervision
from canonical.codes import ClassCode
from canonical.errors import ContractViolation
from canonical.lifecycle import ActionKind, Party
from canonical.organisation import Level
from canonical.place import AreaCode, Place, UnitGridCode
from canonical.records import Command
from canonical.time import Limit


class PlaceOrder(BaseModel):
    """Where it is, as far as the centre knows: a point, a unit grid or a division."""

    model_config = ConfigDict(extra="forbid")

    area: AreaCode | None = Field(default=None, description="county, street or community code")
    grid: UnitGridCode | None = Field(default=None, description="15-digit unit grid code")
    lon: float | None = Field(default=None, ge=-180, le=180, description="longitude, CGCS2000 degrees")
    lat: float | None = Field(default=None, ge=-90, le=90, description="latitude, CGCS2000 degrees")
    address: str | None = Field(default=None, max_length=500)


class ActionOrder(BaseModel):
    """An action on one case. Which fields an action needs, /api/lifecycle tells."""

    model_config = ConfigDict(extra="forbid")

    kind: ActionKind
    reason: str = Field(default="", max_length=2000)
    result: str = Field(default="", max_length=4000)
    class_code: str = Field(default="", description="such as 30428.2:E04-06; empty: the case's own")
    standard: str = Field(default="", max_length=64, description="standard row; empty: the one that fits the text")
    place: PlaceOrder | None = None
    unit: str = Field(default="", max_length=64, description="id of a unit, see /api/units")
    target: str = Field(default="", max_length=32, description="case number that remains, when merging")
    limit: Limit | None = Field(
        default=None,
        description="how much longer 延期, or from now how long suspended 挂账; with sign, the owner's own limit",
    )
    until: AwareDatetime | None = Field(
        default=None,
        description="or to when a case is suspended 挂账 or extended 延期, or the owner's limit runs, with its offset",
    )
    basis: str = Field(default="", max_length=64, description="code of what a return rests on, see rules.yaml")
    level: Level | None = Field(
        default=None,
        description="loop it goes to, default: that of the unit; of a closing, the loop for which it is done",
    )
    supervision: Supervision | None = Field(default=None, description="ordinary, yellow or red 督办")
    completion: Completion | None = Field(default=None, description="of the first whistle: all, lead or quorum")
    round: int = Field(default=0, ge=0, le=10_000, description="assignment of a called unit, for its report or answer")
    by: str = Field(
        default="",
        max_length=64,
        description="who orders it, with the centre's token; a person orders in their own name",
    )


def ordered(case_no: str, body: bytes, now: datetime, *, by: str = "") -> Command:
    """The command in a request body, of who signed in; `by` empty: of who the body names.

    Raises ContractViolation that names the field and what is expected there.
    """
    try:
        order = ActionOrder.model_validate_json(body)
        class_code = ClassCode.parse(order.class_code) if order.class_code else None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        at = ".".join(_named(part) for part in problem["loc"])
        raise ContractViolation(f"{at or 'body'}: {problem['msg']}", at=at) from None
    except ValueError:
        raise ContractViolation("class_code: one like 30428.2:E04-06 is expected", at="class_code") from None
    given: dict[str, Any] = order.place.model_dump(exclude_none=True) if order.place else {}
    texts = (value for value in [*dict(order).values(), *given.values()] if isinstance(value, str))
    if any("\0" in text for text in texts):
        raise ContractViolation("U+0000 cannot be stored", at="body")
    actor = Actor(party=Party.CENTRE, id=by or order.by or "centre")
    return Command(
        case_no=case_no,
        action=Action(
            kind=order.kind, actor=actor, at=now, reason=order.reason,
            result=order.result, class_code=class_code, standard=order.standard, unit=order.unit, target=order.target,
            limit=order.limit, until=order.until, basis=order.basis, level=order.level, supervision=order.supervision,
            completion=order.completion, round=order.round, place=Place(**given) if given else None,
        ),
    )  # fmt: skip


def _named(part: int | str) -> str:
    """A field's name as it may be repeated: a name of the sender's own making can be anything."""
    return str(part) if re.fullmatch("[a-z0-9_]{1,32}", str(part)) else "?"
