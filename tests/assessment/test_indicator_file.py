"""Rules that cannot be right are found with file, line, key and what was meant; the example's are right."""

import shutil
from pathlib import Path

import pytest

from assessment.indicator_file import load_rulebook
from canonical.findings import Finding

EXAMPLE = Path(__file__).parents[2] / "config" / "assessment"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that a test may change."""
    copied = tmp_path / "assessment"
    shutil.copytree(EXAMPLE, copied)
    return copied


def _read(folder: Path) -> list[Finding]:
    findings: list[Finding] = []
    load_rulebook(folder, findings, units={"3402-urban"})
    return findings


def test_the_example_city_has_sixty_indicators_and_nothing_is_wrong_with_them() -> None:
    findings: list[Finding] = []
    rules = load_rulebook(EXAMPLE, findings)
    assert rules is not None
    assert findings == []
    assert len(rules.counters) + len(rules.rates) >= 60
    assert len({*(one.title for one in rules.counters.values()), *(one.title for one in rules.rates.values())}) >= 60
    for by in rules.sheets:
        assert rules.needed(by), by


_WRONG = [
    ("report: {title: 上报数, what: action.collect}", "report: {title: 上报数, what: action.colect}",
     "indicators.yaml", "'action.colect' is nothing that can be counted; did you mean 'action.collect'?"),
    ("where: {kind: part}", "where: {kimd: part}", "indicators.yaml", "a fact has no 'kimd'; did you mean 'kind'?"),
    ("where: {kind: part}", "where: {kind: parts}", "indicators.yaml", "'parts' does not occur; did you mean 'part'?"),
    ("where: {source: hotline_12345}", "where: {unit: 3402-urbam}", "indicators.yaml", "did you mean '3402-urban'?"),
    ("{extensions: \">=1\"}", "{extensions: \"=>1\"}", "indicators.yaml", "a comparison such as >=3"),
    ("where: {exempt: true}}", "where: {exempt: ja}}", "indicators.yaml", "true or false is expected, not 'ja'"),
    ("report: {title: 上报数, what: action.collect}", "report: {title: 上报数, what: action.collect, bye: due}",
     "indicators.yaml", "unknown key; did you mean 'by'?"),
    ("what: action.join}", "what: action.join, by: due}", "indicators.yaml", "'due' is for clocks"),
    ("numerator: valid_report,", "numerator: valid_reprot,", "indicators.yaml", "did you mean 'valid_report'?"),
    ("numerator: valid_report,", "numerator: report,", "indicators.yaml", "a rate over itself is always 100 %"),
    ("by: due, where: {late: true, supervised", "by: due, where: {late: true, on_time: true, supervised",
     "indicators.yaml", "it never counts anything"),
    ("joined_report: {title: 重复上报数", "joined_report: {title: 上报数", "indicators.yaml",
     "'上报数' is the title of 'report' already"),
    ("  joined_report:", "  report:", "indicators.yaml", "already: the two contradict each other"),
    ("collector: [report,", "colector: [report,", "indicators.yaml", "did you mean 'collector'?"),
    ("collector: [report,", "collector: [report, report,", "indicators.yaml", "stands in this sheet already"),
    ("edition: wuhu-demo-2026.1\n\ncounters", "counters", "indicators.yaml", "edition: missing"),
    ("counters:\n", "counters: [1]\nothers:\n", "indicators.yaml", "a mapping of names is expected"),
    ("{rate: rework_rate, weight: 20, reverse: true}\n      - {rate: over", "{rate: rework_rate, weight: 20}\n      - "
     "{rate: over", "scores.yaml", "'rework_rate' is good when low, so its weight needs `reverse: true`"),
    ("{rate: dispose_rate, weight: 30}", "{rate: disposal_rate, weight: 30}", "scores.yaml",
     "did you mean 'dispose_rate'?"),
    ("{rate: dispose_rate, weight: 30}", "{rate: dispose_rate, weight: 0}", "scores.yaml", "greater than 0"),
    ("{rate: dispose_rate, weight: 30}", "{rate: in_time_dispose_rate, weight: 30}", "scores.yaml",
     "has a weight already"),
    ("counter: very_satisfied", "counter: rework_thrice", "scores.yaml", "'rework_thrice' is a bonus too"),
    ("level: [district]", "level: [city]", "scores.yaml", "level 'city' stands in two classes"),
    ("{from: 80, title: 良好", "{from: 90, title: 良好", "scores.yaml", "another grade begins at 90 already"),
    ('colour: "#1565C0"', "colour: blue", "scores.yaml", "colour"),
    ("double: supervised_overdue", "double: supervised_overdu", "scores.yaml", "did you mean 'supervised_overdue'?"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "file", "said"), _WRONG, ids=[one[3][:40] for one in _WRONG])
def test_a_rule_that_cannot_be_right_is_found_where_it_stands(
    folder: Path, old: str, new: str, file: str, said: str
) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1

    found = [one for one in _read(folder) if said in str(one)]

    assert found, _read(folder)
    assert found[0].file == f"assessment/{file}"
    if "missing" not in said and "mapping" not in said:
        assert abs(found[0].line - line) <= 30
        assert found[0].line > 0


@pytest.mark.parametrize(
    "body",
    [b"", b"- 1", b"\xff\xfe", b"a: [", b"a: &x [*x]", b"counters: {a: 1}", b"edition: 7\ncounters: {}", b"? {}\n"],
)
def test_any_bytes_give_findings_and_never_another_error(folder: Path, body: bytes) -> None:
    for name in ("indicators.yaml", "scores.yaml"):
        (folder / name).write_bytes(body)
        _read(folder)
    assert _read(folder)


def test_the_edition_changes_with_any_rule(folder: Path) -> None:
    before = load_rulebook(folder, [])
    path = folder / "scores.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("weight: 30", "weight: 31"), encoding="utf-8")
    after = load_rulebook(folder, [])
    assert before is not None
    assert after is not None
    assert before.edition != after.edition
