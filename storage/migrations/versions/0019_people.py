"""People who sign in, their sessions, and what they looked at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0019"
down_revision = "0018"

_INSTANT = sa.DateTime(timezone=True)
_TEXTS = ARRAY(sa.Text())


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("areas", _TEXTS, nullable=False, server_default="{}"),
        sa.Column("classes", _TEXTS, nullable=False, server_default="{}"),
        sa.Column("systems", _TEXTS, nullable=False, server_default="{}"),
        sa.Column("units", _TEXTS, nullable=False, server_default="{}"),
        sa.Column("password", sa.Text(), nullable=False, server_default=""),
        sa.Column("must_change", sa.Boolean(), nullable=False, server_default="false"),
        sa.Column("totp", sa.Text(), nullable=False, server_default=""),
        sa.Column("totp_confirmed_at", _INSTANT),
        sa.Column("totp_step", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("subject", sa.Text(), nullable=False, server_default=""),
        sa.Column("disabled_at", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("seen_at", _INSTANT),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("person_login", "person", ["login"], unique=True)
    op.create_index("person_subject", "person", ["subject"], unique=True, postgresql_where=sa.text("subject <> ''"))
    op.create_table(
        "session",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("session_person", "session", ["person"])
    op.create_index("session_ends", "session", ["ends_at"])
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sign_in_login", "sign_in", ["login", "id"])
    op.create_table(
        "oidc_asked",
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("back", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("state"),
    )
    op.create_table(
        "account_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("account_change_login", "account_change", ["login", "id"])
    op.create_table(
        "viewing",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("viewing_login", "viewing", ["login", "id"])
    op.create_index("viewing_case", "viewing", ["case_no", "id"])
