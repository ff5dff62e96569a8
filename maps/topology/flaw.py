"""What can be wrong with a grid set, and how it is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shapely.geometry.base import BaseGeometry


class FlawKind(StrEnum):
    """The kinds of flaws, the gravest first."""

    INVALID = "invalid"
    CODE_FORM = "code_form"
    CODE_REPEATED = "code_repeated"
    OVERLAP = "overlap"
    GAP = "gap"
    MISPLACED = "misplaced"
    CROSSING = "crossing"
    NESTED = "nested"
    SLIVER_CELL = "sliver_cell"
    SLIVER_OVERLAP = "sliver_overlap"
    SLIVER_GAP = "sliver_gap"
    PARTS = "parts"
    NO_AREA = "no_area"
    NAME_MISSING = "name_missing"
    NAME_REPEATED = "name_repeated"
    NAME_NUMBER = "name_number"
    PEOPLE = "people"
    NO_FIGURES = "no_figures"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True)
class Title:
    """A kind for people, in both languages."""

    chinese: str
    english: str
    note_chinese: str
    """What it means, one sentence."""
    note: str
    """The same in English."""


TITLES: Mapping[FlawKind, Title] = {
    FlawKind.INVALID: Title(
        "几何无效", "invalid geometry",
        "图形自相交、未闭合或不是经纬度多边形，须先修复。",
        "No polygon in degrees, or one that crosses itself: repair it first.",
    ),
    FlawKind.CODE_FORM: Title(
        "编码格式错误", "malformed code",
        "单元网格编码应为 15 位数字。",
        "The code of a unit grid has 15 digits (GB/T 30428.1).",
    ),
    FlawKind.CODE_REPEATED: Title(
        "编码重复", "repeated code",
        "同一编码只能有一个网格。",
        "One code names one cell.",
    ),
    FlawKind.OVERLAP: Title(
        "重叠", "overlap",
        "两个网格占同一块地，落在其中的案件归属不定。",
        "Two cells claim the same ground: whose is a case there?",
    ),
    FlawKind.GAP: Title(
        "空白", "gap",
        "没有任何网格覆盖的地块，落在其中的案件无网格可归。",
        "Ground that no cell covers: a case there has no grid.",
    ),
    FlawKind.MISPLACED: Title(
        "编码与位置不符", "code against geometry",
        "网格大部分位于编码所示区划之外。",
        "The cell lies mostly outside the division its code begins with.",
    ),
    FlawKind.CROSSING: Title(
        "越界", "crossing a boundary",
        "网格有一部分越出编码所示区划。",
        "Part of the cell lies outside the division its code begins with.",
    ),
    FlawKind.NESTED: Title(
        "套叠", "nested cell",
        "一个网格整个位于另一个之内；案件归小者。",
        "One cell lies inside another; cases go to the smaller.",
    ),
    FlawKind.SLIVER_CELL: Title(
        "狭长碎块网格", "sliver cell",
        "窄于一条街的网格，多为切割残余。",
        "A cell narrower than a street: mostly what a cut left over.",
    ),
    FlawKind.SLIVER_OVERLAP: Title(
        "细碎重叠", "sliver overlap",
        "共边两次数字化不一致造成的细缝。",
        "One shared edge that was drawn twice, and differently.",
    ),
    FlawKind.SLIVER_GAP: Title(
        "缝隙", "sliver gap",
        "共边两次数字化不一致造成的细缝。",
        "One shared edge that was drawn twice, and differently.",
    ),
    FlawKind.PARTS: Title(
        "多部件网格", "cell of several parts",
        "网格由互不相连的几块组成。",
        "The cell has parts that do not touch each other.",
    ),
    FlawKind.NO_AREA: Title(
        "无对应区划边界", "no boundary to compare with",
        "编码所示区划没有边界（如开发区的统计代码），无法核对位置。",
        "The code's division has no boundary, as with a development zone's statistical code: nothing to compare with.",
    ),
    FlawKind.NAME_MISSING: Title("名称缺失", "name missing", "网格没有名称。",
        "The cell has no name."),
    FlawKind.NAME_REPEATED: Title(
        "名称重复", "repeated name",
        "同一社区内有同名网格。",
        "Cells of one community have the same name.",
    ),
    FlawKind.NAME_NUMBER: Title(
        "名称与编码不符", "code against name",
        "名称中的序号与编码末三位不同，而本社区其余网格一致。",
        "The number in the name is not the code's last three digits, as it is in the rest of the community.",
    ),
    FlawKind.PEOPLE: Title(
        "规模超限", "size out of range",
        "基础网格应为 300 至 500 户或约 1000 人。",
        "A base grid has 300 to 500 households or about 1,000 people.",
    ),
    FlawKind.NO_FIGURES: Title(
        "无户数人口", "size not known",
        "没有户数和人口，规模无法核对。",
        "Neither households nor people are given: the size cannot be checked.",
    ),
    FlawKind.SEQUENCE: Title(
        "序号不连续", "numbers left out",
        "本社区网格序号有空号；撤并后属正常。",
        "Numbers are left out in a community; usual after cells were merged.",
    ),
}  # fmt: skip
assert set(TITLES) == set(FlawKind)

SEVERE = frozenset({
    FlawKind.INVALID, FlawKind.CODE_FORM, FlawKind.CODE_REPEATED, FlawKind.OVERLAP, FlawKind.GAP, FlawKind.MISPLACED,
})  # fmt: skip
"""Kinds that make cases go astray. The others are for people to look at."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One flaw, as it is listed."""

    kind: FlawKind
    codes: tuple[str, ...]
    """Of the cells concerned; for a gap those around it."""
    area: float
    """Square metres of what is wrong; 0 where no ground is."""
    shape: BaseGeometry | None
    """Lon/lat CGCS2000: the ground that is wrong, or the cell. None where there is nothing to show."""
    text: str
    """English, one sentence."""
    chinese: str
    """The same in Chinese."""
    severe: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a kind was found. Counts are exact, however few of them are listed."""

    kind: FlawKind
    count: int
    area: float
    """Square metres of all of them; ground that three cells claim counts three times."""
    severe: bool


@dataclass(frozen=True, slots=True)
class Topology:
    """What a check found."""

    cells: int
    area: float
    """Square metres of all cells together."""
    flaws: tuple[Flaw, ...]
    """Of each kind the worst; by kind, the largest first."""
    tallies: tuple[Tally, ...]
    """Of each kind that was found, the gravest first."""

    @property
    def counts(self) -> dict[FlawKind, int]:
        """How many of each kind that was found."""
        return {one.kind: one.count for one in self.tallies}

    @property
    def severe(self) -> int:
        """How many severe flaws there are."""
        return sum(one.count for one in self.tallies if one.severe)
