"""Lists that platforms cut, count and end as they like are read whole, over a real connection."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.pull_window import SHORT
from tests.gateway.pulling import PULL, Asked, Desk, Platform, Said, Working, seconds, tree

ALL = [f"T{number}" for number in range(45)]
ROWS = [tree(number) for number in range(45)]
SIZED = PULL.replace("page_size: 2", "page_size: 50")
COUNTED = "    total: total\n"


def capped(size: int, *, past: Any = None, total: Any = None) -> Callable[[Asked], Any]:
    """A platform that gives at most `size` rows; `past`: its answer when none are left."""

    def answer(asked: Asked) -> Any:
        begin = int(asked.query["offset"]) if "offset" in asked.query else (int(asked.query["page"]) - 1) * size
        rows = ROWS[begin : begin + size]
        if not rows and past is not None:
            return past
        return {"code": "ok", "rows": rows} | ({} if total is None else {"total": total})

    return answer


@pytest.mark.parametrize("total", [45, "45", "45.0", None, "不详"])
@pytest.mark.parametrize("asks", ["list_trees", "trees_from"])
def test_a_platform_that_gives_shorter_pages_than_it_is_asked_for_is_read_to_its_end(
    telling: Working, parks: Platform, total: Any, asks: str
) -> None:
    parks.on["/trees"] = capped(20, total=total)

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert sorted(await desk.known()) == sorted(ALL)
        assert len(parks.asked) == 3
        assert await desk.cursor() == (0, "")

    telling(tell, SIZED.replace("list_trees", asks) + COUNTED)


@pytest.mark.parametrize(
    "past", [Said({"code": "none"}), Said({}, 404), Said({"code": "暂无数据"})],
    ids=["absent by code", "absent by status", "a refusal nobody declared"],
)  # fmt: skip
def test_an_answer_that_says_nothing_is_left_ends_a_list_that_seemed_to_go_on(
    telling: Working, parks: Platform, past: Said
) -> None:
    parks.on["/trees"] = capped(45, past=past)  # a round number: there might be more

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert parks.queries("/trees", "page") == ["1", "2"]
        assert sorted(await desk.known()) == sorted(ALL)
        assert await desk.cursor() == (0, "")

    telling(tell, SIZED)


def test_a_refusal_after_full_pages_keeps_the_cursor_and_tells_how_to_declare_that_nothing_is_left(
    telling: Working, parks: Platform
) -> None:
    parks.on["/trees"] = capped(15, past=Said({"code": "暂无数据"}))

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert len(await desk.known()) == 45
        until, trouble = await desk.cursor()
        assert until is None
        assert trouble == "暂无数据 (page 4; where it means that nothing is left, its answer is 'then: absent')"

    telling(tell, PULL.replace("page_size: 2", "page_size: 15"))


def test_a_list_that_ends_before_its_total_is_told_and_the_next_window_is_asked_for_all_the_same(
    telling: Working, parks: Platform
) -> None:
    parks.on["/trees"] = capped(20, total=47)

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert len(await desk.known()) == 45
        assert await desk.cursor() == (0, SHORT)

    telling(tell, SIZED + COUNTED)


def test_an_empty_page_before_the_total_is_reached_is_a_hole_and_not_the_end(telling: Working, parks: Platform) -> None:
    whole = capped(20, total=45)

    def trees(asked: Asked) -> Any:
        answered = whole(asked)
        return answered | {"rows": []} if asked.query["page"] == "2" else answered

    parks.on["/trees"] = trees

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert sorted(await desk.known()) == sorted(ALL[:20] + ALL[40:])
        assert (await desk.cursor())[1] == SHORT

    telling(tell, SIZED.replace("page_size: 50", "page_size: 20") + COUNTED)


def test_a_page_of_html_in_the_middle_of_a_list_keeps_the_cursor_and_the_list_goes_on_there(
    telling: Working, parks: Platform
) -> None:
    whole, broken = capped(20, total=45), [True]

    def trees(asked: Asked) -> Any:
        if asked.query["page"] == "2" and broken:
            broken.pop()
            return Said("<html><body>请重新登录</body></html>".encode(), headers={"content-type": "text/html"})
        return whole(asked)

    parks.on["/trees"] = trees

    async def tell(desk: Desk) -> None:
        await desk.round()
        until, trouble = await desk.cursor()
        assert (until, len(await desk.known())) == (None, 20)
        assert "cannot be read" in trouble
        await desk.round(after=60)
        assert parks.queries("/trees", "page") == ["1", "2", "2", "3"]
        assert sorted(await desk.known()) == sorted(ALL)
        assert await desk.cursor() == (0, "")

    telling(tell, SIZED + COUNTED)


def test_a_token_that_ends_among_the_details_of_a_page_is_renewed_and_no_row_is_asked_about_twice(
    telling: Working, parks: Platform
) -> None:
    tokens, valid = iter(["t1", "t2"]), ["none"]

    def login(_asked: Asked) -> Any:
        valid[0] = next(tokens)
        return {"code": "ok", "token": valid[0]}

    def one(asked: Asked) -> Any:
        if asked.headers.get("x-token") != valid[0]:
            return Said({}, 401)
        if asked.query["no"] == "T9":
            valid[0] = "ended"  # with this answer
        return {"code": "ok", "rows": [tree(int(asked.query["no"][1:]))]}

    parks.on |= {"/login": login, "/tree": one}
    parks.on["/trees"] = lambda asked: (
        capped(20)(asked) | {"total": 20} if asked.query["page"] == "1" else {"code": "ok", "rows": []}
    )

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert parks.queries("/tree", "no") == [f"T{n}" for n in (0, *range(11), *range(10, 20))]
        assert len(await desk.known()) == 20
        assert await desk.cursor() == (0, "")

    telling(tell, SIZED + COUNTED + "    detail: {ask: one_tree, items: rows}\n")


def test_a_clock_that_is_set_back_and_forth_by_hours_neither_skips_a_row_nor_reads_for_ever(
    telling: Working, parks: Platform
) -> None:
    happened: list[tuple[float, dict[str, str]]] = []

    def trees(asked: Asked) -> Any:
        since, until = (seconds(asked.query[name]) for name in ("since", "until"))
        return {"code": "ok", "rows": [row for at, row in happened if since <= at <= until]}

    parks.on["/trees"] = trees
    clock = [0, 60, 7260, 7320, 300, 360, 420, 7500, 7560]

    async def tell(desk: Desk) -> None:
        for number, at in enumerate(clock):
            happened.append((at - 30, tree(number)))
            await desk.round(after=at)
        assert len(await desk.known()) == len(clock)
        assert (await desk.cursor())[0] == clock[-1]
        assert len(parks.asked) == len(clock)

    telling(tell, PULL.replace("page_size: 2", "page_size: 100") + "    first_window: 3600\n")
