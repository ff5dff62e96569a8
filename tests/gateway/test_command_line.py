"""The command line as its users meet it: help, exit codes, JSON, findings with file and line."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner

import adapters
from gateway.cli.main import app
from gateway.settings import example_city
from tests.gateway.outside import begun, environment, gridhub, push, ticket, typed
from tests.gateway.running import ENVIRONMENT, HubUnderTest

HOTLINE = "hotline_12345"
CONTRACTS = Path(__file__).parents[2].parent / "shared" / "contracts"
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("GRIDHUB_")}
"""The environment without anything about a hub."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group, as it is typed."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_explains_itself_in_eighty_columns(path: tuple[str, ...]) -> None:
    result = CliRunner(env={"COLUMNS": "80", "TERM": "dumb"}).invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "Usage:" in result.stdout
    assert len(" ".join(lines).split()) > 12
    assert max(map(cell_len, lines)) <= 80
    assert "…" not in result.stdout  # no option's name is cut short


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example city that a test may change."""
    copied = tmp_path / "config"
    shutil.copytree(example_city(), copied)
    return copied


def changed(file: Path, old: str, new: str) -> int:
    """Put `new` for `old`, which stands there once; the number of its line."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def checked(folder: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and findings of `gridhub check`."""
    result = CliRunner(env=ENVIRONMENT).invoke(app, ["check", str(folder), "--json", *options])
    return result.exit_code, json.loads(result.stdout)["findings"]


# --- findings ---


def test_the_example_city_has_no_finding_when_its_variables_are_set(folder: Path) -> None:
    assert checked(folder, "--strict") == (0, [])


FAULTS = (
    # file, what stands there, what is written instead, file as named, finding
    ("responsibility.csv", "R018,30428.2:P01-37,3402,always,3402-lighting,", "R018,30428.2:P01-37,3402,always,nobody,",
     "responsibility.csv", "'nobody' is no unit of units.csv"),
    ("responsibility.csv", "R020,30428.2:P02-04,", "R920,30428.2:P01-39,3402,always,3402-gas,2026-01-01,,x\nR020,30428.2:P02-04,",  # noqa: E501
     "responsibility.csv", "R019 (line 24) and R920 give the same work"),
    ("catalogue/standards.csv", "01/1,30428.2:P01-01,", "01/1,30428.2:P01-99,",
     "standards.csv", "30428.2:P01-99 is not in classes.csv"),
    ("units.csv", "消防救援支队,city,3402,3402-command,", "消防救援支队,city,3402,3402-command,fire_brigade",
     "units.csv", "'fire_brigade' is not a declared system"),
    ("systems.yaml", "every: 60s", "every: soon", "systems.yaml", "valid number"),
    ("line/messages/sign.yaml", "repeat: guarded", "repeat: perhaps", "line/messages/sign.yaml", "'guarded'"),
    ("line/codes/accord_types.csv", "0401,30428.2:P01-37,", "0401,30428:P01-37,",
     "line/codes/accord_types.csv", "'30428:P01-37' is not a class code"),
)  # fmt: skip


def test_check_names_every_planted_fault_at_once_with_its_file_and_line(folder: Path) -> None:
    shutil.copytree(Path(adapters.__file__).parent / HOTLINE, folder / "line")
    changed(folder / "systems.yaml", "adapter: hotline_12345", "adapter: line")
    lines = [changed(folder / file, old, new) for file, old, new, *_ in FAULTS]

    code, findings = checked(folder)

    assert code == 1
    found = {(one["file"], one["line"]): one["text"] for one in findings if one["severity"] == "error"}
    for line, (_, _, _, file, text) in zip(lines, FAULTS, strict=True):
        assert text in found[file, line], (file, line, found)


