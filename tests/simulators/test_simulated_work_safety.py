"""The simulated work safety platform: login, pages by cursor, tokens that end, the four calls and the files."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

NAME = "work_safety"
SECRET = "a-secret-of-the-tests"
ISSUE: dict[str, type] = {
    "issueId": str, "issueLevel": int, "status": int, "creatorDescribe": str, "regionName": str, "address": str,
    "dueTimestamp": int, "createdAt": int, "updatedAt": int, "handlerName": str, "attachments": list,
}  # fmt: skip


class Client:
    """A caller that logs in."""

    def __init__(self, side: Any) -> None:
        self.side = side
        self.token = ""

    def login(self, **changes: str) -> httpx.Response:
        who = {"account": "hub", "password": SECRET} | changes
        answer: httpx.Response = self.side.post("/api/login", json=who)
        self.token = (answer.json()["data"] or {}).get("token", "")
        return answer

    def get(self, path: str, **query: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token or 'none'}"}
        answer: httpx.Response = self.side.client.get(path, params=query, headers=headers)
        return answer

    def handle(self, issue: str, call: str, **document: str) -> int:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.side.post(f"/api/issues/{issue}/{call}", json=document, headers=headers)
        assert answer.status_code == 200
        return int(answer.json()["code"])

    def page(self, **query: Any) -> dict[str, Any]:
        page: dict[str, Any] = self.get("/api/issues", **query).json()["data"]
        return page

    def detail(self, issue: str) -> dict[str, Any]:
        detail: dict[str, Any] = self.get(f"/api/issues/{issue}").json()["data"]
        return detail


def started(start: Callable[..., Any], **how: Any) -> Client:
    client = Client(start(NAME, **how))
    client.login()
    return client


@pytest.fixture
def client(start: Callable[..., Any]) -> Client:
    return started(start)


def test_the_door_opens_with_account_and_password_only(start: Callable[..., Any]) -> None:
    client = Client(start(NAME))
    assert client.login(password="wrong").json()["code"] == 401
    assert client.login(account="nobody").json()["code"] == 401
    assert client.get("/api/issues").status_code == 401
    assert client.login().json()["data"]["expiresIn"] == 7200
    assert client.get("/api/issues").json() == {"code": 200, "msg": "ok", "data": {"items": [], "nextCursor": None}}


def test_an_issue_is_written_with_its_fields(client: Client) -> None:
    ids = client.side.emit(6)
    items = client.page()["items"]
    assert [item["issueId"] for item in items] == ids
    for item in items:
        assert {name: type(value) for name, value in item.items()} == ISSUE
        assert item["issueLevel"] in {3, 4, 5, 6}
        assert item["status"] == 5
        assert item["createdAt"] == item["updatedAt"] < item["dueTimestamp"]
    assert client.detail(ids[0]) == items[0]


def test_pages_follow_one_another_and_end(client: Client) -> None:
    ids = client.side.emit(7)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    sizes = []
    while True:
        page = client.page(**query)
        sizes.append(len(page["items"]))
        seen += [item["issueId"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert (sizes, seen) == ([3, 3, 1], ids)


def test_only_what_changed_since_is_listed_and_the_moment_itself_is(client: Client) -> None:
    first, second = client.side.emit(2)
    assert client.handle(first, "accept") == 200
    changed = client.detail(first)["updatedAt"]
    assert [item["issueId"] for item in client.page()["items"]] == [second, first]
    assert [item["issueId"] for item in client.page(updatedSince=changed)["items"]] == [first]
    assert client.page(updatedSince=changed + 1)["items"] == []


def test_tokens_end_in_the_middle_of_a_listing_on_demand(client: Client) -> None:
    client.side.emit(4)
    client.side.post("/_sim/expire", json={"after": 1})
    page = client.page(limit=2)
    refused = client.get("/api/issues", limit=2, cursor=page["nextCursor"])
    assert (refused.status_code, refused.json()["code"]) == (401, 401)
    client.login()
    assert len(client.page(limit=2, cursor=page["nextCursor"])["items"]) == 2


def test_a_token_ends_by_its_time(start: Callable[..., Any]) -> None:
    assert started(start, options={"token_life": "0"}).get("/api/issues").status_code == 401


@pytest.mark.parametrize(
    "query", [{"cursor": "!"}, {"cursor": "bnVsbA=="}, {"limit": 0}, {"limit": 101}, {"limit": "x"}]
)
def test_a_query_that_makes_no_sense_is_refused(client: Client, query: dict[str, Any]) -> None:
    answer = client.get("/api/issues", **query)
    assert (answer.status_code, answer.json()["code"]) == (200, 400)


def test_an_issue_is_accepted_rectified_and_passes_the_check(client: Client) -> None:
    [id_] = client.side.emit()
    assert client.handle(id_, "rectify", result="已整改") == 409
    assert client.handle(id_, "accept") == 200
    assert client.detail(id_)["status"] == 2
    assert client.handle(id_, "accept") == 409
    assert client.handle(id_, "rectify", result="已整改") == 200
    client.side.drained()
    assert client.detail(id_)["status"] == 4
    summary = client.side.summary()
    assert (summary["signed"], summary["rectified"], summary["finished"], summary["refusals"]) == (1, 1, 1, 2)


def test_a_check_may_send_it_back(start: Callable[..., Any]) -> None:
    client = started(start, rework=1)
    [id_] = client.side.emit()
    client.handle(id_, "accept")
    client.handle(id_, "rectify", result="已整改")
    client.side.drained()
    assert client.detail(id_)["status"] == 2


def test_overruling_and_reassigning_need_words(client: Client) -> None:
    first, second = client.side.emit(2)
    assert client.handle(first, "overrule") == 400
    assert client.handle(first, "overrule", reason="不属于安全生产隐患") == 200
    assert client.detail(first)["status"] == 1
    assert client.handle(second, "reassign", reason="责任人调整") == 400
    assert client.handle(second, "reassign", reason="责任人调整", handlerName="示例整改人09") == 200
    assert (client.detail(second)["handlerName"], client.detail(second)["status"]) == ("示例整改人09", 5)


def test_what_is_not_there_is_said_so(client: Client) -> None:
    [id_] = client.side.emit()
    assert client.handle("YH00000000", "accept") == 404
    assert client.handle(id_, "explode") == 404
    assert client.get("/api/issues/YH00000000").json()["code"] == 404
    assert client.get("/api/files/F0").status_code == 404


def test_attachments_are_fetched_with_the_token(client: Client) -> None:
    client.side.emit(4)
    files = [file["fileId"] for item in client.page()["items"] for file in item["attachments"]]
    assert files
    assert client.get(f"/api/files/{files[0]}").content.startswith(b"\x89PNG")
    assert client.side.client.get(f"/api/files/{files[0]}").status_code == 401


def test_a_changed_issue_is_listed_again(start: Callable[..., Any]) -> None:
    client = started(start, amend=1)
    [id_] = client.side.emit()
    client.side.drained()
    changed = client.detail(id_)
    assert "补充" in changed["creatorDescribe"]
    assert changed["updatedAt"] > changed["createdAt"]


@pytest.mark.parametrize(("pace", "status"), [(600, 1), (0.01, 5)])
def test_a_draft_becomes_an_issue_in_its_time(
    start: Callable[..., Any], until: Callable[..., None], pace: float, status: int
) -> None:
    client = started(start, options={"drafts": "1"}, pace=pace)
    [id_] = client.side.emit()
    until(lambda: client.detail(id_)["status"] == status)


def test_a_dropped_answer_leaves_the_work_done(client: Client) -> None:
    [id_] = client.side.emit()
    client.side.behave(drop_answer=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.handle(id_, "accept")
    client.side.behave(drop_answer=0)
    assert client.detail(id_)["status"] == 2


def test_a_busy_platform_says_so_in_the_envelope(client: Client) -> None:
    client.side.behave(refuse=1)
    answer = client.get("/api/issues")
    assert (answer.status_code, answer.json()["code"]) == (200, 500)


def test_an_issue_is_lost_or_changed_without_a_word(client: Client) -> None:
    side = client.side
    [first, second] = side.post("/_sim/emit", json={"n": 2}).json()["ids"]

    done = [side.post("/_sim/lose", json={"id": first}), side.post("/_sim/change", json={"id": second, "state": "4"})]
    wrong = [
        side.post("/_sim/lose", json={"id": first}),
        side.post("/_sim/change", json={"id": second, "state": "nonsense"}),
        side.post("/_sim/change", json={"id": first, "state": "4"}),
    ]

    assert [answer.status_code for answer in done] == [200, 200]
    assert [answer.status_code for answer in wrong] == [404, 404, 404]
    [left] = client.page()["items"]
    assert (left["issueId"], left["status"]) == (second, 4)
