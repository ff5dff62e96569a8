"""`reconcile`: how what the hub has of a platform's cases is compared with what the platform has 对账."""

from typing import Any, Literal

from pydantic import Field

from adapters.declared import Conditions, Declared

ComparedTime = Literal["reported_at", "received_at", "filed_at", "dispatched_at", "disposed_at", "closed_at"]


class ComparedItem(Declared):
    """What is read of one of its cases. Paths begin at the item and are checked against the messages' contract."""

    external_id: Any = Field(default=None, description="its own id of it; by query: when the answer tells another")
    reference: Any = Field(default=None, description="our number, when it carries it back")
    state: Any = Field(default=None, description="its word for where the case stands; see `states`")
    changed_at: Any = Field(default=None, description="when it last changed there, with a pattern")
    times: dict[ComparedTime, Any] = Field(
        default={}, description="moments of ours to where its own stand; told when they are more than `apart` apart"
    )
    attachments: Any = Field(default=None, description="how many files it has: a number, or the list of them")
    expected: Conditions = Field(
        default={},
        description="which of its items must be here, such as those it means for us; others are compared only when we"
        " know them",
    )


class ReconcileDeclaration(Declared):
    """How what we have of its cases is compared with what it has 对账. Comparing changes nothing at either side."""

    by: Literal["query", "list", "told"] = Field(
        description="query: it is asked about one case after the other; list: it lists them; told: it can do neither,"
        " so that nothing but its silence is seen"
    )
    why: str = Field(default="", description="told: why it cannot be asked; stands in every statement")
    ask: str | tuple[str, ...] = Field(
        default=(),
        description="query: the message (direction: ask) that asks about one case, by `binding.external_id`,"
        " `binding.reference` or `case.no`; of several the next one is asked when the one before finds nothing."
        " list: asked about what the list does not show, before it is called missing",
    )
    pull: str = Field(default="", description="list: the pull that lists its cases, with its pages and windows")
    back: int = Field(
        default=7_776_000, ge=60,
        description="list: seconds the listing reaches back; of what has not changed since, the list says nothing",
    )  # fmt: skip
    items: Any = Field(default=".", description="path to the case in the answer to `ask`, or a rule that makes it")
    item: ComparedItem = Field(default=ComparedItem(), description="what is read of each")
    states: str = Field(
        default="",
        description="code table of its states: `canonical` has the stages of ours that one may stand for, with blanks"
        " between, or open, ended, any; columns `source`, `owner`, `both`, `lead_system` where that depends on its part"
        " in the case;"
        " text only: it says nothing of our stages; quarantine: a person decides",
    )
    messages: tuple[str, ...] = Field(
        default=(),
        description="query: inbound messages that read an item, so that its state can be taken over; list: the pull's",
    )
    cases: tuple[Literal["source", "owner"], ...] = Field(
        default=(), description="which are compared: those it reported, those it works on; empty: by its roles"
    )
    closed_days: int = Field(default=7, ge=0, le=366, description="cases that ended within so many days too")
    daily: str = Field(
        default="",
        pattern="^(([01][0-9]|2[0-3]):[0-5][0-9])?$",
        description="when it is compared each day, such as 02:30 in Asia/Shanghai; default, without `every`",
    )
    every: int = Field(default=0, ge=0, description="or seconds between, from 300")
    settle: int = Field(default=600, ge=0, description="seconds a difference may be on its way before it is told")
    stale: int = Field(
        default=0, ge=0, description="seconds after which silence about an open case is told; 0: never; told needs it"
    )
    apart: int = Field(default=3600, ge=1, description="seconds by which `times` may differ")
    pause: float = Field(default=0.0, ge=0, le=60, description="seconds between two questions")

    @property
    def asks(self) -> tuple[str, ...]:
        """The messages that ask, in order."""
        return (self.ask,) if isinstance(self.ask, str) else self.ask
