"""What cases are found by: terms beside each case, and how far they were taken in."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "search_case",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("terms", sa.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("case_id"),
    )
    op.create_index("search_case_terms", "search_case", ["terms"], postgresql_using="gin")
    op.create_table(
        "search_position",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("building", sa.Uuid()),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("one"),
    )
