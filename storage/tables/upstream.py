"""What is known of other servers' maps."""

from sqlalchemy import ARRAY, Column, Float, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import INSTANT, metadata

upstream_look = Table(  # one row a service: the last look, and who is looking now
    "upstream_look",
    metadata,
    Column("name", Text, primary_key=True),
    Column("looked_at", INSTANT),
    Column("state", Text, nullable=False, server_default=""),
    Column("since", INSTANT),  # from when on it has been in this state
    Column("why", Text, nullable=False, server_default=""),
    Column("seconds", Float),
    Column("hint", Text, nullable=False, server_default=""),
    Column("missing", ARRAY(Text), nullable=False, server_default="{}"),  # layers that are used and not there
    Column("missing_since", INSTANT),
    Column("offered", JSONB),  # by the last capabilities that could be read
    Column("claimed_until", INSTANT),
    Column("claimed_by", Uuid),
)

upstream_drift = Table(
    "upstream_drift",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("layer", Text, nullable=False),  # empty: the service itself
    Column("what", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("upstream_drift_at", "name", "at"),
)
