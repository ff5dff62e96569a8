"""A scope in SQL and the same in Python: of random cases both see the same ones."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text

from canonical.case import Case
from canonical.codes import ClassCode
from canonical.place import Place
from canonical.rights import EVERYTHING, Scope
from storage.scoping import OutOfScope, seen, seen_by_id, values, whole
from storage.store import Store
from tests.assessment.month import CLASSES, GRIDS, SOURCES, SYSTEMS, UNITS, Story, month, save
from tests.storage.storeroom import Storeroom, story

CASES, SCOPES = 120, 150
LETTERS = "%_\\'\"5"
"""What means something in a pattern, in a text of SQL, in an array; and one more figure."""
KINDS: dict[str, Sequence[str]] = {
    "areas": [grid[:length] for grid in GRIDS for length in (2, 4, 6, 9, 12)],
    "classes": [code[:length] for code in CLASSES for length in (5, 9, 12, 14)],
    "systems": [*SOURCES, *SYSTEMS],
    "units": UNITS,
}


def odd(dice: random.Random, one: Story) -> Story:
    """A case that lies nowhere, or in a whole district, or has no class, now and then."""
    given: dict[str, object] = {}
    if dice.random() < 0.3:
        given["place"] = Place(area=dice.choice((None, "3402", "340202", "340207003", "340207003018")))
    if dice.random() < 0.3:
        given["class_code"] = dice.choice((None, ClassCode.parse("local:E98-04")))
    return replace(one, case=one.case.model_copy(update=given))


def some(dice: random.Random, words: Sequence[str]) -> tuple[str, ...]:
    """A few of them, some with a letter too many or another one."""

    def spoilt(word: str) -> str:
        at = dice.randrange(len(word) + 1)
        return word[:at] + dice.choice(LETTERS) + word[at + dice.randrange(2) :]

    found = [spoilt(word) if dice.random() < 0.15 else word for word in dice.sample(list(words), dice.randrange(1, 4))]
    return tuple(one for one in found if one)


def scopes(dice: random.Random) -> list[Scope]:
    """Limits of each kind, alone and together."""
    found = [
        replace(EVERYTHING, name=f"s{n}", **{kind: some(dice, of) for kind, of in KINDS.items() if dice.random() < 0.4})  # type: ignore[arg-type]
        for n in range(SCOPES)
    ]
    return [EVERYTHING, Scope("nothing", areas=("99",)), *found]


def covered(scope: Scope, case: Case) -> bool:
    """What Python says of the case as it stands."""
    return scope.covers(
        area=case.place.area, class_code=str(case.class_code) if case.class_code else None,
        systems=(case.source, case.owner), units=[one.unit for one in case.assignments],
    )  # fmt: skip


async def ids(store: Store, scope: Scope, condition: str) -> set[object]:
    """Cases of which the condition is true."""
    async with store.transaction() as transaction:
        found = await transaction.connection.execute(
            text(f"SELECT c.id FROM cases c WHERE {condition}"), values(scope)
        )  # fmt: skip
        return set(found.scalars())


@pytest.mark.parametrize("seed", [1, 2])
def test_the_database_sees_what_python_covers(database_url: str, seed: int) -> None:
    dice = random.Random(seed)
    stories = [odd(dice, one) for one in month(seed, CASES, joint=True)]

    async def tell(room: Storeroom) -> None:
        await save(room.store, stories)
        sizes = set()
        for scope in scopes(dice):
            expected = {one.case.id for one in stories if covered(scope, one.case)}
            assert await ids(room.store, scope, seen(scope)) == expected, scope
            assert await ids(room.store, scope, seen_by_id(scope, "c.id")) == expected, scope
            sizes.add(len(expected))
        assert {0, CASES} < sizes
        assert len(sizes) > 20, "scopes that are all alike test nothing"

    story(database_url, tell)


def test_a_row_without_a_case_is_for_who_sees_the_whole_city(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        async def rows(scope: Scope) -> int:
            async with room.store.transaction() as transaction:
                statement = (
                    f"SELECT count(*) FROM (SELECT CAST(NULL AS uuid) AS id) m WHERE {seen_by_id(scope, 'm.id')}"
                )
                return int((await transaction.connection.execute(text(statement), values(scope))).scalar_one())

        assert await rows(EVERYTHING) == 1
        assert await rows(Scope("d", areas=("34",))) == 0

    story(database_url, tell)


def test_what_is_not_told_by_cases_asks_for_the_whole_city() -> None:
    whole(EVERYTHING)
    for kind, words in KINDS.items():
        with pytest.raises(OutOfScope):
            whole(Scope("part", **{kind: tuple(words[:1])}))  # type: ignore[arg-type]
