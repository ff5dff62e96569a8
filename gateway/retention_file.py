"""`retention:` of city.yaml: how long what is kept, in words people write, and what may not be said there."""

import re
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from storage.retention_rules import YEAR, Keep

FOREVER = "forever"
_DAYS = {"d": timedelta(days=1), "y": YEAR}
_FORM = re.compile(r"(\d{1,4})\s*([dy])")

LEAST = {
    "debugging_bodies": timedelta(days=1),
    "debugging": timedelta(days=7),
    "refusals": timedelta(days=90),
    "evidence_bodies": YEAR,
    "evidence": YEAR,
}
"""Shorter is a slip of the pen: what is cut does not come back."""


class RetentionFile(BaseModel):
    """How long each class is kept: days (`90d`), years of 365 days (`3y`), or `forever`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    debugging: str = Field(
        default="90d",
        description="heartbeats, counted tellings of alarms, pages whose parts are gone, questions and repeats of no "
        "case; at least 7d",
    )
    debugging_bodies: str = Field(default="30d", description="the bytes of those, which go first; at least 1d")
    refusals: str = Field(default="3y", description="messages that were refused, of no case; at least 90d")
    evidence: str = Field(
        default=FOREVER, description="a case with everything about it, after the last thing that happened to it; "
        "at least 1y",
    )  # fmt: skip
    evidence_bodies: str = Field(default=FOREVER, description="the bytes of its messages, which go first; at least 1y")

    @field_validator("*")
    @classmethod
    def _plausible(cls, value: str, info: ValidationInfo) -> str:
        kept, name = duration(value), str(info.field_name)
        if kept is not None and kept < LEAST[name]:
            raise ValueError(f"at least {LEAST[name].days}d, else what is still needed is cut; got {value}")
        whole = duration(info.data.get(name.removesuffix("_bodies"), FOREVER)) if name.endswith("_bodies") else None
        if kept is not None and whole is not None and kept > whole:
            raise ValueError(f"bytes go before their row or with it: at most {whole.days}d, or forever; got {value}")
        return value

    def keep(self) -> Keep:
        """The same as durations."""
        return Keep(**{name: duration(getattr(self, name)) for name in LEAST})


def duration(text: str) -> timedelta | None:
    """`90d`, `3y`; None for `forever`. Raises ValueError with what is expected."""
    if text == FOREVER:
        return None
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"write days as 90d, years as 3y, or {FOREVER}; got {text!r}")
    return int(found[1]) * _DAYS[found[2]]
