"""Coordinates of every declared CRS against published points."""

import csv
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from canonical.coordinates import (
    STANDARD,
    Converted,
    NotConverted,
    from_bd09,
    from_gcj02,
    hypotheses,
    known_crs,
    to_bd09,
    to_cgcs2000,
    to_gcj02,
)
from canonical.place import Coordinate
from canonical.shifted import from_bd09mc, to_bd09mc

METRES = 111_320
lons_of_china, lats_of_china = st.floats(73.6, 135.0), st.floats(3.5, 53.5)
"""A degree of latitude."""
PAIRS = Path(__file__).parents[2].parent / "shared" / "data" / "address" / "coord_pairs.csv"
WUHU = (118.376, 31.326)


def distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two points that lie close together."""
    east = (a[0] - b[0]) * math.cos(math.radians(a[1]))
    return math.hypot(east, a[1] - b[1]) * METRES


def converted(crs: str, x: float, y: float) -> Converted:
    [answer] = to_cgcs2000([Coordinate(x=x, y=y, crs=crs)])
    assert isinstance(answer, Converted), answer
    return answer


def flag(crs: str, x: float, y: float) -> str:
    [answer] = to_cgcs2000([Coordinate(x=x, y=y, crs=crs)])
    assert isinstance(answer, NotConverted), answer
    return answer.flag


@pytest.mark.parametrize(
    ("crs", "x", "y", "metres"),
    [
        ("EPSG:4490", 118.376, 31.326, 0),
        ("EPSG:4326", 118.376, 31.326, 0),
        ("EPSG:4548", 630970.51, 3467936.43, 0.01),
        ("EPSG:4527", 39630970.51, 3467936.43, 0.01),
        ("EPSG:4549", 345421.64, 3468257.83, 0.01),
        ("GCJ-02", 118.381404, 31.324145, 0.06),
        ("BD-09", 118.388002, 31.329792, 0.06),
    ],
)
def test_the_centre_of_wuhu_is_found_from_every_crs(crs: str, x: float, y: float, metres: float) -> None:
    answer = converted(crs, x, y)

    assert distance((answer.lon, answer.lat), WUHU) <= metres
    assert crs in answer.conversion


def test_web_mercator_is_read_as_wgs_84() -> None:
    answer = converted("EPSG:3857", 12407916.671, 3153754.648)

    assert distance((answer.lon, answer.lat), (111.4622119, 27.242124)) < 0.01


@pytest.mark.parametrize("code", range(4491, 4555))
def test_every_gauss_kruger_zone_has_its_meridian_in_the_middle(code: int) -> None:
    operation = CRS(code).coordinate_operation
    assert operation is not None
    values = {parameter.name: parameter.value for parameter in operation.params}

    answer = converted(f"EPSG:{code}", float(values["False easting"]), 3_400_000)

    assert answer.lon == pytest.approx(values["Longitude of natural origin"], abs=1e-9)
    assert 30.5 < answer.lat < 31


@pytest.mark.parametrize(
    ("crs", "x", "y", "expected"),
    [
        ("GCJ-02", 0, 0, "zero_coordinate"),
        ("EPSG:4548", 0, 0, "zero_coordinate"),
        ("EPSG:4490", 31.3, 118.3, "outside_crs"),
        ("EPSG:4326", 31.3, 118.3, "outside_crs"),
        ("GCJ-02", 31.3, 118.3, "outside_crs"),
        ("GCJ-02", 1e300, 31.3, "outside_crs"),
        ("BD-09", 630970.51, 3467936.43, "outside_crs"),
        ("EPSG:4548", 3467936.43, 630970.51, "outside_crs"),
        ("EPSG:4548", 39630970.51, 3467936.43, "outside_crs"),
        ("EPSG:4548", 118.376, 31.326, "outside_crs"),
        ("EPSG:4527", 630970.51, 3467936.43, "outside_crs"),
        ("EPSG:3857", 3e7, 3675000, "outside_crs"),
        ("EPSG:3857", -3e7, 3675000, "outside_crs"),
        ("EPSG:3857", 13177556, -3e7, "outside_crs"),
        ("EPSG:4548", 2e6, 3467936.43, "outside_crs"),
        ("EPSG:4479", 118.3, 31.3, "unknown_crs"),
        ("gcj02", 118.3, 31.3, "unknown_crs"),
        ("", 118.3, 31.3, "unknown_crs"),
    ],
)
def test_what_cannot_be_a_position_of_its_crs_is_flagged(crs: str, x: float, y: float, expected: str) -> None:
    assert flag(crs, x, y) == expected


@pytest.mark.parametrize(
    "text", ["GCJ-02", "BD-09", "BD-09MC", "EPSG:4490", "EPSG:4326", "EPSG:3857", "EPSG:4491", "EPSG:4554"]
)
def test_a_crs_of_the_field_can_be_declared(text: str) -> None:
    assert known_crs(text)


@pytest.mark.parametrize(
    "text", ["", "EPSG:4479", "EPSG:4555", "EPSG:", "EPSG:４５４８", "4490", "WGS84", "LOCAL:wuhu"]
)
def test_another_crs_cannot_be_declared(text: str) -> None:
    assert not known_crs(text)


def test_a_mixed_batch_is_answered_in_order() -> None:
    points: list[tuple[str, float, float]] = [
        ("BD-09", *to_bd09(*WUHU)),
        ("EPSG:9", 1, 1),
        ("EPSG:4548", 630970.51, 3467936.43),
        ("GCJ-02", 0, 0),
    ]
    points += [("EPSG:4490", 118 + n / 100, 31.0) for n in range(3)]

    answers = to_cgcs2000([Coordinate(x=x, y=y, crs=crs) for crs, x, y in points])

    words = [a.conversion if isinstance(a, Converted) else a.flag for a in answers]
    assert words[:4] == ["BD-09 inverse", "unknown_crs", "EPSG:4548 -> EPSG:4490", "zero_coordinate"]
    assert [a.lon for a in answers[4:] if isinstance(a, Converted)] == [118.0, 118.01, 118.02]
    assert to_cgcs2000([]) == []


def test_threads_get_the_same_answer() -> None:
    coordinate = Coordinate(x=39630970.51, y=3467936.43, crs="EPSG:4527")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: to_cgcs2000([coordinate])[0], range(64)))

    assert len(set(answers)) == 1


@pytest.mark.skipif(not PAIRS.exists(), reason="the reference pairs are not beside this checkout")
def test_390_places_agree_with_the_published_pairs() -> None:
    rows = list(csv.DictReader(PAIRS.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 390
    for row in rows:
        wgs, gcj, bd = ((float(row[f"{name}_lon"]), float(row[f"{name}_lat"])) for name in ("wgs84", "gcj02", "bd09"))
        assert distance(to_gcj02(*wgs), gcj) < 0.75
        assert distance(from_gcj02(*gcj), wgs) < 0.75
        assert distance(to_gcj02(*from_bd09(*bd)), gcj) < 0.02


@pytest.mark.skipif(not PAIRS.exists(), reason="the reference pairs are not beside this checkout")
@pytest.mark.parametrize(
    ("crs", "x", "y", "metres"),
    [
        ("EPSG:4326", "wgs84_lon", "wgs84_lat", 0),
        ("GCJ-02", "gcj02_lon", "gcj02_lat", 0.75),
        ("BD-09", "bd09_lon", "bd09_lat", 0.75),
        ("BD-09MC", "bd09mc_x", "bd09mc_y", 0.75),
        ("EPSG:3857", "epsg3857_x", "epsg3857_y", 0.01),
    ],
)
def test_390_places_lie_within_the_stated_error_of_every_crs(crs: str, x: str, y: str, metres: float) -> None:
    rows = list(csv.DictReader(PAIRS.read_text(encoding="utf-8").splitlines()))
    xs, ys = (np.array([float(row[name]) for row in rows]) for name in (x, y))

    lons, lats = STANDARD.degrees(crs, xs, ys)

    off = [
        distance(found, (float(row["wgs84_lon"]), float(row["wgs84_lat"])))
        for found, row in zip(zip(lons, lats, strict=True), rows, strict=True)
    ]
    assert max(off) <= metres <= max(STANDARD.error(crs), 0.01)


def test_one_by_one_and_together_are_the_same() -> None:
    lons, lats = np.linspace(74.0, 134.0, 200), np.linspace(4.0, 53.0, 200)
    for crs in ("GCJ-02", "BD-09", "EPSG:4490"):
        together = np.column_stack(STANDARD.degrees(crs, lons, lats))
        single = [to_cgcs2000([Coordinate(x=x, y=y, crs=crs)])[0] for x, y in zip(lons, lats, strict=True)]
        for row, answer in zip(together, single, strict=True):
            assert isinstance(answer, Converted)
            assert distance(tuple(row), (answer.lon, answer.lat)) < 0.001


def test_what_lies_outside_is_not_a_number_among_many() -> None:
    xs, ys = np.array([630970.51, 0.5, 3467936.43]), np.array([3467936.43, 0.5, 630970.51])

    lons, lats = STANDARD.degrees("EPSG:4548", xs, ys)

    assert np.isnan(lons).tolist() == [False, True, True]
    assert np.isnan(lats).tolist() == [False, True, True]
    with pytest.raises(KeyError):
        STANDARD.degrees("EPSG:9", xs, ys)


def test_every_conversion_states_how_far_it_may_be_off() -> None:
    errors = [
        converted(crs, *point).error
        for crs, point in [("EPSG:4490", WUHU), ("EPSG:4548", (630970.51, 3467936.43)), ("GCJ-02", to_gcj02(*WUHU))]
    ]

    assert errors == [0.0, 0.01, 2.0]


@settings(max_examples=200, deadline=None)
@given(lon=lons_of_china, lat=lats_of_china)
def test_baidus_metres_return_to_their_degrees(lon: float, lat: float) -> None:
    metres = to_bd09mc(np.array([lon]), np.array([lat]))
    back = from_bd09mc(*metres)

    edge = min(abs(lat - band) for band in (15, 30, 45)) < 1e-5
    assert distance((back[0][0], back[1][0]), (lon, lat)) < (0.5 if edge else 0.001)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Coordinate(x=31.326, y=118.376, crs="EPSG:4490"), "axes swapped"),
        (Coordinate(x=630970.51, y=3467936.43, crs="EPSG:4549"), "EPSG:4548"),
        (Coordinate(x=39630970.51, y=3467936.43, crs="EPSG:4548"), "EPSG:4527"),
        (Coordinate(x=13177550.0, y=3675500.0, crs="BD-09MC"), "EPSG:3857"),
    ],
)
def test_the_right_meaning_is_among_the_hypotheses(given: Coordinate, expected: str) -> None:
    near = []
    for name, meant in hypotheses(given):
        [answer] = to_cgcs2000([meant])
        if isinstance(answer, Converted) and distance((answer.lon, answer.lat), WUHU) < 3000:
            near.append(name)

    assert near[0] == expected


@settings(max_examples=500, deadline=None)
@given(lon=lons_of_china, lat=lats_of_china)
def test_the_inverse_takes_back_its_own_forward(lon: float, lat: float) -> None:
    assert distance(from_gcj02(*to_gcj02(lon, lat)), (lon, lat)) < 0.01
    assert distance(from_bd09(*to_bd09(lon, lat)), (lon, lat)) < 0.01
    assert 0 < distance(to_gcj02(lon, lat), (lon, lat)) < 1500


@settings(max_examples=500, deadline=None)
@given(
    x=st.floats(allow_nan=False, allow_infinity=False),
    y=st.floats(allow_nan=False, allow_infinity=False),
    crs=st.sampled_from(
        ["GCJ-02", "BD-09", "EPSG:4490", "EPSG:4326", "EPSG:3857", "EPSG:4548", "EPSG:4527", "EPSG:4500"]
    ),
)
def test_any_numbers_give_degrees_or_a_flag(x: float, y: float, crs: str) -> None:
    [answer] = to_cgcs2000([Coordinate(x=x, y=y, crs=crs)])

    if isinstance(answer, Converted):
        assert -180 <= answer.lon <= 180
        assert -90 <= answer.lat <= 90
