"""Reconciliation with real platforms over sockets: each class of difference by a real fault, repaired, then none."""

import csv
import io
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from rich.cells import cell_len

from canonical.reconciliation import LineClass
from gateway.configuration import Configuration
from gateway.reconciliation.repair import Repair
from gateway.work import Role
from tests.gateway.conftest import StartHub, StartSide
from tests.gateway.outside import LAMP, gridhub, push
from tests.gateway.reconciling import ASKED, LATER, LISTING, Bench, with_platforms
from tests.gateway.running import HubUnderTest, until

StartBench = Callable[..., Bench]
SLOW = 3600.0
"""Seconds between two steps of a platform's work: nothing moves by itself."""


@pytest.fixture
def start(start_hub: StartHub, start_side: StartSide, configuration: Configuration) -> StartBench:
    """A bench; the platforms do nothing by themselves. `changes`: of what both declare in `reconcile`."""

    def begin(*, pace: float = SLOW, settle: int = 0, **changes: object) -> Bench:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        hub_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sides = {
            ASKED: start_side("open311", hub_url, options={"mode": "server"}, pace=pace),
            LISTING: start_side("work_safety", hub_url, options={"account": "hub"}, pace=pace),
        }
        urls = {ASKED: f"{sides[ASKED].url}/open311/v2", LISTING: sides[LISTING].url}
        loaded = with_platforms(configuration, settle=settle, **changes)
        return Bench(start_hub(urls=urls, listener=listener, loaded=loaded), sides)

    return begin


def reported(bench: Bench, number: int = 1) -> list[str]:
    """So many issues of the work safety platform that became cases; their ids there."""
    ids = bench.sides[LISTING].emit(number)
    bench.working(Role.POLL)
    until(lambda: len(bench.hub.cases(source=LISTING)) >= number, what="the cases")
    bench.hub.stop_worker()
    return list(ids)


def handed_over(bench: Bench, name: str = "one") -> tuple[str, str]:
    """A case that the Open311 server has: our number, and its own."""
    number = push(bench.hub, name, LAMP)
    bench.working(Role.DELIVER)
    try:
        return number, bench.dispatched(number)
    finally:
        bench.hub.stop_worker()


def delivered(bench: Bench) -> None:
    """Whatever waits for the Open311 server is sent."""
    bench.working(Role.DELIVER)
    waiting = "SELECT 1 FROM delivery WHERE system = $1 AND state NOT IN ('acknowledged', 'withdrawn')"
    until(lambda: not bench.hub.rows(waiting, ASKED), what="delivery")
    bench.hub.stop_worker()


# By query


def test_what_both_have_agrees_and_the_statement_balances(start: StartBench) -> None:
    bench = start()
    handed_over(bench)

    made = bench.statement(ASKED)

    assert made.counts == {"agree": [1, 1, 1]}
    assert (made.ours, made.theirs, made.trouble, made.edition) == (1, 1, "", 1)
    assert bench.differences(ASKED) == []


def test_a_case_the_owner_has_lost_is_handed_over_again_and_then_agrees(start: StartBench) -> None:
    bench = start()
    number, lost = handed_over(bench)
    bench.lose(ASKED, lost)

    assert bench.counts(ASKED) == {"missing_there": 1}
    found = bench.difference(ASKED)
    assert (found.class_, found.case_no, found.external_id) == (LineClass.MISSING_THERE, number, lost)
    done = bench.repair(found, Repair.HAND_OVER)
    assert done.done
    again = bench.repair(found, Repair.HAND_OVER)

    assert not again.done
    assert bench.counts(ASKED) == {"in_flight": 1}
    delivered(bench)
    [item] = bench.items(ASKED)
    assert item["id"] != lost
    assert bench.counts(ASKED) == {"agree": 1}
    closed = bench.difference(ASKED, "closed")
    assert (closed.id, closed.closed_how) == (found.id, "repaired")
    assert len([row for row in bench.hub.case(number)["deliveries"] if row["system"] == ASKED]) == 2
    assert set(bench.hub.orphans().values()) == {0}


