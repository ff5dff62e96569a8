"""Tables and archives: real encodings and workbooks, and everything that is broken, hostile or too large."""

import datetime as dt
import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sheet import (
    MOST_CELLS,
    MOST_COLUMNS,
    MOST_PARTS,
    MOST_ROWS,
    MOST_TAGS,
    csv_rows,
    gzip_bytes,
    xlsx_rows,
    zip_members,
)
from canonical.errors import Misconfigured, Unacceptable, Why

PAGE = "xl/worksheets/sheet1.xml"
SECRET = "示例市民13800000000"
MEGABYTE = 1_000_000
MIDNIGHT = dt.datetime.fromisoformat("2026-03-16")  # Excel knows no zones
NINE_AND_A_SECOND = dt.datetime.fromisoformat("2026-03-16 09:00:01")


@contextmanager
def refused(at: str, text: str = "") -> Iterator[None]:
    """Unacceptable, unreadable, at that place, and never with a value in it."""
    with pytest.raises(Unacceptable, match=text or None) as caught:
        yield
    assert (caught.value.why, caught.value.at) == (Why.UNREADABLE, at)
    assert "138" not in f"{caught.value}"
    assert "示例" not in f"{caught.value}"


@contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    """The block never holds more memory than that, as Python counts it."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MEGABYTE
    finally:
        tracemalloc.stop()


def workbook(rows: list[list[Any]], *, title: str = "工单", formats: dict[str, str] | None = None) -> bytes:
    book = openpyxl.Workbook()
    page: Any = book.worksheets[0]
    page.title = title
    for row in rows:
        page.append(row)
    for cell, number_format in (formats or {}).items():
        page[cell].number_format = number_format
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def rewritten(book: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook with one of its parts changed."""
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            body = old.read(info)
            new.writestr(info.filename, change(body) if info.filename == part else body)
    return held.getvalue()


