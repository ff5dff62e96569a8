"""One's own account, signing in and going on: what people do on their first day, and after a long telephone call."""

import asyncio

import pyotp
import pytest
from playwright.sync_api import Page, expect

from canonical.rights import Role
from gateway.people.accounts import Wanted, make
from tests.console.browser import OPERATOR, TABLET, Open, accessible
from tests.console.conftest import ConsoleHub, aside
from tests.console.looks import looks_as_before, shown
from tests.gateway.people_desk import PASSWORD

API = ("/api/",)


def account(console_hub: ConsoleHub, login: str, role: Role = Role.AUDITOR) -> str:
    """A new account; its first password."""

    async def made() -> str:
        wired = console_hub.hub.wired()
        try:
            return await make(wired, Wanted(login, "示例新人", role, {}), by="test")
        finally:
            await wired.store.close()

    return aside(lambda: asyncio.run(made()))


def signed_in(page: Page, login: str, password: str) -> None:
    """Fill the form in and send it."""
    page.locator("#login").fill(login)
    page.locator("#password").fill(password)
    page.keyboard.press("Enter")


def test_a_first_day_a_new_password_one_time_codes_and_signing_in_with_them(
    opened: Open, console_hub: ConsoleHub
) -> None:
    first = account(console_hub, "xin.ren")
    page = opened("/systems", role=None, refusals=API)
    signed_in(page, "xin.ren", first)
    page.wait_for_url("**/console/account")
    expect(page.get_by_text("开始工作之前，请先完成")).to_be_visible()
    accessible(page)
    page.locator("#old").fill(first)
    page.locator("#fresh").fill("short")
    page.locator("#again").fill("short")
    page.get_by_role("button", name="修改密码").click()
    expect(page.get_by_role("alert")).to_contain_text("还不符合")
    page.locator("#fresh").fill(PASSWORD)
    page.locator("#again").fill(PASSWORD)
    page.get_by_role("button", name="修改密码").click()
    page.wait_for_url("**/console/")

    page.goto(f"{console_hub.hub.url}/console/account")
    page.get_by_role("button", name="启用动态口令").click()
    secret = page.locator(".secret").inner_text().replace(" ", "")
    assert page.get_by_role("img", name="动态口令的二维码").bounding_box()
    shown(page, "account-codes")
    page.locator("#one-time").fill(pyotp.TOTP(secret).at(int(console_hub.hub.now().timestamp()) - 30))
    page.get_by_role("button", name="确认启用").click()
    expect(page.get_by_text("已启用：登录时")).to_be_visible()

    other = opened("/", role=None, refusals=API)
    signed_in(other, "xin.ren", PASSWORD)
    expect(other.locator("#code")).to_be_focused()
    other.locator("#code").fill(pyotp.TOTP(secret).at(int(console_hub.hub.now().timestamp())))
    other.keyboard.press("Enter")
    other.wait_for_url("**/console/")


def test_who_is_locked_out_is_told_for_how_long(opened: Open, console_hub: ConsoleHub) -> None:
    account(console_hub, "suo.ding")
    page = opened("/", role=None, refusals=API)
    for _ in range(5):
        signed_in(page, "suo.ding", "wrong")
        expect(page.get_by_role("alert")).to_contain_text("不正确")
    signed_in(page, "suo.ding", "wrong")

    expect(page.get_by_role("alert")).to_contain_text("后可以再试")
    expect(page.locator("button[type=submit]")).to_be_disabled()
    accessible(page)
    page.locator("#login").fill("somebody.else")
    expect(page.locator("button[type=submit]")).to_be_enabled()


def test_a_session_that_ends_in_the_middle_is_gone_on_with_and_nothing_is_lost(
    opened: Open, console_hub: ConsoleHub
) -> None:
    first = account(console_hub, "zhong.tu")
    page = opened("/account", role=None, refusals=API)
    signed_in(page, "zhong.tu", first)
    page.wait_for_url("**/console/account")
    page.locator("#old").fill(first)
    for box in ("#fresh", "#again"):
        page.locator(box).fill(PASSWORD)
    page.context.clear_cookies()
    page.get_by_role("button", name="修改密码").click()

    ended = page.get_by_role("dialog", name="登录已失效")
    expect(ended.locator("#login")).to_have_value("zhong.tu")
    expect(ended.locator("#password")).to_be_focused()
    accessible(page)
    shown(page, "session-ended")
    ended.locator("#password").fill(first)
    page.keyboard.press("Enter")

    expect(ended).to_have_count(0)
    assert page.locator("#fresh").input_value() == PASSWORD
    page.get_by_role("button", name="修改密码").click()
    page.wait_for_url("**/console/")


@pytest.mark.parametrize(("language", "theme"), [("zh", "light"), ("en", "dark")])
def test_ones_own_account_is_accessible_and_tells_scope_and_sign_ins(opened: Open, language: str, theme: str) -> None:
    page = opened("/account", role=Role.DISTRICT_CENTRE, language=language, theme=theme)
    expect(page.locator("dl")).to_contain_text("镜湖区")
    expect(page.get_by_role("row")).not_to_have_count(1)
    accessible(page)
    shown(page, f"account-{language}")
    looks_as_before(page, f"account-{language}", hidden=[".sign-ins"])


@pytest.mark.parametrize("size", [OPERATOR, TABLET, (3840, 2160)])
def test_no_page_of_people_is_wider_than_the_screen(opened: Open, size: tuple[int, int]) -> None:
    for path, role in (("/account", Role.UNIT), ("/people", Role.ADMINISTRATOR), ("/viewings", Role.AUDITOR)):
        page = opened(path, role=role, size=size)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0, path
