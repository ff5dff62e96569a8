"""docs/configuration.md, made from the models and column lists that read the configuration. Reads no city.

python -m gateway.configuration_page > docs/configuration.md
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from assessment.calendar_file import COLUMNS as CALENDAR
from assessment.calendar_file import LOCAL_COLUMNS
from assessment.indicator_file import CounterFile, RateFile
from assessment.rulebook import Scheme
from gateway.configuration import CityFile, SystemFile
from gateway.maps.file import MapsFile
from gateway.people.file import PeopleFile
from gateway.rules_file import RulesFile
from gateway.settings import VARIABLES
from gateway.upstream.file import UpstreamFile
from routing.budgets import COLUMNS as CLOCKS
from routing.catalogue import CLASS_COLUMNS, STANDARD_COLUMNS
from routing.divisions import COLUMNS as DIVISIONS
from routing.fusion import COLUMNS as FUSION
from routing.grid_sets import COLUMNS as GRID_SETS
from routing.responsibility import COLUMNS as RESPONSIBILITY
from routing.team_tables import GRIDS, INDUSTRY_GRIDS, OFFICERS, ROSTER
from routing.units import COLUMNS as UNITS
from routing.units import OPTIONAL


@dataclass(frozen=True, slots=True)
class TablePage:
    """One CSV file: what it is, the columns its reader wants, and what stands in each."""

    file: str
    about: str
    columns: Sequence[str]
    meaning: Mapping[str, str]


TABLES: tuple[TablePage, ...] = (
    TablePage("divisions.csv", "行政区划, the tree of administrative divisions.", DIVISIONS, {
        "code": "4 digits city, 6 county, 9 street or town, 12 community or village; begins with the parent's code",
        "level": "`city`, `district`, `street` or `community`",
        "name": "the official name; addresses are searched for it",
        "parent": "code of the division above; empty for the city",
    }),
    TablePage("calendar/holidays.csv", "节假日与调休. A day not listed follows the weekday rule; "
              "a year without any row counts as unpublished, and a due time in it is provisional.", CALENDAR, {
        "date": "`2026-10-01`, or `2026-10-01/2026-10-07` with both ends in it",
        "day_type": "`off`: no working day; `work`: a weekend day that is worked",
        "name": "the holiday",
        "notice": "which notice of the State Council says so",
    }),
    TablePage("calendar/local.csv", "地方节日与值守安排, days of this city or unit alone. "
              "They go before those of the notices.", LOCAL_COLUMNS, {
        "date": "as in holidays.csv",
        "day_type": "`off` or `work`",
        "name": "what day it is",
        "source": "which order makes it so",
    }),
    TablePage("catalogue/classes.csv", "管理类目, the classes this city manages.", CLASS_COLUMNS, {
        "code": "edition, kind, major and minor, such as `30428.2:E04-06`, `30428.2:P01-01`, `47678.5:P01-001`",
        "name": "name of the class",
        "acceptance": "`file`: filed at once; `verify`: verified first; `refuse`: not the city's to handle",
        "reason": "for `verify` and `refuse`: why, as the source is told",
        "note": "a remark for whoever edits the table",
    }),
    TablePage("catalogue/standards.csv", "立结案标准, one to four rows a class.", STANDARD_COLUMNS, {
        "id": "name of the row; a case keeps it",
        "class": "a code of classes.csv",
        "condition": "filing condition 立案条件, in words",
        "keywords": "words parted by `|`: the row with most of them in the text is taken",
        "default": "`yes` for the row taken when no keyword is found; exactly one a class",
        "limit_value": "how many units the disposal may take",
        "limit_unit": "`minute`, `urgent_work_hour`, `urgent_work_day`, `calendar_day` (wall clock); "
                      "`work_hour`, `work_day` (service windows)",
        "closing": "closing condition 结案条件, in words",
        "source": "where the limit comes from",
    }),
    TablePage("clocks.csv", "各环节时限, how long each step may take. Disposal has its limit in standards.csv. "
              "The most specific row wins: source first, then level, urgency and class. A step without a row is not "
              "timed.", CLOCKS, {
        "id": "name of the row; every decision quotes it",
        "clock": "`accept`, `verify`, `file`, `dispatch`, `sign`, `level`, `check`, `close`, `reply`, `report_in`, "
                 "`joint`",
        "class": "as in responsibility.csv; `*` every class, known or not",
        "urgency": "`normal` or `urgent`; empty: both",
        "source": "name of the system that reported; empty: any",
        "level": "`community`, `street`, `district` or `city`: the loop that has the case; empty: any",
        "limit_value": "how many units of time",
        "limit_unit": "as in standards.csv",
        "basis": "the order or rule that sets it, in words",
    }),
    TablePage("units.csv", "处置单位, who can be given work.", (*UNITS, *OPTIONAL), {
        "id": "name of the unit in other tables; not `centre`",
        "name": "the unit's name",
        "level": "`city`, `district`, `street` or `community`",
        "area": "division the unit belongs to",
        "parent": "id of the unit above; empty at the top",
        "system": "the system of systems.yaml that carries its work; empty: the centre's desk hands it over",
        "calendar": "a name of `calendars` in city.yaml; empty, or no such column: as the unit above, else the city's",
        "former_name": "what it was called before; its assessment notes it",
        "merged_into": "id of the unit that took over its work: figures come under that one from then on",
        "valid_to": "last day it was a unit of its own, `2026-10-15`; empty: long ago",
    }),
    TablePage("responsibility.csv", "权责清单, whose work it is. The most specific row wins: class first, "
              "then the longer area, then fixed hours before `always`.", RESPONSIBILITY, {
        "id": "name of the row; every decision quotes it",
        "class": "`30428.2:E04-06` one class, `30428.2:E04-*` a major, `30428.2:E*` a kind, `*` everything",
        "area": "division code, which covers all below it; `*` everywhere",
        "hours": "`always`, `working` or `off_hours`",
        "unit": "id of a unit, or `centre`: left to the centre on purpose",
        "valid_from": "first day it holds",
        "valid_to": "last day, included; empty: open",
        "basis": "what the row rests on, in words",
    }),
    TablePage("grids/sets.csv", "网格台账, the sets of grids: unit grids and those that industries cut for themselves, "
              "each edition with its days ([grids.md](grids.md)). A case keeps the grid of its day.", GRID_SETS, {
        "set": "`base` for the unit grids 单元网格, or a name for the industry's: small Latin letters, digits and `_`",
        "title": "name for people and maps, Chinese",
        "file": "GeoJSON beside this table, CGCS2000 longitude and latitude; properties `code`, `name`, and where "
                "they are known `households`, `population`, `manager` (the division that manages a cell of another's)",
        "valid_from": "first day it holds",
        "valid_to": "last day, included; empty: open",
        "source": "where it comes from, in words",
        "crs": "the CRS it was delivered in",
    }),
    TablePage("fusion.csv", "融合模式, which classes an industry system leads ([fusion.md](fusion.md)). The most "
              "specific class wins; of one class the latest row that has begun. Without rows the hub is the centre.",
              FUSION, {
        "id": "name of the row; decisions quote it",
        "class": "as `class` of responsibility.csv",
        "centre": "`hub`, or a system of systems.yaml: it files, dispatches and closes the cases that it reports",
        "unit": "of a system: id of the unit that stands for it, and gets what others report; empty for `hub`",
        "since": "from when on, `2026-12-01T08:00`, Shanghai time; for cases reported from then on",
        "basis": "what the row rests on: the agreement measured, who decided",
    }),
    TablePage("team/officers.csv", "人员, the officers of units ([teams.md](teams.md)). Names are personal data: "
              "masked wherever they are shown, never logged.", OFFICERS, {
        "id": "the officer's id in other tables and in the events of cases; not a name, not a number of a person",
        "name": "the officer's name; may be empty",
        "unit": "id of a unit",
        "post": "`collector` 采集员, `grid_officer` 网格员, `handler` 处置人员, `acceptor` 受理员, "
                "`duty_chief` 值班长, `dispatcher` 派遣员",
        "classes": "what the officer is for, as `class` of responsibility.csv; several parted by `|`",
        "valid_from": "first day in office",
        "valid_to": "last day, included; empty: open",
    }),
    TablePage("team/grids.csv", "责任网格, which officer has which grids. All rows of one officer together are the "
              "officer's responsibility grid.", GRIDS, {
        "id": "name of the row; every answer quotes it",
        "officer": "id of an officer",
        "area": "a unit grid (15 digits), a division code, which covers all below it, an id of "
                "industry-grids.csv, or `*`",
        "order": "`1`: in charge 主责; `2` to `99`: who comes after 备岗, in this order",
        "valid_from": "first day it holds",
        "valid_to": "last day, included; empty: open",
        "note": "a remark",
    }),
    TablePage("team/industry-grids.csv", "行业网格, grids that an industry cuts for itself, beside the unit grids. One "
              "row for each unit grid or division in it.", INDUSTRY_GRIDS, {
        "id": "name of the industry grid, on each of its rows; not digits alone",
        "industry": "which industry, in words; its shares of one unit grid make 1 at most",
        "name": "name of the industry grid",
        "area": "a unit grid, a division code or `*`",
        "share": "how much of that area lies in the industry grid, such as `0.4`; empty: all of it",
        "valid_from": "first day it holds",
        "valid_to": "last day, included; empty: open",
    }),
    TablePage("team/roster.csv", "排班, when officers are there. An officer without any row `shift` is there in the "
              "working time of the unit.", ROSTER, {
        "id": "name of the row; every answer quotes it",
        "officer": "id of an officer",
        "kind": "`shift` 班次: is there; `leave` 请假: is not, whatever the shifts say",
        "days": "`every`; `working` or `off` days of the unit's calendar; `mon-fri`, `sat|sun`; `1 of 4`: the first "
                "day of every four, counted from `valid_from`",
        "hours": "`08:00-12:00|14:00-18:00`; `22:00-06:00` goes on into the next day, `08:00-08:00` is a day and "
                 "night; `working`: the service windows of the unit; of leave empty: the whole day",
        "stand_in": "of leave: id of the officer who takes the place 替班, with the same grids and classes",
        "valid_from": "first day; a shift belongs to the day on which it begins",
        "valid_to": "last day, included; empty: open",
        "note": "a remark",
    }),
)  # fmt: skip

_HEAD = """# Configuration

