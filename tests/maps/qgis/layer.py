"""What QGIS says of a vector layer: provider error, number of features, reference system, fields."""

from qgis.core import QgsErrorMessage, QgsVectorLayer


def answer(source: str, provider: str = "ogr") -> dict[str, object]:
    """`source`, `provider`: as QGIS wants them, such as a file and "ogr"."""
    layer = QgsVectorLayer(source, "layer", provider)
    # Not `summary`: of no error it is a fault of memory in 3.22.
    return {
        "valid": layer.isValid(),
        "error": layer.error().message(QgsErrorMessage.Text),
        "features": sum(1 for _ in layer.getFeatures()),
        "crs": layer.crs().authid(),
        "fields": [field.name() for field in layer.fields()],
    }
