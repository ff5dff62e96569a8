"""PDF, read back by PDFium: every figure stands there as in the other formats, and each page says what it is of."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pypdfium2
import pytest

from assessment.sheet import Assessed, Sheet
from gateway.report.assessment import assessment_document
from gateway.report.briefing import briefing_document
from gateway.report.document import Cell, Document, Heading, Kind, Table, written
from gateway.report.paper_table import MOST_ROWS
from gateway.report.pdf import pdf
from tests.report.briefings import briefing
from tests.report.reading import pdf_pages, pdf_text
from tests.report.sheets import sheet

MARGIN = 34
"""In points: 12 mm."""


def wide_sheet(units: int, columns: int) -> Sheet:
    """So many units, and columns that are told apart by their titles."""
    made = sheet(units)
    rows = [replace(row, name=f"{row.name[:6]}{number}所") for number, row in enumerate(made.rows)]
    made = replace(made, rows=rows)
    found = [made.columns[at % len(made.columns)] for at in range(columns)]
    named = [replace(one, id=f"{one.id}{at}", title=f"{one.title}{at}") for at, one in enumerate(found)]

    def more(row: Assessed) -> Assessed:
        return replace(row, figures={new.id: row.figures[old.id] for new, old in zip(named, found, strict=True)})

    return replace(made, columns=named, rows=[more(one) for one in made.rows], total=more(made.total))


def told(of: Sheet, row: Assessed, columns: Sequence[str]) -> str:
    """The row as it must stand there, without gaps."""
    parts = [written(row.rank, Kind.RANK), row.name, written(row.score, Kind.SCORE, "—"), row.grade or "—"]
    for column in (one for one in of.columns if one.id in columns):
        figure = row.figures[column.id]
        parts.append(written(figure.value, Kind(column.kind)))
        if column.kind == "percent" and figure.value is not None:
            parts.append(f"{figure.numerator:,.0f}/{figure.denominator:,.0f}")
    return "".join(parts).replace(" ", "")


def test_every_figure_of_the_sheet_stands_in_its_row() -> None:
    made = sheet()
    text = pdf_text(pdf(assessment_document(made)))

    for row in (*made.rows, made.total):
        assert told(made, row, [one.id for one in made.columns]) in text, row.name
    for column in made.columns:
        assert column.formula.replace(" ", "") in text
        assert f"gridhubassessfigure{column.id}--period2026-10--byunit" in text


def test_a_large_sheet_is_whole_small_and_has_its_head_on_every_page() -> None:
    made = wide_sheet(300, 20)
    content = pdf(assessment_document(made))
    pages = pdf_pages(content)
    text = "".join(pages)

    assert len(content) < 400_000
    assert text.count("考核表") >= len(pages)
    with_rows = [page for page in pages if re.search(r"\d/\d", page) and "下钻方法" not in page]
    assert len(with_rows) > 12
    assert all("名次处置部门" in page for page in with_rows)
    for number, page in enumerate(pages, 1):
        assert f"第{number}页，共{len(pages)}页" in page
        assert page.startswith("芜湖市2026年10月第1版（已月结）芜湖市2026年10月处置单位考核表")
    for row in (made.rows[0], made.rows[150], made.rows[-1], made.total):
        assert any(_stands(made, row, at, text) for at in range(1, 21)), row.name


def _stands(made: Sheet, row: Assessed, at: int, text: str) -> bool:
    """That the row is there with so many columns, and once more with the others."""
    ids = [one.id for one in made.columns]
    first, second = (
        told(replace(made, columns=[one for one in made.columns if one.id in some]), row, some)
        for some in (ids[:at], ids[at:])
    )
    keys = "".join((written(row.rank, Kind.RANK), row.name))
    score = "".join((written(row.score, Kind.SCORE, "—"), row.grade or "—"))
    return first in text and (at == len(ids) or keys + second.removeprefix(keys + score) in text)


def test_nothing_stands_outside_the_page() -> None:
    long = "没有空格的很长很长的单位名称" * 9 + "x" * 90
    made = sheet(30)
    rows = [replace(row, name=long, grade="特别优秀的等级名称") for row in made.rows]
    notes = [long, "A" * 300]
    for document in (
        assessment_document(replace(wide_sheet(14, 40), notes=notes)),
        assessment_document(replace(made, rows=rows, title=long)),
        briefing_document(briefing()),
    ):
        file = pypdfium2.PdfDocument(pdf(document))
        for page in file:
            across, up = page.get_size()
            letters = page.get_textpage()
            for at in range(letters.count_chars()):
                left, bottom, right, top = letters.get_charbox(at)
                if right > left:  # and no gap
                    where = letters.get_text_range(at, 1), round(left), round(right)
                    assert left >= MARGIN - 1, where
                    assert right <= across - MARGIN + 1, where
                    assert 0 < bottom < top < up, where


def test_pages_lie_on_their_long_side_only_where_a_table_is_wide() -> None:
    for document, expected in (
        (briefing_document(briefing()), (595, 842)), (assessment_document(sheet()), (842, 595)),
    ):  # fmt: skip
        sizes = {tuple(map(round, page.get_size())) for page in pypdfium2.PdfDocument(pdf(document))}
        assert sizes == {expected}


def test_pages_are_drawn_with_letters_of_their_own() -> None:
    """Without the embedded font nothing would be drawn: this machine has none of that name."""
    content = pdf(briefing_document(briefing()))
    page = pypdfium2.PdfDocument(content)[0]
    picture = page.render(scale=1).to_numpy()
    title = picture[60:90, 130:470].min(axis=2)

    assert b"FontFile3" in content
    assert 0.04 < float((title < 128).mean()) < 0.6


def test_what_the_font_does_not_have_is_marked_and_what_controls_is_gone() -> None:
    text = pdf_text(
        pdf(assessment_document(sheet(title="甲\x00乙\U0001f600丙\x1b[31m\ud800丁", notes=["一行\n又一行"])))
    )

    assert "甲乙〓丙[31m丁" in text
    assert "一行又一行" in text


def test_a_table_beyond_all_measure_is_cut_and_says_so() -> None:
    rows = [[Cell(f"34020000{number:06}"), Cell(number)] for number in range(MOST_ROWS + 500)]
    headings = (Heading("no", "案件编号"), Heading("n", "序号", Kind.COUNT))
    table = Table("案件明细", headings, [*rows, [Cell("合计"), Cell(77_777)]], totals=1)
    text = pdf_text(pdf(Document("很长的表", (), (table,), "long")))

    assert text.count("34020000") == MOST_ROWS - 1
    assert "合计77,777" in text
    assert "共2,501行，此处列出2,000行" in text


def test_the_same_document_is_the_same_file() -> None:
    assert pdf(assessment_document(sheet())) == pdf(assessment_document(sheet()))


@pytest.mark.parametrize("title", ["", " ", "\x00"])
def test_a_document_without_words_is_a_page(title: str) -> None:
    assert len(pypdfium2.PdfDocument(pdf(Document(title, (), (), "empty")))) == 1
