"""A sample with documents packed inside: they are opened, guessed at, and no person stays in them unseen."""

import base64
import gzip
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

import adapters
from adapters.sample_document import open_sample
from adapters.samples import InboundSample
from adapters.scaffold import Scaffold, scaffold
from adapters.scaffold_packed import members
from canonical.reading import Reading
from canonical.time import SHANGHAI

NOW = datetime(2026, 5, 21, 12, 0, tzinfo=SHANGHAI)
EVENT: dict[str, Any] = {
    "eventId": "E-2026-0007", "content": "赵小明反映路灯不亮，电话13912345678", "address": "示例路1号",
    "citizen": {"name": "赵小明", "phone": "13912345678"}, "handlers": [{"name": "钱小红", "phone": "13712345678"}],
}  # fmt: skip
PERSONS = ("赵小明", "钱小红", "13912345678", "13712345678")


def said(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def packed_xml() -> bytes:
    return "<ev><eventId>E-7</eventId><lxr>赵小明</lxr><lxdh>13912345678</lxdh></ev>".encode()


SAMPLES = {
    "base64 of JSON": ("a.json", said({"cmd": 1, "data": base64_of(said(EVENT))})),
    "base64 of gzip": ("a.json", said({"cmd": 1, "data": base64_of(gzip.compress(said(EVENT)))})),
    "without padding": ("a.json", said({"data": base64.urlsafe_b64encode(said(EVENT)).decode().rstrip("=")})),
    "in a list": ("a.json", said({"rows": [{"no": "1", "body": base64_of(said(EVENT))}, {"no": "2", "body": ""}]})),
    "hex": ("a.json", said({"no": "1", "body": said(EVENT).hex()})),
    "in an XML member": ("a.xml", b"<r><no>1</no><data>" + base64_of(said(EVENT)).encode() + b"</data></r>"),
    "XML in JSON": ("a.json", said({"no": "1", "data": base64_of(packed_xml())})),
    "a name alone": (
        "a.json",
        said({"no": "1", "name": base64_of("赵小明".encode()), "dh": base64_of(b"13912345678")}),
    ),
    "packed twice": ("a.json", said({"no": "1", "data": base64_of(said({"e": base64_of(said(EVENT))}))})),
    "in a text with escapes": ("a.json", said({"no": "1", "data": json.dumps(EVENT)})),
    "escaped and packed": ("a.json", said({"no": "1", "d": {"e": base64_of(json.dumps(EVENT).encode())}})),
    "a form": (
        "a.http",
        b"POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\n"
        + urlencode({"k": "1", "data": base64_of(said(EVENT))}).encode(),
    ),
    "beside the record": ("a.json", said({"operator": {"name": "钱小红"}, "data": EVENT})),
}  # fmt: skip


def made(name: str) -> Scaffold:
    file, data = SAMPLES[name]
    return scaffold("parks", file, data, now=NOW)


def readable(scaffolded: Scaffold) -> str:
    """All values of the written sample, as far as they open."""
    opened = open_sample(scaffolded.sample.rpartition("/")[2], scaffolded.files[scaffolded.sample])
    return " ".join(str(value) for _, _, value in members(opened.original))


@pytest.mark.parametrize("name", SAMPLES)
def test_no_person_stays_in_what_is_packed(name: str) -> None:
    scaffolded = made(name)

    text = readable(scaffolded)

    assert not [person for person in PERSONS if person in text]
    assert any("replaced" in warning for warning in scaffolded.warnings)
    for file, content in scaffolded.files.items():
        assert not [person for person in PERSONS if person in content.decode()], file


@pytest.mark.parametrize("name", SAMPLES)
def test_the_folder_of_a_packed_sample_checks_and_reads(name: str, tmp_path: Path) -> None:
    from gateway.new_system import new_system

    file, data = SAMPLES[name]
    (tmp_path / file).write_bytes(data)

    folder, _ = new_system("parks", tmp_path / file, tmp_path, role="source", now=NOW)

    assert adapters.check(folder) == []
    [golden] = folder.glob("samples/*.reading.json")
    assert json.loads(golden.read_text())[0]["external_id"]


def test_members_of_a_packed_document_are_guessed_where_it_stands() -> None:
    scaffolded = made("base64 of gzip")
    door = yaml.safe_load(scaffolded.files["system.yaml"])["doors"]["push"]

    assert door["shape"] == ["json", {"inside": {"path": "data", "shape": ["base64", "gunzip", "json"]}}]
    assert door["document"] == "data"
    assert scaffolded.found["phone"].leaf.path == "citizen.phone"
    assert "packed, and opened by the shape" in scaffolded.files["messages/record.yaml"].decode()


def test_what_is_written_is_packed_as_it_came() -> None:
    whole = json.loads(made("base64 of gzip").files["samples/push.sample.in.json"])
    alone = json.loads(made("a name alone").files["samples/push.sample.in.json"])

    inside = json.loads(gzip.decompress(base64.b64decode(whole["data"])))
    assert inside["citizen"] == {"name": "示例市民", "phone": "13800000000"}
    assert base64.b64decode(alone["name"]).decode() == "示例市民"
    assert base64.b64decode(alone["dh"]).decode() == "13800000000"


def test_in_rows_each_rule_unpacks_for_itself() -> None:
    message = yaml.safe_load(made("in a list").files["messages/record.yaml"])

    assert message["report"]["address"] == {"from": "body", "parse": ["base64", "json"], "pick": "address"}


def test_what_looks_packed_and_does_not_open_is_told_in_the_output_and_in_the_folder() -> None:
    sealed = base64_of(os.urandom(96))
    scaffolded = scaffold("parks", "a.json", said(EVENT | {"cipher": {"body": sealed}}), now=NOW)

    assert any(warning.startswith("cipher.body ") for warning in scaffolded.warnings)
    assert "# TODO cipher.body " in scaffolded.files["messages/record.yaml"].decode()


@pytest.mark.parametrize(
    "harmless",
    [
        {"sign": base64_of(os.urandom(64))},
        {"md5": os.urandom(32).hex()}, {"photo": base64_of(b"\xff\xd8\xff" + bytes(99))},
        {"id2": "8c1f3c3e-7f57-4d2a-9b51-2f5d8d6f1a11"}, {"remark": "a long remark in plain English words"},
        {"url": "https://a.example/files/2026/05/20/0123456789.jpg"},
    ],
)  # fmt: skip
def test_digests_pictures_and_words_are_no_packed_documents(harmless: dict[str, str]) -> None:
    assert not [
        one
        for one in scaffold("parks", "a.json", said(EVENT | harmless), now=NOW).warnings
        if "TODO" in one or "looks packed" in one
    ]


def test_a_short_name_in_letters_changes_no_other_word() -> None:
    scaffolded = scaffold("parks", "a.json", said({"eventId": "Line-1", "name": "Li", "lxr": "Li"}), now=NOW)

    assert json.loads(scaffolded.files[scaffolded.sample]) == {
        "eventId": "Line-1",
        "name": "示例市民",
        "lxr": "示例市民",
    }


def test_two_numbers_in_one_text_of_a_packed_document_are_read_by_the_draft(tmp_path: Path) -> None:
    body = json.dumps({"eventId": "E-7", "content": "井盖破损", "zb": "118.3765,31.3327"}, ensure_ascii=False)
    drafted = scaffold("parks", "a.json", said({"head": {"nonce": "1"}, "body": body}), now=NOW)
    for name, content in drafted.files.items():
        (tmp_path / "parks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "parks" / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    system = adapters.load(tmp_path / "parks", adapters.sample_secrets(tmp_path / "parks"))
    sample = next((tmp_path / "parks/samples").glob("*.in.json"))
    [reading] = system.read(InboundSample(sample, sample).message("parks"))

    assert isinstance(reading, Reading)
    assert reading.report
    assert reading.report.coordinate
    assert (reading.report.coordinate.x, reading.report.coordinate.y) == (118.3765, 31.3327)
