"""A WMS layer as QGIS opens it: what it says of it, and the colour of a pixel of the picture that it draws."""

from qgis.core import QgsErrorMessage, QgsMapRendererSequentialJob, QgsMapSettings, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QSize


def answer(source: str, west: str, south: str, east: str, north: str, size: str) -> dict[str, object]:
    """`source`: as QGIS writes one; the box in the layer's CRS, x first; `size`: pixels of a side."""
    layer = QgsRasterLayer(source, "layer", "wms")
    if not layer.isValid():
        return {"valid": False, "error": layer.error().message(QgsErrorMessage.Text)}
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setOutputSize(QSize(int(size), int(size)))
    settings.setExtent(QgsRectangle(float(west), float(south), float(east), float(north)))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    picture = job.renderedImage()
    middle = picture.pixelColor(int(size) // 2, int(size) // 2)
    return {
        "valid": True,
        "crs": layer.crs().authid(),
        "middle": middle.name(),
        "corner": picture.pixelColor(3, 3).name(),
    }
