"""Notices of rungs of a ladder: written in the transaction that tells the steps, so that each is sent once or never."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from storage.driver import Connection, Prepared

LADDER = "ladder"
"""`source` of such a notice. It is over as soon as it is told: nothing waits."""


@dataclass(frozen=True, slots=True)
class RungNotice:
    """What is told of one rung and one system's cases that reached it together."""

    id: UUID
    system: str
    """Which has the work; empty: the centre's desk."""
    occasion: str
    count: int
    body: Mapping[str, Any]


async def save_rung_notices(
    connection: Connection, notices: Sequence[RungNotice], channels: Sequence[str], now: datetime
) -> None:
    """Within the open transaction: a row a notice, and one for each channel that it goes over."""
    if not notices:
        return
    tellings = [(one, channel) for one in notices for channel in channels]
    values = {
        "now": now, "source": LADDER, "ids": [one.id for one in notices], "systems": [one.system for one in notices],
        "counts": [one.count for one in notices], "of": [one.id for one, _ in tellings],
        "occasions": [one.occasion for one, _ in tellings], "channels": [channel for _, channel in tellings],
        "bodies": [orjson.dumps(dict(one.body)).decode() for one, _ in tellings],
    }  # fmt: skip
    await _SAVE.fetch(connection, values)


_SAVE = Prepared(
    text("""
WITH n AS (
  INSERT INTO notice (id, source, system, opened_at, told, told_at, count, closed_at)
  SELECT w.id, CAST(:source AS text), w.system, CAST(:now AS timestamptz), 1, CAST(:now AS timestamptz), w.count,
         CAST(:now AS timestamptz)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:systems AS text[]), CAST(:counts AS integer[])) AS w(id, system, count))
INSERT INTO notice_telling (notice, occasion, channel, body, created_at, next_at)
SELECT w.notice, w.occasion, w.channel, CAST(w.body AS jsonb), CAST(:now AS timestamptz), CAST(:now AS timestamptz)
  FROM unnest(CAST(:of AS uuid[]), CAST(:occasions AS text[]), CAST(:channels AS text[]), CAST(:bodies AS text[]))
       AS w(notice, occasion, channel, body)
""")
)
