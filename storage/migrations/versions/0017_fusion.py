"""Modes of fusion: what lead systems decided beside what the city's tables would have done, and what they lead."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_index(
        "cases_led", "cases", [sa.text("(state ->> 'lead_system')"), "id"],
        postgresql_where=sa.text("state ? 'lead_system'"),
    )  # fmt: skip
    op.create_table(
        "shadow",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("class_code", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("theirs", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=False),
        sa.Column("theirs_due", _INSTANT),
        sa.Column("ours_due", _INSTANT),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "seq"),
    )
    op.create_index("shadow_at", "shadow", ["at"])
