"""The reference page and the editors' schemas are what the models say, and every shipped folder keeps the schemas."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from adapters.examples import EXAMPLES
from adapters.expression import Expression, hub_functions
from adapters.reference import page, schemas
from adapters.yaml_file import read_yaml
from tests.adapters.systems import FOLDERS

ROOT = Path(__file__).parents[2]
VALIDATORS = {name: jsonschema.Draft202012Validator(schema) for name, schema in schemas().items()}
FILES = [("system", folder / "system.yaml") for folder in FOLDERS] + [
    ("message", path) for folder in FOLDERS for path in sorted(folder.glob("messages/*.yaml"))
]
FUNCTIONS = hub_functions(ZoneInfo("Asia/Shanghai"), {}, {})


def test_the_page_is_the_one_the_models_make() -> None:
    kept = (ROOT / "docs" / "declaration.md").read_text(encoding="utf-8")

    assert kept == page(), "renew it: python -m adapters.reference > docs/declaration.md"


@pytest.mark.parametrize("name", sorted(VALIDATORS))
def test_the_schemas_are_the_ones_the_models_make(name: str) -> None:
    kept = json.loads((ROOT / "docs" / "schema" / "declaration" / f"{name}.schema.json").read_text(encoding="utf-8"))

    assert kept == schemas()[name], "renew them: python -m adapters.reference schemas docs/schema/declaration"
    jsonschema.Draft202012Validator.check_schema(kept)


@pytest.mark.parametrize(
    ("kind", "path"), FILES, ids=lambda one: one if isinstance(one, str) else f"{one.parts[-2]}/{one.name}"
)
def test_a_shipped_file_keeps_the_editors_schema(kind: str, path: Path) -> None:
    file = read_yaml(path, [], name=path.name)
    assert file is not None

    assert [error.message for error in VALIDATORS[kind].iter_errors(file.data)] == []


@pytest.mark.parametrize(
    ("kind", "changed"),
    [("system", {"titel": "x"}), ("system", {"roles": ["sauce"]}), ("message", {"reprot": {}})],
)
def test_the_editors_schema_sees_a_slip(kind: str, changed: dict[str, object]) -> None:
    path = next(path for one, path in FILES if one == kind and "direction: out" not in path.read_text(encoding="utf-8"))
    file = read_yaml(path, [], name=path.name)
    assert file is not None

    assert not VALIDATORS[kind].is_valid({**file.data, **changed})


@pytest.mark.parametrize(("source", "document", "value"), EXAMPLES, ids=[source for source, _, _ in EXAMPLES])
def test_an_example_gives_what_the_page_says(source: str, document: dict[str, object], value: object) -> None:
    given = Expression(source, FUNCTIONS)(document)

    assert given == pytest.approx(value) if isinstance(value, float) else given == value


def test_every_function_of_an_expression_has_an_example() -> None:
    named = " ".join(source for source, _, _ in EXAMPLES)

    assert {name for name in FUNCTIONS if not _of_the_standard_library(name)} - {"code", "device"} <= {
        name for name in FUNCTIONS if f"{name}(" in named
    }


def _of_the_standard_library(name: str) -> bool:
    from cel import stdlib

    return name in stdlib.STDLIB_FUNCTIONS
