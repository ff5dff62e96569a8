"""The page about declarations names every key there is."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

import adapters
from adapters import declaration, message_declaration, receiver_declaration, rule_model, shape_declaration

README = (Path(adapters.__file__).parent / "README.md").read_text(encoding="utf-8")
MODULES = (declaration, message_declaration, receiver_declaration, rule_model, shape_declaration)
MODELS = {
    model
    for module in MODULES
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, BaseModel)
}
_PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
NAMED = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", _PROSE))))


@pytest.mark.parametrize("model", sorted(MODELS, key=lambda model: model.__name__), ids=lambda model: model.__name__)
def test_every_key_stands_in_the_readme(model: type[BaseModel]) -> None:
    keys = {field.alias or name for name, field in model.model_fields.items()}

    assert keys <= NAMED
