"""Vector tiles (MVT 2.1) of one layer in Web Mercator, and the TileJSON that tells of them.

Paths: `/LAYER.json`, `/LAYER/Z/X/Y.mvt` (or `.pbf`). Above 1:100,000 `cases` come as points that count those of each
unit grid. Tiles carry what maps are drawn and filtered by; the rest is had by asking for the feature.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import mapbox_vector_tile
import numpy as np
import orjson
import shapely

from maps.atlas import CASE_DENSITY, CASES, Atlas, Query, TooMany, UnknownLayer
from maps.drawing.cache import Cache
from maps.drawing.picture import Corners
from maps.drawing.style import POINTS_BELOW
from maps.request import Answer, Effort, Request
from maps.table import Shape, Table
from maps.tiles.matrix import WEB
from maps.when import interval

EXTENT = 4096
_EDGE = 64
"""Units beyond the tile's edge that features reach, so that lines meet."""
_TILE = re.compile(r"/([A-Za-z0-9_]{1,60})/([0-9]{1,2})/([0-9]{1,8})/([0-9]{1,8})\.(?:mvt|pbf)", re.ASCII)
_JSON = re.compile(r"/([A-Za-z0-9_]{1,60})\.json", re.ASCII)
_TYPE = "application/vnd.mapbox-vector-tile"
_CARRIED = frozenset({
    "stage", "class_code", "overdue", "grid", "unit", "code", "name", "area", "households", "population", "cases",
    "overdue_cases",
})  # fmt: skip
"""Columns that tiles carry, where the scope has them: what maps are drawn and filtered by."""
_KEPT = 32 * 1024 * 1024


class _Missing(Exception):
    """There is no such tile or page; the text says what there is."""


@dataclass(frozen=True, slots=True)
class TileService:
    """Safe to share between threads."""

    atlas: Atlas
    cache: Cache = field(default_factory=lambda: Cache(_KEPT))

    def answer(self, request: Request) -> Answer:
        """A tile, its TileJSON, or a problem document."""
        try:
            if match := _TILE.fullmatch(request.path):
                return self._tile(match[1], int(match[2]), int(match[3]), int(match[4]), request)
            if match := _JSON.fullmatch(request.path):
                return self._described(match[1], request)
            raise _Missing("there is /LAYER.json and /LAYER/Z/X/Y.mvt")
        except UnknownLayer as unknown:
            return _problem(404, f"no layer '{unknown}'")
        except _Missing as missing:
            return _problem(404, str(missing))
        except TooMany as too_many:
            return _problem(400, f"time: {too_many}")
        except (ValueError, OverflowError):
            return _problem(400, "time: 2026-03-16, 2026-03 or 2026-03-01/2026-03-16 is expected")

    def _tile(self, name: str, level: int, column: int, row: int, request: Request) -> Answer:
        layer = self.atlas.layer(name, request.scope)
        if not WEB.holds(level, column, row):
            raise _Missing(f"no tile {level}/{column}/{row} in {WEB.name}")
        text = next((value for key, value in request.pairs if key.lower() in ("time", "datetime")), "")
        when = interval(text, request.now) if layer.timed else None
        counted = name == CASES and WEB.denominator(level) > POINTS_BELOW
        source = CASE_DENSITY if counted else name
        marker = self.atlas.marker(source, request.scope, request.now)
        key = (request.scope, marker, when, level, column, row)
        box = WEB.box(level, column, row)
        query = Query(request.now, _around(box), when, exact=False)

        def drawn() -> bytes:
            table = self.atlas.select(source, query, request.scope)
            return encoded(name, _counted(table) if counted else table, box)

        body, kept = self.cache.get(key, drawn)
        held = {"cache-control": f"{'public' if request.scope.public else 'private'}, max-age=10"}
        return Answer(_TYPE, body, headers=held, effort=Effort.of_picture(0, kept=kept))

    def _described(self, name: str, request: Request) -> Answer:
        layer = self.atlas.layer(name, request.scope)
        west, south, east, north = layer.extent
        key = f"?{request.token}" if request.token else ""
        fields = {one.name: one.kind.value for one in layer.fields if one.name in _CARRIED}
        told = {
            "tilejson": "3.0.0", "name": layer.title, "description": layer.abstract, "scheme": "xyz",
            "tiles": [f"{request.url}/{name}/{{z}}/{{x}}/{{y}}.mvt{key}"], "minzoom": WEB.first, "maxzoom": WEB.last,
            "bounds": [west, south, east, north],
            "vector_layers": [{"id": name, "fields": fields}],
        }  # fmt: skip
        return Answer("application/json", orjson.dumps(told))


def encoded(name: str, table: Table, box: Corners) -> bytes:
    """The tile of this box, in metres of Web Mercator."""
    if not len(table):
        return b""
    west, south, east, _ = box
    unit = (east - west) / EXTENT

    def units(points: np.ndarray) -> np.ndarray:
        return (WEB.crs.from_native(points) - (west, south)) / unit

    shapes = shapely.transform(table.geometry, units)
    if table.layer.shape is Shape.SURFACE:
        shapes = shapely.clip_by_rect(shapes, -_EDGE, -_EDGE, EXTENT + _EDGE, EXTENT + _EDGE)
    features = [
        {"geometry": shape, "properties": properties}
        for shape, properties in zip(np.atleast_1d(shapes), _properties(table), strict=True)
        if not shape.is_empty
    ]
    options = {"extents": EXTENT, "y_coord_down": False}
    made: bytes = mapbox_vector_tile.encode([{"name": name, "features": features}], default_options=options)
    return made


def _properties(table: Table) -> Iterable[dict[str, Any]]:
    """Columns that have a value; times as text, for tiles know none."""
    names = [field.name for field in table.layer.fields if field.name in _CARRIED]
    rows = zip(table.ids, *(table.columns[name] for name in names), strict=True)
    for id_, *values in rows:
        told = {name: _plain(value) for name, value in zip(names, values, strict=True) if value is not None}
        yield {"id": id_} | told


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime | date) else value


def _around(box: Corners) -> Corners:
    """The box of degrees around a tile and its edge."""
    west, south, east, north = box
    margin = (east - west) / EXTENT * _EDGE
    return WEB.crs.native_box(west - margin, south - margin, east + margin, north + margin)


def _counted(table: Table) -> Table:
    """Cells with cases, each as a point inside it."""
    busy = table.take(np.fromiter((count > 0 for count in table.columns["cases"]), bool, len(table)))
    points = shapely.point_on_surface(busy.geometry)
    return Table(busy.layer, busy.ids, busy.columns, points, busy.bounds)


def _problem(status: int, text: str) -> Answer:
    body = orjson.dumps({"type": "about:blank", "status": status, "title": text})
    return Answer("application/problem+json", body, status=status)
