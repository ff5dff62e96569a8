"""Names of classes and divisions at the API: whole, page after page, and by a word."""

from typing import Any

from canonical.rights import Role
from tests.gateway.people_desk import Desk, desk
from tests.gateway.running import HubUnderTest

__all__ = ["desk"]


def pages(hub: HubUnderTest, path: str, **asked: Any) -> list[Any]:
    """Every row, by following `next`."""
    found, after = [], ""
    while True:
        page = hub.get(path, after=after, **asked)
        found += page["items"]
        after = page["next"]
        if after is None:
            return found


def test_each_page_goes_on_where_the_last_one_ended(hub: HubUnderTest) -> None:
    for path in ("/api/classes", "/api/divisions"):
        whole = hub.get(path)
        assert whole["next"] is None
        assert pages(hub, path, limit=37) == whole["items"]
        codes = [one["code"] for one in whole["items"]]
        assert codes == sorted(codes)
        assert len(codes) > 100


def test_a_class_has_its_standard_rows(hub: HubUnderTest) -> None:
    [lamp] = hub.get("/api/classes", q="P01-37")["items"]

    assert lamp["code"] == "30428.2:P01-37"
    assert lamp["kind"] == "part"
    assert [row["default"] for row in lamp["standards"]].count(True) == 1
    assert set(lamp["standards"][0]["limit"]) == {"value", "unit"}


def test_a_word_of_the_name_and_the_beginning_of_a_code_are_enough(hub: HubUnderTest) -> None:
    [street] = hub.get("/api/divisions", q="赭山街道")["items"]
    below = hub.get("/api/divisions", within=street["code"], level="community")["items"]
    parts = hub.get("/api/classes", kind="part")["items"]

    assert street["parent"] == "340202"
    assert {one["parent"] for one in below} == {street["code"]}
    assert {one["code"].split(":")[1][0] for one in parts} == {"P"}
    assert hub.get("/api/classes", q="没有这样的类别")["items"] == []


def test_what_cannot_be_asked_is_said(hub: HubUnderTest) -> None:
    for question in ("/api/divisions?within=x", "/api/divisions?q=%00", "/api/classes?kind=x", "/api/classes?limit=0"):
        answer = hub.client.get(question, headers=hub.centre)
        assert answer.status_code == 422, question


def test_names_are_for_who_may_see(desk: Desk) -> None:
    auditor = desk.person("auditor", Role.AUDITOR)
    street = desk.person("street", Role.STREET_CENTRE, areas=["340202016"])
    administrator = desk.person("keeper", Role.ADMINISTRATOR)

    assert auditor.get("/api/classes").status_code == 200
    titles = {one["code"]: one["name"] for one in street.get("/api/system-titles").json()["items"]}
    assert titles["hotline_12345"]
    assert administrator.get("/api/classes").status_code == 200  # who chooses limits must see their names
    assert desk.client().get("/api/divisions").status_code == 401
