"""Signing in: passwords, locks, one-time codes, cookies and what a session may not do."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
import pyotp
import pytest

from canonical.rights import Role
from gateway.people.password import weakness
from gateway.people.signing_in import FREE, LONGEST_LOCK, locked_for
from tests.gateway.people_desk import FORM, PASSWORD, Desk, desk, sign_in
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest
from tests.routing.intake_city import NOW

__all__ = ["desk"]


def code_of(answer: httpx.Response) -> str:
    code: str = answer.json()["error"]["code"]
    return code


def test_who_signs_in_is_known_by_a_cookie_that_no_script_and_no_other_site_can_use(desk: Desk) -> None:
    client, first = desk.client(), desk.account("wang.min", Role.CITY_CENTRE)

    answer = sign_in(client, "Wang.Min ", first)

    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/", "max-age="))
    shown = client.get("/api/session").json()["person"]
    assert (shown["login"], shown["role"], shown["owed"]) == ("wang.min", "city_centre", ["password"])


def test_the_database_never_holds_what_opens_a_session(desk: Desk) -> None:
    client = desk.person("wang.min", Role.CITY_CENTRE)
    token = client.cookies["gridhub_session"]

    kept = "".join(
        str(row) for table in ("session", "person", "sign_in") for row in desk.hub.rows(f"SELECT * FROM {table}")
    )

    assert token not in kept
    assert PASSWORD not in kept
    assert "argon2id" in kept


def test_a_first_password_opens_nothing_until_it_is_changed(desk: Desk) -> None:
    client, first = desk.client(), desk.account("wang.min", Role.CITY_CENTRE)
    sign_in(client, "wang.min", first)

    assert code_of(client.get("/api/cases")) == "owed"
    weak = client.put("/api/session/password", json={"old": first, "new": "short"})
    same = client.put("/api/session/password", json={"old": first, "new": first})
    wrong = client.put("/api/session/password", json={"old": "x", "new": PASSWORD})
    assert [answer.status_code for answer in (weak, same, wrong)] == [422, 422, 403]

    assert client.put("/api/session/password", json={"old": first, "new": PASSWORD}).status_code == 200
    assert client.get("/api/cases").status_code == 200
    assert sign_in(desk.client(), "wang.min", first).status_code == 401
    assert sign_in(desk.client(), "wang.min", PASSWORD).status_code == 200


def test_a_changed_password_ends_the_sessions_elsewhere(desk: Desk) -> None:
    here = desk.person("wang.min", Role.CITY_CENTRE)
    there = desk.client()
    sign_in(there, "wang.min", PASSWORD)

    here.put("/api/session/password", json={"old": PASSWORD, "new": f"{PASSWORD}-new"})

    assert here.get("/api/cases").status_code == 200
    assert there.get("/api/cases").status_code == 401


def test_a_wrong_password_and_an_unknown_login_are_told_alike(desk: Desk) -> None:
    desk.account("wang.min", Role.CITY_CENTRE)

    wrong, unknown = sign_in(desk.client(), "wang.min", "x"), sign_in(desk.client(), "nobody", "x")

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


@pytest.mark.parametrize("login", ["wang.min", "nobody"])
def test_wrong_attempts_lock_a_login_whether_it_is_there_or_not(desk: Desk, login: str) -> None:
    first = desk.account("wang.min", Role.CITY_CENTRE)
    for _ in range(FREE):
        assert sign_in(desk.client(), login, "wrong").status_code == 401

    locked = sign_in(desk.client(), login, first)

    assert (locked.status_code, code_of(locked)) == (429, "locked")
    assert 0 < int(locked.headers["retry-after"]) <= 61


def test_many_attempts_at_once_are_counted_like_many_in_a_row(desk: Desk) -> None:
    desk.account("wang.min", Role.CITY_CENTRE)

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: sign_in(desk.client(), "wang.min", "wrong").status_code, range(12)))

    assert statuses.count(401) == FREE
    assert statuses.count(429) == 12 - FREE


def test_a_lock_grows_and_has_an_end() -> None:
    def locked(wrong: int, later: timedelta) -> timedelta:
        return locked_for([NOW] * wrong, NOW + later)

    assert locked(FREE - 1, timedelta()) == timedelta()
    assert locked(FREE, timedelta()) == timedelta(minutes=1)
    assert locked(FREE + 1, timedelta()) == timedelta(minutes=2)
    assert locked(60, timedelta()) == LONGEST_LOCK
    assert locked(60, LONGEST_LOCK) == timedelta()


@pytest.mark.parametrize(
    "password",
    ["Sh0rt!", "wang.min-2026-X", "aaaaaaaaaaaaaaaaaaaa", "onlysmallletter", "12345678901234", "x" * 201],
)
def test_a_weak_password_is_told(password: str) -> None:
    assert weakness(password, "wang.min")


@pytest.mark.parametrize("password", [PASSWORD, "four words make one", "一二三四五六七八九十甲乙丙丁戊己"])
def test_a_good_password_is_taken(password: str) -> None:
    assert weakness(password, "wang.min") == ""


def test_one_time_codes_are_asked_for_once_one_was_shown_and_none_is_good_twice(desk: Desk) -> None:
    client = desk.person("wang.min", Role.CITY_CENTRE)
    begun = client.post("/api/session/codes").json()
    totp = pyotp.TOTP(begun["secret"])
    assert "gridhub" in begun["address"]
    assert sign_in(desk.client(), "wang.min", PASSWORD).status_code == 200
    now = datetime.now().astimezone()
    right = {totp.at(now + timedelta(seconds=30 * step)) for step in range(-2, 3)}
    bad = next(code for code in (f"{number:06}" for number in range(9)) if code not in right)
    assert client.put("/api/session/codes", json={"code": bad}).status_code == 403
    early, late = totp.at(now - timedelta(seconds=30)), totp.at(now)

    assert client.put("/api/session/codes", json={"code": early}).status_code == 200

    assert code_of(sign_in(desk.client(), "wang.min", PASSWORD)) == "code_needed"
    assert sign_in(desk.client(), "wang.min", PASSWORD, early).status_code == 401
    assert sign_in(desk.client(), "wang.min", PASSWORD, late).status_code == 200
    assert sign_in(desk.client(), "wang.min", PASSWORD, late).status_code == 401
    assert totp.secret not in str(desk.hub.rows("SELECT * FROM person"))


def test_what_changes_something_needs_the_header_that_no_other_site_can_send(desk: Desk) -> None:
    client = desk.person("wang.min", Role.CITY_CENTRE)
    forged = httpx.Client(base_url=desk.hub.url, cookies=client.cookies, trust_env=False)
    desk.stack.enter_context(forged)

    assert forged.get("/api/cases").status_code == 200
    assert code_of(forged.delete("/api/session")) == "forged"
    assert forged.delete("/api/session", headers=FORM).status_code == 200


def test_who_signs_out_is_out_and_the_log_tells_the_whole_day(desk: Desk) -> None:
    client = desk.person("wang.min", Role.CITY_CENTRE)
    token = client.cookies["gridhub_session"]

    client.delete("/api/session")

    client.cookies.set("gridhub_session", token)
    assert client.get("/api/cases").status_code == 401
    rows = desk.hub.rows("SELECT way, outcome FROM sign_in ORDER BY id")
    assert [(row["way"], row["outcome"]) for row in rows] == [("password", "in"), ("own", "in"), ("password", "out")]


def test_a_session_ends_when_nobody_asks_and_after_a_shift(desk: Desk) -> None:
    client = desk.person("wang.min", Role.CITY_CENTRE)
    desk.hub.rows("UPDATE session SET seen_at = seen_at - interval '61 minutes'")
    assert client.get("/api/cases").status_code == 401
    sign_in(client, "wang.min", PASSWORD)
    desk.hub.rows("UPDATE session SET ends_at = ends_at - interval '12 hours'")
    assert client.get("/api/cases").status_code == 401


def test_a_closed_account_gets_nobody_in_and_no_further(desk: Desk) -> None:
    client, keeper = desk.person("wang.min", Role.CITY_CENTRE), desk.person("admin", Role.ADMINISTRATOR)

    done = keeper.post("/api/people/wang.min", json={"what": "close", "reason": "left"})

    assert done.status_code == 200
    assert client.get("/api/cases").status_code == 401
    assert code_of(sign_in(desk.client(), "wang.min", PASSWORD)) == "disabled"
    assert sign_in(desk.client(), "wang.min", "wrong").json()["error"]["code"] == "wrong"


def test_the_action_of_a_person_bears_their_name_whatever_the_body_says(desk: Desk) -> None:
    client = desk.person("wang.min", Role.CITY_CENTRE)
    hotline(ticket("1")).to(desk.hub)
    number = desk.hub.cases()[-1]["no"]

    answer = client.post(f"/api/cases/{number}/actions", json={"kind": "cancel", "reason": "test", "by": "somebody"})

    assert answer.status_code == 200, answer.text
    [event] = [one for one in desk.hub.case(number)["events"] if one["action"]["kind"] == "cancel"]
    assert event["action"]["actor"]["id"] == "wang.min"
    [row] = desk.hub.rows("SELECT headers FROM message WHERE door = 'actions'")
    assert "wang.min" in row["headers"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"login": "", "password": "x"}', b'{"login": "a\\u0000b", "password": "x"}', b"\xff"]
)
def test_a_sign_in_that_cannot_be_read_is_a_clear_4xx(hub: HubUnderTest, body: bytes) -> None:
    answer = hub.client.post("/api/session", content=body, headers={"content-type": "application/json"})

    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["text"]
