"""What all declarations share."""

from pydantic import BaseModel, ConfigDict

from adapters.condition import Conditions

__all__ = ["Conditions", "Declared"]


class Declared(BaseModel):
    """Base of all: unknown keys are findings."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
