"""The tutorial is carried out in an empty folder: its files, its commands, and what they print."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.house.shown_page import open_folder, played, steady

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "connect-your-platform.md").read_text(encoding="utf-8")


def test_every_command_prints_what_the_page_shows(free_port: Callable[[], int]) -> None:
    with open_folder() as folder:
        told = list(played(PAGE, folder, free_port()))

    assert [(command, shown, printed) for command, shown, printed in told if steady(shown) != steady(printed)] == [], (
        "renew it: python -m tests.house.shown_page docs/connect-your-platform.md"
    )


def test_the_way_ends_without_a_finding_and_with_a_certificate() -> None:
    """What the page shows is good news, not only true."""
    checked = re.findall(r"^\S*city/parks: (\d+) errors", PAGE, re.MULTILINE)

    assert checked[-1] == "0"
    assert "report/certificate.html" in PAGE
    assert "failed 0" in PAGE


def test_every_key_of_the_recipes_is_one_of_the_declaration_language() -> None:
    reference = (DOCS / "declaration.md").read_text(encoding="utf-8")
    rows = [line for line in PAGE.partition("## Recipes")[2].partition("\n## ")[0].splitlines() if " | [" in line]
    keys = {key for row in rows for key in re.findall(r"`([^`]+)`", row)} - {"new-system --serve"}

    assert len(rows) > 15
    assert sorted(key for key in keys if key.partition(":")[0] not in reference) == []
