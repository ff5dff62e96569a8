"""`messages/*.yaml`: what is read in an inbound message, how an outbound one is written. `Any` stands for a rule."""

from typing import Any, Literal

from pydantic import Field

from adapters.check_declaration import SignatureCheck
from adapters.declared import Conditions, Declared
from adapters.rule_model import XmlRule
from canonical.lifecycle import ActionKind, Party


class CoordinateFields(Declared):
    """Where the two numbers stand."""

    x: Any = Field(description="longitude or easting")
    y: Any = Field(description="latitude or northing")
    crs: Any = Field(default="", description="CRS, when it is not the system's; a rule may say it, as from a ledger")


class ReporterFields(Declared):
    """Who reported."""

    name: Any = None
    phone: Any = None
    withheld: Any = Field(default=None, description="yes or no")


class DeadlineFields(Declared):
    """The other side's deadline: an instant, or a budget since an instant."""

    at: Any = None
    value: Any = None
    unit: Any = None
    since: Any = None


class LimitFields(Declared):
    """A budget of time."""

    value: Any
    unit: Any


class AttachmentFields(Declared):
    """A list of files; the other paths begin at the item (`.`: the item itself)."""

    from_: Any = Field(alias="from", description="path to the list, or a rule that makes one")
    url: Any = Field(default=None, description="where the file lies")
    content: Any = Field(default=None, description="or the file itself, unpacked with parse: [base64]")
    part: Any = Field(default=None, description="of a file that comes in pieces: `<number>/<how many>`, with id")
    name: Any = None
    id_: Any = Field(default=None, alias="id")


class ReportFields(Declared):
    """What becomes the report."""

    title: Any = None
    description: Any = None
    class_: Any = Field(default=None, alias="class")
    given_class: Any = None
    address: Any = None
    given_area: Any = None
    coordinate: CoordinateFields | None = None
    reported_at: Any = None
    reported_on: Any = Field(default=None, description="the day, where the source knows no hour")
    reporter: ReporterFields | None = None
    urgency: Any = None
    attachments: AttachmentFields | tuple[AttachmentFields, ...] | None = None
    deadline: DeadlineFields | None = Field(default=None, description="until when the source wants it done")
    sign_deadline: DeadlineFields | None = Field(
        default=None, description="until when it wants its report taken on: filed or refused"
    )
    channel: Any = None
    share: Any = None
    opinion: Any = None
    leader_assigned: Any = Field(default=None, description="whether a leader handed it down 领导交办: yes or no")
    collector: Any = Field(
        default=None,
        description="the system's own id of the collector 采集员 who found it; never a citizen's, and no name",
    )
    settled: Any = Field(default=None, description="what was done on the spot; the case is closed at once")
    extra: dict[str, Any] = {}


class ActionFields(Declared):
    """What goes with a stated action."""

    stated_at: Any = None
    reason: Any = None
    basis: Any = Field(
        default=None, description="of a return: what it rests on, as `returns.bases` of rules.yaml has it"
    )
    result: Any = None
    actor_name: Any = None
    unit: Any = Field(
        default=None,
        description="whom a whistle 吹哨 calls, or who gets the case (escalate, a lead system's dispatch): id or name",
    )
    deadline: DeadlineFields | None = Field(default=None, description="lead_system: until when, by its own reckoning")
    limit: LimitFields | None = Field(
        default=None,
        description="how much longer (extension), how long from now (suspension); with sign, the owner's own limit",
    )
    until: Any = Field(
        default=None,
        description="or to when an extension or a suspension is asked, or with sign the owner's own limit runs; a date "
        "alone with `day: end`",
    )
    attachments: AttachmentFields | tuple[AttachmentFields, ...] | None = None


class StepFields(ActionFields):
    """One status: what it means by the system's party in the case, and what differs from the fields above."""

    kinds: dict[Party, ActionKind] = {}


class StatedFields(ActionFields):
    """A status and its table."""

    status: Any
    steps: dict[str, StepFields] = Field(min_length=1, description="status to action; another status is unmapped")


class Plausible(Declared):
    """How far stated times may lie from the moment of receipt."""

    ahead_days: int = Field(default=1, ge=0)
    behind_days: int = Field(default=10950, ge=0)


class AdditionFields(Declared):
    """What a later message adds to a report that is known: pictures uploaded afterwards, a stop, a remark."""

    remark: Any = None
    attachments: AttachmentFields | tuple[AttachmentFields, ...] | None = None
    stated_at: Any = None


