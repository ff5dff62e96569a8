"""What retention needs: the digest of a removed body, its ways into the journal, its ledger; numbers found by index."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("message", sa.Column("digest", sa.Text(), server_default="", nullable=False))
    op.create_index("message_free", "message", ["id"], postgresql_where=sa.text("case_id IS NULL"))
    op.create_index(
        "message_part", "message", ["parent"], postgresql_where=sa.text("direction = 'in' AND parent IS NOT NULL")
    )
    op.execute("CREATE INDEX cases_merged ON cases ((state ->> 'merged_into')) WHERE stage = 'merged'")
    op.execute("CREATE INDEX binding_visible ON binding ((body ->> 'visible_no')) WHERE body ? 'visible_no'")
    op.create_table(
        "retention_cut",
        sa.Column("run", sa.Uuid(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("before", _INSTANT, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "class", "what", "part"),
    )
