"""What a platform says every time it is asked happens once, and fills no journal."""

from typing import Any

import pytest

from tests.gateway.pulling import PULL, Desk, Platform, Tell, Working, pages, tree
from tests.gateway.pushes import FORM, HOTLINE, hotline, ticket

OWNER = """\
pulls:
  progress: {every: 60, jitter: 0, ask: ask_case, items: ., messages: [progress], per_case: true}
tells:
  owner: {dispatch: plant}
"""
QUEUE = """\
pulls:
  progress: {every: 60, jitter: 0, ask: list_trees, items: rows, messages: [progress], acknowledge: {message: got_tree}}
tells:
  owner: {dispatch: plant}
"""


@pytest.fixture
def working(telling: Working, parks: Platform) -> Working:
    """Tell a story at a desk with one case that was handed over to the platform, which is asked how it goes."""
    parks.on["/plant"] = lambda asked: {"code": "ok", "id": f"P-{asked.body['no']}"}

    def work(tell: Tell, more: str = OWNER) -> None:
        async def handed_over(desk: Desk) -> None:
            pushed = hotline(ticket("1"))
            await desk.take_in(HOTLINE, pushed.body, FORM)
            await desk.deliver()
            await tell(desk)

        telling(handed_over, more)

    return work


async def events(desk: Desk) -> list[str]:
    rows = await desk.rows("SELECT action FROM event ORDER BY seq")
    return [row[0] for row in rows][-2:]


async def asked_three_times(desk: Desk) -> None:
    for turn in range(3):
        await desk.round(after=60.0 * turn)


def test_a_wish_that_stands_there_whenever_the_platform_is_asked_is_one_wish(working: Working, parks: Platform) -> None:
    parks.on["/case"] = lambda asked: {"code": "ok", "no": asked.query["no"], "done": "late"}

    async def tell(desk: Desk) -> None:
        await asked_three_times(desk)
        assert parks.paths().count("/case") == 3
        assert await events(desk) == ["dispatch", "ask_extension"]
        assert (await desk.journal())["applied"] == 1
        parks.on["/case"] = lambda asked: {"code": "ok", "no": asked.query["no"], "done": "planted"}
        await desk.round(after=240)
        assert (await events(desk))[-1] in {"dispose", "check", "close"}

    working(tell)


def test_what_is_no_cases_business_is_noted_once_however_often_it_is_said(working: Working, parks: Platform) -> None:
    parks.on["/case"] = lambda asked: {"code": "ok", "no": asked.query["no"], "done": "new"}

    async def tell(desk: Desk) -> None:
        await asked_three_times(desk)
        assert parks.paths().count("/case") == 3
        journal = await desk.journal()
        assert (journal["noted"], journal["split"]) == (1, 1)

    working(tell)


def test_in_a_queue_the_same_words_again_are_acknowledged_and_done_where_they_can_mean_another_time(
    working: Working, parks: Platform
) -> None:
    waiting: list[Any] = []
    parks.on["/trees"] = lambda _asked: {"code": "ok", "rows": waiting[:1]}
    parks.on["/got"] = lambda _asked: {"code": "ok", "id": waiting.pop(0)["no"]}

    async def tell(desk: Desk) -> None:
        [(number,)] = await desk.rows("SELECT external_id FROM binding WHERE system = 'parks'")
        for turn, done in enumerate(["late", "late", "planted"]):
            waiting.append({"no": number, "done": done})
            await desk.round(after=60.0 * turn)
            assert waiting == []
        rows = await desk.rows("SELECT action FROM event WHERE party = 'owner' ORDER BY seq")
        assert [row[0] for row in rows] == ["ask_extension", "dispose"]  # undated, the same wish is one

    working(tell, QUEUE)


def test_what_is_known_already_takes_no_case_numbers(working: Working, parks: Platform) -> None:
    parks.on["/trees"] = pages([tree(number) for number in range(40)])

    async def tell(desk: Desk) -> None:
        for turn in range(6):
            await desk.round(after=60.0 * turn)
        last = int((await desk.rows("SELECT max(no) FROM cases"))[0][0][-7:])
        parks.on["/trees"] = pages([tree(number) for number in range(41)])
        await desk.round(after=600.0)
        numbers = [int(row[0][-7:]) for row in await desk.rows("SELECT no FROM cases ORDER BY received_at, no")]
        assert (len(numbers), max(numbers)) == (42, last + 1)

    working(tell, PULL)
