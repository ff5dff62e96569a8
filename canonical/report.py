"""A report 上报: what a source says happened, read into the hub's words but not yet judged."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from canonical.codes import ClassCode
from canonical.place import Coordinate
from canonical.time import Instant, Limit
from canonical.value import Value


class Urgency(StrEnum):
    """As the source says; the hub does not guess it."""

    NORMAL = "normal"
    URGENT = "urgent"


class Reporter(Value):
    """Who reported. Personal data: masked by default wherever it is shown, never logged."""

    name: str = Field(default="", repr=False)
    phone: str = Field(default="", repr=False)
    """The number to call back, as given (it may come masked by the source)."""
    withheld: bool = False
    """The reporter asked for secrecy: empty here means withheld, not unknown."""


class Attachment(Value):
    """A file the source points to. Fetched, if ever, as a step of its own; never decides whether a case is accepted."""

    url: str
    """Where it lies; `inline:sha256:<hex>` for one whose bytes came inside the message."""
    name: str = ""
    id: str = ""
    content: bytes = Field(default=b"", repr=False, exclude=True)
    """Bytes that came inside the message. Never part of the stored case: they go to the file store."""


class SourceDeadline(Value):
    """The source's own deadline, kept beside ours: an instant, or a budget that the hub's calendar turns into one."""

    at: Instant | None = None
    limit: Limit | None = None
    since: Instant | None = None
    """When `limit` started to run by the source's word."""


class Report(Value):
    """What a source says happened. What it does not have stays empty; raw values are kept beside mapped ones."""

    title: str = ""
    description: str = ""
    class_code: ClassCode | None = None
    given_class: str = ""
    """Code and name as the source wrote them."""
    address: str = ""
    given_area: str = ""
    """Division or grid code as the source wrote it (any length, any edition)."""
    coordinate: Coordinate | None = None
    reported_at: Instant | None = None
    reported_on: date | None = None
    """The day, where the source knows no hour: midnight would be an invented instant."""
    reporter: Reporter = Field(default_factory=Reporter)
    urgency: Urgency = Urgency.NORMAL
    attachments: tuple[Attachment, ...] = ()
    deadline: SourceDeadline | None = None
    sign_deadline: SourceDeadline | None = None
    """Until when the source wants its report taken on."""
    channel: str = ""
    """How it reached the source, in the source's words (电话, 网站, 采集员上报, ...)."""
    share: str = ""
    """`lead` 主办 or `joint` 协办 when the source hands out shares of its own case."""
    opinion: str = ""
    """What the source's officer asks us to do."""
    leader_assigned: bool = False
    """A leader handed it down 领导交办: assessment counts it apart, often double. Field facts 1.7, rule [14]."""
    collector: str = ""
    """The source's own id of the collector 采集员 who found it, without a name: who is assessed by post. Never a
    citizen's: what a citizen reported has none. Field facts 1.7, report PatrolId."""
    settled: str = ""
    """What who found it has done about it on the spot 自行处置; empty: it is to be dealt with."""
    extra: dict[str, str] = {}
    """Source facts a reply will need again, by the source's own names."""
