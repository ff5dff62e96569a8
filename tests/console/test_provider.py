"""Signing in with the city's identity provider, through its own page, in a real browser."""

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from gateway.configuration import load
from gateway.settings import Settings, example_city
from tests.console.browser import Visit, chromium
from tests.console.conftest import aside
from tests.databases import Databases
from tests.gateway.identity_provider import IdentityProvider, known_to, provider
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, HubUnderTest


@pytest.fixture(scope="module")
def hub_and_provider(
    built_console: None, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[HubUnderTest, IdentityProvider]]:
    """A hub of the example city that knows a provider."""
    with databases.lent() as url:
        settings = Settings(example_city(), url, CENTRE_SECRET, tmp_path_factory.mktemp("provider"), ENVIRONMENT)
        listener = socket.create_server(("127.0.0.1", 0))
        hub = HubUnderTest(settings, load(example_city(), ENVIRONMENT), url, listener)
        with provider(hub.url) as there:
            known_to(hub, there)
            hub.open_doors()
            yield hub, there
            hub.close()


@pytest.fixture(scope="module")
def chrome(hub_and_provider: tuple[HubUnderTest, IdentityProvider]) -> Iterator[Browser]:
    """After the hub, which needs the thread's event loop to start."""
    with chromium() as started:
        yield started


def test_the_providers_page_leads_back_to_where_one_was_and_who_may_not_is_told(
    hub_and_provider: tuple[HubUnderTest, IdentityProvider], chrome: Browser
) -> None:
    hub, there = hub_and_provider
    aside(lambda: there.told(people={"wang.min": {"groups": ["centre"]}}))
    visit = Visit(chrome, hub.url, None)
    page = visit.open("/clocks")
    page.get_by_role("link", name="示例统一认证").click()
    page.wait_for_url(f"{there.issuer}/login/**")
    page.get_by_label("Who").fill("nobody")
    page.get_by_role("button", name="Go").click()
    page.wait_for_url("**/console/sign-in?why=no_account**")
    expect(page.get_by_role("alert")).to_contain_text("还没有为您建立账号")
    page.context.clear_cookies()

    page.goto(f"{hub.url}/console/clocks")
    page.get_by_role("link", name="示例统一认证").click()
    page.get_by_label("Who").fill("wang.min")
    page.get_by_role("button", name="Go").click()
    page.wait_for_url("**/console/clocks")
    expect(page.get_by_role("banner")).to_contain_text("示例wang.min")
    page.goto(f"{hub.url}/console/account")
    expect(page.get_by_text("您通过统一身份认证登录")).to_be_visible()

    elsewhere = [one for one in visit.complaints if there.issuer not in one]
    visit.complaints.clear()
    visit.end()
    assert elsewhere == []
