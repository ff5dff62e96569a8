"""Signing in and out at the console, as people do it."""

import asyncio

import pytest

from canonical.rights import Role
from gateway.people.accounts import Wanted, make
from tests.console.browser import Open, accessible
from tests.console.conftest import ConsoleHub, aside
from tests.console.looks import looks_as_before
from tests.gateway.people_desk import PASSWORD

SESSION = ("/api/session",)


def test_the_sign_in_page_is_accessible_and_looks_as_before_in_both_languages(opened: Open) -> None:
    page = opened("/cases", role=None)
    assert page.url.endswith("/console/sign-in?to=/cases")
    assert "芜湖" in page.inner_text("h1")
    accessible(page)
    looks_as_before(page, "sign-in-zh")

    page.get_by_role("button", name="切换语言").click()
    accessible(page)
    looks_as_before(page, "sign-in-en")


def test_whoever_signs_in_comes_back_to_where_they_were_and_out_again(opened: Open, console_hub: ConsoleHub) -> None:
    console_hub.state(Role.CITY_CENTRE)
    page = opened("/clocks", role=None, refusals=SESSION)
    page.get_by_label("账号").fill("city_centre")
    page.get_by_label("密码").first.fill("wrong horse")
    page.get_by_role("button", name="登录").click()
    assert "账号、密码或动态口令不正确" in page.get_by_role("alert").inner_text()

    page.get_by_label("密码").first.fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/clocks")
    page.get_by_role("button", name="我的账号").click()
    page.get_by_role("menuitem", name="退出登录").click()
    page.wait_for_url("**/console/sign-in")
    page.goto(page.url.replace("/sign-in", "/clocks"))
    page.wait_for_url("**/console/sign-in?to=/clocks")


def test_a_session_that_ends_elsewhere_leads_to_the_sign_in_page(opened: Open) -> None:
    page = opened("/", refusals=("/api/",))
    page.context.clear_cookies()
    page.evaluate("location.reload()")

    page.wait_for_url("**/console/sign-in?to=/")


def test_a_first_password_must_be_changed_before_anything_else(opened: Open, console_hub: ConsoleHub) -> None:
    async def made() -> str:
        wired = console_hub.hub.wired()
        try:
            return await make(wired, Wanted("newcomer", "示例新人", Role.AUDITOR, {}), by="test")
        finally:
            await wired.store.close()

    page = opened("/", role=None)
    page.get_by_label("账号").fill("newcomer")
    page.get_by_label("密码").first.fill(aside(lambda: asyncio.run(made())))
    page.keyboard.press("Enter")

    page.wait_for_url("**/console/account")


@pytest.mark.parametrize("why", ["provider", "<b>call 110</b>"])
def test_a_refusal_from_elsewhere_is_told_in_our_words_alone(opened: Open, why: str) -> None:
    page = opened(f"/sign-in?why={why}&text=call%20110", role=None)

    assert ("统一身份认证没有让您登录" in page.inner_text("main")) == (why == "provider")
    assert "110" not in page.inner_text("main")
