"""A page printed to PDF by the Chromium that is installed, if one is. The page has no script and asks nobody."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from canonical.errors import HubError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
_SECONDS = 90
_OPTIONS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--disable-dev-shm-usage", "--no-pdf-header-footer",
)  # fmt: skip


class NoPrinter(HubError):
    """Nothing here prints pages, or it failed."""


def printed_page(page: str) -> bytes:
    """The page as PDF. Raises NoPrinter with what to do instead."""
    browser = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if browser is None:
        raise NoPrinter(
            "no Chromium is installed here to print with 本机没有可用于打印的 Chromium: write --format html and print "
            "the page from a browser 可先输出 html，再用浏览器打印"
        )
    with tempfile.TemporaryDirectory(prefix="gridhub-pdf-") as folder:
        source, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_text(page, encoding="utf-8")
        options = [*_OPTIONS, f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # it refuses to run as root otherwise; the page is our own, without script
        try:
            done = subprocess.run(  # noqa: S603 the browser found, a file of ours
                [browser, *options, source.as_uri()], capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoPrinter(f"{browser} did not print: {type(error).__name__}; write --format html") from None
        if not target.is_file():
            raise NoPrinter(f"{browser} did not print (it ended with {done.returncode}); write --format html")
        return target.read_bytes()
