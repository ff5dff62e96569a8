"""The tables. Present state beside events, raw bytes in the journal, one row a delivery.

There are no foreign keys: all writers go through one transaction in this room, and the checks would cost more than the
rows (see docs/adr/0003). A test counts orphans instead.
"""

from sqlalchemy import (
    ARRAY,
    DDL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy import event as happening
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
INSTANT = DateTime(timezone=True)

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

FACT_MARKED = "supervised <> '' OR exempt OR suspended OR forced OR leader_assigned"

fact = Table(  # canonical.fact.Fact, from run `since_run` up to, and without, run `until_run`
    "fact",
    metadata,
    Column("case_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("what", Text, nullable=False),
    Column("since_run", Integer, nullable=False),
    Column("until_run", Integer, nullable=False),
    Column("case_no", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("due_at", INSTANT),
    Column("done_at", INSTANT),
    Column("done_seq", Integer, nullable=False),
    Column("spent_seconds", Integer, nullable=False),
    Column("person", Text, nullable=False),
    Column("post", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("grid", Text, nullable=False),
    Column("class_code", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("supervised", Text, nullable=False),
    Column("exempt", Boolean, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("on_the_spot", Boolean, nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("extensions", Integer, nullable=False),
    Column("reworks", Integer, nullable=False),
    Column("returns", Integer, nullable=False),
    Column("as_at", INSTANT, nullable=False, server_default="9999-12-31 UTC"),
    Column("leader_assigned", Boolean, nullable=False, server_default="false"),
    Column("moved_at", INSTANT, nullable=False, server_default="1970-01-01 UTC"),
    PrimaryKeyConstraint("case_id", "seq", "what", "unit", "as_at", "since_run"),
    Index("fact_at", "at"),
    Index("fact_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("fact_done", "done_at", postgresql_where=text("done_seq > seq")),  # clocks that were stopped
    Index("fact_running", "done_seq", "at", postgresql_where=text("done_seq = 0")),
    Index("fact_unit", "unit", "at"),
    Index("fact_unit_due", "unit", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("fact_unit_done", "unit", "done_at", postgresql_where=text("done_seq > seq")),
    Index("fact_area", "area"),
    Index("fact_grid", "grid"),
    Index("fact_person", "person"),
    # Rare and asked for: supervised cases, upheld appeals, what stands still or was closed by force.
    Index("fact_marked", "at", "supervised", postgresql_where=text(FACT_MARKED)),
    Index("fact_replaced", "until_run", postgresql_where=text("until_run < 2147483647")),
    postgresql_partition_by="LIST (what)",
)

FACT_PARTS = {  # what is counted most lies apart: a counter reads nothing else
    "collect": ("action.collect",), "file": ("action.file",), "dispatch": ("action.dispatch", "action.redispatch"),
    "dispose": ("action.dispose",), "check": ("action.check",), "close": ("action.close",),
    "clock_accept": ("clock.accept",), "clock_file": ("clock.file",), "clock_dispatch": ("clock.dispatch",),
    "clock_sign": ("clock.sign",), "clock_disposal": ("clock.disposal",), "clock_check": ("clock.check",),
    "clock_close": ("clock.close",), "clock_reply": ("clock.reply",), "clock_case": ("clock.case",),
}  # fmt: skip

fact_run = Table(  # an update of the facts: which events it took, and when it was through
    "fact_run",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("opened_at", INSTANT, nullable=False),
    Column("finished_at", INSTANT),
    Column("since", BigInteger, nullable=False),  # event.xact from which on it looked
    Column("oldest", BigInteger, nullable=False),  # the oldest transaction under way when it began
    Column("server", Text, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("facts", Integer, nullable=False, server_default="0"),
    Column("trouble", Text, nullable=False, server_default=""),
)

fact_todo = Table(  # cases of the run under way whose facts are still to be made
    "fact_todo",
    metadata,
    Column("case_id", Uuid, primary_key=True),
)

fact_end = Table(  # ends of closed days and weeks that facts are kept as at; those of months always are
    "fact_end",
    metadata,
    Column("at", INSTANT, primary_key=True),
    Column("run", Integer),  # the run that made them first; empty: the next one will
)

assessment_edition = Table(  # a closed period: never changed, and followed by the next edition where it was wrong
    "assessment_edition",
    metadata,
    Column("period", Text, nullable=False),
    Column("edition", Integer, nullable=False),
    Column("run", Integer, nullable=False),
    Column("rules", Text, nullable=False),
    Column("rulebook", JSONB, nullable=False),
    Column("first", INSTANT, nullable=False),
    Column("last", INSTANT, nullable=False),
    Column("as_of", INSTANT, nullable=False),
    Column("closed_at", INSTANT, nullable=False),
    Column("closed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("digest", Text, nullable=False),
    PrimaryKeyConstraint("period", "edition"),
)

assessment_sheet = Table(  # assessment.sheet.Sheet as `content`
    "assessment_sheet",
    metadata,
    Column("period", Text, nullable=False),
    Column("edition", Integer, nullable=False),
    Column("by", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("digest", Text, nullable=False),
    PrimaryKeyConstraint("period", "edition", "by"),
)

_QUEUE = "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0"
PARTITIONS = {  # what no model can say; the months themselves, storage.partitions makes
    message: ("CREATE TABLE message_rest PARTITION OF message DEFAULT",),
    event: ("CREATE TABLE event_rest PARTITION OF event DEFAULT",),
    delivery: (
        f"CREATE TABLE delivery_open PARTITION OF delivery DEFAULT WITH ({_QUEUE})",
        "CREATE UNIQUE INDEX delivery_lane ON delivery_open (case_id, system, seq)",
        "CREATE INDEX delivery_due ON delivery_open (system, next_at) WHERE state IN ('pending', 'in_doubt', 'sent')",
        "CREATE INDEX delivery_on_the_way ON delivery_open (system) WHERE state IN ('sent', 'in_doubt')",
        "CREATE INDEX delivery_stuck ON delivery_open (system, done_at) WHERE state IN ('parked', 'refused')",
        "CREATE TABLE delivery_done PARTITION OF delivery FOR VALUES IN ('acknowledged', 'withdrawn')"
        " PARTITION BY RANGE (case_id)",
        "CREATE UNIQUE INDEX delivery_done_lane ON delivery_done (case_id, system, seq)",
        "CREATE TABLE delivery_done_rest PARTITION OF delivery_done DEFAULT",
    ),
    fact: (
        *(
            f"CREATE TABLE fact_{name} PARTITION OF fact FOR VALUES IN ({', '.join(map(repr, whats))})"
            for name, whats in FACT_PARTS.items()
        ),
        "CREATE TABLE fact_rest PARTITION OF fact DEFAULT",
    ),
}
for _table, _statements in PARTITIONS.items():
    for _statement in _statements:
        happening.listen(_table, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]

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

retention_cut = Table(  # what was removed, by which policy: never removed itself
    "retention_cut",
    metadata,
    Column("run", Uuid, nullable=False),
    Column("class", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("before", INSTANT, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("policy", Text, nullable=False),
    PrimaryKeyConstraint("run", "class", "what", "part"),
)

seal = Table(  # a tree over the rows from where the seal before ended up to `upto_*`, in that order
    "seal",
    metadata,
    Column("no", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed_at", INSTANT, nullable=False),
    Column("header", Text, nullable=False),  # the very text that is a leaf of the chain
    Column("head", Text, nullable=False),  # of the chain, with this seal
    Column("nodes", LargeBinary, nullable=False),  # of the chain's tree: all that end with this seal
    Column("upto_xact", BigInteger, nullable=False),
    Column("upto_kind", Integer, nullable=False),
    Column("upto_id", Uuid, nullable=False),
    Column("upto_seq", Integer, nullable=False),
    Column("ids", ARRAY(Uuid), nullable=False),
    Column("seqs", ARRAY(Integer), nullable=False),  # of events; 0: a message
    Column("leaves", LargeBinary, nullable=False),  # their digests, one after the other
    Column("salt", LargeBinary, nullable=False),  # what commitments are salted with: leaves the hub for single fields
    Index("seal_upto", "upto_xact", "upto_kind", "upto_id", "upto_seq", unique=True),
    Index("seal_at", "sealed_at"),
)

sealing = Table(  # the transaction with which sealing began; how far those of a restored database are counted on
    "sealing",
    metadata,
    Column("at", INSTANT, primary_key=True),
    Column("start", BigInteger, nullable=False),
    Column("shift", BigInteger, nullable=False),
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

statement = Table(  # a system's statement of a day, from its beginning: who is at it, and how far
    "statement",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("system", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("edition", Integer, nullable=False),
    Column("due_at", INSTANT, nullable=False),
    Column("way", Text, nullable=False),
    Column("ordered_by", Text, nullable=False, server_default=""),
    Column("step", Text, nullable=False, server_default="begun"),
    Column("position", Text, nullable=False, server_default=""),
    Column("claimed_until", INSTANT),
    Column("claimed_by", Uuid),
    Column("started_at", INSTANT),
    Column("as_of", INSTANT),
    Column("finished_at", INSTANT),
    Column("counts", JSONB, nullable=False, server_default="{}"),
    Column("ours", Integer, nullable=False, server_default="0"),
    Column("theirs", Integer, nullable=False, server_default="0"),
    Column("left_out", Integer, nullable=False, server_default="0"),
    Column("trouble", Text, nullable=False, server_default=""),
    Index("statement_day", "system", "day", "edition", unique=True),
    Index("statement_due", "system", "due_at", unique=True),
)

statement_line = Table(  # what a statement says besides that both agree
    "statement_line",
    metadata,
    Column("statement_id", Uuid, nullable=False),
    Column("subject", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("case_no", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("our_state", Text, nullable=False),
    Column("their_state", Text, nullable=False),
    Column("our_at", INSTANT),
    Column("their_at", INSTANT),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("statement_id", "subject"),
)

compared = Table(  # the cases of a statement under way
    "compared",
    metadata,
    Column("statement_id", Uuid, nullable=False),
    Column("case_id", Uuid, nullable=False),
    PrimaryKeyConstraint("statement_id", "case_id"),
)

listed = Table(  # what the system listed for a statement under way
    "listed",
    metadata,
    Column("statement_id", Uuid, nullable=False),
    Column("subject", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("item", JSONB, nullable=False),
    Column("matched", Boolean, nullable=False, server_default="false"),
    PrimaryKeyConstraint("statement_id", "subject"),
    Index("listed_id", "statement_id", "external_id"),
    Index("listed_reference", "statement_id", "reference", postgresql_where=text("reference <> ''")),
)

difference = Table(  # it ages over statements until it is gone, repaired or signed off
    "difference",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("system", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Column("case_id", Uuid),
    Column("case_no", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("our_state", Text, nullable=False),
    Column("their_state", Text, nullable=False),
    Column("our_at", INSTANT),
    Column("their_at", INSTANT),
    Column("text", Text, nullable=False),
    Column("item", JSONB),
    Column("first_seen", INSTANT, nullable=False),
    Column("last_seen", INSTANT, nullable=False),
    Column("statement_id", Uuid, nullable=False),
    Column("repair", Text, nullable=False, server_default=""),
    Column("repaired_at", INSTANT),
    Column("signed_at", INSTANT),
    Column("closed_at", INSTANT),
    Column("closed_how", Text, nullable=False, server_default=""),
    Index("difference_open", "system", "subject", unique=True, postgresql_where=text("closed_at IS NULL")),
)

difference_act = Table(  # who did what about a difference, and why
    "difference_act",
    metadata,
    Column("difference_id", Uuid, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("act", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    PrimaryKeyConstraint("difference_id", "at", "act"),
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

edition = Table(  # a system's folder as it was loaded, so that what it read can be read by it again
    "edition",
    metadata,
    Column("system", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("declared", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("first_at", INSTANT, nullable=False),
    Column("last_at", INSTANT, nullable=False),
    PrimaryKeyConstraint("system", "digest"),
)

replay = Table(  # a ledger: who let what go again, when and why. canonical.replay.Chosen as `chosen`
    "replay",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("system", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("edition", Text, nullable=False),
    Column("on_failure", Text, nullable=False),
    Column("chosen", JSONB, nullable=False),
    Column("counts", JSONB, nullable=False),
    Column("total", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("actor", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("planned_at", INSTANT, nullable=False),
    Column("started_at", INSTANT),
    Column("ended_at", INSTANT),
    Index("replay_running", "state", postgresql_where=text("state = 'running'")),
)

replay_item = Table(
    "replay_item",
    metadata,
    Column("replay", Uuid, nullable=False),
    Column("no", Integer, nullable=False),
    Column("subject", Uuid, nullable=False),  # the message, or the delivery, that is replayed
    Column("original", Uuid),  # the message whose bytes are read or sent again
    Column("lane", Text, nullable=False),
    Column("case_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("was", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="planned"),
    Column("result", Uuid),  # the new row of the journal, or the delivery
    Column("outcome", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("done_at", INSTANT),
    PrimaryKeyConstraint("replay", "no"),
    Index("replay_item_subject", "replay", "subject", unique=True),
    # Whoever begins something takes its round: two plans of the same, begun at once, do it once.
    Index(
        "replay_item_once",
        "subject",
        "round",
        unique=True,
        postgresql_where=text("state IN ('begun', 'done', 'failed')"),
    ),
    Index("replay_item_result", "result", postgresql_where=text("result IS NOT NULL")),
    Index("replay_item_case", "case_id", postgresql_where=text("case_id IS NOT NULL")),
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
