"""A small city for tests of the maps: square unit grids in two districts, one industry's grids, and invented cases."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from random import Random
from uuid import UUID

import numpy as np
import shapely

from canonical.lifecycle import OPEN, Stage
from canonical.mark import CaseMark
from canonical.rights import Scope
from canonical.time import SHANGHAI
from maps.atlas import Atlas, Interval, Query
from maps.cases import CaseTable, Names, case_table
from maps.cells import CellSet, cell_set
from maps.crs import named

NOW = datetime(2026, 3, 16, 10, 0, tzinfo=SHANGHAI)
WEST, SOUTH, STEP = 118.30, 31.30, 0.005
"""Corner and side of the cells, degrees."""
CLASSES = {"10101": "市容环境 暴露垃圾", "10203": "宣传广告 非法小广告", "20302": "施工管理 无证掘路"}
STAGES = sorted(OPEN)


def grids(columns: int = 10, rows: int = 6) -> CellSet:
    """The unit grids: the western half in 340202, the eastern in 340207."""
    cells = [
        {
            "code": f"{340202 if x < columns / 2 else 340207}001001{x * rows + y + 1:03d}",
            "name": f"第{x * rows + y + 1}网格",
            "area": f"{340202 if x < columns / 2 else 340207}001001",
            "area_name": "东门社区 & <老街>",
            "households": 300 + x * 10 + y,
            "valid_from": NOW.date(),
        }
        for x, y in product(range(columns), range(rows))
    ]
    squares = [_square(x, y) for x, y in product(range(columns), range(rows))]
    return cell_set("grids", "单元网格", "Unit grids", extent(columns, rows), "1", cells, squares)


def industry_grids(columns: int = 10, rows: int = 6) -> CellSet:
    """Landscape's own grids: two of them, which cut the unit grids in the middle."""
    middle = WEST + STEP * (columns / 2 + 0.5)
    halves = [(WEST, middle), (middle, WEST + STEP * columns)]
    cells = [{"code": f"YL-{number}", "name": f"第{number}养护片", "area": "3402"} for number in (1, 2)]
    shapes = [shapely.box(west, SOUTH, east, SOUTH + STEP * rows) for west, east in halves]
    return cell_set("grids_landscape", "园林绿化网格", "Landscape grids", extent(columns, rows), "1", cells, shapes)


def extent(columns: int = 10, rows: int = 6) -> tuple[float, float, float, float]:
    """The box around all cells."""
    return WEST, SOUTH, WEST + STEP * columns, SOUTH + STEP * rows


def marks(count: int = 40, columns: int = 10, rows: int = 6) -> list[CaseMark]:
    """Invented cases: one after the other over the cells, each seventh known only by its cell, each third overdue."""
    codes = list(grids(columns, rows).row_of)
    made = []
    for number in range(count):
        x, y = (number * 7) % columns, (number * 3) % rows
        code = codes[x * rows + y]
        received = NOW - timedelta(hours=number)
        at = (WEST + STEP * (x + 0.25), SOUTH + STEP * (y + 0.25)) if number % 7 else (None, None)
        made.append(
            CaseMark(
                id=UUID(int=number + 1),
                no=f"3402-20260316-{number + 1:06d}",
                stage=Stage(STAGES[number % len(STAGES)]),
                source=("hotline_12345", "sensors")[number % 2],
                owner=("urban_management", "landscape")[number % 2],
                unit=f"U{number % 4}",
                class_code=[*CLASSES, None][number % 4],
                area=code[:12],
                grid=code,
                lon=at[0],
                lat=at[1],
                received_at=received,
                due_at=received + timedelta(hours=2 if number % 3 == 0 else 200),
                disposed_at=None,
                address="东门社区 1 号",
                description="垃圾 & <未清理>",
            )
        )
    return made


def scattered(count: int, columns: int = 10, rows: int = 6) -> list[CaseMark]:
    """The invented cases with each place moved by chance, always the same, inside its cell."""
    chance = Random(6)
    return [
        one if one.lon is None or one.lat is None
        else replace(
            one, lon=one.lon + chance.uniform(-0.2, 0.7) * STEP, lat=one.lat + chance.uniform(-0.2, 0.7) * STEP
        )
        for one in marks(count, columns, rows)
    ]  # fmt: skip


def askew(zone: str) -> tuple[list[str], list[str], tuple[float, float, float, float]]:
    """Cases in an upright box of a zone, those only in the upright box of degrees around it; the box, x and y."""
    table, crs = atlas(scattered(200)).select("cases", Query(NOW), Scope("centre")), named(zone)
    west, south, east, north = 118.3015, 31.3015, 118.3385, 31.3185
    places = crs.from_native(table.bounds[:, :2])
    (low_x, low_y), (high_x, high_y) = crs.from_native(np.array([[west, south], [east, north]]))
    box = (float(low_x), float(low_y), float(high_x), float(high_y))
    inside = (places >= box[:2]).all(axis=1) & (places <= box[2:]).all(axis=1)
    around = crs.native_box(*box)
    near = (table.bounds[:, :2] >= around[:2]).all(axis=1) & (table.bounds[:, :2] <= around[2:]).all(axis=1) & ~inside
    return list(table.ids[inside]), list(table.ids[near]), box


def atlas(cases: Sequence[CaseMark] | None = None, columns: int = 10, rows: int = 6) -> Atlas:
    """The whole map; an interval shows the cases received in it."""
    base, given = grids(columns, rows), marks(40, columns, rows) if cases is None else cases
    names = Names(CLASSES, lambda code: f"区划 {code}")
    live = case_table([mark for mark in given if mark.stage in OPEN], base, names, "1")

    def past(when: Interval) -> CaseTable:
        chosen = [mark for mark in given if when[0] <= mark.received_at < when[1]]
        return case_table(chosen, base, names, f"past {when}")

    sets = {one.layer.name: one for one in (base, industry_grids(columns, rows))}
    return Atlas("芜湖市", extent(columns, rows), sets, lambda: live, past)


def _square(x: int, y: int) -> shapely.Polygon:
    return shapely.box(WEST + STEP * x, SOUTH + STEP * y, WEST + STEP * (x + 1), SOUTH + STEP * (y + 1))
