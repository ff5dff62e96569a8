"""docs/systems says what the folders say, and has a page for each."""

from pathlib import Path

import pytest

import adapters
from gateway.systems_page import page

ROOT = Path(__file__).parents[2]
FOLDERS = adapters.shipped()


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_the_page_of_a_system_is_the_one_its_folder_makes(name: str) -> None:
    kept = (ROOT / "docs" / "systems" / f"{name}.md").read_text(encoding="utf-8")

    assert kept == page(FOLDERS[name]), "renew it: python -m gateway.systems_page docs/systems"


def test_no_page_is_left_of_a_system_that_is_gone() -> None:
    assert {path.stem for path in (ROOT / "docs" / "systems").glob("*.md")} == set(FOLDERS)
