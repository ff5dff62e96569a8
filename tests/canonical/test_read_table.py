"""Tables that officials edit: everything wrong is found at once, with its line."""

from pathlib import Path

import pytest

from canonical.findings import Finding
from canonical.tables import TableRow, harmless, read_table


def read(folder: Path, content: str | bytes) -> tuple[list[TableRow], list[Finding]]:
    file = folder / "t.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    findings: list[Finding] = []
    return read_table(file, ("id", "name"), findings), findings


def test_remarks_and_blank_lines_are_passed_over_and_lines_are_those_of_the_file(tmp_path: Path) -> None:
    rows, findings = read(tmp_path, '# remark\n\nid,name\n# another\n1, 甲 \n\n2,"a,b"\n')

    assert not findings
    assert [(row.line, row["id"], row["name"]) for row in rows] == [(5, "1", "甲"), (7, "2", "a,b")]


def test_columns_stand_in_any_order_and_a_byte_order_mark_is_no_letter(tmp_path: Path) -> None:
    rows, findings = read(tmp_path, "\ufeffname,id\r\n甲,1\r\n".encode())

    assert not findings
    assert rows[0].cells == {"name": "甲", "id": "1"}


def test_a_missing_file_says_what_is_expected(tmp_path: Path) -> None:
    findings: list[Finding] = []

    assert read_table(tmp_path / "none.csv", ("id", "name"), findings) == []
    assert str(findings[0]) == "none.csv: error: missing; a table with the columns id, name is expected"


def test_another_charset_is_named_with_its_byte(tmp_path: Path) -> None:
    rows, findings = read(tmp_path, "id,name\n1,甲\n".encode("gb18030"))

    assert rows == []
    assert findings[0].text == "not UTF-8 at byte 10; save it as UTF-8"


def test_missing_and_unknown_columns_are_both_found(tmp_path: Path) -> None:
    rows, findings = read(tmp_path, "# r\nid,nom\n1,x\n")

    assert rows == []
    assert [(finding.line, finding.key, finding.text) for finding in findings] == [
        (2, "name", "column missing"),
        (2, "nom", "unknown column; known: id, name"),
    ]


def test_a_row_of_another_length_is_found_and_its_neighbours_are_read(tmp_path: Path) -> None:
    rows, findings = read(tmp_path, "id,name\n1,a\n2\n3,c,d\n4,e\n")

    assert [row["id"] for row in rows] == ["1", "4"]
    assert [(finding.line, finding.text) for finding in findings] == [
        (3, "1 cells where the header has 2"),
        (4, "3 cells where the header has 2"),
    ]


def test_an_empty_file_lacks_every_column(tmp_path: Path) -> None:
    _, findings = read(tmp_path, "")

    assert [finding.key for finding in findings] == ["id", "name"]
    assert str(findings[0]) == "t.csv: error: id: column missing"


def test_a_row_speaks_of_itself_in_findings(tmp_path: Path) -> None:
    [row], _ = read(tmp_path, "id,name\n1,a\n")

    assert str(row.finding("name", "odd")) == "t.csv:2: error: name: odd"


@pytest.mark.parametrize("text", ["=1+1", "+86", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "＋1", "－1", "＠A1"])
def test_what_a_spreadsheet_would_take_for_a_formula_goes_out_as_text(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "湖滨路 12 号", "340202001001001", "a=b", "'=1"])
def test_other_texts_go_out_as_they_are(text: str) -> None:
    assert harmless(text) == text
