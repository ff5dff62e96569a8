"""The storm filter: what one telling of a device's state comes to. Pure: remembered state in, new state and a word out.

A detector tells the same smoke every ten seconds; the city wants one case of it. Debounce, hysteresis, one open case
for a device and kind, re-arming and the storm cap are here and nowhere else. Every telling is counted, so that what
made no case is not lost. It must never know what a telling is read from or how a case is opened.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import isnan
from uuid import UUID

from canonical.alarm import Alarm, AlarmPolicy, AlarmState, CapState
from canonical.case import Case

AHEAD = timedelta(days=1)
"""A device's clock further ahead than this is wrong, and receipt counts. Believed, it would silence the device."""

_REMEMBERED = 256
"""Different messages remembered of a device and kind: more than a receiver commits together unless told otherwise."""

_SHORTLY = timedelta(minutes=5)
"""So long after its own time a message without a mark of its transport may be a repetition."""

ANY = "*"
"""The policy of every kind that has none of its own."""


class Decision(StrEnum):
    """What a telling comes to."""

    OPEN = "open"
    """A case is to be opened of its report."""
    COUNT = "count"
    ANNOTATE = "annotate"
    """The condition is over, and its case is still open: the case is told so, and never closed by it."""


@dataclass(frozen=True, slots=True)
class Told:
    """A telling's result. `cap` is the very object that was given when the storm cap has not changed."""

    state: AlarmState
    """When `decision` is to open, the caller enters the case it opened as `case_id`."""
    cap: CapState | None
    decision: Decision
    text: str
    """Why, for the journal and the source."""


def policy_of(policies: dict[str, AlarmPolicy], kind: str) -> AlarmPolicy:
    """The policy of a kind: its own, else that of `*`, else every new alarm is a case."""
    return policies.get(kind) or policies.get(ANY) or _PLAIN


def repeats(state: AlarmState, alarm: Alarm, received_at: datetime) -> bool:
    """Whether this very message was told before. The same words alone are none: a sensor without a clock has no others.

    Either its broker says that it may be one, or the device dated it, just now, to the same instant; or it is what the
    broker remembers of the topic, and nothing else was told since.
    """
    known = state.heard.split()
    if not alarm.digest or alarm.digest not in known:
        return False
    if alarm.retained and alarm.digest == known[-1]:
        return True
    return alarm.redelivered or (alarm.at is not None and abs(received_at - alarm.at) <= _SHORTLY)


def heard(state: AlarmState, alarm: Alarm) -> AlarmState:
    """The state that remembers this message too."""
    if not alarm.digest:
        return state
    others = [digest for digest in state.heard.split() if digest != alarm.digest]
    return state.model_copy(update={"heard": " ".join([*others, alarm.digest][-_REMEMBERED:])})


def tell(
    state: AlarmState,
    cap: CapState | None,
    alarm: Alarm,
    policy: AlarmPolicy,
    case: Case | None,
    *,
    received_at: datetime,
    now: datetime,
    may_open: bool = True,
    message_id: UUID | None = None,
) -> Told:
    """What one more telling comes to.

    `state`: what is remembered; of a device never heard of, one with nothing but its key. `case`: the one behind
    `state.case_id` as it stands now. `received_at` stands in for a device without a clock; `now` is the hub's clock,
    by which `quiet` and the storm cap are counted. `may_open`: False for a telling that holds no report. `message_id`:
    the telling itself, of which a case can be opened later when nothing further is told.
    """
    at = _instant(alarm, received_at)
    followed = state.case_id is not None
    counts: dict[str, object] = {"told": state.told + 1, "since_case": state.since_case + followed}
    if state.seen_at is not None and at < state.seen_at:
        return Told(state.model_copy(update=counts), cap, Decision.COUNT, "older than what was told before")
    open_ = followed and (case is None or not case.ended)
    if not open_ and _silent(state, at, policy):
        state = state.model_copy(update=_ANEW)
        counts["since_case"] = 0
        case = None
    active = _active(state, alarm, policy)
    if at == state.seen_at == alarm.at and active == state.active:
        return Told(state.model_copy(update=counts), cap, Decision.COUNT, "told before, word for word")
    if not active:
        return _normal(state, cap, policy, counts, at, open_=open_)
    of = message_id if may_open else state.message_id
    state = state.model_copy(update=counts | _still_active(state, at) | {"due_at": None, "message_id": of})
    if open_:
        return Told(state.model_copy(update=_OPENED), cap, Decision.COUNT, "its case is open")
    why, left = _held_back(state, policy, case, at, now)
    if why or not may_open:
        due = now + timedelta(seconds=min(left, _FAR)) if left is not None and of else None
        held = state.model_copy(update={"due_at": due})
        return Told(held, cap, Decision.COUNT, why or "it holds no report to open a case of")
    return _open(state, cap, policy, now)


