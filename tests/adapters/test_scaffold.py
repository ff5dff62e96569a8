"""A first folder from one sample: what is guessed, what is marked, and that no person is left in it."""

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import openpyxl
import pytest
import yaml

import adapters
from adapters.guessing import guesses, time_of
from adapters.sample_document import open_sample
from adapters.scaffold import Scaffold, scaffold
from adapters.wsdl_scaffold import wsdl_scaffold
from canonical.errors import Misconfigured, Unacceptable
from canonical.message import Message, Verdict
from canonical.reading import Outcome
from canonical.time import SHANGHAI

NOW = datetime(2026, 5, 21, 12, 0, tzinfo=SHANGHAI)
EVENT: dict[str, Any] = {
    "eventId": "E-2026-0007", "gdbh": "GD0007", "eventName": "路灯不亮",
    "sqnr": "赵小明反映示例路口路灯不亮，电话13712345678",
    "sfdz": "示例路1号", "gridCode": "340202001001001", "lng": "118.3762", "lat": "31.3341",
    "happenTime": "2026-05-20 08:01:02", "clsx": "2026-05-23", "lxr": "赵小明", "lxdh": "13912345678", "jjcd": "2",
    "sjlxdm": "0401", "sjlxmc": "路灯", "fj": "http://a.example/1.jpg,http://a.example/2.jpg", "unknown": 5,
}  # fmt: skip


def made(document: object, name: str = "one.json", **options: Any) -> Scaffold:
    """The scaffold of a JSON sample."""
    return scaffold("parks", name, json.dumps(document, ensure_ascii=False).encode(), now=NOW, **options)


def found(scaffolded: Scaffold) -> dict[str, str]:
    return {key: guess.leaf.inside or guess.leaf.path for key, guess in scaffolded.found.items()}


def message(scaffolded: Scaffold) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(scaffolded.files["messages/record.yaml"])
    return loaded


def test_fields_are_known_by_their_english_chinese_and_vendor_names() -> None:
    wanted = {
        "external_id": "eventId", "visible_no": "gdbh", "title": "eventName", "description": "sqnr", "address": "sfdz",
        "given_area": "gridCode", "x": "lng", "y": "lat", "reported_at": "happenTime", "deadline": "clsx",
        "name": "lxr", "phone": "lxdh", "urgency": "jjcd", "attachments": "fj",
    }  # fmt: skip
    assert found(made({"data": {"rows": [EVENT]}})).items() >= wanted.items()
    chinese = {
        "工单编号": "G1",
        "诉求内容": "井盖",
        "事发地址": "路口",
        "联系电话": "13900000001",
        "来电时间": "2026/5/20 8:01",
    }
    assert found(made(chinese)) == {
        "visible_no": "工单编号", "description": "诉求内容", "address": "事发地址", "phone": "联系电话",
        "reported_at": "来电时间",
    }  # fmt: skip


def test_every_guess_is_marked_on_its_line_and_what_is_left_is_named() -> None:
    lines = made(EVENT).files["messages/record.yaml"].decode().splitlines()

    for field in ("external_id", "title", "address", "reported_at", "phone"):
        line = [line for line in lines if line.strip().startswith(f"{field}:")][-1]  # the file has a title too
        assert "# 猜测 guess:" in line
    assert any(line.startswith("# 未使用 not used:") and "unknown" in line for line in lines)


def test_records_are_found_in_lists_and_in_texts_that_hold_documents() -> None:
    listed = yaml.safe_load(made({"code": 0, "data": {"total": 1, "rows": [EVENT]}}).files["system.yaml"])
    assert (listed["doors"]["push"]["document"], listed["doors"]["push"]["items"]) == ("data", "rows")

    packed = made({"sign": "x", "body": json.dumps(EVENT, ensure_ascii=False)})
    rule = message(packed)["report"]["address"]
    assert rule == {"from": "body", "parse": ["json"], "pick": "sfdz"}


@pytest.mark.parametrize(
    ("x", "y", "crs", "axes"),
    [
        ("118.3762", "31.3341", "EPSG:4490", ("lng", "lat")),
        ("31.3341", "118.3762", "EPSG:4490", ("lat", "lng")),
        (630978.327, 3468834.873, "EPSG:4548", ("lng", "lat")),
    ],
)
def test_the_size_of_coordinates_tells_degrees_from_metres_and_swapped_axes(
    x: object, y: object, crs: str, axes: tuple[str, str]
) -> None:
    scaffolded = made(EVENT | {"lng": x, "lat": y})

    system = scaffolded.files["system.yaml"].decode()
    assert yaml.safe_load(system)["crs"] == crs
    assert "ask" in next(line for line in system.splitlines() if line.startswith("crs:"))
    place = message(scaffolded)["report"]["coordinate"]
    assert (place["x"]["from"], place["y"]["from"]) == axes


