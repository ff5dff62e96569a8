"""MapServer as the reference of the map benches: one FastCGI process over the same features, over its own socket."""

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pyogrio
import shapely

from maps.atlas import Atlas, Query
from maps.scope import Scope
from tests.maps.small_city import NOW

_BEGIN, _PARAMS, _STDIN, _STDOUT, _END = 1, 4, 5, 6, 3
_TICKS = os.sysconf("SC_CLK_TCK")
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


class MapServer:
    """One FastCGI process."""

    def __init__(self, path: Path, mapfile: Path, pid: int) -> None:
        self._path, self._mapfile, self._pid = path, mapfile, pid

    def get(self, **parameters: object) -> bytes:
        """The body of an answer."""
        query = urlencode({"map": str(self._mapfile), **{key: str(value) for key, value in parameters.items()}})
        answer = _asked(self._path, {"REQUEST_METHOD": "GET", "QUERY_STRING": query})
        return answer.partition(b"\r\n\r\n")[2]

    @property
    def cpu(self) -> float:
        """Seconds of CPU it has used."""
        fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


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
    program = found()
    if program is None:
        raise SystemExit("mapserv is not installed: make servers")
    with started(program, _MAP.format(folder=folder, classes=classes), folder) as server:
        yield server


def found() -> str | None:
    """The program, if it is installed."""
    return shutil.which("mapserv", path=f"{os.environ.get('PATH', '')}:/usr/lib/cgi-bin:/usr/bin")


@contextmanager
def started(program: str, text: str, folder: Path) -> Iterator[MapServer]:
    """MapServer with a map file of this text, in a folder of its own, for as long as this lasts."""
    mapfile, config = folder / "city.map", folder / "mapserver.conf"
    mapfile.write_text(text, encoding="utf-8")
    config.write_text('CONFIG\n ENV\n  "MS_MAP_PATTERN" "."\n END\nEND\n', encoding="ascii")
    path = folder / "fcgi"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        told = {key: value for key, value in os.environ.items() if key not in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA")}
        process = subprocess.Popen(
            [program], stdin=listener.fileno(), env=told | {"MAPSERVER_CONFIG_FILE": str(config)}
        )
        try:
            yield MapServer(path, mapfile, process.pid)
        finally:
            process.kill()
            process.wait()


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


def _asked(path: Path, parameters: Mapping[str, str]) -> bytes:
    """One request of FastCGI 1.0, on a connection of its own."""
    pairs = b"".join(_pair(key.encode(), value.encode()) for key, value in parameters.items())
    sent = _record(_BEGIN, struct.pack("!HB5x", 1, 0)) + _record(_PARAMS, pairs) + _record(_PARAMS, b"")
    out = bytearray()
    with socket.socket(socket.AF_UNIX) as line:
        until = time.monotonic() + 10
        while True:
            try:
                line.connect(str(path))
                break
            except OSError:
                if time.monotonic() > until:
                    raise
        line.sendall(sent + _record(_STDIN, b""))
        stream = line.makefile("rb")
        while head := stream.read(8):
            _, kind, _, length, padding = struct.unpack("!BBHHBx", head)
            body = stream.read(length)
            stream.read(padding)
            if kind == _STDOUT:
                out += body
            if kind == _END:
                break
    return bytes(out)


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BBHHBx", 1, kind, 1, len(body), 0) + body


def _pair(key: bytes, value: bytes) -> bytes:
    sizes = b"".join(
        struct.pack("!I", len(one) | 0x80000000) if len(one) > 127 else bytes([len(one)]) for one in (key, value)
    )
    return sizes + key + value
