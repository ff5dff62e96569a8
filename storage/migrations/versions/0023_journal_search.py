"""What did not go well in the journal, by system and time: what people look for."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_index(
        "message_unwell",
        "message",
        ["system", "id"],
        postgresql_where=sa.text("verdict IN ('refused', 'quarantined', 'held', 'parked')"),
    )
