"""How much a picture shows. Pure; what cannot be read shows nothing."""

import io
from enum import IntEnum

from PIL import Image

_MOST = 4096 * 4096


class Shows(IntEnum):
    """The more, the likelier that the place is in it."""

    NOTHING = 0
    """Wholly transparent, or no picture."""
    ONE_COLOUR = 1
    """The ground of an empty map, or the middle of an area."""
    SOMETHING = 2


def shows(body: bytes) -> Shows:
    """Of a picture in any of the usual formats."""
    try:
        with Image.open(io.BytesIO(body)) as picture:
            if picture.width * picture.height > _MOST:
                return Shows.NOTHING
            drawn = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Shows.NOTHING
    if drawn.getchannel("A").getextrema() == (0, 0):
        return Shows.NOTHING
    varied = any(low != high for low, high in drawn.getextrema())  # type: ignore[misc]
    return Shows.SOMETHING if varied else Shows.ONE_COLOUR