def test_check_names_classes_that_nobody_answers_for(folder: Path) -> None:
    changed(folder / "responsibility.csv", "R120,local:E96-*,", "R120,local:E96-01,")
    code, findings = checked(folder)
    assert code == 0  # allowed: such cases wait visibly in the centre's queue
    assert [one["text"].partition(":")[2].split()[0] for one in findings] == ["E96-02", "E96-03"]
    assert checked(folder, "--strict")[0] == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "text"),
    [
        ("city.yaml", "work_day: hours", "work_day: days", 11, "'hours' or 'end_of_day'"),
        ("city.yaml", "check: centre", "chekc: centre", 35, "Extra inputs are not permitted"),
        ("systems.yaml", "every: 60s", "every: [60s", 13, "not YAML"),
        ("systems.yaml", "every: 60s", "every: &again {minutes: *again}", 12, "valid number"),
    ],
)
def test_check_names_the_line_of_what_is_wrong_in_a_yaml_file(
    folder: Path, file: str, old: str, new: str, line: int, text: str
) -> None:
    changed(folder / file, old, new)
    code, findings = checked(folder)
    assert code == 1
    assert any(one["line"] == line and text in one["text"] for one in findings if one["file"] == file), findings[:3]


def test_a_variable_that_breaks_the_yaml_is_the_one_finding_and_says_how_it_is_written(folder: Path) -> None:
    with (folder / "systems.yaml").open("a", encoding="utf-8") as file:
        file.write("\nwater:\n  adapter: hotline_12345\n  secrets: {token: ${WATER_TOKEN}}\n")

    code, findings = checked(folder)

    assert code == 1
    assert [one["file"] for one in findings if one["severity"] == "error"] == ["systems.yaml"]
    assert 'in quotes: "${NAME}"' in next(one["text"] for one in findings if one["file"] == "systems.yaml")


@pytest.mark.parametrize(("last", "said"), [("2026", "to the end of 2025"), ("20", "for no year")])
def test_check_says_until_when_the_calendar_goes(folder: Path, last: str, said: str) -> None:
    path = folder / "calendar" / "holidays.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith(last)), encoding="utf-8")

    result = CliRunner(env=ENVIRONMENT | {"COLUMNS": "200"}).invoke(app, ["check", str(folder)])

    assert f"{said}; due times behind it are provisional" in result.stdout


@pytest.mark.parametrize("file", ["city.yaml", "systems.yaml", "responsibility.csv", "grids/unit-grids.geojson"])
def test_check_names_a_file_that_is_empty(folder: Path, file: str) -> None:
    (folder / file).write_bytes(b"")
    code, findings = checked(folder)
    assert code == 1
    assert any(one["file"].endswith(Path(file).name) and one["severity"] == "error" for one in findings)


@pytest.mark.parametrize("file", ["units.csv", "systems.yaml", "calendar/holidays.csv", "grids/districts.geojson"])
def test_check_names_a_file_that_is_missing(folder: Path, file: str) -> None:
    (folder / file).unlink()
    code, findings = checked(folder)
    assert code == 1
    assert any(one["file"].endswith(Path(file).name) and one["text"].startswith("missing") for one in findings), (
        findings[:3]
    )


def test_a_variable_that_is_not_set_is_told_by_check_and_stops_whoever_needs_it(folder: Path) -> None:
    given = {name: value for name, value in (PLAIN | ENVIRONMENT).items() if name != "GRID_TOKEN"}
    told = typed(given, "check", str(folder))
    assert told.returncode == 0
    assert "systems.yaml:16" in told.stdout
    assert "GRID_TOKEN is not set" in told.stdout
    assert typed(given, "check", str(folder), "--strict").returncode == 1
    stopped = typed(given, "serve", "--config", str(folder))
    assert stopped.returncode == 3
    assert "GRID_TOKEN is not set" in stopped.stderr


# --- exit codes and JSON ---


def test_exit_codes_say_what_kind_of_trouble_it_is(tmp_path: Path) -> None:
    nowhere = PLAIN | ENVIRONMENT | {"GRIDHUB_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"}
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"{")
    expected = {
        ("schema", "case"): 0,
        ("read", HOTLINE, str(broken)): 1,
        ("read", "--no-such-option"): 2,
        ("read", HOTLINE, str(tmp_path / "missing.json")): 2,
        ("read", "no_such_system", str(broken)): 3,
        ("check", str(tmp_path)): 3,
        ("case", "list"): 4,
    }
    results = {arguments: typed(nowhere, *arguments) for arguments in expected}
    assert {arguments: result.returncode for arguments, result in results.items()} == expected
    assert not [result.stderr for result in results.values() if "Traceback" in result.stderr]
    assert "127.0.0.1" not in results["case", "list"].stderr  # an address may hold a password


