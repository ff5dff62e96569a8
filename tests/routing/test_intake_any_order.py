"""Whatever comes, in whatever batches: one outcome each, the books balance, and the cases are the same."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.codes import ClassCode
from canonical.lifecycle import ActionKind, Party
from canonical.message import Verdict
from canonical.place import Place
from canonical.records import Arrival
from canonical.report import Report
from routing.city import By, Policy
from tests.routing.intake_city import (
    AUTOMATIC,
    CITY,
    LAMP,
    LAWSUIT,
    STALL,
    TREE,
    Desk,
    ordered,
    reported,
    stated,
)  # fmt: skip

K = ActionKind
RULES = {"centre": CITY, "automatic": AUTOMATIC, "patient": replace(CITY, policy=Policy(close=By.CENTRE, rounds=1))}
systems = st.sampled_from(["hotline", "works", "grid"])
keys = st.sampled_from(["1", "2", "3", "4"])
numbers = st.integers(1, 4).map(lambda number: f"340220260520{number:07d}")
references = st.tuples(numbers, st.integers(1, 3)).map(lambda pair: f"{pair[0]}-{pair[1]}")
kinds = st.sampled_from([K.SIGN, K.DISPOSE, K.RETURN, K.EVALUATE, K.CANCEL, K.COMMENT])
parties = st.sampled_from([{Party.OWNER}, {Party.SOURCE}, {Party.OWNER, Party.SOURCE}])
classes = st.sampled_from([STALL, STALL, STALL, LAMP, TREE, LAWSUIT, ""])
areas = st.sampled_from(["340202", "340202", "340207", "3402", ""])
reports = st.builds(
    lambda system, key, case_key, code, area: reported(system, key, case_key=case_key, class_code=code, area=area),
    systems, keys, st.sampled_from(["", "a", "b"]), classes, areas,
)  # fmt: skip


def said(system: str, key: str, who: set[Party], kind: ActionKind, reference: str, report: Report | None) -> Arrival:
    """An action that the system's message may mean for any of these parties."""
    return stated(system, key, {party: kind for party in who}, reference=reference, report=report)  # noqa: C420


actions = st.builds(
    said, systems, st.sampled_from(["1", "2", "o1", "o2"]), parties, kinds, st.just("") | references,
    st.none() | st.just(Report()),
)  # fmt: skip
FIELDS: dict[str, Any] = {
    "reason": "because", "result": "seen", "unit": "u1", "place": Place(area="340202"),
    "class_code": ClassCode.parse(STALL),
}  # fmt: skip
ORDERS = [K.FILE, K.DISPATCH, K.REDISPATCH, K.CHECK, K.REWORK, K.CLOSE, K.CANCEL, K.MERGE, K.MERGE]
orders = st.builds(
    lambda number, kind, target: ordered(number, kind, **FIELDS | {"target": target}),
    numbers, st.sampled_from(ORDERS), numbers,
)  # fmt: skip
stories = st.lists(st.one_of(reports, reports, actions, orders), min_size=1, max_size=25)


def batches(arrivals: Sequence[Arrival], cuts: set[int]) -> list[Sequence[Arrival]]:
    """The arrivals, cut after these positions."""
    ends = sorted({cut for cut in cuts if cut < len(arrivals)} | {len(arrivals)})
    return [arrivals[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def told(desk: Desk) -> list[tuple[Any, ...]]:
    return [(d.case_id, d.system, d.seq, d.message, d.address) for d in desk.deliveries]


@pytest.mark.parametrize("rules", RULES)
@settings(max_examples=120, deadline=None)
@given(story=stories, cuts=st.sets(st.integers(1, 24)), on_their_way=st.booleans())
def test_any_story_gives_the_same_cases_in_any_batches(
    rules: str, story: list[Arrival], cuts: set[int], on_their_way: bool
) -> None:
    one, many = Desk(RULES[rules]), Desk(RULES[rules])
    one.on_their_way = many.on_their_way = frozenset({"works"} if on_their_way else ())

    outcomes = one.take(*story)
    again = [outcome for batch in batches(story, cuts) for outcome in many.take(*batch)]

    assert again == outcomes
    assert (one.cases, one.events, one.bindings) == (many.cases, many.events, many.bindings)
    assert told(one) == told(many)
    assert len(outcomes) == len(story) == len(one.journal) == len(many.journal)
    one.check_books()
    many.check_books()


@settings(max_examples=60, deadline=None)
@given(story=st.lists(reports, min_size=1, max_size=25))
def test_reports_told_twice_add_nothing(story: list[Arrival]) -> None:
    desk = Desk()
    desk.take(*story)
    before = dict(desk.cases)

    again = desk.take(*story)

    assert {outcome.verdict for outcome in again} == {Verdict.REPEATED}
    assert desk.cases == before
    assert desk.told() == []


@settings(max_examples=60, deadline=None)
@given(story=stories)
def test_whoever_did_it_is_not_told_what_it_did(story: list[Arrival]) -> None:
    desk = Desk()
    for arrival in story:
        desk.take(arrival)
        events = {(event.case_id, event.seq): event.action for event in desk.changes.events}
        for delivery in desk.changes.deliveries:
            action = events[delivery.case_id, delivery.event_seq]
            assert action.actor.id != delivery.system or action.kind is K.JOIN
