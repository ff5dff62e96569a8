"""How a simulated system behaves just now: how fast it works, and what goes wrong how often."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Behaviour(BaseModel):
    """Every switch of a simulated system. `POST /_sim/behaviour` takes any of them by these names."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    rate: float = Field(default=6.0, ge=0, le=60_000, description="Cases emitted per minute.")
    pace: Seconds = Field(default=5.0, description="Seconds one step of work takes.")
    slow: Seconds = Field(default=0.0, description="Seconds before a request is answered.")
    refuse: Probability = Field(default=0.0, description="A good request is refused in the contract's own words.")
    limited: Probability = Field(default=0.0, description="A good request is put off (social governance: Ret 2).")
    silent: bool = Field(default=False, description="Accept the connection and never answer.")
    down: bool = Field(default=False, description="Answer HTTP 503.")
    drop_answer: Probability = Field(default=0.0, description="Do the work, then cut the line: in doubt for the hub.")
    returned: Probability = Field(default=0.05, alias="return", description="The owner returns a case.")
    delay: Probability = Field(default=0.05, description="The owner asks for more time before it finishes.")
    dissatisfied: Probability = Field(default=0.1, description="The return visit finds the citizen dissatisfied.")
    rework: Probability = Field(default=0.05, description="The desk finds the work not done (centre desk only).")
    repeat: Probability = Field(default=0.02, description="A push is sent again although it was accepted.")
    garbage: Probability = Field(default=0.0, description="A broken copy of a push is sent before the real one.")
    assist: Probability = Field(default=0.05, description="A second, assisting task of the same ticket follows.")
    amend: Probability = Field(default=0.0, description="A reported case is changed later and listed again.")
    attempts: int = Field(default=4, ge=1, le=1000, description="How often a push is tried without a good answer.")
    gap: Seconds = Field(default=2.0, description="Seconds between attempts, growing by one gap each time.")

    def changed(self, changes: dict[str, Any]) -> Self:
        """This behaviour with some switches set. Raises pydantic.ValidationError naming what is wrong."""
        return self.model_validate(self.model_dump(by_alias=True) | changes)
