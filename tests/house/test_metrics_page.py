"""docs/metrics.md lists every metric that the code has, and documents and rules speak of no other."""

import re
from pathlib import Path

import pytest

from gateway.metrics_page import ENDINGS, names, page, sections

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "README.zh-CN.md"]
ROOMS = ("canonical", "adapters", "connectors", "routing", "assessment", "maps", "storage", "gateway", "simulators")
_MADE = re.compile(
    r'(?:Counter|Gauge|Histogram|Summary|Info|Enum|GaugeMetricFamily|CounterMetricFamily|_one)\(\s*"(gridhub_\w+)"'
)


def test_the_page_is_the_one_that_the_metrics_make() -> None:
    kept = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")

    assert kept == page(), "renew it: python -m gateway.metrics_page > docs/metrics.md"


def test_every_metric_in_the_code_is_on_the_page_and_every_one_on_the_page_is_in_the_code() -> None:
    sources = [path.read_text(encoding="utf-8") for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    made = {name for source in sources for name in _MADE.findall(source)}
    listed = {metric.name for _, _, rows in sections() for metric, _ in rows}

    assert len(made) > 20
    assert made == listed


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_a_document_names_no_metric_that_is_not_there(document: Path) -> None:
    named = set(re.findall(r"`(gridhub_[a-z_]+)`", document.read_text(encoding="utf-8")))
    whole = {metric.name for _, _, rows in sections() for metric, _ in rows if metric.type in ENDINGS}

    assert named - names() - whole == set()


def test_no_metric_has_a_label_that_grows_with_what_comes_in() -> None:
    labels = {label for _, _, rows in sections() for _, labels in rows for label in labels}

    assert labels <= {"system", "name", "outcome", "verdict", "state", "step", "clock", "late", "role", "what",
                      "upstream", "service", "operation", "source"}  # fmt: skip
