"""All that the board needs of the database, read system by system in none of it: one look for all cards."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from canonical.message import Verdict
from gateway.hub import Hub
from storage.crew import Crew, Member
from storage.differences import Confidence, Differences
from storage.figures import LaneFigure, lanes
from storage.inflow import Inflow, inflows
from storage.quarantine import Deferred, deferred
from storage.statements import Statement, Statements
from storage.switches import Switch, Switches
from storage.traffic_counts import Pulse, TrafficCounts


@dataclass(frozen=True, slots=True)
class Known:
    """How everything stood at one moment; what is of one system, by its name."""

    at: datetime
    lanes: dict[str, list[LaneFigure]]
    flows: dict[str, list[Inflow]]
    switches: dict[str, list[Switch]]
    """Those that are off."""
    deferred: dict[tuple[str, str], Deferred]
    """By system and verdict."""
    pulses: dict[str, Pulse]
    confidence: dict[str, Confidence]
    statements: dict[str, Statement]
    """The last one of each."""
    members: list[Member]
    """Worker processes that live."""


async def known(hub: Hub, at: datetime) -> Known:
    """Read it. Raises DatabaseAway."""
    store, compared = hub.store, [name for name, one in hub.configuration.systems.items() if one.system.reconciling]
    of_lane: dict[str, list[LaneFigure]] = defaultdict(list)
    for lane in await lanes(store):
        of_lane[lane.system].append(lane)
    of_flow: dict[str, list[Inflow]] = defaultdict(list)
    for flow in await inflows(store):
        of_flow[flow.system].append(flow)
    off: dict[str, list[Switch]] = defaultdict(list)
    for switch in await Switches(store).all():
        if switch.off:
            off[switch.system].append(switch)
    waiting = {(one.system, one.verdict): one for one in await deferred(store, (Verdict.QUARANTINED, Verdict.HELD))}
    return Known(
        at=at, lanes=of_lane, flows=of_flow, switches=off, deferred=waiting,
        pulses=await TrafficCounts(store).pulses(at),
        confidence={one.system: one for one in await Differences(store).confidence(at)},
        statements=await Statements(store).lasts(compared), members=await Crew(store).living(at),
    )  # fmt: skip
