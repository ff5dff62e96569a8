"""Other servers' maps: how each stood when it was last asked, and what it no longer offers, or newly does."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0018"
down_revision = "0017"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "upstream_look",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("looked_at", _INSTANT),
        sa.Column("state", sa.Text(), nullable=False, server_default=""),
        sa.Column("since", _INSTANT),
        sa.Column("why", sa.Text(), nullable=False, server_default=""),
        sa.Column("seconds", sa.Float()),
        sa.Column("hint", sa.Text(), nullable=False, server_default=""),
        sa.Column("missing", ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.Column("missing_since", _INSTANT),
        sa.Column("offered", JSONB()),
        sa.Column("claimed_until", _INSTANT),
        sa.Column("claimed_by", sa.Uuid()),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "upstream_drift",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("upstream_drift_at", "upstream_drift", ["name", "at"])
