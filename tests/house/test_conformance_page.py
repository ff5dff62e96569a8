"""The page of OGC's requirements names tests that exist, and leaves no clause without one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ogc-conformance.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
REQUIREMENTS = [row for row in ROWS if row[0] not in ("clause", "document")]


def test_every_requirement_names_a_test() -> None:
    assert len(REQUIREMENTS) > 40
    assert [row[0] for row in REQUIREMENTS if len(row) != 3 or "::" not in row[2]] == []


def test_every_named_test_exists() -> None:
    named = {one for row in REQUIREMENTS for one in re.findall(r"`([^`]+)`", row[2])}

    missing = []
    for one in sorted(named):
        file, _, name = one.partition("::")
        text = (ROOT / "tests" / "maps" / file).read_text(encoding="utf-8")
        if re.search(rf"^def {name}\(", text, re.MULTILINE) is None:
            missing.append(one)
    assert missing == []


def test_every_part_of_the_standard_is_there() -> None:
    clauses = " ".join(row[0] for row in REQUIREMENTS)
    wanted = [f"7.3.3.{number}" for number in (3, 4, 5, 6, 7, 8, 9, 11, 12)] + [
        f"7.4.3.{number}" for number in (4, 5, 6, 7)
    ]
    assert [one for one in wanted if one not in clauses] == []
