"""What watches over pages sees: an error, another host, something that not everybody can read, another look."""

import io

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from tests.console.browser import Visit, accessible
from tests.console.conftest import ConsoleHub
from tests.console.looks import difference

FAULTS = {
    "another host is asked: http://localhost:9/": "location.href = 'http://localhost:9/'",
    "Connecting to 'http://localhost:9/' violates": "fetch('http://localhost:9/').catch(() => 0)",
    "error: a defect": "setTimeout(() => { throw new Error('a defect') })",
    "Applying inline style violates": "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')",
    "(/api/cases/no-such-case)": "fetch('/api/cases/no-such-case')",
}


@pytest.mark.parametrize(("complaint", "script"), list(FAULTS.items()))
def test_a_page_that_does_what_it_must_not_fails_its_test(
    console_hub: ConsoleHub, browser: Browser, complaint: str, script: str
) -> None:
    visit = Visit(browser, console_hub.hub.url, None)
    page = visit.open("/sign-in")
    page.evaluate(f"() => {{ {script} }}")
    page.wait_for_timeout(200)

    with pytest.raises(AssertionError) as told:
        visit.end()
    assert complaint in str(told.value)


def test_what_cannot_be_read_by_everybody_is_found(console_hub: ConsoleHub, browser: Browser) -> None:
    visit = Visit(browser, console_hub.hub.url, None)
    page = visit.open("/sign-in")
    page.evaluate("document.querySelector('h1').style.color = '#bbb'")
    with pytest.raises(AssertionError, match="color-contrast"):
        accessible(page)
    visit.end()


def test_another_look_is_told_from_smoothed_letters() -> None:
    def picture(shift: float, *, button: bool = True) -> bytes:
        image = Image.new("RGB", (400, 200), "white")
        draw = ImageDraw.Draw(image)
        draw.text((20 + shift, 20), "12345 hotline", fill="black")
        if button:
            draw.rectangle((300, 100, 360, 130), fill="#1457a8")
        kept = io.BytesIO()
        image.save(kept, "PNG")
        return kept.getvalue()

    assert difference(picture(0), picture(0.4)) < 0.002
    assert difference(picture(0), picture(0, button=False)) > 0.01
