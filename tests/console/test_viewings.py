"""The log of looks at personal data and of sign-ins: filtered by the address, written as a CSV without formulas."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from canonical.rights import Role
from tests.console.browser import Open, accessible
from tests.console.conftest import ConsoleHub, aside
from tests.console.looks import shown

LOOKS = (
    "INSERT INTO viewing SELECT gen_random_uuid(), now() - interval '1 minute' * n, $1, 'message', '3402' || n, '', $2"
)


@pytest.fixture(scope="module")
def looked(console_hub: ConsoleHub) -> ConsoleHub:
    """Looks of two people, one of whom gives a formula as the reason."""

    def written() -> None:
        for login, reason, number in (("wang.min", "示例回访", 150), ("li.na", "=1+1", 3)):
            console_hub.hub.rows(f"{LOOKS} FROM generate_series(1, {number}) n", login, reason)

    aside(written)
    return console_hub


@pytest.mark.parametrize(("language", "theme"), [("zh", "light"), ("en", "dark")])
def test_filters_live_in_the_address_and_back_goes_back(
    opened: Open, looked: ConsoleHub, language: str, theme: str
) -> None:
    page = opened("/viewings?login=li.na", role=Role.AUDITOR, language=language, theme=theme)
    expect(page.locator("tbody tr")).to_have_count(3)
    accessible(page)
    shown(page, f"viewings-{language}")
    page.locator(".filters input[type=text]").first.fill("nobody")
    page.keyboard.press("Enter")
    expect(page.locator(".empty")).to_be_visible()
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_text("Sign-ins" if language == "en" else "登录记录", exact=True).click()
    page.wait_for_url("**tab=sign-ins**")
    accessible(page)


def test_what_fits_is_written_as_a_file_and_no_reason_is_a_formula(
    opened: Open, looked: ConsoleHub, tmp_path: Path
) -> None:
    page = opened("/viewings?login=li.na", role=Role.AUDITOR)
    expect(page.locator("tbody tr")).to_have_count(3)
    with page.expect_download() as started:
        page.get_by_role("button", name="导出 CSV").click()
    started.value.save_as(tmp_path / "looks.csv")

    lines = (tmp_path / "looks.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 4
    assert all(line.endswith(",'=1+1") for line in lines[1:])


def test_who_does_not_audit_does_not_open_the_page(opened: Open) -> None:
    page = opened("/viewings", role=Role.CITY_CENTRE)

    assert page.url.split("?")[0].endswith("/no-right")
