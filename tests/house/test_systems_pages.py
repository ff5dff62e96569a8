"""docs/systems says what the folders say, and has a page for each."""

from pathlib import Path

import pytest

import adapters
from gateway.systems_page import INDEX, index, page

ROOT = Path(__file__).parents[2]
FOLDERS = adapters.shipped()


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_the_page_of_a_system_is_the_one_its_folder_makes(name: str) -> None:
    kept = (ROOT / "docs" / "systems" / f"{name}.md").read_text(encoding="utf-8")

    assert kept == page(FOLDERS[name]), "renew it: python -m gateway.systems_page docs/systems"


def test_the_index_lists_every_system_as_its_folder_says() -> None:
    kept = (ROOT / "docs" / "systems" / INDEX).read_text(encoding="utf-8")

    assert kept == index(), "renew it: python -m gateway.systems_page docs/systems"
    for name in FOLDERS:
        assert f"[{name}]({name}.md)" in kept


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_a_rule_on_a_page_is_read_without_scrolling(name: str) -> None:
    """A long rule stands on a line for each of its keys."""
    rows = [line for line in page(FOLDERS[name]).splitlines() if line.startswith("| `") and "`{" in line]

    assert [row for row in rows for part in row.split("<br>") if len(part) > 160] == []


def test_no_page_is_left_of_a_system_that_is_gone() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "systems").glob("*.md") if path.name != INDEX}

    assert pages == set(FOLDERS)
