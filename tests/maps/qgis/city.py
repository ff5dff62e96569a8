"""The city as QGIS shows it when all its services are opened: what each layer draws alone, and a map with a legend."""

import json
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsErrorMessage,
    QgsFillSymbol,
    QgsLayoutExporter,
    QgsLayoutItem,
    QgsLayoutItemLabel,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsLegendStyle,
    QgsMapLayer,
    QgsMapLayerLegendUtils,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsMarkerSymbol,
    QgsPrintLayout,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsRendererCategory,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
    QgsVectorTileBasicRenderer,
    QgsVectorTileBasicRendererStyle,
    QgsVectorTileLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QFont

FONT = "Noto Sans CJK SC"
KINDS = {
    "wms": lambda source, name: QgsRasterLayer(source, name, "wms"),
    "wfs": lambda source, name: QgsVectorLayer(source, name, "WFS"),
    "oapif": lambda source, name: QgsVectorLayer(source, name, "OAPIF"),
    "tiles": QgsVectorTileLayer,
}


def answer(told: str) -> dict[str, object]:
    """`told`: JSON with layers (kind, name, source, colours; the first lies on top), crs, box, size and picture."""
    asked = json.loads(told)
    project = QgsProject.instance()
    project.setCrs(QgsCoordinateReferenceSystem(asked["crs"]))
    found: dict[str, object] = {}
    layers: list[QgsMapLayer] = []
    for one in reversed(asked["layers"]):  # what is added last lies on top
        layer = KINDS[one["kind"]](one["source"], one["name"])
        said = {"valid": layer.isValid(), "error": layer.error().message(QgsErrorMessage.Text), "pixels": []}
        found[one["name"]] = said
        if layer.isValid():
            if "only" in one:
                layer.setSubsetString(one["only"])
            coloured(layer, one)
            said["pixels"] = pixels(layer, asked)
            layers.insert(0, project.addMapLayer(layer))
    printed(project, layers, asked)
    return found


def coloured(layer: QgsMapLayer, one: dict[str, Any]) -> None:
    """As a user would colour it: what is drawn here, not by the server."""
    if one["kind"] == "tiles":
        style = QgsVectorTileBasicRendererStyle("all", "", QgsWkbTypes.PolygonGeometry)
        style.setSymbol(outline(one["colours"][""]))
        renderer = QgsVectorTileBasicRenderer()
        renderer.setStyles([style])
        layer.setRenderer(renderer)
    elif one["kind"] == "oapif":
        layer.setRenderer(QgsSingleSymbolRenderer(outline(one["colours"][""])))
    elif one["kind"] == "wfs":
        parts = [
            QgsRendererCategory(value, QgsMarkerSymbol.createSimple({"color": colour, "size": "2.6"}), title)
            for value, title, colour in one["colours"]
        ]
        layer.setRenderer(QgsCategorizedSymbolRenderer(one["by"], parts))


def outline(colour: str) -> QgsFillSymbol:
    """No fill."""
    return QgsFillSymbol.createSimple({"style": "no", "outline_color": colour, "outline_width": "0.5"})


def pixels(layer: QgsMapLayer, asked: dict[str, Any]) -> list[str]:
    """The colours at the points asked about, of the layer alone on white."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setBackgroundColor(QColor("white"))
    settings.setDestinationCrs(QgsCoordinateReferenceSystem(asked["crs"]))
    settings.setOutputSize(QSize(*asked["size"]))
    settings.setExtent(QgsRectangle(*asked["box"]))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    picture = job.renderedImage()
    return [picture.pixelColor(column, row).name() for column, row in asked["points"]]


def printed(project: QgsProject, layers: list[QgsMapLayer], asked: dict[str, Any]) -> None:
    """The map with title and legend, as a PNG."""
    layout = QgsPrintLayout(project)
    layout.initializeDefaults()
    page = layout.pageCollection().pages()[0]
    page.setPageSize(QgsLayoutSize(210, 120))
    put(layout, label(layout, asked["title"]), 6, 4, 198, 10)
    map_ = QgsLayoutItemMap(layout)
    put(layout, map_, 66, 16, 138, 98)
    map_.setLayers(layers)
    map_.setExtent(QgsRectangle(*asked["box"]))
    map_.setFrameEnabled(True)
    legend = QgsLayoutItemLegend(layout)
    legend.setLinkedMap(map_)
    for style in (QgsLegendStyle.Title, QgsLegendStyle.Group, QgsLegendStyle.Subgroup, QgsLegendStyle.SymbolLabel):
        legend.rstyle(style).setFont(QFont(FONT, 9))
    legend.setAutoUpdateModel(False)
    for node in legend.model().rootGroup().findLayers():
        if isinstance(node.layer(), QgsRasterLayer):  # its picture comes later than this map is printed
            QgsMapLayerLegendUtils.setLegendNodeOrder(node, [])
            legend.model().refreshLayerLegend(node)
    put(layout, legend, 4, 18, 58, 90)
    settings = QgsLayoutExporter.ImageExportSettings()
    settings.dpi = 120
    QgsLayoutExporter(layout).exportToImage(asked["picture"], settings)


def label(layout: QgsPrintLayout, text: str) -> QgsLayoutItemLabel:
    """Words."""
    made = QgsLayoutItemLabel(layout)
    made.setText(text)
    made.setFont(QFont(FONT, 13))
    return made


def put(layout: QgsPrintLayout, item: QgsLayoutItem, x: float, y: float, wide: float, high: float) -> None:
    """At a place of the page, millimetres."""
    layout.addLayoutItem(item)
    item.attemptMove(QgsLayoutPoint(x, y))
    item.attemptResize(QgsLayoutSize(wide, high))
