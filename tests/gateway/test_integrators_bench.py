"""The integrator's bench over real command lines: try a file, check a folder, add a code, see drift, begin a system."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

import adapters
from gateway.cli.main import app
from gateway.settings import example_city
from tests.gateway.outside import environment, ticket
from tests.gateway.running import ENVIRONMENT, HubUnderTest

HOTLINE = Path(adapters.__file__).parent / "hotline_12345"
MANHOLE = HOTLINE / "samples" / "tasks.manhole.in.json"


def ran(*arguments: str, code: int = 0, given: dict[str, str] | None = None) -> str:
    """What a command prints; it must end with `code`."""
    result = CliRunner(env=(given or ENVIRONMENT) | {"TERM": "dumb"}).invoke(app, list(arguments))
    said = f"{result.stdout}{result.stderr}{result.exception or ''}"
    ended = 3 if type(result.exception).__name__ == "Misconfigured" else result.exit_code
    assert ended == code, said
    return result.stdout if code == 0 else said


def tried(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """The JSON of `gridhub try`."""
    result = CliRunner(env=ENVIRONMENT).invoke(app, ["try", *arguments, "--json"])
    assert result.exit_code == code, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def changed_sample(tmp_path: Path, **params: str) -> Path:
    """The manhole's message with other members."""
    body = json.loads(MANHOLE.read_text(encoding="utf-8"))
    body["params"] |= params
    file = tmp_path / "message.json"
    file.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    return file


# --- try ---


def test_try_explains_every_field_and_what_follows() -> None:
    [told] = tried("hotline_12345", str(MANHOLE))

    fields = {one["field"]: one for one in told["fields"]}
    assert fields["report.class"]["value"] == "30428.2:P01-03"
    assert fields["report.class"]["raw"] == {"accordType": "0105"}
    assert fields["report.class"]["line"] > 1
    assert told["unused"] == {"taskTarget": "20", "taskStatus": "10"}
    assert told["next"]["place"]["area"] == "340207"
    assert told["next"]["class"] == "30428.2:P01-03 雨水井盖"
    assert told["next"]["unit"].startswith("3402")
    assert told["codes"] == []


def test_try_masks_persons_unless_told_not_to(tmp_path: Path) -> None:
    identity = "11010519491231002X"  # the worked example of the standard for such numbers
    more = {
        "somethingNew": "回拨 13800000077 或",
        "rqstContent": f"证件 {identity}，电话13800000077",
        "linkman": "赵某某",
    }
    file = str(changed_sample(tmp_path, **more))

    masked = json.dumps(tried("hotline_12345", file), ensure_ascii=False) + ran("try", "hotline_12345", file)

    for secret in ("13900000099", "13800000077", "赵某某", identity):
        assert secret not in masked
    assert "13900000099" in ran("try", "hotline_12345", file, "--plain")


def test_a_case_number_that_looks_like_an_identity_number_is_shown(tmp_path: Path) -> None:
    file = str(changed_sample(tmp_path, serialNum="340202202603160001"))

    fields = {one["field"]: one["value"] for one in tried("hotline_12345", file)[0]["fields"]}

    assert fields["visible_no"] == "340202202603160001"


def test_try_can_be_read_at_eighty_columns_without_colours_in_a_pipe() -> None:
    for arguments in (
        ("urban_management", str(HOTLINE.parent / "urban_management" / "samples" / "cases.rubble.in.json")),
        (str(HOTLINE.parent / "social_governance"),
         str(HOTLINE.parent / "social_governance" / "samples" / "records.done.in.json")),
    ):  # fmt: skip
        said = ran("try", *arguments)
        assert max(map(cell_len, said.splitlines())) <= 80
        assert "\x1b" not in said
        assert "标题" in said or "描述" in said


def test_a_code_without_a_row_is_told_with_table_and_line(tmp_path: Path) -> None:
    [told] = tried("hotline_12345", str(changed_sample(tmp_path, accordType="9999")), code=1)

    row = {"code": "9999", "table": "codes/accord_types.csv", "path": "accordType", "field": "report.class"}
    assert told["codes"] == [row]
    assert told["refusal"]["why"] == "unmapped_code"
    assert told["refusal"]["declared"] == "messages/task.yaml:12 report.class"
    assert "next" not in told


