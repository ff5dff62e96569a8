"""What cases are found by, kept beside them by a follower: nothing here that the cases do not say."""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Index, Integer, Table, Text, Uuid

from storage.tables.base import metadata

search_case = Table(
    "search_case",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("terms", ARRAY(Integer), nullable=False),  # checksums; of telephones, digests with a key of the city
    Index("search_case_terms", "terms", postgresql_using="gin"),
)

search_position = Table(  # one row: how far the follower has come
    "search_position",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("since", BigInteger, nullable=False),  # the transaction from which on changes were not seen yet
    Column("building", Uuid),  # older cases are still to be taken in; null: all are
    Column("key", Text, nullable=False),  # tells the key of the telephones from another
)
