"""The journal at the API: found by what people know, explained without values, and its bytes only with a log of it."""

import json
from typing import Any

from canonical.rights import Role
from gateway.board.journal import shown_headers
from tests.gateway.people_desk import Desk, desk
from tests.gateway.pushes import HOTLINE, NAME, PHONE, URBAN, hotline, last_row, ticket
from tests.gateway.running import HubUnderTest

__all__ = ["desk"]


def unmapped(hub: HubUnderTest, number: str = "7") -> dict[str, Any]:
    """A message in quarantine for a code without a row."""
    hotline(ticket(number, accordType="9876")).to(hub)
    row: dict[str, Any] = hub.get("/api/journal", system=HOTLINE, verdict="quarantined", limit=1)["items"][0]
    return row


def test_messages_are_found_by_what_people_know_page_by_page(hub: HubUnderTest) -> None:
    for number in range(5):
        assert hotline(ticket(str(number))).to(hub).json()["custom"]["code"] == "1"
    row = unmapped(hub)
    assert row["why"] == "unmapped_code"

    def ids(**query: Any) -> list[str]:
        return [one["external_id"] for one in hub.get("/api/journal", **query)["items"]]

    case_no = hub.case("t-3")["no"]
    assert ids(case_no=case_no, direction="in") == ["t-3"]
    assert ids(external_id="t-2") == ["t-2"]
    assert ids(why="unmapped_code") == ids(text=row["text"][2:12]) == ["t-7"]
    assert ids(until=row["at"], system=HOTLINE, direction="in") == [f"t-{n}" for n in (4, 3, 2, 1, 0)]
    first = hub.get("/api/journal", system=HOTLINE, limit=4)
    rest = hub.get("/api/journal", system=HOTLINE, limit=4, after=first["next"])
    assert [one["external_id"] for one in first["items"] + rest["items"]] == ["t-7", "t-4", "t-3", "t-2", "t-1", "t-0"]
    assert (rest["next"], rest["whole"]) == (None, True)


def test_one_message_tells_how_it_reads_today_and_no_value_but_the_code(hub: HubUnderTest) -> None:
    row = unmapped(hub)

    told = hub.get(f"/api/journal/{row['id']}")

    [document] = told["reading"]["documents"]
    [missing] = [field for field in document["fields"] if field["code"]]
    assert (missing["code"], missing["table"]) == ("9876", "codes/accord_types.csv")
    assert document["why"] == "unmapped_code"
    shown = json.dumps(told, ensure_ascii=False)
    assert NAME not in shown
    assert PHONE not in shown
    assert (told["parent"], told["parts"], told["replayed_by"]) == (None, [], [])


def test_the_bytes_come_as_an_attachment_and_each_look_is_a_row_written_before(desk: Desk) -> None:
    assert hotline(ticket("1")).to(desk.hub).json()["custom"]["code"] == "1"
    row = last_row(desk.hub)
    kept = desk.hub.rows("SELECT body FROM message WHERE id = $1", row["id"])[0]["body"]
    centre, unit = desk.person("zhang", Role.CITY_CENTRE), desk.person("sun", Role.UNIT, units=["3402-urban"])

    answer = centre.get(f"/api/journal/{row['id']}/body", params={"reason": "示例核对"})

    assert answer.status_code == 200, answer.text
    assert answer.content == kept
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment")
    [look] = desk.hub.rows("SELECT login, what, subject, reason, case_no FROM viewing")
    assert (look["login"], look["what"], look["subject"]) == ("zhang", "message", str(row["id"]))
    assert (look["reason"], look["case_no"]) == ("示例核对", desk.hub.case("t-1")["no"])
    assert unit.get(f"/api/journal/{row['id']}/body").status_code == 403
    assert len(desk.hub.rows("SELECT 1 FROM viewing")) == 1


def test_who_sees_a_part_of_the_city_sees_the_messages_of_its_cases_alone(desk: Desk) -> None:
    assert hotline(ticket("1", rqstAreaCode="340202")).to(desk.hub).json()["custom"]["code"] == "1"
    unmapped(desk.hub)  # of no case yet
    area = desk.hub.rows("SELECT area FROM cases")[0]["area"]
    mine = desk.person("li", Role.DISTRICT_CENTRE, areas=[area[:6]])
    other = desk.person("wu", Role.DISTRICT_CENTRE, areas=["340207" if area[:6] != "340207" else "340202"])

    seen = mine.get("/api/journal").json()["items"]

    assert {one["external_id"] for one in seen if one["direction"] == "in"} == {"t-1"}
    assert other.get("/api/journal").json()["items"] == []
    assert mine.get(f"/api/journal/{seen[0]['id']}").status_code == 200
    assert mine.get(f"/api/journal/{seen[0]['id']}/body").status_code == 200
    assert [other.get(f"/api/journal/{seen[0]['id']}{end}").status_code for end in ("", "/body")] == [404, 404]


def test_a_body_that_retention_removed_is_410_with_its_digest_and_no_look(hub: HubUnderTest) -> None:
    row = unmapped(hub)
    hub.rows("UPDATE message SET body = '', digest = 'd1' WHERE id = $1", row["id"])

    answer = hub.client.get(f"/api/journal/{row['id']}/body", headers=hub.centre)

    assert (answer.status_code, "d1" in answer.json()["error"]["text"]) == (410, True)
    assert hub.rows("SELECT 1 FROM viewing") == []
    assert hub.get(f"/api/journal/{row['id']}")["reading"] is None


def test_headers_are_shown_and_secrets_only_named() -> None:
    given = {"content-type": "text/xml", "X-Park-Token": "abc", "authorization": "Basic x", "x-ca-signature": "s"}

    shown = shown_headers(given)

    assert shown["content-type"] == "text/xml"
    assert {shown[name] for name in given if name != "content-type"} == {"***"}


def test_bad_questions_are_told_and_never_a_5xx(hub: HubUnderTest) -> None:
    unmapped(hub)
    bad = (
        "limit=0", "limit=501", "after=x", "since=yesterday", "since=2026-11-29T09:00:00", "system=%00", "text=%00",
        f"system={'x' * 201}",
    )  # fmt: skip
    for query in bad:
        answer = hub.client.get(f"/api/journal?{query}", headers=hub.centre)
        assert (answer.status_code, "error" in answer.json()) == (422, True), query
    odd = (
        "since=0001-01-01T00:00:00Z", "until=9999-12-31T23:59:59Z", "until=0001-01-01T00:00:00Z", "verdict=no",
        "text=%25_%5C", "after=00000000-0000-0000-0000-000000000000", "after=ffffffff-ffff-ffff-ffff-ffffffffffff",
        "since=9999-12-31T23:59:59-23:59", "case_no=nobody", f"system={URBAN}&external_id=x",
    )  # fmt: skip
    for query in odd:
        assert hub.client.get(f"/api/journal?{query}", headers=hub.centre).status_code in (200, 422), query
    for path in ("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000/body"):
        assert hub.client.get(f"/api/journal/{path}", headers=hub.centre).status_code == 404
    assert hub.client.get("/api/journal/x", headers=hub.centre).status_code == 422
