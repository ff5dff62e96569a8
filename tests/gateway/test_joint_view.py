"""Joint work as people see it, folded from a story that the rules themselves decided."""

from datetime import timedelta
from typing import Any

from canonical.lifecycle import ActionKind
from gateway.cli.joint import joint_lines
from gateway.joint_view import joint_view
from storage.casebook import HeldRow, Journey
from tests.routing.clock_city import ClockDesk
from tests.routing.intake_city import NOW, reported
from tests.routing.test_joint_work import says, whistled

K = ActionKind


def seen(desk: ClockDesk, *held: HeldRow) -> list[dict[str, Any]]:
    """What is shown of the desk's only case now."""
    journey = Journey(desk.case, [*desk.events], [*desk.bindings.values()], [], [], [*held])
    return joint_view(journey, desk.city.responsibility.units, desk.now)


def test_a_case_without_a_whistle_has_no_joint_work() -> None:
    desk = ClockDesk()
    desk.take(reported("hotline", "1"))

    assert seen(desk) == []


def test_each_called_unit_stands_with_its_system_its_limits_and_what_it_said() -> None:
    desk = whistled("u2", "u3", "u4")
    says(desk, "grid", 2, K.SIGN)
    desk.order(K.DECLINE, unit="u3", reason="不属职责")
    desk.now = NOW + timedelta(hours=6)
    [work] = seen(desk, HeldRow(desk.now, "works", "status", "joint work is not done"))

    assert (work["state"], work["completion"], work["called"], work["answered"]) == ("under_way", "all", 3, 0)
    assert (work["lead"], work["waits_for"]) == ("u1", ["u2", "u4"])
    assert work["lead_answered_at"] == desk.now.isoformat()
    parts = {one["unit"]: one for one in work["units"]}
    assert [one["system"] for one in work["units"]] == ["grid", "", "works"]
    assert parts["u3"]["told"] is None
    assert {unit: one["report_in_late"] for unit, one in parts.items()} == {"u2": False, "u3": False, "u4": True}
    assert parts["u2"]["reported_in_at"] == NOW.isoformat()
    assert parts["u3"]["declined_because"] == "不属职责"

    text = "\n".join(joint_lines([work]))
    assert "waits for u2, u4; the lead has answered 2026-05-20 15:30, kept" in text
    assert f"{desk.case.no}-3: no system, the desk hands it over" in text
    assert "不予报到 declined 2026-05-20 09:30: 不属职责" in text
    assert text.count("LATE 超时") == 1


def test_work_that_is_done_is_shown_as_it_was_and_further_work_beside_it() -> None:
    desk = whistled("u2")
    says(desk, "grid", 2, K.DISPOSE, result="已断水")
    says(desk, "works", 1, K.DISPOSE, result="路面已修")
    desk.order(K.REWORK, reason="未修好")
    desk.order(K.WHISTLE, unit="u4", reason="再请到场")
    desk.order(K.CANCEL, reason="误报")
    first, second = seen(desk)

    assert (first["state"], first["answered"], first["units"][0]["result"]) == ("done", 1, "已断水")
    assert (second["state"], second["ended_by"], second["waits_for"]) == ("ended", "cancel", [])
    assert [one["unit"] for one in second["units"]] == ["u4"]
