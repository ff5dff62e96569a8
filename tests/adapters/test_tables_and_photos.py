"""Tables that tell how many rows they have, leave out what the cell above says, or lie beside the photos they name."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import openpyxl
import pytest

import adapters
from adapters import System
from adapters.enclosed import MOST_ENCLOSED
from canonical.errors import Misconfigured, Unacceptable, Why
from canonical.message import Message
from canonical.reading import Reading
from tests.adapters.systems import NOW

SYSTEM = """\
title: 样板平台
edition: "1"
roles: [source]
connector: {{protocol: files}}
receivers:
  drop:
    files: {{match: ["*"]}}
    shape: {shape}
    {items}
    messages: [m]
"""
MESSAGE = """\
direction: in
title: 上报
contract: any.schema.json
external_id: {from: id}
report:
  title: {from: title}
  given_area: {from: area}
  attachments:
    from: photos
    name: {from: name}
    url: {from: url}
    content: {from: content, parse: [base64]}
"""
Make = Callable[..., System]
CSV = "id,title,area\n1,路面,东区\n2,井盖,\n3,路灯,西区\n"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def loaded(shape: str, items: str = "items: .") -> System:
        files = {
            "system.yaml": SYSTEM.format(shape=shape, items=items), "messages/m.yaml": MESSAGE,
            "contract/any.schema.json": "{}",
        }  # fmt: skip
        for name, text in files.items():
            (tmp_path / "sample" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "sample" / name).write_text(text, encoding="utf-8")
        return adapters.load(tmp_path / "sample", {})

    return loaded


def readings(system: System, body: bytes | str) -> list[Reading]:
    raw = body if isinstance(body, bytes) else body.encode()
    read = system.receive(Message(system="s", body=raw, at=NOW, id=uuid4(), door="drop"))
    for one in read:
        if isinstance(one, Unacceptable):
            raise one
    return [one for one in read if isinstance(one, Reading)]


def refused(system: System, body: bytes | str) -> Unacceptable:
    with pytest.raises(Unacceptable) as caught:
        readings(system, body)
    assert caught.value.why in {Why.UNREADABLE, Why.TOO_LARGE}
    assert "138" not in str(caught.value)
    return caught.value


def book(*rows: list[Any]) -> bytes:
    made, written = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        made.worksheets[0].append(row)
    made.save(written)
    return written.getvalue()


def archive(members: dict[str, bytes | str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        for name, content in members.items():
            written.writestr(name, content)
    return packed.getvalue()


COUNTED = {
    "csv": (r"[csv: {trailer: 1, count: '^合计,(\d+)'}]", CSV, "合计,{n},\n"),
    "lines": (
        r"[lines: {pattern: '(?P<id>\d);(?P<title>[^;]*);(?P<area>.*)', header: 1, trailer: 1, count: '^T(\d{6})$'}]",
        "H20260520\n1;路面;东区\n2;井盖;\n3;路灯;西区\n", "T{n:06}\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", COUNTED)
def test_a_file_with_as_many_rows_as_its_trailer_tells_is_read(make: Make, kind: str) -> None:
    shape, rows, trailer = COUNTED[kind]

    assert [one.external_id for one in readings(make(shape), rows + trailer.format(n=3))] == ["1", "2", "3"]


@pytest.mark.parametrize("kind", COUNTED)
@pytest.mark.parametrize("told", [2, 4, 13800000000])
def test_a_file_with_another_number_of_rows_is_refused_whole(make: Make, kind: str, told: int) -> None:
    shape, rows, trailer = COUNTED[kind]
    shape = shape.replace("{6}", "+")

    assert "another number than the 3 rows there" in str(refused(make(shape), rows + trailer.format(n=told)))


@pytest.mark.parametrize("kind", COUNTED)
def test_a_file_that_was_cut_off_before_its_trailer_is_refused_whole(make: Make, kind: str) -> None:
    shape, rows, _ = COUNTED[kind]

    assert "cut off after 2 rows" in str(refused(make(shape), rows))


def test_rows_of_a_workbook_are_counted_too_and_its_merged_cells_mean_all_they_cover(make: Make) -> None:
    rows = ["id", "title", "area"], [1, "路面", "东区"], [2, "井盖", None], [3, "路灯", "西区"], [4, "树", None]
    system = make(r"[xlsx: {trailer: 2, count: '共 (\d+) 件', fill_down: [area]}]")

    read = readings(system, book(*rows, ["", "", "共 4 件"], ["制表", "示例", ""]))

    assert [one.report.given_area for one in read if one.report] == ["东区", "东区", "西区", "西区"]
    assert "another number" in str(refused(system, book(*rows[:-1], ["", "", "共 4 件"], ["制表", "示例", ""])))


def test_a_column_to_fill_down_that_is_not_there_is_told(make: Make) -> None:
    assert "no column 'district'" in str(refused(make("[csv: {fill_down: [district]}]"), CSV))


PHOTOS = "[zip: {match: '*.csv'}, csv, enclosed: {path: pics, as: photos, split: ';'}]"
TABLE = "id,title,area,pics\n1,路面,东区,a.jpg;B.JPG\n2,井盖,东区,photos\\c.jpg\n3,路灯,西区,\n4,树,西区,gone.jpg\n"


def photos(read: list[Reading]) -> list[list[tuple[str, bytes]]]:
    return [[(file.name, file.content) for file in one.report.attachments] for one in read if one.report]


def test_photos_in_the_archive_become_files_of_the_row_that_names_them(make: Make) -> None:
    members = {"photos/a.jpg": b"A", "photos/b.jpg": b"B", "photos/c.jpg": b"C", "photos/not named.jpg": b"N"}

    read = readings(make(PHOTOS), archive({"list.csv": TABLE, **members}))

    assert photos(read) == [[("a.jpg", b"A"), ("B.JPG", b"B")], [("c.jpg", b"C")], [], [("gone.jpg", b"")]]
    assert read[3].report
    assert read[3].report.attachments[0].url.startswith("inline:sha256:")  # shown as a file that never came


def test_a_name_that_two_members_have_means_neither_unless_its_path_is_given(make: Make) -> None:
    members = {"1/c.jpg": b"1", "photos/c.jpg": b"C", "2/a.jpg": b"2", "3/a.jpg": b"3"}

    read = readings(make(PHOTOS), archive({"list.csv": TABLE, **members}))

    assert photos(read)[:2] == [[("a.jpg", b""), ("B.JPG", b"")], [("c.jpg", b"C")]]


def test_documents_name_files_inside_their_lists(make: Make) -> None:
    body = {"rows": [{"id": "1", "title": "x", "photos": [{"f": "a.jpg"}]}, {"id": "2", "title": "y", "photos": []}]}
    shape = "[zip: {match: '*.json'}, json, enclosed: {path: rows.photos.f, as: there}]"
    system = make(shape, "items: [., rows]")

    read = readings(system, archive({"list.json": json.dumps(body), "a.jpg": b"A"}))

    assert [one.external_id for one in read] == ["1", "2"]


def test_what_nobody_names_is_not_unpacked_and_what_is_named_only_up_to_a_limit(make: Make) -> None:
    huge = bytes(MOST_ENCLOSED + 1)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("list.csv", TABLE.split("2,", maxsplit=1)[0])
        written.writestr("a.jpg", b"A")
        written.writestr("x.jpg", huge)

    assert photos(readings(make(PHOTOS), packed.getvalue()))[0][0] == ("a.jpg", b"A")

    named = packed.getvalue().replace(b"x.jpg", b"b.jpg")
    assert "unpack to more bytes" in str(refused(make(PHOTOS), named))


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("[csv, enclosed: {path: pics}]", "the shape begins with zip"),
        ("[zip, enclosed: {path: pics}, csv]", "enclosed is the last step"),
        ("[csv: {count: '(x)'}]", "add trailer: 1"),
        ("[csv: {trailer: 1, count: 'x'}]", "exactly one group"),
        ("[xlsx: {trailer: 1, count: '('}]", "not a regular expression"),
        ("[lines: {pattern: '(?P<id>.)', headr: 1}]", "did you mean 'header'"),
    ],
)
def test_what_does_not_go_together_is_found(make: Make, shape: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        make(shape)
