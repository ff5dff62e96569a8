"""What happened in a range of time is found without reading all that ever happened."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Events are only ever added: ranges of blocks are enough, and cost the intake next to nothing.
    op.create_index("event_at", "event", ["at"], postgresql_using="brin")
