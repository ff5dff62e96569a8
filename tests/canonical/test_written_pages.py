"""What docs/ says about the model is what the model says: written anew, the files are the same."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from typer.testing import CliRunner

from canonical.case import Action
from canonical.lifecycle import LIFECYCLE, STAGE_TITLES
from canonical.report import Report
from gateway.cli.main import app
from gateway.cli.schema import schemas
from gateway.lifecycle_page import page
from tests.canonical.values import actions, reports

VALIDATORS = {name: jsonschema.Draft202012Validator(schema) for name, schema in schemas().items()}
DOCS = Path(__file__).parents[2] / "docs"
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_the_lifecycle_page_is_the_table(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["lifecycle", "--folder", str(tmp_path)])

    assert done.exit_code == 0
    written = (tmp_path / "lifecycle.md").read_text(encoding="utf-8")
    assert written == (DOCS / "lifecycle.md").read_text(encoding="utf-8"), "write it: gridhub lifecycle --folder docs"


def test_the_lifecycle_page_without_a_folder_goes_to_standard_output() -> None:
    assert CliRunner().invoke(app, ["lifecycle"]).output == page()


def test_the_page_holds_every_action_with_its_title_and_draws_every_change_of_stage() -> None:
    text = page()

    for row in LIFECYCLE:
        assert f"| {row.action} {row.title} |" in text
        for start in row.from_ if row.to else ():
            drawn = re.search(rf"^    {start} --> {row.to}: (.*)$", text, re.MULTILINE)
            assert drawn
            assert row.title in drawn[1].split("、")
    for stage, title in STAGE_TITLES.items():
        assert f'state "{title}<br>{stage}" as {stage}' in text


def test_every_row_of_the_page_has_as_many_cells_as_its_head() -> None:
    table = [line for line in page().splitlines() if line.startswith("|")]

    assert len(table) == len(LIFECYCLE) + 2
    assert {line.count("|") for line in table} == {9}


@pytest.mark.parametrize("name", sorted(VALIDATORS))
def test_the_json_schemas_are_those_of_the_model(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["schema", "--folder", str(tmp_path)])

    assert done.exit_code == 0
    file = f"{name}.schema.json"
    written = (tmp_path / file).read_text(encoding="utf-8")
    kept = (DOCS / "schema" / file).read_text(encoding="utf-8")
    assert written == kept, "write them: gridhub schema --folder docs/schema"
    jsonschema.Draft202012Validator.check_schema(json.loads(kept))


@QUICK
@given(actions, reports)
def test_what_the_model_writes_the_schemas_allow(action: Action, report: Report) -> None:
    for name, value in (("action", action), ("report", report)):
        VALIDATORS[name].validate(value.model_dump(mode="json"))