def test_json_stands_alone_on_standard_output_and_masks_the_citizen(hub: HubUnderTest) -> None:
    number = push(hub, "shown")
    commands = {
        ("case", "show", number, "--json"): dict, ("case", "list", "--json"): list, ("journal", "list", "--json"): list,
        ("parked", "list", "--json"): list, ("journal", "replay", "--json"): dict, ("schema",): dict,
        ("check", "--json"): dict,
    }  # fmt: skip
    for arguments, kind in commands.items():
        result = CliRunner(env=environment(hub)).invoke(app, list(arguments))
        assert result.exit_code == 0, result.stderr
        assert isinstance(json.loads(result.stdout), kind)
        assert "13800000001" not in result.stdout + result.stderr
        assert "张某某" not in result.stdout + result.stderr
    plain = gridhub(hub, "case", "show", number)
    assert (number in plain.stdout, "13800000001" in plain.stdout) == (True, False)
    assert gridhub(hub, "case", "show", "0000").returncode == 5
    assert gridhub(hub, "journal", "show", "00000000-0000-0000-0000-000000000000").returncode == 5


# --- reading ---

READ: dict[str, tuple[str, str, list[dict[str, object]]]] = {
    "hotline-12345-cns/samples/01_dispatch_push.http": (HOTLINE, "task", [{
        "external_id": "5b7c2f10-3d6e-4a51-9f0e-0c2a91d7e001", "class_code": "30428.2:P01-37", "given_class": "0401",
        "reported_at": "2026-03-16T09:12:33+08:00", "phone": "13800000001", "attachments": 2, "area": "340202",
        "due": "2026-03-23T09:40:00+08:00", "method": "area_code", "urgency": None}]),
    "hotline-12345-cns/samples/02_dispatch_push_secret_urgent.params.json": (HOTLINE, "task", [{
        "external_id": "5b7c2f10-3d6e-4a51-9f0e-0c2a91d7e002", "withheld": True, "phone": None, "urgency": "urgent",
        "due": "2026-03-17T10:00:00+08:00"}]),  # 19:01 and two working hours: the next morning
    "hotline-12345-cns/samples/03_dispatch_push_assist_same_serial.params.json": (HOTLINE, "task", [{
        "external_id": "5b7c2f10-3d6e-4a51-9f0e-0c2a91d7e003", "attachments": 0}]),
    "social-governance-snapshot-rest/samples/02_event_record.json": ("social_governance", "record", [{
        "external_id": "48213", "class_code": "30428.2:E01-11", "lon": 118.3762, "lat": 31.3341, "crs": "EPSG:4490",
        "reported_at": "2026-03-16T09:12:33+08:00", "name": "王某某", "attachments": 2, "method": "coordinate"}]),
    "urban-mgmt-asmx-soap/samples/01_pull_response.xml": ("urban_management", "case", [{
        "external_id": "cg-2f6b7c1e-0001", "class_code": "30428.2:E04-06", "crs": "EPSG:4548", "lon": 118.3762,
        "lat": 31.3341, "due": "2026-03-16T10:31:07+08:00", "attachments": 1}, {
        "external_id": "cg-2f6b7c1e-0002", "class_code": "30428.2:P01-02", "urgency": "urgent", "lon": 118.3829,
        "lat": 31.3476, "due": None}]),
    "urban-mgmt-asmx-soap/samples/02_status_callback_request.xml": ("urban_management", "status_change", [{
        "external_id": "cg-2f6b7c1e-0001", "given": "E", "reason": "经核实为重复案件，予以作废"}]),
}  # fmt: skip


def facts(reading: dict[str, Any]) -> dict[str, object]:
    """The facts of a shown reading under short names."""
    report, place, action = reading.get("report", {}), reading.get("place", {}), reading.get("action", {})
    reporter, due = report.get("reporter", {}), reading.get("source_due") or {}
    return {
        "external_id": reading["external_id"], "class_code": report.get("class_code"), "name": reporter.get("name"),
        "given_class": report.get("given_class"), "reported_at": report.get("reported_at"), "due": due.get("at"),
        "phone": reporter.get("phone"), "withheld": reporter.get("withheld"), "urgency": report.get("urgency"),
        "attachments": len(report.get("attachments", [])), "area": place.get("area"), "method": place.get("method"),
        "crs": place.get("raw", {}).get("crs"), "lon": place.get("lon") and round(place["lon"], 6),
        "lat": place.get("lat") and round(place["lat"], 6), "given": action.get("given"),
        "reason": action.get("reason"),
    }  # fmt: skip


