"""Who else has a part in a led case: what merged into it, judges it afterwards, complains again, had it before."""

from dataclasses import replace

import pytest

from canonical.action import Supervision
from canonical.codes import ClassCode
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.message import Verdict
from tests.routing.clock_city import at
from tests.routing.fusion_city import LED, FusionDesk, by_lead, kinds
from tests.routing.intake_city import NOISE, STALL, by_owner, by_source, ordered, reported

K = ActionKind
BACK = f"F2,{STALL},hub,,2026-05-10T00:00,比对一致"
AGAIN = f"F3,{STALL},grid,u2,2026-05-15T00:00,暂停试点"


def merged() -> FusionDesk:
    """The hotline's case is the same matter as one that the platform leads, and was merged into it."""
    desk = FusionDesk()
    desk.take(by_lead("G1", K.SIGN, unit="u2"))
    desk.take(reported("hotline", "H1", case_key="ticket 1"))
    theirs, ours = desk.cases.values()
    [outcome] = desk.take(ordered(ours.no, K.MERGE, target=theirs.no, reason="同一处"))
    assert outcome.verdict is Verdict.APPLIED, outcome.text
    return desk


def test_a_source_that_was_merged_into_a_led_case_gets_its_answer_and_judges_it() -> None:
    desk = merged()

    desk.take(by_lead("G1", K.CLOSE, result="清了"))
    assert desk.told() == [("hotline", "done", "H1")]
    [outcome] = desk.take(by_source("hotline", "H1", K.EVALUATE, result="满意"))

    assert outcome.verdict is Verdict.APPLIED, outcome.text
    assert next(iter(desk.cases.values())).stage is Stage.EVALUATED


def test_a_further_complaint_about_a_led_case_that_is_over_is_a_case_of_its_own() -> None:
    desk = merged()
    desk.take(by_lead("G1", K.CLOSE, result="清了"))

    [outcome] = desk.take(reported("hotline", "H2", case_key="ticket 1"))

    assert outcome.verdict is Verdict.CASE, "only its centre can take up what it has closed"
    assert ("grid", "work", "") in desk.told(), "so it gets the complaint as a dispatch"


def test_while_it_is_open_a_further_complaint_joins_it() -> None:
    desk = merged()

    [outcome] = desk.take(reported("hotline", "H2", case_key="ticket 1"))
    assert outcome.verdict is Verdict.JOINED
    desk.take(by_lead("G1", K.CLOSE, result="清了"))

    assert sorted(desk.told()) == [("hotline", "done", "H1"), ("hotline", "done", "H2")]


def test_what_the_lead_system_itself_reports_again_stays_one_case() -> None:
    desk = FusionDesk()
    desk.take(reported("grid", "G1", case_key="k"))
    desk.take(by_lead("G1", K.CLOSE))

    [outcome] = desk.take(reported("grid", "G2", case_key="k"))

    assert outcome.verdict is Verdict.JOINED
    assert desk.case.stage is Stage.CLOSED


def test_figures_of_a_led_case_are_appealed_here_by_the_citys_rules() -> None:
    desk = FusionDesk()
    desk.take(by_lead("G1", K.DISPATCH, unit="u1"))
    desk.moved(at("05-22 10:00"))
    desk.take(by_lead("G1", K.CLOSE))

    first = desk.order(K.APPEAL, reason="停电")
    assert first.verdict is Verdict.APPLIED, first.text
    assert desk.order(K.APPEAL, reason="停电").verdict is Verdict.REFUSED, "one is not decided yet"
    assert desk.order(K.UPHOLD, reason="属实").verdict is Verdict.APPLIED

    assert desk.case.exempt


def test_what_another_system_has_done_stays_with_the_hub_until_it_is_closed() -> None:
    desk = FusionDesk(LED, BACK)
    desk.take(reported("grid", "G1"))
    desk.take(by_owner("works", "", K.DISPOSE, reference=desk.case.reference, result="清了"))
    assert desk.case.stage is Stage.DISPOSED
    desk.lead(LED, BACK, AGAIN)

    outcome = desk.order(K.HAND_BACK, reason="暂停试点")

    assert outcome.verdict is Verdict.REFUSED, "its rework would go to works, who knows no such centre"
    assert "works has the work of case" in outcome.text
    assert desk.case.lead_system == ""


def test_supervision_reaches_the_lead_system() -> None:
    desk = FusionDesk()
    grid = desk.city.systems["grid"]
    tells = grid.tells | {"both": grid.tells["both"] | {K.SUPERVISE: "hurry"}}
    desk.city = replace(desk.city, systems=dict(desk.city.systems) | {"grid": grid.model_copy(update={"tells": tells})})
    desk.take(by_lead("G1", K.SIGN, unit="u1"))

    desk.order(K.SUPERVISE, supervision=Supervision.YELLOW, reason="群众反映强烈")

    assert desk.told() == [("grid", "hurry", "G1")], "whose own unit u1 is not: it carries the case"


@pytest.mark.parametrize(("first", "then", "kept"), [("", STALL, STALL), (STALL, "", STALL), (NOISE, STALL, STALL)])
def test_the_class_is_the_one_under_which_it_files(first: str, then: str, kept: str) -> None:
    desk = FusionDesk()
    desk.take(reported("grid", "G1", class_code=first))

    desk.take(by_lead("G1", K.FILE, class_code=then))

    assert desk.case.class_code == ClassCode.parse(kept)
    assert kinds(desk.actions()) == "collect file"
    [filed] = [event.action for event in desk.events if event.action.kind is K.FILE]
    assert filed.shadow is not None
    assert filed.shadow.kind is K.FILE, "ours is judged for the class that it is"
    assert filed.actor.party is Party.LEAD_SYSTEM
