"""Every format of an assessment, read back by an independent reader, says the numbers of the sheet and no others."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import jsonschema
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from rich.cells import cell_len
from rich.console import Console

from assessment.sheet import Assessed, Column, Figure, Sheet
from canonical.errors import Unacceptable
from gateway.cli.schema import schemas
from gateway.report.assessment import assessment_document, with_columns
from gateway.report.document import Kind, coloured, ink, written
from gateway.report.folding import folded
from gateway.report.formats import Format, Report, accepted, written_as
from gateway.report.terminal import show
from tests.report.reading import csv_rows, opened, pdf_text, read_page, rows_of
from tests.report.sheets import COLUMNS, assessed, rate, sheet

NASTY = '=HYPERLINK("http://x.invalid","a")'
TRICKS = (
    NASTY,
    "+1+1",
    "-2",
    "@SUM(A1)",
    "＝1",
    "<script>alert(1)</script>",
    '"><img src=x>',
    "甲\x00\x1b[31m乙",
    "a\ud800b",
)


def file(of: Sheet, form: Format) -> bytes:
    return written_as(Report("assessment_sheet", of, assessment_document(of)), form)


def everybody(of: Sheet) -> list[Assessed]:
    return [*of.rows, of.total]


def rounded(value: float, kind: str) -> Decimal:
    """By the standard library's own arithmetic on the exact number."""
    places = {"count": "1", "percent": "0.01", "ratio": "0.01", "score": "0.01"}.get(kind, "0.1")
    return (Decimal(repr(value))).quantize(Decimal(places), ROUND_HALF_UP)


def test_csv_holds_every_figure_and_what_it_is_made_of() -> None:
    made = sheet()
    rows = csv_rows(file(made, Format.CSV))

    assert [row["编号"] for row in rows] == [one.id for one in everybody(made)]
    for row, one in zip(rows, everybody(made), strict=True):
        for column in made.columns:
            figure = one.figures[column.id]
            named = [name for name in row if name.partition("（")[0].removesuffix("(%)") == column.title]
            [title] = [name for name in named if " 分" not in name]
            expected = "无基数" if figure.value is None else str(rounded(figure.value, column.kind))
            assert row[title] == expected, (one.name, column.id)
            if figure.denominator is not None:
                bare = title.removesuffix("(%)")
                unit = "（秒）" if column.kind in ("hours", "days") else ""
                assert float(row[f"{bare} 分子{unit}"]) == figure.numerator
                assert float(row[f"{bare} 分母"]) == figure.denominator


def test_a_workbook_holds_every_figure_as_a_number_with_its_format() -> None:
    made = sheet()
    book = opened(file(made, Format.XLSX))
    main = book["考核表"]
    rows = rows_of(main, "名次")

    assert [row["处置部门"] for row in rows] == [one.name for one in everybody(made)]
    for row, one in zip(rows, everybody(made), strict=True):
        for column in made.columns:
            figure = one.figures[column.id]
            [title] = [name for name in row if name.partition("（")[0] == column.title]
            held = None if figure.value is None else figure.value / (100 if column.kind == "percent" else 1)
            assert row[title] == ("无基数" if held is None else pytest.approx(held, abs=1e-12))
    assert main.freeze_panes == "C4"
    percents = [cell for row in main.iter_rows(min_row=4) for cell in row if isinstance(cell.value, float)]
    assert {cell.number_format for cell in percents if cell.column_letter == "H"} == {"0.00%"}


def test_a_workbook_colours_grades_draws_charts_and_says_where_figures_come_from() -> None:
    made = sheet()
    book = opened(file(made, Format.XLSX))
    grades = {
        row[3].value: row[3].fill.fgColor.rgb for row in book["考核表"].iter_rows(min_row=4) if row[3].fill.fgColor
    }

    assert grades["优秀"] == "001E8E3E"
    assert grades["良好"] == "001A73E8"
    charts = book["图表"]
    assert isinstance(charts, Worksheet)
    assert len(charts._charts) == 3  # type: ignore[attr-defined]
    evidence = rows_of(book["取证说明"], "指标编号")
    assert [row["指标编号"] for row in evidence] == [column.id for column in made.columns]
    assert {row["规则版本"] for row in evidence} == {made.rules}
    assert {row["数据批次"] for row in evidence} == {made.run}
    assert {str(row["统计截至"]) for row in evidence} == {"2026-11-03 02:00:00"}
    assert evidence[4]["计算口径"] == "按期处置数 / 应处置数"
    assert all(
        "--period 2026-10 --by unit" in row["下钻方法"] and row["指标编号"] in row["下钻方法"] for row in evidence
    )
    said = [str(row[0]) for row in book["说明"].iter_rows(values_only=True)]
    assert set(made.notes) <= set(said)
    details = rows_of(book["取数明细"], "对象编号")
    assert len(details) == len(everybody(made)) * len(made.columns)
    assert [(row["分子或计数"], row["分母"]) for row in details if row["指标编号"] == "on_time_rate"] == [
        (one.figures["on_time_rate"].numerator, one.figures["on_time_rate"].denominator) for one in everybody(made)
    ]


