"""Cases in the console: found, filtered, looked at, and acted on, by each role that may."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from canonical.rights import Role
from tests.console.browser import TABLET, WALL, Open, accessible
from tests.console.case_desk import CaseDesk
from tests.console.desk_room import console_hub, desk, room
from tests.console.looks import looks_as_before, shown
from tests.gateway.pushes import NAME, PHONE

__all__ = ["console_hub", "desk", "room"]


def rows(page: Page) -> list[str]:
    """Numbers of the rows that are shown."""
    return page.locator("tbody tr[data-index] td:first-child").all_inner_texts()


def test_a_case_is_found_by_a_number_of_another_system_and_opened_with_keys(opened: Open, desk: CaseDesk) -> None:
    page = opened("/cases")
    assert len(rows(page)) == len(desk.numbers) + 1
    page.get_by_label("编号、电话、地点、文字", exact=True).last.fill("DHlamp")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr[data-index]")).to_have_count(1)
    assert "q=DHlamp" in page.url
    page.locator("tbody tr[data-index]").focus()
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/cases/{desk.numbers['lamp']}")
    expect(page.get_by_role("heading", name="路灯不亮")).to_be_visible()


def test_filters_stand_in_the_address_and_back_goes_back(opened: Open, desk: CaseDesk) -> None:
    page = opened("/cases")
    every = rows(page)
    page.get_by_text("只看超期", exact=True).click()
    page.wait_for_url("**/cases?overdue=true")
    expect(page.locator("tbody tr[data-index]")).not_to_have_count(len(every))
    late = rows(page)
    assert desk.numbers["dust"] in late
    assert all("超时" in text for text in page.locator("tbody .countdown").all_inner_texts())

    page.get_by_role("button", name="去掉条件：超期").click()
    expect(page.locator("tbody tr[data-index]")).to_have_count(len(every))
    page.go_back()
    expect(page.locator("tbody tr[data-index]")).to_have_count(len(late))


def test_columns_are_chosen_and_the_file_has_what_is_shown(opened: Open, tmp_path: Path) -> None:
    page = opened("/cases")
    page.get_by_role("button", name="列", exact=True).click()
    page.get_by_role("tooltip").get_by_text("来源", exact=True).click()
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("tbody tr[data-index]")
    heads = page.locator("thead th").all_inner_texts()
    assert "来源" not in heads

    with page.expect_download() as waiting:
        page.get_by_role("button", name="导出 CSV").click()
    waiting.value.save_as(tmp_path / "cases.csv")
    table = list(csv.reader(io.StringIO((tmp_path / "cases.csv").read_text(encoding="utf-8-sig"))))
    assert table[0] == heads
    assert len(table) == len(rows(page)) + 1


def test_a_look_beside_the_list_follows_the_arrow_keys(opened: Open) -> None:
    page = opened("/cases")
    page.get_by_role("button", name="预览").click()
    page.locator("tbody tr[data-index='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")

    expect(page.get_by_role("complementary", name="预览")).to_contain_text(rows(page)[2])


def test_the_journey_tells_who_was_told_and_the_reporter_is_shown_with_a_reason(opened: Open, desk: CaseDesk) -> None:
    page = opened(f"/cases/{desk.numbers['cover']}")
    journey = page.get_by_role("region", name="办理过程")
    expect(journey).to_contain_text("该井盖属于通信企业，请改派")
    expect(journey).to_contain_text("告知 12345")
    assert PHONE not in page.content()
    reporter = page.get_by_role("region", name="上报人")
    reporter.get_by_role("button", name="显示").click()
    dialog = page.get_by_role("dialog", name="查看上报人")
    dialog.get_by_role("textbox").fill("核对地址")
    dialog.get_by_role("button", name="显示").click()

    expect(reporter).to_contain_text(PHONE)
    expect(reporter).to_contain_text(NAME)
    looks = desk.hub.get("/api/viewings", case_no=desk.numbers["cover"])["items"]
    assert [(one["what"], one["reason"]) for one in looks] == [("reporter", "核对地址")]


def test_a_message_opens_its_reading_and_its_bytes(opened: Open, desk: CaseDesk) -> None:
    page = opened(f"/cases/{desk.numbers['lamp']}")
    page.get_by_role("button", name="报文", exact=True).first.click()
    drawer = page.get_by_role("dialog", name="报文")
    expect(drawer).to_contain_text("report.title")
    drawer.get_by_role("button", name="查看原始报文").click()

    expect(drawer.get_by_role("region", name="原始报文").last).to_contain_text("凤凰山社区东门外三盏路灯不亮")
    looks = desk.hub.get("/api/viewings", case_no=desk.numbers["lamp"])["items"]
    assert [one["what"] for one in looks] == ["message"]


def test_an_action_says_what_it_does_wants_what_it_needs_and_is_done(opened: Open, desk: CaseDesk) -> None:
    page = opened(f"/cases/{desk.numbers['dust']}")
    page.get_by_role("button", name="督办", exact=True).click()
    dialog = page.get_by_role("dialog", name="督办")
    expect(dialog).to_contain_text("告知：承办系统")
    dialog.get_by_role("button", name="确定督办").click()
    expect(dialog.get_by_role("alert")).to_contain_text("督办级别、理由")
    dialog.get_by_role("combobox", name="督办级别").press("Enter")
    page.get_by_role("option", name="红牌督办").click()
    dialog.get_by_role("textbox").fill("两天没有到场")
    dialog.get_by_role("button", name="确定督办").click()

    expect(page.get_by_text("红牌督办").first).to_be_visible()
    case = desk.hub.case(desk.numbers["dust"])
    assert case["supervision"] == "red"
    assert case["events"][-1]["action"]["actor"]["id"] == Role.CITY_CENTRE.value


def test_a_refusal_keeps_what_was_typed_and_tells_what_happened_meanwhile(opened: Open, desk: CaseDesk) -> None:
    no = desk.numbers["school"]
    page = opened(f"/cases/{no}", refusals=(f"/api/cases/{no}/actions",))
    page.get_by_role("button", name="签收", exact=True).click()
    dialog = page.get_by_role("dialog", name="签收")
    dialog.get_by_role("textbox").last.fill("已电话联系")
    desk.act("school", "sign", reason="别人先签收了")
    dialog.get_by_role("button", name="确定签收").click()

    expect(dialog.get_by_role("alert")).to_contain_text("办理期间案件有了新的变化")
    assert dialog.get_by_role("textbox").last.input_value() == "已电话联系"


def test_what_another_person_does_is_said_while_the_case_is_open(opened: Open, desk: CaseDesk) -> None:
    page = opened(f"/cases/{desk.numbers['rubble']}")
    expect(page.get_by_text("实时", exact=True)).to_be_visible()
    desk.act("rubble", "comment", reason="已电话催促")

    said = page.get_by_role("alert").filter(has_text="新的办理")
    expect(said).to_contain_text("批注")
    said.get_by_role("button", name="重新加载").click()
    expect(page.get_by_role("region", name="办理过程")).to_contain_text("已电话催促")


@pytest.mark.parametrize(
    ("role", "acts", "reveals", "raw"),
    [
        (Role.DISTRICT_CENTRE, True, True, True), (Role.AUDITOR, False, False, True),
        (Role.STREET_CENTRE, True, False, False),
    ],
)  # fmt: skip
def test_each_role_is_offered_what_it_may_do(
    opened: Open, desk: CaseDesk, role: Role, acts: bool, reveals: bool, raw: bool
) -> None:
    page = opened(f"/cases/{desk.numbers['litter']}", role=role)
    assert page.get_by_role("button", name="更多办理").count() == int(acts)
    assert page.get_by_role("region", name="上报人").get_by_role("button").count() == int(reveals)
    page.get_by_role("button", name="报文", exact=True).first.click()
    drawer = page.get_by_role("dialog", name="报文")
    expect(drawer.get_by_role("heading", name="解读")).to_be_visible()
    assert drawer.get_by_role("button", name="查看原始报文").count() == int(raw)


def test_a_unit_sees_its_own_cases_alone(opened: Open, desk: CaseDesk) -> None:
    page = opened("/cases", role=Role.UNIT)
    assert rows(page) == [desk.numbers["tree"]]
    page = opened(f"/cases/{desk.numbers['dust']}", role=Role.UNIT, refusals=("/api/cases",))
    expect(page.get_by_role("alert")).to_contain_text("nobody knows a case")


def test_lists_and_cases_are_for_everybody(opened: Open, desk: CaseDesk) -> None:
    for language, theme in (("zh", "light"), ("en", "dark")):
        page = opened("/cases?order=no", language=language, theme=theme)
        accessible(page)
        shown(page, f"cases-{language}-{theme}")
        page = opened(f"/cases/{desk.numbers['road']}", language=language, theme=theme)
        accessible(page)
        shown(page, f"case-{language}-{theme}")


@pytest.mark.parametrize("size", [TABLET, WALL], ids=["tablet", "wall"])
def test_no_case_is_wider_than_the_screen(opened: Open, desk: CaseDesk, size: tuple[int, int]) -> None:
    page = opened(f"/cases/{desk.numbers['road']}", size=size)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    page.goto(page.url.rsplit("/", 1)[0])
    page.wait_for_selector("tbody tr[data-index]")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0


def test_an_empty_list_says_what_to_do(opened: Open) -> None:
    page = opened("/cases?area=99&stage=closed")
    expect(page.get_by_text("没有符合条件的案件")).to_be_visible()
    accessible(page)


def test_the_list_looks_as_before(opened: Open) -> None:
    page = opened("/cases?order=no&queue=location_unknown")
    expect(page.get_by_text("实时", exact=True)).to_be_visible()
    looks_as_before(page, "cases-zh-light")
    english = opened("/cases?order=no&queue=location_unknown", language="en", theme="dark")
    expect(english.get_by_text("Live", exact=True)).to_be_visible()
    looks_as_before(english, "cases-en-dark")
