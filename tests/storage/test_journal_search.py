"""Looking through the journal: page by page exactly what fits, in whatever moments, and only what may be seen."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from canonical.ids import new_id
from canonical.rights import EVERYTHING, Scope
from storage.journal_search import Found, JournalSearch, Sought
from storage.store import Store
from tests.routing.intake_city import NOW

SYSTEMS, KINDS = ("hotline_12345", "urban_management", "iot"), ("task", "status")
VERDICTS, WHYS = ("case", "refused", "quarantined", "waiting", "parked"), ("", "unmapped_code", "contract")
_MESSAGE = text("""
INSERT INTO message (id, at, direction, system, door, content_type, path, status, body, verdict, why, text, kind,
                     is_report, external_id, edition, case_id)
VALUES (:id, :at, :direction, :system, 'tasks', '', '', 0, '', :verdict, :why, :text, :kind, true, :external_id, '',
        :case_id)
""")
_CASE = text("""
INSERT INTO cases (id, no, version, stage, source, owner, unit, area, class_code, received_at, state)
VALUES (:id, :no, 1, 'filed', 'iot', 'urban_management', :unit, :area, '30428.2:P01-37', now(), '{}')
""")


def run(database_url: str, job: Callable[[Store], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        store = Store(database_url)
        try:
            return await job(store)
        finally:
            await store.close()

    return asyncio.run(whole())


async def filled(store: Store, dice: Random, number: int) -> list[dict[str, Any]]:
    """Messages of two months, some of three cases."""
    cases = [
        {"id": new_id(NOW), "no": f"3402-{n}", "unit": f"unit-{n}", "area": f"34020{n}"} for n in range(2, 5)
    ]  # fmt: skip
    rows, at = list[dict[str, Any]](), NOW
    for n in range(number):
        at += timedelta(seconds=dice.choice((1, 400, 20_000)))
        case = dice.choice([None, None, *cases])
        rows.append({
            "id": new_id(at), "at": at, "direction": dice.choice(("in", "out")), "system": dice.choice(SYSTEMS),
            "verdict": dice.choice(VERDICTS), "why": dice.choice(WHYS), "kind": dice.choice(KINDS),
            "text": dice.choice(("", "no row for '0499'", "100% wrong_code", "地点不明")),
            "external_id": f"t-{n // 2}", "case_id": case["id"] if case else None, "no": case["no"] if case else "",
            "area": case["area"] if case else "",
        })  # fmt: skip
    async with store.transaction() as transaction:
        await transaction.connection.execute(_CASE, cases)
        await transaction.connection.execute(_MESSAGE, [_without(row) for row in rows])
    return rows


def _without(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"no", "area"}}


def fits(row: dict[str, Any], sought: Sought, scope: Scope) -> bool:
    """The same question, asked of one row by hand."""
    same = ("system", "direction", "verdict", "why", "kind", "external_id")
    return (
        all(not getattr(sought, name) or getattr(sought, name) == row[name] for name in same)
        and (not sought.case_no or sought.case_no == row["no"])
        and sought.words.lower() in row["text"].lower()
        and (sought.since is None or row["at"] >= sought.since)
        and (sought.until is None or row["at"] < sought.until)
        and (scope.whole or (row["no"] != "" and row["area"].startswith(scope.areas)))
    )


def asked(dice: Random, rows: list[dict[str, Any]]) -> Sought:
    """A question of one or two parts."""

    def moment() -> datetime:
        at: datetime = dice.choice(rows)["at"]
        return at

    parts: list[dict[str, Any]] = [
        {"system": dice.choice(SYSTEMS)}, {"verdict": dice.choice(VERDICTS)}, {"why": "unmapped_code"},
        {"kind": "status"}, {"external_id": f"t-{dice.randrange(len(rows) // 2)}"}, {"case_no": "3402-3"},
        {"case_no": "nobody's"}, {"words": dice.choice(("ROW", "%", "_code", "地点"))}, {"since": moment()},
        {"until": moment()}, {"direction": "out"}, {},
    ]  # fmt: skip
    given = dice.choice(parts) | dice.choice(parts)
    return Sought(systems=dice.choice(((), SYSTEMS)), **given)


async def everything(search: JournalSearch, sought: Sought, scope: Scope, limit: int) -> list[UUID]:
    """All pages; each goes on from the one before."""
    found: list[UUID] = []
    after: UUID | None = None
    for _ in range(2000):
        page: Found = await search.find(sought, scope, after=after, limit=limit)
        found += [row.id for row in page.rows]
        assert page.whole or page.looked_to is not None
        if page.after is None:
            return found
        assert after is None or page.after < after
        after = page.after
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("moment", [0.0, 60.0])
@pytest.mark.parametrize("seed", range(3))
def test_all_pages_together_are_what_fits_newest_first(database_url: str, seed: int, moment: float) -> None:
    dice = Random(seed)

    async def job(store: Store) -> None:
        rows = await filled(store, dice, 120)
        search = JournalSearch(store, moment=moment)
        for _ in range(15):
            sought, limit = asked(dice, rows), dice.choice((1, 7, 500))
            scope = dice.choice((EVERYTHING, Scope("a district", areas=("340203",))))
            expected = [row["id"] for row in reversed(rows) if fits(row, sought, scope)]
            assert await everything(search, sought, scope, limit) == expected, (sought, scope)

    run(database_url, job)


def test_a_moment_that_is_over_says_how_far_it_came(database_url: str) -> None:
    async def job(store: Store) -> tuple[list[dict[str, Any]], Found]:
        rows = await filled(store, Random(1), 200)
        return rows, await JournalSearch(store, moment=0.0).find(Sought(words="nowhere"), EVERYTHING)

    rows, page = run(database_url, job)
    assert (page.rows, page.whole) == ([], False)
    assert page.looked_to is not None
    assert rows[0]["at"] < page.looked_to < rows[-1]["at"]


def test_one_message_is_seen_by_whoever_may_see_its_case(database_url: str) -> None:
    async def job(store: Store) -> list[bool]:
        rows = await filled(store, Random(2), 60)
        search, scope = JournalSearch(store), Scope("a unit", units=("unit-4",))
        seen = [await search.one(row["id"], scope) is not None for row in rows]
        assert seen == [row["no"] == "3402-4" for row in rows]
        return [await search.one(row["id"], EVERYTHING) is not None for row in rows]

    assert all(run(database_url, job))


def test_an_empty_journal_and_the_ends_of_time_are_answered(database_url: str) -> None:
    async def job(store: Store) -> list[Found]:
        search = JournalSearch(store)
        empty = await search.find(Sought(), EVERYTHING)
        rows = await filled(store, Random(3), 10)
        first, last = rows[0]["at"].replace(year=1), rows[0]["at"].replace(year=9999, month=12, day=31)
        wide = await search.find(Sought(since=first, until=last), EVERYTHING)
        none = await search.find(Sought(since=last, until=first), EVERYTHING)
        return [empty, wide, replace(none, rows=[])] if not none.rows else []

    empty, wide, none = run(database_url, job)
    assert (len(empty.rows), len(wide.rows), none.after) == (0, 10, None)


def test_no_question_is_answered_by_a_plan_for_any_question(database_url: str) -> None:
    """From the sixth time on the server would take one, which does not know that an index leads there."""

    async def job(_: Store) -> int:
        store = Store(database_url, pool=1)
        try:
            await filled(store, Random(4), 40)
            for _time in range(8):
                await JournalSearch(store).find(Sought(external_id="t-7", systems=SYSTEMS), EVERYTHING)
            async with store.transaction() as transaction:
                return int((await transaction.connection.execute(text(_GENERIC))).scalar_one())
        finally:
            await store.close()

    assert run(database_url, job) == 0


_GENERIC = """
SELECT coalesce(sum(generic_plans), 0) FROM pg_prepared_statements WHERE statement ~ 'FROM message .*LIMIT \\$'
"""
_LED = {
    "message_unwell": "m.system = 'iot' AND m.verdict = 'refused' AND {unwell}",
    "message_external": "m.system IN ('iot', 'hotline_12345') AND m.external_id = 't-7'",
    "message_case": "m.case_id = '01a2270d-6db9-75c6-9608-53ec2eb333fa'",
}


@pytest.mark.parametrize("index", _LED)
def test_what_people_know_best_has_an_index_that_leads_there(database_url: str, index: str) -> None:
    """The plan in a journal of 20,000: a hundredth of it did not go well."""

    async def job(store: Store) -> str:
        async with store.transaction() as transaction:
            await transaction.connection.execute(text(_MANY))
            await transaction.connection.execute(text("ANALYZE message"))
            unwell = "m.verdict IN ('refused', 'quarantined', 'held', 'parked')"
            asked = f"SELECT m.* FROM message m WHERE {_LED[index].format(unwell=unwell)} ORDER BY m.id DESC LIMIT 50"
            plan = await transaction.connection.execute(text(f"EXPLAIN {asked}"))
            return "\n".join(plan.scalars())

    plan = run(database_url, job)
    assert "Seq Scan on message_2026_03" not in plan
    assert _NAMES[index] in plan


_NAMES = {"message_unwell": "system_id_idx", "message_external": "external_id_idx", "message_case": "case_id_idx"}
_MANY = """
INSERT INTO message (id, at, direction, system, door, content_type, path, status, body, verdict, why, text, kind,
                     is_report, external_id, edition, case_id)
SELECT CAST(lpad(to_hex(CAST(extract(epoch FROM at) * 1000 AS bigint)), 12, '0') || '7' || substr(h, 1, 3) || '8'
            || substr(h, 4, 15) AS uuid), at, 'in', (ARRAY['iot', 'hotline_12345', 'urban_management'])[1 + i % 3], '',
       '', '', 0, '', CASE WHEN i % 100 = 0 THEN 'refused' ELSE 'case' END, '', '', '', true, 't-' || i, '',
       gen_random_uuid()
  FROM (SELECT i, md5(CAST(i AS text)) AS h, TIMESTAMPTZ '2026-03-16 00:00+08' + i * interval '3 s' AS at
          FROM generate_series(1, 20000) i) s
"""