def test_a_page_shows_every_figure_and_asks_for_nothing() -> None:
    made = sheet()
    page = read_page(file(made, Format.HTML))
    rows = page.table("名次")

    for row, one in zip(rows, everybody(made), strict=True):
        for column in made.columns:
            [title] = [name for name in row if name.partition("（")[0] == column.title]
            assert row[title] == written(one.figures[column.id].value, Kind(column.kind))
    assert "737/972" in page.small
    assert page.addresses == []
    assert page.tags.count("svg") == 3
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)


def test_the_published_figures_of_tianmen_stand_in_every_format() -> None:
    total = assessed("total", "天门市合计", 972, 174, 61, score=None, grade="", colour="")
    made = sheet(total=total)
    screen = Console(width=80, record=True, file=io.StringIO())
    show(assessment_document(made), screen)

    for text in (screen.export_text(), file(made, Format.HTML).decode(), pdf_text(file(made, Format.PDF))):
        assert "93.72%" in text
        assert "75.82%" in text
    last = csv_rows(file(made, Format.CSV))[-1]
    assert (last["处置率(%)"], last["按期处置率(%)"]) == ("93.72", "75.82")


def test_json_is_the_sheet_and_fits_its_schema() -> None:
    made = sheet()
    told = json.loads(file(made, Format.JSON))

    jsonschema.Draft202012Validator(schemas()["assessment_sheet"]).validate(told)
    assert told["$schema"] == "urn:gridhub:assessment_sheet:1"
    for row, one in zip([*told["rows"], told["total"]], everybody(made), strict=True):
        assert {name: figure["value"] for name, figure in row["figures"].items()} == {
            name: figure.value for name, figure in one.figures.items()
        }
    assert told["as_of"] == "2026-11-03T02:00:00+08:00"


@pytest.mark.parametrize("form", list(Format))
def test_no_base_is_neither_nought_nor_a_hundred(form: Format) -> None:
    made = sheet(columns=(Column("r", "按期处置率", "percent", "high"),), rows=[Assessed("u", "甲", {"r": rate(0, 0)})])
    content = file(replace(made, total=Assessed("t", "合计", {"r": rate(0, 0)})), form)

    if form is Format.JSON:
        assert json.loads(content)["rows"][0]["figures"]["r"]["value"] is None
    elif form is Format.XLSX:
        assert rows_of(opened(content)["考核表"], "名次")[0]["按期处置率"] == "无基数"
    else:
        text = pdf_text(content) if form is Format.PDF else content.decode()
        assert "无基数" in text
        assert "0.00%" not in text
        assert "100.00%" not in text


@pytest.mark.parametrize("trick", TRICKS)
def test_a_name_is_never_a_formula_a_tag_or_a_command(trick: str) -> None:
    column = Column("c", trick, "count", formula=trick, source=trick)
    one = Assessed("u", trick, {"c": Figure(3, 3)}, 90, 1, trick, "red", notes=(trick,))
    made = sheet(title=trick, city=trick, columns=(column,), rows=[one], total=one, notes=(trick,), rules=trick)
    rows = csv_rows(file(made, Format.CSV))
    book = opened(file(made, Format.XLSX))
    page = read_page(file(made, Format.HTML))
    screen = Console(width=80, record=True, file=io.StringIO())
    show(assessment_document(made), screen)
    told = json.loads(file(made, Format.JSON))

    assert not rows[0]["处置部门"].startswith(("=", "+", "-", "@", "＝"))
    assert [cell for each in book for row in each.iter_rows() for cell in row if cell.data_type == "f"] == []
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "\x1b" not in screen.export_text(clear=False).replace("\x1b[0m", "")
    assert told["rows"][0]["figures"]["c"]["value"] == 3


def test_a_terminal_of_eighty_columns_shows_all_columns_and_never_more_than_eighty() -> None:
    made = sheet(30)
    screen = Console(width=80, record=True, file=io.StringIO())
    show(assessment_document(made), screen)
    text = screen.export_text()

    assert max(map(cell_len, text.splitlines())) <= 80
    for column in made.columns:
        assert column.title in text, column.title
    for one in made.rows:
        assert text.count(one.name) >= 3, one.name
        for column in made.columns:
            assert written(one.figures[column.id].value, Kind(column.kind)) in text


