"""An alarm of a sensor or camera: a state that is told again and again, of which at most one case is made.

Debounce, hysteresis, one open case for a device and kind, re-arming and the storm cap are decided in routing/storm.py;
here is only what is told and what is remembered.
"""

from datetime import datetime
from uuid import UUID

from pydantic import Field, model_validator

from canonical.time import Instant
from canonical.value import Value


class Alarm(Value):
    """One telling of a device's state."""

    device: str
    """The device by the system's own id."""
    kind: str
    """What is told about it, such as `smoke` or `level`."""
    active: bool
    """True while the alarm condition holds; false: back to normal."""
    value: float | None = None
    """The measured value, when there is one; hysteresis works on it."""
    at: Instant | None = None
    """When, by the device's clock; receipt counts where it has none."""
    digest: str = ""
    """Of the message that told it, where one is known: what a repetition is recognised by."""
    redelivered: bool = False
    """The broker says that it may have delivered this message before."""
    retained: bool = False
    """The broker's memory of its topic, told to whoever begins to listen: no news when it is what was told last."""


class AlarmPolicy(Value):
    """When tellings become a case. Declared for a system, by kind. Times in seconds.

    A threshold of each device's own stands in a ledger: `value: {expr: "num(doc.v) - num(device('devices', doc.id,
    'limit'))"}` with `raise_at: 0`.
    """

    hold: float = Field(
        default=0, ge=0, description="debounce: active for so long before a case is made, told again or not"
    )
    times: int = Field(default=1, ge=1, description="debounce: told active so often in a row before a case is made")
    raise_at: float | None = Field(default=None, description="a value at or above it is active")
    clear_below: float | None = Field(
        default=None, description="hysteresis: once active, only a value below it is back to normal"
    )
    raise_below: float | None = Field(default=None, description="low alarm: a value at or below it is active")
    clear_above: float | None = Field(
        default=None, description="hysteresis of a low alarm: once active, only a value above it is back to normal"
    )
    quiet: float = Field(
        default=0, ge=0, description="after a case has ended, no new one of this device and kind for so long"
    )
    rearm: str = Field(
        default="closed",
        pattern="^(closed|cleared)$",
        description="closed: a new case once the last has ended; cleared: only after the device was normal meanwhile",
    )
    forget: float = Field(default=86_400, gt=0, description="a device silent for so long starts anew")
    cap: int = Field(default=0, ge=0, description="storm cap: cases of this system and kind in `cap_window`; 0: none")
    cap_window: float = Field(default=3600, gt=0, description="seconds of the storm cap")

    @model_validator(mode="after")
    def _possible(self) -> "AlarmPolicy":
        low = self.raise_below if self.clear_above is None else self.clear_above
        high = self.raise_at if self.clear_below is None else self.clear_below
        for wrong, text in (
            (_above(self.clear_below, self.raise_at), "clear_below must not be above raise_at"),
            (_above(self.raise_below, self.clear_above), "clear_above must not be below raise_below"),
            (low is not None and high is not None and low >= high,
             "between the low alarm (raise_below, clear_above) and the high one (raise_at, clear_below) no value would "
             "be normal"),
        ):  # fmt: skip
            if wrong:
                raise ValueError(text)
        return self


def _above(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other


class AlarmState(Value):
    """What is remembered of one device and kind of one system."""

    system: str
    device: str
    kind: str
    active: bool = False
    since: Instant | None = None
    """When it became active last."""
    seen_at: Instant | None = None
    in_a_row: int = 0
    told: int = 0
    """How often it was told in all: what was counted instead of becoming a case is never lost."""
    since_case: int = 0
    """How often it was told since its case was opened; 0: there is none."""
    capped: int = 0
    """How often a case was withheld by the storm cap."""
    case_id: UUID | None = None
    case_at: Instant | None = None
    cleared_since_case: bool = False
    due_at: Instant | None = None
    """When the clock alone, by the hub's, lets a case be opened: a device that tells once need not tell again."""
    withheld: bool = False
    """It was the storm cap that held it back last, and counted it."""
    message_id: UUID | None = None
    """The latest telling since it became active that holds a report: of it a case is opened when the clock says so."""
    heard: str = ""
    """Digests of the last messages that told of it, oldest first: one delivered again adds nothing."""


AlarmKey = tuple[str, str, str]
"""(system, device, kind)."""


class CapState(Value):
    """What the storm cap of one system and kind remembers."""

    system: str
    kind: str
    opened: tuple[datetime, ...] = ()
    """When cases were opened inside the window, oldest first; at most `cap` of them."""
    withheld: int = 0
    """How many openings the cap withheld in all."""
