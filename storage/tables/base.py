"""What all tables share."""

from sqlalchemy import DDL, DateTime, MetaData, Table
from sqlalchemy import event as happening

metadata = MetaData()
INSTANT = DateTime(timezone=True)


def parted(table: Table, *statements: str) -> None:
    """Run these when the table is made: what no model can say. The months themselves, `storage.partitions` makes."""
    for statement in statements:
        happening.listen(table, "after_create", DDL(statement))  # type: ignore[no-untyped-call]
