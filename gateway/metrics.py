"""What gateways and workers count, in Prometheus' text format. Systems are the only names: no case, person or message.

Counted where it happens, a batch at a time where there are batches. What the database knows (lanes, workers, polls) is
read by whoever serves the page, at most every few seconds: see gateway/figures.py.
"""

import os
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from canonical.message import ACCEPTED, Verdict

__all__ = ["CONTENT_TYPE_LATEST", "page"]

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The client library's own variable: a folder in which the processes behind one port count together."""
_REGISTRY = CollectorRegistry()
ProcessCollector(registry=_REGISTRY)

BATCHES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

INTAKE = Counter(
    "gridhub_intake_messages",
    "Messages that came in, by what became of them. deferred: not taken for good, it comes again or is replayed.",
    ["system", "outcome", "verdict"],
    registry=_REGISTRY,
)
INTAKE_BATCH = Histogram(
    "gridhub_intake_batch_messages", "Messages committed together.", buckets=BATCHES, registry=_REGISTRY
)
INTAKE_COMMIT = Histogram(
    "gridhub_intake_commit_seconds", "Deciding and committing one batch.", buckets=_SECONDS, registry=_REGISTRY
)
INTAKE_QUEUE = Gauge(
    "gridhub_intake_queue_messages", "Pushes that wait for the next commit.", multiprocess_mode="livesum",
    registry=_REGISTRY,
)  # fmt: skip
CLOCK_STEPS = Counter(
    "gridhub_clock_steps",
    "Steps of case clocks that this process has told: on the way to a due time, and past it. late: after an outage.",
    ["clock", "step", "late"],
    registry=_REGISTRY,
)
ATTEMPTS = Counter(
    "gridhub_delivery_attempts",
    "Attempts to deliver that this worker has settled, by the state they left the delivery in.",
    ["system", "state"],
    registry=_REGISTRY,
)
SETTLE_BATCH = Histogram(
    "gridhub_settle_batch_deliveries", "Deliveries committed together: as they leave, and as they end.", ["step"],
    buckets=BATCHES, registry=_REGISTRY,
)  # fmt: skip
BREAKER = Gauge(
    "gridhub_breaker", "1 for the state of this worker's breaker: closed, held, open or half_open.",
    ["system", "state"], multiprocess_mode="livemax", registry=_REGISTRY,
)  # fmt: skip
BREAKER_STATES = ("closed", "held", "open", "half_open")
UNDER_WAY = Gauge(
    "gridhub_deliveries_in_hand", "Deliveries that this worker has in hand.", ["system"],
    multiprocess_mode="livesum", registry=_REGISTRY,
)  # fmt: skip
LIVE_LISTENERS = Gauge(
    "gridhub_live_listeners", "Consoles that listen at /api/live.", multiprocess_mode="livesum", registry=_REGISTRY
)
LIVE_RESETS = Counter(
    "gridhub_live_resets",
    "Consoles that were told to load anew. slow: they read less than came; gap: away for too long; flood: too much at "
    "once; late: they came while the database was away; unknown: an id that is not of this hub.",
    ["what"],
    registry=_REGISTRY,
)
_REFUSED = frozenset({Verdict.REFUSED})


def everything() -> tuple[Collector, ...]:
    """All that gateways and workers count; map processes: gateway/maps/counts.py."""
    return (
        INTAKE, INTAKE_BATCH, INTAKE_COMMIT, INTAKE_QUEUE, CLOCK_STEPS, ATTEMPTS, SETTLE_BATCH, BREAKER, UNDER_WAY,
        LIVE_LISTENERS, LIVE_RESETS,
    )  # fmt: skip


def outcome(verdict: str) -> str:
    """`accepted`, `refused` or `deferred`."""
    return "accepted" if verdict in ACCEPTED else "refused" if verdict in _REFUSED else "deferred"


def took_in(verdicts: Iterable[tuple[str, str]]) -> None:
    """One committed batch, as (system, verdict)."""
    for (system, verdict), count in Tally(verdicts).items():
        INTAKE.labels(system, outcome(verdict), verdict).inc(count)


def settled(endings: Iterable[tuple[str, str]]) -> None:
    """One committed batch of endings, as (system, state)."""
    for (system, state), count in Tally(endings).items():
        ATTEMPTS.labels(system, state).inc(count)


def lane(system: str, breaker: str, in_hand: int) -> None:
    """How one system stands at this worker."""
    for state in BREAKER_STATES:
        BREAKER.labels(system, state).set(state == breaker)
    UNDER_WAY.labels(system).set(in_hand)


def page(known: Sequence[Metric] = (), counted: CollectorRegistry = _REGISTRY) -> bytes:
    """The whole page: what this process counted, or all processes behind its port, and `known` from elsewhere."""
    return bytes(generate_latest(_counted(counted)) + generate_latest(_told(known)))


class _Told(Collector):
    """Metrics that were read elsewhere."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._metrics


def _told(metrics: Sequence[Metric]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Told(metrics))
    return registry


def _counted(own: CollectorRegistry) -> CollectorRegistry:
    shared = os.environ.get(SHARED)
    if not shared:
        return own
    _forget_the_dead(Path(shared))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _forget_the_dead(folder: Path) -> None:
    """Gauges of processes that have ended count no longer; counters do."""
    for file in folder.glob("gauge_live*_*.db"):
        number = file.stem.rpartition("_")[2]
        if not (Path("/proc") / number).exists():
            multiprocess.mark_process_dead(int(number))  # type: ignore[no-untyped-call]
