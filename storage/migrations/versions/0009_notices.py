"""What people were told of deliveries that wait for them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("told_at", _INSTANT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("closed_at", _INSTANT, nullable=True),
    )
    still = sa.text("closed_at IS NULL")
    op.create_index("notice_open", "notice", ["source", "system"], unique=True, postgresql_where=still)
    op.create_table(
        "notice_telling",
        sa.Column("notice", sa.Uuid(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="due"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("next_at", _INSTANT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("notice", "occasion", "channel"),
    )
    due = sa.text("state = 'due'")
    op.create_index("notice_telling_due", "notice_telling", ["next_at"], postgresql_where=due)
