"""A loaded system: everything its declaration says, as functions. Immutable, shared between threads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from adapters.answer import AnswerPlan
from adapters.before import MOST, Asking, asking
from adapters.declaration import FilesDeclaration, PullDeclaration, SubscriptionDeclaration
from adapters.door import Door
from adapters.entrance import Entrance
from adapters.outbound import OutboundFacts, OutboundPlan, around, file_url, view_of
from adapters.pulling import Pull, SignInPlan, Token
from adapters.receiver_declaration import ReceiverDeclaration
from adapters.reconciling import Reconciling
from adapters.reply import Reply, ReplyPlans
from canonical.errors import InDoubt, Unacceptable, Why
from canonical.message import Message
from canonical.reading import Answer, Outbound, Outcome, Reading, SystemRole
from canonical.time import SHANGHAI

_OWN_FILES = frozenset({"case.attachments", "action.attachments"})
"""Places whose files are known before anything was asked."""


@dataclass(frozen=True, slots=True)
class Account:
    """How we show who we are, secrets filled in."""

    scheme: str = "none"
    username: str = ""
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    host_key: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class ConnectorFacts:
    """How the system is reached by what we send."""

    protocol: str
    """`http`, `soap`, `table`, `files`, `mqtt` or `amqp`."""
    timeout: float
    """Seconds."""
    max_answer: int
    """Bytes."""
    max_file: int
    """Bytes of all files inside one message."""
    wsdls: Mapping[str, Path]
    """SOAP: URL path to WSDL file."""
    soap: str
    """SOAP: its version; empty: 1.1 where the WSDL has it."""
    account: Account
    prefix: str = ""
    """SOAP: of the envelope; empty: as it comes."""
    settle: float = 0.0
    """Seconds after a sending before its absence at the other side is believed."""
    watch: bool = True
    """SOAP: whether a WSDL is served there."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """What the hub fetches where no HTTP is spoken."""

    name: str
    declared: ReceiverDeclaration
    account: Account


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a pull, split."""

    items: tuple[Message, ...]
    rows: tuple[Any, ...]
    """The items as documents, for details and acknowledgements."""
    total: int | None
    more: bool
    cursor: str
    """What the next page is asked with, when the answer tells."""


