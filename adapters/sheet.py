"""Tables and archives as rows and bytes: CSV, Excel workbooks, zip and gzip. Pure.

Everything here comes from outside: any bytes give a result of bounded size or an Unacceptable (unreadable) that says
where the trouble is, never what stands there.
"""

import codecs
import csv
import datetime as dt
import io
import itertools
import math
import re
import struct
import unicodedata
import warnings
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from adapters.charset import known
from adapters.table_rows import check_count
from canonical.errors import Misconfigured, Unacceptable, Why

MOST_CELLS = 5_000_000
"""Cells of one table, empty ones and cells of empty rows included."""
MOST_COLUMNS, MOST_ROWS = 16_384, 1_048_576
"""As many as Excel has; empty rows included."""
MOST_UNPACKED = 200_000_000
"""Bytes a workbook may unpack to."""
MOST_RATIO = 200
"""How many times larger than its file a workbook may be; real ones stay below 50."""
_RATIO_MATTERS_FROM = 10_000_000
"""Bytes unpacked below which nobody is harmed by any ratio."""
MOST_TAGS = 16_000_000
"""Opening and closing tags in a workbook's XML: each costs many times its own bytes while it is read."""
MOST_PARTS = 10_000
"""Files inside a workbook, or parts of a gzip file."""

_CHARSETS: Mapping[str, str] = {
    "ascii": "ascii",
    "big5": "big5",
    "gb18030": "gb18030",
    "gb2312": "gb18030",  # what is declared as one of the smaller sets holds the larger one's signs sooner or later
    "gbk": "gb18030",
    "utf-16": "utf-16",
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf8": "utf-8",
}
_MARKS: Sequence[tuple[bytes, str]] = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_CHUNK = 64 * 1024
_GZIP = b"\x1f\x8b"


