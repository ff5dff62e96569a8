"""Searching: cases by the exact number of any system, and by terms of the index, the newest first.

Every row carries the scope of who asks. What terms find may be wrong, for terms are checksums: who asks looks at the
cases.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import TextClause, text

from canonical.rights import Scope
from storage.case_list import Wanted, conditions
from storage.casebook import NUMBERED
from storage.scoping import literal, seen, values
from storage.search_index import Entry, entries
from storage.spans import first_id
from storage.store import Store

_WINDOWS = (timedelta(days=8), timedelta(days=32), timedelta(days=128), timedelta(days=512), None)
"""How far back is looked for a page, one after the other, until it is full: a word that half of all cases have would be
found half a million times over, and sorted."""
LAST = UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A case fits with all terms of `together`, or with one of `single`."""

    together: frozenset[int] = frozenset()
    single: frozenset[int] = frozenset()


class Search:
    """Searching in one database."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def exact(
        self, number: str, wanted: Wanted, *, scope: Scope, before: UUID = LAST, limit: int
    ) -> list[UUID]:  # fmt: skip
        """Cases older than `before` that anybody calls by just this number, the newest first. Raises DatabaseAway."""
        where, given = conditions(wanted)
        query = text(f"""
            {NUMBERED}
            SELECT c.id FROM cases c
             WHERE (c.no = split_part(:number, '-', 1) OR c.id IN (SELECT case_id FROM found))
               AND c.id < :before AND {where} AND {seen(scope)}
             ORDER BY c.id DESC LIMIT :limit
        """)  # noqa: S608 words of our own
        given |= values(scope) | {"number": number, "before": before, "limit": limit}
        async with self.store.transaction() as transaction:
            return list((await transaction.connection.execute(query, given)).scalars())

    async def find(
        self, words: Sequence[AnyOf], wanted: Wanted, *, scope: Scope, now: datetime, before: UUID = LAST, limit: int,
        piece: str = "",
    ) -> list[UUID]:  # fmt: skip
        """Cases older than `before` that fit every word, the newest first: candidates for whoever looks at them.

        `piece`: a number of theirs begins or ends with it. Raises DatabaseAway.
        """
        if not words:
            return []
        found: list[UUID] = []
        upto = before
        for window in _WINDOWS:
            since = first_id(now - window) if window else UUID(int=0)
            if since >= upto:
                continue
            span = {"since": since, "before": upto, "limit": limit - len(found)}
            query, given = _query(words, wanted, scope, piece)
            async with self.store.transaction() as transaction:
                found += (await transaction.connection.execute(query, given | span)).scalars()
            if len(found) >= limit:
                break
            upto = since
        return found

    async def entries(self, ids: Iterable[UUID]) -> list[Entry]:
        """These cases with all that they are found by, the newest first. Raises DatabaseAway."""
        async with self.store.transaction() as transaction:
            return await entries(transaction.connection, ids)


def _query(words: Sequence[AnyOf], wanted: Wanted, scope: Scope, piece: str) -> tuple[TextClause, dict[str, object]]:
    where, given = conditions(wanted)
    given |= values(scope)
    terms = []
    for number, word in enumerate(words):
        ways = {"together": "@>", "single": "&&"}
        asked = {name: sorted(getattr(word, name)) for name in ways}
        terms.append(
            " OR ".join(f"s.terms {ways[name]} CAST(:{name}{number} AS int[])" for name in ways if asked[name])
        )
        given |= {f"{name}{number}": some for name, some in asked.items() if some}
    if piece:
        where = f"{where} AND {_NUMBER}"
        given |= {"begins": f"{literal(piece)}%", "ends": f"%{literal(piece)}"}
    # The index alone says who may fit, and the rows are looked at after that: else all cases of the span would be.
    return text(f"""
        WITH s AS MATERIALIZED (
          SELECT s.case_id FROM search_case s
           WHERE s.case_id >= :since AND s.case_id < :before AND ({") AND (".join(terms)}))
        SELECT c.id FROM s JOIN cases c ON c.id = s.case_id
         WHERE {where} AND {seen(scope)} ORDER BY c.id DESC LIMIT :limit
    """), given  # noqa: S608 words of our own


_PIECES = " OR ".join(
    f"{number} ILIKE :{way}"
    for number in ("b.external_id", "b.case_key", "b.body ->> 'visible_no'")
    for way in ("begins", "ends")
)
_NUMBER = f"""(c.no LIKE :begins OR c.no LIKE :ends
   OR EXISTS (SELECT FROM binding b WHERE b.case_id = c.id AND ({_PIECES})))"""
