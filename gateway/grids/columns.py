"""Which column of a delivered file is what. Names that are in use are known; anything else is said, never guessed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from canonical.errors import Misconfigured

CODE, NAME, MANAGER, HOUSEHOLDS, POPULATION = "code", "name", "manager", "households", "population"
KNOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        CODE: (
            "code", "gridcode", "gridid", "cellcode", "bgcode", "bgid", "dywgbsm", "szdywgbsm", "网格编码", "网格代码",
            "网格编号", "网格标识码", "单元网格编码", "单元网格代码", "单元网格标识码", "基础网格编码", "编码", "代码",
        ),
        NAME: (
            "name", "gridname", "cellname", "bgname", "网格名称", "网格名", "单元网格名称", "基础网格名称", "名称",
        ),
        MANAGER: ("manager", "managercode", "管理区划", "管理区划代码", "管理单位区划"),
        HOUSEHOLDS: ("households", "户数", "总户数", "住户数"),
        POPULATION: ("population", "人口", "人口数", "总人口", "常住人口"),
    }
)  # fmt: skip
"""What each is called in files, without blanks, lines and case."""
REQUIRED = (CODE,)
_SHOWN = 12


def chosen(columns: Sequence[str], said: Mapping[str, str], example: Mapping[str, object]) -> dict[str, str]:
    """The column of each of `KNOWN` that the file has: what was said, else the only one of a known name.

    `example` is a row, shown where nothing fits. Raises Misconfigured when a column that was said is not there, when
    several have known names, or when none is the code.
    """
    found: dict[str, str] = {}
    for meaning, names in KNOWN.items():
        if wanted := said.get(meaning, ""):
            if wanted not in columns:
                raise Misconfigured(f"--{meaning}: no column '{wanted}'. {_listed(columns, example)}")
            found[meaning] = wanted
            continue
        fitting = [column for column in columns if _plain(column) in names]
        if len(fitting) > 1:
            raise Misconfigured(f"{' and '.join(fitting)} may each be the {meaning}: pass --{meaning} with one of them")
        if fitting:
            found[meaning] = fitting[0]
        elif meaning in REQUIRED:
            raise Misconfigured(
                f"no column is known to be the {meaning}: pass --{meaning}. {_listed(columns, example)}"
            )
    return found


def _plain(column: str) -> str:
    return column.lower().replace("_", "").replace(" ", "").replace("-", "")


def _listed(columns: Sequence[str], example: Mapping[str, object]) -> str:
    """The columns with what stands in the first row: cells of a map, no one's data."""
    shown = ", ".join(f"{column} ({str(example.get(column, ''))[:24]})" for column in columns[:_SHOWN])
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"Columns: {shown or 'none'}{more}"
