"""The OpenAPI document of what people and consoles ask, without a city's own doors. The console's types come from it.

python -m gateway.openapi > console/openapi.json
"""

import json
import sys
from typing import Any

from gateway.api import create_app
from gateway.hub import wire
from gateway.settings import example_city, settings

_VARIABLES = ("HOTLINE_URL", "HOTLINE_TOKEN", "URBAN_URL", "URBAN_VALIDATE", "GRID_URL", "GRID_TOKEN")
_NOBODY = "http://127.0.0.1:9"


def document() -> dict[str, Any]:
    """The paths below /api, in order. No database is asked."""
    told = settings(example_city(), dict.fromkeys(_VARIABLES, _NOBODY))
    whole: dict[str, Any] = create_app(wire(told, "postgresql+asyncpg://nobody@127.0.0.1:9/none")).api.openapi()
    paths = {path: whole["paths"][path] for path in sorted(whole["paths"]) if path.startswith("/api/")}
    return whole | {"paths": paths}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), ensure_ascii=False, indent=1, sort_keys=True) + "\n")
