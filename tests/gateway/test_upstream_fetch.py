"""A base map is fetched ahead: politely, again from where it stopped, no further than it may grow; GDAL opens it."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from canonical.errors import Misconfigured
from connectors.ogc.asking import Failed, Trouble
from connectors.ogc.pyramid import DEGREES, MERCATOR
from gateway.cli.main import app
from gateway.upstream.fetch import Ending, Fetch, Progress
from gateway.upstream.file import Registered
from gateway.upstream.keeping import opened
from tests.connectors.ogc_place import TOKEN, Place, colour, seen, tianditu, upstream, wms
from tests.gateway.upstream_city import BOX, NAMED, folder, one
from tests.gateway.upstream_city import wms as wms_entry
from tests.gateway.upstream_city import wmts as wmts_entry
from tests.maps.clients import gdal

NOON = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
CACHE = {"zooms": [5, 10], "box": BOX, "rate": 1000, "concurrency": 4}


@pytest.fixture
def place() -> Iterator[Place]:
    with upstream(Place(tianditu(), token=TOKEN)) as running:
        yield running


def _fetched(registered: Registered, at: Path, *, now: datetime = NOON, zooms: range | None = None) -> Progress:
    assert registered.cache is not None
    with opened(registered, at) as file:
        fetch = Fetch(
            registered, file, zooms=zooms or registered.cache.zooms, box=registered.cache.box, now=lambda: now
        )
        return asyncio.run(fetch.run())


def _entry(place: Place, *, cache: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return wmts_entry(place, cache=CACHE | (cache or {}), **more)


@pytest.mark.parametrize(("crs", "matrix_set"), [("EPSG:3857", "w"), ("EPSG:4490", "c")])
def test_every_tile_of_the_box_is_fetched_once_and_is_the_right_one(
    tmp_path: Path, place: Place, crs: str, matrix_set: str
) -> None:
    registered = one(tmp_path, _entry(place, crs=crs, matrix_set=matrix_set))
    pyramid = MERCATOR if crs == "EPSG:3857" else DEGREES
    made = _fetched(registered, tmp_path)
    assert registered.cache is not None
    wanted = list(pyramid.tiles(registered.cache.zooms, registered.cache.box))

    assert (made.ending, made.fetched, made.wanted) == (Ending.DONE, len(wanted), len(wanted))
    assert len(place.paths("gettile")) == len(wanted)
    with opened(registered, tmp_path) as file:
        for tile in wanted:
            kept = file.get(tile)
            assert kept is not None
            assert seen(kept.body) == colour(*tile)


def test_tiles_are_asked_for_by_path_where_a_template_says_so(tmp_path: Path, place: Place) -> None:
    template = f"{place.url.removesuffix('/maps')}/rest/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.png"
    made = _fetched(one(tmp_path, _entry(place, template=template)), tmp_path)

    assert made.fetched == made.wanted
    assert {path for path, query, _ in place.asked if "request" not in query} == {
        f"/rest/{z}/{y}/{x}.png" for z, x, y in MERCATOR.tiles(range(5, 11), (118.2, 31.2, 118.6, 31.5))
    }
    assert all(query["tk"] == TOKEN for _, query, _ in place.asked)


def test_a_wms_is_kept_as_tiles(tmp_path: Path) -> None:
    with upstream(Place(wms("roads"))) as place:
        made = _fetched(one(tmp_path, wms_entry(place, cache=CACHE)), tmp_path)

        assert made.fetched == made.wanted > 0
        sizes = {(query["width"], query["height"]) for query in place.paths("getmap")}
        assert sizes == {("256", "256")}


def test_what_is_there_is_not_asked_for_again_until_it_is_old(tmp_path: Path, place: Place) -> None:
    registered = one(tmp_path, _entry(place, cache={"age": "1d"}))
    first = _fetched(registered, tmp_path)
    second = _fetched(registered, tmp_path, now=NOON + timedelta(hours=23))
    third = _fetched(registered, tmp_path, now=NOON + timedelta(hours=25))

    assert (second.had, second.fetched) == (first.fetched, 0)
    assert (third.had, third.fetched) == (0, first.fetched)


def test_no_more_are_on_their_way_than_is_declared(tmp_path: Path, place: Place) -> None:
    place.pause = 0.02
    _fetched(one(tmp_path, _entry(place, cache={"concurrency": 2, "zooms": [9, 11]})), tmp_path)

    assert place.most_at_once == 2


def test_it_stops_at_its_megabytes(tmp_path: Path, place: Place) -> None:
    place.ballast = 20_000
    registered = one(tmp_path, _entry(place, cache={"megabytes": 1, "zooms": [5, 13]}))
    made = _fetched(registered, tmp_path)

    assert made.ending is Ending.FULL
    assert 0 < made.fetched < made.wanted
    with opened(registered, tmp_path) as file:
        assert file.size < 1_300_000
    assert _fetched(registered, tmp_path).fetched == 0


def test_an_expired_token_ends_it_at_once(tmp_path: Path, place: Place) -> None:
    place.fault, place.faulty = "json", frozenset({"gettile"})
    made = _fetched(one(tmp_path, _entry(place)), tmp_path)

    assert made.ending is Ending.TROUBLE
    assert len(place.paths("gettile")) <= 4
    assert TOKEN not in made.why


def test_one_that_cannot_begin_says_why(tmp_path: Path, place: Place) -> None:
    place.token = "another"
    with pytest.raises(Failed) as caught:
        _fetched(one(tmp_path, _entry(place)), tmp_path)

    assert caught.value.trouble is Trouble.TOKEN


def test_levels_that_the_service_has_not_are_counted_and_not_asked_for(tmp_path: Path, place: Place) -> None:
    place.capabilities = tianditu(range(1, 9))
    made = _fetched(one(tmp_path, _entry(place)), tmp_path)

    assert made.absent == MERCATOR.count(range(9, 11), (118.2, 31.2, 118.6, 31.5))
    assert {int(query["tilematrix"]) for query in place.paths("gettile")} == set(range(5, 9))


# --- the file ---


def test_a_file_of_another_source_is_not_written_into(tmp_path: Path, place: Place) -> None:
    _fetched(one(tmp_path, _entry(place)), tmp_path)

    with pytest.raises(Misconfigured, match="another source"):
        opened(one(tmp_path, _entry(place, style="dark")), tmp_path)


@pytest.mark.parametrize("content", [b"no database at all" * 100, None], ids=["no database", "another's"])
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, place: Place, content: bytes | None) -> None:
    path = tmp_path / "base.mbtiles"
    if content is None:
        with sqlite3.connect(path) as made:
            made.execute("CREATE TABLE tiles (a)")
        made.close()
        content = path.read_bytes()
    else:
        path.write_bytes(content)

    with pytest.raises(Misconfigured, match="move it away"):
        opened(one(tmp_path, _entry(place)), tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("crs", "matrix_set", "name", "driver"),
    [("EPSG:3857", "w", "base.mbtiles", "MBTiles"), ("EPSG:4490", "c", "base.gpkg", "GPKG")],
)
def test_gdal_opens_it_with_its_crs_and_finds_the_city_where_it_lies(
    tmp_path: Path, place: Place, crs: str, matrix_set: str, name: str, driver: str
) -> None:
    _fetched(one(tmp_path, _entry(place, crs=crs, matrix_set=matrix_set)), tmp_path)
    shown = json.loads(gdal("gdalinfo", "-json", tmp_path / name))
    pyramid = MERCATOR if driver == "MBTiles" else DEGREES
    middle = (118.4, 31.35, 118.4, 31.35)
    columns, rows = pyramid.columns_and_rows(10, middle)

    assert shown["driverShortName"] == driver
    assert ("4490" if driver == "GPKG" else "3857") in shown["coordinateSystem"]["wkt"]
    said = gdal("gdallocationinfo", "-valonly", "-wgs84", tmp_path / name, "118.4", "31.35").split()
    assert tuple(int(value) for value in said[:3]) == colour(10, columns[0], rows[0])


# --- at the command line ---


def _run(at: Path, *words: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["upstream", "fetch", "base", *words, "--config", str(at)],
                               env=NAMED | {"GRIDHUB_DATA": str(at / "data")})  # fmt: skip
    return ended.exit_code, ended.stdout


def test_a_dry_run_counts_and_asks_nothing(tmp_path: Path, place: Place) -> None:
    at = folder(tmp_path, {"base": _entry(place)})
    code, shown = _run(at, "--dry-run", "--json", "--zooms", "5-6")

    view = json.loads(shown)
    assert (code, view["tiles"], set(view["by_zoom"])) == (0, 2, {"5", "6"})
    assert place.asked == []
    assert not (at / "data").exists()


def test_the_command_fetches_and_says_what_it_did(tmp_path: Path, place: Place) -> None:
    at = folder(tmp_path, {"base": _entry(place)})
    code, shown = _run(at, "--box", "118.3,31.3,118.4,31.4", "--json")

    view = json.loads(shown)
    assert (code, view["ending"], view["failed"]) == (0, "done", 0)
    assert Path(view["file"]).is_file()
    assert _run(at, "--json")[0] == 0
    place.token = "another"
    code, shown = _run(at, "--zooms", "5")
    assert code == 1
    assert TOKEN not in shown


@pytest.mark.parametrize("words", [("--zooms", "5-20"), ("--zooms", "x"), ("--box", "1,2"), ("--box", "0,0,1,1")])
def test_what_is_not_served_is_not_fetched(tmp_path: Path, place: Place, words: tuple[str, str]) -> None:
    assert _run(folder(tmp_path, {"base": _entry(place)}), *words)[0] == 2


def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path, place: Place) -> None:
    place.pause = 0.01
    entry = _entry(place, cache={"zooms": [5, 14], "concurrency": 4})
    at = folder(tmp_path, {"base": entry})
    command = [sys.executable, "-c", "from gateway.cli import main; main()", "upstream", "fetch", "base", "--json"]
    environment = NAMED | {"GRIDHUB_DATA": str(at / "data"), "GRIDHUB_CONFIG": str(at), "PATH": "/usr/bin:/bin"}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    until = time.monotonic() + 60
    while len(place.paths("gettile")) < 120:
        assert time.monotonic() < until, "it did not begin"
        assert running.poll() is None, "it ended by itself"
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    place.pause = 0

    code, shown = _run(at, "--json")

    view = json.loads(shown)
    assert (code, view["ending"]) == (0, "done")
    assert view["had"] >= 64
    assert view["had"] + view["fetched"] == view["wanted"]
