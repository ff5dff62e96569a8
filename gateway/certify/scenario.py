"""The scenario pack: what is played, whom it needs, and what must hold. Data in scenarios.yaml."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from canonical.errors import Why
from canonical.message import Verdict

PACK = Path(__file__).with_name("scenarios.yaml")


class Tier(StrEnum):
    """How far a platform can be relied on; each holds the ones before it."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PARTIAL = "partial"
    """Only some scenarios were played: no tier."""


class Need(StrEnum):
    """What a scenario cannot be played without."""

    REPORT = "report"
    """A sample that opens a case, and whose ids can be made fresh."""
    ACTION = "action"
    """A sample by which the source acts on the case of that report."""
    DOOR = "door"
    """The platform pushes to us over HTTP."""
    OWNER = "owner"
    """The platform can be handed a case."""
    SIMULATOR = "simulator"
    """A simulated platform that can be told to misbehave."""
    OTHER_SIDE = "other_side"
    """A simulated or a live platform that answers."""
    SOURCE = "source"
    """The platform reports cases."""
    LISTED = "listed"
    """The bench answers the questions for what it reports."""
    DROPPED = "dropped"
    """It drops what it reports as files, and the bench can do so."""
    SIGNS_IN = "signs_in"
    """The hub signs in before it asks."""
    LIVE = "live"
    """A live platform that speaks HTTP."""
    STUB = "stub"
    """The other side is played by the bench over HTTP."""
    BOTH = "both"
    """What it reported can be handed back to it."""


class Shape(StrEnum):
    """What a platform declares to be; what is core for it must be played."""

    SOURCE = "source"
    """It reports cases."""
    DOOR = "door"
    """It has a door of ours to push to, and is a source."""
    TOLD = "told"
    """As a source it is told what became of its reports."""
    LISTED = "listed"
    """The hub asks for what it reports, and the bench answers."""
    DROPPED = "dropped"
    """It drops its reports as files."""
    BOTH = "both"
    """What it reported can be handed back to it, as the owner."""
    LIVE = "live"
    """It is a live platform."""
    HANDED = "handed"
    """As an owner it is told something."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Title(_Data):
    """One text in both languages."""

    zh: str
    en: str


def _many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Step(_Data):
    """One thing done, and what must have come of it."""

    do: Literal[
        "samples", "send", "add_row", "replay", "hand_over", "behave", "until", "act", "files", "burst", "emit",
        "half", "whole", "not_believed", "reach",
    ]  # fmt: skip
    sample: Literal["report", "action"] = "report"
    change: str = Field(default="", description="how the sample is changed before it is sent, see change.py")
    fresh: bool = Field(default=False, description="true: ids of its own, not those of the scenario")
    number: int = Field(default=1, ge=1, le=1000)
    seconds: float = Field(default=20, gt=0, le=120, description="how long is waited")
    switches: dict[str, float | bool] = {}
    action: str = Field(default="", description="act: an order of the centre")
    state: str = Field(default="", description="until: state of the delivery that hands over")
    stages: Annotated[tuple[str, ...], BeforeValidator(_many)] = ()
    verdict: Annotated[tuple[Verdict, ...], BeforeValidator(_many)] = Field(default=(), description="one of these")
    why: Annotated[tuple[Why, ...], BeforeValidator(_many)] = Field(default=(), description="one of these reasons")
    answer: Literal["success", "refusal", ""] = ""
    cases: int | None = Field(default=None, description="how many cases more there are after the step")
    same_text: bool = Field(default=False, description="the case says what the unchanged sample says")
    done: dict[str, int] = Field(default={}, description="action to how often it was done to the case, in all")
    received: int | None = Field(default=None, description="how often the platform has it, in all")


class Scenario(_Data):
    """One story with its end."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: Title
    tier: Literal[Tier.BRONZE, Tier.SILVER, Tier.GOLD]
    needs: tuple[Need, ...] = ()
    core: tuple[Shape, ...] = Field(default=(), description="platforms whose tier needs it to be played")
    owner_does: tuple[str, ...] = Field(default=(), description="steps the platform must be able to report")
    source_told: tuple[str, ...] = Field(default=(), description="actions the platform must be told as a source")
    told_any: bool = Field(default=False, description="true: one of `source_told` is enough")
    live: bool = Field(default=False, description="true: leaves nothing behind in a live platform")
    alone: bool = Field(default=True, description="false: no tier is reached by this one alone")
    steps: tuple[Step, ...] = Field(min_length=1)


def pack(path: Path = PACK) -> tuple[Scenario, ...]:
    """Every scenario, in the order it is played."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(Scenario.model_validate(one) for one in found)
