"""What a scope does not see changes nothing in any answer of WMS.

Each scope has a city of its own here: without the cases and cells that it does not see, and with other words, numbers
and places where it sees none. Whatever is asked, both cities answer the same.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import numpy as np
import pytest
import shapely.affinity
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonical.mark import CaseMark
from canonical.rights import Scope
from canonical.time import SHANGHAI
from maps.atlas import Atlas, Query
from maps.cells import CellSet
from maps.drawing.painter import painter_of
from maps.limits import Limits
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from tests.maps.asking import CENTRE, PUBLIC, asked, body_of
from tests.maps.small_city import NOW, SOUTH, STEP, WEST, atlas, marks

MARKS = marks(40)
SCOPES = (
    CENTRE, PUBLIC, Scope("west", areas=("340202",)), Scope("only", layers=("grids",)),
    Scope("system", systems=("landscape",)), Scope("none", areas=("999999",)), Scope("points", layers=("cases",)),
    Scope("class", classes=("10101",)), Scope("public west", areas=("340202",), public=True),
)  # fmt: skip


def service(city: Atlas) -> WmsService:
    return WmsService(city, painter_of(city), Limits(pixels=1_000_000, side=2000), Face("一张图", ""))


def seen_by(scope: Scope) -> list[CaseMark]:
    """The cases that the scope sees, and of each what it sees: the rest is something else."""
    if not scope.admits("cases"):
        return []
    return [_veiled(mark, number, scope) for number, mark in enumerate(MARKS) if _visible(mark, scope)]


def _visible(mark: CaseMark, scope: Scope) -> bool:
    return (
        (not scope.areas or (mark.area or "-").startswith(scope.areas))
        and (not scope.classes or (mark.class_code or "-").startswith(scope.classes))
        and (not scope.systems or bool({mark.source, mark.owner} & {*scope.systems}))
    )


def _veiled(mark: CaseMark, number: int, scope: Scope) -> CaseMark:
    if not scope.texts:
        mark = replace(mark, address="elsewhere", description="other words")
    if not scope.public:
        return mark
    late = mark.due_at is not None and mark.due_at < NOW
    noon = mark.received_at.astimezone(SHANGHAI).replace(hour=12, minute=0, second=0)
    return replace(
        mark, no=f"hidden-{99 - number}", unit="?", source="?", owner="?", lon=None, lat=None, received_at=noon,
        due_at=NOW + timedelta(hours=-1 if late else 1), grids={},
    )  # fmt: skip


def city_of(scope: Scope) -> Atlas:
    city = atlas(seen_by(scope))
    return replace(city, sets={name: _cut(one, scope.areas) for name, one in city.sets.items()})


def _cut(cells: CellSet, areas: Sequence[str]) -> CellSet:
    """The same rows, so that cases keep theirs; those of others have another place and another name."""
    table = cells.table
    hidden = np.array([bool(areas) and not str(area).startswith(tuple(areas)) for area in table.columns["area"]])
    columns = {name: values.copy() for name, values in table.columns.items()}
    columns["name"][hidden], columns["households"][hidden] = "hidden", 1
    geometry, bounds = table.geometry.copy(), table.bounds + np.where(hidden, 1.0, 0.0)[:, np.newaxis]
    geometry[hidden] = [shapely.affinity.translate(one, 1.0, 1.0) for one in geometry[hidden]]
    return replace(cells, table=replace(table, columns=columns, geometry=geometry, bounds=bounds))


FULL = service(atlas(MARKS))
OF = {scope: service(city_of(scope)) for scope in SCOPES}
EVERYTHING = f"{SOUTH},{WEST},{SOUTH + STEP * 6},{WEST + STEP * 10}"
COMMON: dict[str, Any] = {
    "SERVICE": "WMS", "VERSION": "1.3.0", "LAYERS": "cases", "STYLES": "", "CRS": "EPSG:4490", "BBOX": EVERYTHING,
}  # fmt: skip
MAP = COMMON | {"REQUEST": "GetMap", "WIDTH": "320", "HEIGHT": "192", "FORMAT": "image/png"}
INFO = COMMON | {
    "REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "cases", "WIDTH": "11", "HEIGHT": "7", "I": "5", "J": "3",
    "INFO_FORMAT": "application/json", "FEATURE_COUNT": "200",
}  # fmt: skip
BASES = (MAP, INFO, {"SERVICE": "WMS", "REQUEST": "GetCapabilities"})

NAMES = (
    "cases", "cases_stage", "cases_class", "cases_overdue", "case_density", "grids", "grids_landscape", "grids,cases",
    "cases,case_density,grids", "nothing",
)  # fmt: skip
_TIMES = st.sampled_from([
    "current", "2026-03", "2026-03-16", "2026-03-15/2026-03-16", "2026-03-16/..", "2026-03-16/2026-03-16T01:30:00Z",
    "2026-03-15T16:00:00Z/2026-03-15T23:10:00Z", "2025", "never",
])  # fmt: skip
_BOXES = st.builds(
    lambda x, y, wide, high: f"{y},{x},{y + high},{x + wide}",
    st.floats(WEST - 0.01, WEST + 0.06), st.floats(SOUTH - 0.01, SOUTH + 0.04),
    st.floats(0.0001, 0.2), st.floats(0.0001, 0.2),
)  # fmt: skip
_CHANGES = st.fixed_dictionaries({}, optional={
     "QUERY_LAYERS": st.sampled_from(NAMES), "TIME": _TIMES, "BBOX": _BOXES | st.just("0,0,90,180"),
    "STYLES": st.sampled_from(["stage", "class", "overdue", ",", "x"]), "VERSION": st.sampled_from(["1.3.0", "1.1.1"]),
    "WIDTH": st.integers(1, 400), "HEIGHT": st.integers(1, 400), "I": st.integers(0, 10), "J": st.integers(0, 6),
    "INFO_FORMAT": st.sampled_from(["text/html", "application/vnd.ogc.gml", "text/plain", "application/geo+json"]),
    "EXCEPTIONS": st.sampled_from(["INIMAGE", "BLANK", "XML"]), "FEATURE_COUNT": st.integers(0, 50),
    "SRS": st.just("EPSG:4490"), "TRANSPARENT": st.just("TRUE"),
})  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    scope=st.sampled_from(SCOPES), base=st.sampled_from(BASES), layers=st.sampled_from(NAMES), changes=_CHANGES
)  # fmt: skip
def test_what_a_scope_does_not_see_changes_no_answer(
    scope: Scope, base: dict[str, Any], layers: str, changes: dict[str, Any]
) -> None:
    alike(scope, base | {"LAYERS": layers, "QUERY_LAYERS": layers} | changes)


@pytest.mark.parametrize("scope", SCOPES, ids=lambda one: one.name)
@pytest.mark.parametrize("layers", NAMES)
@pytest.mark.parametrize("base", [MAP, INFO], ids=["map", "info"])
def test_each_layer_is_the_same_in_both_cities(scope: Scope, layers: str, base: dict[str, Any]) -> None:
    for when in ("current", "2026-03-16/2026-03-16T01:30:00Z"):
        alike(scope, base | {"LAYERS": layers, "QUERY_LAYERS": layers, "TIME": when})


def alike(scope: Scope, order: dict[str, Any]) -> None:
    answer, expected = asked(FULL.answer, scope, **order), asked(OF[scope].answer, scope, **order)

    assert (answer.status, answer.content_type, answer.headers) == (200, expected.content_type, expected.headers)
    assert body_of(answer) == body_of(expected)


@pytest.mark.parametrize("scope", [one for one in SCOPES if one is not CENTRE], ids=lambda one: one.name)
def test_the_two_cities_differ_for_the_centre(scope: Scope) -> None:
    """Else the property would hold of anything."""
    answer = asked(FULL.answer, CENTRE, **INFO)

    assert body_of(answer) != body_of(asked(OF[scope].answer, CENTRE, **INFO))


def test_the_public_cannot_find_the_hour_of_a_case_by_asking_for_less_and_less() -> None:
    day = MARKS[3].received_at.astimezone(SHANGHAI)
    city = atlas(MARKS)
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    whole = Query(NOW, when=(midnight, midnight + timedelta(days=1)))

    for hour in (1, 7, 23):
        part = Query(NOW, when=(midnight, midnight.replace(hour=hour)))
        assert list(city.select("cases", part, PUBLIC).ids) == list(city.select("cases", whole, PUBLIC).ids)
    assert day.time() > time(1)
    early = city.select("cases", Query(NOW, when=(midnight, midnight.replace(hour=1))), CENTRE)
    assert MARKS[3].no not in [one.partition(".")[2] for one in early.ids]
