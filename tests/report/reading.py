"""Reports read back by readers that know nothing of how they were written."""

import csv
import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pypdfium2
from openpyxl import load_workbook
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

_VOID = {"meta", "br", "hr", "img", "link", "input"}


def pdf_pages(content: bytes) -> list[str]:
    """The text of each page, without gaps: where a line breaks is no matter here."""
    return ["".join(page.get_textpage().get_text_range().split()) for page in pypdfium2.PdfDocument(content)]


def pdf_text(content: bytes) -> str:
    """The text of all pages, without gaps."""
    return "".join(pdf_pages(content))


def csv_rows(content: bytes) -> list[dict[str, str]]:
    """Rows by heading; what begins the file must be the mark that tells UTF-8."""
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


def opened(content: bytes) -> Workbook:
    """The workbook."""
    return load_workbook(io.BytesIO(content))


def rows_of(sheet: Worksheet, head: str) -> list[dict[str, Any]]:
    """Rows below the row that begins with this heading, by heading."""
    values = list(sheet.iter_rows(values_only=True))
    at = next(number for number, row in enumerate(values) if row[0] == head)
    return [dict(zip(map(str, values[at]), row, strict=True)) for row in values[at + 1 :]]


@dataclass
class Read(HTMLParser):
    """A page: its tables as texts, its tags, and everything that would be asked for elsewhere."""

    tables: list[list[list[str]]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    small: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset"}]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        elif tag == "small":
            self.small.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            self.addresses += re.findall(r"url\(|@import", data)
        elif "small" in self._open:
            self.small[-1] += data
        elif "td" in self._open or "th" in self._open:
            self.tables[-1][-1][-1] += data
        else:
            self.texts.append(data)

    def table(self, head: str) -> list[dict[str, str]]:
        """All tables that begin with this heading, put together row by row."""
        found = [table for table in self.tables if table[0][0] == head]
        parts = [[dict(zip(table[0], row, strict=True)) for row in table[1:]] for table in found]
        return [dict(kv for part in row for kv in part.items()) for row in zip(*parts, strict=True)]


def read_page(content: bytes) -> Read:
    """The page, which must be whole: every tag closed."""
    reader = Read()
    reader.feed(content.decode())
    reader.close()
    assert reader._open == []
    return reader
