"""What a system's folder may declare: the keys of `system.yaml` and `messages/*.yaml`, and nothing else.

The table in adapters/README.md is made from the descriptions here. Leaves typed `Any` are rules, see rule.py.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.rule import Condition
from canonical.errors import Why
from canonical.lifecycle import ActionKind, Party
from canonical.message import Verdict


class Declared(BaseModel):
    """Base of all: unknown keys are findings."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Conditions = dict[str, Condition]


class Secret(Declared):
    """A secret the city's configuration gives by environment."""

    title: str
    optional: bool = Field(default=False, description="may be left out, when signing in replaces it")


class XmlStep(Declared):
    """How XML is read."""

    lists: tuple[str, ...] = Field(default=(), description="elements that are lists even when there is one")
    or_text: bool = Field(default=False, description="what is no XML becomes {text: ...}")


class Step(Declared):
    """One step from bytes to document; exactly one key. `json` and `xml` may stand as a word."""

    form: str | None = Field(default=None, description="the text of this part of a multipart or urlencoded form")
    json_: bool = Field(default=False, alias="json", description="JSON to document")
    soap: str | None = Field(default=None, description="SOAP 1.1 envelope to the children of this operation element")
    pick: str | None = Field(default=None, description="one value inside, by path")
    xml: XmlStep | None = Field(default=None, description="XML (bytes or text) to {root: content}")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:  # noqa: ANN401
        if value in {"json", "xml"} if isinstance(value, str) else False:
            return {"json": True} if value == "json" else {"xml": {}}
        if isinstance(value, dict) and len(value) != 1:
            raise ValueError("one of json, form, soap, pick, xml is expected")
        return value


class Authenticate(Declared):
    """Where the other side shows its secret."""

    from_: str | None = Field(default=None, alias="from", description="path in the whole document")
    header: str | None = Field(default=None, description="or an HTTP header")
    secret: str | tuple[str, ...] = Field(description="name of the secret, or names: the first given")


class ReplyRow(Declared):
    """One envelope; the first row that fits is sent. A row without verdict and why always fits."""

    verdict: tuple[Verdict, ...] = ()
    why: tuple[Why, ...] = ()
    status: int = Field(default=200, ge=100, le=599)
    body: Any = Field(default=None, description="tree; it may use words, text, why, case_no, number")
    fault: str | None = Field(default=None, description="SOAP fault code (Client, Server) instead of a body")


class ReplyDeclaration(Declared):
    """What the other side is answered, in its own envelope."""

    format: Literal["json", "soap", "text"]
    element: str = Field(default="", description="SOAP: the answer's element")
    namespace: str = Field(default="", description="SOAP: its namespace")
    words: dict[Why, str] = Field(description="what it is told, for every reason")
    rows: tuple[ReplyRow, ...] = Field(min_length=1)


class DoorDeclaration(Declared):
    """A door of ours the system pushes to."""

    path: str = Field(default="", description="what follows /in/<system>/")
    media: tuple[str, ...] = Field(min_length=1, description="media types taken")
    max_bytes: int = Field(default=1_048_576, ge=1)
    wsdl: str | None = Field(default=None, description="the WSDL we serve, below contract/")
    shape: tuple[Step, ...] = Field(min_length=1)
    authenticate: Authenticate | None = None
    document: str = Field(default=".", description="path to what the messages' paths begin at")
    items: str | None = Field(default=None, description="path to a list, when one push holds several messages")
    messages: tuple[str, ...] = Field(min_length=1, description="inbound messages; the first whose `when` fits")
    reply: ReplyDeclaration


class PullDeclaration(Declared):
    """What the hub asks for by itself, page by page."""

    every: int = Field(ge=1, description="seconds between pulls, when the city says nothing")
    overlap: int = Field(default=0, ge=0, description="seconds every window reaches back into the one before")
    page_size: int = Field(default=100, ge=1)
    first_page: int = 1
    ask: str = Field(description="the message that asks (direction: ask)")
    items: str = Field(description="path to the list in the answer")
    total: str | None = Field(default=None, description="path to the number of all items")
    messages: tuple[str, ...] = Field(min_length=1)


class AnswerRow(Declared):
    """One reading of an answer; the first row that fits counts."""

    http: str | None = Field(default=None, pattern=r"^[1-5](?:xx|\d\d)$", description="HTTP status: 5xx or 503")
    when: Conditions = Field(default={}, description="values in the document, letter case ignored")
    then: Literal["accepted", "refused", "unavailable", "unauthenticated", "in_doubt"]
    text: Any = Field(default=None, description="what the other side said")
    external_id: Any = None
    visible_no: Any = None


