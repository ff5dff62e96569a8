"""Pictures drawn by Mapnik."""

from dataclasses import dataclass

import mapnik

from maps.atlas import Atlas
from maps.drawing.lettering import register_font
from maps.drawing.picture import FORMATS, Picture
from maps.drawing.source import Sources, proj_of, shown
from maps.drawing.style import DENSITY, rules


@dataclass(frozen=True, slots=True)
class Painter:
    """Draws what the atlas shows. Safe to share between threads."""

    sources: Sources

    def draw(self, picture: Picture) -> bytes:
        """The encoded picture. Raises UnknownLayer, TooMany."""
        register_font()
        sheets = dict.fromkeys(shown(sheet, picture, DENSITY) for sheet in picture.sheets)
        styles, layers = [], []
        for number, sheet in enumerate(sheets):
            source = self.sources.of(sheet, picture)
            if source is None:
                continue
            named = f"{number}"
            label = self.sources.atlas.layer(sheet.layer, picture.scope).label != ""
            styles.append(rules(sheet.style, picture.denominator, label=label, name=named))
            layer = mapnik.Layer(named, source.crs)
            layer.datasource = source.data
            layer.styles.append(named)
            layers.append(layer)
        made = mapnik.Map(picture.width, picture.height)
        mapnik.load_map_from_string(made, f"<Map>{''.join(styles)}</Map>")
        made.srs = proj_of(picture.crs)
        made.aspect_fix_mode = mapnik.aspect_fix_mode.RESPECT
        made.buffer_size = 64
        if picture.background:
            made.background = mapnik.Color(picture.background)
        for layer in layers:
            made.layers.append(layer)
        made.zoom_to_box(mapnik.Box2d(*picture.box))
        image = mapnik.Image(picture.width, picture.height)
        mapnik.render(made, image)
        encoded: bytes = image.to_string(FORMATS[picture.format])
        return encoded


def painter_of(atlas: Atlas) -> Painter:
    """A painter of this atlas."""
    return Painter(Sources(atlas))