def test_coordinates_that_can_be_neither_are_left_out_and_two_in_one_text_are_split() -> None:
    assert "coordinate" not in message(made(EVENT | {"lng": "0", "lat": "0"}))["report"]
    one = {key: value for key, value in EVENT.items() if key not in {"lng", "lat"}} | {"zb": "118.3762,31.3341"}
    assert message(made(one))["report"]["coordinate"]["y"]["from"] == "zb"


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("2026-05-20 08:01:02", "yyyy-MM-dd HH:mm:ss"), ("2026/5/20 8:1:2", "yyyy/M/d H:m:s"),
        ("20260520080102", "yyyyMMddHHmmss"), ("1779235200000", "epoch_ms"), ("1779235200", "epoch_s"),
        ("2026-05-20T08:01:02+08:00", "iso"), ("20260520T000102Z", "iso"), ("2026-05-20", "yyyy-MM-dd"),
        ("20260520", "yyyyMMdd"), ("2026年5月20日", "yyyy'年'M'月'd'日'"), ("30260520", None), ("5", None),
    ],
)  # fmt: skip
def test_the_way_a_time_is_written_is_detected(text: str, pattern: str | None) -> None:
    early, late = datetime(2001, 1, 1, tzinfo=SHANGHAI), datetime(2030, 1, 1, tzinfo=SHANGHAI)

    assert time_of([text], early, late) == pattern


def test_codes_are_listed_as_not_yet_decided_with_the_name_beside_them() -> None:
    scaffolded = made(
        {"rows": [EVENT | {"eventId": "a"}, EVENT | {"eventId": "b", "sjlxdm": "0105", "sjlxmc": "井盖"}]}
    )

    assert found(scaffolded)["class"] == "sjlxdm"
    rows = scaffolded.files["codes/classes.csv"].decode().splitlines()
    assert rows[1:] == ["local,canonical,title", "0401,text only,路灯", "0105,text only,井盖"]
    schema = json.loads(scaffolded.files["contract/record.schema.json"])
    assert "enum" not in json.dumps(schema)  # an unknown code must be set aside and healed, never refused
    assert schema["required"] == ["eventId"]
    assert schema["properties"]["sqnr"]["maxLength"] >= 4 * len(EVENT["sqnr"])


def test_no_person_is_left_in_the_sample_unless_it_is_kept() -> None:
    scaffolded = made(EVENT)
    for content in scaffolded.files.values():
        assert "赵小明" not in content.decode()
        assert "13912345678" not in content.decode()
        assert "13712345678" not in content.decode()
    sample = json.loads(scaffolded.files[scaffolded.sample])
    assert (sample["lxr"], sample["lxdh"]) == ("示例市民", "13800000000")
    assert sample["sqnr"] == "示例市民反映示例路口路灯不亮，电话13800000000"
    assert any("replaced" in warning for warning in scaffolded.warnings)

    kept = made(EVENT, keep=True)
    assert json.loads(kept.files[kept.sample]) == EVENT
    assert any("personal data" in warning for warning in kept.warnings)


def test_persons_are_found_in_escaped_json_forms_and_workbooks() -> None:
    escaped = scaffold("p", "a.json", json.dumps(EVENT).encode(), now=NOW)
    form = urlencode({key: str(value) for key, value in EVENT.items()})
    request = f"POST /x HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nToken: t\r\n\r\n{form}"
    posted = scaffold("p", "a.http", request.encode(), now=NOW)
    book = openpyxl.Workbook()
    assert book.active is not None
    for cells in (list(EVENT), list(EVENT.values())):
        book.active.append(cells)
    written = io.BytesIO()
    book.save(written)
    sheet = scaffold("p", "a.xlsx", written.getvalue(), now=NOW)

    assert json.loads(escaped.files[escaped.sample])["lxr"] == "示例市民"
    assert urlencode({"lxr": "示例市民"}).encode() in posted.files[posted.sample]
    assert urlencode({"lxr": "赵小明"}).encode() not in posted.files[posted.sample]
    assert "header: Token" in posted.files["system.yaml"].decode() or "header: token" in (
        posted.files["system.yaml"].decode()
    )
    [row] = open_sample("a.xlsx", sheet.files[sheet.sample]).records
    assert (row["lxr"], row["lxdh"]) == ("示例市民", "13800000000")


def test_a_csv_in_chinese_charset_with_semicolons_is_a_drop_of_files() -> None:
    data = (
        "编号;问题描述;上报时间;联系电话\r\n1;井盖;2026-05-20 08:01:02;13912345678\r\n2;路灯;2026-05-20 09:00:00;\r\n"
    )
    scaffolded = scaffold("p", "ledger.csv", data.encode("gb18030"), now=NOW)

    system = yaml.safe_load(scaffolded.files["system.yaml"])
    [step] = system["receivers"]["files"]["shape"]
    assert step == {"csv": {"delimiter": ";", "charset": "gb18030"}}
    assert (system["charset"], system["receivers"]["files"]["items"]) == ("gb18030", ".")
    assert found(scaffolded)["external_id"] == "编号"


def test_an_id_is_what_differs_in_every_record_else_the_whole_is_digested() -> None:
    same = {"rows": [EVENT | {"eventId": "x", "gdbh": "g"}] * 2}

    assert message(made(same))["external_id"] == {"from": ".", "digest": "md5"}
    assert any("no id" in warning for warning in made(same).warnings)


