"""Where the tiles of a registered service are kept."""

from pathlib import Path

from canonical.errors import Misconfigured
from connectors.ogc.pyramid import Pyramid, pyramid_of
from connectors.ogc.service import origin_of
from gateway.settings import Settings
from gateway.upstream.file import Cache, Registered
from gateway.upstream.tile_file import About, TileFile

FOLDER = "base-maps"


def folder_of(settings: Settings) -> Path:
    """Where base maps lie that do not say where."""
    return settings.data / FOLDER


def cache_of(registered: Registered) -> tuple[Cache, Pyramid]:
    """What is kept of it. Raises Misconfigured when nothing is."""
    pyramid = pyramid_of(registered.service.crs)
    if registered.cache is None or pyramid is None:
        raise Misconfigured(f"{registered.name} has no `cache` in upstream.yaml: nothing of it is kept")
    return registered.cache, pyramid


def path_of(registered: Registered, folder: Path) -> Path:
    """The file: MBTiles for web Mercator, a GeoPackage for degrees."""
    cache, pyramid = cache_of(registered)
    return cache.file or folder / f"{registered.name}.{'gpkg' if pyramid.degrees else 'mbtiles'}"


def opened(registered: Registered, folder: Path) -> TileFile:
    """The file, made when it is not there. Raises Misconfigured."""
    cache, pyramid = cache_of(registered)
    service = registered.service
    source = " ".join([origin_of(service.url)[1], *service.layers, service.style, service.matrix_set]).strip()
    about = About(registered.name, registered.title, registered.attribution, source, cache.zooms, cache.box)
    return TileFile(path_of(registered, folder), pyramid, about)
