"""What listeners are told of an event: always the same for the same event, and nobody's data without a right."""

import json
from datetime import timedelta

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from canonical.announcement import (
    SCHEMA,
    Announcement,
    Right,
    announced,
    as_events_left_it,
    cloud_event,
    routing_key,
)
from canonical.case import Action, Case, Event
from canonical.lifecycle import BY_ACTION, ActionKind, Party, Stage
from canonical.place import Place
from canonical.report import Attachment, Report, Reporter
from tests.canonical.values import CASE_ID, NOW, action, actions, collected

K = ActionKind
VALIDATOR = jsonschema.Draft202012Validator(Announcement.model_json_schema(mode="serialization"))
SECRETS = {
    "张三丰": {Right.REPORTER}, "13800000000": {Right.REPORTER}, "示例路 8 号": {Right.PLACE}, "118.38": {Right.PLACE},
    "31.34": {Right.PLACE}, "题目": {Right.TEXTS}, "写下的话": {Right.TEXTS}, "电话": {Right.TEXTS},
    "办结的话": {Right.TEXTS}, "http://files/1.jpg": {Right.FILES}, "operator-7": set(), "王科长": set(),
}  # fmt: skip
"""What stands in the case below, and the right it needs; an operator's name needs more than there is."""


def told_case() -> tuple[Event, Case]:
    """A case that holds everything a person may have written, and its last event, done by a person of the centre."""
    place = Place(address="示例路 8 号", lon=118.3829, lat=31.3476, area="340202001003", grid="340202001003007")
    report = Report(
        title="题目", description="写下的话", channel="电话", reporter=Reporter(name="张三丰", phone="13800000000"),
        attachments=(Attachment(url="http://files/1.jpg", name="现场"),),
    )  # fmt: skip
    first = Event(
        case_id=CASE_ID, seq=1, from_=None, to=Stage.REPORTED,
        action=action(K.COLLECT, Party.SOURCE, report=report, place=place, system="hotline"),
    )  # fmt: skip
    case = Case.opened(first, no="34022026052000000001", sequence=1)
    for kind, party, changes in (
        (K.FILE, Party.HUB, {"place": place}), (K.DISPATCH, Party.HUB, {"system": "works"}),
    ):  # fmt: skip
        case = case.after(case.does(action(kind, party, **changes)))
    done = action(K.DISPOSE, Party.CENTRE, result="办结的话", reason="写下的话")
    done = done.model_copy(update={"actor": done.actor.model_copy(update={"id": "operator-7", "name": "王科长"})})
    event = case.does(done)
    return event, case.after(event)


@pytest.mark.parametrize("right", [None, *Right])
def test_nothing_a_person_wrote_or_is_leaves_without_its_right(right: Right | None) -> None:
    event, case = told_case()

    said = json.dumps(
        cloud_event(event, case, city="3402", rights=frozenset({right} if right else ())), ensure_ascii=False
    )

    assert {secret for secret in SECRETS if secret in said} == {
        secret for secret, rights in SECRETS.items() if right in rights
    }


def test_the_envelope_is_a_cloudevent_that_names_case_and_place_in_its_order() -> None:
    event, case = told_case()

    document = cloud_event(event, case, city="3402")

    assert {name: document[name] for name in document if name != "data"} == {
        "specversion": "1.0", "id": f"{CASE_ID}-4", "source": "urn:gridhub:city:3402", "type": "gridhub.case.dispose",
        "subject": "34022026052000000001", "time": NOW.isoformat(), "datacontenttype": "application/json",
        "dataschema": SCHEMA, "partitionkey": "34022026052000000001", "sequence": "0000000004",
    }  # fmt: skip
    assert document["data"]["case"]["stage"] == "disposed"
    assert (document["data"]["from"], document["data"]["to"]) == ("dispatched", "disposed")


def test_a_routing_key_has_a_word_for_each_thing_a_listener_chooses_by() -> None:
    event, case = told_case()

    assert routing_key(event, case) == "case.dispose.hotline.works.340202.001.003"
    unknown = case.model_copy(update={"place": Place(), "assignments": (), "source": "a.b"})
    assert routing_key(event, unknown) == "case.dispose.a_b.none.none"
    assert routing_key(event, case.model_copy(update={"place": Place(area="3402")})).endswith(".works.3402")


def test_each_event_is_told_with_the_case_as_it_left_it_however_late() -> None:
    first, case = collected()
    events = [first]
    for kind, party in ((K.FILE, Party.HUB), (K.DISPATCH, Party.HUB), (K.SIGN, Party.OWNER), (K.DISPOSE, Party.OWNER)):
        event = case.does(action(kind, party, at=NOW + timedelta(minutes=len(events))))
        events.append(event)
        case = case.after(event)

    states = as_events_left_it(case, events)

    assert [states[event.seq].stage for event in events] == [event.to for event in events]
    assert states[5] == case
    assert announced(events[1], states[2]).case.owner == ""
    assert announced(events[2], states[3]).case.owner == "works"


def test_an_event_that_todays_table_does_not_know_leaves_the_later_ones_with_the_present_state() -> None:
    first, case = collected()
    broken = first.model_copy(update={"seq": 2, "from_": Stage.CLOSED})

    assert as_events_left_it(case, [first, broken]) == {1: case}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
def test_whatever_was_done_is_told_as_the_schema_says(done: Action) -> None:
    _, case = collected()
    to = BY_ACTION[done.kind].to or case.stage
    event = Event(case_id=CASE_ID, seq=2, from_=case.stage, to=to, action=done)

    for rights in (frozenset[Right](), frozenset(Right)):
        document = json.loads(json.dumps(cloud_event(event, case, city="3402", rights=rights)))
        VALIDATOR.validate(document["data"])
