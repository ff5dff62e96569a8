"""What certificate.json holds, as a model: docs/schema/certificate.schema.json is made from it.

python -m gateway.certify.certificate > docs/schema/certificate.schema.json
"""

import json
import sys
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.certify.scenario import Tier, Title


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CertifiedSystem(_Part):
    """The platform, and its folder as it was."""

    id: str
    title: str
    edition: str = Field(description="edition of the declaration")
    other_side: str = Field(description="address of a live platform, the simulated one, or none")
    digest: str = Field(
        default="", pattern="^([0-9a-f]{64})?$", description="SHA-256 of the folder: declaration, tables, samples"
    )


class Shown(_Part):
    """One thing sent or done, and what came of it; personal data and secrets are masked."""

    sent: str
    answer: str = Field(description="what the platform was answered; empty where nothing was")
    verdict: str = Field(description="what the journal says; empty where nothing was journalled")
    why: str
    text: str


class Played(_Part):
    """How one scenario ended."""

    name: str
    title: Title
    tier: Literal[Tier.BRONZE, Tier.SILVER, Tier.GOLD]
    result: Literal["passed", "failed", "not applicable"]
    why: str = Field(description="what did not hold or is missing; empty when passed")
    seconds: float = Field(ge=0)
    core: bool = Field(description="the platform's tier needs it to be played")
    caps: bool = Field(description="core, and the bench could not play it: its tier is out of reach")
    limit: str = Field(description="what could not be looked at although it passed; mostly empty")
    exchanges: list[Shown] = Field(description="of very many the first ones")
    books: dict[str, int] = Field(description="what the hub's books gained")


class Counts(_Part):
    """How many scenarios ended how."""

    passed: int
    failed: int
    not_applicable: int = Field(alias="not applicable")


class Certificate(_Part):
    """A run of `gridhub certify`."""

    system: CertifiedSystem
    at: datetime
    tier: Tier = Field(description="partial: only some scenarios were played, and no tier is given")
    whole: bool = Field(description="false: only some scenarios were played")
    counts: Counts
    scenarios: list[Played]


def schema() -> dict[str, Any]:
    """The JSON Schema."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Certificate.model_json_schema()


def text() -> str:
    """The file's text."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
