"""How tests ask a map service: parameters as a client writes them."""

import io
from collections.abc import Callable
from urllib.parse import urlencode

import numpy as np
from PIL import Image

from canonical.rights import Scope
from maps.request import Answer, Request
from tests.maps.small_city import NOW

CENTRE, PUBLIC = Scope("centre", texts=True), Scope("public", public=True)
WEST_HALF = Scope("west", areas=("340202",))
URL = "https://maps.example/ogc/wms"


def asked(
    service: Callable[[Request], Answer], scope: Scope = CENTRE, path: str = "", url: str = URL, **parameters: object
) -> Answer:
    """The answer to a GET with these parameters; None leaves one out."""
    pairs = [(name, str(value)) for name, value in parameters.items() if value is not None]
    return service(Request("GET", path, pairs, scope, NOW, url=url))


def body_of(answer: Answer) -> bytes:
    """The whole body."""
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


def pixels(answer: Answer) -> np.ndarray:
    """height x width x 3, of the picture on white."""
    assert answer.content_type.startswith("image/"), body_of(answer)
    image = Image.open(io.BytesIO(body_of(answer))).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return np.array(white.convert("RGB"))


def query(**parameters: object) -> str:
    """Parameters as a query."""
    return urlencode({name: str(value) for name, value in parameters.items()})
