"""Clocks: when something is to be told of a case, and what was told."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("cases", sa.Column("next_step_at", _INSTANT))
    op.create_index("cases_step", "cases", ["next_step_at"], postgresql_where=sa.text("next_step_at IS NOT NULL"))
    op.create_table(
        "clock_step",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.Column("extension", sa.Integer(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("told_at", _INSTANT, nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "clock", "of", "since", "extension", "step"),
    )
