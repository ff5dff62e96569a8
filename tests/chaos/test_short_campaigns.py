"""The fault campaign at small scale: every law holds, and each planted bug is caught by its law."""

import shutil
from dataclasses import replace

import pytest

from tests.chaos.__main__ import show
from tests.chaos.campaign import run
from tests.chaos.field import Plan

SHORT = Plan(0, cases=500, faults=15, rate=50.0, gap=0.3, longest=2.5, longest_step=15.0, patience=240.0)
ANSWERED = "every answer that was given to a system has its message in the journal"
DOUBLED = "an owner holds each assignment exactly once per round"
DISORDERED = "each lane reached the other side whole and in its order"


@pytest.mark.parametrize("seed", [1])
def test_nothing_is_lost_doubled_or_out_of_order_whatever_fails(seed: int) -> None:
    result = run(replace(SHORT, seed=seed), print)

    show(result)
    assert result.held, f"what happened is printed above, and kept in {result.folder}"
    assert sum(result.faults.values()) == SHORT.faults
    assert [law.name for law in result.laws if not law.about and "refused" not in law.name] == []


@pytest.mark.parametrize(
    ("plant", "law", "only", "patience"),
    [
        # What was lost may be owed for ever, and then it never comes to rest.
        ("answer-first", ANSWERED, ("database crash", "kill gateway", "database immediate restart"), 60.0),
        ("blind-resend", DOUBLED, ("answers lost", "answers garbled", "answers late"), SHORT.patience),
        ("overtaking", DISORDERED, ("503", "answers lost"), SHORT.patience),
    ],
)
def test_a_planted_bug_is_caught_by_the_law_it_breaks(
    plant: str, law: str, only: tuple[str, ...], patience: float
) -> None:
    small = replace(
        SHORT, seed=3, cases=200, faults=10, rate=25.0, longest=4.0, gateways=1, workers=1, plant=plant, kinds=only,
        patience=patience,
    )  # fmt: skip
    result = run(small, print)

    shutil.rmtree(result.folder, ignore_errors=True)
    assert law in {finding.law for finding in result.findings}