def test_a_field_called_name_is_a_persons_only_when_it_reads_like_one() -> None:
    opened = open_sample("a.json", json.dumps({"id": 1, "name": "赵小明", "nr": "x"}).encode())
    other = open_sample("a.json", json.dumps({"id": 1, "name": "示例路口路灯不亮", "nr": "x"}).encode())

    assert (guesses(opened, NOW)["name"].leaf.path, "title" in guesses(opened, NOW)) == ("name", False)
    assert (guesses(other, NOW)["title"].leaf.path, "name" in guesses(other, NOW)) == ("name", False)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"{"),
        ("a.json", b"[1, 2]"),
        ("a.xml", b"<a"),
        ("a.doc", b"x"),
        ("a.json", b"\xff\xff"),
        ("a.xlsx", b"PK"),
    ],
)
def test_what_gives_nothing_to_begin_with_is_said(name: str, data: bytes) -> None:
    with pytest.raises((Misconfigured, Unacceptable)):
        scaffold("p", name, data, now=NOW)


# --- WSDL ---

LETTERS = Path(adapters.__file__).parent / "urban_management" / "contract" / "letters.wsdl"
STATUS = Path(adapters.__file__).parent / "urban_management" / "contract" / "hub_status.wsdl"


def test_every_operation_of_a_wsdl_becomes_a_message_with_its_arguments_in_order() -> None:
    files = wsdl_scaffold("p", "letters.wsdl", LETTERS.read_bytes(), role="owner", serve=False).files

    [name] = [name for name in files if name.startswith("messages/")]
    declared = yaml.safe_load(files[name])
    assert list(declared["body"]) == ["ValidateData", "ParasXml"]
    assert declared["path"] == "/WebBuilderMobileService/Service.asmx#LDXX_PostLeaderDetail"
    assert yaml.safe_load(files["system.yaml"])["connector"]["wsdl"] == {
        "/WebBuilderMobileService/Service.asmx": "letters.wsdl"
    }


@pytest.mark.parametrize(("file", "serve"), [(LETTERS, False), (STATUS, True)], ids=["we call", "they call"])
def test_a_folder_from_a_wsdl_has_no_finding(file: Path, serve: bool, tmp_path: Path) -> None:
    made = wsdl_scaffold("p", file.name, file.read_bytes(), role="owner", serve=serve)
    for name, content in made.files.items():
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    assert [str(one) for one in adapters.check(tmp_path / "p")] == []


def test_what_is_no_wsdl_is_said() -> None:
    for data in (b"<a/>", b"<a", b""):
        with pytest.raises(Misconfigured):
            wsdl_scaffold("p", "a.wsdl", data, role="owner", serve=False)


def test_a_text_that_holds_a_document_is_no_description_for_persons_stand_in_it() -> None:
    inside = "<yh><bh>YH0001</bh><what>工地围挡倾斜，压住人行道</what><lxr>赵小明</lxr><lxdh>13912345678</lxdh></yh>"
    report = message(made({"bizCode": "YH01", "payload": inside}))["report"]
    assert report["description"] == {"from": "payload", "parse": ["xml"], "pick": "yh.what"}


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("alarmId", "A-778", "external_id"),
        ("类型代码", "JG01", "class"),
        ("类别代码", "JG01", "class"),
        ("说明", "工地围挡倾斜", "description"),
    ],
)
def test_names_in_alarms_and_exchange_tables_are_known(name: str, value: str, meant: str) -> None:
    assert found(made({name: value}))[meant] == name


def test_whoever_speaks_soap_or_xml_is_answered_so(tmp_path: Path) -> None:
    event = "<eventId>E-1</eventId><title>路灯不亮</title><address>示例路1号</address>"
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<t:submitEvent xmlns:t="urn:example:events">{event}</t:submitEvent></s:Body></s:Envelope>'
    )
    spoken = {}
    stored = f"POST /ws HTTP/1.1\r\ncontent-type: text/xml\r\n\r\n{envelope}"
    assert b"format: soap" in scaffold("stored", "one.http", stored.encode(), now=NOW).files["system.yaml"]
    for name, text in {"soap": envelope, "xml": f"<event>{event}</event>"}.items():
        folder = tmp_path / name
        for path, content in scaffold(name, "one.xml", text.encode(), now=NOW).files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        reply = yaml.safe_load((folder / "system.yaml").read_text(encoding="utf-8"))["doors"]["push"]["reply"]
        spoken[name] = {key: reply.get(key) for key in ("format", "namespace", "element")}
        system = adapters.load(folder, {"token": "demo"})
        pushed = Message(system=name, body=text.encode(), at=NOW, id=UUID(int=1), content_type="text/xml", door="push")
        answer = system.reply(pushed, Outcome(Verdict.CASE, case_no="1")).body.decode()
        assert "<message>成功</message>" in answer

    assert spoken == {
        "soap": {"format": "soap", "namespace": "urn:example:events", "element": "submitEventResponse"},
        "xml": {"format": "xml", "namespace": None, "element": "response"},
    }
