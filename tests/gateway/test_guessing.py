"""Attacks on signing in: guessing past the lock, guessing at an open screen, other sites, bodies without end."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pyotp
import pytest

from canonical.rights import Role
from gateway.bounded import MOST
from gateway.people.signing_in import FREE
from tests.gateway.conftest import StartHub
from tests.gateway.people_desk import PASSWORD, Desk, desk, sign_in

__all__ = ["desk"]


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Status and code."""
    return answer.status_code, answer.json()["error"]["code"]


def test_attempts_at_a_locked_login_do_not_make_the_wrong_ones_forgotten(desk: Desk) -> None:
    first = desk.account("wang.min", Role.CITY_CENTRE)
    client = desk.client()
    for _ in range(FREE):
        sign_in(client, "wang.min", "wrong")
    desk.hub.rows(
        "INSERT INTO sign_in SELECT gen_random_uuid(), now(), 'wang.min', 'password', 'locked', ''"
        " FROM generate_series(1, 500)"
    )
    desk.hub.rows("UPDATE sign_in SET id = ('ffffffff' || right(id::text, 28))::uuid WHERE outcome = 'locked'")

    assert refused(sign_in(client, "wang.min", first)) == (429, "locked")
    keeper = desk.person("admin", Role.ADMINISTRATOR)
    assert keeper.get("/api/people/wang.min").json()["locked_for"] > 0


def test_guessing_the_password_at_an_open_screen_is_counted(desk: Desk) -> None:
    client = desk.person("wang.min", Role.CITY_CENTRE)
    wrong = {"old": "wrong", "new": f"{PASSWORD}-new"}

    told = [refused(client.put("/api/session/password", json=wrong)) for _ in range(FREE + 1)]

    assert told == [(403, "wrong")] * FREE + [(429, "locked")]
    assert refused(client.put("/api/session/password", json=wrong | {"old": PASSWORD})) == (429, "locked")
    assert client.get("/api/session").status_code == 200


def test_guessing_a_code_at_an_open_screen_is_counted(desk: Desk) -> None:
    client = desk.person("wang.min", Role.CITY_CENTRE)
    secret = client.post("/api/session/codes").json()["secret"]
    at = int(desk.hub.now().timestamp())
    right = {pyotp.TOTP(secret).at(at + 30 * step) for step in range(-3, 4)}
    bad = next(code for code in (f"{number:06}" for number in range(9)) if code not in right)

    told = [refused(client.put("/api/session/codes", json={"code": bad})) for _ in range(FREE + 1)]

    assert told == [(403, "wrong")] * FREE + [(429, "locked")]


def test_another_site_signs_nobody_in_as_somebody_else(desk: Desk) -> None:
    first = desk.account("wang.min", Role.CITY_CENTRE)
    foreign = desk.stack.enter_context(httpx.Client(base_url=desk.hub.url, trust_env=False))

    answer = sign_in(foreign, "wang.min", first)

    assert refused(answer) == (403, "forged")
    assert "set-cookie" not in answer.headers


def test_a_session_is_a_new_one_whatever_the_browser_brought_along(desk: Desk) -> None:
    first = desk.account("wang.min", Role.CITY_CENTRE)
    client = desk.client()
    client.cookies.set("gridhub_session", "chosen-by-somebody-else", domain="127.0.0.1")

    sign_in(client, "wang.min", first)

    other = desk.client()
    other.cookies.set("gridhub_session", "chosen-by-somebody-else", domain="127.0.0.1")
    assert other.get("/api/session").status_code == 401


@pytest.fixture
def behind_https(start_hub: StartHub) -> Iterator[Desk]:
    """A hub behind a proxy that ends TLS, of which people.yaml says the address."""
    hub = start_hub(doors=False)
    people = replace(hub.configuration.people, url="https://hub.city.example")
    hub.configuration = replace(hub.configuration, people=people)
    hub.open_doors()
    made = Desk(hub)
    with made.stack:
        yield made


def test_behind_a_proxy_the_cookie_is_for_https_and_no_header_of_a_client_counts(
    behind_https: Desk, desk: Desk
) -> None:
    first = behind_https.account("wang.min", Role.CITY_CENTRE)

    secure = sign_in(behind_https.client(), "wang.min", first)
    forwarded = desk.client()
    forwarded.headers["x-forwarded-proto"] = "https"
    plain = sign_in(forwarded, "wang.min", first)

    assert "; secure" in secure.headers["set-cookie"].lower()
    assert plain.status_code == 200
    assert "; secure" not in plain.headers["set-cookie"].lower()


def test_a_body_without_end_is_not_kept(desk: Desk) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"login": "wang.min", "password": "'
        for _ in range(64):
            yield b"x" * MOST

    answer = desk.client().post("/api/session", content=endless(), headers={"content-type": "application/json"})

    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["text"]


def test_one_sees_ones_own_attempts_and_ends_the_other_sessions(desk: Desk) -> None:
    here, other = desk.person("wang.min", Role.CITY_CENTRE), desk.person("li.na", Role.AUDITOR)
    there = desk.client()
    sign_in(there, "wang.min", "wrong")
    sign_in(there, "wang.min", PASSWORD)

    shown = here.get("/api/session/sign-ins").json()["items"]
    assert [(one["way"], one["outcome"]) for one in shown][:2] == [("password", "in"), ("password", "wrong")]
    assert {one["login"] for one in shown} == {"wang.min"}
    page = here.get("/api/session/sign-ins", params={"limit": 1}).json()
    assert here.get("/api/session/sign-ins", params={"after": page["next"]}).json()["items"] == shown[1:]

    assert here.delete("/api/session/others").json() == {"ended": 1}
    assert [client.get("/api/session").status_code for client in (here, there, other)] == [200, 401, 200]


def test_why_a_password_was_reset_or_a_lock_ended_stands_in_the_history(desk: Desk) -> None:
    keeper = desk.person("admin", Role.ADMINISTRATOR)
    desk.account("wang.min", Role.CITY_CENTRE)
    for what in ("reset", "unlock", "without_codes"):
        assert keeper.post("/api/people/wang.min", json={"what": what, "reason": f"示例{what}"}).status_code == 200

    told = [one["text"] for one in keeper.get("/api/people/wang.min").json()["changes"]]

    assert {"reset: 示例reset", "示例unlock", "示例without_codes"} <= set(told)
