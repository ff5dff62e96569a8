"""What a briefing says in words, and how a unit's cases stand in its statement."""

import io
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from rich.cells import cell_len
from rich.console import Console

from assessment.briefing import Counted, Group, Tally, compared, grouped, sentences, summed, worst
from assessment.period import Span, period_of
from assessment.unit_statement import Standing, counted, lines_of
from canonical.fact import Fact
from canonical.time import SHANGHAI
from gateway.report.briefing import briefing_document
from gateway.report.formats import Format, Report, written_as
from gateway.report.terminal import show
from tests.report.briefings import BEFORE, NOW, at, briefing
from tests.report.reading import csv_rows, opened, read_page, rows_of

SAID = (
    "10月12日，芜湖市共上报案件 326 件，较前一日增加 12 件、3.8%；立案 290 件，不予立案 14 件。",
    "派遣 280 件，处置 251 件（较前一日减少 9 件、3.5%），其中按期 240 件、超期 11 件（另有 1 件经申诉剔除），"
    "按期处置率 95.62%，较前一日提高 1.39 个百分点；结案 233 件。",
    "截至10月12日24时，在办 512 件，其中超期未办 18 件（前一日 21 件），24 小时内到期 43 件，缓办 6 件。",
    "退件 9 件（前一日 9 件），返工 4 件（前一日 6 件）。",
    "按来源系统：芜湖 12345 热线上报 180 件、社会治理平台上报 146 件。",
    "按区县：镜湖区上报 120 件、处置 98 件（按期率 96.94%）、鸠江区上报 101 件、处置 80 件（按期率 92.50%）、"
    "弋江区上报 105 件、处置 73 件（按期率 97.26%）。",
    "超期较多的单位：市政设施管理处 15 件（超期处置 6、超期未办 9）、排水管理处 8 件（超期处置 2、超期未办 6）。",
    "在办督办案件 2 件，其中红牌 1 件、普通 1 件；已超期 1 件。",
    "联动处置超时 1 件次，涉及镜湖区城市管理局。",
)


@pytest.mark.parametrize("sentence", SAID)
def test_a_briefing_says_its_numbers(sentence: str) -> None:
    assert sentence in sentences(briefing())


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (Tally(reported=5), Tally(reported=5), "共上报案件 5 件，与前一日持平；"),
        (Tally(reported=5), Tally(), "共上报案件 5 件，前一日为 0 件；"),
        (Tally(), Tally(reported=5), "共上报案件 0 件，较前一日减少 5 件、100.0%；"),
        (Tally(reported=1234), Tally(reported=617), "共上报案件 1,234 件，较前一日增加 617 件、100.0%；"),
        (Tally(on_time=1), Tally(), "按期处置率 100.00%（前一日无基数）"),
        (Tally(), Tally(on_time=1), "按期处置率无基数；"),
        (Tally(on_time=1, late=1), Tally(on_time=2, late=2), "按期处置率 50.00%，与前一日持平"),
        (Tally(on_time=1, late=1), Tally(on_time=3, late=1), "按期处置率 50.00%，较前一日下降 25.00 个百分点"),
        (Tally(on_time=4283, late=1), Tally(), "按期处置率 99.98%"),
    ],
)
def test_a_comparison_is_never_made_with_nothing(now: Tally, before: Tally, said: str) -> None:
    text = "".join(sentences(briefing(total=now, before=before)))

    assert said in text
    assert "另有" not in text


def test_a_quiet_day_is_said_to_be_quiet_and_lists_of_nothing_are_left_out() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("sources", "systems", "districts", "units", "supervised", "joint_late"), ()
    )
    text = "".join(sentences(briefing(**nothing)))

    assert "没有单位超期。没有在办的督办案件。联动处置没有单位超时。" in text
    assert "按来源系统" not in text


def test_a_week_that_still_runs_is_compared_with_as_much_of_the_one_before() -> None:
    period, now = period_of("2026-W42"), datetime(2026, 10, 14, 9, 30, tzinfo=SHANGHAI)
    until, before, as_long = compared(period, now)
    text = "".join(sentences(briefing(span=Span.WEEK, running=True, first=period.first, last=until)))

    assert (until, str(before), as_long) == (now, "2026-W41", datetime(2026, 10, 7, 9, 30, tzinfo=SHANGHAI))
    assert text.startswith("10月12日至10月14日，芜湖市共上报案件 326 件，较上一周同期增加")
    assert "截至10月14日09:30，" in text
    assert compared(period, datetime(2026, 12, 1, tzinfo=SHANGHAI))[0] == period.last


def test_groups_sum_up_to_the_total_and_what_has_no_name_is_named() -> None:
    rows = [
        Counted("u1", "s", "hotline", "340202", Tally(reported=3)), Counted("u2", "", "", "", Tally(late=2, open=1)),
        Counted("u1", "s", "hotline", "340202", Tally(on_time=4)),
    ]  # fmt: skip
    groups = grouped(rows, [], lambda one: one.district, {"340202": "镜湖区"}, "区县不明")

    assert [(one.name, one.tally.reported, one.tally.late) for one in groups] == [("镜湖区", 3, 0), ("区县不明", 0, 2)]
    assert summed(rows) == Tally(reported=3, on_time=4, late=2, open=1)
    assert grouped([], [Counted("u1", "", "", "1", Tally(reported=1))], lambda one: one.unit, {}, "") == []


