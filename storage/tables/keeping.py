"""What is kept of the keeping itself: removals, seals, editions and replays."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
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

code_row = Table(  # rows of code tables that people added while the hub ran: never changed, a later one replaces
    "code_row",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("system", Text, nullable=False),
    Column("table", Text, nullable=False),
    Column("local", Text, nullable=False),
    Column("canonical", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Index("code_row_key", "system", "table", "local"),
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
