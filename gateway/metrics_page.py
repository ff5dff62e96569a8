"""docs/metrics.md, made from the metrics that the code has. Asks no database.

python -m gateway.metrics_page > docs/metrics.md
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from canonical.time import SHANGHAI
from gateway import metrics
from gateway.figures import database_up, families
from gateway.maps import counts
from gateway.upstream.figures import upstream_families
from storage.figures import Figures

ENDINGS: Mapping[str, Sequence[str]] = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
"""What Prometheus adds to the name, by type."""
_EPOCH = datetime(2026, 1, 1, tzinfo=SHANGHAI)
_HEAD = """\
# Metrics 监控指标

Made by `python -m gateway.metrics_page > docs/metrics.md`; a test compares.

`GET /metrics` gives them in Prometheus' text format: of a gateway at its own port, of a map process at its own port,
of a worker at `--metrics-port`. The page is open, as health pages are; the proxy does not pass it on. With
`--processes` all processes behind a port count together. Labels are systems of the configuration and words of the
hub, never a person, a case, a client or a layer. Beside these each page has the process's own
(`process_cpu_seconds_total`, `process_resident_memory_bytes` and so on). What is worth an alarm stands in
[operating](operating.md#what-to-watch) and, as rules, in `deploy/prometheus/alerts.yml`.
"""


def sections() -> Iterator[tuple[str, str, list[tuple[Metric, Sequence[str]]]]]:
    """Title, what is to be known of all in it, and each metric with its labels."""
    known = [database_up(1), *families(Figures([], {}, [], [], [], []), [], _EPOCH), *upstream_families([], _EPOCH)]
    yield (
        "What gateways and workers count", "Each process its own: take the `sum`.",
        list(_counted(metrics.everything())),
    )  # fmt: skip
    yield (
        "What the database knows",
        "Every gateway tells the same, read at most every five seconds: take the `max`, never the `sum`.",
        [(one, _labels(one)) for one in known],
    )
    yield "What map processes count", "Each `gridhub maps` its own.", list(_counted(counts.everything()))


def names() -> frozenset[str]:
    """Every name that a rule may ask for."""
    return frozenset(name for _, _, rows in sections() for metric, _ in rows for name in names_of(metric))


def names_of(metric: Metric) -> Sequence[str]:
    """The names under which Prometheus has it."""
    return [metric.name + ending for ending in ENDINGS.get(metric.type, ("",))]


def page() -> str:
    """The page."""
    return "\n".join([_HEAD, *_tables()])


def _tables() -> Iterator[str]:
    for title, said, rows in sections():
        yield f"## {title}\n\n{said}\n\n| name | type | labels | what |\n|---|---|---|---|"
        for metric, labels in sorted(rows, key=lambda row: row[0].name):
            name = metric.name if metric.type == "histogram" else names_of(metric)[0]
            told = ", ".join(f"`{label}`" for label in labels)
            yield f"| `{name}` | {metric.type} | {told} | {metric.documentation} |"
        yield ""


def _counted(collectors: Iterable[Collector]) -> Iterator[tuple[Metric, Sequence[str]]]:
    for one in collectors:
        for metric in one.collect():
            yield metric, _labels(one)


def _labels(one: Any) -> Sequence[str]:  # noqa: ANN401 collectors and families both have them, and no common type
    """The library tells names of labels nowhere else."""
    return tuple(one._labelnames)


if __name__ == "__main__":
    sys.stdout.write(page())
