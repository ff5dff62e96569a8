"""What the database knows, as metrics. Read at most every few seconds, however often and from wherever it is asked for.

Every gateway tells the same figures: rules take the `max` of them, never the `sum`.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from canonical.errors import Unavailable
from canonical.records import STUCK
from gateway import metrics
from gateway.hub import Hub
from gateway.standing import breakers
from gateway.upstream.figures import upstream_families
from gateway.work import Role
from storage.figures import UNFINISHED, Figures, figures
from storage.seals import Standing
from storage.search_index import Indexed
from storage.switches import What
from storage.upstream import Upstreams

SOONEST = 5.0
"""Seconds for which figures are good; longer when reading them takes long."""
_SHARE = 30.0
"""Reading takes at most one part of so many of the time."""


class Watch:
    """The page of one process: its own counts, and the database's figures where it is asked to tell them."""

    def __init__(self, hub: Hub, *, shared: bool = True) -> None:
        self._hub, self._shared = hub, shared
        self._lock = asyncio.Lock()
        self._known: list[Metric] = []
        self._until = 0.0

    async def page(self) -> bytes:
        """Prometheus' text. A database that does not answer is a figure, too."""
        if not self._shared:
            return metrics.page()
        async with self._lock:  # who comes while they are read gets the same
            if time.monotonic() >= self._until:
                began = time.monotonic()
                self._known = [*await self._read()]
                self._until = time.monotonic() + max(SOONEST, _SHARE * (time.monotonic() - began))
        return metrics.page(self._known)

    async def _read(self) -> list[Metric]:
        try:
            found = await figures(self._hub.store, now=self._hub.now())
            looks = await Upstreams(self._hub.store).looks()
        except Unavailable:
            return [database_up(0)]
        told = families(found, sorted(self._hub.configuration.systems), self._hub.now())
        return [database_up(1), *told, *upstream_families(looks.values(), self._hub.now())]


def database_up(up: int) -> Metric:
    """1 or 0."""
    return _one("gridhub_database_up", "Whether the database answers.", up)


def families(found: Figures, systems: Iterable[str], now: datetime) -> Iterator[Metric]:
    """Each figure by system: those of the configuration, and whatever else the database has."""
    met = {*(lane.system for lane in found.lanes), *(one.system for one in found.confidence)}
    known = sorted({*systems, *met})
    yield _deliveries(found, known)
    yield _oldest(found, known, now)
    yield _deferred(found)
    yield from _inflow(found, now)
    yield _workers(found)
    yield _breakers(found, known)
    yield _switched_off(found, known)
    yield from _differences(found, known, now)
    yield from _seals(found.sealed, now)
    yield from _search(found.indexed, now)


def _deliveries(found: Figures, systems: Iterable[str]) -> Metric:
    counts = {(lane.system, lane.state): lane.count for lane in found.lanes}
    family = GaugeMetricFamily(
        "gridhub_deliveries", "Unfinished deliveries by state; refused and parked wait for a person.",
        labels=["system", "state"],
    )  # fmt: skip
    for system in systems:
        for state in UNFINISHED:
            family.add_metric([system, state], counts.get((system, state), 0))
    return family


def _oldest(found: Figures, systems: Iterable[str], now: datetime) -> Metric:
    family = GaugeMetricFamily(
        "gridhub_delivery_oldest_seconds", "Age of the oldest delivery that still goes by itself; 0: there is none.",
        labels=["system"],
    )  # fmt: skip
    moving = {
        system: [lane.oldest for lane in found.lanes if lane.system == system and lane.state not in STUCK]
        for system in systems
    }
    for system, times in moving.items():
        family.add_metric([system], max(0.0, (now - min(times)).total_seconds()) if times else 0.0)
    return family


def _deferred(found: Figures) -> Metric:
    family = GaugeMetricFamily(
        "gridhub_deferred_messages", "Messages in quarantine, or held until their case is known.",
        labels=["system", "verdict"],
    )  # fmt: skip
    for (system, verdict), count in sorted(found.deferred.items()):
        family.add_metric([system, verdict], count)
    return family


def _inflow(found: Figures, now: datetime) -> Iterator[Metric]:
    moved = GaugeMetricFamily(
        "gridhub_inflow_age_seconds", "Since a pull, receiver or subscription last came forward.",
        labels=["system", "name"],
    )  # fmt: skip
    trouble = GaugeMetricFamily(
        "gridhub_inflow_trouble", "1 where a pull, receiver, subscription or connector stands still.",
        labels=["system", "name"],
    )  # fmt: skip
    for flow in found.inflows:
        if flow.moved_at is not None:
            moved.add_metric([flow.system, flow.name], max(0.0, (now - flow.moved_at).total_seconds()))
        trouble.add_metric([flow.system, flow.name], 1 if flow.trouble else 0)
    yield moved
    yield trouble


def _workers(found: Figures) -> Metric:
    family = GaugeMetricFamily("gridhub_workers", "Worker processes that live, by what they do.", labels=["role"])
    for role in Role:
        family.add_metric([role], sum(role in member.roles.split() for member in found.members))
    return family


def _breakers(found: Figures, systems: Iterable[str]) -> Metric:
    family = GaugeMetricFamily(
        "gridhub_breakers_open", "Workers whose breaker for this system is not closed.", labels=["system"]
    )
    opened = [name for member in found.members for name in breakers(member)]
    for system in systems:
        family.add_metric([system], opened.count(system))
    return family


def _switched_off(found: Figures, systems: Iterable[str]) -> Metric:
    family = GaugeMetricFamily(
        "gridhub_switched_off", "1 where people have switched it off for a system.", labels=["system", "what"]
    )
    off = {(switch.system, switch.what) for switch in found.switches if switch.off}
    for system in systems:
        for what in What:
            family.add_metric([system, what], (system, what) in off)
    return family


def _differences(found: Figures, systems: Iterable[str], now: datetime) -> Iterator[Metric]:
    of = {one.system: one for one in found.confidence}
    count = GaugeMetricFamily(
        "gridhub_differences_open", "Differences of reconciliation that nobody has repaired or signed off.",
        labels=["system"],
    )  # fmt: skip
    age = GaugeMetricFamily(
        "gridhub_difference_oldest_seconds", "Since the oldest open difference was first seen; 0: there is none.",
        labels=["system"],
    )  # fmt: skip
    for system in systems:
        one = of.get(system)
        count.add_metric([system], one.open if one else 0)
        age.add_metric([system], max(0.0, (now - one.oldest).total_seconds()) if one and one.oldest else 0.0)
    yield count
    yield age


def _seals(sealed: Standing, now: datetime) -> Iterator[Metric]:
    yield _one("gridhub_seals", "Seals of the chain of evidence.", sealed.seals)
    lag = max(0.0, (now - sealed.waiting).total_seconds()) if sealed.waiting else 0.0
    yield _one("gridhub_seal_lag_seconds", "Age of the oldest row that is not sealed yet; 0: all are.", lag)


def _search(found: Indexed, now: datetime) -> Iterator[Metric]:
    lag = max(0.0, (now - found.waiting).total_seconds()) if found.waiting else 0.0
    told = "Age of the oldest change of a case that search does not know yet; 0: it knows all."
    yield _one("gridhub_search_lag_seconds", told, lag)
    told = "1 while search still takes in older cases, or no worker does it; 0: all cases are found."
    yield _one("gridhub_search_incomplete", told, 0 if found.complete else 1)


def _one(name: str, told: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, told)
    family.add_metric([], value)
    return family
