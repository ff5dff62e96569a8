"""The main table of a document as CSV (RFC 4180) that spreadsheet programs open as UTF-8."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from math import isfinite

from canonical.tables import harmless
from canonical.time import in_shanghai
from gateway.report.document import Cell, Document, Heading, Kind, Table, printed, rounded

_WORDS = frozenset({Kind.TEXT, Kind.TIME})
_MARK = "\ufeff"


def rows_file(document: Document) -> bytes:
    """Figures are bare numbers, a percentage without its sign; a rate brings what it is made of in two more columns."""
    table = document.table
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    rates = _rates(table)
    first = ["编号"] if table.ids else []
    writer.writerow(first + [title for one in table.headings for title in _titles(one, one.id in rates)])
    for number, row in enumerate(table.rows):
        first = [_clean(table.ids[number])] if table.ids else []
        pairs = zip(table.headings, row, strict=True)
        writer.writerow(first + [text for one, cell in pairs for text in _texts(one, cell, one.id in rates)])
    return (_MARK + out.getvalue()).encode()


def _rates(table: Table) -> frozenset[str]:
    """Columns whose cells are made of two numbers."""
    of = [heading.id for row in table.rows for heading, cell in zip(table.headings, row, strict=True) if cell.of]
    return frozenset(of)


def _titles(heading: Heading, rate: bool) -> Iterator[str]:
    title = _clean(heading.title)
    yield f"{title}(%)" if heading.kind is Kind.PERCENT else title
    if rate:
        unit = "（秒）" if heading.kind in {Kind.HOURS, Kind.DAYS} else ""
        yield from (f"{title} 分子{unit}", f"{title} 分母")


def _texts(heading: Heading, cell: Cell, rate: bool) -> Iterator[str]:
    kind = cell.kind or heading.kind
    value = cell.value
    if isinstance(value, datetime):
        yield in_shanghai(value).isoformat(timespec="seconds")
    elif isinstance(value, str) or value is None or kind in _WORDS or not isfinite(value):
        yield _clean(heading.written(cell))
    else:
        yield str(rounded(value, kind))
    if rate:
        yield from (_bare(one) for one in cell.of or ("", ""))


def _bare(number: float | str) -> str:
    if isinstance(number, str) or not isfinite(number):
        return ""
    return str(int(number) if float(number).is_integer() else number)


def _clean(text: str) -> str:
    return harmless(printed(text))
