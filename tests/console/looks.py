"""Pictures of pages: for the documentation, and compared with how they looked when somebody last looked at them.

GRIDHUB_SCREENS=1 pytest tests/console            writes docs/console/*.png
GRIDHUB_SNAPSHOTS=renew pytest tests/console      writes tests/console/snapshots/*.png: look at each
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from playwright.sync_api import Page

SNAPSHOTS = Path(__file__).parent / "snapshots"
SCREENS = Path(__file__).parents[2] / "docs" / "console"
APART = 48
"""Of 255: a smaller difference of a blurred point is how edges of letters were smoothed."""
SHARE = 0.002
"""Of all points that may differ by more."""


def looks_as_before(page: Page, name: str, *, hidden: Sequence[str] = ()) -> None:
    """Fails when the page looks otherwise than its snapshot; what it looks like now lies beside it, in `new`.

    `hidden`: parts that are of another look each time, such as times.
    """
    for one in hidden:
        page.locator(one).evaluate_all("all => all.forEach(one => one.style.opacity = '0')")
    now = page.screenshot(animations="disabled", caret="hide")
    file = SNAPSHOTS / f"{name}.png"
    if os.environ.get("GRIDHUB_SNAPSHOTS") == "renew":
        _kept(now, file)
        return
    assert file.exists(), f"no snapshot {file.name}: make it with GRIDHUB_SNAPSHOTS=renew, and look at it"
    share = difference(now, file.read_bytes())
    if share > SHARE:
        _kept(now, SNAPSHOTS / "new" / file.name)
    assert share <= SHARE, f"{file.name}: {share:.2%} of it looks otherwise; see snapshots/new"


def difference(one: bytes, other: bytes) -> float:
    """Share of points that differ clearly: 0.0 to 1.0; 1.0 where the sizes differ."""
    a, b = _points(one), _points(other)
    if a.shape != b.shape:
        return 1.0
    return float((np.abs(a - b).max(axis=2) > APART).mean())


def shown(page: Page, name: str) -> None:
    """A picture for the documentation, where pictures are wanted."""
    if os.environ.get("GRIDHUB_SCREENS"):
        _kept(page.screenshot(animations="disabled", caret="hide"), SCREENS / f"{name}.png")


def _points(picture: bytes) -> npt.NDArray[np.int16]:
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB").filter(ImageFilter.BoxBlur(1)), dtype=np.int16)


def _kept(picture: bytes, file: Path) -> None:
    """With 256 colours: pages have few, and the files stay small."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
