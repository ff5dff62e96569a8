"""One box: a case is found by whatever somebody knows of it, and the answer says why and tells nothing personal."""

import asyncio
from typing import Any
from zlib import crc32

import pytest

from gateway.search.follow import Follower
from tests.gateway.pushes import NAME, PHONE, grid, hotline, record, ticket
from tests.gateway.running import HubUnderTest


def taken_in(hub: HubUnderTest) -> None:
    """Everything that happened so far is in the index."""

    async def work() -> None:
        one = hub.wired()
        try:
            follower = Follower(one)
            while hub.get("/api/search", q="zz")["index"] != {"waiting_since": None, "complete": True}:
                await follower.round()
        finally:
            await one.store.close()

    asyncio.run(work())


def search(hub: HubUnderTest, q: str, **more: Any) -> list[tuple[str, list[str]]]:
    """(number of the source, fields where it was found) of each hit, page by page."""
    found, after = [], ""
    while True:
        page = hub.get("/api/search", q=q, after=after, **more)
        for hit in page["items"]:
            [number] = [one["external_id"] for one in hub.case(hit["no"])["bindings"] if one["role"] == "source"]
            found.append((number, [reason["field"] for reason in hit["why"]]))
        after = page["next"] or ""
        if not after:
            return found


@pytest.fixture
def hub(hub: HubUnderTest) -> HubUnderTest:
    """Three calls about lamps, trees and noise, and one event of the grid platform."""
    trees = "香樟树倒在人行道上，回电0553-5550123。"
    noise = f"ＫＴＶ夜间噪音大，{NAME}反映。"
    calls = (
        ticket("1001"),
        ticket("1002", rqstTitle="树木倒伏", rqstContent=trees, linkNumber="05535550199"),
        ticket("2003", rqstContent=noise, linkNumber="139 0000 0888", rqstAreaCode="340207"),
    )
    for call in calls:
        assert hotline(call).to(hub).json()["custom"]["code"] == "1"
    assert grid(record("50001")).to(hub).json()["Ret"] == 0
    taken_in(hub)
    return hub


STREET = ["t-2003", "t-1002", "t-1001"]
FOUND = {
    "t-1002": ["t-1002"], "DH2003": ["t-2003"], "1001": ["t-1001"], "1002": ["t-1002"],
    PHONE: ["50001", "t-1001"], "+86 138-0000-0777": ["50001", "t-1001"], "5550199": ["t-1002"],
    "0553-5550199": ["t-1002"], "0551-5550199": [], "13900000888": ["t-2003"], "1380000077": [],
    "树木": ["t-1002"], "香樟树倒": ["t-1002"], "ktv": ["t-2003"], "ＫＴＶ夜间": ["t-2003"],
    "示例诉求 噪音": ["t-2003"],
    "噪音 树木": [], "赭山街道": STREET, "凤凰山": STREET, "鸠江区": ["t-2003"], "340207": ["t-2003"],
    "楼道 堆": ["50001"], "xyzzy": [],
}  # fmt: skip


def test_a_case_is_found_by_whatever_somebody_knows_of_it(hub: HubUnderTest) -> None:
    assert {q: [number for number, _ in search(hub, q)] for q in FOUND} == FOUND


def test_our_own_number_is_found_whole_and_by_its_beginning_the_newest_first(hub: HubUnderTest) -> None:
    no = str(hub.case("t-1001")["no"])

    assert search(hub, no) == search(hub, f"{no}-1") == [("t-1001", ["number"])]
    assert [number for number, _ in search(hub, no[:-1], limit=3)] == ["50001", *STREET]


def test_filters_limit_what_is_found(hub: HubUnderTest) -> None:
    assert [number for number, _ in search(hub, "赭山街道", area="340207")] == ["t-2003"]
    assert search(hub, "t-1002", area="340207") == []
    assert search(hub, PHONE, source="social_governance") == [("50001", ["telephone"])]


def test_who_looks_for_a_telephone_is_written_down_without_the_number(hub: HubUnderTest) -> None:
    for q in (PHONE, "+86 138-0000-0777", "路灯", "t-1001"):
        hub.get("/api/search", q=q)

    looks = hub.rows("SELECT login, what, case_no, subject FROM viewing")
    assert [(row["login"], row["what"], row["case_no"]) for row in looks] == [("centre", "telephone", "")] * 2
    assert len({row["subject"] for row in looks}) == 1
    assert PHONE not in str(looks)


def test_nothing_that_is_kept_for_search_tells_a_telephone_without_the_key(hub: HubUnderTest) -> None:
    plain = {crc32(f"{kind}{number}".encode()) for kind in ("", "telephone:") for number in (PHONE, "05535550199")}

    assert (
        len(kept := {term % 2**32 for row in hub.rows("SELECT terms FROM search_case") for term in row["terms"]}) > 99
    )
    assert kept.isdisjoint(plain)


def test_without_a_key_all_but_telephones_is_found(hub: HubUnderTest) -> None:
    (hub.settings.data / "secret").unlink()
    (hub.settings.data / "secret").mkdir()  # it cannot be read, and not be made

    assert search(hub, "树木") == [("t-1002", ["title"])]
    answer = hub.client.get("/api/search", params={"q": PHONE}, headers=hub.centre)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "misconfigured")


MALFORMED = (
    "", "q=", "q=x", "q=%20%E7%81%AF%20", "q=%00%00", f"q={'x' * 101}", "q=xx&after=x", "q=xx&after=words_x",
    "q=xx&after=none_00000000-0000-7000-8000-000000000000", "q=xx&limit=0", "q=xx&limit=201", "q=xx&area=x",
)  # fmt: skip


def test_a_question_that_cannot_be_looked_for_says_why(hub: HubUnderTest) -> None:
    for question in MALFORMED:
        answer = hub.client.get(f"/api/search?{question}", headers=hub.centre)
        assert answer.status_code == 422, question
        assert answer.json()["error"]["text"], question


def test_whatever_is_typed_is_an_answer(hub: HubUnderTest) -> None:
    odd = (
        "%%",
        "__",
        "\\\\",
        "' OR 1=1 --",
        "{1,2}",
        "１２３４",
        "ß" * 50,
        "🌳🌳",
        "a" * 100,
        "0" * 100,
        "((((",
        "－－１２３４",
    )
    for q in odd:
        assert hub.client.get("/api/search", params={"q": q}, headers=hub.centre).status_code == 200, q


def test_what_is_masked_is_not_found_and_not_shown(hub: HubUnderTest) -> None:
    pages = {q: hub.client.get("/api/search", params={"q": q}, headers=hub.centre).text
             for q in (NAME, NAME[:2], "5550123", "0553-5550123", PHONE, "回电", "反映")}  # fmt: skip

    assert {q for q, text in pages.items() if '"items":[]' in text} == {NAME, NAME[:2], "5550123", "0553-5550123"}
    assert [q for q, text in pages.items() if NAME in text or PHONE in text or "5550123" in text] == []
    assert "回电************" in pages["回电"]
    assert "138****0777" in pages[PHONE]