def csv_rows(
    data: bytes, *, charset: str, delimiter: str = ",", header: tuple[str, ...] | None = None, header_row: int = 1,
    trailer: int = 0, count: str = "", max_rows: int = 200_000,
) -> list[dict[str, str]]:  # fmt: skip
    """The rows of a CSV file, each a dict in the header's order. The first line is the header unless `header` is given.
    What stands before `header_row` is passed over, with `header` as well.

    `charset`: utf-8, gb18030 (gbk, gb2312), utf-16, big5, ascii, or auto: by its byte order mark, else UTF-8, else
    GB18030. Blank rows are skipped. `trailer`: so many rows at the end are none, such as a count; the group of the
    pattern `count` in them is the number of rows there must be. Rows are numbered as a spreadsheet shows them. Raises
    Unacceptable.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise Misconfigured("a delimiter is one sign, and neither a quote nor a line end")
    text = _decoded(data, charset)
    if "\0" in text:
        raise _unreadable(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}", "a NUL character")
    said: list[Sequence[str]] = []
    cells = _without_trailer(_csv_cells(text, delimiter), trailer, said)
    rows = _as_dicts(cells, header, header_row, max_rows)
    check_count(",".join(itertools.chain(*said)), count, len(rows))
    return rows


def xlsx_rows(
    data: bytes, *, sheet: str = "", header_row: int = 1, trailer: int = 0, count: str = "", max_rows: int = 200_000
) -> list[dict[str, str]]:  # fmt: skip
    """The rows of a workbook's sheet (the first one when none is named), as `csv_rows` gives them.

    A name with `*` or `?` is a pattern: the rows of all sheets that fit, each under its own header.

    Dates are `yyyy-MM-dd`, times of day `HH:mm:ss`, both together with a blank between; whole numbers have no point;
    true and false; a formula is its last value. Raises Unacceptable.
    """
    if header_row < 1:
        raise Misconfigured("header_row counts from 1")
    _check_workbook(data)
    try:
        with warnings.catch_warnings():  # of styles and extensions it does not know, none of which are cells
            warnings.simplefilter("ignore")
            rows: list[dict[str, str]] = []
            for name in _sheets(data, sheet):
                said: list[Sequence[str]] = []
                cells = _without_trailer(_xlsx_cells(data, name), trailer, said)
                page = _as_dicts(cells, None, header_row, max_rows - len(rows), padded=True)
                check_count(",".join(itertools.chain(*said)), count, len(page))
                rows += page
            return rows
    except _BROKEN:
        raise _unreadable("workbook", "broken") from None


def zip_names(data: bytes, max_members: int = 1000) -> list[str]:
    """Names of the files in a zip, as `zip_members` gives them. Raises Unacceptable."""
    try:
        with _archive(data, max_members) as archive:
            infos = enumerate(archive.infolist(), 1)
            return [name for n, info in infos if not (name := _member_name(info, f"member {n}")).endswith("/")]
    except _BROKEN:
        raise _unreadable("archive", "not a zip, or broken") from None


def zip_members(
    data: bytes, *, match: str | frozenset[str] = "*", max_bytes: int, max_members: int = 1000
) -> list[tuple[str, bytes]]:  # fmt: skip
    """Names (with `/` between folders) and bytes of the files in a zip whose whole names match (a pattern, or names).

    Names without the UTF-8 mark are read as UTF-8, else as GB18030. `max_bytes` counts all matching files together as
    they unpack; `max_members` counts all files. Raises Unacceptable; one name that leads elsewhere spoils the archive.
    """
    found: dict[str, bytes] = {}
    left = max_bytes
    try:
        with _archive(data, max_members) as archive:
            for number, info in enumerate(archive.infolist(), 1):
                at = f"member {number}"
                name = _member_name(info, at)
                wanted = fnmatchcase(name, match) if isinstance(match, str) else name in match
                if name.endswith("/") or not wanted:
                    continue
                if name in found:
                    raise _unreadable(at, "a name that was there before")
                body = b"".join(_unpacked(archive, info, left, at))
                left -= len(body)
                found[name] = body
    except _BROKEN:
        raise _unreadable("archive", "not a zip, or broken") from None
    return list(found.items())


def gzip_bytes(data: bytes, max_bytes: int) -> bytes:
    """What was packed with gzip, in one part or several. Raises Unacceptable, also when it grows beyond `max_bytes`."""
    body = bytearray()
    position = 0
    for _ in range(MOST_PARTS):
        position = _gunzip_part(data, position, body, max_bytes)
        if data[position : position + 2] != _GZIP and not data[position:].strip(b"\0"):
            return bytes(body)  # tapes and some servers fill up with zeros
    raise _unreadable(f"byte {position}", f"more than {MOST_PARTS} parts")


def _gunzip_part(data: bytes, position: int, body: bytearray, max_bytes: int) -> int:
    """Unpack the part that begins at `position` onto `body`; where it ends."""
    part = zlib.decompressobj(zlib.MAX_WBITS | 16)
    while not part.eof:
        chunk = data[position : position + _CHUNK]
        if not chunk:
            raise _unreadable(f"byte {position}", "gzip that ends early")
        try:
            body += part.decompress(chunk, max_bytes + 1 - len(body))
        except zlib.error:
            raise _unreadable(f"byte {position}", "not gzip, or broken") from None
        if len(body) > max_bytes:
            raise _unreadable(f"byte {position}", f"unpacks to more than {max_bytes} bytes")
        position += len(chunk) - len(part.unconsumed_tail) - len(part.unused_data)
    return position


def _unreadable(at: str, text: str) -> Unacceptable:
    return Unacceptable(f"{at}: {text}", why=Why.UNREADABLE, at=at)


def _decoded(data: bytes, charset: str) -> str:
    """Text without a byte order mark."""
    name = charset.lower()
    if name == "auto":
        marked = next((known for mark, known in _MARKS if data.startswith(mark)), "")
        if not marked:
            try:
                return data.decode()
            except UnicodeDecodeError:
                marked = "gb18030"
    elif name in _CHARSETS or known(charset):
        marked = _CHARSETS.get(name, charset)
    else:
        raise Misconfigured(f"charset: one of auto, {', '.join(_CHARSETS)} is expected")
    try:
        return data.decode(marked).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _unreadable(f"byte {error.start}", f"not {marked}") from None


class _Lines:
    """A text's lines for the csv reader, which would make a list of any length out of one record."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._lines = iter(io.StringIO(text, newline=""))
        self._delimiter = delimiter
        self._columns = 1
        self.records = 0
        """Records that are whole, for positions."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._columns += line.count(self._delimiter)
        if self._columns > MOST_COLUMNS:
            raise _unreadable(f"row {self.records + 1}", f"more than {MOST_COLUMNS} columns")
        return line

    def record_ended(self) -> None:
        self._columns = 1
        self.records += 1


def _csv_cells(text: str, delimiter: str) -> Iterator[Sequence[str]]:
    lines = _Lines(text, delimiter)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            lines.record_ended()
            yield row
    except csv.Error as error:
        what = (
            "a quote that does not end" if "end of data" in f"{error}" else "a quote in the wrong place or a huge cell"
        )
        raise _unreadable(f"row {lines.records + 1}", what) from None


def _without_trailer(rows: Iterable[Sequence[str]], trailer: int, kept: list[Sequence[str]]) -> Iterator[Sequence[str]]:
    """All but the last rows that are not blank, which are kept aside."""
    held: deque[tuple[Sequence[str], bool]] = deque()
    said = 0
    for row in rows:
        held.append((row, any(cell.strip() for cell in row)))
        said += held[-1][1]
        while said > trailer or (held and not trailer):
            before, words = held.popleft()
            said -= words
            yield before
    kept += [row for row, _ in held]


def _as_dicts(
    rows: Iterable[Sequence[str]],
    header: tuple[str, ...] | None,
    header_row: int,
    max_rows: int,
    *,
    padded: bool = False,
) -> list[dict[str, str]]:
    """The rows after the header as dicts; those without any text are skipped. `padded`: short rows are filled up."""
    names = None if header is None else _names(header, "header")
    found: list[dict[str, str]] = []
    cells = 0
    for number, row in enumerate(rows, 1):
        at = f"row {number}"
        cells += len(row) + 1
        if cells > MOST_CELLS or number > MOST_ROWS:
            raise _unreadable(at, f"more than {MOST_CELLS} cells or {MOST_ROWS} rows")
        if number < header_row or not any(cell.strip() for cell in row):
            continue
        if names is None:
            names = _names([_heading(cell) for cell in row], at)
        else:
            if len(found) == max_rows:
                raise _unreadable(at, f"more than {max_rows} rows")
            missing = len(names) - len(row) if padded else 0
            found.append(_as_dict(names, [*row, *[""] * missing], at))
    if names is None:
        raise _unreadable(f"row {header_row}", "no header")
    return found


def _names(row: Sequence[str], at: str) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in row)
    seen: set[str] = set()
    for column, name in enumerate(names, 1):
        if name in seen:
            raise _unreadable(f"{at}, column {column}", "a heading that was there before")
        seen.add(name)
    return names


def _heading(cell: str) -> str:
    """A heading without what only lays it out: blanks and line breaks between Chinese signs, several elsewhere."""
    return re.sub(r"\s+", " ", _INSIDE_CHINESE.sub("", cell.strip()))


_INSIDE_CHINESE = re.compile(r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])")


def _as_dict(names: tuple[str, ...], row: Sequence[str], at: str) -> dict[str, str]:
    if len(row) != len(names):
        raise _unreadable(at, f"{len(row)} cells where the header has {len(names)}")
    return dict(zip(names, row, strict=True))


_BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, NotImplementedError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What zipfile and openpyxl raise at bytes nobody meant to be a workbook; their XML errors are SyntaxErrors."""

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DECLARATIONS = tuple(
    f"<!{word}".encode(charset) for word in ("DOCTYPE", "ENTITY") for charset in ("utf-8", "utf-16-le", "utf-16-be")
)
"""Workbooks have none; with entities a small file grows without end."""
_LONGEST_DECLARATION = max(map(len, _DECLARATIONS))


