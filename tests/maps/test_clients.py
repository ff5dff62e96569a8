"""Each client reads something small, says what it read, and refuses what is none."""

import json
from pathlib import Path

import pytest

from tests.maps.clients import ClientRefused, gdal, node, qgis
from tests.maps.mapserver import started

MAPFILE = """MAP
 NAME "city"
 EXTENT 118.3 31.3 118.4 31.4
 PROJECTION "init=epsg:4326" END
 WEB METADATA
  "wms_title" "City" "wms_srs" "EPSG:4326" "wms_enable_request" "*" "wms_onlineresource" "http://localhost/"
 END END
 LAYER NAME "grids" TYPE POINT STATUS ON METADATA "wms_title" "Grids" END FEATURE POINTS 118.31 31.31 END END END
END
"""


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Two points as GeoJSON."""
    features = [
        {"type": "Feature", "properties": {"code": code}, "geometry": {"type": "Point", "coordinates": [118.3, north]}}
        for code, north in (("a", 31.3), ("b", 31.4))
    ]
    file = tmp_path / "places.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return file


def test_gdal_reads_a_layer(places: Path) -> None:
    assert "Feature Count: 2" in gdal("ogrinfo", "-al", "-so", places)


def test_gdal_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(ClientRefused, match="ogrinfo"):
        gdal("ogrinfo", tmp_path / "none.geojson")


def test_qgis_reads_a_layer(places: Path) -> None:
    assert qgis("layer.py", places) == {
        "valid": True, "error": "", "features": 2, "crs": "EPSG:4326", "fields": ["code"],
    }  # fmt: skip


def test_qgis_says_what_is_no_layer(tmp_path: Path) -> None:
    assert qgis("layer.py", tmp_path / "none.geojson")["valid"] is False
    with pytest.raises(ClientRefused, match="TypeError"):
        qgis("layer.py")


def test_openlayers_reads_the_capabilities_of_mapserver(tmp_path: Path) -> None:
    document = tmp_path / "capabilities.xml"
    with started(MAPFILE, tmp_path) as mapserver:
        document.write_bytes(mapserver.get(SERVICE="WMS", VERSION="1.3.0", REQUEST="GetCapabilities"))

    assert node("wms.mjs", document) == ["city", "grids"]


def test_openlayers_says_what_is_no_capabilities_document(tmp_path: Path) -> None:
    (tmp_path / "none.xml").write_text("<none/>", encoding="utf-8")

    with pytest.raises(ClientRefused, match="TypeError"):
        node("wms.mjs", tmp_path / "none.xml")
