"""The layers of WMS: each of the atlas with its styles, and each style of the cases as a layer of its own."""

from dataclasses import dataclass

from canonical.rights import Scope
from maps.atlas import CASE_DENSITY, Atlas
from maps.drawing.style import CASE_STYLES, DENSITY, DISTRICTS, GRIDS, INDUSTRY, Style
from maps.table import Layer, Shape


@dataclass(frozen=True, slots=True)
class WmsLayer:
    """One layer that can be asked for."""

    name: str
    title: str
    layer: Layer
    styles: tuple[Style, ...]
    """The first is the default."""

    def style(self, name: str) -> Style | None:
        """The style of this name; the default for none."""
        if name in ("", "default"):
            return self.styles[0]
        return next((one for one in self.styles if one.name == name), None)


_SURFACES = {CASE_DENSITY: DENSITY, "districts": DISTRICTS}


def wms_layers(atlas: Atlas, scope: Scope) -> dict[str, WmsLayer]:
    """By name, the ground first and the cases on top."""
    found: dict[str, WmsLayer] = {}
    for layer in atlas.layers(scope):
        if layer.shape is Shape.SURFACE:
            style = _SURFACES.get(layer.name) or (GRIDS if layer.name == atlas.base else INDUSTRY)
            found[layer.name] = WmsLayer(layer.name, layer.title, layer, (style,))
            continue
        found[layer.name] = WmsLayer(layer.name, layer.title, layer, CASE_STYLES)
        for style in CASE_STYLES[1:]:  # for clients that know no styles
            name = f"{layer.name}_{style.name}"
            found[name] = WmsLayer(name, f"{layer.title} {style.title}", layer, (style,))
    return found