def test_what_the_owner_says_of_the_id_it_had_lost_is_history(start: StartBench) -> None:
    bench = start()
    _, lost = handed_over(bench)
    bench.lose(ASKED, lost)
    bench.statement(ASKED)
    bench.repair(bench.difference(ASKED), Repair.HAND_OVER)
    delivered(bench)

    rows = bench.hub.rows("SELECT external_id, body ->> 'round' AS round FROM binding WHERE system = $1", ASKED)

    assert {row["external_id"]: row["round"] for row in rows}[lost] == "0"
    assert len(rows) == 2


def test_a_state_that_changed_silently_is_taken_in_as_an_action(start: StartBench) -> None:
    bench = start()
    number, theirs = handed_over(bench)
    bench.change(ASKED, theirs, "closed")

    assert bench.counts(ASKED) == {"state_differs": 1}
    found = bench.difference(ASKED)
    assert (found.our_state, found.their_state) == ("dispatched", "closed")
    assert bench.repair(found, Repair.TAKE_IN).done

    case = bench.hub.case(number)
    assert case["stage"] == "disposed"
    assert case["events"][-1]["action"]["actor"]["id"] == ASKED
    assert not bench.repair(found, Repair.TAKE_IN).done
    assert bench.counts(ASKED) == {"agree": 1}
    assert bench.difference(ASKED, "closed").closed_how == "repaired"


def test_a_state_the_lifecycle_does_not_allow_is_refused_and_changes_nothing(start: StartBench) -> None:
    bench = start()
    number, theirs = handed_over(bench)
    bench.change(ASKED, theirs, "closed")
    bench.statement(ASKED)
    found = bench.difference(ASKED)
    bench.hub.act(number, kind="cancel", reason="示例: 重复")
    before = bench.hub.counts()["event"]

    assert "cancel" in bench.refused(found, Repair.TAKE_IN)

    assert bench.hub.counts()["event"] == before
    assert not bench.difference(ASKED).under_repair


def test_a_silent_change_within_the_settle_time_is_on_its_way(start: StartBench) -> None:
    bench = start(settle=1800)
    _, theirs = handed_over(bench)
    bench.change(ASKED, theirs, "closed")

    assert bench.counts(ASKED) == {"in_flight": 1}
    assert bench.differences(ASKED) == []
    assert bench.counts(ASKED, after=LATER) == {"state_differs": 1}


def test_a_delivery_that_is_not_settled_explains_what_is_missing(start: StartBench) -> None:
    bench = start()
    push(bench.hub, "waits", LAMP)

    made = bench.statement(ASKED)

    assert made.counts == {"in_flight": [1, 1, 0]}
    [line] = bench.lines(made)
    assert "file_request waits to be sent" in line["text"]


def test_a_system_that_is_away_gets_a_statement_that_says_so(start: StartBench) -> None:
    bench = start()
    _, theirs = handed_over(bench)
    bench.change(ASKED, theirs, "closed")
    bench.statement(ASKED)
    for name in ("two", "three", "four", "five"):
        handed_over(bench, name)
    away = Bench(bench.hub, bench.sides)
    away.hub.configuration = _unreachable(bench)

    made = away.statement(ASKED)

    assert "could not be reached" in made.trouble
    assert made.counts == {"unknown_there": [5, 5, 0]}
    assert LineClass.STATE_DIFFERS in {one.class_ for one in bench.differences(ASKED)}


def _unreachable(bench: Bench) -> Configuration:
    given = bench.hub.configuration
    nobody = {name: replace(one, url="http://127.0.0.1:9") for name, one in given.systems.items()}
    return replace(given, systems=nobody)


def test_a_difference_ages_and_one_that_vanished_is_closed_by_itself(start: StartBench) -> None:
    bench = start()
    _, theirs = handed_over(bench)
    bench.change(ASKED, theirs, "closed")
    bench.statement(ASKED)
    first = bench.difference(ASKED)

    bench.statement(ASKED, after=timedelta(days=2))
    aged = bench.difference(ASKED)
    bench.change(ASKED, theirs, "open")
    bench.statement(ASKED, after=timedelta(days=3))

    assert (aged.id, aged.first_seen) == (first.id, first.first_seen)
    assert aged.last_seen - aged.first_seen > timedelta(days=1)
    closed = bench.difference(ASKED, "closed")
    assert (closed.id, closed.closed_how) == (first.id, "gone")


