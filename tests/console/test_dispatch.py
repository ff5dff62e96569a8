"""The dispatch queue: look, decide, next; and several at once where nothing more has to be decided."""

from playwright.sync_api import expect

from canonical.rights import Role
from tests.console.browser import TABLET, Open, accessible
from tests.console.case_desk import CaseDesk
from tests.console.desk_room import console_hub, desk, room
from tests.console.looks import shown

__all__ = ["console_hub", "desk", "room"]


def test_each_queue_has_its_count_and_says_why_its_cases_wait(opened: Open, desk: CaseDesk) -> None:
    page = opened("/dispatch?queue=no_owner")
    queues = page.get_by_role("navigation", name="待办队列")
    expect(queues.get_by_role("button", name="待核查")).to_contain_text("2")
    expect(queues.get_by_role("button", name="待派遣")).to_contain_text("1")
    work = page.get_by_role("region", name=desk.numbers["advice"])
    expect(work).to_contain_text("责任清单没有给出单位")
    accessible(page)
    shown(page, "dispatch-zh-light")


def test_a_case_without_a_class_is_filed_with_the_keys_alone(opened: Open, desk: CaseDesk) -> None:
    page = opened("/dispatch?queue=class_unknown")
    work = page.get_by_role("region", name=desk.numbers["unclear"])
    work.get_by_role("radio", name="立案", exact=True).wait_for(state="attached")
    page.locator("tbody tr[data-index='0']").focus()
    page.keyboard.press("Enter")
    expect(work.get_by_role("combobox", name="类别")).to_be_focused()
    page.keyboard.type("噪声扰民")
    page.get_by_role("option", name="噪声扰民").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")

    expect(page.get_by_text("已完成“立案”")).to_be_visible()
    expect(page.get_by_text("这个队列没有待办案件").first).to_be_visible()
    assert desk.hub.case(desk.numbers["unclear"])["class_code"] == "47678.5:E06-028"


def test_a_unit_is_chosen_for_what_nobody_owns(opened: Open, desk: CaseDesk) -> None:
    page = opened("/dispatch?queue=no_owner")
    work = page.get_by_role("region", name=desk.numbers["advice"])
    work.get_by_role("combobox", name="单位").fill("市场监督")
    page.get_by_role("option", name="芜湖市市场监督管理局").click()
    work.get_by_role("button", name="派遣，下一件").click()

    expect(page.get_by_text("这个队列没有待办案件").first).to_be_visible()
    assert desk.hub.case(desk.numbers["advice"])["assignments"][-1]["unit"] == "3402-market"


def test_several_are_checked_at_once_and_each_has_its_outcome(opened: Open, desk: CaseDesk) -> None:
    page = opened("/dispatch?queue=to_check", refusals=("/api/cases",))
    page.locator("thead .el-checkbox").click()
    page.get_by_role("button", name="批量核查").click()
    dialog = page.get_by_role("dialog", name="批量核查 2 件")
    dialog.get_by_role("textbox").fill("现场核查，已恢复")
    desk.act("sweep", "rework", reason="还有沙土")
    dialog.get_by_role("button", name="开始办理").click()

    expect(dialog.get_by_role("status")).to_have_text("成功 1 件，未办成 1 件")
    expect(dialog.get_by_role("listitem").filter(has_text=desk.numbers["sweep"])).to_contain_text("not possible")
    assert desk.hub.case(desk.numbers["stall"])["stage"] in ("checked", "closed")
    dialog.get_by_role("button", name="关闭").last.click()
    expect(page.get_by_text("这个队列没有待办案件").first).to_be_visible()


def test_the_queue_is_for_who_may_act_and_for_every_eye(opened: Open, desk: CaseDesk) -> None:
    assert "没有权限" in opened("/dispatch", role=Role.UNIT).inner_text("main")
    english = opened("/dispatch?queue=returned", language="en", theme="dark")
    expect(english.get_by_role("region", name=desk.numbers["cover"])).to_contain_text("The unit returned it")
    accessible(english)
    shown(english, "dispatch-en-dark")
    tablet = opened("/dispatch?queue=returned", role=Role.DISTRICT_CENTRE, size=TABLET)
    assert tablet.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
