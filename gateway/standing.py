"""How the traffic to each system stands: what is unfinished and since when, switches, breakers, trouble."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from canonical.records import STUCK
from canonical.time import in_shanghai
from gateway.hub import Hub
from gateway.views import View
from storage.crew import Crew, Member
from storage.figures import UNFINISHED, LaneFigure, lanes
from storage.inflow import Inflow, inflows
from storage.switches import Switch, Switches


async def standing(hub: Hub) -> dict[str, View]:
    """Each system of the configuration, and each there is something for. Finished deliveries are not counted."""
    found = await lanes(hub.store)
    switches, members = await Switches(hub.store).all(), await Crew(hub.store).living(hub.now())
    flows = await inflows(hub.store)
    names = sorted({*hub.configuration.systems, *(lane.system for lane in found)})
    return {name: _one(hub, name, found, switches, members, flows) for name in names}


def _one(
    hub: Hub, name: str, found: Iterable[LaneFigure], switches: Iterable[Switch], members: Iterable[Member],
    flows: Iterable[Inflow],
) -> View:  # fmt: skip
    connected = hub.configuration.systems.get(name)
    own = [lane for lane in found if lane.system == name]
    counts = dict.fromkeys(map(str, UNFINISHED), 0) | {lane.state: lane.count for lane in own}
    oldest = min((lane.oldest for lane in own if lane.state not in STUCK), default=None)
    return {
        "connected": connected is not None, "paused": bool(connected and connected.paused),
        "concurrency": connected.concurrency if connected else 0,
        "rate": connected.traffic.rate if connected else None,
        "deliveries": counts, "waits_for_a_person": sum(counts[state] for state in STUCK),
        "oldest_at": in_shanghai(oldest).isoformat() if oldest else None, "oldest_seconds": _age(oldest, hub.now()),
        "switched_off": [_switch(one) for one in switches if one.system == name and one.off],
        "breakers": [
            {"worker": f"{member.host}:{member.pid}", "state": state}
            for member in members
            if (state := breakers(member).get(name)) is not None
        ],
        "trouble": {flow.name: flow.trouble for flow in flows if flow.system == name and flow.trouble},
    }  # fmt: skip


def breakers(member: Member) -> dict[str, str]:
    """System to the state of its breaker at this worker, where it is not closed."""
    read: dict[str, str] = json.loads(member.breakers)
    return read


def _age(oldest: datetime | None, now: datetime) -> float:
    return max(0.0, round((now - oldest).total_seconds(), 1)) if oldest else 0.0


def _switch(one: Switch) -> dict[str, Any]:
    return {"what": one.what, "at": in_shanghai(one.at).isoformat(), "actor": one.actor, "reason": one.reason}
