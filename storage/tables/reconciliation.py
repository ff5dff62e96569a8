"""Statements of our cases and theirs, and the differences between them."""

from sqlalchemy import Boolean, Column, Date, Index, Integer, PrimaryKeyConstraint, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import INSTANT, metadata

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
