"""Tiles in one SQLite file that any GIS opens: MBTiles for web Mercator, a GeoPackage for degrees.

Both keep tiles in a table `tiles` with the same columns; MBTiles counts rows from the south. When each was fetched
stands in a table beside it. Safe between threads and processes; whoever is killed leaves a whole file. A file that may
only be read is: the map processes of a deployment look, and a command fetches.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pyproj import CRS

from canonical.errors import Misconfigured, Unavailable
from connectors.ogc.asking import picture_type
from connectors.ogc.capabilities import Box
from connectors.ogc.pyramid import TILE, Pyramid, Tile

_BUSY = 10.0
"""Seconds to wait for another process that writes."""
_KIND = 0xFF
"""The part of SQLite's error code that its documents name; the rest is detail."""
_MBTILES, _GPKG = 0x4D504258, 0x47504B47
_OURS = """
CREATE TABLE gridhub_tile (zoom_level INTEGER NOT NULL, tile_column INTEGER NOT NULL, tile_row INTEGER NOT NULL,
    fetched_at INTEGER NOT NULL, PRIMARY KEY (zoom_level, tile_column, tile_row)) WITHOUT ROWID;
CREATE TABLE gridhub_source (source TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself."""

    name: str
    title: str
    attribution: str
    source: str
    """What the tiles are of: host, layers, style. A file of another source is not written into."""
    zooms: range
    box: Box


@dataclass(frozen=True, slots=True)
class Kept:
    """A tile of the file."""

    body: bytes
    fetched_at: datetime


class TileFile:
    """One file. Raises Misconfigured when it is none of ours, or holds another source's tiles."""

    def __init__(self, path: Path, pyramid: Pyramid, about: About) -> None:
        self.path, self.pyramid = path, pyramid
        self._lock = threading.Lock()
        self.writable = True
        """False: tiles can be had, and none be put."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_BUSY, check_same_thread=False, isolation_level=None)
            with self._told():
                self._connection.execute("PRAGMA synchronous = NORMAL")
                try:
                    self._prepare(about)
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & _KIND != sqlite3.SQLITE_READONLY:
                        raise
                    self.writable = False
                    self._known_as(about)
        except (OSError, sqlite3.Error) as error:
            raise Misconfigured(f"{path} cannot be opened: {error}") from None
        except Unavailable as error:
            if isinstance(error.__cause__, sqlite3.OperationalError):
                raise
            raise Misconfigured(f"{path} is no file of tiles: move it away") from None

    def close(self) -> None:
        """Give it back. Harmless twice."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        """The file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.close()

    def get(self, tile: Tile) -> Kept | None:
        """A tile, however old. Raises Unavailable when the file cannot be read just now."""
        with self._told():
            row = self._connection.execute(_GET, self._named(tile)).fetchone()
        return Kept(bytes(row[0]), datetime.fromtimestamp(row[1] or 0, UTC)) if row else None

    def put(self, tiles: Iterable[tuple[Tile, bytes]], *, now: datetime) -> None:
        """Keep these, all or none. Raises Unavailable when the file cannot be written just now."""
        rows = [(self._named(tile), body) for tile, body in tiles]
        at = int(now.timestamp())
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(_PUT, [named | {"body": body} for named, body in rows])
                self._connection.executemany(_MARK, [named | {"at": at} for named, _ in rows])
                if rows and not self.pyramid.degrees:
                    self._connection.execute(_FORMAT, ("jpg" if picture_type(rows[0][1]) == "image/jpeg" else "png",))
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def fresh(self, zoom: int, column: int, since: datetime) -> frozenset[int]:
        """The rows of a column, from the north, whose tiles were fetched since."""
        values = {"zoom": zoom, "column": column, "since": int(since.timestamp())}
        with self._told():
            rows = self._connection.execute(_FRESH, values).fetchall()
        return frozenset(self._row(zoom, row) for (row,) in rows)

    def counts(self) -> Mapping[int, int]:
        """Tiles by level."""
        with self._told():
            return dict(self._connection.execute(_COUNTS).fetchall())

    @property
    def size(self) -> int:
        """Bytes."""
        with self._told():
            [pages], [page] = (self._connection.execute(f"PRAGMA {name}").fetchone() for name in _SIZE)
        return int(pages) * int(page)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """One at a time; SQLite's errors become ours."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise Unavailable(f"{self.path.name}: {error}") from error

    def _named(self, tile: Tile) -> dict[str, object]:
        zoom, column, row = tile
        return {"zoom": zoom, "column": column, "row": self._row(zoom, row)}

    def _row(self, zoom: int, row: int) -> int:
        """From the north to the file's own count, and back."""
        return row if self.pyramid.degrees else self.pyramid.size(zoom)[1] - 1 - row

    def _prepare(self, about: About) -> None:
        write = self._connection.execute
        write("BEGIN IMMEDIATE")
        known = write("SELECT name FROM sqlite_master WHERE name IN ('tiles', 'gridhub_source')").fetchall()
        if not known:
            for statement in (*_statements(_GEOPACKAGE if self.pyramid.degrees else _MB), *_statements(_OURS)):
                write(statement)
            write("INSERT INTO gridhub_source VALUES (?)", (about.source,))
        elif len(known) == 1:
            write("ROLLBACK")
            raise Misconfigured(f"{self.path} was not made by gridhub: move it away")
        try:
            self._known_as(about)
        except Misconfigured:
            write("ROLLBACK")
            raise
        for statement, values in self._about(about):
            write(statement, values)
        write("COMMIT")

    def _known_as(self, about: About) -> None:
        [source] = self._connection.execute("SELECT source FROM gridhub_source").fetchone()
        if source != about.source:
            raise Misconfigured(f"{self.path} holds tiles of another source ({source}): move it away")

    def _about(self, about: About) -> Iterator[tuple[str, Sequence[object]]]:
        """What people and programs read of the whole; said anew each time, for levels and names may have changed."""
        if not self.pyramid.degrees:
            box, zooms = ",".join(f"{value:.6f}" for value in about.box), about.zooms
            told = {
                "name": about.title or about.name, "type": "baselayer", "version": "1", "bounds": box,
                "attribution": about.attribution, "minzoom": str(zooms.start), "maxzoom": str(zooms.stop - 1),
            }  # fmt: skip
            yield "INSERT OR IGNORE INTO metadata (name, value) VALUES ('format', 'png')", ()
            yield from (("INSERT OR REPLACE INTO metadata (name, value) VALUES (?, ?)", pair) for pair in told.items())
            return
        for srs, name, organization, code, wkt in _systems():
            yield _SRS, (name, srs, organization, code, wkt)
        yield _CONTENTS, (about.title or about.name, about.attribution, *about.box)
        yield _MATRIX_SET, ()
        for zoom in about.zooms:
            across, down = self.pyramid.size(zoom)
            side = self.pyramid.resolution(zoom)
            yield _MATRIX, (zoom, across, down, TILE, TILE, side, side)