def zipped(*members: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", packing) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return held.getvalue()


def zipped_as(name: bytes, body: bytes = b"x", *, flags: int = 0) -> bytes:
    """A zip as programs write it that put the bytes of their own charset into it, and no mark."""
    crc, size = zlib.crc32(body), len(body)
    common = struct.pack("<HHHHHIIIHH", 20, flags, 0, 0, 33, crc, size, size, len(name), 0)
    local = b"PK\x03\x04" + common + name + body
    central = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


# --- CSV


@pytest.mark.parametrize(
    ("codec", "charset"),
    [
        ("utf-8", "auto"), ("utf-8-sig", "auto"), ("gb18030", "auto"), ("utf-16", "auto"), ("utf-8-sig", "utf-8"),
        ("gb18030", "GBK"), ("gb2312", "gb18030"),
    ],
)  # fmt: skip
def test_a_table_is_read_in_the_charsets_partners_use(codec: str, charset: str) -> None:
    text = " 编号 ,描述\r\n1,井盖破损\r\n2,垃圾堆积\r\n"
    assert csv_rows(text.encode(codec), charset=charset) == [
        {"编号": "1", "描述": "井盖破损"}, {"编号": "2", "描述": "垃圾堆积"},
    ]  # fmt: skip


def test_quotes_line_ends_and_blank_lines_inside_a_table() -> None:
    data = b'a,b\r\n\r\n"1\r\n2","x ""y"", z"\n , \n3,\r4,5'
    assert csv_rows(data, charset="utf-8") == [
        {"a": "1\r\n2", "b": 'x "y", z'}, {"a": "3", "b": ""}, {"a": "4", "b": "5"},
    ]  # fmt: skip


def test_a_header_that_is_given_makes_the_first_line_a_row() -> None:
    assert csv_rows(b"1|2\n", charset="utf-8", delimiter="|", header=("a", "b")) == [{"a": "1", "b": "2"}]
    assert csv_rows(b"", charset="utf-8", header=("a",)) == []


def test_what_stands_before_the_first_row_of_a_table_without_headings_is_passed_over() -> None:
    data = "H|20261127|日报\n1|井盖\n2|路灯\nT|000002\n".encode("gb18030")

    assert csv_rows(data, charset="gbk", delimiter="|", header=("no", "what"), header_row=2, trailer=1) == [
        {"no": "1", "what": "井盖"}, {"no": "2", "what": "路灯"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("案件\n编号", "案件编号"),
        ("姓　　名", "姓名"),
        (" 上报 时间 ", "上报时间"),
        ("电话\r\n(必填)", "电话 (必填)"),
        ("Order \n No", "Order No"),
    ],
)
def test_a_heading_is_known_however_it_is_laid_out(shown: str, name: str) -> None:
    assert xlsx_rows(workbook([[shown], ["1"]])) == [{name: "1"}]
    assert csv_rows(f'"{shown}"\n1\n'.encode(), charset="utf-8") == [{name: "1"}]


@pytest.mark.parametrize(
    ("data", "charset", "at"),
    [
        ("a\n城".encode("gb18030"), "utf-8", "byte 2"),
        (b"a\n\xe7\xa4", "utf-8", "byte 2"),
        (b"a\n1\xff", "gb18030", "byte 3"),
        (b"a\nb\0", "auto", "line 2"),
        (b"a,b\n1,2\n3\n", "utf-8", "row 3"),
        (b"a,b\n1,2\n\n3,4,5\n", "utf-8", "row 4"),
        (b"a, a\n1,2\n", "utf-8", "row 1, column 2"),
        ('a\n"示例市民13800000000\n'.encode(), "utf-8", "row 2"),
        ('a\n"示例"13800000000\n'.encode(), "utf-8", "row 2"),
        (b"", "auto", "row 1"),
        (b"\xef\xbb\xbf\r\n", "auto", "row 1"),
        (b"a\n" + b"x" * 200_000, "utf-8", "row 2"),
    ],
)  # fmt: skip
def test_a_table_that_is_broken_is_unreadable_with_its_place(data: bytes, charset: str, at: str) -> None:
    with refused(at):
        csv_rows(data, charset=charset)


def test_a_ragged_row_does_not_show_its_values() -> None:
    with refused("row 2", "1 cells where the header has 2"):
        csv_rows(f"a,b\n{SECRET}\n".encode(), charset="utf-8")


def test_no_more_rows_than_allowed() -> None:
    assert len(csv_rows(b"a\n1\n2\n\n", charset="utf-8", max_rows=2)) == 2
    with refused("row 4"):
        csv_rows(b"a\n1\n2\n3\n", charset="utf-8", max_rows=2)


@pytest.mark.parametrize("charset", ["hex", "idna", "klingon", ""])
def test_a_charset_that_is_none_is_misconfigured(charset: str) -> None:
    with pytest.raises(Misconfigured):
        csv_rows(b"a\n", charset=charset)


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_a_delimiter_that_is_none_is_misconfigured(delimiter: str) -> None:
    with pytest.raises(Misconfigured):
        csv_rows(b"a\n", charset="utf-8", delimiter=delimiter)


@pytest.mark.parametrize("data", [b"," * 5_000_000, b'"\n",' * 1_000_000])
def test_a_line_of_nothing_but_delimiters_costs_little_memory(data: bytes) -> None:
    with at_most(megabytes=40), refused("row 1", "columns"):
        csv_rows(data, charset="utf-8")


def test_empty_cells_count() -> None:
    empty = b"," * (MOST_COLUMNS - 1) + b"\n"
    rows = MOST_CELLS // (MOST_COLUMNS + 1)
    header = tuple(f"h{number}" for number in range(MOST_COLUMNS))
    assert csv_rows(empty * rows, charset="utf-8", header=header) == []
    with refused(f"row {rows + 1}", "cells"):
        csv_rows(empty * (rows + 1), charset="utf-8", header=header)


# --- workbooks


def test_the_cells_of_a_workbook_as_people_see_them() -> None:
    rows: list[list[Any]] = [
        [" 编号 ", "时间", "日期", "数", "小数", "是否", "时刻", "历时", "空"],
        [20260316, NINE_AND_A_SECOND, dt.date(2026, 3, 16), 3.0, 118.38000000000001, True,
         dt.time(9, 5), dt.timedelta(hours=25, minutes=3), None],
        [None] * 9,
        ["340202199001011234", MIDNIGHT, None, -0.00001, 1e15, False],
    ]  # fmt: skip
    assert xlsx_rows(workbook(rows)) == [
        {"编号": "20260316", "时间": "2026-03-16 09:00:01", "日期": "2026-03-16", "数": "3", "小数": "118.38",
         "是否": "true", "时刻": "09:05:00", "历时": "25:03:00", "空": ""},
        {"编号": "340202199001011234", "时间": "2026-03-16 00:00:00", "日期": "", "数": "-0.00001",
         "小数": "1000000000000000", "是否": "false", "时刻": "", "历时": "", "空": ""},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("118.38000000000001", "118.38"),
        ("1.0E-5", "0.00001"),
        ("3.40202199001011E+17", "340202199001011008"),
        ("-0.0", "0"),
    ],
)
def test_a_number_has_the_digits_excel_shows(stored: str, text: str) -> None:
    book = rewritten(workbook([["a"], [1]]), PAGE, lambda xml: xml.replace(b"<v>1</v>", f"<v>{stored}</v>".encode()))
    assert xlsx_rows(book) == [{"a": text}]