def test_a_message_that_breaks_the_contract_tells_what_is_expected_and_where(tmp_path: Path) -> None:
    [told] = tried("hotline_12345", str(changed_sample(tmp_path, serialNum="9" * 500)), code=1)

    assert (told["refusal"]["why"], told["refusal"]["at"]) == ("contract", "serialNum")
    assert "maxLength" in told["refusal"]["text"]
    assert told["refusal"]["declared"].startswith("messages/task.yaml:")
    assert "refused 拒收 (contract)" in ran("try", "hotline_12345", str(tmp_path / "message.json"), code=1)


def test_only_the_status_that_came_is_explained() -> None:
    sample = HOTLINE.parent / "urban_management" / "samples" / "status.finished.in.xml"

    fields = {one["field"] for one in tried("urban_management", str(sample))[0]["fields"]}

    assert "action.steps.F.result" in fields
    assert not [field for field in fields if field.startswith("action.steps.") and ".F." not in field]


def test_what_is_no_system_and_no_folder_is_said(tmp_path: Path) -> None:
    assert "neither a folder" in ran("try", str(tmp_path), str(MANHOLE), code=3)


# --- check ---

GUARD = """
import sys
def guard(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"}:
        raise RuntimeError("the network was reached: " + event)
sys.addaudithook(guard)
if sys.argv[1] == "plant":
    import socket
    socket.create_connection(("127.0.0.1", 9))
from gateway.cli import main
main()
"""


