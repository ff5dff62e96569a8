"""Every page of the table opens, in both languages and all looks, is read by everybody, and asks no other host."""

import pytest

from canonical.rights import RIGHTS, Role
from tests.console.browser import OPERATOR, TABLET, WALL, Open, accessible, pages
from tests.console.looks import looks_as_before

EVERY = [pytest.param(path.replace(":no", "DH1"), name, id=name) for path, name in pages()]
OPENS = {"people": Role.ADMINISTRATOR, "viewings": Role.AUDITOR}
"""Who opens a page that the city's centre does not."""


@pytest.mark.parametrize(("path", "name"), EVERY)
def test_a_page_opens_in_each_language_and_look_and_is_accessible(opened: Open, path: str, name: str) -> None:
    role = OPENS.get(name, Role.CITY_CENTRE)
    page = opened(path, role=role, language="zh", theme="light")
    chinese = page.title()
    accessible(page)
    page.get_by_role("button", name="切换语言").click()
    assert page.title() != chinese
    assert page.locator("html").get_attribute("lang") == "en"

    page.get_by_role("button", name="Look: ").click()
    page.get_by_role("menuitem", name="Dark").click()
    accessible(page)


@pytest.mark.parametrize("size", [OPERATOR, TABLET, WALL], ids=["operator", "tablet", "wall"])
def test_no_page_is_wider_than_the_screen(opened: Open, size: tuple[int, int]) -> None:
    page = opened("/", size=size, theme="wall" if size == WALL else "light")
    for path, name in pages():
        if name in OPENS:
            continue
        page.goto(page.url.split("/console")[0] + "/console" + path.replace(":no", "DH1"))
        page.wait_for_selector("h1")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert (name, wide) == (name, 0)


@pytest.mark.parametrize("role", list(Role))
def test_the_menu_has_what_the_role_may_open(opened: Open, role: Role) -> None:
    page = opened("/", role=role)
    links = page.locator("nav a").evaluate_all("all => all.map(one => new URL(one.href).pathname)")

    assert ("/console/people" in links) == ("administer" in RIGHTS[role])
    assert ("/console/" in links) == ("see" in RIGHTS[role])
    assert ("/console/systems" in links) == ("watch" in RIGHTS[role])


def test_the_keyboard_alone_reaches_search_menu_and_content(opened: Open) -> None:
    page = opened("/systems")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"

    page.keyboard.press("/")
    page.keyboard.type("DH1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/cases?q=DH1")

    page.keyboard.press("Escape")
    page.locator("nav a").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/map")


def test_a_page_is_found_by_a_part_of_its_name(opened: Open) -> None:
    page = opened("/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("重放")
    accessible(page)
    page.keyboard.press("Enter")

    page.wait_for_url("**/console/replays")


def test_a_tablet_has_the_menu_in_a_drawer(opened: Open) -> None:
    page = opened("/", size=TABLET)
    page.get_by_role("button", name="打开菜单").click()
    page.get_by_role("dialog").get_by_role("link", name="时限看板").click()

    page.wait_for_url("**/console/clocks")
    page.get_by_role("dialog").wait_for(state="hidden")


def test_whoever_has_no_right_is_told_so(opened: Open) -> None:
    page = opened("/people", role=Role.UNIT)
    assert "没有权限" in page.inner_text("main")
    accessible(page)
    looks_as_before(page, "no-right-zh-light")

    dark = opened("/people", role=Role.UNIT, language="en", theme="dark")
    looks_as_before(dark, "no-right-en-dark")