def test_a_difference_that_is_signed_off_is_shown_no_more_until_it_changes(start: StartBench) -> None:
    bench = start()
    _, theirs = handed_over(bench)
    bench.change(ASKED, theirs, "closed")
    bench.statement(ASKED)
    found = bench.difference(ASKED)

    assert bench.sign_off(found).done
    assert not bench.sign_off(found).done
    bench.statement(ASKED)
    assert bench.differences(ASKED) == []
    assert bench.difference(ASKED, "signed_off").id == found.id

    bench.lose(ASKED, theirs)
    bench.statement(ASKED, after=timedelta(days=1))
    changed = bench.difference(ASKED)
    assert (changed.id, changed.class_) == (found.id, LineClass.MISSING_THERE)
    assert changed.first_seen > found.first_seen


# By list


def test_a_list_is_compared_with_what_it_reported(start: StartBench) -> None:
    bench = start()
    reported(bench, 3)

    made = bench.statement(LISTING)

    assert made.counts == {"agree": [3, 3, 3]}


def test_what_they_have_and_we_lost_is_taken_in(start: StartBench) -> None:
    bench = start()
    reported(bench, 1)
    [lost] = bench.sides[LISTING].emit(1)

    made = bench.statement(LISTING)

    assert {key: lines for key, (lines, _, _) in made.counts.items()} == {"agree": 1, "missing_here": 1}
    found = bench.difference(LISTING)
    assert (found.class_, found.external_id, found.case_no) == (LineClass.MISSING_HERE, lost, "")
    assert bench.repair(found, Repair.TAKE_IN).text.startswith("case ")
    assert not bench.repair(found, Repair.TAKE_IN).done
    assert len(bench.hub.cases(source=LISTING)) == 2
    assert bench.counts(LISTING) == {"agree": 2}
    assert bench.difference(LISTING, "closed").closed_how == "repaired"


def test_what_the_source_has_lost_can_only_be_signed_off(start: StartBench) -> None:
    bench = start()
    [lost, _] = reported(bench, 2)
    bench.lose(LISTING, lost)

    assert bench.counts(LISTING) == {"agree": 1, "missing_there": 1}
    found = bench.difference(LISTING)
    assert "nothing but signing it off" in bench.refused(found, Repair.HAND_OVER)
    bench.sign_off(found)
    assert bench.differences(LISTING) == []


def test_what_we_told_and_they_forgot_is_told_again(start: StartBench) -> None:
    bench = start()
    [issue] = reported(bench, 1)
    number = bench.hub.case(issue)["no"]
    place = {"area": "340202"}
    bench.hub.act(number, kind="file", class_code="30428.2:E04-06", place=place)
    bench.working(Role.DELIVER)
    until(lambda: bench.items(LISTING)[0]["state"] == "2", what="accepting")
    bench.hub.stop_worker()
    bench.change(LISTING, issue, "5")

    assert bench.counts(LISTING) == {"state_differs": 1}
    found = bench.difference(LISTING)
    assert bench.repair(found, Repair.TELL).done
    assert not bench.repair(found, Repair.TELL).done
    bench.working(Role.DELIVER)
    until(lambda: bench.items(LISTING)[0]["state"] == "2", what="accepting again")
    bench.hub.stop_worker()

    assert bench.counts(LISTING) == {"agree": 1}


# Doors


def test_the_api_shows_repairs_and_exports(start: StartBench) -> None:
    bench = start()
    number, theirs = handed_over(bench)
    bench.change(ASKED, theirs, "closed")
    made = bench.statement(ASKED)
    base, api = "/api/reconciliation", bench.hub

    [seen] = [one for one in api.get(base)["items"] if one["system"] == ASKED]
    assert (seen["confident"], seen["open"], seen["by_age"]["under_a_day"]) == (True, 1, 1)
    [listed] = api.get(f"{base}/statements", system=ASKED, day=str(made.day))["items"]
    assert listed["balance"]["holds"]
    shown = api.get(f"{base}/statements/{made.id}")
    assert [row["class"] for row in shown["items"]] == ["state_differs"]
    [found] = api.get(f"{base}/differences", system=ASKED)["items"]
    assert found["repairs"] == ["take_in", "tell"]

    order = {"how": "take_in", "actor": "示例操作员", "reason": "电话核实"}
    answers = [_posted(api, f"{base}/differences/{found['id']}/repair", order) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["done"] for answer in answers] == [True, False]
    assert api.case(number)["stage"] == "disposed"
    [act] = api.get(f"{base}/differences/{found['id']}")["acts"]
    assert (act["actor"], act["reason"], act["act"]) == ("示例操作员", "电话核实", "take_in")


