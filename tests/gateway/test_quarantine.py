"""A code without a row is mapped while the hub runs: tried, used by every process, undone by a further row."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canonical.rights import Role
from gateway.renewal import LOOK
from tests.gateway.conftest import StartHub
from tests.gateway.outside import gridhub
from tests.gateway.people_desk import Desk, desk
from tests.gateway.pushes import HOTLINE, NAME, PHONE, hotline, ticket
from tests.gateway.running import HubUnderTest, until

__all__ = ["desk"]

CODE, TABLE = "9876", "accord_types"
ROW = {
    "system": HOTLINE, "table": TABLE, "local": CODE, "canonical": "30428.2:P01-37", "title": "示例路灯",
    "reason": "示例: 平台新增类别", "actor": "operator-7",
}  # fmt: skip


def push(hub: HubUnderTest, *numbers: str, code: str = CODE) -> None:
    """Tickets with this code."""
    for number in numbers:
        hotline(ticket(number, accordType=code)).to(hub)


def post(hub: HubUnderTest, path: str, **body: Any) -> Any:
    """What the API answers."""
    return hub.client.post(f"/api/quarantine{path}", json=body, headers=hub.centre)


def add(hub: HubUnderTest, **changes: Any) -> dict[str, Any]:
    """A row that must be taken."""
    answer = post(hub, "/codes", **(ROW | changes))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def verdict(hub: HubUnderTest, number: str) -> str:
    """What became of a ticket."""
    [row] = hub.rows("SELECT verdict FROM message WHERE external_id = $1 AND direction = 'in'", f"t-{number}")
    return str(row["verdict"])


def takes(hub: HubUnderTest) -> Callable[[], bool]:
    """True once this process reads the code: a fresh ticket each time."""
    tries = iter(range(1000))

    def taken() -> bool:
        number = f"{hub.port}-{next(tries)}"
        push(hub, number)
        return verdict(hub, number) == "case"

    return taken


def test_codes_are_listed_with_count_age_and_rows_that_are_alike(hub: HubUnderTest) -> None:
    push(hub, "1", "2", "3")
    push(hub, "4", code="0402x")

    told = hub.get("/api/quarantine")

    by_code = {one["code"]: one for one in told["items"]}
    assert [(one["code"], one["count"]) for one in told["items"]] == [(CODE, 3), ("0402x", 1)]
    assert (by_code[CODE]["table"], by_code[CODE]["system"]) == (TABLE, HOTLINE)
    assert by_code[CODE]["since"] <= by_code[CODE]["newest"]
    likest = by_code["0402x"]["suggestions"][0]
    assert (likest["local"], likest["score"] > 0.8) == ("0402", True)
    assert {"quarantine", likest["canonical"]} <= set(by_code["0402x"]["values"])
    assert [(one["system"], one["count"]) for one in told["systems"]] == [(HOTLINE, 4)]
    shown = json.dumps(told, ensure_ascii=False)
    assert NAME not in shown
    assert PHONE not in shown
    assert hub.get("/api/quarantine", system="nobody")["items"] == []
    assert hub.get("/api/quarantine", limit=1, after=1)["items"][0]["code"] == "0402x"


def test_a_dry_run_tells_how_each_would_read_and_changes_nothing(hub: HubUnderTest) -> None:
    push(hub, "1", "2")

    told = add(hub, dry_run=True)

    assert (told["added"], told["messages"], told["heals"]) == (False, 2, 2)
    assert sum(told["reads"].values()) == 2
    assert add(hub, dry_run=True, canonical="quarantine")["heals"] == 0
    assert hub.rows("SELECT 1 FROM code_row") == []
    push(hub, "3")
    assert verdict(hub, "1") == verdict(hub, "3") == "quarantined"


def test_a_row_is_used_at_once_heals_what_waited_and_is_undone_by_a_further_one(hub: HubUnderTest) -> None:
    push(hub, "1", "2")
    push(hub, "9", code="9877")

    told = add(hub)

    assert (told["added"], told["heals"], told["replay"]["outcomes"]) == (True, 2, {"case": 2})
    assert (verdict(hub, "1"), verdict(hub, "9")) == ("case", "quarantined")
    push(hub, "3")
    assert verdict(hub, "3") == "case"
    [entry] = hub.rows("SELECT edition FROM message WHERE external_id = 't-3' AND direction = 'in'")
    kept = {row["digest"] for row in hub.rows("SELECT digest FROM edition WHERE system = $1", HOTLINE)}
    assert any(one.startswith(told["edition"]) for one in kept)
    assert entry["edition"]
    ledger = hub.get(f"/api/replays/{told['replay']['id']}")
    assert (ledger["actor"], ledger["reason"]) == ("operator-7", "示例: 平台新增类别 (code 9876)")

    add(hub, canonical="quarantine", reason="示例: 误配", actor="operator-8")

    push(hub, "4")
    assert verdict(hub, "4") == "quarantined"
    rows = hub.get("/api/quarantine/codes", system=HOTLINE)["items"]
    assert [(one["canonical"], one["actor"]) for one in rows] == [
        ("quarantine", "operator-8"), ("30428.2:P01-37", "operator-7"),
    ]  # fmt: skip


def test_every_process_uses_the_row_within_seconds_and_one_that_starts_later_from_its_beginning(
    hub: HubUnderTest, start_hub: StartHub
) -> None:
    other = start_hub()
    push(other, "1")
    assert verdict(other, "1") == "quarantined"

    add(hub, replay=False)

    until(takes(other), seconds=10 * LOOK, what="the row at the other gateway")
    assert verdict(hub, "1") == "quarantined"  # it was not to be replayed
    later = start_hub(worker=True)
    assert takes(later)()
    again = post(later, "/replay", system=HOTLINE, reason="示例: 重读", actor="operator-7").json()
    assert again["messages"] >= 1
    until(lambda: verdict(hub, "1") == "case", what="the worker reading it again by the row")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"system": "nobody"}, 404), ({"table": "nothing"}, 409), ({"table": "../system"}, 422), ({"local": ""}, 422),
        ({"canonical": "30428.2:ZZZ"}, 409), ({"local": "0402"}, 409), ({"local": "#9"}, 409), ({"local": "a\nb"}, 422),
        ({"reason": ""}, 422), ({"actor": " "}, 422), ({"local": "a\x00"}, 422), ({"more": 1}, 422),
        ({"canonical": "unchanged"}, 409), ({"title": "x" * 201}, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_a_row_is_refused_with_a_reason_and_nothing_changes(
    hub: HubUnderTest, changes: dict[str, Any], status: int
) -> None:
    answer = post(hub, "/codes", **(ROW | changes))

    assert (answer.status_code, bool(answer.json()["error"]["text"])) == (status, True), answer.text
    assert hub.rows("SELECT 1 FROM code_row") == []


def test_who_looks_and_who_maps_wants_the_right_and_is_named(desk: Desk) -> None:
    push(desk.hub, "1")
    centre, auditor = desk.person("zhang", Role.CITY_CENTRE), desk.person("qian", Role.AUDITOR)
    district = desk.person("li", Role.DISTRICT_CENTRE, areas=["340202"])
    asked = [one.get("/api/quarantine").status_code for one in (centre, auditor, district)]
    assert asked == [200, 200, 403]
    told = [one.post("/api/quarantine/codes", json=ROW).status_code for one in (auditor, district, centre)]
    assert told == [403, 403, 200]
    [row] = desk.hub.rows("SELECT actor FROM code_row")
    assert row["actor"] == "zhang"


def test_added_rows_are_exported_into_the_folder_once_and_what_was_taken_back_is_not(
    hub: HubUnderTest, tmp_path: Path
) -> None:
    add(hub, replay=False)
    add(hub, local="9877", replay=False)
    add(hub, local="9877", canonical="quarantine", replay=False)
    folder = tmp_path / HOTLINE

    for written in (1, 0):
        done = gridhub(hub, "codes", "export", HOTLINE, "--into", str(folder), "--json")
        assert (done.returncode, len(json.loads(done.stdout))) == (0, written), done.stderr

    table = (folder / "codes" / f"{TABLE}.csv").read_text(encoding="utf-8")
    assert f"{CODE},30428.2:P01-37,示例路灯" in table
    assert "9877" not in table
