"""`system.yaml`: who the system is, how it is reached, what it sends and how its answers are judged.

The tables in adapters/README.md and the schemas for editors are made from the descriptions here. Leaves typed `Any` are
rules, see rule_model.py.
"""

from typing import Any, Literal

from pydantic import Field

from adapters.check_declaration import Authenticate
from adapters.declared import ITEMS, Conditions, Declared, Items
from adapters.receiver_declaration import AccountDeclaration, ReceiverDeclaration
from adapters.reconcile_declaration import ReconcileDeclaration
from adapters.reply_declaration import ReplyDeclaration
from adapters.rule_model import XmlRule
from adapters.shape_declaration import Step
from canonical.alarm import AlarmPolicy
from canonical.lifecycle import ActionKind

Party = Literal["source", "owner", "both", "joint", "lead_system"]


class Secret(Declared):
    """A secret the city's configuration gives by environment."""

    title: str
    sample: str = Field(
        default="", description="made up or of the vendor's document: what samples are signed or encrypted with"
    )
    optional: bool = Field(default=False, description="may be left out, when signing in replaces it")


class LedgerDeclaration(Declared):
    """A table of the city's own things that messages name by id; the file is ledgers/<name>.csv or the city's."""

    title: str
    columns: tuple[str, ...] = Field(min_length=2, description="its columns, the key first")


class Handshake(Declared):
    """A question the other side asks before it sends: answered by the door itself, nothing is taken in."""

    method: Literal["GET", "POST", "HEAD", "OPTIONS"] = "GET"
    when: Conditions = Field(default={}, description="conditions on the document (of a POST) and what is around it")
    authenticate: Authenticate | tuple[Authenticate, ...] | None = None
    status: int = Field(default=200, ge=200, le=299)
    format: Literal["json", "text", "xml"] = "text"
    element: str = ""
    body: Any = Field(description="tree over the document and what is around it, such as $query.echostr")


class DoorDeclaration(Declared):
    """A door of ours the system pushes to."""

    path: str = Field(
        default="",
        description="what follows /in/<system>/; empty: nothing, whatever the door's name;"
        " {name} stands for one segment, read as $path.name",
    )
    methods: tuple[Literal["POST", "PUT", "PATCH", "GET", "DELETE"], ...] = ("POST",)
    media: tuple[str, ...] = Field(default=(), description="media types taken; empty: any")
    max_bytes: int = Field(default=1_048_576, ge=1)
    charset: str = Field(default="", description="charset of its bytes and of the reply; default: the system's")
    wsdl: str | None = Field(default=None, description="the WSDL we serve, below contract/")
    shape: tuple[Step, ...] = Field(min_length=1)
    authenticate: Authenticate | tuple[Authenticate, ...] | None = None
    handshakes: tuple[Handshake, ...] = ()
    document: str = Field(default=".", description="path to what the messages' paths begin at")
    items: Items = Field(default=None, description=ITEMS)
    messages: tuple[str, ...] = Field(min_length=1, description="inbound messages; the first whose `when` fits")
    reply: ReplyDeclaration


class Detail(Declared):
    """What is asked for every item of a list."""

    ask: str = Field(description="the message that asks; it may use pull.item")
    items: Any = Field(default=".", description="path to the one (or the list) in the answer, or a rule that makes it")


class Acknowledge(Declared):
    """What is told after the commit, so that a queue at the other side forgets what we have."""

    message: str = Field(description="the message (direction: ask); it may use pull.item or pull.items")
    each: Literal["item", "page"] = "item"


class Count(Declared):
    """How many wait, asked first."""

    ask: str
    path: str = Field(description="path to the number in the answer")


class Sweep(Declared):
    """A wider pass, for what was changed late or came with an old time."""

    every: int = Field(default=86_400, ge=60, description="seconds between")
    back: int = Field(default=604_800, ge=60, description="seconds it reaches back")


