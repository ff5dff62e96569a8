"""Statements of reconciliation, their lines, and the differences that age over them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("ordered_by", sa.Text(), server_default="", nullable=False),
        sa.Column("step", sa.Text(), server_default="begun", nullable=False),
        sa.Column("position", sa.Text(), server_default="", nullable=False),
        sa.Column("claimed_until", _INSTANT, nullable=True),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.Column("started_at", _INSTANT, nullable=True),
        sa.Column("as_of", _INSTANT, nullable=True),
        sa.Column("finished_at", _INSTANT, nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("ours", sa.Integer(), server_default="0", nullable=False),
        sa.Column("theirs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("left_out", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("statement_day", "statement", ["system", "day", "edition"], unique=True)
    op.create_index("statement_due", "statement", ["system", "due_at"], unique=True)
    op.create_table(
        "statement_line",
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("our_state", sa.Text(), nullable=False),
        sa.Column("their_state", sa.Text(), nullable=False),
        sa.Column("our_at", _INSTANT, nullable=True),
        sa.Column("their_at", _INSTANT, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("statement_id", "subject"),
    )
    op.create_table(
        "compared",
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("statement_id", "case_id"),
    )
    op.create_table(
        "listed",
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("item", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("matched", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("statement_id", "subject"),
    )
    op.create_index("listed_id", "listed", ["statement_id", "external_id"])
    op.create_index(
        "listed_reference", "listed", ["statement_id", "reference"], postgresql_where=sa.text("reference <> ''")
    )
    op.create_table(
        "difference",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("our_state", sa.Text(), nullable=False),
        sa.Column("their_state", sa.Text(), nullable=False),
        sa.Column("our_at", _INSTANT, nullable=True),
        sa.Column("their_at", _INSTANT, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("item", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("first_seen", _INSTANT, nullable=False),
        sa.Column("last_seen", _INSTANT, nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("repair", sa.Text(), server_default="", nullable=False),
        sa.Column("repaired_at", _INSTANT, nullable=True),
        sa.Column("signed_at", _INSTANT, nullable=True),
        sa.Column("closed_at", _INSTANT, nullable=True),
        sa.Column("closed_how", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "difference_open",
        "difference",
        ["system", "subject"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "difference_act",
        sa.Column("difference_id", sa.Uuid(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("difference_id", "at", "act"),
    )
