"""What went over the wire, kept for the people who watch: requests received, calls made."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from random import Random

_SHOWN = 20_000
"""Characters of a body that are kept."""


class Verdict(StrEnum):
    """What became of a call to the hub."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """The hub understood and said no."""
    UNANSWERED = "unanswered"
    """No answer, or one that settles nothing: the contract lets us ask again."""


@dataclass(frozen=True)
class Request:
    """One HTTP POST to the hub, ready to be sent. `path` is appended to the hub's address."""

    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Exchange:
    """One request with its answer, as shown at `/_sim/state`. `status` 0: there was none."""

    at: datetime
    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int = 0
    answer: str = ""
    verdict: str = ""

    def row(self) -> dict[str, object]:
        """As JSON."""
        return {**self.__dict__, "at": self.at.isoformat(timespec="milliseconds")}


def shown(body: bytes) -> str:
    """The bytes as text for a reader; what is not UTF-8 shows as replacement characters."""
    return body[:_SHOWN].decode(errors="replace")


def spoiled(request: Request, dice: Random) -> Request:
    """A broken copy: cut off, not UTF-8, or empty."""
    half = len(request.body) // 2
    broken = dice.choice((request.body[:half], request.body[:half] + b"\xff\xfe" + request.body[half:], b""))
    return Request(request.path, broken, request.headers)