class AnswerDeclaration(Declared):
    """How the other side's answers are judged. What no row fits, or cannot be read, is in doubt."""

    shape: tuple[Step, ...] = Field(min_length=1)
    rows: tuple[AnswerRow, ...] = Field(min_length=1)


class SignIn(Declared):
    """How a session token is fetched."""

    message: str = Field(description="the message that asks (direction: ask)")
    token: str = Field(description="path in the answer")
    secrets: tuple[str, ...] = Field(description="secrets it needs; without them the hub does not sign in")


class ConnectorDeclaration(Declared):
    """How the system is reached."""

    protocol: Literal["http", "soap"]
    timeout: float = Field(default=15.0, gt=0, le=600, description="seconds")
    wsdl: dict[str, str] = Field(default={}, description="SOAP: URL path to a file below contract/")


class SystemDeclaration(Declared):
    """`system.yaml`."""

    title: str
    edition: str = Field(description="version of this declaration; stands in every reading")
    roles: tuple[Literal["source", "owner"], ...] = Field(min_length=1)
    zone: str = Field(default="Asia/Shanghai", description="zone of times without one")
    charset: str = "utf-8"
    crs: str = Field(default="", description="CRS of coordinates, where the message does not say")
    secrets: dict[str, Secret] = {}
    connector: ConnectorDeclaration
    doors: dict[str, DoorDeclaration] = {}
    pulls: dict[str, PullDeclaration] = {}
    answers: dict[str, AnswerDeclaration] = {}
    sign_in: SignIn | None = None
    tells: dict[Literal["source", "owner", "both"], dict[ActionKind, str]] = {}


class CoordinateFields(Declared):
    """Where the two numbers stand."""

    x: Any = Field(description="longitude or easting")
    y: Any = Field(description="latitude or northing")
    crs: str = ""


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

    from_: str = Field(alias="from")
    url: Any
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
    reporter: ReporterFields | None = None
    urgency: Any = None
    attachments: AttachmentFields | None = None
    deadline: DeadlineFields | None = None
    sign_deadline: DeadlineFields | None = None
    channel: Any = None
    share: Any = None
    opinion: Any = None
    extra: dict[str, Any] = {}


class ActionFields(Declared):
    """What goes with a stated action."""

    stated_at: Any = None
    reason: Any = None
    result: Any = None
    actor_name: Any = None
    limit: LimitFields | None = None
    attachments: AttachmentFields | None = None


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


class InboundDeclaration(Declared):
    """`messages/*.yaml` with `direction: in`."""

    direction: Literal["in"]
    title: str
    when: Conditions = Field(default={}, description="picks the message by values in the document")
    contract: str = Field(description="JSON Schema below contract/")
    external_id: Any = Field(description="the system's own id: key of repeats, address of callbacks")
    case_key: Any = None
    visible_no: Any = None
    reference: Any = Field(default=None, description="our number, when the message carries it back")
    fingerprint: tuple[Any, ...] = Field(default=(), description="fields we once sent, for a digest")
    report: ReportFields | None = None
    action: StatedFields | None = None
    plausible: Plausible = Plausible()


class OutboundDeclaration(Declared):
    """`messages/*.yaml` with `direction: out` (tells) or `ask` (pulls, signs in)."""

    direction: Literal["out", "ask"]
    title: str
    repeat: Literal["safe", "guarded", "never"] = Field(description="what an unanswered sending allows")
    method: str = Field(default="POST", pattern="^(GET|POST|PUT)$")
    path: Any = Field(description="URL path; for SOAP `path#Operation`; a rule may fill it")
    headers: dict[str, Any] = {}
    format: Literal["json", "form", "urlencoded", "xml", "arguments"] = Field(
        default="json", description="arguments: JSON object of the ordered arguments of a SOAP operation"
    )
    part: str = Field(default="", description="form: name of the one part, which holds JSON")
    root: str = Field(default="", description="xml: root element")
    contract: str | None = Field(default=None, description="JSON Schema the written body must keep")
    body: Any = Field(default=None, description="tree of objects, lists, literals and rules; left out: no body")
    answer: str = Field(description="which of `answers` judges it")
    fingerprint: tuple[str, ...] = Field(default=(), description="paths in the body, for a digest")
