"""The lifecycle of a case as one table.

Seven steps 信息采集 立案 派遣 处置 核查 结案 评价, with refusal, return, rework, merging and cancelling. Guards, the
diagram in docs/lifecycle.md, the API's documentation and the tests come from `LIFECYCLE`. 核实 (verify) is before filing,
核查 (check) after disposal; a source that swaps the words is mapped in its declaration.

A further action is a further row. An action that cannot work yet is not in the table.
"""

from enum import StrEnum
from typing import NamedTuple

from canonical.clock import Clock


class Stage(StrEnum):
    """Where a case stands. Field facts 2.2."""

    REPORTED = "reported"
    VERIFYING = "verifying"
    REFUSED = "refused"
    FILED = "filed"
    DISPATCHED = "dispatched"
    RETURNED = "returned"
    HANDLING = "handling"
    SUSPENDED = "suspended"
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
    Stage.SUSPENDED: "挂账",
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
    JOINT = "joint"
    """The system of a unit that was called to help 联动单位."""
    CENTRE = "centre"
    """A person at the supervision or command centre."""
    LEAD_SYSTEM = "lead_system"
    """An industry system that is the centre for the case 牵头系统: it files, dispatches and closes, the hub mirrors."""
    HUB = "hub"
    """A rule of the city's configuration; the event names the row."""


class ActionKind(StrEnum):
    """What can be done to a case."""

    COLLECT = "collect"
    JOIN = "join"
    VERIFY = "verify"
    FILE = "file"
    REFUSE = "refuse"
    SETTLE = "settle"
    DISPATCH = "dispatch"
    SIGN = "sign"
    RETURN = "return"
    REDISPATCH = "redispatch"
    ARBITRATE = "arbitrate"
    ESCALATE = "escalate"
    DEESCALATE = "deescalate"
    ASK_EXTENSION = "ask_extension"
    ASK_SUSPENSION = "ask_suspension"
    ENDORSE = "endorse"
    GRANT_EXTENSION = "grant_extension"
    REFUSE_REQUEST = "refuse_request"
    SUSPEND = "suspend"
    RESUME = "resume"
    SUPERVISE = "supervise"
    LIFT = "lift"
    WHISTLE = "whistle"
    REPORT_IN = "report_in"
    ANSWER = "answer"
    DECLINE = "decline"
    DISPOSE = "dispose"
    CHECK = "check"
    REWORK = "rework"
    CLOSE = "close"
    FORCE_CLOSE = "force_close"
    EVALUATE = "evaluate"
    APPEAL = "appeal"
    UPHOLD = "uphold"
    DISMISS = "dismiss"
    CANCEL = "cancel"
    MERGE = "merge"
    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"
    COMMENT = "comment"
    REMIND = "remind"
    RECOMPUTE = "recompute"
    REATTRIBUTE = "reattribute"


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
    starts: tuple[Clock, ...] = ()
    stops: tuple[Clock, ...] = ()
    pauses: tuple[Clock, ...] = ()
    resumes: tuple[Clock, ...] = ()
    tells: frozenset[Party] = frozenset()
    """Whose systems are told, each in its own declared message."""


_S, _P, _A = Stage, Party, ActionKind
_UNFILED = frozenset({_S.REPORTED, _S.VERIFYING})
_WITH_OWNER = frozenset({_S.DISPATCHED, _S.HANDLING})
_WORKED = _WITH_OWNER | {_S.RETURNED, _S.SUSPENDED, _S.DISPOSED, _S.CHECKED}
_FILED = frozenset({_S.FILED}) | _WORKED
_OPEN = _UNFILED | _FILED
_OVER = frozenset({_S.CLOSED, _S.EVALUATED})
_ANY = frozenset(Stage)
_CENTRE, _HUB = frozenset({_P.CENTRE, _P.LEAD_SYSTEM}), frozenset({_P.HUB})
_DESK = _CENTRE | _HUB
_OURS = frozenset({_P.CENTRE, _P.HUB})
_LEAD_SYSTEM = frozenset({_P.LEAD_SYSTEM})
_SOURCE, _OWNER, _JOINT = frozenset({_P.SOURCE}), frozenset({_P.OWNER}), frozenset({_P.JOINT})
_BOTH = _SOURCE | _OWNER
_ALL = _BOTH | _JOINT
_C = Clock
_DECIDED = (_C.ACCEPT, _C.VERIFY, _C.FILE)
_GIVEN = (_C.SIGN, _C.LEVEL, _C.DISPOSAL, _C.OWNER)
_WORKING = (_C.SIGN, _C.LEVEL, _C.DISPOSAL, _C.OWNER, _C.REPORT_IN, _C.JOINT)

