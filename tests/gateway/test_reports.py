"""Reports over the API and the command line: one month of cases, counted a second time by plain Python."""

import asyncio
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from assessment.facts import facts_of, folded
from assessment.period import period_of
from canonical.fact import Fact
from canonical.lifecycle import ActionKind
from canonical.rights import EVERYTHING
from canonical.time import SHANGHAI
from gateway.assessment import sheet_of
from gateway.cli.main import app
from gateway.cli.schema import schemas
from gateway.configuration import Configuration
from gateway.report.formats import MEDIA, Format
from gateway.settings import Settings, example_city
from storage.facts import Facts
from storage.partitions import keep_months
from storage.store import Store
from tests.assessment.month import PEOPLE, UNITS, Story, month, save
from tests.databases import Databases
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, HubUnderTest
from tests.report.reading import csv_rows, opened, pdf_pages, pdf_text, read_page, rows_of

UNTIL = datetime(2026, 11, 3, tzinfo=SHANGHAI)
DAY, WEEK, MONTH = "2026-10-12", "2026-W42", "2026-10"
UNIT = "3402-lighting"


@dataclass(frozen=True)
class Told:
    """A hub over a month of cases whose facts are made."""

    hub: HubUnderTest
    stories: list[Story]
    facts: list[Fact]

    def get(self, path: str, status: int = 200, **given: Any) -> Any:
        """The answer, which must have this status."""
        answer = self.hub.client.get(f"/api/reports/{path}", headers=self.hub.centre, **given)
        assert answer.status_code == status, answer.text[:500]
        return answer


@pytest.fixture(scope="module")
def told(databases: Databases, configuration: Configuration) -> Iterator[Told]:
    name = databases.lend()
    url = databases.server.url_of(name)
    stories = month(11, 200, until=UNTIL, joint=True)
    asyncio.run(_seeded(url, stories))
    facts = [fact for one in stories for fact in facts_of(one.case.no, one.events)]
    settings = Settings(example_city(), url, CENTRE_SECRET, Path("unused"), ENVIRONMENT)
    hub = HubUnderTest(settings, configuration, url, socket.create_server(("127.0.0.1", 0)))
    hub.open_doors()
    yield Told(hub, stories, facts)
    hub.close()
    databases.take_back(name)


async def _seeded(url: str, stories: list[Story]) -> None:
    store = Store(url)
    for number in (9, 10, 11):
        await keep_months(store, datetime(2026, number, 2, tzinfo=SHANGHAI))
    await save(store, stories)
    await Facts(store, folded).update(lambda: UNTIL)
    await store.close()