@pytest.mark.parametrize("stored", ["1E999", "nan.", "x"])
def test_a_number_that_is_none_spoils_the_workbook(stored: str) -> None:
    book = rewritten(workbook([["a"], [1]]), PAGE, lambda xml: xml.replace(b"<v>1</v>", f"<v>{stored}</v>".encode()))
    with refused("workbook", "broken"):
        xlsx_rows(book)


@pytest.mark.parametrize(
    ("number_format", "text"),
    [
        ("yyyy-mm-dd", "2026-03-16"), ('yyyy"年"m"月"d"日"', "2026-03-16"), ("[$-804]yyyy/m/d", "2026-03-16"),
        ("yyyy/m/d h:mm", "2026-03-16 09:00:01"), ("yyyy-mm-dd hh:mm:ss", "2026-03-16 09:00:01"),
    ],
)  # fmt: skip
def test_a_cell_that_shows_a_date_is_a_date(number_format: str, text: str) -> None:
    data = workbook([["at"], [NINE_AND_A_SECOND]], formats={"A2": number_format})
    assert xlsx_rows(data) == [{"at": text}]


def test_a_sheet_by_its_name_and_a_header_further_down() -> None:
    data = workbook([["芜湖市城管日报"], [], ["a", "b"], ["1", "2"]], title="日报")
    assert xlsx_rows(data, sheet="日报", header_row=3) == [{"a": "1", "b": "2"}]
    with refused("workbook", "no sheet 'missing'"):
        xlsx_rows(data, sheet="missing")
    with pytest.raises(Misconfigured):
        xlsx_rows(data, header_row=0)


@pytest.mark.parametrize(
    ("rows", "at"),
    [
        ([["a", "a"]], "row 1, column 2"),
        ([["a"], [SECRET, SECRET]], "row 2"),
        ([], "row 1"),
        ([["a"], [1], [2]], "row 3"),
    ],
)
def test_a_sheet_that_is_no_table_is_unreadable(rows: list[list[Any]], at: str) -> None:
    with refused(at):
        xlsx_rows(workbook(rows), max_rows=1)


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, zipped(("a.csv", b"x")), workbook([["a"]])[:-30]],
)
def test_what_is_no_workbook_is_unreadable(data: bytes) -> None:
    with refused("workbook"):
        xlsx_rows(data)


def _entities(xml: bytes) -> bytes:
    bomb = b'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    return bomb + xml.replace(b"<v>1</v>", b"<v>&b;</v>")


def test_a_workbook_with_entities_is_refused_whatever_its_encoding() -> None:
    book = workbook([["a"], [1]])
    with refused("part 9", "declaration"):
        xlsx_rows(_checked_at_part_9(rewritten(book, PAGE, _entities)))
    with refused("part 9", "declaration"):
        xlsx_rows(_checked_at_part_9(rewritten(book, PAGE, lambda xml: _entities(xml).decode().encode("utf-16"))))


