"""What QGIS reads of an OGC API - Features: every feature's place, those of a condition, and those in a box."""

from qgis.core import QgsErrorMessage, QgsFeatureRequest, QgsRectangle, QgsVectorLayer


def answer(source: str, name: str, condition: str, box: str) -> dict[str, object]:
    """`source`: of the provider OAPIF; `name`: the column that names a feature; `box`: west,south,east,north."""
    layer = QgsVectorLayer(source, "layer", "OAPIF")
    places = {one[name]: one.geometry().asPoint() for one in layer.getFeatures()}
    window = QgsFeatureRequest().setFilterRect(QgsRectangle(*map(float, box.split(","))))
    chosen = QgsFeatureRequest().setFilterExpression(condition)
    return {
        "valid": layer.isValid(),
        "error": layer.error().message(QgsErrorMessage.Text),
        "crs": layer.crs().authid(),
        "places": {key: [at.x(), at.y()] for key, at in places.items()},
        "chosen": [one[name] for one in layer.getFeatures(chosen)],
        "inside": [one[name] for one in layer.getFeatures(window)],
    }