<!-- Made by: python -m gateway.configuration_page > docs/configuration.md -->

A city is one folder of text files. `gridhub check FOLDER` says everything that is wrong with it at once, with file and
line. `config/` is a complete example, explained in [its README](../config/README.md); how a system's own folder is
written, [adapters/README.md](../adapters/README.md) says.
"""

_TABLES_HEAD = """## Tables

UTF-8, comma-separated, the header as below. A line that begins with `#` is a remark; a cell stays on one line.
"""

_CODES = """### codes/*.csv of a system's folder

`local,canonical,title` reads: the code as the system writes it, our value, a title for people. `canonical,local,title`
writes: our value, the code the system expects; only here may `*` stand for anything else. Further columns may stand
before `title` and are named in rules as `table.column`. A code without a row is never guessed: the message waits in
quarantine.
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [
        _HEAD,
        "## Environment\n",
        _markdown(("variable", "meaning"), ((f"`{name}`", text) for name, text in VARIABLES.items())),
        "The city's systems.yaml names further ones as `${NAME}`: addresses and secrets.\n",
        "## city.yaml\n",
        "Paths are relative to the file.\n",
        _markdown(("key", "default", "meaning"), _keys(CityFile)),
        "## rules.yaml\n",
        "The rules of the trade. What a rule does not say is not limited; a rule that is left out limits nothing.\n",
        _markdown(("key", "default", "meaning"), _keys(RulesFile)),
        "## systems.yaml\n",
        "One entry a system; its key is the system's name in tables and addresses (`/in/<name>`).\n",
        _markdown(("key", "default", "meaning"), _keys(SystemFile)),
        "## maps.yaml\n",
        "Who may see what on the map, and what one answer may cost ([maps.md](maps.md)). Without the file the centre "
        "alone is let in, with its token.\n",
        _markdown(("key", "default", "meaning"), _keys(MapsFile)),
        "## people.yaml\n",
        "How people sign in ([people.md](people.md)). Without the file with local accounts alone.\n",
        _markdown(("key", "default", "meaning"), _keys(PeopleFile)),
        "## upstream.yaml\n",
        "One entry a map service of others that the city uses; its key is its name ([upstream.md](upstream.md)).\n",
        _markdown(("key", "default", "meaning"), _keys(UpstreamFile)),
        "## assessment/indicators.yaml\n",
        "`edition`: a name of this edition of the rules. `sheets`: for each of who is assessed, the list of counters "
        "and rates of the sheet. [assessment.md](assessment.md) explains both files.\n",
        _markdown(("key", "default", "meaning"), _keys(CounterFile, "counters.NAME.")),
        _markdown(("key", "default", "meaning"), _keys(RateFile, "rates.NAME.")),
        "## assessment/scores.yaml\n",
        "One scheme for each of who is assessed: `district`, `unit`, `dispatcher`, ...\n",
        _markdown(("key", "default", "meaning"), _scheme()),
        _TABLES_HEAD,
        *(_table(table) for table in TABLES),
        _CODES,
    ]
    return "\n".join(parts)


def _scheme() -> Iterator[tuple[str, str, str]]:
    """The keys of a scheme; deductions are written as bonuses are."""
    return (row for row in _keys(Scheme, "schemes.NAME.") if "deductions." not in row[0])


def _table(table: TablePage) -> str:
    rows = ((f"`{column}`", table.meaning[column]) for column in table.columns)
    return f"### {table.file}\n\n{table.about}\n\n{_markdown(('column', 'meaning'), rows)}"


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(key, default, meaning) of every leaf, keys of nested models with dots."""
    for name, field in model.model_fields.items():
        inner = _model(field.annotation)
        if inner is None or field.description is not None:
            yield f"`{prefix}{field.alias or name}`", _default(field), str(field.description)
        if inner is not None:
            named = "NAME." if get_origin(field.annotation) is dict else ""
            yield from _keys(inner, f"{prefix}{field.alias or name}.{named}")


def _model(annotation: object) -> type[BaseModel] | None:
    """The model that stands at a key, also where it may be left out."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    return (
        f"`{str(value).lower() if isinstance(value, bool) else value}`" if value not in (None, "", {}, (), []) else ""
    )


def _markdown(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """A Markdown table; a bar in a cell would end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
