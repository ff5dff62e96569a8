"""The board of systems: messages by ten minutes, when each system was heard and reached, and each turn of a switch."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "traffic_count",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("slot", _INSTANT, nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system", "slot"),
    )
    op.create_table(
        "pulse",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("heard_at", _INSTANT),
        sa.Column("reached_at", _INSTANT),
        sa.PrimaryKeyConstraint("system"),
    )
    op.create_table(
        "switch_turn",
        sa.Column("turn", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("off", sa.Boolean(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("turn"),
    )
    op.execute(
        "INSERT INTO switch_turn (system, what, off, at, actor, reason)"
        " SELECT system, what, off, at, actor, reason FROM switch ORDER BY at"
    )
    op.create_table("traffic_counted", sa.Column("upto", sa.Uuid(), nullable=False), sa.PrimaryKeyConstraint("upto"))
