"""Facts as at a period's end, beside those of today; when the case last moved; whether a leader handed it down."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Constant defaults: no row is written anew. What a closed edition rests on is counted as it was.
    op.add_column("fact", sa.Column("as_at", _INSTANT, nullable=False, server_default="9999-12-31 UTC"))
    op.add_column("fact", sa.Column("moved_at", _INSTANT, nullable=False, server_default="1970-01-01 UTC"))
    op.add_column("fact", sa.Column("leader_assigned", sa.Boolean(), nullable=False, server_default="false"))
    op.drop_index("fact_marked", "fact")
    op.create_index(
        "fact_marked", "fact", ["at", "supervised"],
        postgresql_where=sa.text("supervised <> '' OR exempt OR suspended OR forced OR leader_assigned"),
    )  # fmt: skip
    op.drop_constraint("fact_pkey", "fact")
    op.create_primary_key("fact_pkey", "fact", ["case_id", "seq", "what", "unit", "as_at", "since_run"])
    op.create_table(
        "fact_end",
        sa.Column("at", _INSTANT, primary_key=True),
        sa.Column("run", sa.Integer()),
    )
    # The next run takes every case once, as on a server that it does not know.
    op.execute("UPDATE fact_run SET server = '' WHERE number = (SELECT max(number) FROM fact_run)")
