"""Reconciliation 对账: what the hub has of a system's cases, what the system has, and the line that comes of both.

Every compared case of ours and every item of theirs stands on exactly one line, so that a statement balances.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from canonical.lifecycle import Stage


class LineClass(StrEnum):
    """What a line says."""

    AGREE = "agree"
    MISSING_THERE = "missing_there"
    """We count on the system to have it, and it has not."""
    MISSING_HERE = "missing_here"
    """It has something that is meant for us, and we have not."""
    STATE_DIFFERS = "state_differs"
    DETAIL_DIFFERS = "detail_differs"
    """The states agree; a time, or the number of files, does not."""
    STALE = "stale"
    """Nobody has said anything about it for longer than declared."""
    UNKNOWN_THERE = "unknown_there"
    """It was asked, or should have been, and cannot say."""
    IN_FLIGHT = "in_flight"
    """They differ, and something that is still on its way explains it."""


CLASS_TITLES = {
    LineClass.AGREE: "一致",
    LineClass.MISSING_THERE: "对方缺失",
    LineClass.MISSING_HERE: "我方缺失",
    LineClass.STATE_DIFFERS: "状态不符",
    LineClass.DETAIL_DIFFERS: "细项不符",
    LineClass.STALE: "久无消息",
    LineClass.UNKNOWN_THERE: "对方未明",
    LineClass.IN_FLIGHT: "在途",
}

DIFFERENCES = frozenset(LineClass) - {LineClass.AGREE, LineClass.IN_FLIGHT}
"""Classes that somebody has to look at."""


@dataclass(frozen=True, slots=True)
class Ours:
    """One matter as we have it: a case in the part the system has in it."""

    subject: str
    """What the line is known by from statement to statement, such as `source:YH00000001`."""
    case_id: UUID
    case_no: str
    part: str
    """`source`, `owner` or `both`: what the system is to the case; `lead_system` where it is its centre."""
    external_ids: tuple[str, ...]
    """The system's own ids of it, the likeliest first."""
    reference: str
    """Our number as the system was given it."""
    stage: Stage
    changed_at: datetime
    """When it last came to another stage."""
    heard_at: datetime
    """When anybody last said anything about it."""
    ended: bool = False
    times: Mapping[str, datetime] = field(default_factory=dict)
    attachments: int = 0
    underway: str = ""
    """What is still on its way between us about it, in words; empty when nothing is."""
    earlier: bool = False
    """An earlier round: what the system says of it is history."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """One matter as the system tells it when it is asked."""

    external_id: str
    reference: str = ""
    state: str = ""
    """As the system writes it."""
    stages: Mapping[str, frozenset[Stage] | None] = field(default_factory=dict)
    """By part, `""` for any: which stages of ours that state may stand for; None: it says nothing of our stages."""
    trouble: str = ""
    """Why its state cannot be compared: no row in the table, a decision for people, not readable."""
    changed_at: datetime | None = None
    times: Mapping[str, datetime] = field(default_factory=dict)
    attachments: int | None = None
    expected: bool = True
    """False: it need not be here; it is compared only when we know it."""
    row: Any = field(default=None, repr=False, compare=False)
    """The item itself, so that it can be taken in."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms two lists are compared."""

    as_of: datetime
    """The moment the system's word was asked for."""
    settle: timedelta = timedelta()
    """Differences younger than this are on their way."""
    stale: timedelta | None = None
    """Silence longer than this is told; None: it is not."""
    apart: timedelta | None = None
    """How far times may disagree; None: they are not compared."""
    since: datetime | None = None
    """How far their list reaches back; of what rests since before that it says nothing."""
    whole: bool = True
    """False: the system's list is not complete, so that nothing can be missing from it."""
    trouble: str = ""
    """Why it is not complete, or could not be had."""
    told: bool = False
    """True: the system cannot be asked; what it told us last is all there is."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement."""

    class_: LineClass
    subject: str
    ours: Ours | None
    theirs: Theirs | None
    text: str = ""
    """What differs or explains it, in words without personal data."""
    general: bool = False
    """What it says holds for the whole statement, as when the system is away: no difference of this one matter."""

    @property
    def mark(self) -> str:
        """What a sign-off is given for: another mark is another difference."""
        here = str(self.ours.stage) if self.ours else ""
        there = self.theirs.state if self.theirs else ""
        detail = self.text if self.class_ in _BY_TEXT else ""
        return "/".join((self.class_, here, there, detail))


_BY_TEXT = frozenset({LineClass.DETAIL_DIFFERS, LineClass.UNKNOWN_THERE})