LIFECYCLE: tuple[Row, ...] = (
    Row(_A.COLLECT, "采集", Step.COLLECT, frozenset(), _S.REPORTED, _SOURCE | _DESK, ("report",), starts=(_C.ACCEPT, _C.FILE, _C.REPLY, _C.SOURCE, _C.SOURCE_SIGN)),
    Row(_A.JOIN, "并入上报", Step.COLLECT, _ANY - {_S.MERGED}, None, _SOURCE | _DESK, ("report",)),
    Row(_A.VERIFY, "核实", Step.FILE, frozenset({_S.REPORTED}), _S.VERIFYING, _DESK, ("reason",), starts=(_C.VERIFY,), stops=(_C.ACCEPT,)),
    Row(_A.FILE, "立案", Step.FILE, _UNFILED, _S.FILED, _DESK, ("class_code", "standard", "place"), starts=(_C.DISPATCH, _C.CASE), stops=(*_DECIDED, _C.SOURCE_SIGN), tells=_SOURCE),
    Row(_A.REFUSE, "不予立案", Step.FILE, _UNFILED, _S.REFUSED, _DESK, ("reason",), tells=_SOURCE),
    Row(_A.SETTLE, "自行处置", Step.DISPOSE, frozenset({_S.REPORTED}), _S.CLOSED, _SOURCE | _DESK, ("class_code", "place", "result"), tells=_SOURCE),
    Row(_A.DISPATCH, "派遣", Step.DISPATCH, frozenset({_S.FILED}), _S.DISPATCHED, _DESK, ("unit",), starts=_GIVEN, stops=(_C.DISPATCH,), tells=_OWNER),
    Row(_A.SIGN, "签收", Step.DISPOSE, frozenset({_S.DISPATCHED}), _S.HANDLING, _OWNER | _CENTRE, starts=(_C.OWNER,), stops=(_C.SIGN,)),
    Row(_A.RETURN, "退件", Step.DISPOSE, _WITH_OWNER, _S.RETURNED, _OWNER | _CENTRE, ("reason",), starts=(_C.DISPATCH,), stops=(_C.SIGN, _C.LEVEL, _C.OWNER)),
    Row(_A.REDISPATCH, "再派遣", Step.DISPATCH, frozenset({_S.RETURNED}), _S.DISPATCHED, _DESK, ("unit", "reason"), starts=_GIVEN, stops=(_C.DISPATCH,), tells=_OWNER),
    Row(_A.ARBITRATE, "裁定", Step.DISPATCH, frozenset({_S.RETURNED}), _S.DISPATCHED, _CENTRE, ("unit", "reason"), starts=_GIVEN, stops=(_C.DISPATCH,), tells=_OWNER),
    Row(_A.ESCALATE, "上报上级", Step.DISPATCH, _WITH_OWNER | {_S.FILED, _S.RETURNED}, _S.DISPATCHED, _OWNER | _DESK, ("unit", "level", "reason"), starts=_GIVEN, stops=(_C.SIGN, _C.LEVEL, _C.DISPATCH, _C.OWNER), tells=_OWNER),
    Row(_A.DEESCALATE, "下派", Step.DISPATCH, _WITH_OWNER | {_S.FILED, _S.RETURNED}, _S.DISPATCHED, _OWNER | _DESK, ("unit", "level", "reason"), starts=_GIVEN, stops=(_C.SIGN, _C.LEVEL, _C.DISPATCH, _C.OWNER), tells=_OWNER),
    Row(_A.ASK_EXTENSION, "申请延期", Step.DISPOSE, _WITH_OWNER, None, _OWNER | _CENTRE, ("limit", "reason"), tells=_SOURCE),
    Row(_A.ASK_SUSPENSION, "申请挂账", Step.DISPOSE, _WITH_OWNER, None, _OWNER | _CENTRE, ("until", "reason")),
    Row(_A.ENDORSE, "同意上报审批", Step.DISPOSE, _WITH_OWNER, None, _OWNER | _CENTRE, ()),
    Row(_A.GRANT_EXTENSION, "准予延期", Step.DISPOSE, _WITH_OWNER, None, _DESK, ("limit",), tells=_BOTH),
    Row(_A.REFUSE_REQUEST, "不予批准", Step.DISPOSE, _WITH_OWNER, None, _OWNER | _DESK, ("reason",), tells=_OWNER),
    Row(_A.SUSPEND, "准予挂账", Step.DISPOSE, _WITH_OWNER, _S.SUSPENDED, _DESK, ("until", "reason"), pauses=(_C.DISPOSAL, _C.LEVEL, _C.CASE), stops=(_C.SIGN,), tells=_BOTH),
    Row(_A.RESUME, "恢复处置", Step.DISPOSE, frozenset({_S.SUSPENDED}), _S.HANDLING, _OWNER | _DESK, ("reason",), resumes=(_C.DISPOSAL, _C.LEVEL, _C.CASE), tells=_BOTH),
    Row(_A.SUPERVISE, "督办", Step.DISPOSE, _FILED, None, _DESK, ("supervision", "reason"), tells=_OWNER),
    Row(_A.LIFT, "取消督办", Step.DISPOSE, _FILED, None, _DESK, ("reason",), tells=_OWNER),
    Row(_A.WHISTLE, "吹哨", Step.DISPOSE, _WITH_OWNER, None, _OWNER | _CENTRE, ("unit", "reason"), starts=(_C.REPORT_IN, _C.JOINT), tells=_JOINT),
    Row(_A.REPORT_IN, "报到", Step.DISPOSE, _WORKED, None, _JOINT | _CENTRE, ("round", "unit"), stops=(_C.REPORT_IN,), tells=_OWNER),
    Row(_A.ANSWER, "联动反馈", Step.DISPOSE, _WORKED, None, _JOINT | _CENTRE, ("round", "unit", "result"), stops=(_C.REPORT_IN, _C.JOINT), tells=_OWNER),
    Row(_A.DECLINE, "不予报到", Step.DISPOSE, _WORKED, None, _JOINT | _CENTRE, ("round", "unit", "reason"), stops=(_C.REPORT_IN, _C.JOINT), tells=_OWNER),
    Row(_A.DISPOSE, "处置反馈", Step.DISPOSE, _WITH_OWNER, _S.DISPOSED, _OWNER | _CENTRE, ("result",), starts=(_C.CHECK,), stops=_WORKING, tells=_JOINT),
    Row(_A.CHECK, "核查", Step.CHECK, frozenset({_S.DISPOSED}), _S.CHECKED, _DESK, ("result",), starts=(_C.CLOSE,), stops=(_C.CHECK,)),
    Row(_A.REWORK, "返工", Step.CHECK, _OVER | {_S.DISPOSED, _S.CHECKED}, _S.HANDLING, _DESK, ("reason",), starts=(_C.DISPOSAL, _C.CASE), stops=(_C.CHECK, _C.CLOSE), tells=_OWNER),
    Row(_A.CLOSE, "结案", Step.CLOSE, frozenset({_S.CHECKED}), _S.CLOSED, _DESK, ("result",), tells=_SOURCE),
    Row(_A.FORCE_CLOSE, "强制结案", Step.CLOSE, _FILED, _S.CLOSED, _CENTRE, ("result", "reason"), tells=_ALL),
    Row(_A.EVALUATE, "评价", Step.EVALUATE, frozenset({_S.CLOSED}), _S.EVALUATED, _SOURCE | _DESK, ("result",)),
    Row(_A.APPEAL, "申诉", Step.EVALUATE, _OVER, None, _OWNER | _CENTRE, ("reason",)),
    Row(_A.UPHOLD, "准予剔除", Step.EVALUATE, _OVER, None, _CENTRE, ("reason",), tells=_OWNER),
    Row(_A.DISMISS, "驳回申诉", Step.EVALUATE, _OVER, None, _CENTRE, ("reason",), tells=_OWNER),
    Row(_A.CANCEL, "作废", Step.FILE, _OPEN, _S.CANCELLED, _SOURCE | _CENTRE, ("reason",), tells=_ALL),
    Row(_A.MERGE, "并件", Step.FILE, _UNFILED | {_S.FILED, _S.DISPATCHED, _S.RETURNED}, _S.MERGED, _CENTRE, ("reason", "target"), tells=_OWNER | _JOINT),
    Row(_A.TAKE_OVER, "接管", Step.FILE, _OPEN, None, _OURS, ("reason", "system"), tells=_LEAD_SYSTEM),
    Row(_A.HAND_BACK, "交回", Step.FILE, _OPEN, None, _OURS, ("reason", "system"), tells=_LEAD_SYSTEM),
    Row(_A.COMMENT, "批注", Step.COLLECT, _ANY, None, frozenset(Party), ("reason",)),
    Row(_A.REMIND, "催办", Step.DISPOSE, _OPEN, None, _HUB, ("told",), tells=_OWNER),
    Row(_A.RECOMPUTE, "重算时限", Step.DISPOSE, _OPEN, None, _HUB, ("timed", "reason")),
    Row(_A.REATTRIBUTE, "重新归格", Step.COLLECT, _ANY - {_S.MERGED}, None, _HUB, ("place", "reason")),
)  # fmt: skip

GIVES = frozenset({_A.DISPATCH, _A.REDISPATCH, _A.ARBITRATE, _A.ESCALATE, _A.DEESCALATE, _A.WHISTLE})
"""Each makes one assignment: what a system is handed over."""

BESIDE = frozenset({
    _A.JOIN, _A.COMMENT, _A.SUPERVISE, _A.LIFT, _A.TAKE_OVER, _A.REMIND, _A.RECOMPUTE, _A.REATTRIBUTE,
    _A.EVALUATE, _A.APPEAL, _A.UPHOLD, _A.DISMISS,
})  # fmt: skip
"""What others than the lead system may do to a case that it leads: the last four judge it when it is over."""

BY_ACTION: dict[ActionKind, Row] = {row.action: row for row in LIFECYCLE}