@dataclass(frozen=True, slots=True)
class System:
    """The public face of one declared system."""

    role: SystemRole
    doors: tuple[Door, ...]
    pulls: tuple[Pull, ...]
    receivers: tuple[Receiver, ...]
    subscription: SubscriptionDeclaration | None
    files: FilesDeclaration | None
    finds: Mapping[str, str]
    """Outbound message to the message that finds at the other side what it made."""
    connector: ConnectorFacts
    outbound: Mapping[str, OutboundFacts]
    secrets: tuple[str, ...]
    """Names of the secrets the declaration uses."""
    entrances: Mapping[str, Entrance]
    replies: Mapping[str, ReplyPlans]
    writers: Mapping[str, tuple[OutboundPlan, AnswerPlan]]
    """Every message that is written, told or asked."""
    signing_in: SignInPlan | None
    reconciling: Reconciling | None = None
    """How its cases and ours are compared; None: they are not."""
    zone: ZoneInfo = SHANGHAI
    """Zone of times without one."""
    hub: Mapping[str, str] = field(default_factory=dict)
    """`url` (how the system reaches this hub) and `system` (its name here), for messages that tell it."""

    def receive(self, message: Message) -> list[Reading | Unacceptable]:
        """Authenticate as declared, decode, check the contract, map. Never raises, whatever the bytes."""
        return self._read(message, authenticated=False)

    def read(self, message: Message) -> list[Reading | Unacceptable]:
        """The same without authentication: replays, and what we fetched ourselves."""
        return self._read(message, authenticated=True)

    def _read(self, message: Message, *, authenticated: bool) -> list[Reading | Unacceptable]:
        entrance = self.entrances.get(message.door or self._first)
        if entrance is None:
            return [Unacceptable(f"no door, pull or receiver '{message.door}' is declared", why=Why.UNKNOWN_MESSAGE)]
        return entrance.read(message, authenticated=authenticated)

    def kept_headers(self, message: Message) -> dict[str, str]:
        """The headers that reading the message again will need; never those that hold secrets."""
        entrance = self.entrances.get(message.door or self._first)
        return entrance.kept(message.headers) if entrance and message.headers else {}

    def reply(
        self, message: Message, outcome: Outcome, outcomes: Sequence[tuple[str, Outcome]] = ()
    ) -> Reply:  # fmt: skip
        """The system's own envelope for what became of its message, and of each part of it by external id."""
        name = message.door or self._first
        plans = self.replies[name]
        request = self.entrances[name].whole(message) if plans.reads else None
        return plans.reply(message, outcome, request, outcomes)

    @property
    def _first(self) -> str:
        return next(iter(self.entrances), "")

    def write(
        self, outbound: Outbound, *, now: datetime, id: UUID, session: str = "",  # noqa: A002
        travelled: Message | None = None, **names: Any,  # noqa: ANN401
    ) -> Message:  # fmt: skip
        """An outbound message as bytes. `names`: before={...} and file={...}, where there are any.

        `travelled`: its body goes again as it is; what stands around it (address, headers, signatures) is written anew.

        Raises UnmappedCode, ContractViolation, Unauthenticated (sign in first).
        """
        plan, _ = self._writer(outbound.message)
        seen = plan.view(outbound, around(now=now, id=id, session=session, hub=self.hub), names)
        return plan.message(seen, now=now, id=id, travelled=travelled)

    def sealed_within(self, name: str) -> tuple[str, ...]:
        """What stands within the body of message `name` and is only good for a while; empty for an unknown one."""
        return self.writers[name][0].sealed_within if name in self.writers else ()

    def before(self, name: str, outbound: Outbound | None = None, **names: Any) -> Asking:  # noqa: ANN401
        """What must be asked before message `name` can be written; empty for most. `names` as for `say` or `write`.

        What comes of it is given to `write` or `say` as before={...}.
        """
        plan, _ = self._writer(name)
        view = names if outbound is None or not plan.before else view_of(outbound, names)
        return asking(plan.before, view)

    def asks(self, name: str) -> int:
        """How many messages may be asked before message `name`."""
        plan, _ = self._writer(name)
        return sum(1 if one.items is None else MOST for one in plan.before)

    def plain(self, name: str) -> bool:
        """True when message `name` is written of the case alone: nothing is asked before, and it carries no file."""
        plan = self.writers[name][0] if name in self.writers else None
        return plan is not None and not plan.before and not plan.files

    def carried(self, outbound: Outbound, **names: Any) -> list[str]:  # noqa: ANN401
        """Addresses of the files whose bytes an outbound message carries; each once. `names` as for `write`."""
        return self._writer(outbound.message)[0].carried(outbound, names)

    def lacks_file(self, outbound: Outbound, **names: Any) -> bool:  # noqa: ANN401
        """True when the message is about one `file`, carries it, and its bytes are not at hand."""
        plan, _ = self._writer(outbound.message)
        return "file" in names and "file" in plan.files and file_url(names["file"]) not in outbound.contents

    def awaited(self, outbound: Outbound) -> tuple[list[str], timedelta]:
        """The files that an outbound message, or what is asked before it, may carry; how long it waits for them."""
        if outbound.message not in self.writers:
            return [], timedelta()
        plan, _ = self._writer(outbound.message)
        plans = [plan, *(self._writer(one.message)[0] for one in plan.before)]
        if not any(one.files for one in plans):
            return [], timedelta()
        named = plans if all(one.files <= _OWN_FILES for one in plans) else ()
        files = [url for one in named for url in one.carried(outbound, {})]
        files = files if named else [one.url for one in (*outbound.case.attachments, *outbound.action.attachments)]
        return list(dict.fromkeys(files)), timedelta(seconds=max(one.declared.wait_files for one in plans))

    def fingerprint(self, outbound: Outbound, *, now: datetime, id: UUID, **names: Any) -> str:  # noqa: A002, ANN401
        """Digest of what `write` sends, as `Reading.fingerprint` reads it back; empty when not declared."""
        plan, _ = self._writer(outbound.message)
        if not plan.digested:
            return ""
        return plan.fingerprint(plan.view(outbound, around(now=now, id=id, session="-", hub=self.hub), names))

    def judge(self, name: str, answer: Message) -> Answer:
        """How the answer to message `name` reads.

        Raises Refused, Unavailable, Unauthenticated, or InDoubt when it cannot be read.
        """
        return self._writer(name)[1].judge(answer)[0]

    def say(
        self, name: str, *, now: datetime, id: UUID, session: str = "", **names: Any  # noqa: A002, ANN401
    ) -> Message:  # fmt: skip
        """A message that asks: `names` are what it may use, such as pull={...}, file={...}, binding={...}.

        Raises UnmappedCode, ContractViolation, Unauthenticated (sign in first).
        """
        plan, _ = self._writer(name)
        view = around(now=now, id=id, session=session, hub=self.hub) | names
        return plan.message(view, now=now, id=id)

    def heard(self, name: str, answer: Message) -> tuple[Answer, Any]:
        """The answer to message `name`, and its document. Raises as judge does."""
        return self._writer(name)[1].judge(answer)

    def pull(self, name: str) -> PullDeclaration:
        """What is declared of a pull."""
        return self._pull(name).declared

    def _pull(self, name: str) -> Pull:
        return next(pull for pull in self.pulls if pull.name == name)

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
        cursor: str = "",
        **names: Any,  # noqa: ANN401
    ) -> Message:
        """The request for one page; pages count from the declared first one. `names`: binding, of pulls per case."""
        declared = self.pull(pull)
        asked = self.asked(pull, since=since, until=until, page=page, cursor=cursor)
        return self.say(declared.ask, now=now, id=id, session=session, pull=asked, **names)

    def asked(self, pull: str, *, since: datetime, until: datetime, page: int, cursor: str = "") -> dict[str, Any]:
        """What the messages of a pull may use as `pull`."""
        declared = self.pull(pull)
        return {
            "since": since, "until": until, "page": page, "page_size": declared.page_size, "cursor": cursor,
            "offset": (page - declared.first_page) * declared.page_size,
        }  # fmt: skip

    def page(self, pull: str, answer: Message, *, now: datetime, ids: Callable[[], UUID], page: int = 1) -> Page:
        """Split an answer into messages that `read` understands. `page`: which one was asked. Raises as judge does."""
        plan = self._pull(pull)
        heard, document = self.heard(plan.declared.ask, answer)
        rows = () if heard.absent else plan.listed(plan.items, document, answer)
        total, more, cursor = plan.following(document, answer, rows, page)
        messages = tuple(self.item(pull, row, answer, now=now, ids=ids) for row in rows)
        return Page(messages, rows, total, more, cursor)

    def details(self, pull: str, answer: Message, *, now: datetime, ids: Callable[[], UUID]) -> tuple[Message, ...]:
        """What the answer about one item of a list holds. Raises as judge does."""
        plan = self._pull(pull)
        assert plan.declared.detail is not None
        assert plan.details is not None
        heard, document = self.heard(plan.declared.detail.ask, answer)
        rows = () if heard.absent else plan.listed(plan.details, document, answer)
        return tuple(self.item(pull, row, answer, now=now, ids=ids) for row in rows)

    def item(
        self, pull: str, row: object, answer: Message, *, now: datetime, ids: Callable[[], UUID]
    ) -> Message:  # fmt: skip
        """One item of a pull as a message of its own."""
        return Message(
            system=self.role.id, body=orjson.dumps(row), at=now, id=ids(), door=pull,
            content_type="application/json", parent=answer.id,
        )  # fmt: skip

    def sign_in(self, now: datetime, id: UUID, **names: Any) -> Message | None:  # noqa: A002, ANN401
        """The request for a session token; None when none is declared or its secrets are not given."""
        if self.signing_in is None:
            return None
        return self.say(self.signing_in.message, now=now, id=id, **names)

    def token(self, answer: Message) -> Token:
        """The session token in the answer to `sign_in`. Raises as judge does."""
        if self.signing_in is None:
            raise InDoubt(f"{self.role.id}: no signing in is declared")
        _, document = self.heard(self.signing_in.message, answer)
        return self.signing_in.read(document, answer)

    def named(self, name: str, hub_url: str = "") -> "System":
        """The same system under the name the city gives it, and where it finds this hub."""
        return replace(
            self,
            role=self.role.model_copy(update={"id": name}),
            writers={key: (replace(plan, system=name), answer) for key, (plan, answer) in self.writers.items()},
            hub={"url": hub_url.rstrip("/"), "system": name},
        )

    def _writer(self, name: str) -> tuple[OutboundPlan, AnswerPlan]:
        if name not in self.writers:
            raise Unacceptable(f"{self.role.id} declares no outbound message '{name}'", why=Why.UNKNOWN_MESSAGE)
        return self.writers[name]
