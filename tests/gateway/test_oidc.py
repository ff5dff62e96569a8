"""Signing in through a real OpenID provider: what is checked of its tokens, accounts by groups, and what goes wrong."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from canonical.rights import Role
from tests.gateway.conftest import StartHub
from tests.gateway.identity_provider import (
    Browse,
    IdentityProvider,
    browsers,
    came_back,
    gone,
    known_to,
    provider,
    through,
)
from tests.gateway.people_desk import Desk
from tests.gateway.running import HubUnderTest

FAULTS = (
    "nonce", "no nonce", "issuer", "audience", "expired", "no expiry", "no subject", "foreign key", "symmetric",
    "unsigned", "no token",
)  # fmt: skip


@pytest.fixture
def closed(start_hub: StartHub) -> HubUnderTest:
    """A hub whose doors are not open yet."""
    return start_hub(doors=False)


@pytest.fixture
def there(closed: HubUnderTest) -> Iterator[IdentityProvider]:
    """A provider with somebody in each group, and somebody in none."""
    with provider(closed.url) as made:
        made.told(people={"wang.min": {"groups": ["centre"]}, "li.na": {"groups": ["jinghu", "other"]}, "zhao": {}})
        yield made


@pytest.fixture
def desk(closed: HubUnderTest, there: IdentityProvider) -> Iterator[Desk]:
    """The hub knows the provider, and its doors are open."""
    known_to(closed, there)
    closed.open_doors()
    with (made := Desk(closed)).stack:
        yield made


@pytest.fixture
def browser() -> Iterator[Browse]:
    """Opens a browser."""
    with browsers() as open_one:
        yield open_one


def why(answer: httpx.Response) -> str:
    """What the sign-in page is told; empty: nothing is wrong."""
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.headers["location"]).query).get("why", [""])[0]


def person(client: httpx.Client, hub: HubUnderTest) -> dict[str, object] | None:
    """Who the hub takes the browser for."""
    answer = client.get(f"{hub.url}/api/session")
    return dict(answer.json()["person"]) if answer.status_code == 200 else None


def test_groups_become_roles_and_limits_with_every_sign_in(
    browser: Browse, desk: Desk, there: IdentityProvider
) -> None:
    client = browser()
    answer = through(client, desk.hub.url, "li.na", then="/console/cases?stage=filed")
    assert (answer.headers["location"], why(answer)) == ("/console/cases?stage=filed", "")
    first = person(client, desk.hub)
    assert first is not None
    assert (first["login"], first["name"], first["role"]) == ("li.na", "示例li.na", "district_centre")
    assert first["scope"] == {"areas": ["340202"], "classes": [], "systems": [], "units": []}
    assert (first["way"], first["owed"]) == ("oidc:city", [])

    there.told(people={"li.na": {"groups": ["centre"]}})
    again = browser()
    through(again, desk.hub.url, "li.na")
    kept = person(again, desk.hub)
    assert kept is not None
    assert (kept["role"], kept["scope"]["areas"]) == ("city_centre", [])  # type: ignore[index]

    there.told(people={"li.na": {"groups": ["other"]}})
    assert why(through(browser(), desk.hub.url, "li.na")) == "no_group"
    assert [(one.login, one.role) for one in desk.people()] == [("li.na", Role.CITY_CENTRE)]


def test_who_is_in_no_group_gets_no_account(browser: Browse, desk: Desk) -> None:
    client = browser()

    assert why(through(client, desk.hub.url, "zhao")) == "no_account"
    assert person(client, desk.hub) is None
    assert desk.people() == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_token_that_is_not_good_lets_nobody_in(
    browser: Browse, desk: Desk, there: IdentityProvider, fault: str
) -> None:
    assert tuple(there.faults) == FAULTS
    there.told(fault=fault)
    client = browser()

    assert why(through(client, desk.hub.url, "wang.min")) == "provider"
    assert person(client, desk.hub) is None
    assert desk.people() == []
    there.told(fault="none")
    assert why(through(browser(), desk.hub.url, "wang.min")) == ""


def test_a_closed_account_stays_closed_whatever_the_provider_says(browser: Browse, desk: Desk) -> None:
    client, keeper = browser(), desk.person("admin", Role.ADMINISTRATOR)
    through(client, desk.hub.url, "wang.min")

    keeper.post("/api/people/wang.min", json={"what": "close", "reason": "left"})

    assert person(client, desk.hub) is None
    assert why(through(browser(), desk.hub.url, "wang.min")) == "disabled"


def test_another_browser_cannot_end_a_sign_in_and_none_can_end_it_twice(browser: Browse, desk: Desk) -> None:
    mine, other = browser(), browser()
    back = came_back(mine, gone(mine, desk.hub.url), "wang.min")

    assert why(other.get(back)) == "forged"
    gone(other, desk.hub.url)
    assert why(other.get(back)) == "forged"
    assert person(other, desk.hub) is None
    assert why(mine.get(back)) == ""
    assert why(mine.get(back)) == "forged"
    assert person(mine, desk.hub) is not None


@pytest.mark.parametrize("said", ["state=x&code=y", "", "error=access_denied", "state=%00&code=%00"])
def test_whoever_comes_back_without_having_asked_is_told_so(browser: Browse, desk: Desk, said: str) -> None:
    assert why(browser().get(f"{desk.hub.url}/api/sign-in/city/back?{said}")) in {"forged", "contract"}


@pytest.mark.parametrize(
    "then",
    ["https://elsewhere.example/console/", "//elsewhere.example", "/console/\\elsewhere", "/api/cases", "javascript:1",
     "/console/../../elsewhere", "/console/%2e%2E/%2e./elsewhere", "/console/%5c..", "/consoleX"],
)  # fmt: skip
def test_afterwards_one_is_at_the_console_and_nowhere_else(browser: Browse, desk: Desk, then: str) -> None:
    client = browser()

    where = through(client, desk.hub.url, "wang.min", then=then).headers["location"]

    there = httpx.URL(desk.hub.url).join(where)
    assert str(there).startswith(f"{desk.hub.url}/console/"), where


def test_a_provider_that_is_away_is_told_and_local_accounts_sign_in(
    browser: Browse, desk: Desk, there: IdentityProvider
) -> None:
    client = browser()
    back = came_back(client, gone(client, desk.hub.url), "wang.min")
    there.end()

    away = client.get(f"{desk.hub.url}/api/sign-in/city")
    assert why(client.get(back)) == "provider"
    assert why(away) == "provider"
    assert desk.person("local", Role.AUDITOR).get("/api/cases").status_code == 200
    assert [one["id"] for one in desk.client().get("/api/sign-in").json()["oidc"]] == ["city"]


def test_an_account_that_was_made_before_is_linked_once_and_one_with_a_password_never(
    browser: Browse, closed: HubUnderTest, there: IdentityProvider
) -> None:
    known_to(closed, there, groups=False)
    closed.open_doors()
    with (desk := Desk(closed)).stack:
        desk.account("wang.min", Role.CITY_CENTRE)
        assert why(through(browser(), closed.url, "wang.min")) == "no_account"
        elsewhere(desk, "li.na")

        client = browser()
        assert why(through(client, closed.url, "li.na")) == ""
        assert (person(client, closed) or {})["role"] == "auditor"
        there.told(people={"imposter": {"preferred_username": "li.na"}})
        assert why(through(browser(), closed.url, "imposter")) == "no_account"


def elsewhere(desk: Desk, login: str) -> None:
    """An account that waits for somebody of the provider."""
    keeper = desk.person("keeper", Role.ADMINISTRATOR)
    order = {"login": login, "name": "示例", "role": "auditor", "local": False}
    assert keeper.post("/api/people", json=order).status_code == 200


def test_what_the_provider_is_asked_and_what_is_kept(browser: Browse, desk: Desk, there: IdentityProvider) -> None:
    client = browser()
    asked = client.get(f"{desk.hub.url}/api/sign-in/city")
    query = parse_qs(urlsplit(asked.headers["location"]).query)
    cookie = asked.headers["set-cookie"].lower()

    assert query["code_challenge_method"] == ["S256"]
    assert len(query["state"][0]) >= 32
    assert len(query["nonce"][0]) >= 32
    assert all(word in cookie for word in ("httponly", "samesite=lax", "path=/api/sign-in", "max-age=600"))
    [kept] = desk.hub.rows("SELECT * FROM oidc_asked")
    assert query["state"][0] not in str(kept)
    through(client, desk.hub.url, "wang.min")
    assert there.secret not in "".join(str(desk.hub.rows(f"SELECT * FROM {one}")) for one in ("person", "session"))
