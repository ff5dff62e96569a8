"""Makes the example city's officers, their grids, industry grids and roster from the tables beside them.

    python deploy/make_example_team.py --city config

DEMONSTRATION DATA: every officer is invented, and so are units, grids and hours. The same tables give the same bytes.
"""

import argparse
import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

NOTE = "演示数据, 由 deploy/make_example_team.py 生成。人员都是虚构的。"
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
GIVEN = "甲乙丙丁戊己庚辛壬癸"
SINCE = "2026-01-01"
DISTRICT = "340202"
"""Where every community has a grid officer of its own."""
LANDSCAPE = "3402-landscape"
DUTY = "3402-duty"
LIGHTING = "3402-lighting"
STREET_ORDER = "30428.2:E*|47678.5:E*|30428.2:P03-*"


@dataclass(slots=True)
class Tables:
    """The four tables as they grow, and the numbers they need."""

    officers: list[list[str]] = field(default_factory=list)
    grids: list[list[str]] = field(default_factory=list)
    industry: list[list[str]] = field(default_factory=list)
    roster: list[list[str]] = field(default_factory=list)
    names: Iterator[str] = field(default_factory=lambda: (s + g for g in GIVEN for s in SURNAMES))
    rows: Iterator[int] = field(default_factory=lambda: count(1))
    shifts: Iterator[int] = field(default_factory=lambda: count(1))

    def officer(self, unit: str, post: str, classes: str) -> str:
        """A new officer of a unit."""
        number = sum(row[2] == unit for row in self.officers) + 1
        id_ = f"{unit}-{number:02d}"
        self.officers.append([id_, next(self.names), unit, post, classes, SINCE, ""])
        return id_

    def grid(self, officer: str, area: str, order: int = 1, note: str = "") -> None:
        """An officer has an area."""
        self.grids.append([f"G{next(self.rows):03d}", officer, area, str(order), SINCE, "", note])

    def shift(self, officer: str, days: str, hours: str, first: str = SINCE, last: str = "", note: str = "") -> None:
        """An officer is there on these days at these hours."""
        self.roster.append([f"S{next(self.shifts):03d}", officer, "shift", days, hours, "", first, last, note])


def main() -> None:
    """Read the city's tables, write those of the team."""
    parser = argparse.ArgumentParser(description="Make the example city's team tables.")
    parser.add_argument("--city", type=Path, required=True, help="the configuration folder to read")
    parser.add_argument("--out", type=Path, help="where to write the folder team; default: the same folder")
    arguments = parser.parse_args()
    city: Path = arguments.city
    made = Tables()
    communities = [row["code"] for row in rows(city / "divisions.csv") if row["level"] == "community"]
    document = json.loads((city / "grids" / "unit-grids.geojson").read_text(encoding="utf-8"))
    unit_grids = [one["properties"]["code"] for one in document["features"]]
    units = [row["id"] for row in rows(city / "units.csv")]
    duty_office(made)
    grid_officers(made, units, [code for code in communities if any(grid.startswith(code) for grid in unit_grids)])
    street_order(made, [unit for unit in units if unit.endswith("-urban")])
    landscape(made, [grid for grid in unit_grids if grid.startswith(DISTRICT)])
    industries(made, city)
    write(made, (arguments.out or city) / "team")


def duty_office(made: Tables) -> None:
    """应急值班室: four who change day and night, for everything everywhere."""
    for turn in range(1, 5):
        officer = made.officer(DUTY, "handler", "*")
        made.grid(officer, "*", note="全市应急值班")
        made.shift(officer, f"{turn} of 4", "08:00-08:00", note="二十四小时轮值")


