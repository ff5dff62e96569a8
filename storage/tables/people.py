"""People who sign in, what they looked at, and what was done to their accounts."""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Index, Table, Text, Uuid, text

from storage.tables.base import INSTANT, metadata

person = Table(
    "person",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("login", Text, nullable=False),  # lower case
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("areas", ARRAY(Text), nullable=False, server_default="{}"),
    Column("classes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("systems", ARRAY(Text), nullable=False, server_default="{}"),
    Column("units", ARRAY(Text), nullable=False, server_default="{}"),
    Column("password", Text, nullable=False, server_default=""),  # argon2id; empty: signs in elsewhere
    Column("must_change", Boolean, nullable=False, server_default="false"),
    Column("totp", Text, nullable=False, server_default=""),  # sealed; empty: no one-time codes
    Column("totp_confirmed_at", INSTANT),
    Column("totp_step", BigInteger, nullable=False, server_default="0"),  # of the last code: none is good twice
    Column("subject", Text, nullable=False, server_default=""),  # issuer and subject of OpenID Connect
    Column("disabled_at", INSTANT),
    Column("created_at", INSTANT, nullable=False),
    Column("seen_at", INSTANT),
    Index("person_login", "login", unique=True),
    Index("person_subject", "subject", unique=True, postgresql_where=text("subject <> ''")),
)

session = Table(
    "session",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of the token: who reads the table cannot sign in with it
    Column("person", Uuid, nullable=False),
    Column("way", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("seen_at", INSTANT, nullable=False),
    Column("ends_at", INSTANT, nullable=False),
    Index("session_person", "person"),
    Index("session_ends", "ends_at"),
)

sign_in = Table(  # who came in, and who did not
    "sign_in",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", INSTANT, nullable=False),
    Column("login", Text, nullable=False),
    Column("way", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("address", Text, nullable=False),
    Index("sign_in_login", "login", "id"),
)

oidc_asked = Table(  # sign-ins on their way through another provider
    "oidc_asked",
    metadata,
    Column("state", Text, primary_key=True),  # SHA-256
    Column("provider", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("back", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
)

account_change = Table(
    "account_change",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", INSTANT, nullable=False),
    Column("by", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("account_change_login", "login", "id"),
)

viewing = Table(  # each look at personal data, written before the answer
    "viewing",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", INSTANT, nullable=False),
    Column("login", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("case_no", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("viewing_login", "login", "id"),
    Index("viewing_case", "case_no", "id"),
)
