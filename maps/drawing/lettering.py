"""The one font of pictures: Noto Sans CJK, which comes with the project, for Mapnik and for Pillow."""

from functools import cache
from pathlib import Path

import mapnik
import noto_cjk_sans_otc
from PIL import ImageFont

_FILE = Path(noto_cjk_sans_otc.__file__).with_name("NotoSansCJK-Regular.ttc")
_SIMPLIFIED = 2
"""Position of the simplified Chinese face in the font's collection."""


@cache
def register_font() -> None:
    """Let Mapnik know it; once in a process."""
    mapnik.FontEngine.register_font(str(_FILE))


def pen_font(pixels: int) -> ImageFont.FreeTypeFont:
    """For what Pillow writes into pictures."""
    return ImageFont.truetype(str(_FILE), pixels, index=_SIMPLIFIED)
