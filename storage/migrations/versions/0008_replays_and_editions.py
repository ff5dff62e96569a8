"""The ledger of replays, and the editions of declarations that they may choose."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("delivery", sa.Column("replays", sa.Uuid(), nullable=True))
    op.add_column("delivery", sa.Column("edition", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "edition",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("declared", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("first_at", _INSTANT, nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("system", "digest"),
    )
    op.create_table(
        "replay",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("on_failure", sa.Text(), nullable=False),
        sa.Column("chosen", JSONB(), nullable=False),
        sa.Column("counts", JSONB(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False, server_default=""),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("text", sa.Text(), nullable=False, server_default=""),
        sa.Column("planned_at", _INSTANT, nullable=False),
        sa.Column("started_at", _INSTANT, nullable=True),
        sa.Column("ended_at", _INSTANT, nullable=True),
    )
    op.create_index("replay_running", "replay", ["state"], postgresql_where=sa.text("state = 'running'"))
    _items()


def _items() -> None:
    op.create_table(
        "replay_item",
        sa.Column("replay", sa.Uuid(), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("original", sa.Uuid(), nullable=True),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("was", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="planned"),
        sa.Column("result", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False, server_default=""),
        sa.Column("text", sa.Text(), nullable=False, server_default=""),
        sa.Column("done_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("replay", "no"),
    )
    op.create_index("replay_item_subject", "replay_item", ["replay", "subject"], unique=True)
    begun = sa.text("state IN ('begun', 'done', 'failed')")
    op.create_index("replay_item_once", "replay_item", ["subject", "round"], unique=True, postgresql_where=begun)
    for name in ("result", "case_id"):
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"replay_item_{name.removesuffix('_id')}", "replay_item", [name], postgresql_where=where)
