"""A document as a workbook of a spreadsheet: a sheet a table, charts of its own kind, figures as numbers."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from io import BytesIO
from math import isfinite

from openpyxl import Workbook
from openpyxl.cell.cell import Cell as Square
from openpyxl.chart import BarChart, Reference
from openpyxl.chart.label import DataLabelList
from openpyxl.chart.marker import DataPoint
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.header_footer import HeaderFooterItem, _HeaderFooterPart
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from rich.cells import cell_len

from canonical.time import in_shanghai
from gateway.report.document import (
    Bars,
    Cell,
    Chart,
    Document,
    Heading,
    Kind,
    Table,
    Text,
    ink,
    number_format,
    printed,
)
from gateway.report.svg import PALETTE

_THIN = Side(style="thin", color="C9D0D7")
_BOX = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_HEAD_FILL, _TOTAL_FILL = PatternFill("solid", fgColor="EAF0F6"), PatternFill("solid", fgColor="EEF2F6")
_WARN = PatternFill("solid", fgColor="FDF3E3")
_FAINT = Font(color="5B6770")
_TITLE = Font(size=16, bold=True)
_CENTRED = Alignment(horizontal="center", vertical="center", wrap_text=True)
_LEFT = Alignment(vertical="center", wrap_text=True)
_PLAIN = frozenset({Kind.TEXT, Kind.TIME})
_WIDEST = 46
_LONGEST = 32_000
"""Characters a square may hold; a spreadsheet stops at 32,767."""
_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
_CHARTS = "图表"
_TALL = 0.62
"""Centimetres a lying bar takes."""


def workbook(document: Document) -> bytes:
    """The whole workbook as the bytes of an XLSX file."""
    book = Workbook()
    assert book.active is not None
    book.remove(book.active)
    book.properties.title = printed(document.title)
    book.properties.creator = "gridhub"
    tables = [part for part in document.parts if isinstance(part, Table)]
    texts = [part for part in document.parts if isinstance(part, Text)]
    charts = [part for part in document.parts if isinstance(part, Chart)]
    first = sorted(tables, key=lambda table: not table.main)
    for number, table in enumerate(first):
        _table(book.create_sheet(_name(book, table.title)), table, document if number == 0 else None)
        if number == 0 and charts:
            _charts(book.create_sheet(_name(book, _CHARTS)), charts)
    _notes(book.create_sheet(_name(book, "说明"), 0 if document.words_first else None), document, texts)
    book.active = 0
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _name(book: Workbook, title: str) -> str:
    """A name a sheet may have, and none has yet."""
    short = _FORBIDDEN.sub("", printed(title))[:24].strip() or "表"
    taken = {one.lower() for one in book.sheetnames}
    number = 1
    name = short
    while name.lower() in taken:
        number += 1
        name = f"{short}{number}"
    return name


def _table(sheet: Worksheet, table: Table, document: Document | None) -> None:
    across = len(table.headings)
    top = 1
    if document is not None:
        top = _head(sheet, document, across)
    for at, heading in enumerate(table.headings, 1):
        square = _put(sheet, top, at, heading.title)
        square.font, square.fill, square.border, square.alignment = Font(bold=True), _HEAD_FILL, _BOX, _CENTRED
    first_total = len(table.rows) - table.totals
    for number, row in enumerate(table.rows):
        for at, cell in enumerate(row):
            one = _square(sheet, top + 1 + number, at + 1)
            _fill(one, table.headings[at], cell)
            if number >= first_total:
                one.font = Font(bold=True)
                if not cell.colour:
                    one.fill = _TOTAL_FILL
    sheet.freeze_panes = f"{get_column_letter(table.keys + 1)}{top + 1}"
    if table.rows:
        last = get_column_letter(across)
        sheet.auto_filter.ref = f"A{top}:{last}{top + max(1, first_total)}"
    for at, heading in enumerate(table.headings):
        sheet.column_dimensions[get_column_letter(at + 1)].width = _width(heading, [row[at] for row in table.rows])
    sheet.row_dimensions[top].height = 34
    for number, row in enumerate(table.rows, top + 1):
        sheet.row_dimensions[number].height = 3 + 15.5 * _lines_of(table, row)
    _printing(sheet, f"{top}:{top}")


def _head(sheet: Worksheet, document: Document, across: int) -> int:
    """Title and facts above the first table; the row that comes next."""
    _merged(sheet, 1, across, document.title).font = _TITLE
    sheet.row_dimensions[1].height = 30
    _merged(sheet, 2, across, "    ".join(f"{name}：{value}" for name, value in document.facts)).font = _FAINT
    sheet.row_dimensions[2].height = 32
    if not document.provisional:
        return 3
    _merged(sheet, 3, across, document.provisional).fill = _WARN
    return 4


def _merged(sheet: Worksheet, row: int, across: int, text: str) -> Square:
    square = _put(sheet, row, 1, text)
    square.alignment = _CENTRED
    sheet.merge_cells(start_row=row, start_column=1, end_row=row, end_column=max(across, 1))
    return square


def _put(sheet: Worksheet, row: int, column: int, text: str) -> Square:
    square = _square(sheet, row, column)
    _text(square, text)
    return square


def _square(sheet: Worksheet, row: int, column: int) -> Square:
    square = sheet.cell(row, column)
    assert isinstance(square, Square)  # nothing is written into what was merged
    return square


def _text(square: Square, text: str) -> None:
    """A text, though it may look like a formula."""
    square.value = printed(text)[:_LONGEST]
    square.data_type = "s"
    if text.startswith(("=", "+", "-", "@")):
        square.quotePrefix = True


def _fill(square: Square, heading: Heading, cell: Cell) -> None:
    kind = cell.kind or heading.kind
    value = cell.value
    if isinstance(value, datetime):
        square.value = in_shanghai(value).replace(tzinfo=None, microsecond=0)  # a spreadsheet knows no zones
        square.number_format = "yyyy-mm-dd hh:mm"
    elif isinstance(value, str) or value is None or not isfinite(value):
        _text(square, heading.written(cell))
    else:
        square.value = _number(value, kind)
        square.number_format = "#,##0.00" if kind is Kind.COUNT and value % 1 else number_format(kind)
    square.border = _BOX
    square.alignment = _side(heading, cell)
    if cell.colour:
        square.fill = PatternFill("solid", fgColor=cell.colour[1:])
        square.font = Font(bold=True, color=ink(cell.colour)[1:])


def _number(value: float, kind: Kind) -> float:
    """As a spreadsheet holds it: a percentage is a share there, and a count is whole."""
    if kind is Kind.PERCENT:
        return value / 100
    return int(value) if kind is Kind.COUNT and float(value).is_integer() else value


def _side(heading: Heading, cell: Cell) -> Alignment:
    if cell.colour or heading.kind is Kind.TIME:
        return _CENTRED
    return _LEFT if heading.kind is Kind.TEXT else Alignment(horizontal="right", vertical="center")


def _width(heading: Heading, cells: Sequence[Cell]) -> float:
    widest = max((cell_len(heading.written(cell)) for cell in cells), default=0)
    return max(8, min(max(widest, min(cell_len(heading.title), 14)) + 3, _WIDEST))


def _lines_of(table: Table, row: Sequence[Cell]) -> int:
    """How many lines the longest text of a row takes."""
    return max(-(-cell_len(one.written(cell)) // (_WIDEST - 3)) for one, cell in zip(table.headings, row, strict=True))


def _printing(sheet: Worksheet, heads: str = "") -> None:
    """A4 across, as wide as the page."""
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = "9"  # A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    if heads:
        sheet.print_title_rows = heads
    sheet.oddFooter = HeaderFooterItem(right=_HeaderFooterPart("&P / &N"))
    sheet.sheet_view.showGridLines = False


def _charts(sheet: Worksheet, charts: Sequence[Chart]) -> None:
    """The numbers of each chart, and the chart beside them."""
    row = 1
    for chart in charts:
        titles = ["", *(series.title for series in chart.series)]
        _put(sheet, row, 1, chart.title).font = Font(bold=True)
        for at, title in enumerate(titles[1:], 2):
            _put(sheet, row + 1, at, title).font = Font(bold=True)
        for number, label in enumerate(chart.labels):
            _put(sheet, row + 2 + number, 1, label)
            for at, series in enumerate(chart.series, 2):
                square = _square(sheet, row + 2 + number, at)
                value = series.values[number]
                square.value = None if value is None or not isfinite(value) else _number(value, chart.kind)
                square.number_format = number_format(chart.kind)
        drawn = _drawn(sheet, chart, row)
        sheet.add_chart(drawn, f"{get_column_letter(len(titles) + 2)}{row}")
        row += max(len(chart.labels) + 4, int(drawn.height / 0.5) + 2)
    sheet.column_dimensions["A"].width = 26
    _printing(sheet)


def _drawn(sheet: Worksheet, chart: Chart, row: int) -> BarChart:
    lying = chart.bars is Bars.ROWS
    drawn = BarChart()
    drawn.type = "bar" if lying else "col"
    drawn.title = printed(chart.title)
    last = row + 1 + len(chart.labels)
    for at in range(2, 2 + len(chart.series)):
        drawn.add_data(Reference(sheet, min_col=at, min_row=row + 1, max_row=last), titles_from_data=True)
    drawn.set_categories(Reference(sheet, min_col=1, min_row=row + 2, max_row=last))
    drawn.width = 22
    drawn.height = max(7.5, _TALL * len(chart.labels) * len(chart.series) + 3) if lying else 8.5
    drawn.legend.position = "b"
    if len(chart.series) == 1:
        drawn.legend = None
    drawn.gapWidth = 45
    drawn.x_axis.delete = drawn.y_axis.delete = False  # newer spreadsheets hide axes that do not say so
    if lying:
        drawn.x_axis.scaling.orientation = "maxMin"
    drawn.y_axis.number_format = "0%" if chart.kind is Kind.PERCENT else number_format(chart.kind)
    drawn.y_axis.majorGridlines = None
    drawn.y_axis.scaling.min = 0
    if chart.kind is Kind.PERCENT:
        drawn.y_axis.scaling.max = 1
    for number, series in enumerate(chart.series):
        _paint(drawn, number, series.colours)
    return drawn


def _paint(drawn: BarChart, number: int, colours: Sequence[str]) -> None:
    made = drawn.series[number]
    made.graphicalProperties.solidFill = PALETTE[number % len(PALETTE)][1:]
    made.dLbls = DataLabelList(showVal=True, showSerName=False, showCatName=False, showLegendKey=False)
    for at, colour in enumerate(colours):
        if colour:
            point = DataPoint(idx=at)
            point.graphicalProperties.solidFill = colour[1:]
            made.dPt.append(point)


def _notes(sheet: Worksheet, document: Document, texts: Sequence[Text]) -> None:
    """Everything that is said in sentences."""
    _put(sheet, 1, 1, document.title).font = _TITLE
    for row, (text, bold) in enumerate(_lines(document, texts), 2):
        square = _put(sheet, row, 1, text)
        square.alignment = Alignment(wrap_text=True, vertical="top")
        square.font = Font(bold=bold)
    sheet.column_dimensions["A"].width = 110
    _printing(sheet)


def _lines(document: Document, texts: Sequence[Text]) -> Iterator[tuple[str, bool]]:
    yield from ((f"{name}：{value}", False) for name, value in document.facts)
    if document.provisional:
        yield document.provisional, True
    for text in texts:
        yield text.title, True
        yield from ((line, False) for line in text.lines)
    if document.foot:
        yield document.foot, False
