"""The base of every canonical value: immutable, closed to unknown keys, one JSON form."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value. Unknown keys are an error; times must carry a zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")
