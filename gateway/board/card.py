"""A card of the board: one system as it stands now, for people and machines."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from canonical.message import Verdict
from canonical.records import STUCK, DeliveryState, What
from canonical.time import in_shanghai
from gateway.board.known import Known
from gateway.board.state import judged
from gateway.configuration import ConnectedSystem
from gateway.edition import SHOWN
from gateway.hub import Hub
from gateway.reconciliation.view import confidence_view
from gateway.standing import breakers
from gateway.views import View
from storage.figures import UNFINISHED
from storage.inflow import Inflow
from storage.statements import Statement
from storage.traffic_counts import Counted, Pulse

WHAT_TITLES = {What.SENDING: "发送", What.RETRY: "重试", What.FETCHING: "拉取"}
_MISSED = 3
"""Turns that a pull may miss before its data are stale: one that failed is tried at the next turn."""
_PATIENCE = 120.0
"""Seconds that are granted anyway."""
_PUSHED = frozenset({"mqtt", "amqp"})
_LOOKS = 60.0
"""Seconds within which a receiver of a broker notes that it looked."""


def cards(hub: Hub, known: Known) -> list[View]:
    """The cards of all connected systems, and of those that something is left for, by name."""
    names = sorted({*hub.configuration.systems, *known.lanes})
    return [card(hub.configuration.systems.get(name), name, known) for name in names]


def card(connected: ConnectedSystem | None, name: str, known: Known) -> View:
    """One card; of a system that is connected no longer, what is left for it."""
    pulse, own = known.pulses.get(name, Pulse()), known.lanes.get(name, [])
    flows = [_flow(flow, connected, known.at) for flow in known.flows.get(name, [])]
    view = _named(connected, name) | _alive(connected, pulse, flows, known.at) | {
        "flows": flows,
        "needs_worker": bool(connected and (connected.url or connected.system.receivers)),
        "workers": len(known.members),
        "deliveries": dict.fromkeys(map(str, UNFINISHED), 0) | {lane.state: lane.count for lane in own},
        "quarantined": 0, "quarantined_since": None, "held": 0,
        "breakers": [
            {"worker": f"{member.host}:{member.pid}", "state": state}
            for member in known.members
            if (state := breakers(member).get(name)) is not None
        ],
        "switched_off": [
            {"what": one.what, "title": WHAT_TITLES[What(one.what)], "at": _at(one.at), "actor": one.actor,
             "reason": one.reason}
            for one in known.switches.get(name, [])
        ],
        "reconciliation": _agreed(connected, known),
        "rates": {"hour": _rates(pulse.hour), "day": _rates(pulse.day)},
    }  # fmt: skip
    oldest = min((lane.oldest for lane in own if lane.state not in STUCK), default=None)
    view |= {
        "in_doubt": view["deliveries"][DeliveryState.IN_DOUBT],
        "waits_for_a_person": sum(view["deliveries"][state] for state in STUCK),
        "oldest_at": _at(oldest), "oldest_seconds": _age(oldest, known.at) or 0.0,
    }  # fmt: skip
    view |= dict(_deferred(name, known))
    return view | judged(view)


def _named(connected: ConnectedSystem | None, name: str) -> View:
    role = connected.system.role if connected else None
    return {
        "id": name, "title": role.title if role else name, "connected": connected is not None,
        "edition": role.edition if role else "", "digest": connected.edition[:SHOWN] if connected else "",
        "source": bool(role and role.source), "owner": bool(role and role.owner),
        "leads": bool(role and role.leads), "paused": bool(connected and connected.paused),
    }  # fmt: skip


def _alive(connected: ConnectedSystem | None, pulse: Pulse, flows: list[View], at: datetime) -> View:
    """When it was last heard and reached, and how old what we have of it is."""
    looked = max((flow["known"] for flow in flows if flow["known"]), default=None)
    moments = [one for one in (pulse.heard_at, looked) if one is not None]
    data = max(moments, default=None)
    age, usual = _age(data, at), _expected(connected, flows)
    limit = _limit(usual, flows) if usual is not None else None
    for flow in flows:
        del flow["known"]
    reached = max((one for one in (pulse.reached_at, looked) if one is not None), default=None)
    return {
        "heard_at": _at(pulse.heard_at), "reached_at": _at(reached), "data_at": _at(data), "data_age_seconds": age,
        "expected_seconds": usual, "stale_after_seconds": limit,
        "stale": limit is not None and age is not None and age > limit,
    }  # fmt: skip


def _expected(connected: ConnectedSystem | None, flows: list[View]) -> float | None:
    """Seconds within which something is to be had: the shortest pause of what is fetched, else what the city says of
    a source that pushes. None: nothing is to be expected at any time.
    """
    rhythms = [flow["every_seconds"] for flow in flows if flow["every_seconds"] and not flow["sweep"]]
    if rhythms:
        return float(min(rhythms))
    return connected.silent_after if connected is not None and connected.system.role.source else None


def _limit(usual: float, flows: list[View]) -> float:
    return max(_MISSED * usual, _PATIENCE) if any(flow["every_seconds"] for flow in flows) else usual


def _flow(flow: Inflow, connected: ConnectedSystem | None, at: datetime) -> View:
    """One pull, receiver or subscription. `known`: for the card, taken out of it again."""
    every = _every(flow.name, connected)
    known = min(flow.known_at, at) if flow.known_at else None
    age = _age(known, at)
    return {
        "name": flow.name, "sweep": flow.name.endswith("#sweep"), "every_seconds": every,
        "moved_at": _at(flow.moved_at), "trouble": flow.trouble, "age_seconds": age, "known": known,
        "stale": bool(every and age is not None and age > max(_MISSED * every, _PATIENCE)),
    }  # fmt: skip


def _every(name: str, connected: ConnectedSystem | None) -> float | None:
    """Seconds between two looks; None for what has no rhythm of ours."""
    if connected is None:
        return None
    for pull in connected.system.pulls:
        if name == pull.name:
            return float(connected.every or pull.declared.every) + pull.declared.behind
        if name == f"{pull.name}#sweep" and pull.declared.sweep:
            return float(pull.declared.sweep.every)
    for receiver in connected.system.receivers:
        if name == receiver.name:
            return _LOOKS if receiver.declared.kind in _PUSHED else float(connected.every or receiver.declared.every)
    return None


def _deferred(name: str, known: Known) -> Iterator[tuple[str, Any]]:
    if quarantined := known.deferred.get((name, Verdict.QUARANTINED)):
        yield "quarantined", quarantined.count
        yield "quarantined_since", _at(quarantined.oldest)
    if held := known.deferred.get((name, Verdict.HELD)):
        yield "held", held.count


def _agreed(connected: ConnectedSystem | None, known: Known) -> View | None:
    """How far it and we are known to agree; None where its declaration says nothing of comparing."""
    if connected is None or connected.system.reconciling is None:
        return None
    name = connected.system.role.id
    view = confidence_view(connected, known.statements.get(name), known.confidence.get(name), known.at)
    last = known.statements.get(name)
    return {key: view[key] for key in _AGREED} | {"last": _statement(last) if view["last"] else None}


_AGREED = ("by", "confident", "recent", "running", "open", "signed_off", "by_age", "oldest")


def _statement(last: Statement | None) -> View | None:
    if last is None:
        return None
    return {
        "id": str(last.id), "day": last.day.isoformat(), "finished_at": _at(last.finished_at),
        "balances": last.balances, "trouble": last.trouble,
    }  # fmt: skip


def _rates(counted: Counted) -> View:
    wrong = counted.refused + counted.quarantined
    return {
        "received": counted.received, "refused": counted.refused, "quarantined": counted.quarantined,
        "sent": counted.sent, "failed": counted.failed,
        "in_error_rate": round(wrong / counted.received, 4) if counted.received else None,
        "out_error_rate": round(counted.failed / counted.sent, 4) if counted.sent else None,
    }  # fmt: skip


def _age(at: datetime | None, now: datetime) -> float | None:
    return max(0.0, round((now - at) / timedelta(seconds=1), 1)) if at else None


def _at(at: datetime | None) -> str | None:
    return in_shanghai(at).isoformat() if at else None