def grid_officers(made: Tables, units: Sequence[str], communities: Sequence[str]) -> None:
    """一格一员, and the neighbour after: each community of one district; one officer for each other district."""
    for unit in (unit for unit in units if unit.startswith(DISTRICT) and unit.endswith("-office")):
        own = [code for code in communities if code.startswith(unit.removesuffix("-office"))]
        team = {code: made.officer(unit, "grid_officer", "*") for code in own}
        for code, after in zip(own, [*own[1:], *own[:1]], strict=True):
            made.grid(team[code], code)
            if after != code:
                made.grid(team[after], code, 2, "邻格备岗")
        if unit == f"{DISTRICT}016-office":
            away, instead = team[own[2]], team[own[3]]
            made.roster.append(["L001", away, "leave", "every", "", instead, "2026-09-28", "2026-10-09", "年休假"])
    for unit in (unit for unit in units if unit.endswith("-grid") and not unit.startswith("3402-")):
        collector = made.officer(unit, "collector", "*")
        made.grid(collector, unit.removesuffix("-grid"), note="区级信息采集")
        officer = made.officer(unit, "grid_officer", "*")
        made.grid(officer, unit.removesuffix("-grid"), note="没有社区网格员的地方")
    for unit in (unit for unit in units if unit.endswith("-office") and not unit.startswith(DISTRICT)):
        officer = made.officer(unit, "grid_officer", "*")
        made.grid(officer, unit.removesuffix("-office"))


def street_order(made: Tables, units: Sequence[str]) -> None:
    """城管: early and late shift in each district, and the holiday duty of one."""
    for unit in units:
        area = unit.removesuffix("-urban")
        early, late = (made.officer(unit, "handler", STREET_ORDER) for _ in range(2))
        made.grid(early, area, note="早班")
        made.grid(late, area, note="晚班")
        made.shift(early, "every", "06:00-14:30")
        made.shift(late, "every", "14:30-22:30")


def landscape(made: Tables, unit_grids: Sequence[str]) -> None:
    """园林: industry grids of their own, which run across communities; one officer has two of them 一员多格."""
    classes = "30428.2:P04-*|30428.2:E01-17|30428.2:E01-18|30428.2:E01-22"
    size, before = len(unit_grids) // 4, ""
    for number in range(4):
        part = unit_grids[number * size : (number + 1) * size if number < 3 else None]
        own = [f"YL-{number + 1:02d}", "园林绿化", f"镜湖第{'一二三四'[number]}养护片"]
        made.industry += [[*own, before, "0.4"]] * bool(before)
        made.industry += [[*own, grid, ""] for grid in part]
        if number < 3:  # the last one lies astride the border
            before = part[-1]
            made.industry[-1][-1] = "0.6"
    both, third, fourth = (made.officer(LANDSCAPE, "handler", classes) for _ in range(3))
    for officer, grid in ((both, "YL-01"), (both, "YL-02"), (third, "YL-03"), (fourth, "YL-04")):
        made.grid(officer, grid)


def industries(made: Tables, city: Path) -> None:
    """Every other unit that the responsibility list names has one officer for what the list gives it."""
    areas = {row["id"]: row["area"] for row in rows(city / "units.csv")}
    staffed = {row[2] for row in made.officers} - {LANDSCAPE}
    owed: dict[str, dict[str, None]] = {}
    for row in rows(city / "responsibility.csv"):
        if row["unit"] in areas and row["unit"] not in staffed:
            owed.setdefault(row["unit"], {})[row["class"]] = None
    for unit, classes in owed.items():
        officer = made.officer(unit, "handler", "|".join(classes))
        made.grid(officer, areas[unit])
        if unit == LIGHTING:
            made.shift(officer, "every", "17:00-01:00", note="夜间巡灯")
            made.shift(officer, "working", "08:00-12:00")


def rows(path: Path) -> list[dict[str, str]]:
    """A table's rows, without remarks."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return list(csv.DictReader(lines))


def write(made: Tables, folder: Path) -> None:
    """The four tables."""
    folder.mkdir(parents=True, exist_ok=True)
    table(folder / "officers.csv", "id,name,unit,post,classes,valid_from,valid_to", made.officers)
    table(folder / "grids.csv", "id,officer,area,order,valid_from,valid_to,note", made.grids)
    industry = [[*row, SINCE, ""] for row in made.industry]
    table(folder / "industry-grids.csv", "id,industry,name,area,share,valid_from,valid_to", industry)
    table(folder / "roster.csv", "id,officer,kind,days,hours,stand_in,valid_from,valid_to,note", made.roster)


def table(path: Path, header: str, body: Iterable[Sequence[str]]) -> None:
    """UTF-8 with plain line ends on every machine."""
    lines = [f"# {NOTE}", header, *(",".join(row) for row in body)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