def test_text_folds_between_chinese_characters_but_not_inside_numbers_or_before_a_stop() -> None:
    text = "处置 1,234,567 件，按期处置率 95.62%，较前一日提高 1.20 个百分点。"
    for width in range(14, 40):
        lines = list(folded(text, width))
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert max(map(cell_len, lines)) <= width
        assert not any(line.startswith(("，", "。")) for line in lines)
        assert any("1,234,567" in line for line in lines)


def test_a_sheet_says_whether_it_may_still_change_and_how_old_its_facts_are() -> None:
    now = sheet(edition=0)

    fresh, stale = (replace(now, facts_at=now.as_of - timedelta(days=days)) for days in (0, 1))

    assert assessment_document(sheet(edition=2)).provisional == ""
    assert assessment_document(fresh).provisional == "本期尚未月结，数据为暂行，月结前可能变动。"
    assert "只更新到 2026-11-02 02:00" in assessment_document(stale).provisional
    assert dict(assessment_document(stale).facts)["数据截至"] == "2026-11-02 02:00"


def test_columns_are_chosen_by_id_or_title_and_a_wrong_one_is_told_the_nearest() -> None:
    made = with_columns(sheet(), ["按期处置率", "due", "on_time_rate"])

    assert [column.id for column in made.columns] == ["on_time_rate", "due"]
    assert with_columns(made, []) is made
    with pytest.raises(Unacceptable, match="on_time_rate"):
        with_columns(sheet(), ["ontime_rate"])
    with pytest.raises(Unacceptable, match="按期处置率"):
        with_columns(sheet(), ["按期处理率"])


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (93.724, Kind.PERCENT, "93.72%"), (0.005, Kind.PERCENT, "0.01%"), (100.0, Kind.PERCENT, "100.00%"),
        (0.145, Kind.RATIO, "0.15"), (2.675, Kind.SCORE, "2.68"), (1234567, Kind.COUNT, "1,234,567"),
        (1.5, Kind.COUNT, "1.50"), (-0.001, Kind.SCORE, "0.00"), (1e300, Kind.COUNT, None), (7.25, Kind.HOURS, "7.3"),
        (float("nan"), Kind.PERCENT, "无基数"), (float("inf"), Kind.SCORE, "无基数"), (None, Kind.PERCENT, "无基数"),
        (None, Kind.RANK, "—"), (None, Kind.TEXT, "—"), (3, Kind.TEXT, "3"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_people_round_them(value: Any, kind: Kind, text: str | None) -> None:
    assert text is None or written(value, kind) == text
    assert written(value, kind)


def test_a_figure_that_is_no_number_spoils_no_format() -> None:
    bad = Assessed("u", "甲", {column.id: Figure(float("nan"), float("inf"), 0) for column in COLUMNS}, float("nan"))
    for form in Format:
        content = file(sheet(rows=[bad], total=bad), form)
        assert b"NaN" not in content
        assert form in (Format.JSON, Format.PDF) or b"inf," not in content
        assert content


def test_a_sheet_with_nobody_on_it_and_one_with_missing_figures_can_be_written() -> None:
    nobody = sheet(rows=[], columns=())
    gaps = sheet(rows=[Assessed("u", "甲", {})])
    for form in Format:
        assert file(nobody, form)
        assert file(gaps, form)
    assert csv_rows(file(gaps, Format.CSV))[0]["应处置数"] == "—"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Format.JSON), ("*/*", Format.JSON), ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", Format.HTML),
        ("text/csv", Format.CSV), ("application/pdf", Format.PDF), ("application/json; charset=utf-8", Format.JSON),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Format.XLSX),
    ],
)  # fmt: skip
def test_an_accept_header_names_the_format(accept: str, form: Format) -> None:
    assert accepted(accept) is form


def test_a_format_there_is_not_is_refused() -> None:
    with pytest.raises(Unacceptable, match="text/csv"):
        accepted("image/png")


def test_a_colour_is_one_or_none_and_what_is_written_on_it_can_be_read() -> None:
    assert coloured("#d93025") == "#D93025"
    assert [coloured(text) for text in ("red", "#12345", 'x"><b>', "")] == [""] * 4
    assert (ink("#FFFFFF"), ink("#FDF0C8"), ink("#1E8E3E")) == ("#000000", "#000000", "#FFFFFF")
