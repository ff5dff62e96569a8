"""What the bus has not confirmed yet of what happened to cases."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "publication",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("since", _INSTANT, nullable=False),
    )
    op.create_table(
        "announcement",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False, server_default=sa.text("statement_timestamp()")),
        sa.Column("trouble", sa.Text(), nullable=False, server_default=""),
    )
    # Rows live for milliseconds: without this, their remains would be walked over until a fifth of the table is new.
    op.execute("ALTER TABLE announcement SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)")
