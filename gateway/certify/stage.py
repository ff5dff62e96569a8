"""One scenario on the bench: what it has done so far, and how its evidence is kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canonical.message import Message
from canonical.reading import Outcome
from gateway.certify.bench import Bench
from gateway.certify.material import Play
from gateway.certify.scenario import Step
from gateway.certify.sending import Exchange, veiled

CALM = {"slow": 0, "silent": 0, "down": 0, "drop_answer": 0, "return": 0, "delay": 0, "refuse": 0}


class Broken(Exception):
    """Something that must hold does not."""


@dataclass(slots=True)
class Stage:
    """What one scenario has done so far."""

    bench: Bench
    number: int
    exchanges: list[Exchange] = field(default_factory=list)
    success: str = ""
    """What the platform was answered when its first message became a case."""
    case_no: str = ""
    others: int = 0
    ids: tuple[str, ...] = ()
    """The ids of the message made last."""
    half: tuple[Message, Path] | None = None
    """A file that is not complete."""
    restore: Callable[[], None] | None = None
    marker: str = ""
    """Words of the case handed over, that no other case has."""
    limit: str = ""
    """What this scenario could not look at although it passed."""
    items: int = 0
    """How many cases the simulated platform had before one was handed over."""

    def play_of(self, step: Step) -> Play:
        """The sample of a step."""
        found = self.bench.material.action if step.sample == "action" else self.bench.material.report
        assert found is not None  # the scenario's needs
        return found

    def message(self, step: Step, play: Play) -> Message:
        """The sample under the scenario's ids, or under ids of its own."""
        self.others += step.fresh
        number = self.number + (self.others if step.fresh else 0)
        self.ids = play.fresh_ids(number)
        return play.fresh(number)

    def note(self, sent: str, answer: str = "", outcome: Outcome | None = None) -> None:
        """Evidence for the report."""
        told = (str(outcome.verdict), str(outcome.why or ""), outcome.text) if outcome else ("", "", "")
        self.exchanges.append(Exchange(*map(self.veiled, (sent, answer, *told))))

    def veiled(self, text: str) -> str:
        """A text as the report may show it."""
        return veiled(text, self.bench.material.names, self.bench.secrets.values())

    def end(self) -> None:
        """As it was before: the tables, and a platform that behaves."""
        if self.restore:
            self.restore()
        if self.bench.simulated:
            self.bench.client.post(f"{self.bench.other_url}/_sim/behaviour", json=CALM)
        if self.bench.side is not None:
            self.bench.side.calm()
        self.bench.settled()


def case_of(stage: Stage) -> dict[str, Any]:
    """The case in hand, as the centre sees it."""
    case: dict[str, Any] = stage.bench.api("GET", f"/api/cases/{stage.case_no}").json()
    return case
