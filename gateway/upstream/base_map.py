"""Base maps at the map door: tiles by path as XYZ, and by query as WMTS. The token of the service stays here.

/                      what there is, as JSON
/NAME                  one of them, as TileJSON
/NAME/Z/X/Y            a tile; an ending such as .png may follow
?SERVICE=WMTS&REQUEST= GetCapabilities or GetTile
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from gateway.upstream.base_map_wmts import Problem, capabilities, exception
from gateway.upstream.file import Registered
from gateway.upstream.source import Missing, NoTile, Served, Source
from maps.request import Answer, Doubled, Request

STATUSES: Mapping[Missing, int] = {Missing.OUTSIDE: 404, Missing.ABSENT: 404, Missing.AWAY: 504, Missing.BUSY: 429}
_TILE = re.compile(
    r"/(?P<name>[a-z][a-z0-9_-]*)/(?P<z>\d{1,2})/(?P<x>\d{1,8})/(?P<y>\d{1,8})(?:\.[a-z]{3,4})?", re.ASCII
)
_ONE = re.compile(r"/(?P<name>[a-z][a-z0-9_-]*)(?:\.json)?/?", re.ASCII)
_NUMBER = re.compile(r"\d{1,8}", re.ASCII)
_BROWSER = 86_400
"""Seconds for which a client may keep a tile; one that is older than it should be is asked for again soon."""
_SOON = 60


class BaseMapService:
    """All base maps of the city that are kept. `folder`: where their files lie. Give it back with `close`."""

    def __init__(self, upstream: Mapping[str, Registered], folder: Path, now: Callable[[], datetime]) -> None:
        kept = {name: one for name, one in upstream.items() if one.cache is not None}
        self.sources = {name: Source(one, folder, now) for name, one in kept.items()}

    def close(self) -> None:
        """Give back files and connections."""
        for source in self.sources.values():
            source.close()

    def answer(self, request: Request) -> Answer:
        """The answer. What cannot be had is 404; what the service does not give now, 504; never another 5xx."""
        seen = {
            name: source for name, source in self.sources.items() if source.cache.public or not request.scope.public
        }  # fmt: skip
        if request.method != "GET":
            return _plain(405, "GET only", {"allow": "GET, HEAD"})
        if match := _TILE.fullmatch(request.path):
            source = seen.get(match["name"])
            if source is None:
                return _plain(404, "no such base map")
            try:
                return _tile(source.tile((int(match["z"]), int(match["x"]), int(match["y"]))))
            except NoTile as error:
                return _plain(STATUSES[error.missing], str(error), _later(error))
        if request.path in {"", "/"}:
            return self._root(request, seen)
        if (match := _ONE.fullmatch(request.path)) and match["name"] in seen:
            return _json(_view(match["name"], seen[match["name"]], request.url))
        return _plain(404, "no such base map or tile: /NAME/Z/X/Y")

    def _root(self, request: Request, seen: Mapping[str, Source]) -> Answer:
        try:
            keys = request.keys()
        except Doubled as error:
            return exception(Problem("InvalidParameterValue", f"{error} is given twice", str(error)), 400)
        if "SERVICE" not in keys and "REQUEST" not in keys:
            return _json({"base_maps": [_view(name, source, request.url) for name, source in seen.items()]})
        try:
            return self._wmts(keys, seen, request.url)
        except Problem as problem:
            return exception(problem, 400)

    def _wmts(self, keys: Mapping[str, str], seen: Mapping[str, Source], url: str) -> Answer:
        if keys.get("SERVICE", "WMTS").upper() != "WMTS":
            raise Problem("InvalidParameterValue", "the service is WMTS", "SERVICE")
        match keys.get("REQUEST", "").lower():
            case "getcapabilities":
                return Answer("text/xml", capabilities(seen, url))
            case "gettile":
                return self._by_query(keys, seen)
            case "":
                raise Problem("MissingParameterValue", "GetCapabilities or GetTile", "REQUEST")
            case _:
                raise Problem("OperationNotSupported", "GetCapabilities and GetTile are", "REQUEST")

    def _by_query(self, keys: Mapping[str, str], seen: Mapping[str, Source]) -> Answer:
        name = keys.get("LAYER", "")
        if name not in seen:
            raise Problem("InvalidParameterValue", "no such base map", "LAYER")
        numbers = []
        for key in ("TILEMATRIX", "TILECOL", "TILEROW"):
            if key not in keys:
                raise Problem("MissingParameterValue", f"{key} is missing", key)
            if not _NUMBER.fullmatch(keys[key]):
                raise Problem("InvalidParameterValue", f"{key} is a whole number", key)
            numbers.append(int(keys[key]))
        zoom, column, row = numbers
        try:
            return _tile(seen[name].tile((zoom, column, row)))
        except NoTile as error:
            code = "TileOutOfRange" if error.missing is Missing.OUTSIDE else "NoApplicableCode"
            return exception(Problem(code, str(error), ""), STATUSES[error.missing], _later(error))


def _tile(served: Served) -> Answer:
    tag = hashlib.sha256(served.body).hexdigest()[:32]
    headers = {"etag": f'"{tag}"', "cache-control": f"max-age={_SOON if served.stale else _BROWSER}"}
    if served.stale:
        headers["warning"] = '110 - "Response is Stale"'
    return Answer(served.content_type, served.body, headers=headers)


def _later(error: NoTile) -> dict[str, str]:
    return {"retry-after": "30"} if STATUSES[error.missing] in {504, 429} else {}


def _view(name: str, source: Source, url: str) -> dict[str, Any]:
    """TileJSON 3.0, and the CRS, which it has no word for."""
    zooms = source.cache.zooms
    return {
        "tilejson": "3.0.0", "name": source.registered.title or name, "id": name,
        "attribution": source.registered.attribution, "tiles": [f"{url}/{name}/{{z}}/{{x}}/{{y}}"], "scheme": "xyz",
        "minzoom": zooms.start, "maxzoom": zooms.stop - 1, "bounds": list(source.cache.box),
        "crs": f"EPSG:{source.pyramid.crs}",
    }  # fmt: skip


def _json(view: Any) -> Answer:  # noqa: ANN401 whatever JSON can say
    return Answer("application/json", orjson.dumps(view))


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer("text/plain; charset=utf-8", text.encode(), status, dict(headers or {}))