def _checked_at_part_9(book: bytes) -> bytes:
    """The same workbook with the sheet as its ninth part, so that the place is known whatever the library's order."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
    others = [part for part in parts if part[0] != PAGE]
    return zipped(*others[:8], *(part for part in parts if part[0] == PAGE), *others[8:])


def test_a_workbook_that_unpacks_without_end_is_refused_before_it_is_unpacked() -> None:
    bomb = rewritten(workbook([["a"]]), PAGE, lambda xml: xml + b" " * 30_000_000)
    assert len(bomb) < 100_000
    with at_most(megabytes=10), refused("workbook", "unpacks"):
        xlsx_rows(bomb)


def test_a_sheet_that_lies_about_its_size_makes_no_cells() -> None:
    lying = rewritten(
        workbook([["a"], [1]]),
        PAGE,
        lambda xml: xml.replace(b'<dimension ref="A1:A2"', b'<dimension ref="A1:XFD1048576"'),
    )
    assert lying != workbook([["a"], [1]])
    with at_most(megabytes=10):
        assert xlsx_rows(lying) == [{"a": "1"}]


def test_a_row_far_below_is_counted_with_all_the_empty_ones() -> None:
    far = rewritten(workbook([["a"], [1]]), PAGE, lambda xml: xml.replace(b'<row r="2"', b'<row r="999999999"'))
    with refused(f"row {MOST_ROWS + 1}", "rows"):
        xlsx_rows(far)


def test_too_many_tags_are_refused() -> None:
    with refused("part 1", "tags"):
        xlsx_rows(zipped(("a.xml", b"<" * (MOST_TAGS + 1)), packing=zipfile.ZIP_STORED))


# --- zip


def test_the_members_of_a_zip_by_name() -> None:
    data = zipped(("日报/", b""), ("日报/清单.csv", b"a"), ("readme.txt", b"b"), ("empty.csv", b""))
    assert zip_members(data, max_bytes=10) == [("日报/清单.csv", b"a"), ("readme.txt", b"b"), ("empty.csv", b"")]
    assert zip_members(data, match="*.csv", max_bytes=1) == [("日报/清单.csv", b"a"), ("empty.csv", b"")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("案件清单.csv".encode("gb18030"), "案件清单.csv"), ("案件清单.csv".encode(), "案件清单.csv"),
        (b"reports\\a.csv", "reports/a.csv"), ("誠.csv".encode("gbk"), "誠.csv"),
    ],
)  # fmt: skip
def test_names_without_the_utf_8_mark(name: bytes, text: str) -> None:
    assert zip_members(zipped_as(name), max_bytes=10) == [(text, b"x")]


@pytest.mark.parametrize(
    "name",
    [b"../a", b"a/../../b", b"/etc/passwd", b"..\\a", b"C:\\a", b"C:a", b"a//b", b"./a", b"a\0.csv", b"a\nb", b""],
)
def test_one_name_that_leads_elsewhere_spoils_the_archive(name: bytes) -> None:
    with refused("member 1"):
        zip_members(zipped_as(name), match="*.csv", max_bytes=10)


def test_an_encrypted_member_is_refused() -> None:
    with refused("member 1", "encrypted"):
        zip_members(zipped_as(b"a", flags=1), max_bytes=10)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(packing: int) -> None:
    with refused("member 1", "deflate"):
        zip_members(zipped(("a", b"x"), packing=packing), max_bytes=10)


def test_a_zip_bomb_is_refused_by_the_bytes_that_come_out() -> None:
    bomb = zipped(("a", b"\0" * 20_000_000))
    with at_most(megabytes=4), refused("member 1", "unpack to more"):
        zip_members(bomb, max_bytes=1_000_000)


def test_a_header_that_tells_of_less_than_comes_out_is_no_way_round() -> None:
    honest = zipped(("a", b"\0" * 20_000_000))
    lying = honest.replace(struct.pack("<I", 20_000_000), struct.pack("<I", 10))
    with at_most(megabytes=4), refused("archive"):
        zip_members(lying, max_bytes=1_000_000)


def test_the_limit_holds_for_all_members_together() -> None:
    data = zipped(("a", b"12345"), ("b", b"12345"))
    assert len(zip_members(data, max_bytes=10)) == 2
    with refused("member 2"):
        zip_members(data, max_bytes=9)


def test_no_more_members_than_allowed() -> None:
    data = zipped(*((f"{number}", b"") for number in range(11)))
    assert len(zip_members(data, max_bytes=1, max_members=11)) == 11
    with refused("archive", "members"):
        zip_members(data, max_bytes=1, max_members=10)
    with refused("archive", "members"):  # refused already by the count of their headers
        zip_members(data, max_bytes=1, max_members=1)


def test_a_changed_byte_is_found() -> None:
    data = zipped(("a", SECRET.encode()), packing=zipfile.ZIP_STORED).replace("示例".encode(), "真实".encode(), 1)
    with refused("archive"):
        zip_members(data, max_bytes=100)


def test_a_name_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped(("a", b"1"), ("a", b"2"))
    with refused("member 2"):
        zip_members(data, max_bytes=10)


# --- gzip


def test_gzip_in_parts_and_filled_up_with_zeros() -> None:
    data = gzip.compress(b"one") + gzip.compress(b"two" * 100_000) + b"\0" * 100
    assert gzip_bytes(data, 300_003) == b"one" + b"two" * 100_000
    with refused(f"byte {len(gzip.compress(b'one'))}", "more than 300002"):
        gzip_bytes(data, 300_002)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        gzip.compress(b"x", mtime=0)[:-1],
        gzip.compress(b"x", mtime=0) + b"y",
        gzip.compress(b"x", mtime=0)[:5],
    ],
)
def test_broken_gzip_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unacceptable) as caught:
        gzip_bytes(data, 10)
    assert (caught.value.why, caught.value.at[:5]) == (Why.UNREADABLE, "byte ")


def test_a_gzip_bomb_costs_little_memory() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with at_most(megabytes=4), refused("byte 0"):
        gzip_bytes(bomb, 1_000_000)


def test_gzip_of_too_many_parts_is_refused() -> None:
    with pytest.raises(Unacceptable, match="parts"):
        gzip_bytes(gzip.compress(b"") * (MOST_PARTS + 1), 10)


# --- whatever comes

GOOD_BOOK = workbook([["a", "b"], [1, NINE_AND_A_SECOND], ["x", None]])
GOOD_ZIP = zipped(("日报/a.csv", b"a,b\n1,2\n"), ("b.csv", b"x" * 50))
GOOD_GZIP = gzip.compress(b"a,b\n1,2\n") * 2
BOOK_PARTS = zipfile.ZipFile(io.BytesIO(GOOD_BOOK)).namelist()


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Good bytes with some of them changed, lost or doubled."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 8)))
        data[start:end] = draw(st.binary(max_size=8))
    return bytes(data)


@contextmanager
def only_unreadable() -> Iterator[None]:
    """Nothing but Unacceptable may come out of the block, and that for being unreadable."""
    why = [Why.UNREADABLE]
    try:
        yield
    except Unacceptable as error:
        why.append(error.why)
    assert set(why) == {Why.UNREADABLE}


@given(
    st.one_of(st.binary(max_size=200), st.text(alphabet='a,"\n\r示 ').map(str.encode)),
    st.sampled_from(["auto", "gbk", "utf-16"]),
)
def test_any_bytes_are_a_table_or_unreadable(data: bytes, charset: str) -> None:
    with only_unreadable():
        rows = csv_rows(data, charset=charset)
        assert all(row.keys() == rows[0].keys() for row in rows)


@settings(deadline=None, max_examples=60)
@given(st.one_of(st.binary(max_size=100), damaged(GOOD_BOOK)))
def test_any_bytes_are_a_workbook_or_unreadable(data: bytes) -> None:
    with only_unreadable():
        assert all(isinstance(value, str) for row in xlsx_rows(data) for value in row.values())


@settings(deadline=None, max_examples=80)
@given(st.data(), st.sampled_from(BOOK_PARTS))
def test_a_workbook_with_any_part_damaged_is_read_or_unreadable(data: st.DataObject, part: str) -> None:
    book = rewritten(GOOD_BOOK, part, lambda body: data.draw(damaged(body)))
    with only_unreadable():
        assert all(isinstance(value, str) for row in xlsx_rows(book) for value in row.values())


@given(st.one_of(st.binary(max_size=100), damaged(GOOD_ZIP)))
def test_any_bytes_are_members_or_unreadable(data: bytes) -> None:
    with only_unreadable():
        members = zip_members(data, max_bytes=100, max_members=5)
        assert sum(len(body) for _, body in members) <= 100
        assert all(".." not in name.split("/") for name, _ in members)


@given(st.one_of(st.binary(max_size=100), damaged(GOOD_GZIP)))
def test_any_bytes_unpack_or_are_unreadable(data: bytes) -> None:
    with only_unreadable():
        assert len(gzip_bytes(data, 50)) <= 50
