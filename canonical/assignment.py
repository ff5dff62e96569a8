"""A unit's share of a case, what it asks for meanwhile, and work of several units together."""

from enum import StrEnum

from pydantic import Field

from canonical.action import Completion
from canonical.lifecycle import ActionKind
from canonical.time import Due, Instant, Limit
from canonical.value import Value, unchecked


class Share(StrEnum):
    """A unit's share of the work."""

    LEAD = "lead"
    JOINT = "joint"


class Assignment(Value):
    """派遣单: one unit's share of a case, one round of it."""

    round: int = Field(ge=1)
    unit: str
    system: str = ""
    share: Share = Share.LEAD
    dispatched_at: Instant
    due: Due | None = None
    signed_at: Instant | None = None
    """When it signed for the work; of a joint one, when it reported in."""
    returned_at: Instant | None = None
    """When it gave the work back, or refused the call, or another loop took it."""
    disposed_at: Instant | None = None
    result: str = ""
    """Of a joint one: its part of the answer."""

    @property
    def open(self) -> bool:
        """True while the unit owes work."""
        return self.returned_at is None and self.disposed_at is None


class Request(Value):
    """What the unit asks for, while it is not decided: an extension 延期, or a suspension 挂账."""

    kind: ActionKind
    at: Instant
    seq: int
    limit: Limit | None = None
    until: Instant | None = None
    endorsed: tuple[str, ...] = ()
    """Who has agreed so far, one person a level of approval."""


class Joint(Value):
    """Joint work 吹哨联动 under way: which assignments belong to it, and when it is done."""

    since: int
    """`seq` of the first whistle."""
    completion: Completion
    rounds: tuple[int, ...]
    """The called units' assignments."""
    initiator: str
    """The unit that blew the whistle."""


class Called(Value):
    """What a called unit's platform is told beside the case: who leads it, and until when the unit is awaited."""

    lead: str = ""
    """The unit that leads."""
    completion: Completion = Completion.ALL
    report_in_by: Instant | None = None
    answer_by: Instant | None = None


def called_address(round_: int) -> str:
    """The address of a delivery to a called unit's platform: its assignment, whatever id the platform gave it."""
    return f"#{round_}"


def called_round(address: str) -> int:
    """The assignment that an address means; 0: it is another system's id."""
    return int(address[1:]) if address[:1] == "#" and address[1:].isdecimal() else 0


new_assignment = unchecked(Assignment)
