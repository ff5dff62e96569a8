"""Two methods that share no code agree on every figure of a month with returns, rework, refusals and late cases."""

import asyncio
from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from assessment.facts import folded
from assessment.indicator_file import load_rulebook
from assessment.scoring import figure
from canonical.rights import EVERYTHING
from canonical.time import SHANGHAI
from storage.assessing import Counts, count
from storage.fact_sql import Extent
from storage.facts import Facts
from storage.store import Store
from tests.assessment.month import month, save
from tests.assessment.second_method import read, worked_out

RULES = Path(__file__).parents[2] / "config" / "assessment"
FIRST, LAST = (datetime(2026, number, 1, tzinfo=SHANGHAI) for number in (10, 11))
BYS = ("district", "community", "grid", "unit", "system", "source", "class", "collector", "acceptor", "duty_chief",
       "dispatcher")  # fmt: skip


async def _both(url: str, seed: int) -> tuple[list[str], dict[str, Counts]]:
    store = Store(url)
    await save(store, month(seed, 400, joint=True))
    await Facts(store, folded).update(lambda: LAST)
    rules = load_rulebook(RULES, [])
    assert rules is not None
    counts = {}
    async with store.transaction() as transaction:
        bodies = list((await transaction.connection.execute(text("SELECT CAST(body AS text) FROM event"))).scalars())
        for by in BYS:
            extent = Extent(first=FIRST, end=LAST, run=1, by=by, as_at=LAST, scope=EVERYTHING)
            counts[by] = await count(transaction.connection, rules.counters.values(), extent)
    await store.close()
    return bodies, counts


def test_every_figure_of_everybody_is_what_plain_python_makes_of_the_exported_events(
    database_url: str,
) -> None:
    bodies, counts = asyncio.run(_both(database_url, seed=1))
    rules = load_rulebook(RULES, [])
    assert rules is not None
    compared = 0
    total = counts["unit"]["*"]
    assert total["need_report_in"] > total["in_time_report_in"] > 0
    assert total["need_answer"] > total["in_time_answer"] > 0

    second = worked_out(read(bodies, LAST), RULES, FIRST, LAST, BYS)
    for by, expected in second.items():
        ours = {who: of for who, of in counts[by].items() if any(of.values())}
        assert set(ours) == set(expected), by
        for who, figures in expected.items():
            for column, (above, below) in figures.items():
                made = figure(ours[who], column, rules)
                assert (made.numerator, made.denominator) == (above, below), f"{column} of {by} {who}"
                assert (made.value is None) == (below is not None and below <= 0)
                compared += 1
    assert compared > 3000
