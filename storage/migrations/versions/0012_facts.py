"""Facts of assessment, versioned by the run that made them; closed editions; which transaction wrote an event."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"

_INSTANT = sa.DateTime(timezone=True)
_TEXTS = ("person", "post", "party", "system", "source", "area", "grid", "class_code", "urgency", "level", "stage",
          "result", "supervised")  # fmt: skip
_PARTS = {
    "collect": "'action.collect'", "file": "'action.file'", "dispatch": "'action.dispatch', 'action.redispatch'",
    "dispose": "'action.dispose'", "check": "'action.check'", "close": "'action.close'",
    "clock_accept": "'clock.accept'", "clock_file": "'clock.file'", "clock_dispatch": "'clock.dispatch'",
    "clock_sign": "'clock.sign'", "clock_disposal": "'clock.disposal'", "clock_check": "'clock.check'",
    "clock_close": "'clock.close'", "clock_reply": "'clock.reply'", "clock_case": "'clock.case'",
}  # fmt: skip


def upgrade() -> None:
    # The default is the same for all rows that are there, so none is written anew.
    op.execute("ALTER TABLE event ADD COLUMN xact bigint NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint")
    op.execute("CREATE INDEX event_xact ON event USING brin (xact) WITH (autosummarize = on)")
    _fact()
    op.create_table(
        "fact_run",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("finished_at", _INSTANT),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("oldest", sa.BigInteger(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("trouble", sa.Text(), nullable=False, server_default=""),
    )
    op.create_table("fact_todo", sa.Column("case_id", sa.Uuid(), primary_key=True))
    _editions()


def _fact() -> None:
    op.create_table(
        "fact",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("since_run", sa.Integer(), nullable=False),
        sa.Column("until_run", sa.Integer(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("due_at", _INSTANT),
        sa.Column("done_at", _INSTANT),
        sa.Column("done_seq", sa.Integer(), nullable=False),
        sa.Column("spent_seconds", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        *(sa.Column(n, sa.Boolean(), nullable=False) for n in ("exempt", "forced", "on_the_spot", "suspended")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("extensions", "reworks", "returns")),
        sa.PrimaryKeyConstraint("case_id", "seq", "what", "unit", "since_run"),
        postgresql_partition_by="LIST (what)",
    )
    op.create_index("fact_at", "fact", ["at"])
    op.create_index("fact_due", "fact", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_index("fact_done", "fact", ["done_at"], postgresql_where=sa.text("done_seq > seq"))
    op.create_index("fact_running", "fact", ["done_seq", "at"], postgresql_where=sa.text("done_seq = 0"))
    for name in ("unit", "area", "grid", "person"):
        op.create_index(f"fact_{name}", "fact", [name])
    op.create_index("fact_replaced", "fact", ["until_run"], postgresql_where=sa.text("until_run < 2147483647"))
    for name, whats in _PARTS.items():
        op.execute(f"CREATE TABLE fact_{name} PARTITION OF fact FOR VALUES IN ({whats})")
    op.execute("CREATE TABLE fact_rest PARTITION OF fact DEFAULT")


def _editions() -> None:
    op.create_table(
        "assessment_edition",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("rulebook", JSONB(), nullable=False),
        sa.Column("first", _INSTANT, nullable=False),
        sa.Column("last", _INSTANT, nullable=False),
        sa.Column("as_of", _INSTANT, nullable=False),
        sa.Column("closed_at", _INSTANT, nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("period", "edition"),
    )
    op.create_table(
        "assessment_sheet",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("period", "edition", "by"),
    )
