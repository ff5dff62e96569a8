"""Pictures of a grid set and of its flaws, as PNG, drawn by Mapnik in Web Mercator."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import mapnik
import numpy as np
import orjson
import shapely
from PIL import Image, ImageDraw
from shapely.geometry.base import BaseGeometry

from maps.crs import named
from maps.drawing.lettering import pen_font, register_font
from maps.drawing.style import FONT, SKY
from maps.topology.flaw import Flaw, Topology
from maps.topology.given import TopologyArea, TopologyCell
from maps.topology.measure import Shapes

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

SEVERE, LOOK = "#c4122f", "#f0a30a"
"""Far apart in lightness too, for colour-blind eyes; marks of severe flaws are larger besides."""
OVERVIEW, CLOSE = (1200, 900), (480, 340)
"""Pixels, the most of each."""
_MARGIN = 0.04
_AROUND = 0.45
"""Of the flaw's own size, on each side of it in a close-up."""
_LEAST = 0.0012
"""Degrees: a close-up shows at least a hundred metres, so that it can be told where it is."""
_MOST_LABELS = 40

_STYLES = f"""
<Map>
<Style name="cells"><Rule><PolygonSymbolizer fill="#f7f6f2"/>
<LineSymbolizer stroke="#8d8d8d" stroke-width="WIDE" stroke-linejoin="round"/></Rule></Style>
<Style name="concerned"><Rule><PolygonSymbolizer fill="{SKY}" fill-opacity="0.35"/>
<LineSymbolizer stroke="#5b5b5b" stroke-width="1"/></Rule></Style>
<Style name="areas"><Rule>
<LineSymbolizer stroke="#111111" stroke-width="1.5" stroke-linejoin="round"/>
</Rule></Style>
<Style name="flaws">
<Rule><Filter>[severe] = 1</Filter><PolygonSymbolizer fill="{SEVERE}" fill-opacity="0.55"/>
<LineSymbolizer stroke="{SEVERE}" stroke-width="1.6" stroke-linejoin="round"/></Rule>
<Rule><ElseFilter/><PolygonSymbolizer fill="{LOOK}" fill-opacity="0.5"/>
<LineSymbolizer stroke="{LOOK}" stroke-width="1.6" stroke-linejoin="round"/></Rule></Style>
<Style name="marks">
<Rule><Filter>[severe] = 1</Filter><MarkersSymbolizer fill="{SEVERE}" stroke="#ffffff" width="13" height="13"
 allow-overlap="true" ignore-placement="true"/></Rule>
<Rule><ElseFilter/><MarkersSymbolizer fill="{LOOK}" stroke="#ffffff" width="8" height="8"
 allow-overlap="true" ignore-placement="true"/></Rule></Style>
<Style name="labels"><Rule><TextSymbolizer face-name="{FONT}" size="11" fill="#222222"
 halo-fill="rgba(255,255,255,0.9)" halo-radius="1.6" halo-rasterizer="fast" placement="point" margin="3"
 avoid-edges="true" wrap-width="10">[label]</TextSymbolizer></Rule></Style>
</Map>"""


@dataclass(frozen=True)
class Artist:
    """Draws one grid set. Not to be shared between threads."""

    cells: Sequence[TopologyCell]
    areas: Sequence[TopologyArea] = field(default=())

    @cached_property
    def _shapes(self) -> Shapes:
        """Of all cells; None where a cell has no shape that can be drawn."""
        return np.array([_drawable(cell.geometry) for cell in self.cells], object)

    @cached_property
    def _repaired(self) -> Shapes:
        """The same for reckoning; pictures show them as they were delivered."""
        made = self._shapes.copy()
        broken = np.flatnonzero(~shapely.is_valid(made) & ~shapely.is_missing(made))
        made[broken] = shapely.make_valid(made[broken])
        return made

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._repaired)

    @cached_property
    def _whole(self) -> mapnik.Datasource | None:
        return _source((shape, {}) for shape in self._shapes if shape is not None)

    @cached_property
    def _outlines(self) -> mapnik.Datasource | None:
        return _source((one.geometry, {}) for one in self.areas)

    def overview(self, found: Topology) -> bytes:
        """The whole set with a mark on every flaw that is listed; severe ones red and on top."""
        flaws = sorted((one for one in found.flaws if one.shape is not None), key=lambda one: one.severe)
        seen = [shape for shape in self._shapes if shape is not None]
        seen += [shape for one in flaws if (shape := _drawable(one.shape))] + [one.geometry for one in self.areas]
        if not seen:
            return _blank(OVERVIEW)
        box = _grown(shapely.total_bounds(np.array(seen, object)), _MARGIN)
        marks = _source((_middle(one.shape), {"severe": int(one.severe)}) for one in flaws)
        return _drawn(box, OVERVIEW, [
            ("cells", self._whole), ("areas", self._outlines), ("flaws", _flaw_source(flaws)), ("marks", marks),
        ], wide=0.4 if len(seen) > _MANY else 0.8)  # fmt: skip

    def close_up(self, flaw: Flaw) -> bytes:
        """One flaw, the cells concerned tinted, and the codes of the cells in sight."""
        shape = _drawable(flaw.shape)
        if shape is None:
            return _blank(CLOSE)
        box = _seen(shape)
        window = shapely.box(*box)
        near = np.sort(self._tree.query(window, predicate="intersects")).tolist()
        sight = shapely.intersection(self._repaired[near], window)
        concerned: list[tuple[BaseGeometry, Mapping[str, object]]] = [
            (self._shapes[at], {}) for at in near if self.cells[at].code in flaw.codes
        ]
        labels = [
            (shapely.point_on_surface(part), {"label": self.cells[at].code})
            for at, part in sorted(zip(near, sight, strict=True), key=lambda one: -one[1].area)[:_MOST_LABELS]
            if part.area > 0
        ]
        return _drawn(box, CLOSE, [
            ("cells", _source((self._shapes[at], {}) for at in near)), ("concerned", _source(concerned)),
            ("areas", self._outlines), ("flaws", _flaw_source([flaw])), ("labels", _source(labels)),
        ], wide=0.9)  # fmt: skip