def test_the_worst_units_are_those_that_are_behind_most() -> None:
    groups = [
        Group("a", "甲", Tally(late=2, on_time=8)), Group("b", "乙", Tally(overdue=3)),
        Group("c", "丙", Tally(on_time=9)), Group("d", "丁", Tally(late=2)),
    ]  # fmt: skip
    assert [one.name for one in worst(groups)] == ["乙", "丁", "甲"]


def test_every_format_of_a_briefing_says_the_same_numbers() -> None:
    made = briefing()
    report = Report("briefing", made, briefing_document(made))
    page, book = read_page(written_as(report, Format.HTML)), opened(written_as(report, Format.XLSX))
    screen = Console(width=80, record=True, file=io.StringIO())
    show(report.document, screen)
    text = screen.export_text()

    assert book.sheetnames[:2] == ["说明", "处置单位情况"]
    assert sentences(made)[0] in [row[0] for row in book["说明"].iter_rows(values_only=True)]
    [overview] = [table for table in page.tables if table[0][0] == "时段"]
    assert dict(zip(overview[0], overview[1], strict=True))["在办"] == "512"
    assert rows_of(book["总体情况"], "时段")[2]["上报"] == NOW.reported - BEFORE.reported
    assert rows_of(book["处置单位情况"], "处置单位")[0]["按期处置率"] == pytest.approx(0.88)
    assert csv_rows(written_as(report, Format.CSV))[0]["按期处置率(%)"] == "88.00"
    assert {"3402202610010000017", "红牌"} <= {cell for table in page.tables for row in table for cell in row}
    assert page.tags.count("svg") == 3
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "芜湖市城市治理日报（2026年10月12日）" in text
    assert sentences(made)[3] in text


MONTH = period_of("2026-10")
NOVEMBER = datetime(2026, 11, 2, 1, tzinfo=SHANGHAI)


def fact(what: str, began: str, due: str = "", done: str = "", **changes: Any) -> Fact:
    """One of the unit `u`."""
    given: dict[str, Any] = {
        "case_id": UUID(int=1), "case_no": "34020001", "seq": 1, "what": what, "unit": "u", "at": at(began),
        "due_at": at(due) if due else None, "done_at": at(done) if done else None, "done_seq": 2 if done else 0,
        "spent_seconds": 5400,
    }  # fmt: skip
    return Fact(**(given | changes))


@pytest.mark.parametrize(
    ("given", "standing"),
    [
        (fact("clock.disposal", "02 08:00", "03 08:00", "03 08:00", result="dispose"), Standing.ON_TIME),
        (fact("clock.disposal", "02 08:00", "03 08:00", "03 08:01", result="dispose"), Standing.LATE),
        (fact("clock.disposal", "02 08:00", "", "03 08:00", result="dispose"), Standing.ON_TIME),
        (fact("clock.disposal", "02 08:00", "03 08:00", "02 09:00", result="cancel"), Standing.GIVEN_BACK),
        (fact("clock.disposal", "02 08:00", "30 08:00"), Standing.OVERDUE),
        (fact("clock.disposal", "02 08:00", suspended=True), Standing.SUSPENDED),
        (fact("clock.disposal", "02 08:00"), Standing.OPEN),
        (fact("action.return", "02 08:00"), Standing.GIVEN_BACK),
        (replace(fact("clock.disposal", "30 08:00", "31 08:00"), done_at=NOVEMBER, done_seq=2), Standing.OVERDUE),
        (fact("clock.disposal", "30 08:00", suspended=True, due_at=NOVEMBER), Standing.SUSPENDED),
    ],
)  # fmt: skip
def test_each_case_of_a_unit_stands_in_one_way_as_at_the_end_of_the_period(given: Fact, standing: Standing) -> None:
    [line] = lines_of([given], {"u"}, MONTH, MONTH.last)

    assert line.standing is standing
    assert sum(counted([line]).values()) == 1
    assert lines_of([given], {"v"}, MONTH, MONTH.last) == []


def test_what_counts_against_a_unit_is_named_unless_an_appeal_was_upheld() -> None:
    late = fact("clock.disposal", "02 08:00", "03 08:00", "04 08:00", result="dispose", reworks=2)
    back = fact("action.return", "02 09:00", seq=2)
    [line] = lines_of([late, back], {"u"}, MONTH, MONTH.last)
    [appealed] = lines_of([replace(late, exempt=True), back], {"u"}, MONTH, MONTH.last)

    assert line.counts == ("超期", "返工", "退件")
    assert (line.returns, line.reworks, line.spent_hours) == (1, 2, 1.5)
    assert appealed.counts == ()
