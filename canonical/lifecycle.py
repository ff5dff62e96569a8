"""The lifecycle of a case as one table.

Seven steps 信息采集 立案 派遣 处置 核查 结案 评价, with refusal, return, rework, merging and cancelling. Guards, the
diagram in docs/lifecycle.md, the API's documentation and the tests come from `LIFECYCLE`. 核实 (verify) is before filing,
核查 (check) after disposal; a source that swaps the words is mapped in its declaration.

A further action is a further row. An action that cannot work yet is not in the table.
"""

from enum import StrEnum
from typing import NamedTuple


class Stage(StrEnum):
    """Where a case stands. Field facts 2.2."""

    REPORTED = "reported"
    VERIFYING = "verifying"
    REFUSED = "refused"
    FILED = "filed"
    DISPATCHED = "dispatched"
    RETURNED = "returned"
    HANDLING = "handling"
    DISPOSED = "disposed"
    CHECKED = "checked"
    CLOSED = "closed"
    EVALUATED = "evaluated"
    CANCELLED = "cancelled"
    MERGED = "merged"


STAGE_TITLES = {
    Stage.REPORTED: "已上报",
    Stage.VERIFYING: "核实中",
    Stage.REFUSED: "不予立案",
    Stage.FILED: "已立案",
    Stage.DISPATCHED: "已派遣",
    Stage.RETURNED: "已退件",
    Stage.HANDLING: "处置中",
    Stage.DISPOSED: "已处置",
    Stage.CHECKED: "核查通过",
    Stage.CLOSED: "已结案",
    Stage.EVALUATED: "已评价",
    Stage.CANCELLED: "作废",
    Stage.MERGED: "并件",
}

ENDED = frozenset({Stage.REFUSED, Stage.CLOSED, Stage.EVALUATED, Stage.CANCELLED, Stage.MERGED})
"""Nobody owes the case any work."""
OPEN = frozenset(Stage) - ENDED


class Step(StrEnum):
    """The seven steps of the provincial standard."""

    COLLECT = "信息采集"
    FILE = "立案"
    DISPATCH = "派遣"
    DISPOSE = "处置"
    CHECK = "核查"
    CLOSE = "结案"
    EVALUATE = "评价"


class Party(StrEnum):
    """Who acts, seen from the case."""

    SOURCE = "source"
    """A system that reported it."""
    OWNER = "owner"
    """The system that carries the work now."""
    CENTRE = "centre"
    """A person at the supervision or command centre."""
    HUB = "hub"
    """A rule of the city's configuration; the event names the row."""


class ActionKind(StrEnum):
    """What can be done to a case."""

    COLLECT = "collect"
    JOIN = "join"
    VERIFY = "verify"
    FILE = "file"
    REFUSE = "refuse"
    DISPATCH = "dispatch"
    SIGN = "sign"
    RETURN = "return"
    REDISPATCH = "redispatch"
    ASK_EXTENSION = "ask_extension"
    DISPOSE = "dispose"
    CHECK = "check"
    REWORK = "rework"
    CLOSE = "close"
    EVALUATE = "evaluate"
    CANCEL = "cancel"
    MERGE = "merge"
    COMMENT = "comment"


class Clock(StrEnum):
    """What is timed. The disposal clock 处置时限 starts at dispatch and runs on through return and rework."""

    DISPOSAL = "disposal"


class Row(NamedTuple):
    """One row: `action`, allowed `from_` these stages, leads `to` a stage (None: it stays)."""

    action: ActionKind
    title: str
    step: Step
    from_: frozenset[Stage]
    to: Stage | None
    who: frozenset[Party]
    needs: tuple[str, ...] = ()
    """Fields of the action that must not be empty."""
    starts: Clock | None = None
    stops: Clock | None = None
    tells: frozenset[Party] = frozenset()
    """Whose systems are told, each in its own declared message."""


