"""How the upstream services stand, as metrics."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from gateway.upstream.look import State
from storage.upstream import Look


def upstream_families(looks: Iterable[Look], now: datetime) -> Iterator[Metric]:
    """One value a service each."""
    up = GaugeMetricFamily("gridhub_upstream_up", "1: the map service answered as it should when it was last asked.",
                           labels=["upstream", "state"])  # fmt: skip
    took = GaugeMetricFamily("gridhub_upstream_answer_seconds", "How long the slower of its last two answers took.",
                             labels=["upstream"])  # fmt: skip
    gone = GaugeMetricFamily("gridhub_upstream_missing_layers", "Layers that are used and that it no longer has.",
                             labels=["upstream"])  # fmt: skip
    age = GaugeMetricFamily("gridhub_upstream_look_age_seconds", "Since when it was last asked.", labels=["upstream"])
    for look in looks:
        up.add_metric([look.name, look.state], float(look.state in {State.UP, State.SLOW}))
        if look.seconds is not None:
            took.add_metric([look.name], look.seconds)
        gone.add_metric([look.name], len(look.missing))
        if look.looked_at is not None:
            age.add_metric([look.name], (now - look.looked_at).total_seconds())
    yield from (up, took, gone, age)
