"""Modes of fusion: a lead system decides and the hub mirrors, in shadow; class by class taken over, and rolled back."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.action import Shadow
from canonical.clock import Clock
from canonical.findings import Finding, Severity
from canonical.lifecycle import BESIDE, ActionKind, Party, Stage
from canonical.message import Verdict
from canonical.report import SourceDeadline
from canonical.time import Due, Limit
from routing.mirroring import ONWARD
from tests.routing.clock_city import WORK_HOUR, at
from tests.routing.fusion_city import LED, FusionDesk, by_lead, fusion, kinds
from tests.routing.intake_city import (
    LAMP,
    LAWSUIT,
    NOISE,
    STALL,
    TREE,
    by_owner,
    by_source,
    reported,
    stated,
    verdicts,
)

K = ActionKind
BACK = f"F2,{STALL},hub,,2026-05-10T00:00,比对一致"


def shadows(desk: FusionDesk) -> list[Shadow]:
    return [event.action.shadow for event in desk.events if event.action.shadow]


def test_the_lead_system_decides_and_the_hub_only_keeps_it() -> None:
    desk = FusionDesk()

    desk.take(reported("grid", "G1"))
    assert desk.case.lead_system == "grid"
    assert desk.actions() == [K.COLLECT], "the hub files nothing by itself"
    assert desk.case.queue is None, "nor have its people anything to do"
    desk.take(by_lead("G1", K.FILE))
    desk.take(by_lead("G1", K.DISPATCH, unit="二所"))
    desk.take(by_lead("G1", K.SIGN))
    desk.take(by_lead("G1", K.DISPOSE, result="清了"))
    desk.take(by_lead("G1", K.CLOSE, result="清了"))

    assert kinds(desk.actions()) == "collect file dispatch sign dispose check close"
    assert desk.case.assignment is not None
    assert desk.case.assignment.unit == "u2"
    assert desk.deliveries == [], "whoever leads tells its own people"
    desk.check_books()


def test_beside_each_decision_stands_what_the_citys_tables_would_have_done() -> None:
    desk = FusionDesk()

    desk.take(reported("grid", "G1"))
    desk.take(by_lead("G1", K.FILE))
    desk.take(by_lead("G1", K.DISPATCH, unit="u2", deadline=SourceDeadline(at=at("05-22 12:00"))))

    filed, given = shadows(desk)
    assert filed.kind is K.FILE
    assert (given.kind, given.unit) == (K.DISPATCH, "u1")
    assert "R1" in given.why
    assert given.due == Due(at=at("05-20 15:30")), "4 working hours by our calendar"
    theirs = desk.case.clock(Clock.OWNER)
    assert theirs is not None
    assert theirs.due == Due(at=at("05-22 12:00"))
    assert desk.case.due == Due(at=at("05-20 15:30")), "what people watch here is ours"


@pytest.mark.parametrize(
    ("class_code", "kind", "ours"),
    [
        (LAWSUIT, K.FILE, K.REFUSE), (LAMP, K.FILE, K.VERIFY), (STALL, K.REFUSE, K.FILE), ("", K.FILE, None),
    ],
)  # fmt: skip
def test_where_they_differ_it_is_told(class_code: str, kind: ActionKind, ours: ActionKind | None) -> None:
    desk = FusionDesk()

    desk.take(by_lead("G1", kind, class_code=class_code))

    [judged] = shadows(desk)
    assert judged.kind is ours
    assert judged.why
    assert desk.case.stage in {Stage.FILED, Stage.REFUSED}, "it is done all the same"


@pytest.mark.parametrize(("class_code", "why"), [(TREE, "no unit for"), (NOISE, "R5")])
def test_what_our_tables_leave_to_a_person_has_no_unit(class_code: str, why: str) -> None:
    desk = FusionDesk()

    desk.take(by_lead("G1", K.DISPATCH, class_code=class_code, unit="u2"))

    _, given = shadows(desk)
    assert (given.kind, given.unit) == (None, "")
    assert why in given.why


def test_a_platform_that_tells_only_where_it_stands_now_brings_the_steps_between() -> None:
    desk = FusionDesk()

    [outcome] = desk.take(by_lead("G1", K.DISPOSE, unit="u2", result="清了"))

    assert outcome.verdict is Verdict.CASE
    assert kinds(desk.actions()) == "collect file dispatch dispose"
    implied = [event.action.reason for event in desk.events[1:-1]]
    assert implied == ["implied by dispose"] * 2
    assert desk.case.assignment is not None
    assert desk.case.assignment.unit == "u2"
    assert len(shadows(desk)) == 2
    desk.check_books()


def test_a_state_told_again_or_late_is_no_news() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.DISPOSE, unit="u2"))
    before = desk.actions()

    again = desk.take(*(by_lead("G1", kind, unit="u2") for kind in (K.DISPOSE, K.SIGN, K.DISPATCH, K.FILE)))

    assert verdicts(again) == [Verdict.REPEATED] * 4
    assert desk.actions() == before


def test_moved_without_a_word_it_came_back_first() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.SIGN, unit="u2"))

    desk.take(by_lead("G1", K.DISPATCH, unit="u4"))

    assert kinds(desk.actions()) == "collect file dispatch sign return redispatch"
    assert desk.case.assignment is not None
    assert desk.case.assignment.unit == "u4"


def test_what_cannot_follow_is_refused_in_words_and_changes_nothing() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.CLOSE, unit="u2"))
    before = desk.actions()

    [outcome] = desk.take(by_lead("G1", K.REFUSE))

    assert outcome.verdict is Verdict.REFUSED
    assert "closed" in outcome.text
    assert "refuse" in outcome.text
    assert desk.actions() == before


def test_who_leads_needs_no_permission_of_our_rules() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.SIGN, unit="u1"))
    desk.moved(at("05-25 10:00"))

    [outcome] = desk.take(by_lead("G1", K.RETURN))

    assert outcome.verdict is Verdict.APPLIED, "ours ask for a return within two days"


def test_our_clocks_run_beside_it_in_silence() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.DISPATCH, unit="u1"))

    told = desk.pass_to(at("05-20 18:00"))

    assert "disposal due late" in told
    assert desk.case.supervision is None, "the ladder is the centre's, and that is another"
    assert desk.deliveries == []


def test_a_suspension_of_the_lead_system_ends_when_it_says_so() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.SIGN, unit="u1"))
    desk.take(by_lead("G1", K.SUSPEND))

    desk.pass_to(at("07-20 18:00"))
    assert desk.case.stage is Stage.SUSPENDED
    desk.take(by_lead("G1", K.DISPOSE))

    assert kinds(desk.actions()[-2:]) == "resume dispose"


@pytest.mark.parametrize("kind", sorted(set(ActionKind) - BESIDE - {K.COLLECT, K.HAND_BACK}))
def test_nobody_else_decides_in_its_case(kind: ActionKind) -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.SIGN, unit="u1"))
    before = desk.case

    outcome = desk.order(
        kind, reason="r", result="r", unit="u2", basis="1", limit=Limit(value=1, unit=WORK_HOUR),
        until=at("05-21 10:00"), target="340200000000", class_code=before.class_code, system="grid",
    )  # fmt: skip

    assert outcome.verdict is Verdict.REFUSED
    assert desk.case == before


def test_a_person_who_bears_the_systems_name_is_not_the_system() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.SIGN, unit="u1"))

    outcome = desk.order(K.DISPOSE, by="grid", result="好")

    assert outcome.verdict is Verdict.REFUSED
    assert "led by grid" in outcome.text


def test_another_system_cannot_speak_as_the_one_that_leads() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.FILE))
    reference = desk.case.no

    [outcome] = desk.take(stated("works", "W1", {Party.LEAD_SYSTEM: K.CLOSE}, reference=reference))

    assert outcome.verdict is Verdict.REFUSED
    assert desk.case.stage is Stage.FILED


def test_the_centre_may_remark_and_supervise() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.SIGN, unit="u1"))

    outcome = desk.order(K.COMMENT, reason="请注意")

    assert outcome.verdict is Verdict.APPLIED


def test_what_others_report_goes_to_the_lead_system_and_comes_back_answered() -> None:
    desk = FusionDesk()

    desk.take(reported("hotline", "H1"))
    assert desk.case.lead_system == "", "the hub answers for it"
    assert ("grid", "work", "") in desk.told()
    desk.take(by_owner("grid", "", K.SIGN, reference=desk.case.reference))
    desk.take(by_owner("grid", "", K.DISPOSE, reference=desk.case.reference, result="好了"))
    desk.order(K.CHECK, result="好")

    assert desk.case.stage is Stage.CLOSED
    assert ("hotline", "done", "H1") in desk.told()


def test_what_the_lead_system_gives_back_goes_by_the_list() -> None:
    desk = FusionDesk()
    desk.take(reported("hotline", "H1"))

    desk.take(by_owner("grid", "", K.RETURN, reference=desk.case.reference, reason="不是我们的"))

    assert desk.case.assignment is not None
    assert desk.case.assignment.unit == "u1"


def test_one_class_is_taken_over_and_the_others_stay() -> None:
    desk = FusionDesk(LED, BACK)

    desk.take(reported("grid", "G1"), reported("grid", "G2", class_code=NOISE))

    by_class = {str(case.class_code): case for case in desk.cases.values()}
    assert by_class[STALL].lead_system == ""
    assert by_class[STALL].stage is Stage.DISPATCHED
    assert by_class[NOISE].lead_system == "grid"
    assert by_class[NOISE].stage is Stage.REPORTED


def test_open_cases_are_taken_over_as_they_stand() -> None:
    desk = FusionDesk()
    desk.take(reported("grid", "G1"))
    desk.lead(LED, BACK)

    outcome = desk.order(K.TAKE_OVER, reason="比对一致")

    assert outcome.verdict is Verdict.APPLIED
    assert kinds(desk.actions()) == "collect take_over file dispatch"
    assert ("grid", "taken_over", "G1") in desk.told()
    assert ("works", "work", "") in desk.told()


def test_under_way_at_the_lead_system_its_units_go_on_as_owner() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.SIGN, unit="u2"))
    desk.lead(LED, BACK)
    desk.order(K.TAKE_OVER, reason="比对一致")

    word = {Party.LEAD_SYSTEM: K.CLOSE, Party.OWNER: K.DISPOSE}
    [outcome] = desk.take(stated("grid", "G1", word, result="清了"))

    assert outcome.verdict is Verdict.APPLIED
    assert desk.case.stage is Stage.DISPOSED, "it did the work; who checks and closes is the hub"
    assert desk.case.due is not None, "the clock went on from where it was"


def test_rolled_back_the_system_leads_again_and_no_case_is_lost() -> None:
    desk = FusionDesk(LED, BACK)
    desk.take(reported("grid", "G1"))
    desk.take(by_owner("works", "", K.RETURN, reference=desk.case.reference, reason="不归我管"))
    desk.take(by_owner("grid", "", K.RETURN, reference=desk.case.reference, reason="也不归我管"))
    assert desk.case.stage is Stage.RETURNED
    desk.lead(LED, BACK, f"F3,{STALL},grid,u2,2026-05-15T00:00,暂停试点")

    outcome = desk.order(K.HAND_BACK, reason="暂停试点")

    assert outcome.verdict is Verdict.APPLIED, outcome.text
    assert desk.case.lead_system == "grid"
    assert ("grid", "yours_again", "G1") in desk.told()
    desk.take(by_lead("G1", K.DISPATCH, unit="u4"))
    assert desk.actions()[-1] is K.REDISPATCH
    desk.check_books()


def test_what_another_system_works_on_stays_until_it_is_done() -> None:
    desk = FusionDesk(LED, BACK)
    desk.take(reported("grid", "G1"))
    desk.lead(LED)

    outcome = desk.order(K.HAND_BACK, reason="暂停试点")

    assert outcome.verdict is Verdict.REFUSED
    assert "works works on" in outcome.text
    assert desk.case.lead_system == ""


@pytest.mark.parametrize(
    ("rows", "text"),
    [((f"F1,{STALL},hub,,2026-05-01T00:00,x",), "no system leads"), ((LED,), "reported case")],
)
def test_handed_back_is_only_what_a_lead_system_reported(rows: tuple[str, ...], text: str) -> None:
    desk = FusionDesk(f"F0,{STALL},hub,,2026-05-01T00:00,x")
    desk.take(reported("hotline", "H1"))
    desk.lead(*rows)

    outcome = desk.order(K.HAND_BACK, reason="r")

    assert outcome.verdict is Verdict.REFUSED
    assert text in outcome.text


def test_taken_over_twice_is_said_plainly() -> None:
    desk = FusionDesk()
    desk.take(reported("grid", "G1"))
    desk.order(K.TAKE_OVER, reason="r")

    outcome = desk.order(K.TAKE_OVER, reason="r")

    assert outcome.verdict is Verdict.REFUSED
    assert "led by the hub already" in outcome.text


def test_the_most_specific_class_wins_and_of_one_class_the_latest() -> None:
    rows = fusion(
        LED, f"F2,{STALL},hub,,2026-05-10T00:00,a", f"F3,{STALL},grid,u2,2026-05-15T00:00,b",
        "F4,*,hub,,2026-05-18T00:00,c",
    )  # fmt: skip
    stall, noise = (by_lead("x", K.FILE, class_code=one).content.report.class_code for one in (STALL, NOISE))  # type: ignore[union-attr]

    def who(code: object, day: str) -> str:
        leading = rows.leading(code, at(f"{day} 10:00"))  # type: ignore[arg-type]
        return leading.id if leading else "hub"

    assert [who(stall, day) for day in ("04-30", "05-05", "05-12", "05-16", "05-20")] == [
        "hub",
        "F1",
        "hub",
        "F3",
        "F3",
    ]
    assert [who(noise, day) for day in ("04-30", "05-05", "05-12", "05-20")] == ["hub", "F1", "F1", "hub"]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("F2,*,hub,,2026-05-01T00:00,x", "since"),
        ("F1,*,hub,,2026-06-01T00:00,x", "id"),
        ("F2,E04,hub,,2026-06-01T00:00,x", "class"),
        ("F2,*,nobody,u2,2026-06-01T00:00,x", "centre"),
        ("F2,*,grid,,2026-06-01T00:00,x", "unit"),
        ("F2,*,grid,u1,2026-06-01T00:00,x", "unit"),
        ("F2,*,hub,u2,2026-06-01T00:00,x", "unit"),
        ("F2,*,hub,,明天,x", "since"),
        (",*,hub,,2026-06-01T00:00,x", "id"),
    ],
)
def test_a_wrong_row_is_named_with_its_column(row: str, column: str) -> None:
    found: list[Finding] = []

    read = fusion(LED, row, findings=found)

    assert [one.key for one in found if one.severity is Severity.ERROR] == [column]
    assert [one.id for one in read.rows] == ["F1"], "a row that is wrong takes nothing over"


_SAID = st.sampled_from(
    [K.FILE, K.DISPATCH, K.SIGN, K.DISPOSE, K.CHECK, K.CLOSE, K.RETURN, K.SUSPEND, K.CANCEL, K.REFUSE]
)
_STEP = st.tuples(_SAID, st.sampled_from(["", "u1", "u2", "nobody knows"]))


@given(st.lists(_STEP, max_size=12), st.integers(0, 12), st.booleans())
def test_law_whatever_it_says_in_whatever_order_the_books_agree(
    said: list[tuple[ActionKind, str]], taken_at: int, source_first: bool
) -> None:
    desk = FusionDesk()
    if source_first:
        desk.take(reported("grid", "G1"))
    for number, (kind, unit) in enumerate(said):
        if number == taken_at and desk.cases and not desk.case.ended:
            desk.order(K.TAKE_OVER, reason="r")
        before = {case.id: case.stage for case in desk.cases.values()}
        [outcome] = desk.take(by_lead("G1", kind, unit=unit))
        if outcome.verdict is Verdict.REPEATED:
            assert {case.id: case.stage for case in desk.cases.values()} == before
        desk.now += timedelta(minutes=1)
    desk.check_books()
    for case in desk.cases.values():
        mine = [event for event in desk.events if event.case_id == case.id]
        assert all(one.to is two.from_ for one, two in pairwise(mine))
        led = [event.action.actor.party for event in mine if event.action.kind in ONWARD.values()]
        assert Party.LEAD_SYSTEM in led or not led or case.lead_system == ""


def test_its_own_withdrawal_as_a_source_counts() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.FILE))

    [outcome] = desk.take(by_source("grid", "G1", K.CANCEL))

    assert outcome.verdict is Verdict.APPLIED
    assert desk.case.stage is Stage.CANCELLED
