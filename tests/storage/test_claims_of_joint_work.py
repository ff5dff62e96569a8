"""What is told of joint work 吹哨联动: to a called unit's platform its own part, to the lead's the lead's."""

from typing import Any

from canonical.case import Share
from canonical.lifecycle import GIVES, ActionKind
from storage.claims import Claimed, loaded_at_once
from tests.routing.clock_city import ClockDesk, at
from tests.routing.intake_city import NOW
from tests.routing.test_joint_work import says, whistled

K = ActionKind


def claimed(desk: ClockDesk, system: str, address: str, *, event: int = 0) -> Claimed:
    """A delivery about an event of the desk's only case, as the lanes would hand it out. `event`: its `seq`."""
    seq = event or len(desk.events)
    events = [one for one in desk.events if one.seq <= seq]
    rounds = sum(one.action.kind in GIVES for one in events)
    row: tuple[Any, ...] = (
        desk.id(), desk.case.id, system, seq * 1000, seq, "m", address, 1, 1, False, NOW, NOW, None, None, "", NOW,
    )  # fmt: skip
    own = [one.model_dump_json() for one in desk.bindings.values() if one.system == system]
    [one] = loaded_at_once([(*row, desk.case.model_dump_json(), events[-1].model_dump_json(), rounds, own, None)])
    return one


def test_a_called_units_platform_sees_its_own_part_with_who_leads_and_until_when() -> None:
    desk = whistled("u2", "u3")

    one = claimed(desk, "grid", "#2")

    assert (one.case.reference, one.case.owner) == (f"{desk.case.no}-2", "grid")
    assert one.called is not None
    assert (one.called.lead, one.called.report_in_by) == ("u1", at("05-20 11:30"))
    assert one.called.answer_by is not None


def test_a_whistle_that_waited_in_a_lane_of_an_earlier_version_is_told_as_well() -> None:
    desk = whistled("u2")
    [whistle] = [event.seq for event in desk.events if event.action.kind is K.WHISTLE]

    assert claimed(desk, "grid", "", event=whistle).case.reference == f"{desk.case.no}-2"


def test_what_the_lead_is_told_of_a_called_unit_is_about_the_leads_own_part() -> None:
    desk = whistled("u4")  # on the lead's own platform
    says(desk, "works", 2, K.DISPOSE, result="已断水")
    assert desk.actions()[-1] is K.ANSWER

    one = claimed(desk, "works", "")

    assert (one.case.reference, one.called) == (f"{desk.case.no}-1", None)
    assert one.case.assignment is not None
    assert one.case.assignment.share is Share.LEAD


def test_the_end_of_a_case_is_told_to_a_called_unit_under_the_id_that_its_platform_gave_that_part() -> None:
    desk = whistled("u2")
    says(desk, "grid", 2, K.SIGN)
    desk.order(K.CANCEL, reason="误报")

    one = claimed(desk, "grid", "#2")

    assert one.binding is not None
    assert (one.binding.external_id, one.binding.round) == ("grid2", 2)


def test_an_id_of_another_system_that_looks_like_an_assignment_is_no_part_of_joint_work() -> None:
    desk = whistled("u2")

    assert claimed(desk, "hotline", "#2").called is None
