"""How layers look: colours, classes and the rules Mapnik draws them by. What a style is called is what WMS calls it.

Colours are those of Okabe and Ito (2008), which stay apart for colour-blind eyes; densities darken in one hue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import quoteattr

from canonical.lifecycle import STAGE_TITLES, Stage
from maps.table import Shape

POINTS_BELOW = 100_000
"""Scale denominator above which cases are shown as density by cell."""
_LABELS_BELOW = 30_000
FONT = "Noto Sans CJK SC Regular"
RIM = "#333333"
"""Around a point: without it the light colours are lost on a light map."""
BLUE, SKY, GREEN, YELLOW, ORANGE, RED, PINK, GREY = (
    "#0072b2", "#56b4e9", "#009e73", "#f0e442", "#e69f00", "#d55e00", "#cc79a7", "#7f7f7f",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One class of a style: what it is called in the legend, and its colour."""

    title: str
    colour: str


@dataclass(frozen=True, slots=True)
class Style:
    """One way to draw a layer. `k` is the column that tells the parts apart: a position in `parts`."""

    name: str
    title: str
    shape: Shape
    parts: tuple[Part, ...]
    by: str = ""
    """The column that `k` is made of; empty: there is one part."""


_STAGES: Mapping[str, tuple[str, tuple[Stage, ...]]] = {
    GREY: ("上报、核实 reported", (Stage.REPORTED, Stage.VERIFYING)),
    SKY: ("已立案 filed", (Stage.FILED,)),
    BLUE: ("派遣、处置中 in work", (Stage.DISPATCHED, Stage.HANDLING)),
    ORANGE: ("退件 returned", (Stage.RETURNED,)),
    PINK: ("挂账 suspended", (Stage.SUSPENDED,)),
    GREEN: ("已处置、已核查 disposed", (Stage.DISPOSED, Stage.CHECKED)),
    YELLOW: ("已办结 ended", (Stage.CLOSED, Stage.EVALUATED, Stage.REFUSED, Stage.CANCELLED, Stage.MERGED)),
}
_STAGE_PART = {stage.value: part for part, (_, stages) in enumerate(_STAGES.values()) for stage in stages}
assert len(_STAGE_PART) == len(STAGE_TITLES)  # a new stage needs a colour

_KINDS = (SKY, ORANGE, GREEN, BLUE, PINK, RED, YELLOW, GREY)
"""Classes share eight colours, by the number of their major class; the last is for those without a class."""

_DENSITY = ((1, "#fee8c8"), (3, "#fdbb84"), (6, "#fc8d59"), (11, "#d7301f"), (21, "#7f0000"))
"""From this many cases in a cell on."""

PLAIN = Style("default", "案件 Cases", Shape.POINT, (Part("案件 case", BLUE),))
STAGE = Style(
    "stage",
    "按阶段 By stage",
    Shape.POINT,
    tuple(Part(title, colour) for colour, (title, _) in _STAGES.items()),
    "stage",
)
OVERDUE = Style(
    "overdue", "按时限 By time limit", Shape.POINT, (Part("按时 in time", BLUE), Part("超时 overdue", RED)), "overdue"
)
_NO_CLASS = Part("未分类 no class", _KINDS[-1])
_MAJORS = [Part(f"大类 major {number + 1}, {number + 8} ...", colour) for number, colour in enumerate(_KINDS[:-1])]
CLASS = Style("class", "按类别 By class", Shape.POINT, (*_MAJORS, _NO_CLASS), "class_code")
_STEPS = [Part(f"{low}-{high - 1}", colour) for (low, colour), (high, _) in pairwise(_DENSITY)]
_MOST = Part(f">= {_DENSITY[-1][0]}", _DENSITY[-1][1])
DENSITY = Style("default", "案件密度 Case density", Shape.SURFACE, (Part("0", "none"), *_STEPS, _MOST), "cases")
GRIDS = Style("default", "单元网格 Unit grids", Shape.SURFACE, (Part("单元网格 unit grid", "#5b5b5b"),))
INDUSTRY = Style("default", "行业网格 Industry grids", Shape.SURFACE, (Part("行业网格 industry grid", "#6a3d9a"),))
DISTRICTS = Style("default", "区县 Districts", Shape.SURFACE, (Part("区县 district", "#111111"),))

CASE_STYLES = (PLAIN, STAGE, CLASS, OVERDUE)


def part_of(style: Style, values: Sequence[object]) -> list[int]:
    """The part each value belongs to."""
    return [_PARTS[style.by](value) for value in values] if style.by else [0] * len(values)


def _class_part(value: object) -> int:
    digits = "".join(letter for letter in str(value or "").rpartition(":")[2].partition("-")[0] if letter.isdigit())
    return (int(digits) - 1) % (len(_KINDS) - 1) if digits else len(_KINDS) - 1


def _density_part(value: object) -> int:
    assert isinstance(value, int)
    return sum(value >= low for low, _ in _DENSITY)


_PARTS: Mapping[str, Callable[[object], int]] = {
    "stage": lambda value: _STAGE_PART[str(value)], "overdue": bool, "class_code": _class_part, "cases": _density_part,
}  # fmt: skip

# --- the rules Mapnik draws by ---


def rules(style: Style, denominator: float, *, label: bool, name: str) -> str:
    """The Mapnik style, called `name`, at this scale. `label`: the column `label` is written on the map."""
    draw = _marker if style.shape is Shape.POINT else _FILLS.get(id(style), _outline)
    several = len(style.parts) > 1
    drawn = "".join(
        f"<Rule>{f'<Filter>[k] = {number}</Filter>' if several else ''}{draw(part, denominator)}</Rule>"
        for number, part in enumerate(style.parts)
        if part.colour != "none"
    )
    text = f"<Rule>{_TEXT}</Rule>" if label and denominator < _LABELS_BELOW else ""
    return f'<Style name="{name}">{drawn}{text}</Style>'


def _marker(part: Part, denominator: float) -> str:
    size = 7 if denominator > _LABELS_BELOW else 9
    return (
        f'<MarkersSymbolizer fill="{part.colour}" stroke="{RIM}" stroke-width="0.7" width="{size}" height="{size}" '
        'allow-overlap="true" ignore-placement="true"/>'
    )


def _outline(part: Part, denominator: float) -> str:
    wide = 0.5 if denominator > POINTS_BELOW else 0.8
    return (
        f'<PolygonSymbolizer fill="{part.colour}" fill-opacity="0.06"/>'
        f'<LineSymbolizer stroke="{part.colour}" stroke-width="{wide}" stroke-opacity="0.8" stroke-linejoin="round"/>'
    )


def _bold(part: Part, _: float) -> str:
    return f'<LineSymbolizer stroke="{part.colour}" stroke-width="1.6" stroke-linejoin="round"/>'


def _fill(part: Part, _: float) -> str:
    return (
        f'<PolygonSymbolizer fill="{part.colour}" fill-opacity="0.75"/>'
        '<LineSymbolizer stroke="#ffffff" stroke-width="0.4"/>'
    )


_FILLS = {id(DENSITY): _fill, id(DISTRICTS): _bold, id(INDUSTRY): _bold}


_TEXT = (
    f'<TextSymbolizer face-name={quoteattr(FONT)} size="11" fill="#222222" halo-fill="rgba(255,255,255,0.85)" '
    'halo-rasterizer="fast" halo-radius="1.4" placement="interior" wrap-width="90" minimum-distance="4">'
    "[label]</TextSymbolizer>"
)
