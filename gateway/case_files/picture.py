"""Thumbnails: small, upright, and without anything but the picture. What somebody sent may be broken, or a trap."""

import io
from typing import BinaryIO

from PIL import Image, ImageOps

LEAST, MOST = 32, 1600
"""Pixels of the longer side that may be asked for."""
MOST_PIXELS = 60_000_000
"""Of a picture that is opened at all: a few kilobytes can say that they are a hundred thousand pixels wide and high."""
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
_QUALITY = 82


class NoPicture(Exception):
    """The bytes are no picture that can be shown small. The text says why, and nothing of the file."""


def thumbnail(file: BinaryIO, side: int) -> bytes:
    """A JPEG whose longer side has at most `side` pixels, turned as its camera was held.

    It does not say where it was taken. Raises NoPicture.
    """
    try:
        with Image.open(file, formats=_FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise Image.DecompressionBombError
            picture.draft("RGB", (side * 2, side * 2))  # a JPEG is decoded no larger than is needed
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((side, side))
            return _written(upright)
    except Image.DecompressionBombError:  # Pillow's own limit lies higher
        raise NoPicture(f"the picture has more than {MOST_PIXELS:,} pixels") from None
    except Exception as error:  # noqa: BLE001 a broken file breaks its reader in any way there is
        raise NoPicture(f"the picture cannot be read ({type(error).__name__})") from None


def _written(picture: Image.Image) -> bytes:
    """As JPEG, on white where it is transparent. Only the pixels are written."""
    ground = Image.new("RGB", picture.size, "white")
    plain = picture.convert("RGBA")
    ground.paste(plain, mask=plain.getchannel("A"))
    buffer = io.BytesIO()
    ground.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
