"""The SLA board: what is in trouble, whose it is, and several supervised at once, with an undo."""

from playwright.sync_api import expect

from canonical.rights import Role
from tests.console.browser import TABLET, WALL, Open, accessible
from tests.console.case_desk import CaseDesk
from tests.console.desk_room import console_hub, desk, room
from tests.console.looks import shown

__all__ = ["console_hub", "desk", "room"]


def test_each_state_has_its_figure_and_its_list(opened: Open, desk: CaseDesk) -> None:
    page = opened("/clocks")
    counts = desk.hub.get("/api/clocks/counts", within="24h")["items"]
    for name, key in (("超期", "overdue"), ("暂停", "suspended"), ("裁定中", "arbitration")):
        button = page.get_by_role("navigation", name="时限状态").get_by_role("button", name=name)
        expect(button).to_contain_text(str(sum(one[key] for one in counts)))
    assert all("超时" in text for text in page.locator("tbody .countdown").all_inner_texts())

    page.get_by_role("button", name="暂停").click()
    page.wait_for_url("**/clocks?tab=suspended")
    expect(page.locator("tbody tr[data-index]").first).to_contain_text(desk.numbers["tree"])
    page.get_by_role("button", name="裁定中").click()
    expect(page.locator("tbody tr[data-index]").first).to_contain_text(desk.numbers["cover"])


def test_a_group_limits_the_list(opened: Open) -> None:
    page = opened("/clocks")
    groups = page.get_by_role("region", name="分组统计")
    first = groups.get_by_role("row").filter(has=page.get_by_role("button")).first
    name = first.get_by_role("button").inner_text()
    many = int(first.get_by_role("cell").nth(1).inner_text())
    first.get_by_role("button").click()

    expect(page.locator("tbody tr[data-index]")).to_have_count(many)
    assert "unit=" in page.url
    page.get_by_text("按时限", exact=True).click()
    expect(groups.get_by_role("row").nth(1)).not_to_contain_text(name)


def test_several_are_supervised_with_a_reason_and_it_can_be_undone(opened: Open, desk: CaseDesk) -> None:
    page = opened("/clocks?clock=disposal")
    for name in ("dust", "litter"):
        page.get_by_role("row").filter(has_text=desk.numbers[name]).focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="督办", exact=True).click()
    dialog = page.get_by_role("dialog", name="督办 2 件案件")
    dialog.get_by_role("button", name="开始办理").click()
    expect(dialog.get_by_role("alert").first).to_have_text("请选择督办级别")
    dialog.get_by_text("红牌督办").click()
    dialog.get_by_role("textbox").fill("逾期两天")
    accessible(page)
    dialog.get_by_role("button", name="开始办理").click()
    expect(dialog.get_by_role("status")).to_have_text("成功 2 件，未办成 0 件")
    assert {desk.hub.case(desk.numbers[name])["supervision"] for name in ("dust", "litter")} == {"red"}

    dialog.get_by_role("button", name="撤销本次督办").click()
    expect(dialog.get_by_role("status")).to_have_text("成功 2 件，未办成 0 件")
    found = [desk.hub.case(desk.numbers[name])["supervision"] for name in ("dust", "litter")]
    assert found == [None, "yellow"]  # as it was before


def test_who_only_looks_is_offered_nothing_to_do(opened: Open) -> None:
    page = opened("/clocks", role=Role.AUDITOR)
    page.locator("tbody tr[data-index]").first.wait_for()
    assert page.get_by_role("checkbox").count() == 0
    assert page.get_by_role("button", name="督办", exact=True).count() == 0


def test_the_board_is_for_every_eye_and_screen(opened: Open) -> None:
    for language, theme in (("zh", "light"), ("en", "dark")):
        page = opened("/clocks", language=language, theme=theme)
        accessible(page)
        shown(page, f"clocks-{language}-{theme}")
    for size in (TABLET, WALL):
        page = opened("/clocks", size=size, theme="wall" if size == WALL else "light")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