def command(told: Told, *words: str) -> tuple[int, str]:
    """Exit code and everything that was said."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GRIDHUB_")}
    environment = plain | {"GRIDHUB_DATABASE_URL": told.hub.database_url, "COLUMNS": "80", "TERM": "dumb"}
    done = CliRunner(env=environment).invoke(app, ["report", *words])
    return done.exit_code, done.output


# --- the same in every format ---


@pytest.mark.parametrize("form", list(Format))
def test_a_format_is_named_by_the_query_or_by_accept(told: Told, form: Format) -> None:
    media = MEDIA[form].partition(";")[0]
    asked = told.get("assessment", params={"period": MONTH, "format": form})
    accepted = told.hub.client.get(
        "/api/reports/assessment", params={"period": MONTH}, headers=told.hub.centre | {"accept": media}
    )

    assert asked.headers["content-type"].partition(";")[0] == media
    assert accepted.headers["content-type"] == asked.headers["content-type"]
    assert f"assessment-{MONTH}-unit-e0.{form}" in asked.headers["content-disposition"]
    assert asked.headers["content-security-policy"].startswith("default-src 'none'")


def test_every_format_says_the_figures_of_the_sheet(told: Told) -> None:
    store = Store(told.hub.database_url)

    async def asked() -> Any:
        now = datetime.now(SHANGHAI)
        try:
            return await sheet_of(store, told.hub.configuration, MONTH, "unit", now=now, scope=EVERYTHING)
        finally:
            await store.close()

    sheet = asyncio.run(asked())
    params = {"period": MONTH}
    rows = csv_rows(told.get("assessment", params=params | {"format": "csv"}).content)
    book = opened(told.get("assessment", params=params | {"format": "xlsx"}).content)
    page = read_page(told.get("assessment", params=params | {"format": "html"}).content)
    paper = pdf_text(told.get("assessment", params=params | {"format": "pdf"}).content)
    plain = told.get("assessment", params=params).json()

    jsonschema.Draft202012Validator(schemas()["assessment_sheet"]).validate(plain)
    assert [row["编号"] for row in rows] == [one.id for one in (*sheet.rows, sheet.total)]
    held, shown = rows_of(book["考核表"], "名次"), page.table("名次")
    for number, one in enumerate((*sheet.rows, sheet.total)):
        value = one.figures["in_time_dispose_rate"].value
        assert value is not None
        assert rows[number]["按期处置率(%)"] == f"{value:.2f}"
        assert held[number]["按期处置率"] == pytest.approx(value / 100)
        assert shown[number]["按期处置率"] == f"{value:.2f}%"
        assert one.name in paper
        assert f"{value:.2f}%" in paper
    assert [row["id"] for row in plain["rows"]] == [one.id for one in sheet.rows]
    details = rows_of(book["取数明细"], "对象编号")
    assert len(details) == len(sheet.columns) * (len(sheet.rows) + 1)


def test_columns_and_subject_are_chosen(told: Told) -> None:
    params = {"period": MONTH, "by": "district", "columns": "按期处置率,report"}
    made = told.get("assessment", params=params).json()

    assert [column["id"] for column in made["columns"]] == ["in_time_dispose_rate", "report"]
    assert {row["name"] for row in made["rows"]} == {"镜湖区", "鸠江区"}


# --- numbers, counted a second time ---


def local(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


ENDED_BY = ("dispose", "force_close")


def expected(told: Told, first: date, last: date) -> dict[str, int]:
    """By plain Python: actions from the events, clocks from the facts of each case."""
    actions = Counter(
        event.action.kind for story in told.stories for event in story.events if first <= local(event.action.at) < last
    )
    counts = {
        "reported": actions[ActionKind.COLLECT], "filed": actions[ActionKind.FILE],
        "refused": actions[ActionKind.REFUSE], "closed": actions[ActionKind.CLOSE] + actions[ActionKind.FORCE_CLOSE],
        "returned": actions[ActionKind.RETURN], "reworked": actions[ActionKind.REWORK],
        "dispatched": actions[ActionKind.DISPATCH] + actions[ActionKind.REDISPATCH],
    }  # fmt: skip
    end = datetime(last.year, last.month, last.day, tzinfo=SHANGHAI)
    clocks = [fact for fact in told.facts if fact.what == "clock.disposal" and fact.at < end]
    done = [one for one in clocks if one.done_at and first <= local(one.done_at) < last and one.result in ENDED_BY]
    late = [one for one in done if one.due_at and one.done_at and one.done_at > one.due_at and not one.exempt]
    running = [one for one in clocks if one.done_at is None or one.done_at >= end]
    overdue = [one for one in running if one.due_at and one.due_at < end]
    near = [one for one in running if one.due_at and end <= one.due_at < end + timedelta(hours=24)]
    counts |= {
        "disposed": len(done),
        "late": len(late),
        "on_time": sum(not one.due_at or one.done_at <= one.due_at for one in done if one.done_at),
    }
    return counts | {"open": len(running), "overdue": len(overdue), "near_due": len(near)}


@pytest.mark.parametrize(
    ("name", "text"), [("day", DAY), ("day", "2026-10-20"), *(("week", f"2026-W{week}") for week in range(40, 45))]
)
def test_a_briefing_counts_what_the_events_say(told: Told, name: str, text: str) -> None:
    period = period_of(text)
    made = told.get("briefing", params={name: text}).json()

    jsonschema.Draft202012Validator(schemas()["briefing"]).validate(made)
    for counted, of in (("total", period), ("before", period.before())):
        numbers = expected(told, of.begins, of.ends)
        assert {key: made[counted][key] for key in numbers} == numbers
    for groups in ("sources", "systems", "districts"):
        for key in ("reported", "disposed", "overdue", "open"):
            assert sum(group["tally"][key] for group in made[groups]) == made["total"][key], (groups, key)
    [today] = [one for one in made["trend"] if one["day"] == (period.ends - timedelta(days=1)).isoformat()]
    last = expected(told, period.ends - timedelta(days=1), period.ends)
    assert {key: today[key] for key in ("reported", "disposed", "closed")} == {
        key: last[key] for key in ("reported", "disposed", "closed")
    }
    page = read_page(told.get("briefing", params={name: text, "format": "html"}).content)
    said = "".join(page.texts)
    assert f"上报案件 {made['total']['reported']} 件" in said
    assert f"处置 {made['total']['disposed']} 件" in said


def test_what_was_cancelled_with_its_unit_is_not_disposed_of(told: Told) -> None:
    clocks = [one for one in told.facts if one.what == "clock.disposal" and one.result == "cancel" and one.done_at]
    days = {local(one.done_at) for one in clocks if one.done_at}
    assert days
    for day in days:
        made = told.get("briefing", params={"day": day.isoformat()}).json()
        numbers = expected(told, day, day + timedelta(days=1))
        assert {key: made["total"][key] for key in numbers} == numbers


@pytest.mark.parametrize("unit", UNITS)
def test_a_statement_lists_each_case_of_the_unit_once_and_balances(told: Told, unit: str) -> None:
    made = told.get(f"unit/{unit}", params={"period": MONTH}).json()
    first, last = period_of(MONTH).first, period_of(MONTH).last
    own = [fact for fact in told.facts if fact.unit == unit]

    def touched(one: Fact) -> bool:
        if one.what == "action.return":
            return first <= one.at < last
        ends = one.done_at is None or one.done_at >= first or bool(one.due_at and first <= one.due_at < last)
        return one.what in ("clock.disposal", "clock.joint") and one.at < last and (one.at >= first or ends)

    jsonschema.Draft202012Validator(schemas()["unit_statement"]).validate(made)
    assert [line["case_no"] for line in made["cases"]] == sorted({one.case_no for one in own if touched(one)})
    assert sum(made["counts"].values()) == len(made["cases"]) > 5
    for line in made["cases"]:
        all_ = [one for one in own if one.case_no == line["case_no"]]
        runs = [one for one in all_ if one.what == "clock.disposal"] or [
            one for one in all_ if one.what == "clock.joint"
        ]
        if line["standing"] in ("on_time", "late"):
            done, due = runs[-1].done_at, runs[-1].due_at
            assert done is not None
            assert (line["standing"] == "late") == (due is not None and done > due)
            assert datetime.fromisoformat(line["done_at"]) == done
        if line["standing"] == "overdue":
            assert runs[-1].due_at is not None
            assert runs[-1].due_at < last


def test_a_statement_on_paper_has_the_same_cases(told: Told) -> None:
    made = told.get(f"unit/{UNIT}", params={"period": MONTH}).json()
    content = told.get(f"unit/{UNIT}", params={"period": MONTH, "format": "pdf"}).content
    text = pdf_text(content)

    assert content.startswith(b"%PDF-")
    listed = text[text.index("案件明细案件编号") :]
    assert re.findall(r"3402\d{16}", listed) == [line["case_no"] for line in made["cases"]]


def test_a_statement_as_a_workbook_has_the_same_cases_and_figures(told: Told) -> None:
    made = told.get(f"unit/{UNIT}", params={"period": MONTH}).json()
    book = opened(told.get(f"unit/{UNIT}", params={"period": MONTH, "format": "xlsx"}).content)
    lines = rows_of(book["案件明细"], "案件编号")
    assert [row["案件编号"] for row in lines] == [line["case_no"] for line in made["cases"]]
    figures = {row["指标"]: row for row in rows_of(book["考核指标"], "指标")}
    assert figures["按期处置率"]["分子或计数"] == made["assessed"]["figures"]["in_time_dispose_rate"]["numerator"]


def test_no_person_stands_in_a_briefing_or_a_statement(told: Told) -> None:
    for path, params in (("briefing", {"day": DAY}), (f"unit/{UNIT}", {"period": MONTH})):
        for form in (Format.JSON, Format.CSV, Format.HTML, Format.PDF):
            answer = told.get(path, params=params | {"format": form})
            text = pdf_text(answer.content) if form is Format.PDF else answer.text
            assert not [name for name in (*PEOPLE, "已清理", "占道经营的", "不属于本单位") if name in text]


# --- what cannot be told ---

REFUSED: tuple[tuple[str, dict[str, str], int, str], ...] = (
    # path, query, status, what the answer says
    ("assessment", {"period": "2026-13"}, 422, "month 月 13"),
    ("assessment", {"period": "2999-01"}, 422, "尚未开始"),
    ("assessment", {"period": "2025-02"}, 404, "没有2025年2月的数据"),
    ("assessment", {"period": MONTH, "by": "unitt"}, 404, "unit"),
    ("assessment", {"period": MONTH, "columns": "in_time_disposal_rate"}, 422, "in_time_dispose_rate"),
    ("assessment", {"period": MONTH, "edition": "7"}, 404, "edition 7"),
    ("assessment", {"period": MONTH, "edition": "-1"}, 422, "edition"),
    ("assessment", {"period": MONTH, "format": "docx"}, 422, "format"),
    ("assessment", {"period": "2026-10\0"}, 422, "U+0000"),
    ("assessment", {"period": "1" * 5000}, 422, "period"),
    ("assessment", {}, 422, "period"),
    ("briefing", {}, 422, "请指定一日或一周"),
    ("briefing", {"day": DAY, "week": WEEK}, 422, "请指定一日或一周"),
    ("briefing", {"day": WEEK}, 422, "不是一日"),
    ("briefing", {"week": "2026-W54"}, 422, "1 to 53"),
    ("briefing", {"day": "2026-02-30"}, 422, "28 days"),
    ("briefing", {"day": "2025-02-03"}, 404, "gridhub assess update"),
    ("unit/3402-lightin", {"period": MONTH}, 404, "3402-lighting"),
    ("unit/%00", {"period": MONTH}, 422, "U+0000"),
    ("unit/3402-gas", {"period": MONTH}, 404, "没有2026年10月的数据"),
    ("unit/3402-lighting", {"period": "2026-Q5"}, 422, "1 to 4"),
)  # fmt: skip


@pytest.mark.parametrize(("path", "params", "status", "said"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_cannot_be_told_is_refused_with_what_to_do(
    told: Told, path: str, params: dict[str, str], status: int, said: str
) -> None:
    answer = told.get(path, status, params=params)
    error = answer.json()["error"]

    assert said in f"{error['text']} {error['hint']}"
    assert len(answer.content) < 2500


def test_a_format_that_there_is_not_is_refused(told: Told) -> None:
    headers = told.hub.centre | {"accept": "image/png"}
    answer = told.hub.client.get("/api/reports/briefing", params={"day": DAY}, headers=headers)

    assert answer.status_code == 422
    assert "text/csv" in answer.json()["error"]["text"]


def test_without_facts_it_is_said_how_to_get_some(hub: HubUnderTest) -> None:
    for path in (f"briefing?day={DAY}", f"assessment?period={MONTH}", f"unit/{UNIT}?period={MONTH}"):
        answer = hub.client.get(f"/api/reports/{path}", headers=hub.centre)
        assert answer.status_code == 404
        assert "gridhub assess update" in json.dumps(answer.json())


# --- the command line ---


def test_the_command_line_shows_a_report_in_eighty_columns(told: Told) -> None:
    for words in (
        ("assessment", "--period", MONTH), ("unit", "--unit", "芜湖市路灯管理处", "--period", MONTH),
    ):  # fmt: skip
        code, said = command(told, *words)
        assert code == 0, said
        assert max(map(cell_len, said.splitlines())) <= 80
        assert "芜湖市" in said


def test_the_command_line_writes_the_file_that_is_named(told: Told, tmp_path: Path) -> None:
    for form in ("xlsx", "html", "pdf"):
        target = tmp_path / f"sheet.{form}"
        code, said = command(told, "assessment", "--period", MONTH, "--output", str(target))
        assert (code, said.strip()) == (0, str(target))
        web = told.get("assessment", params={"period": MONTH, "format": form}).content
        if form == "xlsx":
            assert opened(target.read_bytes()).sheetnames == opened(web).sheetnames
        elif form == "pdf":
            assert [len(page) for page in pdf_pages(target.read_bytes())] == [len(page) for page in pdf_pages(web)]
        else:
            assert _timeless(target.read_bytes()) == _timeless(web)
    code, said = command(told, "briefing", "--day", DAY, "-o", str(tmp_path / "none" / "x.csv"))
    assert (code, "cannot write" in said) == (2, True)
    assert command(told, "assessment", "--period", MONTH, "--format", "docx")[0] == 2


def _timeless(content: bytes) -> str:
    return re.sub(r"20\d\d-\d\d-\d\d.\d\d:\d\d[^\"<,]*", "", content.decode())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("assessment", "--period", "2026-13"), 2, "2026-W42"),
        (("briefing", "--day", "2025-02-03"), 5, "gridhub assess update"),
        (("unit", "--unit", "[/b]路灯管理所", "--period", MONTH), 5, "没有处置单位 '[/b]路灯管理所'"),
    ],
)
def test_the_command_line_says_what_is_wrong(told: Told, words: tuple[str, ...], code: int, said: str) -> None:
    ended, output = command(told, *words)

    assert ended == code
    assert said in output
    assert "Traceback" not in output
