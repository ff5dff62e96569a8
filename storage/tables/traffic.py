"""What goes between the hub and other systems: switches, positions, alarms, files and notices."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import INSTANT, metadata

switch = Table(  # what people have switched off for a system, at once and for all processes
    "switch",
    metadata,
    Column("system", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("off", Boolean, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("system", "what"),
)

switch_turn = Table(  # every turn of a switch: who, when and why
    "switch_turn",
    metadata,
    Column("turn", BigInteger, Identity(always=True), primary_key=True),
    Column("system", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("off", Boolean, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

worker = Table(  # processes that live: each takes its share of what a system may be burdened with
    "worker",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("roles", Text, nullable=False),
    Column("started_at", INSTANT, nullable=False),
    Column("seen_at", INSTANT, nullable=False),
    Column("breakers", Text, nullable=False, server_default="{}"),
)

traffic_count = Table(  # messages by ten minutes: what error rates are made of. Kept for two days
    "traffic_count",
    metadata,
    Column("system", Text, nullable=False),
    Column("slot", INSTANT, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    PrimaryKeyConstraint("system", "slot"),
)

pulse = Table(  # when a system was last heard, and last reached
    "pulse",
    metadata,
    Column("system", Text, primary_key=True),
    Column("heard_at", INSTANT),
    Column("reached_at", INSTANT),
)

traffic_counted = Table(  # one row: no message before this id is to be counted any more
    "traffic_counted",
    metadata,
    Column("upto", Uuid, primary_key=True),
)

cursor = Table(
    "cursor",
    metadata,
    Column("system", Text, nullable=False),
    Column("pull", Text, nullable=False),
    Column("until", INSTANT),
    Column("claimed_until", INSTANT),
    Column("polled_at", INSTANT),
    Column("trouble", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("system", "pull"),
)

memory = Table(  # what a receiver or a full-list pull remembers between its runs: how far it came
    "memory",
    metadata,
    Column("system", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("position", Text, nullable=False, server_default=""),
    Column("claimed_until", INSTANT),
    Column("claimed_by", Uuid),
    Column("seen_at", INSTANT),
    Column("trouble", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("system", "name"),
)

seen = Table(  # what was durable with us when it was last seen, for full lists and reloads
    "seen",
    metadata,
    Column("system", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("seen_at", INSTANT, nullable=False),
    PrimaryKeyConstraint("system", "name", "key"),
)

alarm = Table(  # canonical.alarm.AlarmState as `state`
    "alarm",
    metadata,
    Column("system", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("case_id", Uuid),
    Column("seen_at", INSTANT, nullable=False),
    Column("state", JSONB, nullable=False),
    Column("due_at", INSTANT),  # as in the state, or how long a worker has it in hand
    Column("message_id", Uuid),
    PrimaryKeyConstraint("system", "device", "kind"),
    Index("alarm_case", "case_id", postgresql_where=text("case_id IS NOT NULL")),
    Index("alarm_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
)

alarm_cap = Table(  # canonical.alarm.CapState as `state`
    "alarm_cap",
    metadata,
    Column("system", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", JSONB, nullable=False),
    PrimaryKeyConstraint("system", "kind"),
)

attachment = Table(  # a file of a case: fetched as a step of its own, with its own retry
    "attachment",
    metadata,
    Column("case_id", Uuid, nullable=False),
    Column("url", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("file_id", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", INSTANT, nullable=False),
    Column("next_at", INSTANT, nullable=False),
    Column("lease_until", INSTANT),
    Column("content", LargeBinary),
    Column("sha256", Text, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("media", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("case_id", "url"),
    Index("attachment_due", "system", "next_at", postgresql_where=text("state IN ('waiting', 'fetching')")),
)

publication = Table(  # a row: from then on what happens to cases is announced
    "publication",
    metadata,
    Column("name", Text, primary_key=True),
    Column("since", INSTANT, nullable=False),
)

announcement = Table(  # events first .. last of a case that the bus has not confirmed yet
    "announcement",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("case_id", Uuid, nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("at", INSTANT, nullable=False, server_default=text("statement_timestamp()")),
    Column("trouble", Text, nullable=False, server_default=""),
)

notice = Table(  # from the first failure of a system until nothing of it waits for a person
    "notice",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("source", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("opened_at", INSTANT, nullable=False),
    Column("told", Integer, nullable=False),
    Column("told_at", INSTANT, nullable=False),
    Column("count", Integer, nullable=False),
    Column("closed_at", INSTANT),
    Index("notice_open", "source", "system", unique=True, postgresql_where=text("closed_at IS NULL")),
)

notice_telling = Table(  # an occasion of a notice on its way over one channel
    "notice_telling",
    metadata,
    Column("notice", Uuid, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="due"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", INSTANT, nullable=False),
    Column("next_at", INSTANT, nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("notice", "occasion", "channel"),
    Index("notice_telling_due", "next_at", postgresql_where=text("state = 'due'")),
)
