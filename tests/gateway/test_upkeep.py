"""How long what is kept: said in city.yaml, counted before it is cut, and cut at night by a worker."""

import asyncio
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from canonical.errors import Misconfigured
from canonical.ids import new_id
from gateway.configuration import policy
from gateway.hub import wire
from gateway.settings import Settings, example_city
from gateway.upkeep import HOUR, Upkeep
from storage.retention_rules import YEAR, Keep
from tests.gateway import forked
from tests.gateway.running import ENVIRONMENT

DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example city, to be changed."""
    return Path(shutil.copytree(example_city(), tmp_path / "city"))


def said(folder: Path, retention: str) -> Keep:
    """The policy when city.yaml says this."""
    file = folder / "city.yaml"
    file.write_text(f"{file.read_text(encoding='utf-8')}\nretention: {retention}\n", encoding="utf-8")
    return policy(folder)


def test_a_city_that_says_nothing_keeps_all_evidence_for_ever(folder: Path) -> None:
    assert policy(folder) == Keep(90 * DAY, 30 * DAY, 3 * YEAR, None, None)


def test_days_years_and_for_ever_are_understood(folder: Path) -> None:
    kept = said(folder, "{debugging: 14d, debugging_bodies: 2d, refusals: forever, evidence: 10y, evidence_bodies: 2y}")
    assert kept == Keep(14 * DAY, 2 * DAY, None, 10 * YEAR, 2 * YEAR)


@pytest.mark.parametrize(
    ("retention", "key", "words"),
    [
        ("{evidence: 30d}", "retention.evidence", "at least 365d"),
        ("{debugging: 1d}", "retention.debugging", "at least 7d"),
        ("{debugging: 3 months}", "retention.debugging", "write days as 90d, years as 3y, or forever"),
        ("{debugging: 10d, debugging_bodies: 20d}", "retention.debugging_bodies", "at most 10d"),
        ("{evidence: 2y, evidence_bodies: 3y}", "retention.evidence_bodies", "at most 730d"),
        ("{evidense: 2y}", "retention.evidense", "Extra inputs are not permitted"),
        ("{debugging: 90}", "retention.debugging", "string"),
    ],
)
def test_a_slip_of_the_pen_cuts_nothing(folder: Path, retention: str, key: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as caught:
        said(folder, retention)
    assert "city.yaml" in str(caught.value)
    assert key in str(caught.value)


def noted(url: str, ages: list[int], now: datetime) -> None:
    """Heartbeats so many days old."""

    async def run() -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        for days in ages:
            await connection.execute(_NOTE, new_id(now - days * DAY), now - days * DAY)
        await connection.close()

    asyncio.run(run())


_NOTE = """
INSERT INTO message VALUES ($1, $2, 'in', 'here', '', NULL, '', '', 0, 'beat', 'noted', '', '', '', false, '', NULL, '')
"""


def test_the_command_counts_until_it_is_told_to_cut(database_url: str) -> None:
    def gridhub(*arguments: str) -> Any:
        environment = os.environ | {"GRIDHUB_DATABASE_URL": database_url}
        done = forked.run(["retention", *arguments, "--json"], environment)
        done.check_returncode()
        return json.loads(done.stdout)

    noted(database_url, [1, 50, 200], datetime.now(UTC))
    due = {("debugging", "bodies"): 2, ("debugging", "rows"): 1}

    for _ in range(2):  # counting changes nothing
        shown = gridhub("cut")
        assert {(one["class_"], one["what"]): one["rows"] for one in shown["cuts"]} == due
    shown = gridhub("cut", "--do-it")
    # What goes as a whole needs no body cut before.
    assert sum(one["rows"] for one in shown["cuts"] if one["what"] in {"rows", "month"}) == 1
    assert gridhub("cut")["cuts"] == []
    assert {row["policy"] for row in gridhub("ledger")} == {
        '{"debugging": "90 days, 0:00:00", "debugging_bodies": "30 days, 0:00:00", "evidence": "None",'
        ' "evidence_bodies": "None", "refusals": "1095 days, 0:00:00"}'
    }


@pytest.mark.parametrize(("hour", "left"), [(3, 1), (12, 2)])
def test_a_worker_cuts_at_night_only(database_url: str, hour: int, left: int) -> None:
    now = datetime(2026, 11, 27, (hour - 8) % 24, tzinfo=UTC)
    noted(database_url, [1, 200], now)

    async def run() -> int:
        wired = wire(Settings(example_city(), database_url, "", Path("unused"), ENVIRONMENT), database_url)
        hub = replace(wired, now=lambda: now)
        try:
            assert await Upkeep(hub, asyncio.Event()).round() == HOUR
            return len(await hub.journal.rows())
        finally:
            await hub.store.close()

    assert asyncio.run(run()) == left
