"""Words are found where plain ILIKE finds them, all of them and nothing else, whatever the scope."""

import random

from sqlalchemy import text

from canonical.rights import EVERYTHING, Scope
from gateway.search.find import BEGINNING, Finder, Place
from gateway.search.names import Names
from gateway.search.question import question
from gateway.search.terms import terms
from storage.case_list import Wanted
from storage.scoping import literal, seen, values
from storage.search import Search
from storage.search_index import SearchIndex
from tests.routing.intake_city import NOW, reported
from tests.storage.storeroom import Storeroom, story

KEY = b"k" * 32
CASES = 1500
WORDS = (
    *("路灯", "井盖", "占道", "经营", "噪音", "扰民", "垃圾", "堆放", "树木", "倒伏", "道路", "破损", "积水", "违停"),
    *("小区", "东门", "西路", "外", "旁", "的", "了", "。", "，", "LED", "led", "KTV", "5号", " ", "%", "_", "\\"),
)  # fmt: skip
NOBODY = Names({}, {})
"""Of names nothing is found: here it is about words."""
SCOPES = (
    EVERYTHING, Scope("d", areas=("340207",)), Scope("n", areas=("999",)), Scope("u", units=("u1",), areas=("3402",)),
)  # fmt: skip


async def by_index(room: Storeroom, word: str, scope: Scope) -> set[str]:
    """Numbers of the cases that the box finds, page by page."""
    finder, found = Finder(Search(room.store)), set[str]()
    asked, place = question(word, NOBODY, KEY), BEGINNING
    following: Place | None = place
    while following is not None:
        place = following
        hits, following = await finder.page(
            asked, Wanted(), scope=scope, now=room.now, place=place, limit=200
        )  # fmt: skip
        ids = [hit.case.id for hit in hits]
        assert ids == sorted(ids, reverse=True), "the newest first"
        numbers = [hit.case.no for hit in hits]
        assert not found & set(numbers), "each once"
        found |= set(numbers)
    return found


async def by_reading(room: Storeroom, word: str, scope: Scope) -> set[str]:
    """The same by reading all cases."""
    query = text(f"""
        SELECT c.no FROM cases c WHERE {seen(scope)} AND (c.state ->> 'description' ILIKE :word
            OR c.state ->> 'title' ILIKE :word OR c.state -> 'place' ->> 'address' ILIKE :word)
    """)
    async with room.store.transaction() as transaction:
        asked = values(scope) | {"word": f"%{literal(word)}%"}
        return set((await transaction.connection.execute(query, asked)).scalars())


def test_the_box_finds_what_reading_all_cases_finds(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        chance = random.Random(11)
        texts = ["".join(chance.choices(WORDS, k=chance.randint(3, 30))).strip() for _ in range(CASES)]
        for first in range(0, CASES, 300):
            room.now = NOW.replace(month=5 + first // 300)
            areas = (chance.choice(("340202", "340207")) for _ in range(300))
            reports = zip(range(first, first + 300), texts[first:], areas, strict=False)
            await room.take(
                *(reported("hotline", f"T{n}", text=told, area=area, at=room.now) for n, told, area in reports)
            )
        index = SearchIndex(room.store, "mark")
        more = True
        while more:
            taken = await index.follow(lambda entry: terms(entry, KEY))
            more = taken is None or taken.more
        met = 0
        for _ in range(150):
            told = chance.choice(texts)
            begin = chance.randrange(max(1, len(told) - 1))
            word = told[begin : begin + chance.choice((2, 2, 3, 4, 8))]
            if len(word) < 2 or any(map(str.isspace, word)):
                continue
            scope = chance.choice(SCOPES)
            expected = await by_reading(room, word, scope)

            assert await by_index(room, word, scope) == expected, word
            met += len(expected)
        assert met > 500

    story(database_url, tell)