class PullDeclaration(Declared):
    """What the hub asks for by itself."""

    every: int = Field(ge=1, description="seconds between pulls, when the city says nothing")
    jitter: float = Field(default=0.1, ge=0, le=1, description="share of `every` by which the pause varies")
    overlap: int = Field(default=0, ge=0, description="seconds every window reaches back into the one before")
    behind: int = Field(default=0, ge=0, description="seconds a window ends before now: what is still being written")
    window: int = Field(default=0, ge=0, description="longest window, in seconds; a longer gap is asked in several")
    first_window: int = Field(default=86_400, ge=0, description="seconds the very first window reaches back")
    page_size: int = Field(default=100, ge=1)
    first_page: int = 1
    cursor: Any = Field(default=None, description="path in the answer, or rule: what the next page is asked with")
    more: Any = Field(default=None, description="path in the answer, or rule: whether another page follows")
    ask: str = Field(description="the message that asks (direction: ask)")
    items: Any = Field(description="path to the list in the answer, or a rule that makes one")
    total: Any = Field(default=None, description="path in the answer, or rule: the number of all items")
    changed: bool = Field(default=False, description="true: the full list each time; only what changed is taken in")
    detail: Detail | None = None
    acknowledge: Acknowledge | None = None
    count: Count | None = None
    sweep: Sweep | None = None
    per_case: bool = Field(default=False, description="true: asked for every open case the system has, by binding")
    messages: tuple[str, ...] = Field(min_length=1)


class AnswerRow(Declared):
    """One reading of an answer; the first row that fits counts."""

    http: str | None = Field(default=None, pattern=r"^[1-5](?:xx|\d\d)$", description="HTTP status: 5xx or 503")
    when: Conditions = Field(default={}, description="values in the document, letter case ignored; or an expression")
    then: Literal["accepted", "refused", "duplicate", "unavailable", "unauthenticated", "in_doubt", "absent"] = Field(
        description="absent: asked whether it has something, and it has not; duplicate: it refuses because it has this"
        " already, which proves that a sending in doubt had arrived"
    )
    text: Any = Field(default=None, description="what the other side said; people see it without long numbers")
    code: Any = Field(default=None, description="its own code for that; people see it before the text, whole")
    external_id: Any = None
    visible_no: Any = None


class AnswerDeclaration(Declared):
    """How the other side's answers are judged. What no row fits, or cannot be read, is in doubt."""

    charset: str = Field(default="", description="charset of its bytes; default: the system's")
    shape: tuple[Step, ...] = Field(min_length=1)
    rows: tuple[AnswerRow, ...] = Field(
        min_length=1,
        description="an HTTP error that cannot be read, as a gateway's page, is known by rows without when",
    )


class SignIn(Declared):
    """How a session token is fetched: a login, or OAuth2 client credentials."""

    message: str = Field(description="the message that asks (direction: ask)")
    token: Any = Field(description="path in the answer, or rule, such as a cookie in `$headers.set-cookie`")
    expires_in: Any = Field(default=None, description="path or rule: its life in seconds; it is renewed before")
    expires_at: Any = Field(default=None, description="rule with time: when it ends")
    lifetime: int = Field(
        default=0, ge=0, description="its life in seconds, where the answer does not tell; 0: unknown"
    )
    secrets: tuple[str, ...] = Field(default=(), description="secrets it needs; without them the hub does not sign in")


class KeepAlive(Declared):
    """A sign of life we owe."""

    message: str
    every: int = Field(default=60, ge=1, description="seconds between")
    misses: int = Field(default=3, ge=1, description="failures in a row after which we register again")


class SubscriptionDeclaration(Declared):
    """What must be said before anything flows, kept alive, and taken back at the end. All are direction: ask."""

    register_: str | None = Field(default=None, alias="register")
    keepalive: KeepAlive | None = None
    subscribe: str | None = None
    renew: int = Field(default=0, ge=0, description="seconds after which we subscribe again; 0: never")
    unsubscribe: str | None = None
    unregister: str | None = None


class FilesDeclaration(Declared):
    """How files that messages point to are fetched."""

    fetch: str = Field(description="the message that asks (direction: ask); it may use file.url, file.id, file.name")
    secret_urls: bool = Field(default=False, description="true: only this system's own account can fetch them")


