"""When the clock alone lets a device have its case, and which message that case is opened of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("alarm", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alarm", sa.Column("message_id", sa.Uuid(), nullable=True))
    op.create_index("alarm_due", "alarm", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
