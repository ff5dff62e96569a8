"""Accounts at the console: made, changed, closed and told of, by an administrator and by nobody else."""

import pytest
from playwright.sync_api import Page, expect

from canonical.rights import Role
from tests.console.browser import Open, accessible
from tests.console.conftest import ConsoleHub
from tests.console.looks import looks_as_before, shown

ADMINISTRATOR = Role.ADMINISTRATOR
LATE = ("/api/people",)


def made(page: Page, login: str, name: str) -> str:
    """A street's account, made at the page; its first password."""
    page.get_by_role("button", name="新建账号").click()
    form = page.get_by_role("dialog", name="新建账号")
    form.locator("#new-login").fill(login)
    form.locator("#name").fill(name)
    form.get_by_role("button", name="建立账号").click()
    expect(form.get_by_role("alert")).to_contain_text("请选择行政区划")
    form.locator("#limit-areas").fill("赭山街道")
    page.locator(".el-tree-node__content:visible", has_text="赭山街道").click()
    form.get_by_role("button", name="建立账号").click()
    told = page.get_by_role("dialog", name=f"{login} 的初始密码")
    password = told.locator(".password").inner_text()
    told.get_by_role("button", name="已记下").click()
    return password


def test_an_account_is_made_changed_closed_and_reopened_with_its_history(opened: Open, console_hub: ConsoleHub) -> None:
    page = opened("/people", role=ADMINISTRATOR)
    password = made(page, "zheshan", "示例赭山")
    assert len(password) == 19
    row = page.get_by_role("row").filter(has_text="zheshan")
    expect(row).to_contain_text("赭山街道")
    expect(row).to_contain_text("待改初始密码")

    row.click()
    drawer = page.get_by_role("dialog").filter(has_text="zheshan")
    assert page.url.endswith("login=zheshan")
    drawer.locator("#name").fill("示例改名")
    drawer.get_by_role("button", name="保存").click()
    expect(row).to_contain_text("示例改名")
    drawer.get_by_role("button", name="停用账号").click()
    asked = page.get_by_role("dialog", name="停用账号 · zheshan")
    asked.get_by_role("button", name="停用账号").click()
    expect(asked.get_by_role("alert")).to_contain_text("请填写理由")
    asked.get_by_label("理由").fill("示例离岗")
    asked.get_by_role("button", name="停用账号").click()
    expect(row).to_contain_text("已停用")
    expect(drawer.locator(".history")).to_contain_text("示例离岗")
    drawer.get_by_role("button", name="恢复账号").click()
    page.get_by_role("dialog", name="恢复账号 · zheshan").get_by_label("理由").fill("示例返岗")
    page.get_by_role("dialog", name="恢复账号 · zheshan").get_by_role("button", name="恢复账号").click()
    expect(drawer.locator(".history")).to_contain_text("示例返岗")
    accessible(page)
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    assert "login=" not in page.url


def test_what_the_hub_refuses_is_told_and_nothing_typed_is_lost(opened: Open) -> None:
    page = opened("/people", role=ADMINISTRATOR, refusals=LATE)
    page.get_by_role("button", name="新建账号").click()
    form = page.get_by_role("dialog", name="新建账号")
    form.locator("#new-login").fill("administrator")
    form.locator("#name").fill("示例重名")
    form.locator("#role").click(force=True)
    page.get_by_role("option", name="审计员").click()
    form.get_by_role("button", name="建立账号").click()

    expect(form.get_by_role("alert")).to_contain_text("administrator")
    assert form.locator("#name").input_value() == "示例重名"


@pytest.mark.parametrize(("language", "theme"), [("zh", "light"), ("en", "dark")])
def test_the_list_the_form_and_the_table_of_rights_are_accessible(opened: Open, language: str, theme: str) -> None:
    page = opened("/people?role=administrator", role=ADMINISTRATOR, language=language, theme=theme)
    expect(page.get_by_role("row").filter(has_text="administrator")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="New account" if language == "en" else "新建账号").click()
    expect(page.locator("#new-login")).to_be_visible()
    accessible(page)
    shown(page, f"people-new-{language}")
    page.keyboard.press("Escape")
    expect(page.locator("#new-login")).to_have_count(0)
    page.get_by_role("button", name="Rights of roles" if language == "en" else "角色权限表").click()
    expect(page.get_by_role("table").last).to_be_visible()
    accessible(page)
    looks_as_before(page, f"people-rights-{language}", hidden=[".table"])
    shown(page, f"people-rights-{language}")


def test_the_keyboard_opens_an_account_and_comes_back(opened: Open) -> None:
    page = opened("/people?role=administrator", role=ADMINISTRATOR)
    page.get_by_role("row").filter(has_text="administrator").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("administrator")
    expect(page.get_by_role("dialog").get_by_role("button", name="停用账号")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("role", [Role.CITY_CENTRE, Role.AUDITOR])
def test_who_does_not_keep_accounts_does_not_open_the_page(opened: Open, role: Role) -> None:
    page = opened("/people", role=role)

    assert page.url.split("?")[0].endswith("/no-right")
