"""Chromium with the console open, as people of each role have it. A page that complains fails its test."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, StorageState, sync_playwright

from tests.maps.clients import environment, found

CONSOLE = Path(__file__).parents[2] / "console"
OPERATOR, TABLET, WALL = (1366, 768), (768, 1024), (3840, 2160)
"""Screens that the console is made for, in points."""
Language = Literal["zh", "en"]
Theme = Literal["light", "dark", "wall"]
_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server",
    "--font-render-hinting=none", "--force-color-profile=srgb",
)  # fmt: skip
_SECONDS = 30
_SAID_BY_DESIGN = (("/api/session", "401"),)
"""A browser notes every answer that is no success: asking who is signed in before anybody is must not fail a test."""
_DIALOGS = "header.el-dialog__header, header.el-drawer__header"
_OF_DIALOGS = ("landmark-no-duplicate-banner", "landmark-unique")
"""The library writes the head of a dialog as <header>, which these rules take for a second banner of the page."""
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


def pages() -> list[tuple[str, str]]:
    """Path and name of each page, from the console's own table."""
    table = (CONSOLE / "src" / "pages.ts").read_text(encoding="utf-8")
    return re.findall(r"path: '([^']+)',\s*name: '(\w+)'", table)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window. Skips the test where there is none."""
    program = found("chromium", "chromium")
    with TemporaryDirectory(prefix="gridhub-chromium-") as folder, sync_playwright() as playwright:
        env = cast("dict[str, str | float | bool]", environment(folder))
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS), env=env)
        yield browser
        browser.close()


@dataclass  # without slots: Playwright keeps something beside the methods it calls
class Visit:
    """One person's browser at the console."""

    browser: Browser
    url: str
    state: StorageState | None
    """Their cookie; None: nobody is signed in."""
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Beginnings of paths whose refusals the test wants to see."""
    at: datetime | None = None
    """The clock of the hub, where it is not the present: the browser goes by the same."""

    def open(
        self, path: str = "/", *, language: Language = "zh", theme: Theme = "light", size: tuple[int, int] = OPERATOR
    ) -> Page:  # fmt: skip
        """The console at this address, when it has come to rest."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, storage_state=self.state, locale="zh-CN",
            timezone_id="America/Los_Angeles", reduced_motion="reduce", service_workers="block",
        )  # fmt: skip
        context.set_default_timeout(_SECONDS * 1000)
        if self.at:
            context.clock.set_system_time(self.at)
        kept = {"gridhub.language": language, "gridhub.theme": theme}
        context.add_init_script(
            "".join(f"localStorage.getItem({k!r}) ?? localStorage.setItem({k!r}, {v!r});" for k, v in kept.items())
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._noted)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self._asked(request.url))
        page.goto(f"{self.url}/console{path}")
        settled(page)
        return page

    def _noted(self, message: ConsoleMessage) -> None:
        where = urlsplit(str(message.location.get("url", ""))).path
        wanted = any(where == path and status in message.text for path, status in _SAID_BY_DESIGN)
        if message.type in ("error", "warning") and not wanted and not where.startswith(self.expected):
            self.complaints.append(f"{message.type}: {message.text} ({where})")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.complaints.append(f"another host is asked: {url}")

    def end(self) -> None:
        """Close all pages; fails when one of them complained."""
        for context in self.contexts:
            context.close()
        assert self.complaints == [], "\n".join(self.complaints)


def settled(page: Page) -> None:
    """Wait until the page shows what it is for: a heading, and nothing that is being asked."""
    page.wait_for_selector("h1")
    page.wait_for_selector("[aria-busy=true]", state="detached")
    page.evaluate("document.fonts.ready.then(() => true)")


def accessible(page: Page, *, without: Sequence[str] = ()) -> None:
    """Fails with what axe finds on the page, rule by rule. `without`: rules left out; the call says why."""
    page.evaluate(_axe())
    left_out = (*without, *(_OF_DIALOGS if page.locator(_DIALOGS).count() else ()))
    options = {"runOnly": list(_RULES), "rules": {rule: {"enabled": False} for rule in left_out}}
    found: Mapping[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    lines = [
        f"{one['id']}: {one['help']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
    assert lines == [], "\n".join(lines)


@cache
def _axe() -> str:
    return (CONSOLE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


Open = Callable[..., Page]
"""`opened(path, role=..., language=..., theme=..., size=...)`: see conftest.py."""
