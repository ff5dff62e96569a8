"""MapServer as the reference of the map benches, over the same features."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyogrio
import shapely

from canonical.rights import Scope
from maps.atlas import Atlas, Query
from tests.maps.mapserver import MapServer, started
from tests.maps.small_city import NOW

_MAP = """MAP
 NAME "city"
 EXTENT 118.3 31.3 118.6 31.55
 PROJECTION "init=epsg:4490" END
 OUTPUTFORMAT NAME "png8" DRIVER AGG/PNG8 MIMETYPE "image/png; mode=8bit" IMAGEMODE RGB EXTENSION "png"
  FORMATOPTION "QUANTIZE_FORCE=on" FORMATOPTION "QUANTIZE_COLORS=256" END
 OUTPUTFORMAT NAME "geojson" DRIVER "OGR/GEOJSON" MIMETYPE "application/json" FORMATOPTION "FORM=SIMPLE"
  FORMATOPTION "STORAGE=stream" END
 SYMBOL NAME "dot" TYPE ELLIPSE FILLED TRUE POINTS 1 1 END END
 WEB IMAGEPATH "{folder}/" METADATA
  "ows_title" "City" "ows_srs" "EPSG:4490 EPSG:3857 EPSG:4548" "ows_enable_request" "*"
  "ows_onlineresource" "http://localhost/" "wfs_maxfeatures" "100000"
  "wfs_getfeature_formatlist" "geojson,gml32"
 END END
 LAYER NAME "grids" TYPE POLYGON STATUS ON DATA "{folder}/grids.shp" PROJECTION "init=epsg:4490" END TEMPLATE "x"
  METADATA "ows_title" "Grids" "gml_include_items" "all" "ows_featureid" "fid_"
   "wfs_use_default_extent_for_getfeature" "false" END
  CLASS STYLE COLOR 245 245 245 OPACITY 6 OUTLINECOLOR 91 91 91 WIDTH 1 END END END
 LAYER NAME "cases" TYPE POINT STATUS ON DATA "{folder}/cases.shp" PROJECTION "init=epsg:4490" END TEMPLATE "x"
  METADATA "ows_title" "Cases" "gml_include_items" "all" "ows_featureid" "fid_"
   "wfs_use_default_extent_for_getfeature" "false" END
  CLASSITEM "stage"
{classes}
 END
END
"""
_CLASS = '  CLASS EXPRESSION "{stage}" STYLE SYMBOL "dot" SIZE 7 COLOR {colour} OUTLINECOLOR 255 255 255 END END'


@contextmanager
def mapserver(atlas: Atlas, folder: Path) -> Iterator[MapServer]:
    """MapServer over the features of the atlas, as shapefiles with a spatial index."""
    stages = _written(atlas, folder)
    colours = [
        (0x56, 0xB4, 0xE9),
        (0, 0x72, 0xB2),
        (0, 0x9E, 0x73),
        (0xE6, 0x9F, 0),
        (0xCC, 0x79, 0xA7),
        (0x7F, 0x7F, 0x7F),
    ]
    classes = "\n".join(
        _CLASS.format(stage=stage, colour=" ".join(map(str, colours[at % len(colours)])))
        for at, stage in enumerate(stages)
    )
    with started(_MAP.format(folder=folder, classes=classes), folder) as server:
        yield server


def _written(atlas: Atlas, folder: Path) -> list[str]:
    """Shapefiles of grids and cases; the stages there are."""
    for name in ("grids", "cases"):
        table = atlas.select(name, Query(NOW), Scope("bench", texts=True))
        columns = [column for column in table.columns if any(value is not None for value in table.columns[column])]
        values = [np.array([str(value) for value in table.columns[column]], object) for column in columns]
        pyogrio.raw.write(
            folder / f"{name}.shp", shapely.to_wkb(table.geometry), values, [one[:10] for one in columns],
            geometry_type="Point" if name == "cases" else "Polygon", crs="EPSG:4490", encoding="UTF-8",
            layer_options={"SPATIAL_INDEX": "YES"},
        )  # fmt: skip
        subprocess.run(["shptree", str(folder / f"{name}.shp")], check=False, capture_output=True)
    return sorted({str(one) for one in atlas.select("cases", Query(NOW), Scope("bench")).columns["stage"]})
