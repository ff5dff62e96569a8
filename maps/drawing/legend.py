"""Legends: the parts of a style with their colours, as a picture."""

import io
from functools import lru_cache

from PIL import Image, ImageDraw

from maps.drawing.lettering import pen_font
from maps.drawing.style import DISTRICTS, RIM, Style
from maps.table import Shape

ROW, WIDTH, _EDGE = 24, 220, 4


@lru_cache(64)
def legend(style: Style) -> bytes:
    """PNG, one row of 24 pixels a part."""
    image = Image.new("RGB", (WIDTH, ROW * len(style.parts) + 2 * _EDGE), "white")
    draw = ImageDraw.Draw(image)
    font = pen_font(13)
    for number, part in enumerate(style.parts):
        top = _EDGE + ROW * number
        box = (8, top + 5, 22, top + 19)
        colour = "white" if part.colour == "none" else part.colour
        if style.shape is Shape.POINT:
            draw.ellipse(box, fill=colour, outline=RIM)
        elif style.by:
            draw.rectangle(box, fill=colour, outline="#999999")
        else:
            draw.rectangle(box, outline=colour, width=2 if style is DISTRICTS else 1)
        draw.text((32, top + 2), part.title, fill="#222222", font=font)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def blank(width: int, height: int, format_: str, background: str, text: str = "") -> bytes:
    """A picture without a map; with `text`, what went wrong is written into it."""
    image = Image.new("RGBA", (width, height), background or (255, 255, 255, 0))
    if text:
        font = pen_font(12)
        draw = ImageDraw.Draw(image)
        for number in range(0, len(text), 40):
            draw.text((4, 4 + 16 * (number // 40)), text[number : number + 40], fill="#c00000", font=font)
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG") if format_ == "jpeg" else image.save(out, "PNG")
    return out.getvalue()
