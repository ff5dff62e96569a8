"""docs/bad-input.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8")
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


def test_every_test_on_the_page_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in TESTS} == set()


def test_every_row_names_what_holds_it() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line and "held by" not in line]

    assert [row for row in rows if not re.search(r"`(test_\w+|make fuzz)`|\.md\)", row.split("|")[3])] == []
