"""Delivery states people can read, one time at which an open row is looked at again, and what workers share."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INSTANT = sa.DateTime(timezone=True)
_OPEN = sa.text("state IN ('pending', 'in_doubt', 'sent')")


def upgrade() -> None:
    op.drop_index("delivery_due", "delivery")
    op.drop_index("delivery_state", "delivery")
    op.add_column("delivery", sa.Column("claims", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("delivery", sa.Column("sent_at", _INSTANT))
    op.add_column("delivery", sa.Column("since", _INSTANT))
    op.execute(
        "UPDATE delivery SET claims = attempts, next_at = coalesce(lease_until, next_at) WHERE state = 'sending'"
    )
    op.execute("""
    UPDATE delivery SET state = CASE
        WHEN state = 'waiting' THEN CASE WHEN in_doubt THEN 'in_doubt' ELSE 'pending' END
        WHEN state = 'sending' THEN 'sent'
        WHEN why = 'not_taken' AND NOT in_doubt THEN 'refused'
        ELSE state END
     WHERE state IN ('waiting', 'sending', 'parked')
    """)
    op.alter_column("delivery", "state", server_default="pending")
    op.drop_column("delivery", "lease_until")
    op.create_index("delivery_due", "delivery", ["system", "next_at"], postgresql_where=_OPEN)
    on_the_way = sa.text("state IN ('sent', 'in_doubt')")
    op.create_index("delivery_on_the_way", "delivery", ["system"], postgresql_where=on_the_way)
    stuck = sa.text("state IN ('parked', 'refused')")
    op.create_index("delivery_stuck", "delivery", ["system", "done_at"], postgresql_where=stuck)
    op.create_table(
        "switch",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("off", sa.Boolean(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("system", "what"),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("breakers", sa.Text(), nullable=False, server_default="{}"),
    )
