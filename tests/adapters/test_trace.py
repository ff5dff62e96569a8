"""A reading is explained field by field: where each value came from, and what of the document nobody looks at."""

import json
from pathlib import Path

import pytest

from adapters.samples import inbound_samples
from adapters.trace import paths_of, told, trace
from canonical.errors import Unacceptable
from canonical.reading import Reading
from tests.adapters.systems import FOLDERS, inbound, loaded, sample

HOTLINE = loaded(next(folder for folder in FOLDERS if folder.name == "hotline_12345"))
SAMPLES = next(folder for folder in FOLDERS if folder.name == "hotline_12345") / "samples"
TASK = next(path for path in sorted(SAMPLES.glob("tasks.*.in.json")) if "rqstTitle" in path.read_text(encoding="utf-8"))


def test_every_field_tells_its_rule_its_raw_value_and_its_value() -> None:
    [traced] = trace(HOTLINE, sample(TASK))

    assert isinstance(traced.content, Reading)
    fields = {one.field: one for one in traced.fields}
    title = fields["report.title"]
    assert title.raw == (("rqstTitle", traced.content.report.title if traced.content.report else ""),)
    assert (title.rule, title.trouble) == ("{from: rqstTitle}", "")
    assert title.line > 1
    reported = fields["report.reported_at"]
    assert isinstance(reported.raw[0][1], str)
    assert reported.value == (traced.content.report.reported_at if traced.content.report else None)


def test_what_no_rule_looks_at_is_named() -> None:
    document = json.loads(TASK.read_text(encoding="utf-8"))
    document["params"]["somethingNew"] = {"deep": [1, 2]}

    [traced] = trace(HOTLINE, inbound(json.dumps(document).encode(), door="tasks"))

    names = {place for place, _ in traced.unused}
    assert {"somethingNew.deep.0", "somethingNew.deep.1"} <= names
    assert "rqstTitle" not in names


def test_a_field_that_is_refused_says_why_and_the_others_are_shown() -> None:
    document = json.loads(TASK.read_text(encoding="utf-8"))
    document["params"]["rqstTime"] = "yesterday"

    [traced] = trace(HOTLINE, inbound(json.dumps(document).encode(), door="tasks"))

    assert isinstance(traced.content, Unacceptable)
    troubled = [one.field for one in traced.fields if one.trouble]
    assert troubled == ["report.reported_at"]


def test_what_cannot_be_opened_is_told_without_fields() -> None:
    [traced] = trace(HOTLINE, inbound(b"{", door="tasks"))

    assert isinstance(traced.content, Unacceptable)
    assert traced.fields == ()


def test_paths_are_found_in_every_corner_of_a_rule() -> None:
    node = {"of": [{"from": ["a", "b"]}, {"text": "{c.d}-{e}"}], "join": "", "if": {"f": "1"}, "default": {"from": "g"}}

    assert paths_of(node) == ("a", "b", "c.d", "e", "f", "g")
    assert told({"from": "a", "codes": {"1": "x"}}) == "{from: a, codes: {1: x}}"


def test_a_code_without_a_row_is_told_with_its_table() -> None:
    document = json.loads(TASK.read_text(encoding="utf-8"))
    document["params"]["accordType"] = "9999"

    [traced] = trace(HOTLINE, inbound(json.dumps(document).encode(), door="tasks"))

    assert isinstance(traced.content, Unacceptable)
    assert "9999" not in str(traced.content)  # the journal and the log do not need it
    [troubled] = [one for one in traced.fields if one.trouble]
    assert (troubled.code, troubled.table) == ("9999", "codes/accord_types.csv")


def test_a_status_that_no_step_knows_is_told_with_its_place() -> None:
    folder = next(folder for folder in FOLDERS if folder.name == "social_governance")
    record = json.loads((folder / "samples" / "records.done.in.json").read_text(encoding="utf-8"))

    [traced] = trace(loaded(folder), inbound(json.dumps(record | {"ES": "77"}).encode(), door="records"))

    [field] = [field for field in traced.fields if field.code]
    assert (field.field, field.code, field.table) == ("action.status", "77", "messages/record.yaml action.steps")


def test_files_and_members_of_expressions_count_as_used() -> None:
    document = json.loads(TASK.read_text(encoding="utf-8"))
    assert document["params"]["attachList"]

    [traced] = trace(HOTLINE, inbound(json.dumps(document).encode(), door="tasks"))

    assert not [place for place, _ in traced.unused if place.startswith("attachList")]
    assert paths_of({"expr": "text(doc.a.b) + doc.c.trim() + doc.d"}) == ("a.b", "c", "d")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_shipped_sample_is_explained_as_it_is_read(folder: Path) -> None:
    system = loaded(folder)
    for shipped in inbound_samples(folder):
        message = shipped.message(system.role.id)
        traced = trace(system, message)
        assert [one.content for one in traced] == system.read(message)
        assert all(one.kind and one.fields for one in traced)
        troubled = [field.field for one in traced for field in one.fields if field.trouble]
        assert [field for field in troubled if not field.startswith("action.steps.")] == []  # of other statuses