_S, _P, _A = Stage, Party, ActionKind
_UNFILED = frozenset({_S.REPORTED, _S.VERIFYING})
_WITH_OWNER = frozenset({_S.DISPATCHED, _S.HANDLING})
_WORKED = _WITH_OWNER | {_S.RETURNED, _S.DISPOSED, _S.CHECKED}
_OPEN = _UNFILED | {_S.FILED} | _WORKED
_ANY = frozenset(Stage)
_DESK = frozenset({_P.CENTRE, _P.HUB})
_SOURCE, _OWNER = frozenset({_P.SOURCE}), frozenset({_P.OWNER})
_BOTH = _SOURCE | _OWNER
_D = Clock.DISPOSAL

LIFECYCLE: tuple[Row, ...] = (
    Row(_A.COLLECT, "采集", Step.COLLECT, frozenset(), _S.REPORTED, _SOURCE | _DESK, ("report",)),
    Row(_A.JOIN, "并入上报", Step.COLLECT, _ANY - {_S.MERGED}, None, _SOURCE | _DESK, ("report",)),
    Row(_A.VERIFY, "核实", Step.FILE, frozenset({_S.REPORTED}), _S.VERIFYING, _DESK, ("reason",)),
    Row(_A.FILE, "立案", Step.FILE, _UNFILED, _S.FILED, _DESK, ("class_code", "standard", "place"), tells=_SOURCE),
    Row(_A.REFUSE, "不予立案", Step.FILE, _UNFILED, _S.REFUSED, _DESK, ("reason",), tells=_SOURCE),
    Row(_A.DISPATCH, "派遣", Step.DISPATCH, frozenset({_S.FILED}), _S.DISPATCHED, _DESK, ("unit",), starts=_D, tells=_OWNER),
    Row(_A.SIGN, "签收", Step.DISPOSE, frozenset({_S.DISPATCHED}), _S.HANDLING, _OWNER | {_P.CENTRE}),
    Row(_A.RETURN, "退件", Step.DISPOSE, _WITH_OWNER, _S.RETURNED, _OWNER | {_P.CENTRE}, ("reason",)),
    Row(_A.REDISPATCH, "再派遣", Step.DISPATCH, frozenset({_S.RETURNED}), _S.DISPATCHED, _DESK, ("unit", "reason"), tells=_OWNER),
    Row(_A.ASK_EXTENSION, "申请延期", Step.DISPOSE, _WITH_OWNER, None, _OWNER | {_P.CENTRE}, ("limit", "reason"), tells=_SOURCE),
    Row(_A.DISPOSE, "处置反馈", Step.DISPOSE, _WITH_OWNER, _S.DISPOSED, _OWNER | {_P.CENTRE}, ("result",), stops=_D),
    Row(_A.CHECK, "核查", Step.CHECK, frozenset({_S.DISPOSED}), _S.CHECKED, _DESK, ("result",)),
    Row(_A.REWORK, "返工", Step.CHECK, frozenset({_S.DISPOSED, _S.CHECKED, _S.CLOSED, _S.EVALUATED}), _S.HANDLING, _DESK, ("reason",), starts=_D, tells=_OWNER),
    Row(_A.CLOSE, "结案", Step.CLOSE, frozenset({_S.CHECKED}), _S.CLOSED, _DESK, ("result",), tells=_SOURCE),
    Row(_A.EVALUATE, "评价", Step.EVALUATE, frozenset({_S.CLOSED}), _S.EVALUATED, _SOURCE | _DESK, ("result",)),
    Row(_A.CANCEL, "作废", Step.FILE, _OPEN, _S.CANCELLED, _SOURCE | {_P.CENTRE}, ("reason",), stops=_D, tells=_BOTH),
    Row(_A.MERGE, "并件", Step.FILE, _UNFILED | {_S.FILED, _S.DISPATCHED, _S.RETURNED}, _S.MERGED, frozenset({_P.CENTRE}), ("reason", "target"), stops=_D, tells=_OWNER),
    Row(_A.COMMENT, "批注", Step.COLLECT, _ANY, None, frozenset(Party), ("reason",)),
)  # fmt: skip

BY_ACTION: dict[ActionKind, Row] = {row.action: row for row in LIFECYCLE}
