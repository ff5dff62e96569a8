"""Settings come from the environment, secrets also from files that it names."""

from pathlib import Path

import pytest

from canonical.errors import Misconfigured
from gateway.settings import example_city, settings


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://gridhub:x@database/gridhub\n")
    (tmp_path / "token").write_text("a-long-random-text\n")
    named = {
        "GRIDHUB_DATABASE_URL_FILE": str(tmp_path / "url"),
        "GRIDHUB_CENTRE_TOKEN_FILE": str(tmp_path / "token"),
    }

    told = settings(example_city(), named)

    assert told.database_url == "postgresql+asyncpg://gridhub:x@database/gridhub"
    assert told.centre_token == "a-long-random-text"


def test_the_variable_itself_counts_more_than_the_file(tmp_path: Path) -> None:
    named = {"GRIDHUB_CENTRE_TOKEN": "said", "GRIDHUB_CENTRE_TOKEN_FILE": str(tmp_path / "none")}

    assert settings(example_city(), named).centre_token == "said"


def test_a_file_that_cannot_be_read_stops_the_start_and_is_named(tmp_path: Path) -> None:
    named = {"GRIDHUB_DATABASE_URL_FILE": str(tmp_path / "none")}

    with pytest.raises(Misconfigured, match="GRIDHUB_DATABASE_URL_FILE"):
        settings(example_city(), named)
