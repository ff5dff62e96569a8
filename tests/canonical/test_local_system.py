"""A city's own plane system, fitted to control points."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.coordinates import Converted, NotConverted, Systems
from canonical.errors import Misconfigured
from canonical.local_system import Control, LocalSystem, fitted
from canonical.place import Coordinate

METRES = 111_320
TRUE = LocalSystem(118.4, (480_000.0, 0.9998, 0.012), (3_440_000.0, -0.012, 0.9998), (0, 0, 0, 0), 0.0, 0)
"""Turned by 0.7 degrees, a little smaller, moved."""


def control(x: float, y: float) -> Control:
    lons, lats = TRUE.to_degrees(np.array([x]), np.array([y]))
    return Control(x, y, float(lons[0]), float(lats[0]))


CORNERS = [control(x, y) for x, y in product((5_000.0, 45_000.0), (10_000.0, 50_000.0))]


def off(one: tuple[float, float], other: tuple[float, float]) -> float:
    east = (one[0] - other[0]) * METRES * math.cos(math.radians(one[1]))
    return math.hypot(east, (one[1] - other[1]) * METRES)


@settings(max_examples=50, deadline=None)
@given(x=st.floats(5_000, 45_000), y=st.floats(10_000, 50_000))
def test_a_point_between_the_control_points_is_found_within_the_stated_error(x: float, y: float) -> None:
    local = fitted(CORNERS)
    truth, (lons, lats) = control(x, y), local.to_degrees(np.array([x]), np.array([y]))

    assert off((lons[0], lats[0]), (truth.lon, truth.lat)) <= local.error < 0.5
    xs, ys = local.from_degrees(lons, lats)
    assert (float(xs[0]), float(ys[0])) == pytest.approx((x, y), abs=0.001)


def test_a_control_point_that_is_wrong_is_the_error_and_is_named() -> None:
    points = [*CORNERS, control(25_000, 30_000), control(20_000, 20_000)]
    wrong = points[4]
    points[4] = Control(wrong.x + 12.0, wrong.y, wrong.lon, wrong.lat)

    local = fitted(points)

    assert local.worst == 4
    assert 10 < local.error < 15


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (CORNERS[:3], "at least 4"),
        ([control(x, 2 * x) for x in (1.0, 2000.0, 5000.0, 9000.0)], "on a line"),
        ([CORNERS[0]] * 5, "on a line"),
        ([*CORNERS, Control(math.nan, 0, 118, 31)], "no place"),
    ],
)
def test_points_that_fix_nothing_are_refused(points: list[Control], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        fitted(points)


def test_a_city_declares_its_own_system() -> None:
    systems = Systems({"wuhu": fitted(CORNERS)})
    truth = control(20_000, 20_000)

    good, far, other = systems.to_cgcs2000(
        [
            Coordinate(x=20_000, y=20_000, crs="LOCAL:wuhu"),
            Coordinate(x=900_000, y=20_000, crs="LOCAL:wuhu"),
            Coordinate(x=20_000, y=20_000, crs="LOCAL:hefei"),
        ]
    )

    assert isinstance(good, Converted)
    assert good.conversion == "LOCAL:wuhu -> EPSG:4490"
    assert off((good.lon, good.lat), (truth.lon, truth.lat)) <= systems.local["wuhu"].error
    assert [one.flag for one in (far, other) if isinstance(one, NotConverted)] == ["outside_crs", "unknown_crs"]
    assert systems.known("LOCAL:wuhu")
    assert not systems.known("LOCAL:hefei")
