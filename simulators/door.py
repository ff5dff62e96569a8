"""Small pieces of the doors: an object out of a body, the target as sent, a door that lets one named thing happen."""

import json
from collections.abc import Callable, Collection

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def json_object(body: bytes) -> dict[str, object] | None:
    """The object of the body; None when it is none."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def sent_target(request: Request) -> str:
    """The path with its query exactly as the caller wrote it: what signatures are made over."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def happening(kinds: Collection[str], happen: Callable[[str], str]) -> Route:
    """`POST /_sim/happen {"kind": ...}`: this happens now, once; answers its id."""

    async def door(request: Request) -> Response:
        kind = (json_object(await request.body()) or {}).get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            return JSONResponse({"findings": [{"at": "kind", "why": f"one of {sorted(kinds)}"}]}, status_code=400)
        return JSONResponse({"id": happen(kind)})

    return Route("/_sim/happen", door, methods=["POST"])
