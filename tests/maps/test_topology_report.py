"""The report of a topology check: a page that opens by itself, and files for a GIS and for a spreadsheet."""

import base64
import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import pytest
import shapely
from lxml import etree, html
from PIL import Image

from maps.topology import TITLES, FlawKind, Topology, TopologyCell, check
from maps.topology.pictures import Artist
from maps.topology.report import write_report
from tests.maps.topology_city import area, cell, moved, square, squares

NOW = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)
SEVERE, LOOK, TINT, PAPER = (0xC4, 0x12, 0x2F), (0xF0, 0xA3, 0x0A), (0x56, 0xB4, 0xE9), (0xF7, 0xF6, 0xF2)
AREAS = [area("340202", 0, 4, 0, 3)]


def spoilt() -> list[TopologyCell]:
    """Twelve cells: one moved by a third, one gone, one broken, one called by a tag and one by a formula."""
    cells = moved(squares(4, 3), 5, 0.003)
    bow = shapely.Polygon([(118.30, 31.30), (118.31, 31.31), (118.31, 31.30), (118.30, 31.31)])
    cells[0] = replace(cells[0], geometry=bow)
    cells[3] = replace(cells[3], name="<script>alert(1)</script>")
    cells[4] = replace(cells[4], code="=1+1")
    return cells[:-1]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Topology]:
    cells, folder = spoilt(), tmp_path_factory.mktemp("report") / "new"
    found = check(cells, areas=AREAS)
    return write_report(found, folder, cells=cells, areas=AREAS, title="单元网格 <base>", now=NOW).parent, found


def pictures(page: str) -> list[Image.Image]:
    """All of them, opened."""
    return [
        Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        for data in re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    ]


def test_the_page_stands_alone_and_names_every_kind_in_both_languages(report: tuple[Path, Topology]) -> None:
    folder, found = report
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = list(html.fromstring(text.encode()).iter(etree.Element))

    assert not {str(one.tag) for one in page} & {"script", "link", "iframe"}
    assert all(str(one.get("src")).startswith("data:image/png") for one in page if one.get("src") is not None)
    links = {str(one.get("href")) for one in page if one.get("href") is not None}
    assert {one for one in links if not one.startswith("#")} == {"flaws.geojson", "flaws.csv"}
    assert {one.get("id") for one in page if one.tag == "h2"} - {None} == {kind.value for kind in found.counts}
    assert {FlawKind.OVERLAP, FlawKind.GAP, FlawKind.INVALID, FlawKind.CODE_FORM} <= set(found.counts)
    for kind in found.counts:
        assert TITLES[kind].chinese in text
        assert TITLES[kind].english in text
    assert "单元网格 &lt;base&gt;" in text
    assert f"{found.severe} severe flaws" in text


def test_the_pictures_show_the_flaws_where_they_are(report: tuple[Path, Topology]) -> None:
    folder, found = report
    overview, *close_ups = pictures((folder / "report.html").read_text(encoding="utf-8"))
    red = np.abs(np.asarray(overview).astype(int) - SEVERE).max(axis=2) < 40
    rows, columns = np.nonzero(red)
    gap = next(one for one in found.flaws if one.kind is FlawKind.GAP)

    assert len(close_ups) >= 4
    assert all(max(one.size) == 480 or one.size[1] == 340 for one in close_ups)
    assert all((np.asarray(one) != 255).any() for one in close_ups)
    assert gap.shape is not None
    assert columns.max() / overview.width > 0.8  # the cell that is gone is the last to the east
    assert rows.min() / overview.height < 0.2


def test_the_files_hold_what_the_page_lists(report: tuple[Path, Topology]) -> None:
    folder, found = report
    features = orjson.loads((folder / "flaws.geojson").read_bytes())["features"]
    with (folder / "flaws.csv").open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))

    assert [one["properties"]["kind"] for one in features] == [one["kind"] for one in rows]
    assert [one["kind"] for one in rows] == [flaw.kind.value for flaw in found.flaws]
    for feature, row in zip(features, rows, strict=True):
        if feature["geometry"]:
            shape = shapely.from_geojson(orjson.dumps(feature["geometry"]).decode())
            assert shapely.distance(shape, shapely.Point(float(row["lon"]), float(row["lat"]))) < 1e-6
    assert any(row["codes"].startswith("'=") for row in rows)
    assert not any(value.startswith("=") for row in rows for value in row.values())


def test_a_set_without_flaws_and_an_empty_one_have_a_report(tmp_path: Path) -> None:
    cells = [replace(one, name=f"第{at + 1}网格") for at, one in enumerate(squares(2))]
    for name, given in (("clean", cells), ("empty", [])):
        found = check(given, areas=[area("340202", 0, 2)] if given else ())
        page = write_report(found, tmp_path / name, cells=given, title=name, now=NOW).read_text(encoding="utf-8")
        assert "no severe flaw" in page
        assert len(pictures(page)) == 1


def test_shapes_that_no_map_can_show_are_told_in_words(tmp_path: Path) -> None:
    cells = [*squares(2), *[replace(squares(3)[2], geometry=square(9e5))]]

    page = write_report(check(cells), tmp_path, cells=cells, title="far", now=NOW).read_text(encoding="utf-8")

    assert "coordinates are not degrees" in page


def drawn(png: bytes) -> np.ndarray:
    """The pixels."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(pixels: np.ndarray, colour: tuple[int, int, int], apart: int = 40) -> int:
    """How many pixels are about of this colour."""
    return int((np.abs(pixels - colour).sum(axis=2) < apart).sum())


def test_the_overview_shows_a_gap_where_it_is() -> None:
    cells = [one for one in squares(4, 3) if not one.code.endswith("010")]
    pixels = drawn(Artist(cells, AREAS).overview(check(cells, areas=AREAS)))
    [gap] = [one.shape for one in check(cells, areas=AREAS).flaws if one.kind is FlawKind.GAP]
    west, south, east, north = shapely.total_bounds(np.array([one.geometry for one in squares(4, 3)], object))
    x, y = shapely.get_coordinates(gap.centroid)[0] if gap else (0, 0)
    rows, columns = np.nonzero(np.abs(pixels - SEVERE).sum(axis=2) < 40)

    margin = 0.04 * (east - west)  # of the longer side, on each
    assert columns.mean() / pixels.shape[1] == pytest.approx((x - west + margin) / (east - west + 2 * margin), abs=0.01)
    assert rows.mean() / pixels.shape[0] == pytest.approx((north - y + margin) / (north - south + 2 * margin), abs=0.01)


def test_a_close_up_shows_the_flaw_and_tints_the_cells_concerned() -> None:
    artist = Artist(spoilt(), AREAS)
    found = check(spoilt(), areas=AREAS)
    overlap = next(one for one in found.flaws if one.kind is FlawKind.OVERLAP)
    pixels = drawn(artist.close_up(overlap))
    other = drawn(artist.close_up(replace(overlap, codes=())))

    tint = tuple(round(0.35 * blue + 0.65 * paper) for blue, paper in zip(TINT, PAPER, strict=True))
    assert near(pixels, SEVERE) > 100  # its edge
    assert near(pixels, tint, 12) > 20_000  # type: ignore[arg-type]
    assert near(other, tint, 12) == 0  # type: ignore[arg-type]


def test_a_sliver_of_centimetres_is_seen() -> None:
    cells = [cell(1, square(0)), cell(2, square(1 - 1e-5))]
    [flaw] = check(cells).flaws
    pixels = drawn(Artist(cells).close_up(flaw))

    assert flaw.kind is FlawKind.SLIVER_OVERLAP
    assert near(pixels, LOOK, 60) > 100
