"""Alarms and additions at intake: which of them become cases, and what the others leave."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from canonical.alarm import Alarm, AlarmKey, AlarmPolicy, AlarmState, CapState
from canonical.codes import ClassCode
from canonical.errors import Why
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.message import Verdict
from canonical.place import Place
from canonical.reading import Addition, Reading, StatedAction, SystemRole
from canonical.records import Arrival, CaseFile, Changes, Known
from canonical.report import Attachment, Report
from routing.adding import REMARKS
from routing.city import City
from tests.routing.intake_city import (
    CITY,
    LATER,
    NOW,
    STALL,
    SYSTEMS,
    Desk,
    by_owner,
    by_source,
    message,
    ordered,
    reported,
    verdicts,
)  # fmt: skip

K = ActionKind
PHOTO, VIDEO = Attachment(url="http://iot/1.jpg"), Attachment(url="http://iot/2.mp4", id="v")


def alarmed(alarms: dict[str, AlarmPolicy] | None = None) -> City:
    """The city with a system `iot` whose alarms have these policies."""
    tells = {"source": {K.FILE: "taken", K.CLOSE: "done"}}
    role = SystemRole(
        id="iot",
        title="iot",
        edition="iot-1",
        source=True,
        owner=False,
        tells=tells,
        alarms=alarms or {},
    )
    return replace(CITY, systems=SYSTEMS | {"iot": role})


class AlarmDesk(Desk):
    """A desk that also keeps devices, storm caps and files."""

    def __init__(self, city: City | None = None) -> None:
        super().__init__(city or alarmed())
        self.alarms: dict[AlarmKey, AlarmState] = {}
        self.caps: dict[tuple[str, str], CapState] = {}
        self.files: list[CaseFile] = []

    def known(self) -> Known:
        known = super().known()
        known.alarms, known.caps = dict(self.alarms), dict(self.caps)
        return known

    def _keep(self, changes: Changes) -> None:
        super()._keep(changes)
        self.alarms |= changes.alarms
        self.caps |= changes.caps
        self.files += changes.files

    def state(self, device: str = "d1", kind: str = "smoke") -> AlarmState:
        """What is remembered of a device."""
        return self.alarms["iot", device, kind]

    def close(self) -> None:
        """The case that is open is worked on and closed."""
        [case] = [case for case in self.cases.values() if not case.ended]
        self.bound(f"w{case.sequence}", case)
        self.take(by_owner("works", f"w{case.sequence}", K.DISPOSE))
        self.take(ordered(case.no, K.CHECK, result="good"))
        assert self.cases[case.id].stage is Stage.CLOSED


def telling(
    key: str,
    second: float = 0,
    *,
    device: str = "d1",
    kind: str = "smoke",
    active: bool = True,
    report: bool = True,
    files: Sequence[Attachment] = (),
    class_code: str = STALL,
    **more: Any,
) -> Arrival:
    """What a device tells under this id, at this second by its clock."""
    at = NOW + timedelta(seconds=second)
    told = Report(
        class_code=ClassCode.parse(class_code) if class_code else None, given_area="340202", description="示例告警",
        attachments=tuple(files),
    )  # fmt: skip
    reading = Reading(
        system="iot", kind="alarm", edition="iot-1", external_id=key, report=told if report else None,
        alarm=Alarm(device=device, kind=kind, active=active, at=at), **more,
    )  # fmt: skip
    return Arrival(message("iot", at), reading)


def added(system: str, key: str, *files: Attachment, remark: str = "", **more: Any) -> Arrival:
    """What that system adds to what it calls by this id."""
    addition = Addition(remark=remark, attachments=files)
    reading = Reading(
        system=system, kind="addition", edition=f"{system}-1", external_id=key, addition=addition, **more
    )  # fmt: skip
    return Arrival(message(system), reading)


# --- alarms ---


@pytest.mark.parametrize("size", [1, 2, 5])
def test_of_many_tellings_one_becomes_a_case_in_whatever_batches_they_come(size: int) -> None:
    desk = AlarmDesk(alarmed({"smoke": AlarmPolicy(times=2)}))
    story = [telling(f"a{second}", second) for second in range(5)]

    outcomes = [outcome for start in range(0, 5, size) for outcome in desk.take(*story[start : start + size])]

    assert verdicts(outcomes) == [Verdict.COUNTED, Verdict.CASE, *[Verdict.COUNTED] * 3]
    assert outcomes[0].text == "held back: told 1 of 2 times in a row"
    assert [outcome.case_no for outcome in outcomes] == ["", *[desk.case.no] * 4]
    assert (desk.case.stage, desk.case.source) == (Stage.DISPATCHED, "iot")
    assert (desk.state().told, desk.state().since_case, desk.state().case_id) == (5, 4, desk.case.id)
    assert list(desk.bindings) == [("iot", "a1")]
    desk.check_books()


def test_tellings_stand_in_the_journal_with_their_case_and_are_no_reports_in_the_books() -> None:
    desk = AlarmDesk()
    desk.take(telling("a", 0), telling("b", 1), telling("c", 2, device="d2", report=False))

    rows = [(entry.verdict, entry.is_report, entry.case_id) for entry in desk.journal.values()]

    assert rows == [
        (Verdict.CASE, True, desk.case.id),
        (Verdict.COUNTED, False, desk.case.id),
        (Verdict.COUNTED, False, None),
    ]


def test_back_to_normal_is_written_on_the_open_case_and_leaves_it_open() -> None:
    desk = AlarmDesk()
    desk.take(telling("a", 0), telling("b", 1))

    [outcome] = desk.take(telling("c", 2, active=False, report=False))

    assert (outcome.verdict, outcome.case_no) == (Verdict.APPLIED, desk.case.no)
    event = desk.events[-1]
    assert (event.action.kind, event.action.actor.party, event.action.actor.id) == (K.COMMENT, Party.SOURCE, "iot")
    assert event.action.reason == outcome.text == "设备恢复正常 (told 3 times)"
    assert event.action.stated_at == NOW + timedelta(seconds=2)
    assert desk.case.stage is Stage.DISPATCHED
    assert verdicts(desk.take(telling("d", 3, active=False))) == [Verdict.COUNTED]
    desk.check_books()


def test_each_device_and_kind_has_a_case_of_its_own() -> None:
    desk = AlarmDesk()

    outcomes = desk.take(telling("a"), telling("b", device="d2"), telling("c", kind="heat"), telling("d", 1))

    assert verdicts(outcomes) == [Verdict.CASE, Verdict.CASE, Verdict.CASE, Verdict.COUNTED]


def test_an_alarm_without_a_report_opens_no_case() -> None:
    desk = AlarmDesk()

    [outcome] = desk.take(telling("a", report=False))

    assert (outcome.verdict, outcome.text) == (Verdict.COUNTED, "it holds no report to open a case of")
    assert (desk.cases, desk.state().told) == ({}, 1)
    assert verdicts(desk.take(telling("b", 1))) == [Verdict.CASE]


def test_a_new_case_of_a_device_that_always_has_one_id_gets_a_binding_of_its_own() -> None:
    desk = AlarmDesk()
    desk.take(telling("d1", 0))
    first = desk.case
    desk.close()

    [outcome] = desk.take(telling("d1", 60))

    second = desk.by_no(outcome.case_no)
    assert outcome.verdict is Verdict.CASE
    assert desk.bindings["iot", "d1"].case_id == first.id
    assert desk.bindings["iot", f"d1#{second.sequence}"].case_id == second.id
    assert desk.state().case_id == second.id
    assert ("iot", "taken", f"d1#{second.sequence}") in desk.told()
    desk.check_books()


def test_of_a_device_without_a_clock_the_time_of_receipt_counts_however_late_it_is_read() -> None:
    desk = AlarmDesk()
    arrival = telling("a")
    assert isinstance(arrival.content, Reading)
    timeless = arrival.content.model_copy(update={"alarm": Alarm(device="d1", kind="smoke", active=True)})
    desk.now += timedelta(hours=1)

    desk.take(Arrival(arrival.message, timeless))

    assert desk.state().seen_at == arrival.message.at == NOW


def test_the_storm_cap_holds_over_batches_and_devices() -> None:
    desk = AlarmDesk(alarmed({"*": AlarmPolicy(cap=2)}))
    story = [telling(f"a{n}", n, device=f"d{n}") for n in range(5)]

    outcomes = desk.take(*story[:1]) + desk.take(*story[1:])

    assert verdicts(outcomes) == [Verdict.CASE, Verdict.CASE, *[Verdict.COUNTED] * 3]
    assert desk.caps["iot", "smoke"].withheld == 3
    desk.now += timedelta(hours=1)
    assert verdicts(desk.take(telling("b", 3600, device="d4"))) == [Verdict.CASE]


def test_an_alarm_that_joins_a_case_uses_up_nothing_of_the_cap() -> None:
    desk = AlarmDesk(alarmed({"smoke": AlarmPolicy(cap=2)}))
    fire = [telling(device, device=device, case_key="fire") for device in ("d1", "d2")]
    others = [telling(device, device=device) for device in ("d3", "d4")]

    outcomes = desk.take(*fire, *others)

    assert verdicts(outcomes) == [Verdict.CASE, Verdict.JOINED, Verdict.CASE, Verdict.COUNTED]
    assert desk.state("d2").case_id == desk.state("d1").case_id
    assert desk.caps["iot", "smoke"].withheld == 1


def test_a_device_follows_its_case_into_the_one_it_was_merged_into() -> None:
    desk = AlarmDesk()
    desk.take(telling("a"), reported("hotline", "1"))
    mine, other = desk.cases.values()
    desk.take(ordered(mine.no, K.MERGE, reason="the same", target=other.no))

    again, normal = desk.take(telling("b", 5), telling("c", 6, active=False))

    assert (again.verdict, again.case_no) == (Verdict.COUNTED, other.no)
    assert (normal.verdict, normal.case_no) == (Verdict.APPLIED, other.no)
    assert desk.state().case_id == other.id
    assert desk.actions(desk.cases[other.id])[-1] is K.COMMENT


def test_a_picture_that_comes_with_a_later_telling_is_added_to_the_case() -> None:
    desk = AlarmDesk()
    desk.take(telling("d1", 0))

    outcomes = desk.take(
        telling("d1", 1, addition=Addition(attachments=(PHOTO,))),
        telling("d1", 2, addition=Addition(attachments=(PHOTO,))),
    )

    assert verdicts(outcomes) == [Verdict.ADDED, Verdict.COUNTED]
    assert desk.case.attachments == (PHOTO,)
    assert desk.state().told == 3


def test_a_picture_under_a_device_s_one_id_goes_to_its_present_case() -> None:
    desk = AlarmDesk()
    desk.take(telling("d1", 0))
    desk.close()
    [opened] = desk.take(telling("d1", 60))

    [outcome] = desk.take(telling("d1", 61, addition=Addition(attachments=(PHOTO,))))

    assert (outcome.verdict, outcome.case_no) == (Verdict.ADDED, opened.case_no)


def test_an_action_beside_an_alarm_is_done_to_the_case_it_speaks_of() -> None:
    desk = AlarmDesk()
    desk.take(telling("a", 0))
    cancelled = StatedAction(kinds={Party.SOURCE: K.CANCEL}, reason="误报")

    [outcome] = desk.take(telling("a", 1, active=False, action=cancelled))

    assert (outcome.verdict, desk.case.stage) == (Verdict.APPLIED, Stage.CANCELLED)
    assert desk.state().told == 2


@pytest.mark.parametrize("size", [1, 4])
def test_the_sources_of_merged_cases_are_told_in_one_order_wherever_the_batch_was_cut(size: int) -> None:
    desk = AlarmDesk()
    first, second = "3402202605200000001", "3402202605200000002"
    merged = ordered(first, K.MERGE, reason="the same", target=second)
    story = [telling("a", class_code=""), telling("b", device="d2", class_code=""), merged]
    filed = ordered(second, K.FILE, class_code=ClassCode.parse(STALL), place=Place(area="340202"))

    for start in range(0, 4, size):
        desk.take(*[*story, filed][start : start + size])

    assert [d.address for d in desk.deliveries if d.message == "taken"] == ["a", "b"]


# --- additions ---


def test_later_pictures_become_a_comment_and_are_said_to_be_added() -> None:
    desk = AlarmDesk()
    desk.take(reported("hotline", "1"))

    [outcome] = desk.take(added("hotline", "1", PHOTO, VIDEO, remark="现场照片"))

    assert (outcome.verdict, outcome.case_no) == (Verdict.ADDED, desk.case.no)
    action = desk.events[-1].action
    assert (action.kind, action.reason, action.attachments) == (K.COMMENT, "现场照片", (PHOTO, VIDEO))
    assert (action.actor.party, action.actor.id) == (Party.SOURCE, "hotline")
    assert desk.case.attachments == (PHOTO, VIDEO)
    assert [entry.is_report for entry in desk.journal.values()] == [True, False]
    desk.check_books()


def test_only_what_is_new_of_an_addition_is_added_and_nothing_new_is_a_repeat() -> None:
    desk = AlarmDesk()
    desk.take(reported("hotline", "1"), added("hotline", "1", VIDEO))
    signed_anew = Attachment(url="http://iot/2.mp4?sign=other", id="v")

    outcomes = desk.take(
        added("hotline", "1", VIDEO), added("hotline", "1", signed_anew), added("hotline", "1"),
        added("hotline", "1", VIDEO, PHOTO, PHOTO),
    )  # fmt: skip

    assert verdicts(outcomes) == [Verdict.REPEATED, Verdict.REPEATED, Verdict.REPEATED, Verdict.ADDED]
    assert desk.case.attachments == (VIDEO, PHOTO)
    assert desk.events[-1].action.reason == "补充附件 (1 files)"


def test_the_pieces_of_one_file_are_told_apart_by_their_addresses() -> None:
    desk = AlarmDesk()
    pieces = [Attachment(url=f"inline:part:f:{n}/2", id="f", content=b"x") for n in (1, 2)]
    desk.take(reported("hotline", "1"))

    outcomes = desk.take(*(added("hotline", "1", piece) for piece in pieces))

    assert verdicts(outcomes) == [Verdict.ADDED, Verdict.ADDED]


@pytest.mark.parametrize("together", [True, False])
def test_a_remark_told_again_is_a_repeat_and_another_one_is_added(*, together: bool) -> None:
    desk = AlarmDesk()
    story = [reported("hotline", "1")]
    story += [added("hotline", "1", remark=remark) for remark in ("催办", "催办", "再催", "催办")]

    outcomes = desk.take(*story) if together else [outcome for arrival in story for outcome in desk.take(arrival)]

    assert verdicts(outcomes)[1:] == [Verdict.ADDED, Verdict.REPEATED, Verdict.ADDED, Verdict.REPEATED]
    assert desk.actions().count(K.COMMENT) == 2
    assert len(desk.bindings["hotline", "1"].extra[REMARKS].split()) == 2
    desk.check_books()


def test_two_remarks_in_one_batch_are_one_change_of_their_binding() -> None:
    desk = AlarmDesk()
    desk.take(reported("hotline", "1"), reported("hotline", "2"), added("hotline", "2", remark="催办"))
    assert desk.changes.rebound == [], "a new binding is written once, as it is in the end"

    desk.take(added("hotline", "1", remark="催办"), added("hotline", "1", remark="再催"))

    assert desk.changes.rebound == [desk.bindings["hotline", "1"]]
    assert len(desk.bindings["hotline", "1"].extra[REMARKS].split()) == 2


def test_an_owner_s_addition_is_the_owner_s() -> None:
    desk = AlarmDesk()
    desk.take(reported("hotline", "1"))
    desk.bound("w1")

    assert verdicts(desk.take(added("works", "w1", PHOTO))) == [Verdict.ADDED]
    assert desk.events[-1].action.actor.party is Party.OWNER


def test_an_addition_that_is_faster_than_its_report_waits_and_is_refused_in_the_end() -> None:
    desk = AlarmDesk()

    assert verdicts(desk.take(added("hotline", "1", PHOTO))) == [Verdict.HELD]
    desk.now += LATER
    [outcome] = desk.take(added("hotline", "1", PHOTO))
    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.UNKNOWN_CASE)


def test_a_report_with_an_addition_opens_its_case_with_the_pictures_of_both() -> None:
    desk = AlarmDesk()
    report = Report(class_code=ClassCode.parse(STALL), given_area="340202", attachments=(PHOTO,))
    arrival = added("hotline", "1", PHOTO, VIDEO, report=report)

    assert verdicts(desk.take(arrival, arrival)) == [Verdict.CASE, Verdict.REPEATED]
    assert desk.case.attachments == (PHOTO, VIDEO)


def test_what_concerns_no_case_is_noted_even_under_a_known_id() -> None:
    desk = AlarmDesk()
    desk.take(reported("hotline", "1"))
    beat = Reading(system="hotline", kind="heartbeat", edition="hotline-1", external_id="1")

    [outcome] = desk.take(Arrival(message("hotline"), beat))

    assert outcome.verdict is Verdict.NOTED
    assert len(desk.events) == len(desk.case.assignments) + 2


# --- files ---


def test_every_file_a_case_gets_is_listed_for_the_system_that_gave_it() -> None:
    desk = AlarmDesk()
    inline = Attachment(url="inline:sha256:00", content=b"\xff\xd8")
    more = [Attachment(url=f"http://a/{n}") for n in range(3)]

    desk.take(telling("a", files=[PHOTO, inline], case_key="k"))
    desk.take(telling("b", device="d2", files=[more[0]], case_key="k"))
    desk.take(added("iot", "a", more[1]))
    desk.bound("w1")
    disposed = StatedAction(kinds={Party.OWNER: K.DISPOSE}, result="done", attachments=(more[2],))
    reading = Reading(system="works", kind="status", edition="works-1", external_id="w1", action=disposed)
    desk.take(Arrival(message("works"), reading))

    assert [(file.system, file.attachment) for file in desk.files] == [
        ("iot", PHOTO), ("iot", inline), ("iot", more[0]), ("iot", more[1]), ("works", more[2]),
    ]  # fmt: skip
    assert desk.files[1].attachment.content == b"\xff\xd8", "bytes that came inside the message must not get lost"
    assert {(file.case_id, file.at) for file in desk.files} == {(desk.case.id, NOW)}
    assert desk.case.attachments == tuple(file.attachment for file in desk.files)


def test_messages_without_files_and_alarms_change_nothing_of_them() -> None:
    desk = AlarmDesk()
    desk.take(reported("hotline", "1"), by_source("hotline", "1", K.COMMENT))

    assert (desk.changes.alarms, desk.changes.caps, desk.changes.files) == ({}, {}, [])
