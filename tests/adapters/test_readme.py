"""The page about declarations names every key there is."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

import adapters
from adapters import declaration
from adapters.rule import Rule, XmlRule

README = (Path(adapters.__file__).parent / "README.md").read_text(encoding="utf-8")
MODELS = [Rule, XmlRule] + [
    model for model in vars(declaration).values() if isinstance(model, type) and issubclass(model, BaseModel)
]
_PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
NAMED = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", _PROSE))))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_stands_in_the_readme(model: type[BaseModel]) -> None:
    keys = {field.alias or name for name, field in model.model_fields.items()}

    assert keys <= NAMED
