"""Seals: which transaction wrote a message, as it is known of events, and the chain over both.

No row is rewritten. What is there has this transaction or an earlier one, and is sealed by its keys.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("ALTER TABLE message ADD COLUMN xact bigint NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint")
    op.execute("DROP INDEX event_xact")
    for table in ("message", "event"):  # what is looked for is a few rows among all, and at once
        op.create_index(f"{table}_xact", table, ["xact"])
    op.create_table(
        "seal",
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=False),
        sa.Column("upto_xact", sa.BigInteger(), nullable=False),
        sa.Column("upto_kind", sa.Integer(), nullable=False),
        sa.Column("upto_id", sa.Uuid(), nullable=False),
        sa.Column("upto_seq", sa.Integer(), nullable=False),
        sa.Column("ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("seqs", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("no"),
    )
    op.create_index("seal_upto", "seal", ["upto_xact", "upto_kind", "upto_id", "upto_seq"], unique=True)
    op.create_index("seal_at", "seal", ["sealed_at"])
    op.create_table(
        "sealing",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("shift", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at"),
    )
    op.execute("INSERT INTO sealing SELECT now(), ((pg_current_xact_id())::text)::bigint, 0")