def elapsed(
    state: AlarmState, cap: CapState | None, policy: AlarmPolicy, case: Case | None, *, now: datetime
) -> Told | None:
    """What the clock alone brings about for a device that was told active and then nothing more. None: nothing yet.

    Nothing is counted: nothing was told. `state`, `cap`, `case`, `now` as for `tell`.
    """
    if state.due_at is None or state.due_at > now:
        return None
    if state.case_id is not None and (case is None or not case.ended):
        return Told(state.model_copy(update=_OPENED), cap, Decision.COUNT, "its case is open")
    if _silent(state, now, policy):
        return Told(state.model_copy(update=_OPENED), cap, Decision.COUNT, "silent for too long")
    left = policy.quiet - (now - _ended_at(case)).total_seconds() if case is not None else 0.0
    if left > 0:  # its case was taken up again and has ended later
        due = now + timedelta(seconds=min(left, _FAR))
        return Told(state.model_copy(update={"due_at": due}), cap, Decision.COUNT, _QUIET.format(left))
    return _open(state, cap, policy, now, again=state.withheld)


def _instant(alarm: Alarm, received_at: datetime) -> datetime:
    return received_at if alarm.at is None or alarm.at - received_at > AHEAD else alarm.at


_PLAIN = AlarmPolicy()
_QUIET = "quiet for {:.0f} s more after its last case"
_FAR = timedelta(days=366).total_seconds()
"""Nothing is waited for longer: any time that can be declared has an end."""

_OPENED: dict[str, object] = {"due_at": None, "message_id": None, "withheld": False}
"""Nothing waits for the clock any more."""

_ANEW: dict[str, object] = {
    "active": False, "since": None, "in_a_row": 0, "since_case": 0, "case_id": None, "case_at": None,
    "cleared_since_case": False, "due_at": None, "message_id": None, "withheld": False,
}  # fmt: skip
"""What a device that was silent for too long begins with. `told` and `capped` are kept: they are nobody's state."""


def _silent(state: AlarmState, at: datetime, policy: AlarmPolicy) -> bool:
    return state.seen_at is not None and at - state.seen_at > timedelta(seconds=policy.forget)


def _active(state: AlarmState, alarm: Alarm, policy: AlarmPolicy) -> bool:
    """Whether the condition holds. Once it does, a value between the threshold and the one that clears it keeps it."""
    value = None if alarm.value is None or isnan(alarm.value) else alarm.value  # a broken sensor is not back to normal
    if value is None:
        return alarm.active
    high, low = policy.raise_at, policy.raise_below
    judged = high is not None or low is not None
    if (high is not None and value >= high) or (low is not None and value <= low) or (alarm.active and not judged):
        return True
    floor = high if policy.clear_below is None else policy.clear_below
    ceiling = low if policy.clear_above is None else policy.clear_above
    return state.active and ((floor is not None and value >= floor) or (ceiling is not None and value <= ceiling))


def _still_active(state: AlarmState, at: datetime) -> dict[str, object]:
    if state.active:
        return {"seen_at": at, "in_a_row": state.in_a_row + 1}
    return {"active": True, "since": at, "seen_at": at, "in_a_row": 1}


