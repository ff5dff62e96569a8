"""MapServer beside the hub: the same cells and cases, asked with the same requests.

It shares no line with the hub: its own axis orders, its own drawing, its own filters.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyogrio
import shapely

from maps.atlas import Query
from maps.table import Kind
from tests.maps.asking import CENTRE
from tests.maps.mapserver import MapServer, started
from tests.maps.small_city import NOW, atlas, scattered

CITY = atlas(scattered(200))
KEY = {"cases": "case_no", "grids": "code"}
"""The column that names a feature."""
_SRS = "EPSG:4326 EPSG:4490 EPSG:3857 EPSG:4547 EPSG:4548"
_MAP = """MAP
 NAME "city" EXTENT 118.3 31.3 118.35 31.33 MAXSIZE 2048
 PROJECTION "init=epsg:4490" END
 OUTPUTFORMAT NAME "png" DRIVER AGG/PNG MIMETYPE "image/png" IMAGEMODE RGBA TRANSPARENT ON END
 OUTPUTFORMAT NAME "geojson" DRIVER "OGR/GEOJSON" MIMETYPE "application/json" FORMATOPTION "FORM=SIMPLE"
  FORMATOPTION "STORAGE=stream" END
 SYMBOL NAME "dot" TYPE ELLIPSE FILLED TRUE POINTS 1 1 END END
 WEB IMAGEPATH "{folder}/" METADATA
  "ows_title" "City" "ows_srs" "{srs}" "ows_enable_request" "*" "ows_onlineresource" "http://localhost/"
  "wms_getfeatureinfo_formatlist" "geojson" "wfs_getfeature_formatlist" "geojson,gml32"
  "wfs_namespace_prefix" "ms" "wfs_namespace_uri" "http://mapserver.gis.umn.edu/mapserver"
 END END
 LAYER NAME "grids" TYPE POLYGON STATUS ON {source} DATA "grids" PROJECTION "init=epsg:4490" END TEMPLATE "x"
  METADATA {metadata} "ows_featureid" "code" "gml_households_type" "Integer" END
  CLASS STYLE COLOR 91 91 91 OPACITY 6 OUTLINECOLOR 91 91 91 WIDTH 1 END END END
 LAYER NAME "cases" TYPE POINT STATUS ON {source} DATA "cases" PROJECTION "init=epsg:4490" END TEMPLATE "x"
  TOLERANCE 5 TOLERANCEUNITS PIXELS METADATA {metadata} "ows_featureid" "case_no" END
  CLASS STYLE SYMBOL "dot" SIZE 9 COLOR 0 114 178 END END END
END
"""
_METADATA = '"ows_title" "Layer" "gml_include_items" "all" "wfs_use_default_extent_for_getfeature" "false"'


@contextmanager
def peer(folder: Path) -> Iterator[MapServer]:
    """MapServer over what the centre sees of the small city."""
    file = folder / "city.gpkg"
    for name in KEY:
        _write(name, file)
    source = f'CONNECTIONTYPE OGR CONNECTION "{file}"'
    text = _MAP.format(folder=folder, srs=_SRS, source=source, metadata=_METADATA)
    with started(text, folder) as server:
        yield server


def codes(body: bytes, key: str) -> list[str]:
    """What the features of a GeoJSON answer are called, in its order."""
    return [one["properties"][key] for one in json.loads(body)["features"]]


def _write(name: str, file: Path) -> None:
    table = CITY.select(name, Query(NOW), CENTRE)
    fields = [one for one in table.layer.fields if one.kind in (Kind.TEXT, Kind.WHOLE)]
    columns = [table.columns[one.name] for one in fields]
    values = [
        np.array([-1 if value is None else value for value in column], np.int32)
        if one.kind is Kind.WHOLE
        else np.array([value or "" for value in column], object)
        for one, column in zip(fields, columns, strict=True)
    ]
    pyogrio.raw.write(
        file, shapely.to_wkb(table.geometry), values, [one.name for one in fields], layer=name, append=file.exists(),
        geometry_type="Point" if name == "cases" else "Polygon", crs="EPSG:4490", driver="GPKG",
    )  # fmt: skip
