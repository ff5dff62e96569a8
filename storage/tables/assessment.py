"""Facts of assessment, and the periods that were closed."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import INSTANT, metadata, parted

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

parted(
    fact,
    *(
        f"CREATE TABLE fact_{name} PARTITION OF fact FOR VALUES IN ({', '.join(map(repr, whats))})"
        for name, whats in FACT_PARTS.items()
    ),
    "CREATE TABLE fact_rest PARTITION OF fact DEFAULT",
)