def _check_workbook(data: bytes) -> None:
    """Looks at every part once, before a reader that trusts its input does."""
    if data.startswith(_OLD_OFFICE):
        raise _unreadable("workbook", "encrypted, or in the format of before 2007: it is to be saved as .xlsx")
    try:
        with _archive(data, MOST_PARTS) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
            if unpacked > MOST_UNPACKED or (unpacked > max(_RATIO_MATTERS_FROM, MOST_RATIO * len(data))):
                raise _unreadable(
                    "workbook", f"unpacks to more than {MOST_UNPACKED} bytes or {MOST_RATIO} times its own"
                )
            left, tags = MOST_UNPACKED, 0
            for number, info in enumerate(archive.infolist(), 1):
                tail = b""
                for chunk in _unpacked(archive, info, left, f"part {number}"):
                    left -= len(chunk)
                    tags += chunk.count(b"<")
                    window = tail + chunk
                    if tags > MOST_TAGS or any(word in window for word in _DECLARATIONS):
                        raise _unreadable(f"part {number}", "too many tags, or a document type declaration")
                    tail = window[-_LONGEST_DECLARATION:]
    except _BROKEN:
        raise _unreadable("workbook", "not an xlsx file, or broken") from None


def _workbook(data: bytes) -> Any:  # noqa: ANN401 the library has no types
    import openpyxl  # a tenth of a process's start, and most processes read no workbook

    return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)