class AlarmFields(Declared):
    """What a device tells. What becomes a case of it, the system's `alarms` say."""

    device: Any = Field(description="the device by the system's own id")
    kind: Any = Field(description="what is told about it, such as smoke or level")
    active: Any = Field(
        default=None,
        description="yes or no, by a code table; left out where a threshold (raise_at, raise_below) decides",
    )
    value: Any = Field(default=None, description="the measured number")
    at: Any = Field(default=None, description="when, by the device's clock")


class InboundDeclaration(Declared):
    """`messages/*.yaml` with `direction: in`."""

    direction: Literal["in"]
    title: str
    when: Conditions = Field(default={}, description="picks the message by values in the document")
    contract: str = Field(description="JSON Schema below contract/; an .xsd or .wsdl is read for the names it knows")
    external_id: Any = Field(description="the system's own id: key of repeats, address of callbacks")
    case_key: Any = None
    visible_no: Any = None
    reference: Any = Field(
        default=None,
        description="our number, when the message carries it back: the reference, or the case number alone where the"
        " case was given to the system once",
    )
    fingerprint: tuple[Any, ...] = Field(default=(), description="fields we once sent, for a digest")
    report: ReportFields | None = None
    action: StatedFields | None = None
    addition: AdditionFields | None = None
    alarm: AlarmFields | None = None
    intact: SignatureCheck | None = Field(
        default=None, description="a checksum or signature of its own that the message carries; else it is unreadable"
    )
    noted: bool = Field(default=False, description="true: understood, and no case's business, such as a heartbeat")
    plausible: Plausible = Plausible()


Format = Literal["json", "form", "urlencoded", "fields", "multipart", "xml", "text", "csv", "bytes", "arguments"]


class BeforeEach(Declared):
    """A question that is asked once for every item of a list; the message that asks sees the item as `file`."""

    ask: str = Field(description="the message (direction: ask)")
    each: str = Field(description="path to the list, such as case.attachments; at most 20 items are asked for")


class OutboundDeclaration(Declared):
    """`messages/*.yaml` with `direction: out` (tells) or `ask` (pulls, signs in, subscribes, fetches)."""

    direction: Literal["out", "ask"]
    title: str
    repeat: Literal["safe", "guarded", "never"] = Field(
        default="safe",
        description="what an unanswered sending allows: safe, guarded (the other side knows our number again"
        " and says so, by a row `then: duplicate`) or never; direction: out must say it",
    )
    before: dict[str, str | BeforeEach] = Field(
        default={},
        description="name to what is asked first, in this order: a message (direction: ask), or {ask, each}. Rules read"
        " the answers as before.name (with each a list, where $file is the item) and before.name.$headers, .$status;"
        " what is asked sees all that this message sees, and the answers above its own",
    )
    wait_files: int = Field(
        default=0, ge=0, le=86_400,
        description="seconds to wait for files of the case that are still on their way here, where rules use content",
    )  # fmt: skip
    method: str = Field(
        default="POST",
        pattern="^(GET|HEAD|POST|PUT|PATCH|DELETE|CALL)$",
        description="table: POST inserts, PUT updates the row that header `key` picks, CALL calls the procedure `path`"
        " with the body's members as arguments",
    )
    path: Any = Field(
        description="URL path; SOAP `path#Operation`; table; file name; topic; `exchange/key`. A rule may fill it"
    )
    query: dict[str, Any] = Field(default={}, description="name to rule, appended to the path; empty ones are left out")
    headers: dict[str, Any] = {}
    soap_headers: tuple[XmlRule, ...] = Field(
        default=(), description="SOAP: blocks of the envelope's header, such as an account; besides those of common"
    )
    format: Format = Field(
        default="json",
        description="form and urlencoded: one `part` that holds JSON; fields and multipart: every member a field;"
        " bytes: those of a file; arguments: those of a SOAP operation; `@name` an attribute, `#text` the text beside"
        " attributes",
    )
    content_type: str = Field(default="", description="default: that of the format")
    charset: str = Field(default="", description="charset of its bytes; default: the system's")
    part: str = Field(default="", description="form: name of the one part, which holds JSON")
    root: str = Field(default="", description="xml: root element")
    namespace: str = Field(default="", description="xml: its namespace")
    contract: str | None = Field(default=None, description="JSON Schema the written body must keep")
    body: Any = Field(default=None, description="tree of objects, lists, literals and rules; left out: no body")
    seal: dict[str, Any] = Field(
        default={},
        description="members added to the body afterwards, such as a signature over `body`; `head.sign`: in `head`",
    )
    without_empty: bool = Field(default=False, description="leave empty members of the body out")
    answer: str = Field(description="which of `answers` judges it")
    fingerprint: tuple[str, ...] = Field(default=(), description="paths in the body, for a digest")
