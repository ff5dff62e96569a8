"""A4 paper: a head and a foot on each page, and text that is measured before it is set. In mm; letters in points."""

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import noto_cjk_sans_otc
from fpdf import FPDF
from fpdf.enums import Align, TextMode

from gateway.report.document import printed
from gateway.report.folding import folded

INK, FAINT, LINE, RED = "#1F2933", "#5B6770", "#C9D0D7", "#B3261E"
_FONT = Path(noto_cjk_sans_otc.__file__).with_name("NotoSansCJK-Regular.ttc")
_SIMPLIFIED = 2
"""The face of the collection that is drawn as mainland China writes."""
_MARGIN, _TOP, _FOOT = 12.0, 17.0, 13.0
_SHORT, _LONG = 210.0, 297.0
POINT = 25.4 / 72
_HIGH = 1.38
"""Height of a line, in heights of its letters."""
_BASE = 1.0
_MISSING = "〓"
"""What printers set for a letter that they do not have."""
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)


class Paper(FPDF):
    """Pages that are filled from the top; `y` is where the next thing stands."""

    def __init__(self, title: str, head: str, at: datetime | None) -> None:
        super().__init__(unit="mm", format="A4")
        self.add_font("noto", fname=_FONT, collection_font_number=_SIMPLIFIED)
        self.set_font("noto", size=9)
        self.set_auto_page_break(False)
        self.set_margin(_MARGIN)
        self._wide: dict[str, float] = {}
        self._across = False
        self._titles = self.clean(title), self.clean(head)
        self.set_title(self._titles[0])
        self.set_creator("gridhub")
        self.set_lang("zh-CN")
        self.set_creation_date(at or _NO_DATE)

    def turn(self, *, across: bool | None = None) -> None:
        """A new page; `across`: it and those that follow lie on their long side."""
        self._across = self._across if across is None else across
        self.add_page(orientation="landscape" if self._across else "portrait")
        self.y = _TOP

    @property
    def left(self) -> float:
        """Where a line begins."""
        return _MARGIN

    @property
    def room(self) -> float:
        """How wide a line is."""
        return room(across=self._across)

    @property
    def across(self) -> bool:
        """True when pages lie on their long side."""
        return self._across

    @property
    def below(self) -> float:
        """How much of the page is left."""
        return self.h - _FOOT - self.y

    @property
    def whole(self) -> float:
        """How much a page has."""
        return self.h - _FOOT - _TOP

    def need(self, height: float) -> None:
        """Go on on a new page unless so much is left on this one."""
        if height > self.below and self.y > _TOP:
            self.turn()

    def header(self) -> None:
        """City, period and edition, and what this is."""
        title, head = self._titles
        head = self.short(head, 7.5, self.room * 0.45)
        self.put(self.left, 8, head, 7.5, colour=FAINT)
        title = self.short(title, 7.5, self.room * 0.95 - self.wide(head, 7.5))
        self.put(self.left, 8, title, 7.5, colour=FAINT, room=self.room, align=1.0)
        self.rule(13, LINE, 0.2)

    def footer(self) -> None:
        """The number of the page, and how many there are."""
        self.set_font_size(7.5)
        self.set_text_color(FAINT)
        self.set_xy(self.left, self.h - 10)
        said = f"第 {self.page_no()} 页，共 {{nb}} 页"  # the library knows the last number when all is set
        self.cell(self.room, high(7.5), said, align=Align.C)

    def rule(self, y: float, colour: str, thick: float) -> None:
        """A line across the page."""
        self.set_draw_color(colour)
        self.set_line_width(thick)
        self.line(self.left, y, self.left + self.room, y)

    def box(self, x: float, y: float, wide: float, high: float, colour: str) -> None:
        """A filled rectangle."""
        self.set_fill_color(colour)
        self.rect(x, y, wide, high, style="F")

    @cached_property
    def _there(self) -> frozenset[int]:
        font = self.fonts["noto"]
        return frozenset(font.cmap)  # type: ignore[union-attr]

    def clean(self, text: str) -> str:
        """The text as it can be set: one line, a mark for each letter that the font does not have."""
        flat = " ".join(printed(text).split("\n"))
        return "".join(one if ord(one) in self._there else _MISSING for one in flat)

    def wide(self, text: str, size: float) -> float:
        """How wide a text is in letters of so many points."""
        return sum(map(self._of, text)) * size

    def _of(self, one: str) -> float:
        found = self._wide.get(one)
        if found is None:
            before = self.font_size_pt
            self.set_font_size(100)
            found = self._wide[one] = self.get_string_width(one) / 100
            self.set_font_size(before)
        return found

    def lines(self, text: str, size: float, wide: float) -> list[str]:
        """The text in lines of this width; one at least."""
        clean = self.clean(text)
        if self.wide(clean, size) <= wide:
            return [clean]
        return list(folded(clean, wide, lambda one: self.wide(one, size), tear=True)) or [""]

    def short(self, text: str, size: float, wide: float) -> str:
        """As much of the text as fits into one line."""
        clean = self.clean(text)
        if self.wide(clean, size) <= wide:
            return clean
        while clean and self.wide(clean + "…", size) > wide:
            clean = clean[:-1]
        return f"{clean}…"

    def balanced(self, text: str, size: float, wide: float) -> list[str]:
        """As `lines`, no more of them, and of much the same length."""
        lines = self.lines(text, size, wide)
        even = self.wide(self.clean(text), size) / len(lines)
        for share in (1.02, 1.2, 1.4):
            found = self.lines(text, size, min(wide, even * share))
            if len(found) == len(lines):
                return found
        return lines

    def put(
        self, x: float, y: float, text: str, size: float, *, colour: str = INK, room: float = 0.0, align: float = 0.0,
        bold: bool = False,
    ) -> None:  # fmt: skip
        """One line of clean text whose top is `y`; `align`: what share of the room that it leaves stands before it."""
        x += (room - self.wide(text, size)) * align
        if self.font_size_pt != size:
            self.set_font_size(size)
        self.set_text_color(colour)
        base = y + size * POINT * _BASE
        if not bold:
            self.text(x, base, text)
            return
        self.set_draw_color(colour)
        with self.local_context(text_mode=TextMode.FILL_STROKE, line_width=size * 0.028):
            self.text(x, base, text)


def room(*, across: bool) -> float:
    """How wide a line of such a page is."""
    return (_LONG if across else _SHORT) - 2 * _MARGIN


def high(size: float, lines: int = 1) -> float:
    """The height of so many lines."""
    return size * POINT * _HIGH * lines
