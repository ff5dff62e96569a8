"""Rules of the trade that contradict: each fault alone, planted into the example city, told with its line."""

import shutil
from pathlib import Path

import pytest
import yaml

from canonical.findings import Finding, Severity
from gateway.configuration import read
from gateway.rules_file import RulesFile
from gateway.rules_review import contradictions, read_rules
from gateway.settings import example_city

RULES = (example_city() / "rules.yaml").read_text(encoding="utf-8")

STEPS = '["50%", "80%", due, "+1 work_day", "+3 work_day"]'
CASES = {
    "the same rule twice": (
        "suspension:\n", "extension:\n  most: 9\n  source: x\n\nsuspension:\n", 0,
        "extension: stands in line 14 already",
    ),
    "the same key twice": ("  most: 2\n", "  most: 2\n  most: 5\n", 1, "extension.most: stands in line 16 already"),
    "no extension, and how long it is": ("  most: 2\n", "  most: 0\n", 0, "0 forbids what `original`"),
    "no suspension, and how long it is": (
        "most: 1\n  longest", "most: 0\n  longest", 0, "suspension.most: 0 forbids what `longest`"
    ),
    "no return, and a ruling": ("most: 3\n", "most: 0\n", 0, "0 rounds leave nothing to rule on"),
    "more returns of one unit than there are": ("same_unit: 1", "same_unit: 4", 0, "after 3 returns the centre rules"),
    "no appeal, and within what time": ("most: 1\n  within", "most: 0\n  within", 0, "appeals.most: 0 forbids"),
    "a step after a later one": (
        STEPS, '["50%", "80%", due, "+3 work_day", "+1 work_day"]', 0, "'+1 work_day' comes before '+3 work_day'"
    ),
    "a share after the due time": (STEPS, '[due, "50%", "+1 work_day", "+3 work_day"]', 0, "'50%' comes before 'due'"),
    "an hour after a day": (
        STEPS, '[due, "+1 calendar_day", "+23 urgent_work_hour", "+1 work_day", "+3 work_day"]', 0,
        "'+23 urgent_work_hour' comes before '+1 calendar_day'",
    ),
    "a step twice": (STEPS, '[due, due, "+1 work_day", "+3 work_day"]', 0, "a step stands here twice"),
    "a clock with two lists of steps": (
        "[reply, source, source_sign, owner]", "[reply, disposal]", 0, "'disposal' has its steps",
    ),
    "a step in a unit there is none of": (STEPS, '[due, "+1 week", "+1 work_day", "+3 work_day"]', 0, "a step is 50%"),
    "a limit in a unit there is none of": ("unit: calendar_day}", "unit: week}", 0, "Input should be 'minute'"),
    "a limit of nothing": ("{value: 365,", "{value: 0,", 0, "greater than or equal to 1"),
    "a ladder that goes down": ("supervise: ordinary", "supervise: red", 5, "goes down from 'red' at 'due'"),
    "a rung at a step there is none of": ('step: "+3 work_day"', 'step: "+4 work_day"', 0, "no step of 'disposal'"),
    "two rungs at one step": ('step: "+3 work_day"', 'step: "+1 work_day"', 0, "has a rung at '+1 work_day' already"),
    "a rung that does two things": ("supervise: ordinary", "supervise: ordinary\n    escalate: true", 1, "make two"),
    "a rung that does nothing": ("    escalate: true\n    notify: [上级中心]\n", "", -1, "the rung does nothing"),
    "a case that is raised before anybody has it": (
        "  - clock: level\n    step: due\n", "  - clock: file\n    step: due\n", 2,
        "nobody works on a case while 'file' runs",
    ),
    "a case that is supervised before it is filed": (
        "  - clock: disposal\n    step: due\n", "  - clock: accept\n    step: due\n", 2, "not filed while 'accept' runs"
    ),
    "two closing rights of one loop": ("{level: street, by: street", "{level: city, by: city", 2, "has a row already"),
    "a loop closed from below": ("{level: city, by: city", "{level: city, by: street", 0, "is below the city"),
    "a level there is none of": ("{level: street, by: street", "{level: county, by: street", 0, "'district', 'street'"),
    "a rule without what it rests on": ("  gap: false\n  source: ", "  gap: false\n  sauce: ", 1, "not permitted"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_rules_that_contradict_are_told_with_their_line(tmp_path: Path, case: str) -> None:
    old, new, below, said = CASES[case]
    assert RULES.count(old) == 1
    line = RULES[: RULES.index(old)].count("\n") + 1 + below
    (tmp_path / "rules.yaml").write_text(RULES.replace(old, new), encoding="utf-8")
    findings: list[Finding] = []

    read_rules(tmp_path / "rules.yaml", findings)

    told = [str(one) for one in findings]
    assert [one for one in told if said in one and one.startswith(f"rules.yaml:{line}: error: ")], (line, told)


@pytest.mark.parametrize(
    ("file", "row", "said"),
    [
        ("clocks.csv", "TWIN,sign,*,,,,9,work_hour,x", "'TWIN' contradicts 'K07'"),
        (
            "catalogue/standards.csv", "TWIN,30428.2:P01-02,x,坏|破损|破了|烂|碎,no,9,work_day,x,x",
            "'TWIN' says something else of the same",
        ),
        ("catalogue/standards.csv", "TWIN,30428.2:P01-02,x,,yes,9,work_day,x,x", "has several default rows"),
    ],
)  # fmt: skip
def test_another_limit_for_the_same_cases_and_a_rule_said_twice_are_told_by_check(
    tmp_path: Path, file: str, row: str, said: str
) -> None:
    folder = tmp_path / "city"
    shutil.copytree(example_city(), folder)
    for name, more in ((file, row), ("rules.yaml", "rework: {gap: true, source: x}"), ("city.yaml", "clocks: ''")):
        with (folder / name).open("a", encoding="utf-8") as opened:
            opened.write(f"{more}\n")

    found = [str(one) for one in read(folder, {}, unset=Severity.WARNING)[1] if one.severity is Severity.ERROR]

    assert [one for one in found if one.startswith("city.yaml:") and "clocks: stands in line" in one], found
    (folder / "city.yaml").write_bytes((example_city() / "city.yaml").read_bytes())
    found = [str(one) for one in read(folder, {}, unset=Severity.WARNING)[1] if one.severity is Severity.ERROR]
    assert [one for one in found if said in one], found
    assert [one for one in found if one.startswith("rules.yaml:") and "rework: stands in line" in one], found


def test_what_only_a_calendar_can_compare_and_what_is_equal_contradicts_nothing() -> None:
    document = yaml.safe_load((example_city() / "rules.yaml").read_text(encoding="utf-8"))
    document["steps"][0]["at"] = ["due", "+1 work_day", "+2 calendar_day", "+48 urgent_work_hour", "+3 work_day"]
    document["ladder"][0]["supervise"] = "yellow"  # twice yellow is no descent

    assert list(contradictions(RulesFile.model_validate(document))) == []