def _statements(script: str) -> Iterator[str]:
    return (one.strip() for one in script.split(";") if one.strip())


def _systems() -> Iterator[tuple[int, str, str, int, str]]:
    yield -1, "Undefined Cartesian SRS", "NONE", -1, "undefined"
    yield 0, "Undefined geographic SRS", "NONE", 0, "undefined"
    for code in (4326, 4490):
        crs = CRS.from_epsg(code)
        yield code, crs.name, "EPSG", code, crs.to_wkt("WKT1_GDAL")


_SIZE = ("page_count", "page_size")
_KEY = "zoom_level = :zoom AND tile_column = :column AND tile_row = :row"
_GET = f"""
SELECT t.tile_data, (SELECT fetched_at FROM gridhub_tile WHERE {_KEY}) FROM tiles t WHERE {_KEY}
"""  # noqa: S608
_PUT = """
INSERT INTO tiles (zoom_level, tile_column, tile_row, tile_data) VALUES (:zoom, :column, :row, :body)
ON CONFLICT (zoom_level, tile_column, tile_row) DO UPDATE SET tile_data = excluded.tile_data
"""
_MARK = """
INSERT INTO gridhub_tile (zoom_level, tile_column, tile_row, fetched_at) VALUES (:zoom, :column, :row, :at)
ON CONFLICT (zoom_level, tile_column, tile_row) DO UPDATE SET fetched_at = excluded.fetched_at
"""
_FRESH = "SELECT tile_row FROM gridhub_tile WHERE zoom_level = :zoom AND tile_column = :column AND fetched_at >= :since"
_FORMAT = "UPDATE metadata SET value = ? WHERE name = 'format'"
_COUNTS = "SELECT zoom_level, count(*) FROM tiles GROUP BY 1 ORDER BY 1"
_MB = f"""
PRAGMA application_id = {_MBTILES};
CREATE TABLE metadata (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB,
    UNIQUE (zoom_level, tile_column, tile_row))
"""  # MBTiles 1.3
_GEOPACKAGE = f"""
PRAGMA application_id = {_GPKG};
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
    description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
    CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_tile_matrix_set (table_name TEXT NOT NULL PRIMARY KEY, srs_id INTEGER NOT NULL,
    min_x DOUBLE NOT NULL, min_y DOUBLE NOT NULL, max_x DOUBLE NOT NULL, max_y DOUBLE NOT NULL,
    CONSTRAINT fk_gtms_table_name FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
    CONSTRAINT fk_gtms_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_tile_matrix (table_name TEXT NOT NULL, zoom_level INTEGER NOT NULL, matrix_width INTEGER NOT NULL,
    matrix_height INTEGER NOT NULL, tile_width INTEGER NOT NULL, tile_height INTEGER NOT NULL,
    pixel_x_size DOUBLE NOT NULL, pixel_y_size DOUBLE NOT NULL,
    CONSTRAINT pk_ttm PRIMARY KEY (table_name, zoom_level),
    CONSTRAINT fk_tmm_table_name FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name));
CREATE TABLE tiles (id INTEGER PRIMARY KEY AUTOINCREMENT, zoom_level INTEGER NOT NULL, tile_column INTEGER NOT NULL,
    tile_row INTEGER NOT NULL, tile_data BLOB NOT NULL, UNIQUE (zoom_level, tile_column, tile_row))
"""  # GeoPackage 1.3, 1.1.1-1.1.3 and 2.2
_SRS = "INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)"
_CONTENTS = """
INSERT OR REPLACE INTO gpkg_contents
    (table_name, data_type, identifier, description, min_x, min_y, max_x, max_y, srs_id)
VALUES ('tiles', 'tiles', ?, ?, ?, ?, ?, ?, 4490)
"""
_MATRIX_SET = "INSERT OR IGNORE INTO gpkg_tile_matrix_set VALUES ('tiles', 4490, -180, -90, 180, 90)"
_MATRIX = "INSERT OR IGNORE INTO gpkg_tile_matrix VALUES ('tiles', ?, ?, ?, ?, ?, ?, ?)"