_MANY = 500
"""Cells above which their edges are drawn finer."""
_WEB = shapely.box(-180.1, -85, 180.1, 85)
"""What Web Mercator can show."""


def _drawn(
    box: Box, most: tuple[int, int], layers: Sequence[tuple[str, mapnik.Datasource | None]], wide: float
) -> bytes:
    """The layers, the first at the bottom, in a picture as large as it may be, with a bar of scale."""
    web = named("EPSG:3857")
    assert web is not None
    (west, south), (east, north) = web.from_native(np.array([box[:2], box[2:]])).tolist()
    width = min(most[0], round(most[1] * (east - west) / (north - south)))
    height = min(most[1], round(most[0] * (north - south) / (east - west)))
    made = mapnik.Map(max(width, 1), max(height, 1))
    register_font()
    mapnik.load_map_from_string(made, _STYLES.replace("WIDE", str(wide)))
    made.srs = "epsg:3857"
    made.background = mapnik.Color("#ffffff")
    for name, source in layers:
        if source is not None:
            layer = mapnik.Layer(name, "epsg:4490")
            layer.datasource = source
            layer.styles.append(name)
            made.layers.append(layer)
    made.zoom_to_box(mapnik.Box2d(west, south, east, north))
    image = mapnik.Image(made.width, made.height)
    mapnik.render(made, image)
    metres = (east - west) / made.width * math.cos(math.radians((box[1] + box[3]) / 2))
    return _finished(image.to_string("png32:z=1"), metres)


def _finished(png: bytes, metres: float) -> bytes:
    """With a bar of scale, and in 256 colours: half the size. `metres`: of a pixel."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    length = _round_length(metres * image.width / 4)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    pen = ImageDraw.Draw(image)
    right, bottom = image.width - 12, image.height - 12
    left = right - round(length / metres)
    pen.rectangle((left - 5, bottom - 22, right + 5, bottom + 5), fill="#ffffff")
    pen.line([(left, bottom - 5), (left, bottom), (right, bottom), (right, bottom - 5)], fill="#222222", width=2)
    pen.text((left, bottom - 21), text, fill="#222222", font=pen_font(12))
    out = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def _round_length(most: float) -> float:
    """The largest of 1, 2, 5, 10, 20 ... metres that is not longer."""
    ten = 10.0 ** math.floor(math.log10(most))
    return max(step * ten for step in (1, 2, 5) if step * ten <= most)


def _seen(shape: BaseGeometry) -> Box:
    """What a close-up of it shows, in the shape of the picture."""
    west, south, east, north = shape.bounds
    middle = (west + east) / 2, (south + north) / 2
    flat = math.cos(math.radians(middle[1]))
    high = max(north - south, (east - west) * flat * CLOSE[1] / CLOSE[0], _LEAST) * (1 + 2 * _AROUND)
    wide = high * CLOSE[0] / CLOSE[1] / flat
    return middle[0] - wide / 2, middle[1] - high / 2, middle[0] + wide / 2, middle[1] + high / 2


def _grown(bounds: np.ndarray, share: float) -> Box:
    west, south, east, north = bounds.tolist()
    side = max(east - west, north - south, _LEAST) * share
    return west - side, south - side, east + side, north + side


def _source(features: Iterable[tuple[BaseGeometry, Mapping[str, object]]]) -> mapnik.Datasource | None:
    """A layer of Mapnik; None without features."""
    written = [
        b'{"type":"Feature","properties":%s,"geometry":%s}' % (orjson.dumps(told), shapely.to_geojson(shape).encode())
        for shape, told in features
    ]
    if not written:
        return None
    text = '{"type":"FeatureCollection","features":[' + b",".join(written).decode() + "]}"
    return mapnik.Datasource(type="geojson", inline=text)


def _flaw_source(flaws: Sequence[Flaw]) -> mapnik.Datasource | None:
    shapes = ((_drawable(one.shape), {"severe": int(one.severe)}) for one in flaws)
    return _source((shape, told) for shape, told in shapes if shape is not None)


def _drawable(shape: BaseGeometry | None) -> BaseGeometry | None:
    """None for what has no place on a map of degrees."""
    if shape is None or shape.is_empty or not np.isfinite(shape.bounds).all():
        return None
    west, south, east, north = shape.bounds
    return shape if west >= -180 and east <= 180 and south >= -85 and north <= 85 else None


def _middle(shape: BaseGeometry | None) -> BaseGeometry:
    """A point in it; of a broken shape the middle of its box."""
    assert shape is not None
    return shapely.point_on_surface(shape) if shape.is_valid else shapely.box(*shape.bounds).centroid


def _blank(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("P", size, 255).save(out, "PNG")
    return out.getvalue()