def _sheets(data: bytes, sheet: str) -> Sequence[str]:
    """The names of the sheets meant; a name that is no pattern stays as it is."""
    if not any(sign in sheet for sign in "*?"):
        return (sheet,)
    book = _workbook(data)
    try:
        found = [page.title for page in book.worksheets if fnmatchcase(page.title, sheet)]
    finally:
        book.close()
    if not found:
        raise _unreadable("workbook", f"no sheet '{sheet}'")
    return found


def _xlsx_cells(data: bytes, sheet: str) -> Iterator[Sequence[str]]:
    """All rows from the first on, without the empty cells at their ends."""
    book = _workbook(data)
    try:
        found = {page.title: page for page in book.worksheets}
        if sheet and sheet not in found:
            raise _unreadable("workbook", f"no sheet '{sheet}'")
        page: Any = found[sheet] if sheet else book.worksheets[0]
        page.reset_dimensions()  # what the file says of its own size is often wrong, and may be a trap
        for row in page.iter_rows(min_row=1, min_col=1):
            yield _trimmed(row)
    finally:
        book.close()


def _trimmed(row: Sequence[Any]) -> Sequence[str]:
    cells = [_cell_text(cell) for cell in row]
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def _cell_text(cell: Any) -> str:  # noqa: ANN401 a cell, or the library's mark for an empty one
    value = cell.value
    if isinstance(value, dt.datetime):
        # Excel has no dates, only instants that are shown as dates.
        return f"{_to_second(value):{_DATE if _shows_no_time(cell.number_format) else _DATE_TIME}}"
    write = next((write for kind, write in _WRITERS if isinstance(value, kind)), str)
    return write(value)


_DATE, _DATE_TIME = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"


def _to_second(at: dt.datetime) -> dt.datetime:
    """Excel's fractions of a day miss the second by a hair on either side."""
    return (at + dt.timedelta(milliseconds=500)).replace(microsecond=0)


def _shows_no_time(number_format: str) -> bool:
    """True for formats such as yyyy-mm-dd; text in quotes and brackets of a format is no part of its pattern."""
    pattern = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", number_format.lower())
    return "h" not in pattern and "s" not in pattern


def _float_text(value: float) -> str:
    """With the 15 digits Excel shows and never with an exponent. Raises ValueError for what is no number."""
    if not math.isfinite(value):
        raise ValueError("not a number")
    return f"{int(value)}" if value.is_integer() else f"{Decimal(f'{value:.15g}'):f}"


def _span_text(value: dt.timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


_WRITERS: Sequence[tuple[type, Callable[[Any], str]]] = (
    (type(None), lambda _: ""),
    (bool, lambda value: "true" if value else "false"),
    (float, _float_text),
    (dt.date, lambda value: f"{value:{_DATE}}"),
    (dt.time, lambda value: f"{value:%H:%M:%S}"),
    (dt.timedelta, _span_text),
)


@contextmanager
def _archive(data: bytes, max_members: int) -> Iterator[zipfile.ZipFile]:
    """A zip of not too many files; the library would make an object of each before one could count them."""
    if data.count(b"PK\x01\x02") > 10 * max_members:  # a zip inside this one may add to the true number
        raise _unreadable("archive", f"more than {max_members} members")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if len(archive.infolist()) > max_members:
            raise _unreadable("archive", f"more than {max_members} members")
        yield archive


_ENCRYPTED = 0x1 | 0x40
_NAME_IS_UTF_8 = 0x800
_PACKING = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""The other ways of packing are rare, and let a header of a few bytes ask for gigabytes of memory."""


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int, at: str) -> Iterator[bytes]:
    """A member's bytes, counted as they come: its header may say anything."""
    if info.flag_bits & _ENCRYPTED:
        raise _unreadable(at, "encrypted")
    if info.compress_type not in _PACKING:
        raise _unreadable(at, "packed in a way other than deflate")
    with archive.open(info) as member:
        while chunk := member.read(_CHUNK):
            most -= len(chunk)
            if most < 0:
                raise _unreadable(at, "the files unpack to more bytes than allowed")
            yield chunk


def _member_name(info: zipfile.ZipInfo, at: str) -> str:
    """The name as its maker wrote it, if it can only lie below the archive's own folder."""
    name = info.orig_filename
    if not info.flag_bits & _NAME_IS_UTF_8:
        name = _decoded(name.encode("cp437"), "auto")
    name = name.replace("\\", "/")  # some Windows programs write theirs
    parts = name.removesuffix("/").split("/")
    if any(part in {"", ".", ".."} or ":" in part for part in parts):
        raise _unreadable(at, "a name that leads out of the archive")
    if any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in name):
        raise _unreadable(at, "a name with control characters")
    return name
