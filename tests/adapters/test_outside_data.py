"""Messages that real platforms sent, each read by a declaration of a few lines: cameras, sensors, portals, brokers."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

import adapters
from adapters import System
from canonical.errors import Unacceptable
from canonical.message import Message
from canonical.reading import Reading
from tests.adapters.systems import ID, NOW

RECEIVED = NOW + timedelta(days=120)

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the reference data is not beside this checkout")

HEAD = 'title: 外部报文\nedition: "1"\nroles: [source]\ncrs: EPSG:4326\ncharset: auto\nconnector: {protocol: http}\n'
DOOR = """doors:
  d:
    shape: {shape}
{more}    messages: {messages}
    reply: {{format: json, rows: [{{body: {{}}}}]}}
"""
IN = "direction: in\ntitle: 报文\ncontract: any.schema.json\n"


def system(folder: Path, shape: str, *, more: str = "", **messages: str) -> System:
    files = {
        "system.yaml": HEAD + DOOR.format(shape=shape, more=more, messages=json.dumps(list(messages))),
        "contract/any.schema.json": "{}",
    } | {f"messages/{name}.yaml": IN + text for name, text in messages.items()}
    for name, text in files.items():
        path = folder / "outside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return adapters.load(folder / "outside", {})


def read(platform: System, body: bytes, kind: str = "") -> list[Reading | Unacceptable]:
    return platform.read(Message(system="s", body=body, at=RECEIVED, id=ID, door="d", content_type=kind))


def good(contents: list[Reading | Unacceptable]) -> list[Reading]:
    assert all(isinstance(content, Reading) for content in contents), contents
    return [content for content in contents if isinstance(content, Reading)]


CAMERA = """\
when: {EventNotificationAlert.eventState: active}
external_id: {text: "{EventNotificationAlert.channelID}-{EventNotificationAlert.dateTime}"}
report: {title: {from: EventNotificationAlert.eventType}}
alarm:
  device: {from: [EventNotificationAlert.macAddress, EventNotificationAlert.channelID]}
  kind: {from: EventNotificationAlert.eventType}
  active: {from: EventNotificationAlert.eventState, codes: {active: "yes", inactive: "no"}}
  at: {from: EventNotificationAlert.dateTime, time: iso}
"""
QUIET = "when: {EventNotificationAlert.eventState: inactive}\nexternal_id: {text: x}\nnoted: true\n"


@pytest.mark.parametrize(
    ("file", "kind", "device"),
    [
        ("fielddetection_human.xml", "fielddetection", "ac:b9:2f:49:44:75"),
        ("nvr_2_fielddetection.xml", "fielddetection", "34"),
        ("ipc_1_fielddetection.xml", "duration", "a6:63:9e:f8:01:09"),
        ("cam1_DS-2CD2T46G2-ISU_io_notification.xml", "IO", "4f:e4:2f:81:cd:1b"),
    ],
)
def test_cameras_of_any_firmware_are_read_by_local_names(tmp_path: Path, file: str, kind: str, device: str) -> None:
    platform = system(tmp_path, "[xml]", alert=CAMERA, quiet=QUIET)

    [reading] = good(read(platform, (DATA / "iot" / "hikvision" / file).read_bytes(), "application/xml"))

    assert reading.alarm
    assert (reading.alarm.kind, reading.alarm.device, reading.alarm.active) == (kind, device, True)


def test_an_initialised_onvif_property_is_a_state_and_a_changed_one_an_event(tmp_path: Path) -> None:
    more = "    items: NotificationMessage\n"
    changed = """\
when: {Message.Message.@PropertyOperation: Changed}
external_id: {text: "{Topic}-{Message.Message.@UtcTime}"}
report: {title: {from: Topic}, reported_at: {from: Message.Message.@UtcTime, time: iso}}
"""
    state = "external_id: {text: state}\nnoted: true\n"
    shape = '[soap: {element: PullMessagesResponse, version: "1.2", lists: [NotificationMessage]}]'
    platform = system(tmp_path, shape, more=more, changed=changed, state=state)

    first, second = good(
        read(platform, (DATA / "iot" / "onvif" / "pull_messages_response.xml").read_bytes(), "text/xml")
    )

    assert first.report is None
    assert second.report
    assert second.report.title == "tns1:RuleEngine/TamperDetector/Tamper"
    assert str(second.report.reported_at) == "2026-07-23 21:26:00+08:00"


@pytest.mark.parametrize("file", ["alarm_notify.gb2312.xml", "alarm_notify.utf8.xml"])
def test_the_bytes_count_and_not_the_label(tmp_path: Path, file: str) -> None:
    alarm = """\
external_id: {text: "{Notify.DeviceID}-{Notify.SN}"}
report:
  title: {from: Notify.AlarmDescription}
  urgency: {from: Notify.AlarmPriority, codes: {"1": urgent, "2": urgent, "3": normal, "4": normal}}
  reported_at: {from: Notify.AlarmTime, time: iso}
  coordinate: {x: {from: Notify.Longitude}, y: {from: Notify.Latitude}}
