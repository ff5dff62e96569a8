"""Cases, their events, identities and messages: what intake writes and delivery changes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import INSTANT, metadata, parted

NUMBERS_AT_ONCE = 100
"""Case numbers a process takes from the sequence at a time."""
case_number = Sequence("case_number", increment=NUMBERS_AT_ONCE, metadata=metadata)

message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", INSTANT, nullable=False),
    Column("direction", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("parent", Uuid),
    Column("content_type", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("is_report", Boolean, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("case_id", Uuid),
    Column("edition", Text, nullable=False),
    Column("headers", JSONB, nullable=False, server_default="{}"),
    Column("digest", Text, nullable=False, server_default=""),  # SHA-256 of a body that was removed
    Column("xact", BigInteger, nullable=False, server_default=text("((pg_current_xact_id())::text)::bigint")),
    Index("message_case", "case_id"),
    Index("message_xact", "xact"),
    Index("message_external", "system", "external_id"),
    Index("message_deferred", "verdict", "system", postgresql_where=text("verdict IN ('quarantined', 'held')")),
    # What people look for: newest first, by system. Nothing that went well is in it.
    Index(
        "message_unwell",
        "system",
        "id",
        postgresql_where=text("verdict IN ('refused', 'quarantined', 'held', 'parked')"),
    ),
    # Retention's ways in. Neither has an entry of a report that became a case.
    Index("message_free", "id", postgresql_where=text("case_id IS NULL")),
    Index("message_part", "parent", postgresql_where=text("direction = 'in' AND parent IS NOT NULL")),
    postgresql_partition_by="RANGE (id)",
)

cases = Table(
    "cases",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("no", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("queue", Text),
    Column("source", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("class_code", Text),
    Column("area", Text),
    Column("grid", Text),
    Column("lon", Double),
    Column("lat", Double),
    Column("received_at", INSTANT, nullable=False),
    Column("due_at", INSTANT),
    Column("disposed_at", INSTANT),
    Column("closed_at", INSTANT),
    Column("state", JSONB, nullable=False),
    Column("next_step_at", INSTANT),  # when a clock has something to tell, or a suspension ends
    Index("cases_no", "no", unique=True),
    Index("cases_stage", "stage"),
    Index("cases_merged", text("(state ->> 'merged_into')"), postgresql_where=text("stage = 'merged'")),
    Index("cases_step", "next_step_at", postgresql_where=text("next_step_at IS NOT NULL")),
    Index("cases_queue", "queue", "no", postgresql_where=text("queue IS NOT NULL")),
    # What is due first of the work that is not done: few of all cases.
    Index("cases_due", "due_at", "id", postgresql_where=text("disposed_at IS NULL AND due_at IS NOT NULL")),
    Index("cases_led", text("(state ->> 'lead_system')"), "id", postgresql_where=text("state ? 'lead_system'")),
)

clock_step = Table(  # what was told of a clock: each step once for each run and extension of it
    "clock_step",
    metadata,
    Column("case_id", Uuid, nullable=False),
    Column("clock", Text, nullable=False),
    Column("of", Text, nullable=False),  # the called unit, of joint work
    Column("since", Integer, nullable=False),  # the event that started it
    Column("extension", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("seq", Integer, nullable=False),  # the event that told it
    Column("at", INSTANT, nullable=False),
    Column("told_at", INSTANT, nullable=False),
    Column("late", Boolean, nullable=False),
    PrimaryKeyConstraint("case_id", "clock", "of", "since", "extension", "step"),
)

shadow = Table(  # what a lead system decided, and beside it what the city's own tables would have done
    "shadow",
    metadata,
    Column("case_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),  # the event that tells it
    Column("at", INSTANT, nullable=False),
    Column("system", Text, nullable=False),
    Column("class_code", Text, nullable=False),  # empty: not known
    Column("step", Text, nullable=False),  # file or dispatch
    Column("theirs", Text, nullable=False),  # the action, or the unit; empty: it did not say
    Column("ours", Text, nullable=False),  # empty: left to a person
    Column("theirs_due", INSTANT),
    Column("ours_due", INSTANT),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("case_id", "seq"),
    Index("shadow_at", "at"),
)

event = Table(
    "event",
    metadata,
    Column("case_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("action", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("message_id", Uuid),
    Column("body", JSONB, nullable=False),
    # The transaction that wrote it: what was written since an instant is found however late that one was committed.
    Column("xact", BigInteger, nullable=False, server_default=text("((pg_current_xact_id())::text)::bigint")),
    PrimaryKeyConstraint("case_id", "seq"),
    Index("event_at", "at", postgresql_using="brin"),
    Index("event_xact", "xact"),
    postgresql_partition_by="RANGE (case_id)",
)

binding = Table(
    "binding",
    metadata,
    Column("system", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("case_key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    PrimaryKeyConstraint("system", "external_id"),
    Index("binding_case", "case_id"),
    Index("binding_case_key", "system", "case_key", postgresql_where=text("case_key <> ''")),
    Index("binding_visible", text("(body ->> 'visible_no')"), postgresql_where=text("body ? 'visible_no'")),
    Index("binding_fingerprint", "system", "fingerprint", postgresql_where=text("fingerprint <> ''")),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("system", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("event_seq", Integer, nullable=False),
    Column("message", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("in_doubt", Boolean, nullable=False, server_default="false"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", INSTANT, nullable=False),
    Column("next_at", INSTANT, nullable=False),  # when an open one is looked at again: due, or its lease ends
    Column("done_at", INSTANT),
    Column("why", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("message_id", Uuid),
    Column("claims", Integer, nullable=False, server_default="0"),  # never set back: tells one holder from another
    Column("sent_at", INSTANT),  # when it last left, as far as we know
    Column("since", INSTANT),  # when its present attempts began
    Column("replays", Uuid),  # of a replay: the message whose very bytes are sent again
    Column("edition", Text, nullable=False, server_default=""),  # of a replay: what writes it; empty: today's
    Index("delivery_id", "id"),
    postgresql_partition_by="LIST (state)",
)

_QUEUE = "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0"
parted(message, "CREATE TABLE message_rest PARTITION OF message DEFAULT")
parted(event, "CREATE TABLE event_rest PARTITION OF event DEFAULT")
parted(
    delivery,
    f"CREATE TABLE delivery_open PARTITION OF delivery DEFAULT WITH ({_QUEUE})",
    "CREATE UNIQUE INDEX delivery_lane ON delivery_open (case_id, system, seq)",
    "CREATE INDEX delivery_due ON delivery_open (system, next_at) WHERE state IN ('pending', 'in_doubt', 'sent')",
    "CREATE INDEX delivery_on_the_way ON delivery_open (system) WHERE state IN ('sent', 'in_doubt')",
    "CREATE INDEX delivery_stuck ON delivery_open (system, done_at) WHERE state IN ('parked', 'refused')",
    "CREATE TABLE delivery_done PARTITION OF delivery FOR VALUES IN ('acknowledged', 'withdrawn')"
    " PARTITION BY RANGE (case_id)",
    "CREATE UNIQUE INDEX delivery_done_lane ON delivery_done (case_id, system, seq)",
    "CREATE TABLE delivery_done_rest PARTITION OF delivery_done DEFAULT",
)