class ConnectorDeclaration(Declared):
    """How the system is reached by what we send."""

    protocol: Literal["http", "soap", "table", "files", "mqtt", "amqp"]
    timeout: float = Field(default=15.0, gt=0, le=600, description="seconds")
    settle: float | None = Field(
        default=None,
        ge=0,
        le=86_400,
        description="finds: seconds after a sending in which the other side may still be at work on it; that nothing"
        " arrived is believed only afterwards; default: twice the timeout",
    )
    max_answer: int = Field(default=8_388_608, ge=1, description="bytes of an answer")
    max_file: int = Field(
        default=10_485_760, ge=1, description="bytes of all files inside one message; those beyond are left out"
    )
    wsdl: dict[str, str] = Field(default={}, description="SOAP: URL path to a file below contract/")
    soap: Literal["", "1.1", "1.2"] = Field(
        default="", description="SOAP: its version; default: 1.1 where the WSDL has it"
    )
    prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z_][\w.-]*)?$",
        description="SOAP: prefix of the envelope's elements, where a reader wants its own, such as soapenv",
    )
    watch: bool = Field(
        default=True, description="SOAP: whether the WSDL here is compared with the one served; false: none is served"
    )
    account: AccountDeclaration = AccountDeclaration()


class Common(Declared):
    """What every outbound message gets, when it does not say otherwise."""

    headers: dict[str, Any] = {}
    soap_headers: tuple[XmlRule, ...] = Field(default=(), description="blocks of the header of every SOAP envelope")
    query: dict[str, Any] = {}
    seal: dict[str, Any] = {}


class SystemDeclaration(Declared):
    """One platform: who it is, how it is reached, what it sends, what it is told."""

    title: str = Field(description="its name, as people in the city say it")
    edition: str = Field(description="version of this declaration; stands in every reading")
    roles: tuple[Literal["source", "owner"], ...] = Field(
        min_length=1, description="source: it reports; owner: it does the work"
    )
    zone: str = Field(default="Asia/Shanghai", description="zone of times without one")
    charset: str = Field(default="utf-8", description="charset of bytes; auto: UTF-8, else GB18030")
    crs: str = Field(default="", description="CRS of coordinates, where the message does not say")
    secrets: dict[str, Secret] = Field(default={}, description="by name; values come from the city's configuration")
    ledgers: dict[str, LedgerDeclaration] = Field(default={}, description="tables of the city's devices, by name")
    connector: ConnectorDeclaration = Field(description="how what we send reaches it")
    common: Common = Field(default=Common(), description="what every outbound message gets")
    doors: dict[str, DoorDeclaration] = Field(default={}, description="where it pushes to us, by name")
    pulls: dict[str, PullDeclaration] = Field(default={}, description="what we ask for by ourselves, by name")
    receivers: dict[str, ReceiverDeclaration] = Field(
        default={}, description="what we fetch where no HTTP is spoken, by name"
    )
    subscription: SubscriptionDeclaration | None = Field(default=None, description="what must be said before it pushes")
    files: FilesDeclaration | None = Field(default=None, description="how files its messages point to are fetched")
    answers: dict[str, AnswerDeclaration] = Field(default={}, description="how its answers are judged, by name")
    sign_in: SignIn | None = Field(default=None, description="how we get a session token")
    alarms: dict[str, AlarmPolicy] = Field(
        default={}, description="when a device's alarm becomes a case, by kind; `*`: any"
    )
    tells: dict[Party, dict[ActionKind, str]] = Field(
        default={},
        description="what it is to the case, then action to outbound message; both: it reported and does the work;"
        " joint: one of its units was called to help 吹哨. Without a word on a whistle it is told owner.dispatch;"
        " lead_system: take_over and hand_back of cases that it leads",
    )
    unsupported: dict[Party, dict[ActionKind, str]] = Field(
        default={}, description="what the platform cannot be told, and the reason the dispatcher is shown"
    )
    finds: dict[str, str] = Field(
        default={}, description="outbound message to the message (ask) that finds what it made, by our number"
    )
    reconcile: ReconcileDeclaration | None = Field(
        default=None, description="how its cases and ours are compared, and when 对账"
    )