"""
    platform = system(tmp_path, "[xml]", alarm=alarm)

    [reading] = good(read(platform, (DATA / "iot" / "gb28181" / file).read_bytes(), "text/xml"))

    assert reading.report
    assert (reading.report.title, reading.report.urgency) == ("警情描述", "normal")
    assert str(reading.report.reported_at) == "2009-12-04 16:23:32+08:00"
    assert reading.report.coordinate
    assert reading.report.coordinate.x == 171.3


@pytest.mark.parametrize(
    ("file", "count", "first"),
    [("epoint_dept_list.gbk.xml", 41, "HG1"), ("epoint_service_list.utf8-labelled-gb2312.xml", 19, "1")],
)
def test_a_portals_lists_are_read_whatever_their_label_says(
    tmp_path: Path, file: str, count: int, first: str
) -> None:  # fmt: skip
    more = "    document: EpointDataBody.DATA.UserArea\n    items: {items}\n"
    kind = "Dept" if "dept" in file else "Type"
    path = f"{kind}List.{kind}"
    message = "external_id: {from: [DeptCode, TypeID]}\nreport: {title: {from: [DeptName, TypeName]}}\n"
    platform = system(tmp_path, "[xml]", more=more.replace("{items}", path), row=message)

    readings = good(read(platform, (DATA / "soap" / "messages" / file).read_bytes(), "text/xml"))

    assert len(readings) >= min(count, 10)
    assert readings[0].external_id == first
    assert all(reading.report and "\ufffd" not in reading.report.title for reading in readings)


def test_chirpstack_v3_packs_a_device_id_in_base64_and_json_in_a_text(tmp_path: Path) -> None:
    up = """\
external_id: {from: devEUI, parse: [base64], encode: hex}
report: {title: {from: objectJSON, parse: [json], pick: temperatureSensor}}
"""
    platform = system(tmp_path, "[json]", up=up)

    [reading] = good(read(platform, (DATA / "iot" / "chirpstack-v3" / "up.json").read_bytes(), "application/json"))

    assert reading.external_id == "0202020202020202"
    assert reading.report
    assert reading.report.title == "25"


def test_lorawan_uplinks_of_two_networks(tmp_path: Path) -> None:
    chirpstack = """\
when: {deviceInfo.devEui: {present: "yes"}}
external_id: {text: "{deviceInfo.devEui}-{time}"}
alarm: {device: {from: deviceInfo.devEui}, kind: soil, value: {from: object.temp_SOIL}, at: {from: time, time: iso}}
"""
    things = """\
external_id: {expr: "doc.end_device_ids.device_id + '-' + text(doc.uplink_message.f_cnt)"}
alarm:
  device: {from: end_device_ids.device_id}
  kind: motion
  active: {from: uplink_message.decoded_payload.events, codes: {motion: "yes", "none": "no"}}
  at: {from: received_at, time: iso}
"""
    platform = system(tmp_path, "[json]", chirpstack=chirpstack, things=things)

    [soil] = good(read(platform, (DATA / "iot" / "chirpstack-v4" / "up.json").read_bytes()))
    [motion] = good(read(platform, (DATA / "iot" / "ttn-v3" / "uplink.json").read_bytes()))

    assert soil.alarm
    assert (soil.alarm.device, soil.alarm.value) == ("a8404187d187106e", 13.25)
    assert motion.alarm
    assert (motion.external_id, motion.alarm.active) == ("my-motion-sensor-1-13", True)


def test_frames_of_a_text_protocol_are_read_by_named_groups(tmp_path: Path) -> None:
    head = r"##\d{4}ST=(?P<st>\d+);CN=(?P<cn>\d+);PW=\w+;MN=(?P<mn>\w+);"
    pattern = head + r"CP=&&DataTime=(?P<at>\d{14})\d*;(?P<data>.*)&&\w{4}"
    frame = """\
external_id: {text: "{mn}-{at}-{$row}"}
alarm:
  device: {from: mn}
  kind: noise
  value: {from: data, match: "B01-Rtd=([0-9.]+)"}
  at: {from: at, time: yyyyMMddHHmmss}
"""
    platform = system(tmp_path, f"[lines: {json.dumps(pattern)}]", more='    items: "."\n', frame=frame)

    readings = good(read(platform, (DATA / "iot" / "hj212" / "frames.txt").read_bytes(), "text/plain"))

    assert len(readings) == 4
    assert readings[0].alarm
    assert (readings[0].alarm.device, readings[0].alarm.value) == ("LD130133000015", 36.91)
    assert str(readings[0].alarm.at) == "2016-08-24 00:38:17+08:00"


def test_a_deep_insert_of_a_sensor_things_service(tmp_path: Path) -> None:
    thing = """\
external_id: {from: properties.reference}
report:
  title: {from: name}
  coordinate: {x: {from: Locations.0.location.coordinates.0}, y: {from: Locations.0.location.coordinates.1}}
"""
    platform = system(tmp_path, "[json]", thing=thing)

    [reading] = good(read(platform, (DATA / "iot" / "sensorthings" / "create_thing_deep.json").read_bytes()))

    assert reading.report
    assert reading.report.coordinate
    assert (reading.report.coordinate.x, reading.report.coordinate.y) == (-117.05, 51.05)
