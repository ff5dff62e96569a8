"""Accounts: made with limits that mean something, changed at once, and every change kept; rights by role."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from canonical.rights import RIGHTS, Right, Role
from tests.gateway.outside import gridhub
from tests.gateway.people_desk import PASSWORD, Desk, desk, sign_in

__all__ = ["desk"]

NEW: Mapping[str, Any] = {"login": "li.na", "name": "示例李", "role": "district_centre", "areas": ["340202"]}
DOORS = {
    Right.SEE: "/api/cases", Right.AUDIT: "/api/viewings", Right.ADMINISTER: "/api/people",
}  # fmt: skip


@pytest.fixture
def keeper(desk: Desk) -> httpx.Client:
    """An administrator."""
    return desk.person("admin", Role.ADMINISTRATOR)


def test_an_account_is_made_listed_changed_and_its_history_is_kept(desk: Desk, keeper: httpx.Client) -> None:
    made = keeper.post("/api/people", json=NEW).json()
    client = desk.client()
    assert sign_in(client, "li.na", made["password"]).status_code == 200
    client.put("/api/session/password", json={"old": made["password"], "new": PASSWORD})
    assert client.get("/api/session").json()["person"]["scope"]["areas"] == ["340202"]

    changed = keeper.put("/api/people/li.na", json={"name": "示例李", "role": "auditor"})

    assert changed.json()["role"] == "auditor"
    assert client.get("/api/session").json()["person"]["role"] == "auditor"
    shown = keeper.get("/api/people/li.na").json()
    assert [one["what"] for one in shown["changes"]] == ["changed", "password", "made"]
    assert shown["changes"][0]["by"] == "admin"
    assert "district_centre -> auditor" in shown["changes"][0]["text"]
    assert [one["login"] for one in keeper.get("/api/people").json()["items"]] == ["admin", "li.na"]
    assert PASSWORD not in str(shown)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"areas": []}, "areas"),
        ({"areas": ["999999"]}, "areas"),
        ({"role": "unit", "areas": []}, "units"),
        ({"role": "unit", "units": ["nowhere"], "areas": []}, "units"),
        ({"systems": ["nobody"]}, "systems"),
        ({"classes": ["nothing"]}, "classes"),
        ({"login": "李娜"}, "login"),
        ({"role": "emperor"}, "role"),
        ({"name": "a\0b"}, "U+0000"),
    ],
)
def test_an_account_that_cannot_be_right_is_refused_by_the_field(
    keeper: httpx.Client, change: Mapping[str, Any], named: str
) -> None:
    answer = keeper.post("/api/people", json={**NEW, **change})

    assert answer.status_code == 422
    assert named in answer.json()["error"]["text"]
    assert len(keeper.get("/api/people").json()["items"]) == 1


def test_a_login_is_given_once_and_nobody_closes_their_own(keeper: httpx.Client) -> None:
    assert keeper.post("/api/people", json=NEW).status_code == 200
    assert keeper.post("/api/people", json=NEW).status_code == 409
    assert keeper.post("/api/people/admin", json={"what": "close"}).status_code == 409
    assert keeper.post("/api/people/nobody", json={"what": "close"}).status_code == 404


def test_who_forgot_the_password_gets_a_first_one_and_a_lock_ends(desk: Desk, keeper: httpx.Client) -> None:
    client = desk.person("li.na", Role.AUDITOR)
    for _ in range(6):
        sign_in(desk.client(), "li.na", "wrong")
    assert keeper.get("/api/people/li.na").json()["locked_for"] > 0

    first = keeper.post("/api/people/li.na", json={"what": "reset"}).json()["password"]

    assert client.get("/api/session").status_code == 401
    assert sign_in(desk.client(), "li.na", PASSWORD).status_code == 401
    assert sign_in(desk.client(), "li.na", first).status_code == 200


@pytest.mark.parametrize("role", Role)
def test_a_door_opens_to_the_roles_whose_right_it_is(desk: Desk, role: Role) -> None:
    limits = {"areas": ["340202"], "units": [sorted(desk.hub.configuration.city.responsibility.units)[0]]}
    client = desk.person("somebody", role, **limits)

    opened = {right: client.get(path).status_code for right, path in DOORS.items()}

    assert opened == {right: 200 if right in RIGHTS[role] else 403 for right in DOORS}


def test_who_keeps_the_accounts_sees_no_case_and_who_audits_changes_nothing() -> None:
    assert Right.SEE not in RIGHTS[Role.ADMINISTRATOR]
    changing = {Right.ACT, Right.OPERATE, Right.ASSESS, Right.ADMINISTER, Right.APPEAL}
    assert RIGHTS[Role.AUDITOR] & changing == frozenset()


def test_the_command_line_makes_the_first_account(desk: Desk) -> None:
    made = gridhub(desk.hub, "people", "add", "admin", "--role", "administrator", "--json")
    assert made.returncode == 0, made.stderr

    listed = gridhub(desk.hub, "people", "list")
    unknown = gridhub(desk.hub, "people", "reset", "nobody")
    wrong = gridhub(desk.hub, "people", "add", "li", "--role", "unit")

    assert "admin" in listed.stdout
    assert (unknown.returncode, wrong.returncode) == (5, 2)
    assert "units" in wrong.stderr
