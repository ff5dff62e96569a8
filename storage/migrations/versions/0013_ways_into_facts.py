"""Ways into the facts of a figure: a unit's in the order of time, and the rare ones that are asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.drop_index("fact_unit", "fact")
    op.create_index("fact_unit", "fact", ["unit", "at"])
    op.create_index("fact_unit_due", "fact", ["unit", "due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_index("fact_unit_done", "fact", ["unit", "done_at"], postgresql_where=sa.text("done_seq > seq"))
    op.create_index(
        "fact_marked", "fact", ["at", "supervised"],
        postgresql_where=sa.text("supervised <> '' OR exempt OR suspended OR forced"),
    )  # fmt: skip
