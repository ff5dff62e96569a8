"""A loaded system: everything its declaration says, as functions. Immutable, shared between threads."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from adapters.answer import AnswerPlan
from adapters.door import Door, Entrance, Reply, ReplyPlans
from adapters.outbound import OutboundFacts, OutboundPlan, pull_view, view_of
from adapters.rule import Get
from adapters.value import as_list, as_text, int_at
from canonical.errors import InDoubt, Unacceptable, Unauthenticated, Why
from canonical.message import Message
from canonical.reading import Answer, Outbound, Outcome, Reading, SystemRole


@dataclass(frozen=True, slots=True)
class ConnectorFacts:
    """How the system is reached."""

    protocol: str
    """`http` or `soap`."""
    timeout: float
    """Seconds."""
    wsdls: Mapping[str, Path]
    """SOAP: URL path to WSDL file."""


@dataclass(frozen=True, slots=True)
class Pull:
    """What the hub asks the system for by itself."""

    name: str
    every: float
    """Seconds, when the city says nothing."""
    overlap: float
    """Seconds a window reaches back into the one before."""
    page_size: int
    first_page: int


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a pull, split."""

    items: tuple[Message, ...]
    total: int | None
    more: bool


@dataclass(frozen=True, slots=True)
class PullPlan:
    """One declared pull, ready to ask."""

    facts: Pull
    ask: OutboundPlan
    answer: AnswerPlan
    items: Get
    total: Get | None


@dataclass(frozen=True, slots=True)
class SignInPlan:
    """How a session token is fetched."""

    ask: OutboundPlan
    answer: AnswerPlan
    token: Get


@dataclass(frozen=True, slots=True)
class System:
    """The public face of one declared system."""

    role: SystemRole
    doors: tuple[Door, ...]
    pulls: tuple[Pull, ...]
    connector: ConnectorFacts
    outbound: Mapping[str, OutboundFacts]
    secrets: tuple[str, ...]
    """Names of the secrets the declaration uses."""
    entrances: Mapping[str, Entrance]
    replies: Mapping[str, ReplyPlans]
    writers: Mapping[str, tuple[OutboundPlan, AnswerPlan]]
    pull_plans: Mapping[str, PullPlan]
    signing_in: SignInPlan | None

    def receive(self, message: Message) -> list[Reading | Unacceptable]:
        """Authenticate as declared, decode, check the contract, map. Never raises, whatever the bytes."""
        return self._read(message, authenticate=True)

    def read(self, message: Message) -> list[Reading | Unacceptable]:
        """The same without authentication: replays, and items split from a page."""
        return self._read(message, authenticate=False)

    def _read(self, message: Message, *, authenticate: bool) -> list[Reading | Unacceptable]:
        entrance = self.entrances.get(message.door or self._first_door)
        if entrance is None:
            return [Unacceptable(f"no door or pull '{message.door}' is declared", why=Why.UNKNOWN_MESSAGE)]
        return entrance.read(message, authenticate=authenticate)

    def reply(self, message: Message, outcome: Outcome) -> Reply:
        """The system's own envelope for what became of its message."""
        return self.replies[message.door or self._first_door].reply(message, outcome)

    @property
    def _first_door(self) -> str:
        return self.doors[0].name if self.doors else ""

    def write(self, outbound: Outbound, *, now: datetime, id: UUID, session: str = "") -> Message:  # noqa: A002
        """An outbound message as bytes. Raises UnmappedCode, ContractViolation, Unauthenticated (sign in first)."""
        plan, _ = self._writer(outbound.message)
        return plan.message(view_of(outbound, now=now, id=id, session=session), now=now, id=id)

    def fingerprint(self, outbound: Outbound, *, now: datetime, id: UUID) -> str:  # noqa: A002
        """Digest of what `write` sends, as `Reading.fingerprint` reads it back; empty when not declared."""
        plan, _ = self._writer(outbound.message)
        return plan.fingerprint(view_of(outbound, now=now, id=id, session="-"))

    def judge(self, name: str, answer: Message) -> Answer:
        """How the answer to outbound message `name` reads.

        Raises Refused, Unavailable, Unauthenticated, or InDoubt when it cannot be read.
        """
        return self._writer(name)[1].judge(answer)[0]

    def ask(
        self,
        pull: str,
        *,
        since: datetime,
        until: datetime,
        page: int,
        now: datetime,
        id: UUID,  # noqa: A002
        session: str = "",
    ) -> Message:
        """The request for one page; pages count from `Pull.first_page`."""
        plan = self.pull_plans[pull]
        asked = {"since": since, "until": until, "page": page, "page_size": plan.facts.page_size}
        return plan.ask.message(pull_view(asked, now=now, id=id, session=session), now=now, id=id)

    def page(self, pull: str, answer: Message, *, now: datetime, ids: Callable[[], UUID], page: int = 1) -> Page:
        """Split an answer into messages that `read` understands. `page`: which one was asked. Raises as judge does."""
        plan = self.pull_plans[pull]
        _, document = plan.answer.judge(answer)
        items = tuple(self._items(plan, document, answer, now, ids))
        total = _total(plan, document)
        size = plan.facts.page_size
        reached = (page - plan.facts.first_page) * size + len(items)
        more = bool(items) and (len(items) >= size if total is None else reached < total)
        return Page(items, total, more)

    def _items(
        self, plan: PullPlan, document: object, answer: Message, now: datetime, ids: Callable[[], UUID]
    ) -> Iterator[Message]:
        for item in as_list(plan.items(document)):
            yield Message(
                system=self.role.id, body=orjson.dumps(item), at=now, id=ids(), door=plan.facts.name,
                content_type="application/json", parent=answer.id,
            )  # fmt: skip

    def sign_in(self, now: datetime, id: UUID) -> Message | None:  # noqa: A002
        """The request for a session token; None when none is declared or its secrets are not given."""
        if self.signing_in is None:
            return None
        return self.signing_in.ask.message(pull_view({}, now=now, id=id, session=""), now=now, id=id)

    def token(self, answer: Message) -> str:
        """The session token in the answer to `sign_in`. Raises as judge does."""
        if self.signing_in is None:
            raise InDoubt(f"{self.role.id}: no signing in is declared")
        _, document = self.signing_in.answer.judge(answer)
        value = self.signing_in.token(document)
        if not isinstance(value, str | int) or value in ("", True, False):
            raise Unauthenticated(f"{self.role.id}: signed in, but the answer holds no token")
        return as_text(value)

    def named(self, name: str) -> "System":
        """The same system under the name the city gives it: two districts may run the same product."""
        return replace(
            self,
            role=self.role.model_copy(update={"id": name}),
            writers={key: (replace(plan, system=name), answer) for key, (plan, answer) in self.writers.items()},
            pull_plans={
                key: replace(plan, ask=replace(plan.ask, system=name)) for key, plan in self.pull_plans.items()
            },
            signing_in=self.signing_in and replace(self.signing_in, ask=replace(self.signing_in.ask, system=name)),
        )

    def _writer(self, name: str) -> tuple[OutboundPlan, AnswerPlan]:
        if name not in self.writers:
            raise Unacceptable(f"{self.role.id} declares no outbound message '{name}'", why=Why.UNKNOWN_MESSAGE)
        return self.writers[name]


def _total(plan: PullPlan, document: Any) -> int | None:  # noqa: ANN401
    if plan.total is None:
        return None
    try:
        return int_at(plan.total(document), "total")
    except Unacceptable:
        return None
