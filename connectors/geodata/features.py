"""GeoJSON, read without GDAL: there is nothing in it that could point elsewhere."""

from pathlib import Path

import orjson
import shapely

from canonical.findings import Finding
from connectors.geodata import crs
from connectors.geodata.sheet import Layer, as_array, check_size, unreadable
from connectors.geodata.words import whole_text


def read_geojson(path: Path, layer: str, encoding: str) -> Layer:
    """A FeatureCollection or a Feature; the layer's name says nothing here. RFC 7946, and the `crs` of 2008."""
    text, found = whole_text(path.read_bytes(), encoding, path.name)
    try:
        document = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise unreadable(f"{path.name}: not JSON ({error}): export the file again") from None
    features = _features(document)
    if features is None:
        raise unreadable(f"{path.name}: not a GeoJSON FeatureCollection: export it as one")
    rows = [_properties(one) for one in features]
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    check_size(path.name, len(rows), len(columns))
    shapes = [_shape(one) for one in features]
    named = _crs(document)
    findings = [
        Finding(path.name, 0, f"row {number}", "is no GeoJSON Feature: left out")
        for number, one in enumerate(features, 1)
        if not isinstance(one, dict)
    ]
    how = f"GeoJSON, {found.name} ({found.why})"
    return Layer(columns, rows, as_array(shapes), named or crs.WGS_84, how, findings, assumed=not named)


def _features(document: object) -> list[object] | None:
    if not isinstance(document, dict):
        return None
    if document.get("type") == "Feature":
        return [document]
    features = document.get("features")
    return features if document.get("type") == "FeatureCollection" and isinstance(features, list) else None


def _properties(feature: object) -> dict[str, object]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    return properties if isinstance(properties, dict) else {}


def _shape(feature: object) -> object:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(geometry, dict):
        return None
    return shapely.from_geojson(orjson.dumps(geometry).decode(), on_invalid="ignore")


def _crs(document: dict[str, object]) -> str:
    """What the member `crs` of the older GeoJSON names; empty without."""
    member = document.get("crs")
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return crs.found(name) if isinstance(name, str) else ""
