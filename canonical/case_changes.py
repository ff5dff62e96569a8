"""What each action changes in a case besides its stage and its clocks: one function an action."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from canonical.action import Action, Completion
from canonical.assignment import Assignment, Joint, Request, Share, new_assignment
from canonical.lifecycle import ActionKind
from canonical.report import Attachment

if TYPE_CHECKING:
    from canonical.case import Case

Changed = dict[str, object]


def nothing(_case: "Case", _action: Action) -> Changed:
    """An action that changes nothing besides."""
    return {}


def _filed(_case: "Case", action: Action) -> Changed:
    return {
        "class_code": action.class_code,
        "standard": action.standard,
        "place": action.place,
        "filed_at": action.at,
    }


def _reattributed(_case: "Case", action: Action) -> Changed:
    return {"place": action.place}


def _settled(case: "Case", action: Action) -> Changed:
    done = {"filed_at": action.at, "disposed_at": action.at, "closed_at": action.at, "on_the_spot": True}
    return _filed(case, action) | done | {"result": action.result, "attachments": _with(case, action.attachments)}


def _dispatched(case: "Case", action: Action) -> Changed:
    due = case.due or action.due  # a return does not stop the clock: the first round's due time stays
    assignment = new_assignment(
        round=len(case.assignments) + 1, unit=action.unit, system=action.system, dispatched_at=action.at, due=due
    )
    return {
        "assignments": (*case.assignments, assignment), "due": due, "request": None,
        "level": action.level or case.level,
    }  # fmt: skip


def _ruled(case: "Case", action: Action) -> Changed:
    return _dispatched(case, action) | {"ruled": action.unit}


def _moved(case: "Case", action: Action) -> Changed:
    """Another loop takes it: whoever had it has it no longer."""
    latest = case.assignment
    if latest is not None and latest.open:
        case = case.model_copy(update={"assignments": _latest(case, returned_at=action.at)})
    return _dispatched(case, action)


def _changed(assignments: Sequence[Assignment], number: int, **changes: object) -> tuple[Assignment, ...]:
    changed = assignments[number - 1].model_copy(update=changes)
    return (*assignments[: number - 1], changed, *assignments[number:])


def _latest(case: "Case", **changes: object) -> tuple[Assignment, ...]:
    return _changed(case.assignments, case.round, **changes)


def _signed(case: "Case", action: Action) -> Changed:
    return {"assignments": _latest(case, signed_at=action.at)}


def _returned(case: "Case", action: Action) -> Changed:
    return {"assignments": _latest(case, returned_at=action.at), "returns": case.returns + 1, "request": None}


def _disposed(case: "Case", action: Action) -> Changed:
    attachments = (*case.attachments, *action.attachments)
    return {
        "assignments": _latest(case, disposed_at=action.at), "disposed_at": action.at, "result": action.result,
        "attachments": attachments, "request": None, "joint": None,
    }  # fmt: skip


def _reworked(case: "Case", _action: Action) -> Changed:
    reopened = case.version + 1 if case.closed_at else case.reopened
    changes = {"assignments": _latest(case, disposed_at=None), "disposed_at": None, "reworks": case.reworks + 1}
    return changes | {"closed_at": None, "evaluation": "", "reopened": reopened, "forced": False}


def _with(case: "Case", attachments: Sequence[Attachment]) -> tuple[Attachment, ...]:
    known = {attachment.url for attachment in case.attachments}
    new = {attachment.url: attachment for attachment in attachments if attachment.url not in known}
    return (*case.attachments, *new.values())


def _joined(case: "Case", action: Action) -> Changed:
    assert action.report is not None
    assigned = case.leader_assigned or action.report.leader_assigned
    attachments = _with(case, action.report.attachments)
    return {"reports": case.reports + 1, "attachments": attachments, "leader_assigned": assigned}


def _commented(case: "Case", action: Action) -> Changed:
    return {"attachments": _with(case, action.attachments)}


def _closed(_case: "Case", action: Action) -> Changed:
    return {"closed_at": action.at, "result": action.result}


def _forced(_case: "Case", action: Action) -> Changed:
    ended = {"request": None, "joint": None, "resume_at": None, "forced": True, "disposed_at": action.at}
    return {"closed_at": action.at, "result": action.result} | ended


def _evaluated(_case: "Case", action: Action) -> Changed:
    return {"evaluation": action.result}


def _cancelled(_case: "Case", _action: Action) -> Changed:
    return {"request": None, "joint": None, "resume_at": None}


def _merged(_case: "Case", action: Action) -> Changed:
    return {"merged_into": action.target, "request": None, "joint": None}


def _asked(case: "Case", action: Action) -> Changed:
    request = Request(kind=action.kind, at=action.at, seq=case.version + 1, limit=action.limit, until=action.until)
    return {"request": request}


def _endorsed(case: "Case", action: Action) -> Changed:
    request = case.request
    if request is None:
        return {}
    return {"request": request.model_copy(update={"endorsed": (*request.endorsed, action.actor.id)})}


def _decided(_case: "Case", _action: Action) -> Changed:
    return {"request": None}


def _suspended(case: "Case", action: Action) -> Changed:
    return {"request": None, "suspensions": case.suspensions + 1, "resume_at": action.until}


def _resumed(case: "Case", action: Action) -> Changed:
    signed_at = (case.assignment and case.assignment.signed_at) or action.at
    return {"resume_at": None, "assignments": _latest(case, signed_at=signed_at)}


def _supervised(_case: "Case", action: Action) -> Changed:
    return {"supervision": action.supervision}


def _lifted(_case: "Case", _action: Action) -> Changed:
    return {"supervision": None}


def _called(case: "Case", action: Action) -> Changed:
    number = len(case.assignments) + 1
    called = new_assignment(
        round=number, unit=action.unit, system=action.system, share=Share.JOINT, dispatched_at=action.at
    )
    joint = case.joint
    if joint is None:
        initiator = case.assignment.unit if case.assignment else ""
        completion = action.completion or Completion.ALL
        joint = Joint(since=case.version + 1, completion=completion, rounds=(number,), initiator=initiator)
    else:
        joint = joint.model_copy(update={"rounds": (*joint.rounds, number)})
    return {"assignments": (*case.assignments, called), "joint": joint}


def _reported_in(case: "Case", action: Action) -> Changed:
    return {"assignments": _changed(case.assignments, action.round, signed_at=action.at)}


def _answered(case: "Case", action: Action) -> Changed:
    before = case.assignments[action.round - 1]
    changes = {"disposed_at": action.at, "result": action.result, "signed_at": before.signed_at or action.at}
    assignments = _changed(case.assignments, action.round, **changes)
    return {"assignments": assignments, "attachments": _with(case, action.attachments)}


def _declined(case: "Case", action: Action) -> Changed:
    return {"assignments": _changed(case.assignments, action.round, returned_at=action.at)}


def _appealed(case: "Case", _action: Action) -> Changed:
    return {"appeals": case.appeals + 1, "appealing": True}


def _upheld(_case: "Case", _action: Action) -> Changed:
    return {"appealing": False, "exempt": True}


def _dismissed(_case: "Case", _action: Action) -> Changed:
    return {"appealing": False}


def _taken_over(_case: "Case", _action: Action) -> Changed:
    return {"lead_system": ""}


def _handed_back(_case: "Case", action: Action) -> Changed:
    return {"lead_system": action.system, "request": None}


_K = ActionKind
CHANGES: dict[ActionKind, Callable[["Case", Action], Changed]] = {
    _K.JOIN: _joined,
    _K.FILE: _filed,
    _K.SETTLE: _settled,
    _K.DISPATCH: _dispatched,
    _K.REDISPATCH: _dispatched,
    _K.ARBITRATE: _ruled,
    _K.ESCALATE: _moved,
    _K.DEESCALATE: _moved,
    _K.SIGN: _signed,
    _K.RETURN: _returned,
    _K.ASK_EXTENSION: _asked,
    _K.ASK_SUSPENSION: _asked,
    _K.ENDORSE: _endorsed,
    _K.GRANT_EXTENSION: _decided,
    _K.REFUSE_REQUEST: _decided,
    _K.SUSPEND: _suspended,
    _K.RESUME: _resumed,
    _K.SUPERVISE: _supervised,
    _K.LIFT: _lifted,
    _K.WHISTLE: _called,
    _K.REPORT_IN: _reported_in,
    _K.ANSWER: _answered,
    _K.DECLINE: _declined,
    _K.DISPOSE: _disposed,
    _K.REWORK: _reworked,
    _K.CLOSE: _closed,
    _K.FORCE_CLOSE: _forced,
    _K.EVALUATE: _evaluated,
    _K.APPEAL: _appealed,
    _K.UPHOLD: _upheld,
    _K.DISMISS: _dismissed,
    _K.CANCEL: _cancelled,
    _K.MERGE: _merged,
    _K.TAKE_OVER: _taken_over,
    _K.HAND_BACK: _handed_back,
    _K.COMMENT: _commented,
    _K.REATTRIBUTE: _reattributed,
}