@pytest.mark.parametrize("sample", READ)
def test_read_shows_the_facts_of_a_shared_sample(sample: str) -> None:
    if not CONTRACTS.is_dir():
        pytest.skip("the reference contracts are not beside this checkout")
    system, kind, wanted = READ[sample]
    result = CliRunner(env=ENVIRONMENT).invoke(app, ["read", system, str(CONTRACTS / sample), "--json"])
    readings = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {reading["kind"] for reading in readings} == {kind}
    for reading, expected in zip(readings, wanted, strict=True):
        shown = facts(reading)
        assert {name: shown[name] for name in expected} == expected


def test_read_says_what_is_wrong_with_a_message_without_quoting_the_citizen(tmp_path: Path) -> None:
    body = json.loads((Path(adapters.__file__).parent / HOTLINE / "samples" / "tasks.manhole.in.json").read_bytes())
    body["params"] |= {"rqstTime": "yesterday", "rqstPerson": "赵某某", "linkNumber": "13800000077"}
    file = tmp_path / "ticket.json"
    file.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    result = CliRunner(env=ENVIRONMENT).invoke(app, ["read", HOTLINE, str(file), "--json"])
    [found] = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["why"], found["at"]) == ("contract", "rqstTime")
    assert "13800000077" not in result.stdout


# --- healing ---


def test_replay_heals_a_quarantined_message_after_its_code_was_added_to_the_table(
    hub: HubUnderTest, folder: Path
) -> None:
    made = ticket("healed", ("9999", "340202"))
    answer = hub.client.post(made.url.path, content=made.content, headers=made.headers).json()
    assert (answer["status"]["code"], answer["custom"]["code"]) == ("200", "0")
    [row] = hub.get("/api/journal", verdict="quarantined")["items"]
    assert row["external_id"] == "t-healed"
    assert hub.counts() == {"message": 1, "cases": 0, "event": 0, "binding": 0, "delivery": 0}
    still = gridhub(hub, "journal", "replay", "--json")
    assert json.loads(still.stdout) == {"quarantined": 1, "healed": 0, "still quarantined": 1}

    shutil.copytree(Path(adapters.__file__).parent / HOTLINE, folder / "line")
    changed(folder / "systems.yaml", "adapter: hotline_12345", "adapter: line")
    changed(
        folder / "line" / "codes" / "accord_types.csv",
        "1999,local:E98-04,其他",
        "1999,local:E98-04,其他\n9999,30428.2:P01-37,路灯",
    )
    healed = gridhub(hub, "journal", "replay", "--config", str(folder), "--json")
    assert json.loads(healed.stdout) == {"quarantined": 1, "healed": 1, "still quarantined": 0}

    case = hub.case("t-healed")
    assert case["class_code"] == "30428.2:P01-37"
    assert case["stage"] == "dispatched"
    assert hub.counts()["message"] == 1  # its own row took the new verdict
    assert hub.orphans() == dict.fromkeys(hub.orphans(), 0)
    assert hub.summary()["balance"]["holds"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder that every account may pass through, as PostgreSQL needs when it leaves root."""
    made = tempfile.mkdtemp(prefix="gridhub-test-")
    Path(made).chmod(0o755)
    yield Path(made)
    shutil.rmtree(made)


@pytest.mark.slow
def test_the_demonstration_balances_and_leaves_nothing_behind(open_folder: Path) -> None:
    given = PLAIN | {"TMPDIR": str(open_folder)}
    result = begun(given, "demo", "--minutes", "0.1", "--rate", "120", "--json", seconds=120)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["balance"]["holds"]
    assert summary["reports"]["in"] >= 5
    assert summary["messages"]["acknowledged"] > 0
    assert list(open_folder.iterdir()) == []
