"""Rules of the trade as a city writes them: extension, suspension, return, ruling, appeal, loops, ladders, joint work.

Each rule carries the text it rests on. What a rule does not say is not limited by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from canonical.action import Completion, Supervision
from canonical.clock import Clock
from canonical.organisation import Level
from canonical.report import Urgency
from canonical.time import Limit
from routing.steps import Steps


@dataclass(frozen=True, slots=True)
class Asking:
    """Who must agree to what a unit asks for, in this order; the last one grants it. Nobody: it is granted at once."""

    approvals: tuple[str, ...] = ("centre",)
    """Posts or offices, in words for people: `处置部门`, `派遣员`."""
    most: int | None = None
    """How often a case gets it."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Extension(Asking):
    """延期: asked for before the limit runs out."""

    original: int | None = None
    """At most so many original limits each time."""
    longest: Limit | None = None
    """At most so much each time."""


@dataclass(frozen=True, slots=True)
class Suspension(Asking):
    """挂账/缓办: the clock stands still to a day, and goes on by itself."""

    longest: Limit | None = None
    overdue: bool = False
    """Whether a case that is overdue may be suspended."""


@dataclass(frozen=True, slots=True)
class Returns:
    """退件."""

    within: Limit | None = None
    """From the dispatch, by the unit's calendar."""
    most: int | None = None
    """Rounds; then the centre rules."""
    bases: Mapping[str, str] = field(default_factory=dict)
    """Code to title of what a return may rest on; none: the reason in words is enough."""
    same_unit: int | None = None
    """How often the same unit may return a case; given to it once more needs a ruling."""
    ping_pong: bool = False
    """Whether two systems that pass a case to and fro are stopped."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rework:
    """返工, by the unit that did the work."""

    gap: bool = False
    """Whether the time between its answer and the rework is left out of its clock; else the clock counts on."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Appeals:
    """申诉: of what counted against a unit."""

    most: int | None = None
    within: Limit | None = None
    """From the closing."""
    only_overdue: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True)
class Whistle:
    """吹哨联动."""

    completion: Completion = Completion.ALL
    source: str = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """Closing right 结案权 over the cases of one loop."""

    by: Level
    """The lowest loop that may close them."""
    on_the_spot: bool = True
    """Whether what was dealt with on the spot is closed at once."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Loops:
    """四级循环."""

    skip: frozenset[Urgency] = frozenset({Urgency.URGENT})
    """Cases that may skip a level on their way up."""
    closing: Mapping[Level, Closing] = field(default_factory=dict)
    """By the loop that has the case; a loop that is not here closes as it likes."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of a ladder: when a step of a clock is told, this is done, and they are notified."""

    clock: Clock
    step: str
    supervise: Supervision | None = None
    escalate: bool = False
    """To the unit above."""
    notify: tuple[str, ...] = ()
    """Offices or posts, in words for people."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class TradeRules:
    """All rules of a city."""

    edition: str = ""
    steps: Steps = field(default_factory=Steps)
    extension: Extension = Extension()
    suspension: Suspension = Suspension()
    returns: Returns = Returns()
    rework: Rework = Rework()
    appeals: Appeals = Appeals()
    whistle: Whistle = Whistle()
    loops: Loops = Loops()
    ladder: Sequence[Rung] = ()

    def rung(self, clock: Clock, step: str) -> Rung | None:
        """What is done when this step is told."""
        return next((one for one in self.ladder if one.clock is clock and one.step == step), None)