def _posted(hub: HubUnderTest, path: str, body: object) -> httpx.Response:
    return hub.client.post(path, json=body, headers=hub.centre)


def test_the_export_sums_up_to_the_statement(start: StartBench) -> None:
    bench = start()
    reported(bench, 3)
    bench.lose(LISTING, bench.items(LISTING)[0]["id"])
    bench.sides[LISTING].emit(1)
    made = bench.statement(LISTING)

    path = f"/api/reconciliation/statements/{made.id}"
    answer = bench.hub.client.get(path, params={"format": "csv"}, headers=bench.hub.centre)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert sum(int(row["lines"]) for row in rows) == made.sum(0)
    assert {row["class"]: row["lines"] for row in rows} == {"agree": "2", "missing_there": "1", "missing_here": "1"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("run", {"system": "nobody", "actor": "示例操作员"}, 404),
        ("run", {"system": "hotline_12345"}, 422),
        (f"differences/{UUID(int=1)}/repair", {"how": "tell", "actor": "x", "reason": "y"}, 404),
        (f"differences/{UUID(int=1)}/repair", {"how": "magic", "actor": "x", "reason": "y"}, 422),
        (f"differences/{UUID(int=1)}/sign-off", {"actor": " ", "reason": "y"}, 422),
        (f"differences/{UUID(int=1)}/sign-off", {"actor": "x", "reason": "a\0b"}, 422),
        ("differences/none/repair", {"how": "tell", "actor": "x", "reason": "y"}, 422),
    ],
)
def test_a_wrong_order_is_refused_with_words(hub: HubUnderTest, path: str, body: object, status: int) -> None:
    answer = _posted(hub, f"/api/reconciliation/{path}", body)

    assert answer.status_code == status
    assert answer.json()["error"]["text"]


def test_a_statement_that_is_ordered_twice_before_it_is_made_is_one(hub: HubUnderTest) -> None:
    order = {"system": "hotline_12345", "actor": "示例操作员"}

    answers = [_posted(hub, "/api/reconciliation/run", order).json() for _ in range(2)]

    assert answers[0] == answers[1]
    [made] = hub.get("/api/reconciliation/statements")["items"]
    assert (made["id"], made["ordered_by"], made["finished_at"]) == (answers[0]["statement"], "示例操作员", None)


def test_nobody_sees_statements_without_the_token(hub: HubUnderTest) -> None:
    for path in ("", "/statements", "/differences"):
        assert hub.client.get(f"/api/reconciliation{path}").status_code == 401


def test_the_command_line_makes_shows_and_exports_a_statement(hub: HubUnderTest, tmp_path: Path) -> None:
    push(hub, "one", LAMP)
    file = tmp_path / "statement.csv"

    made = gridhub(hub, "reconcile", "run", "hotline_12345")
    shown = gridhub(hub, "reconcile", "show", "hotline_12345", "--csv", str(file))
    listed = gridhub(hub, "reconcile", "list")
    wrong = gridhub(hub, "reconcile", "run", "nobody")

    assert made.returncode == 0, made.stderr
    assert "平衡 balanced" in made.stdout
    assert made.stdout == shown.stdout.replace(f"{file}\n", "")
    assert all(cell_len(line) <= 80 for one in (made, listed) for line in one.stdout.splitlines())
    assert "hotline_12345" in listed.stdout
    assert "仅看静默" in listed.stdout
    assert file.read_text(encoding="utf-8-sig").splitlines()[1].startswith("agree,一致,1")
    assert (wrong.returncode, "no system 'nobody'" in wrong.stderr) == (5, True)
