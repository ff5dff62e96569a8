"""`receivers` in system.yaml: what is fetched where no HTTP is spoken: exchange tables, files, topics, queues."""

from typing import Any, Literal

from pydantic import Field, model_validator

from adapters.declared import ITEMS, Declared, Items
from adapters.shape_declaration import Step


class AccountDeclaration(Declared):
    """How we show who we are. Everything but scheme and client_id is the name of a secret."""

    scheme: Literal["none", "basic", "digest"] = Field(default="none", description="HTTP only")
    username: str = ""
    password: str = ""
    private_key: str = Field(default="", description="SFTP: the private key's text or its file's path")
    host_key: str = Field(default="", description="SFTP: the server's public key, as ssh-ed25519 AAAA...")
    ca: str = Field(default="", description="TLS: path of the authority's certificate")
    certificate: str = Field(default="", description="TLS: path of our certificate")
    key: str = Field(default="", description="TLS: path of its key")
    client_id: str = Field(default="", description="MQTT: our name at the broker; default: gridhub-<system>-<receiver>")


class TableDeclaration(Declared):
    """An exchange table (前置库) or view."""

    name: str = Field(description="table or schema.table")
    key: tuple[str, ...] = Field(min_length=1, description="columns that identify a row")
    columns: tuple[str, ...] = Field(default=(), description="columns that must be there; a missing one is drift")
    mode: Literal["flag", "sequence", "reload"]
    flag: str = Field(default="", description="flag: the status column")
    new: tuple[str, ...] = Field(
        default=(), description="flag: its values that mean not taken; an empty text is also NULL"
    )
    claimed: str = Field(default="", description="flag: value while we work on a row")
    taken: str = Field(default="", description="flag: value after we have it")
    failed: str = Field(default="", description="flag: value of a row we cannot take; default: taken")
    note: str = Field(default="", description="column for the reason")
    taken_at: str = Field(default="", description="column for the time of taking")
    sequence: str = Field(default="", description="column that only grows: a number or a time; order of reading")
    overlap: float = Field(default=0, ge=0, description="sequence: seconds or numbers looked back again")
    where: dict[str, tuple[str, ...]] = Field(default={}, description="column to values that are read")
    gone: dict[str, str] = Field(
        default={},
        description="reload: a row that the table no longer shows is read once as its key with these values, such as"
        " {STATE: withdrawn}; left out: its disappearing means nothing",
    )
    gone_after: float = Field(
        default=3600,
        ge=0,
        description="seconds it must have been missing; an empty table is taken for one that is being filled",
    )

    @model_validator(mode="after")
    def _whole(self) -> "TableDeclaration":
        if self.mode == "flag" and not (self.flag and self.new and self.taken):
            raise ValueError("mode flag needs flag, new and taken")
        if self.gone and self.mode != "reload":
            raise ValueError("gone needs mode reload: only a whole list shows what is missing")
        if self.mode == "sequence" and not self.sequence:
            raise ValueError("mode sequence needs sequence")
        return self


class DropDeclaration(Declared):
    """A folder into which files are dropped, on this machine or by SFTP."""

    folder: str = Field(default="", description="below the address")
    match: tuple[str, ...] = Field(min_length=1, description="file name patterns, as SHUNTLIST_*.csv")
    ready: str = Field(default="", description="suffix of the marker file that says the file is complete, as .ok")
    quiet: float = Field(default=5.0, ge=0, description="without a marker: seconds without growth")
    archive: str = Field(default="done", description="folder for what was taken; empty: deleted")
    error: str = Field(default="error", description="folder for what cannot be taken, with the reason")
    leave: bool = Field(default=False, description="true: never moved or deleted; what was taken is remembered")
    order: Literal["name", "time"] = "name"
    max_bytes: int = Field(default=67_108_864, ge=1)


class TopicsDeclaration(Declared):
    """Topics of an MQTT broker."""

    topics: tuple[str, ...] = Field(min_length=1, description="filters; one that begins with $ must say so itself")
    qos: Literal[0, 1] = 1
    share: str = Field(default="", description="group of a shared subscription: several hubs divide the messages")
    retained: bool = Field(default=True, description="false: what the broker kept from before is left out")
    version: Literal["3.1.1", "5"] = "3.1.1"


class QueueDeclaration(Declared):
    """A queue of an AMQP broker."""

    queue: str
    prefetch: int = Field(default=500, ge=1)
    declare_: bool = Field(default=False, alias="declare", description="true: we create it, durable")
    bindings: tuple[tuple[str, str], ...] = Field(default=(), description="with declare: exchange and routing key")


class ReceiverDeclaration(Declared):
    """One source that is no HTTP; exactly one of table, files, mqtt, amqp."""

    every: float = Field(default=60, gt=0, description="seconds between passes; brokers push at once")
    batch: int = Field(default=200, ge=1, le=5000, description="messages committed together")
    table: TableDeclaration | None = None
    files: DropDeclaration | None = None
    mqtt: TopicsDeclaration | None = None
    amqp: QueueDeclaration | None = None
    account: AccountDeclaration = AccountDeclaration()
    timeout: float = Field(default=15.0, gt=0, le=600, description="seconds")
    charset: str = Field(default="", description="charset of its bytes; default: the system's")
    shape: tuple[Step, ...] = Field(default=(), description="default: json")
    document: str = Field(default=".", description="path to what the messages' paths begin at")
    items: Items = Field(default=None, description=ITEMS)
    messages: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:  # noqa: ANN401
        kinds = ("table", "files", "mqtt", "amqp")
        if isinstance(value, dict) and sum(kind in value for kind in kinds) != 1:
            raise ValueError(f"exactly one of {', '.join(kinds)} is expected")
        return value

    @property
    def kind(self) -> str:
        """`table`, `files`, `mqtt` or `amqp`."""
        return next(kind for kind in ("table", "files", "mqtt", "amqp") if getattr(self, kind) is not None)
