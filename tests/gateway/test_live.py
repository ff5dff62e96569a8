"""What open consoles hear at /api/live: what happened, in its order, once, and only of cases they may see."""

import pytest

from tests.gateway.ear import Ear
from tests.gateway.outside import LITTER, push
from tests.gateway.running import HubUnderTest, until


def events_of(hub: HubUnderTest) -> list[tuple[str, int]]:
    """All there are in the database, case by case."""
    rows = hub.rows("SELECT c.no, e.seq FROM event e JOIN cases c ON c.id = e.case_id ORDER BY c.no, e.seq")
    return [(row["no"], row["seq"]) for row in rows]


def test_a_console_is_greeted_and_hears_what_happens_to_a_case_without_a_word_of_people(hub: HubUnderTest) -> None:
    with Ear(hub.url, hub.centre) as ear:
        hello = ear.wait("hello")
        no = push(hub, "live-1")
        until(lambda: len(ear.moves) >= 3, what="hearing of the case")
        hub.act(no, kind="comment", reason="示例批注", by="operator-7")
        until(lambda: len(ear.moves) >= 4, what="hearing of the comment")

        assert ear.answer_headers["content-type"] == "text/event-stream; charset=utf-8"
        assert ear.answer_headers["cache-control"] == "no-store"
        assert ear.answer_headers["x-accel-buffering"] == "no"
        assert ear.events[0] == hello
        assert hello.data["person"] == {"login": "centre"}
        assert hello.id
        assert sorted(ear.moves) == events_of(hub)
        first, *_, last = ear.of("moved")
        case = hub.case(no)
        assert first.data["action"] == "collect"
        assert last.data == {
            "no": no, "seq": 4, "stage": case["stage"], "stage_title": case["stage_title"], "action": "comment",
            "title": case["events"][-1]["title"], "at": case["events"][-1]["action"]["at"],
            "source": "hotline_12345", "owner": "urban_management", "unit": case["assignments"][0]["unit"],
            "area": case["place"]["area"], "class_code": case["class_code"],
        }  # fmt: skip
        heard = str(ear.events)
        assert not [word for word in ("示例诉求", "示例批注", "张某某", "138", "凤凰山") if word in heard]


def test_who_comes_back_hears_what_was_missed_and_nothing_twice(hub: HubUnderTest) -> None:
    with Ear(hub.url, hub.centre) as ear:
        ear.wait("hello")
        push(hub, "back-1")
        until(lambda: len(ear.moves) >= 3, what="hearing of the first case")
    push(hub, "back-2", LITTER)
    with Ear(hub.url, hub.centre, last=ear.reading.last) as again:
        assert again.wait("hello").data["resumed"] is True
        until(lambda: len(again.moves) >= 3, what="hearing of the second case")
        push(hub, "back-3")
        until(lambda: len(again.moves) >= 6, what="hearing of the third case")

        assert sorted(ear.moves + again.moves) == events_of(hub)
        assert again.of("reset") == []


@pytest.mark.parametrize(
    "given", ["x", "1", "1:2", "9:3:", "1:5:7", "~", "1:2:~1:2:~x", "1:2:~~", "9" * 30 + ":1:", "1:1:\x001"]
)
def test_an_id_that_is_nobodys_is_told_to_load_anew_and_hears_what_follows(hub: HubUnderTest, given: str) -> None:
    with Ear(hub.url, hub.centre, after=given) as ear:
        assert ear.wait("reset").data["why"] == "unknown"
        assert ear.of("hello")[0].data["resumed"] is False
        push(hub, "odd-1")
        until(lambda: len(ear.moves) >= 3, what="hearing of the case")


def test_an_id_of_another_database_or_of_long_ago_is_told_to_load_anew(hub: HubUnderTest) -> None:
    push(hub, "old-1")
    with Ear(hub.url, hub.centre, last="900000000:900000001:") as ear:
        assert ear.wait("reset").data["why"] == "unknown"
    insert(hub, 2100)
    with Ear(hub.url, hub.centre, last="3:3:") as ear:
        reset = ear.wait("reset")
        assert reset.data["why"] == "gap"
        assert ear.moves == []
    with Ear(hub.url, hub.centre, last=reset.id) as ear:
        assert ear.wait("beat").id
        assert ear.of("reset") == []


def test_only_who_may_look_is_let_in_and_only_by_get(hub: HubUnderTest) -> None:
    assert hub.client.get("/api/live").status_code == 401
    assert hub.client.get("/api/live").json()["error"]["code"] == "unauthenticated"
    answer = hub.client.post("/api/live", headers=hub.centre, content=b"{}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_a_flood_is_told_as_one_reset_and_the_next_move_by_itself(hub: HubUnderTest) -> None:
    no = push(hub, "flood-1")
    with Ear(hub.url, hub.centre) as ear:
        ear.wait("hello")
        insert(hub, 1500)
        reset = ear.wait("reset")
        assert reset.data["why"] == "flood"
        assert reset.id
        hub.rows("SELECT 1")
        push(hub, "flood-2")
        until(lambda: len(ear.moves) >= 3, what="hearing of the second case")
        assert all(number != no for number, _ in ear.moves)


def insert(hub: HubUnderTest, number: int) -> None:
    """So many further events of the only case, in one transaction."""
    hub.rows(_FURTHER, number)


_FURTHER = """
INSERT INTO event (case_id, seq, at, action, party, body)
SELECT e.case_id, e.seq + n, e.at, 'comment', 'centre',
       jsonb_set(jsonb_set(e.body, '{seq}', to_jsonb(e.seq + n)), '{action,kind}', '"comment"')
  FROM (SELECT * FROM event ORDER BY seq DESC LIMIT 1) e, generate_series(1, $1) n
"""
