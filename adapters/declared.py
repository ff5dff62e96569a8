"""What all declarations share."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from adapters.condition import Conditions

__all__ = ["ITEMS", "Conditions", "Declared", "Items"]

Items = str | dict[str, Any] | tuple[str | dict[str, Any], ...] | None
ITEMS = (
    "path to a list, when one message holds several, or a rule that makes one; several of them: lists inside its items"
)


class Declared(BaseModel):
    """Base of all: unknown keys are findings."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
