"""What `check` says of samples: where they differ, with both values, and which of their keys nobody reads."""

import json
import shutil
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

import adapters

SHIPPED = adapters.shipped()
HOTLINE = SHIPPED["hotline_12345"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a shipped folder that may be spoilt."""
    return Path(shutil.copytree(HOTLINE, tmp_path / "hotline"))


def outbound(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A sample of what is written to a case's place by its body."""
    for path in sorted(folder.glob("samples/*.out.json")):
        golden = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(golden.get("body"), dict) and "given" in golden:
            return path, golden
    raise AssertionError("no sample of a written body")


def told(folder: Path) -> list[str]:
    return [str(finding) for finding in adapters.check(folder)]


def kept(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def test_another_path_is_told_with_what_is_expected_and_what_is_written(folder: Path) -> None:
    path, golden = outbound(folder)
    kept(path, golden | {"path": "/elsewhere"})

    assert told(folder) == [f'samples/{path.name}: error: path: expected "/elsewhere", is "{golden["path"]}"']


def test_another_body_is_told_member_by_member_and_cut(folder: Path) -> None:
    path, golden = outbound(folder)
    name = next(key for key, value in golden["body"].items() if isinstance(value, str))
    kept(path, golden | {"body": golden["body"] | {name: "长" * 200, "unheard_of": 1}})

    found = told(folder)

    assert [line.split(": ")[2] for line in found] == [f"body.{name}", "body.unheard_of"]
    assert f'expected "{"长" * 78}…, is ' in found[0]
    assert found[1].endswith("expected 1, is nothing")


def test_a_reading_that_differs_is_told_with_both_values_for_the_first_few_places(folder: Path) -> None:
    path, reading = next(
        (path, readings[0])
        for path in sorted(folder.glob("samples/*.reading.json"))
        if len(readings := json.loads(path.read_text(encoding="utf-8"))) == 1 and "report" in readings[0]
    )
    strange = {
        "title": "甲",
        "description": "乙",
        "address": "丙",
        "given_area": "丁",
        "channel": "戊",
        "opinion": "己",
    }
    kept(path, [reading | {"external_id": "X-1", "report": reading["report"] | strange}])

    found = told(folder)

    assert any('external_id: reading 1: expected "X-1", is ' in line for line in found)
    assert len(found) == 6
    assert any(line.endswith("reading 1: 2 more places are not as expected") for line in found)


@pytest.mark.parametrize(
    ("where", "key", "hint"),
    [
        ("given", "source", "did you mean 'source_binding'?"), ("given", "unitname", "did you mean 'unit_name'?"),
        ("", "bodyy", "did you mean 'body'?"), ("", "query", "known: "),
    ],
)  # fmt: skip
def test_a_key_of_an_outbound_sample_that_nobody_reads_is_a_finding(
    folder: Path, where: str, key: str, hint: str
) -> None:
    path, golden = outbound(folder)
    place = golden[where] if where else golden
    place[key] = {}
    kept(path, golden)

    [finding] = told(folder)

    assert f"samples/{path.name}: error: {where + '.' if where else ''}{key}: no such key; " in finding
    assert hint in finding


def test_a_key_around_a_sample_that_nobody_reads_is_a_finding(folder: Path) -> None:
    sample = next(path for path in sorted(folder.glob("samples/*.in.*")))
    beside = sample.with_name(sample.name.split(".in.")[0] + ".around.json")
    around = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    kept(beside, around | {"header": {"a": "b"}})

    assert told(folder) == [f"samples/{beside.name}: error: header: no such key; did you mean 'headers'?"]


@pytest.mark.parametrize("missing", ["path", "message", "given"])
def test_an_outbound_sample_without_what_it_needs_says_so(folder: Path, missing: str) -> None:
    path, golden = outbound(folder)
    del golden[missing]
    kept(path, golden)

    assert told(folder) == [f"samples/{path.name}: error: {missing}: is missing"]


@pytest.mark.parametrize("broken", [[], {"given": []}, {"names": 1}, {"headers": []}])
def test_a_sample_of_another_kind_is_a_finding_and_no_crash(folder: Path, broken: Any) -> None:
    path, golden = outbound(folder)
    kept(path, golden | broken if isinstance(broken, dict) else broken)

    assert any("an object is expected" in line for line in told(folder))


SMALL = {
    "system.yaml": """\
title: 样板平台
edition: "1"
roles: [source, owner]
secrets: {key: {title: 密钥}}
connector: {protocol: http}
doors:
  d:
    shape: [json]
    authenticate: {header: x-key, secret: key}
    messages: [m]
    reply: {format: json, rows: [{body: {code: 0}}]}
answers:
  plain: {shape: [json], rows: [{when: {ret: ANSWER}, then: accepted}]}
tells: {owner: {dispatch: told}, both: {dispatch: told}}
""",
    "messages/m.yaml": """\
direction: in
title: 上报
contract: any.schema.json
when: {kind: WHEN}
external_id: id
report: {title: {from: t, RULE: {kind: TEST}}}
""",
    "messages/told.yaml": """\
direction: out
title: 派遣
repeat: safe
path: /told
answer: plain
body: {a: b}
""",
    "contract/any.schema.json": '{"additionalProperties": true}',
}


def small(folder: Path, **given: str) -> Path:
    """A small folder with some places of its conditions filled."""
    places = {"ANSWER": '"0"', "WHEN": '"0"', "RULE": "if", "TEST": '"0"'} | given
    for name, text in SMALL.items():
        path = folder / "sample" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        filled = reduce(lambda made, pair: made.replace(*pair), places.items(), text)
        path.write_text(filled, encoding="utf-8")
    return folder / "sample"


@pytest.mark.parametrize("asterisk", ['"*"', '["0", "*"]'])
@pytest.mark.parametrize(
    ("given", "file"),
    [
        ({"ANSWER": "?"}, "system.yaml:13: error: answers.plain.rows.0.when.ret: "),
        ({"WHEN": "?"}, "messages/m.yaml:4: error: when.kind: "),
        ({"TEST": "?"}, "messages/m.yaml:6: error: report.title.if.kind: "),
        ({"RULE": "unless", "TEST": "?"}, "messages/m.yaml:6: error: report.title.unless.kind: "),
    ],
)
def test_an_asterisk_in_a_condition_is_told_to_be_no_wildcard(
    tmp_path: Path, asterisk: str, given: dict[str, str], file: str
) -> None:
    assert told(small(tmp_path)) == []

    [finding] = told(small(tmp_path, **{place: text.replace("?", asterisk) for place, text in given.items()}))

    assert finding.startswith(file)
    assert 'for any value write {present: "yes"}' in finding