def _normal(
    state: AlarmState,
    cap: CapState | None,
    policy: AlarmPolicy,
    counts: dict[str, object],
    at: datetime,
    *,
    open_: bool,
) -> Told:
    """Back to normal, or still so. An open case is told once for each time that was a lasting alarm: not each flap."""
    worth_telling = not state.cleared_since_case or not _debouncing(state, policy, state.seen_at or at)
    annotated = open_ and state.active and worth_telling
    changes = _OPENED | {"active": False, "since": None, "seen_at": at, "in_a_row": 0}
    cleared = state.cleared_since_case or state.case_id is not None
    new = state.model_copy(update=counts | changes | {"cleared_since_case": cleared})
    if annotated:
        return Told(new, cap, Decision.ANNOTATE, f"设备恢复正常 (told {new.since_case} times)")
    return Told(new, cap, Decision.COUNT, "back to normal" if state.active else "normal")


def _held_back(
    state: AlarmState, policy: AlarmPolicy, case: Case | None, at: datetime, now: datetime
) -> tuple[str, float | None]:
    """Why an active device without an open case gets none yet, empty when it gets one; and after how many seconds it
    gets one though nothing further is told, None where that takes a telling.
    """
    why, left = "", 0.0
    if case is not None:
        if policy.rearm == "cleared" and not state.cleared_since_case:
            return "not normal since its last case", None
        quiet = policy.quiet - (now - _ended_at(case)).total_seconds()
        if quiet > 0:
            why, left = _QUIET.format(quiet), quiet
    if state.in_a_row < policy.times:
        return why or _debouncing(state, policy, at), None
    return why or _debouncing(state, policy, at), max(left, policy.hold - _lasted(state, at))


def _debouncing(state: AlarmState, policy: AlarmPolicy, at: datetime) -> str:
    """What an alarm lacks to be believed; empty when it lacks nothing."""
    if state.in_a_row < policy.times:
        return f"held back: told {state.in_a_row} of {policy.times} times in a row"
    if (lasted := _lasted(state, at)) < policy.hold:
        return f"held back: active for {lasted:.0f} of {policy.hold:g} s"
    return ""


def _lasted(state: AlarmState, at: datetime) -> float:
    return (at - state.since).total_seconds() if state.since else 0.0


def _ended_at(case: Case) -> datetime:
    """When a case ended. One that was refused or cancelled does not say: the last that is known of it, never later."""
    latest = case.assignment
    known = (
        case.closed_at, case.disposed_at, case.filed_at, latest and latest.dispatched_at, latest and latest.signed_at,
        latest and latest.returned_at,
    )  # fmt: skip
    return max((at for at in known if at), default=case.received_at)


def _open(state: AlarmState, cap: CapState | None, policy: AlarmPolicy, now: datetime, *, again: bool = False) -> Told:
    """A case, unless the storm cap withholds it. `again`: that was counted before."""
    if policy.cap:
        cap = cap or CapState(system=state.system, kind=state.kind)
        window = timedelta(seconds=policy.cap_window)
        recent = tuple(at for at in cap.opened if now - at < window)
        if len(recent) >= policy.cap:
            kept = recent[-policy.cap :]
            cap = cap.model_copy(update={"opened": kept, "withheld": cap.withheld + (not again)})
            text = f"withheld by the storm cap: {policy.cap} cases in {policy.cap_window:g} s"
            room = kept[0] + window if state.message_id else None
            held = state.model_copy(update={"capped": state.capped + (not again), "due_at": room, "withheld": True})
            return Told(held, cap, Decision.COUNT, text)
        cap = cap.model_copy(update={"opened": (*recent, now)})
    opened = {"case_id": None, "case_at": now, "since_case": 1, "cleared_since_case": False}
    return Told(state.model_copy(update=opened | _OPENED), cap, Decision.OPEN, "a case is opened")
