"""docs/configuration.md says what the code that reads the configuration says."""

from pathlib import Path

import pytest

from gateway.configuration_page import TABLES, TablePage, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_the_one_the_models_make() -> None:
    kept = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert kept == page(), "renew it: python -m gateway.configuration_page > docs/configuration.md"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.file)
def test_each_column_its_reader_wants_is_explained_and_no_other(table: TablePage) -> None:
    assert set(table.columns) == set(table.meaning)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.file)
def test_the_example_city_has_each_table_with_this_header(table: TablePage) -> None:
    lines = (ROOT / "config" / table.file).read_text(encoding="utf-8").splitlines()
    header = next(line for line in lines if line and not line.startswith("#"))

    assert header.split(",") == list(table.columns)
