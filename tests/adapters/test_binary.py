"""Numbers inside bytes: beside struct, from frames as devices send them, and never more than a refusal."""

import base64
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import adapters
from adapters.binary import binary, bit
from canonical.message import Message
from canonical.reading import Reading
from tests.adapters.systems import ID, NOW

FORMATS = {
    "u8": ">B", "i8": ">b", "u16be": ">H", "u16le": "<H", "i16be": ">h", "i16le": "<h", "u32be": ">I", "u32le": "<I",
    "i32be": ">i", "i32le": "<i", "u64be": ">Q", "i64le": "<q", "f32be": ">f", "f32le": "<f", "f64be": ">d",
}  # fmt: skip


@given(st.data(), st.sampled_from(sorted(FORMATS)), st.binary(max_size=5), st.binary(max_size=5))
def test_a_number_is_the_one_struct_packed(data: st.DataObject, kind: str, before: bytes, after: bytes) -> None:
    bits = struct.calcsize(FORMATS[kind]) * 8
    numbers = {
        "u": st.integers(0, 2**bits - 1),
        "i": st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
        "f": st.floats(width=32 if bits == 32 else 64, allow_nan=False, allow_infinity=False),
    }
    number = data.draw(numbers[kind[0]])
    octets = before + struct.pack(FORMATS[kind], number) + after

    assert binary(octets.hex(), "hex", len(before), kind) == number
    assert binary(base64.b64encode(octets).decode(), "base64", len(before) - len(octets), kind) == number


@given(
    st.text(max_size=12), st.sampled_from(["hex", "base64"]), st.integers(-9, 9), st.sampled_from([*FORMATS, "bcd3"])
)
def test_any_text_is_a_number_or_a_value_error(text: str, form: str, at: int, kind: str) -> None:
    try:
        number = binary(text, form, at, kind)
    except ValueError:
        return
    assert abs(number) < float("inf")


@pytest.mark.parametrize("kind", ["", "u7", "u16bee", "f16be", "bcd9", "x8", "u16be "])
def test_a_kind_nobody_knows_is_an_error(kind: str) -> None:
    with pytest.raises(ValueError, match=r"kind|fraction"):
        binary("00" * 16, "hex", 0, kind)


@given(st.integers(0, 255), st.integers(0, 7))
def test_a_bit_is_the_one_of_the_binary_numeral(number: int, at: int) -> None:
    assert bit(number, at) is (f"{number:08b}"[7 - at] == "1")


SYSTEM = """\
title: 无线传感
edition: "1"
roles: [source]
crs: EPSG:4490
connector: {protocol: http}
doors:
  raw: {shape: [hex], messages: [frame], reply: {format: text, rows: [{body: ok}]}}
  packed: {shape: [json], messages: [uplink], reply: {format: text, rows: [{body: ok}]}}
alarms: {tilt: {quiet: 60}, level: {raise_at: 3}}
"""
FRAME = """\
direction: in
title: 二进制帧
contract: any.schema.json
external_id: {from: $body, digest: md5}
alarm:
  device: {expr: "text(binary(doc.hex, 'hex', 1, 'bcd4'))"}
  kind: tilt
  active: {expr: "bit(binary(doc.hex, 'hex', 5, 'u8'), 2) ? 'y' : 'n'", codes: {y: "yes", n: "no"}}
  value: {expr: "binary(doc.hex, 'hex', 6, 'i16be') / 10.0"}
"""
UPLINK = """\
direction: in
title: LoRaWAN 上行
contract: any.schema.json
external_id: {of: [{from: devEui}, {from: fCnt}], join: "-"}
alarm:
  device: {from: devEui}
  kind: level
  value: {expr: "double(binary(doc.data, 'base64', 3, 'u16be')) * 0.01"}
"""


@pytest.fixture
def sensors(tmp_path: Path) -> adapters.System:
    folder = tmp_path / "wireless"
    texts = {"system.yaml": SYSTEM, "messages/frame.yaml": FRAME, "messages/uplink.yaml": UPLINK}
    for name, text in (texts | {"contract/any.schema.json": "{}"}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    assert adapters.check(folder) == []
    return adapters.load(folder, {})


def test_a_frame_of_bytes_is_an_alarm(sensors: adapters.System) -> None:
    frame = bytes.fromhex("68 12345678 04 FF9C 16")
    message = Message("s", frame, NOW, ID, door="raw", content_type="application/octet-stream")

    [reading] = sensors.receive(message)

    assert isinstance(reading, Reading)
    assert reading.alarm
    assert (reading.alarm.device, reading.alarm.active, reading.alarm.value) == ("12345678", True, -10.0)


def test_bytes_packed_in_json_are_a_measurement_and_too_few_of_them_a_refusal(sensors: adapters.System) -> None:
    def told(data: bytes) -> list[object]:
        body = {"devEui": "a1", "fCnt": 7, "data": base64.b64encode(data).decode()}
        message = Message("s", json.dumps(body).encode(), NOW, ID, door="packed", content_type="application/json")
        return list(sensors.receive(message))

    [reading] = told(b"\x01\x02\x03\x01\x45")
    assert isinstance(reading, Reading)
    assert reading.alarm
    assert reading.alarm.value == pytest.approx(3.25)
    assert [str(refusal) for refusal in told(b"\x01\x02\x03\x01")] != []
    assert not isinstance(told(b"\x01\x02\x03\x01")[0], Reading)
