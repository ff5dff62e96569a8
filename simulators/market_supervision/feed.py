"""The same rows as files: the view in GBK, the pending list in UTF-8; complete once the marker stands beside a file."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Table

from simulators.market_supervision.exchange import PENDING, VIEW, Row
from simulators.market_supervision.matter import TIME


class Feed(NamedTuple):
    """How one table is written."""

    prefix: str
    table: Table
    codec: str
    ending: str


FEEDS = (Feed("ANJIANXX", VIEW, "gbk", "\r\n"), Feed("SHUNTLIST", PENDING, "utf-8", "\n"))


def dropped(folder: Path, feed: Feed, rows: Sequence[Row], now: datetime) -> str:
    """Write these rows into a new file named after the minute, then its marker; the name.

    A second file of the same minute takes the name of the next free one.
    """
    moment = now
    while (path := folder / f"{feed.prefix}_{moment:%Y%m%d%H%M}.csv").exists() or _marker(path).exists():
        moment += timedelta(minutes=1)
    path.write_bytes(_csv(feed, rows))
    _marker(path).touch()
    return path.name


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.name}.ok")


def _csv(feed: Feed, rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    names = [column.name for column in feed.table.columns]
    writer = csv.writer(text, lineterminator=feed.ending)
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return text.getvalue().encode(feed.codec)


def _cell(value: str | datetime | None) -> str:
    return value.strftime(TIME) if isinstance(value, datetime) else value or ""