def guarded(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own that dies when it touches the network."""
    return subprocess.run(
        [sys.executable, "-c", GUARD, *arguments], env=os.environ | ENVIRONMENT, capture_output=True, text=True,
        timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_one_systems_folder_is_checked_without_network(tmp_path: Path) -> None:
    folder = tmp_path / "line"
    shutil.copytree(HOTLINE, folder)
    good = guarded("check", str(folder))
    assert (good.returncode, "0 errors" in good.stdout) == (0, True), good.stderr

    golden = folder / "samples" / "tasks.manhole.reading.json"
    golden.write_text(golden.read_text(encoding="utf-8").replace("井盖松动", "井盖丢失", 1), encoding="utf-8")
    table = folder / "codes" / "accord_types.csv"
    table.write_text(table.read_text(encoding="utf-8") + "0401,30428.2:P01-37,又一行\n", encoding="utf-8")
    bad = guarded("check", str(folder), "--json")
    found = {one["file"] for one in json.loads(bad.stdout)["findings"]}
    assert bad.returncode == 1
    assert "codes/accord_types.csv" in found

    assert "the network was reached" in guarded("plant").stderr  # else the guard guards nothing


def test_a_folder_that_is_neither_city_nor_system_is_wrong_configuration(tmp_path: Path) -> None:
    assert ran("check", str(tmp_path), code=3)


# --- codes ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example city with a hotline folder of its own."""
    copied = tmp_path / "config"
    shutil.copytree(example_city(), copied)
    shutil.copytree(HOTLINE, copied / "hotline_12345")
    return copied


def add(folder: Path, *arguments: str, code: int = 0) -> str:
    """Type `gridhub codes add` in that city."""
    return ran("codes", "add", "hotline_12345", *arguments, "--config", str(folder), code=code)


def test_a_row_is_appended_and_the_file_stays_as_it_was_saved(folder: Path) -> None:
    table = folder / "hotline_12345" / "codes" / "accord_types.csv"
    kept = b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n").rstrip()
    table.write_bytes(kept)

    said = add(folder, "accord_types", "9999", "30428.2:P01-37", "--title", "路灯,甲类")

    assert table.read_bytes() == kept + '\r\n9999,30428.2:P01-37,"路灯,甲类"\r\n'.encode()
    assert f"accord_types.csv:{len(kept.splitlines()) + 1}: " in said
    assert ran("check", str(folder / "hotline_12345"))


def test_a_table_for_writing_takes_the_same_words_in_its_own_order(folder: Path) -> None:
    add(folder, "request_types_out", "30", "local:E98-03", "--title", "举报")

    table = folder / "hotline_12345" / "codes" / "request_types_out.csv"
    assert table.read_text(encoding="utf-8").splitlines()[-1] == "local:E98-03,30,举报"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (("accord_types", "0105", "30428.2:P01-37"), "'0105' has a row already: 30428.2:P01-03"),
        (("accord_types", "9999", "P01-37"), "'P01-37' is not a class code"),
        (("accord_types", "#1", "30428.2:P01-37"), "would read as a remark"),
        (("accord_types", "*", "30428.2:P01-37"), "would guess"),
        (("accord_type", "9999", "30428.2:P01-37"), "there are: accord_types"),
        (("../system", "9999", "x"), "no such table"),
    ],
)
def test_what_would_make_a_table_wrong_is_refused_and_nothing_is_written(
    folder: Path, row: tuple[str, str, str], text: str
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert text in add(folder, *row, code=3)

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_shipped_folder_is_not_edited_but_copied_on_request(folder: Path) -> None:
    shutil.rmtree(folder / "hotline_12345")
    shipped = (HOTLINE / "codes" / "accord_types.csv").read_bytes()
    row = ("accord_types", "9999", "30428.2:P01-37")

    assert "--into" in add(folder, *row, code=3)
    first = json.loads(add(folder, *row, "--into", str(folder / "hotline_12345"), "--json"))
    second = json.loads(add(folder, "accord_types", "9998", "text only", "--json"))

    assert (first["copied"], first["in_use"], second["copied"]) == (True, True, False)
    assert Path(second["file"]).read_text(encoding="utf-8").splitlines()[-2:] == [
        "9999,30428.2:P01-37,", "9998,text only,",
    ]  # fmt: skip
    assert (HOTLINE / "codes" / "accord_types.csv").read_bytes() == shipped
    assert "write `adapter: line`" in add(folder, *row, "--into", str(folder / "line"), code=3) + add(
        folder, "accord_types", "9997", "text only", "--into", str(folder / "line")
    )


def test_drift_names_the_codes_without_a_row_and_an_added_row_heals_them(hub: HubUnderTest, folder: Path) -> None:
    for name, code in (("one", "9999"), ("two", "9999"), ("three", "9998"), ("four", "0401")):
        made = ticket(name, (code, "340202"))
        assert hub.client.post(made.url.path, content=made.content, headers=made.headers).status_code == 200
    given = environment(hub) | {"GRIDHUB_CONFIG": str(folder)}

    def drift() -> dict[str, Any]:
        result = CliRunner(env=given).invoke(app, ["codes", "drift", "--json"])
        found: dict[str, Any] = json.loads(result.stdout)
        assert result.exit_code == int(bool(found["missing"]))
        return found

    found = drift()
    assert [(one["code"], one["count"], one["table"]) for one in found["missing"]] == [
        ("9999", 2, "codes/accord_types.csv"), ("9998", 1, "codes/accord_types.csv"),
    ]  # fmt: skip
    assert found["missing"][0]["first"] < found["missing"][0]["last"]
    assert (found["messages"], found["unexplained"]) == (3, 0)
    shown = CliRunner(env=given | {"TERM": "dumb"}).invoke(app, ["codes", "drift"]).stdout
    assert max(len(line) for line in shown.splitlines() if str(folder) not in line) <= 80
    for secret in ("13800000001", "张某某", "反映示例问题"):
        assert secret not in shown + json.dumps(found, ensure_ascii=False)

    row = ["codes", "add", "hotline_12345", "accord_types", "9999", "30428.2:P01-37", "--replay", "--json"]
    added = json.loads(CliRunner(env=given).invoke(app, row).stdout)
    assert added["replayed"] == {"case": 2, "quarantined": 1}
    assert [one["code"] for one in drift()["missing"]] == ["9998"]
    assert hub.case("t-one")["class_code"] == "30428.2:P01-37"
    assert CliRunner(env=given).invoke(app, ["codes", "drift", "nobody"]).exit_code == 5


# --- new-system ---

EVENT = {
    "eventId": "E7", "title": "路灯不亮", "content": "赵小明反映路灯不亮，电话13912345678", "address": "示例路1号",
    "lng": "118.3762", "lat": "31.3341", "reportTime": "2026-05-20 08:01:02", "lxr": "赵小明", "phone": "13912345678",
    "level": "2", "typeCode": "0401", "attachments": [{"url": "http://a.example/1.jpg"}],
}  # fmt: skip


def begun(tmp_path: Path, name: str, sample: Path, *options: str, code: int = 0) -> str:
    """Type `gridhub new-system` into a folder of the test's own."""
    return ran("new-system", name, "--from", str(sample), "--into", str(tmp_path), *options, code=code)


def test_a_new_system_checks_and_reads_its_sample_at_once(tmp_path: Path) -> None:
    sample = tmp_path / "event.json"
    sample.write_text(json.dumps({"data": [EVENT]}, ensure_ascii=False), encoding="utf-8")

    said = begun(tmp_path, "parks", sample)

    assert "0 errors" in ran("check", str(tmp_path / "parks"), "--strict")
    [told] = tried(str(tmp_path / "parks"), str(sample))
    values = {one["field"]: one["value"] for one in told["fields"]}
    assert values["report.reported_at"] == "2026-05-20 08:01:02+08:00"
    assert values["report.address"] == "示例路1号"
    assert told["next"]["place"]["area"].startswith("3402")
    assert "必须问对方" in said
    for path in (tmp_path / "parks").rglob("*.*"):
        assert "赵小明" not in path.read_text(encoding="utf-8")
        assert "13912345678" not in path.read_text(encoding="utf-8")
    assert max(map(cell_len, said.splitlines())) <= 80 or str(tmp_path) in said


def test_a_new_system_never_touches_what_is_there(tmp_path: Path) -> None:
    sample = tmp_path / "event.json"
    sample.write_text(json.dumps(EVENT, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "parks").mkdir()

    assert "is there already" in begun(tmp_path, "parks", sample, code=3)
    assert "letters, digits and _ only" in begun(tmp_path, "../parks", sample, code=3)
    assert list((tmp_path / "parks").iterdir()) == []


def test_every_kind_of_sample_begins_a_system(tmp_path: Path) -> None:
    xml = tmp_path / "a.xml"
    xml.write_bytes(
        "<r><e><eventId>1</eventId><content>井盖</content></e><e><eventId>2</eventId></e></r>".encode("gb18030")
    )
    csv = tmp_path / "a.csv"
    csv.write_bytes("编号,问题描述,联系电话\r\n1,井盖,13912345678\r\n2,路灯,\r\n".encode("gb18030"))
    http = tmp_path / "a.http"
    http.write_bytes(
        b"POST /x HTTP/1.1\r\nContent-Type: application/json\r\ntoken: t\r\n\r\n" + json.dumps(EVENT).encode()
    )
    wsdl = HOTLINE.parent / "urban_management" / "contract" / "letters.wsdl"
    for place, (sample, readings) in enumerate(((xml, 2), (csv, 2), (http, 1), (wsdl, 0))):
        told = json.loads(begun(tmp_path, f"s{place}", sample, "--json"))
        assert "0 errors" in ran("check", told["folder"]), sample
        if readings:
            assert len(tried(told["folder"], str(sample))) == readings, sample


SHARED = sorted((Path(__file__).parents[2].parent / "shared" / "contracts").glob("*/samples/*.*"))


@pytest.mark.skipif(not SHARED, reason="the reference contracts are not beside this checkout")
def test_every_message_of_the_reference_contracts_begins_a_system_that_checks(tmp_path: Path) -> None:
    from gateway.hub import clock
    from gateway.new_system import new_system

    begun_with = 0
    for place, sample in enumerate(path for path in SHARED if path.name != "index.json" and "_resp" not in path.name):
        new_system(f"s{place}", sample, tmp_path, role="source", now=clock())  # raises when anything is wrong
        begun_with += 1
    assert begun_with >= 35


def test_read_takes_a_folder_and_a_shipped_adapter_as_try_does(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(HOTLINE, tmp_path / "mine"))

    of_a_folder = json.loads(ran("read", str(folder), str(MANHOLE), "--json"))
    of_an_adapter = json.loads(ran("read", "fire_alarms", str(MANHOLE), "--json", code=1).partition("\n]")[0] + "\n]")

    assert of_a_folder[0]["report"]["class_code"] == "30428.2:P01-03"
    assert "error" in of_an_adapter[0]
    assert "neither a folder with a system.yaml nor a system" in ran("read", "nobody", str(MANHOLE), code=3)


def test_findings_fit_into_eighty_columns_with_what_is_wrong_below_its_place(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(HOTLINE, tmp_path / "city_hotline"))
    declared = folder / "system.yaml"
    text = declared.read_text(encoding="utf-8")
    declared.write_text(text.replace("add_case", "add_cases" + "_of_a_very_long_name" * 3), encoding="utf-8")

    lines = ran("check", str(folder), code=1).splitlines()

    assert max(cell_len(line) for line in lines if str(folder) not in line) <= 80
    place = next(number for number, line in enumerate(lines) if line.endswith("error: tells.owner.dispatch:"))
    assert lines[place + 1].startswith("    no outbound message")
    assert "add_cases_of_a_very_long_name" in lines[place + 2]
