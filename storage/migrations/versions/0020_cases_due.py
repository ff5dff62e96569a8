"""Work that is not done by when it is due: lists of it are read from the front."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    where = sa.text("disposed_at IS NULL AND due_at IS NOT NULL")
    op.create_index("cases_due", "cases", ["due_at", "id"], postgresql_where=where)
