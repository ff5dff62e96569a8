"""Market supervision: its own rows to the facts, our rows to its values, and its simulated tables and files."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import Table as Sql
from sqlalchemy import create_engine, select, update

import adapters
from canonical.errors import Refused, Unacceptable, Why
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message
from canonical.reading import Reading
from canonical.time import SHANGHAI
from connectors.exchange_table import Table, TableConnector, TableReceiver
from simulators.market_supervision import exchange, feed
from simulators.market_supervision.matter import IN_VIEW, KINDS, matter
from tests.adapters.systems import ID, inbound, loaded, outbound_of, written

SHARED = Path(__file__).parents[2].parent / "shared" / "contracts" / "market-supervision-exchange-table" / "samples"
stored = pytest.mark.skipif(not SHARED.is_dir(), reason="the reference contracts are not beside this checkout")
THAT_DAY = datetime(2026, 3, 16, 20, 0, tzinfo=SHANGHAI)
SYSTEM = loaded(adapters.shipped()["market_supervision"])
CODECS = {"complaints_files": "utf-8", "registrations_files": "gb18030"}
FEEDS = {"complaints": "02_shuntlist.csv", "registrations": "01_anjianxx_view.gbk.csv"}
FINAL = "1340202002026031612345678"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def rows(name: str) -> list[dict[str, str]]:
    text = (SHARED / name).read_bytes().decode("gb18030" if "gbk" in name else "utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def read(body: bytes, receiver: str) -> list[Any]:
    return list(SYSTEM.read(inbound(body, door=receiver, at=THAT_DAY)))


def read_row(row: Mapping[str, object], receiver: str) -> Any:
    [content] = read(orjson.dumps(row), receiver)
    return content


@stored
@pytest.mark.parametrize("receiver", FEEDS)
def test_a_file_reads_as_its_rows_do_in_the_table(receiver: str) -> None:
    name = FEEDS[receiver]

    whole = read((SHARED / name).read_bytes(), f"{receiver}_files")

    assert whole == [read_row(row, receiver) for row in rows(name)]
    assert all(isinstance(one, Reading) for one in whole)


@stored
def test_a_complaint_carries_every_fact() -> None:
    reading = read_row(rows("02_shuntlist.csv")[0], "complaints")
    report = reading.report

    assert (reading.kind, reading.external_id, reading.visible_no) == ("complaint", FINAL, "REG20260316001")
    assert (report.title, report.description) == ("投诉：示例超市有限公司", "购买酸奶过期，要求退赔")
    assert (report.given_class, report.class_code, report.coordinate) == ("投诉", None, None)
    assert report.reported_at == at("2026-03-16 11:20:00")
    assert (report.reporter.name, report.reporter.withheld) == ("陈某某", False)
    assert report.deadline.at == at("2026-05-16 11:20:00")
    assert report.sign_deadline.at == at("2026-03-23 11:20:00")
    assert reading.addition is None


@stored
def test_an_anonymous_report_is_withheld_and_its_urgings_are_remarked() -> None:
    reading = read_row(rows("02_shuntlist.csv")[1], "complaints")
    report = reading.report

    assert (report.reporter.name, report.reporter.phone, report.reporter.withheld) == ("", "", True)
    assert (report.deadline.at, report.sign_deadline) == (at("2026-04-08 11:41:00"), None)
    assert reading.addition.remark == "12315 催办2次，督办1次"


@stored
def test_a_withdrawn_row_cancels_and_creates_nothing() -> None:
    reading = read_row(rows("02_shuntlist.csv")[2], "complaints")

    assert (reading.kind, reading.report) == ("withdrawn", None)
    assert reading.action.kinds == {Party.SOURCE: ActionKind.CANCEL}


@stored
def test_a_row_that_is_settled_there_is_no_news() -> None:
    reading = read_row(rows("02_shuntlist.csv")[0] | {"status": "1"}, "complaints")

    assert (reading.kind, reading.report, reading.action) == ("settled", None, None)


@stored
def test_a_registration_carries_every_fact_and_invents_no_hour() -> None:
    first, anonymous, _ = read((SHARED / FEEDS["registrations"]).read_bytes(), "registrations_files")
    report = first.report

    assert (first.external_id, report.title) == ("340202002026031600012", "投诉过期食品")  # REGDEP is the title
    assert report.description == "消费者反映在示例超市购买的酸奶已过保质期，要求退一赔十"
    assert (report.reported_on, report.reported_at) == (date(2026, 3, 16), None)
    assert (report.address, report.given_class) == ("镜湖区示例路10号", "食品;过期")
    assert (report.reporter.name, report.reporter.phone) == ("陈某某", "13800000004")
    assert (report.deadline, report.coordinate) == (None, None)
    assert report.extra["atime"] == "2026-03-16 09:30:12"
    assert anonymous.report.reporter.withheld
    assert anonymous.report.reporter.name == ""
    assert "atime" not in anonymous.report.extra  # 1900-01-01 00:00:01 is no time


@stored
def test_the_second_row_of_one_registration_adds_its_address_and_no_telephone() -> None:
    first, _, second = read((SHARED / FEEDS["registrations"]).read_bytes(), "registrations_files")

    assert second.external_id == first.external_id
    assert second.addition.remark == "12315 登记的经营地址：镜湖区示例路10号（二层）"
    assert not any(number in second.model_dump_json() for number in ("0553-0000001", "0553-0000002"))


@stored
@pytest.mark.parametrize("field", ["blqx", "firstblqx", "regtime"])
@pytest.mark.parametrize("empty", ["1900-01-01 00:00:01", "", None])
def test_a_time_that_is_none_is_left_out(field: str, empty: str | None) -> None:
    reading = read_row(rows("02_shuntlist.csv")[0] | {field: empty}, "complaints")
    read_there = {
        "blqx": reading.report.deadline, "firstblqx": reading.report.sign_deadline,
        "regtime": reading.report.reported_at,
    }  # fmt: skip

    assert read_there[field] is None
    assert all(value for name, value in read_there.items() if name != field)


@stored
@pytest.mark.parametrize("wrong", [{"infotype": "表扬"}, {"status": "7"}, {"caseid": ""}, {"blqx": "soon"}])
def test_what_breaks_the_contract_is_refused(wrong: dict[str, str]) -> None:
    content = read_row(rows("02_shuntlist.csv")[0] | wrong, "complaints")

    assert isinstance(content, Unacceptable)
    assert content.why in {Why.CONTRACT, Why.UNKNOWN_MESSAGE}


def feedback(
    name: str, kind: str, when: str, caseid: str = FINAL, unit: str = "work_day", **more: object
) -> tuple[Message, dict[str, Any]]:
    action = {"kind": kind, "actor": {"party": "centre", "id": "op", "name": "示例经办人"}, "at": when} | more
    if kind == "ask_extension":
        action |= {"limit": {"value": 3, "unit": unit}, "reason": "待检"}
    return written(SYSTEM, outbound_of(name, {"action": action, "binding": {"external_id": caseid}}))


@stored
@pytest.mark.parametrize(("number", "name", "kind"), [(0, "fk_accept", "file"), (1, "fk_close", "close")])
def test_our_rows_equal_the_stored_ones_but_for_our_own_key(number: int, name: str, kind: str) -> None:
    wanted = rows("03_writeback_rows.csv")[number]
    files = [{"url": url} for url in wanted["fj"].split(";") if url]
    said = {"result": wanted["fknr"]} if kind == "close" else {"reason": wanted["fknr"]}

    message, body = feedback(name, kind, at(wanted["fksj"]).isoformat(), attachments=files, **said)

    assert (message.method, message.path) == ("POST", "ex_fkxx")
    assert body | {"fkid": "f"} == wanted | {"fkid": "f"}


def test_a_row_sent_again_has_its_key_and_another_row_has_another() -> None:
    when = "2026-03-17T09:00:00+08:00"
    first = feedback("fk_accept", "file", when)[1]["fkid"]
    others = [
        feedback("fk_accept", "join", when)[1], feedback("fk_accept", "file", "2026-03-17T09:00:01+08:00")[1],
        feedback("fk_accept", "file", when, caseid="2")[1],
    ]  # fmt: skip

    assert feedback("fk_accept", "file", when)[1]["fkid"] == first
    assert len({first, *(one["fkid"] for one in others)}) == 4
    assert len(first) <= 50


@pytest.mark.parametrize(("unit", "words"), [("work_day", "3个工作日"), ("calendar_day", "3天"), ("minute", "3分钟")])
def test_an_extension_says_how_long_and_why(unit: str, words: str) -> None:
    body = feedback("fk_extension", "ask_extension", "2026-03-17T09:00:00+08:00", unit=unit)[1]

    assert (body["fkzt"], body["fknr"]) == ("3", f"申请延期{words}：待检")


# --- the simulated exchange database and files -------------------------------------------------------------------


@dataclass
class Remembered:
    """What a receiver remembers, as long as the test runs."""

    at: str = ""
    digests: dict[str, str] = field(default_factory=dict)

    def position(self) -> str:
        return self.at

    def move(self, position: str) -> None:
        self.at = position

    def news(self, digests: Mapping[str, str]) -> frozenset[str]:
        return frozenset(key for key, digest in digests.items() if self.digests.get(key) != digest)

    def remember(self, digests: Mapping[str, str]) -> None:
        self.digests.update(digests)

    def absent(self, keys: Collection[str], *, told: str) -> frozenset[str]:
        return frozenset(key for key, digest in self.digests.items() if key not in keys and digest != told)


@dataclass
class Database:
    """The simulated platform's tables in a file, and a receiver for each that we declare."""

    url: str

    def __post_init__(self) -> None:
        self.engine = create_engine(self.url)
        self.memory = {name: Remembered() for name in ("complaints", "registrations", "feedback")}
        with self.engine.begin() as connection:
            exchange.prepared(connection)

    def insert(self, table: Sql, *given: exchange.Row) -> None:
        with self.engine.begin() as connection:
            exchange.inserted(connection, table, given)

    def pass_of(self, name: str) -> list[Any]:
        """Everything one pass of a declared receiver reads."""
        [declared] = [one.declared.table for one in SYSTEM.receivers if one.name == name]
        receiver = TableReceiver(
            self.url, Table(**dict(declared or {})), system="market_supervision", door=name, memory=self.memory[name],
            ids=uuid4, now=lambda: THAT_DAY, zone=SHANGHAI, timeout=5,
        )  # fmt: skip
        found = []
        while page := receiver.receive(most=50, wait=0):
            for one in page:
                found += SYSTEM.read(one.message)
                one.accept()
        receiver.close()
        return found


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    one = Database(f"sqlite:///{tmp_path / 'exchange.db'}")
    yield one
    one.engine.dispose()


def matters(kind: str) -> list[Any]:
    return [matter(Random(f"{kind}{number}"), kind, number, THAT_DAY) for number in range(1, 8)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_of_the_simulated_tables_reads_once(database: Database, kind: str) -> None:
    table, name = (exchange.VIEW, "registrations") if kind in IN_VIEW else (exchange.PENDING, "complaints")
    given = matters(kind)
    for one in given:
        database.insert(table, *one.rows)

    found = database.pass_of(name)

    assert all(isinstance(one, Reading) and one.report for one in found), found
    assert sorted(one.external_id for one in found) == sorted(one.caseid for one in given for _ in one.rows)
    assert database.pass_of(name) == []


def test_a_row_that_is_withdrawn_later_is_read_again_and_cancels(database: Database) -> None:
    [one, *_] = matters("withdrawn")
    database.insert(exchange.PENDING, *one.rows)
    first = database.pass_of("complaints")
    with database.engine.begin() as connection:
        exchange.withdrawn(connection, one.caseid, THAT_DAY.replace(tzinfo=None, hour=21))

    second = database.pass_of("complaints")

    assert [(read.kind, read.external_id) for read in (*first, *second)] == [
        ("complaint", one.caseid), ("withdrawn", one.caseid),
    ]  # fmt: skip


def test_what_we_write_back_is_taken_and_its_outcome_read(database: Database) -> None:
    writer = TableConnector(database.url, ids=uuid4, now=lambda: THAT_DAY, timeout=5, zone=SHANGHAI)
    accepted, _ = feedback("fk_accept", "file", "2026-03-17T09:00:00+08:00")
    closed, row = feedback("fk_close", "close", "2026-03-18T09:00:00+08:00", result="已退款")
    for sent in (accepted, closed):
        assert SYSTEM.judge(sent.door, writer.send(sent))
    writer.close()
    with database.engine.begin() as connection:
        read = exchange.unread(connection)
    assert database.pass_of("feedback") == []  # nobody has looked at them
    with database.engine.begin() as connection:
        exchange.read(connection, {read[0].fkid: "1", read[1].fkid: "2"}, (), THAT_DAY)

    taken, rejected = database.pass_of("feedback")

    assert [(one.caseid, one.fkzt, one.fknr) for one in read] == [(FINAL, "1", "已受理"), (FINAL, "9", "已退款")]
    assert (taken.kind, taken.action, taken.report) == ("feedback_taken", None, None)
    assert rejected.action.kinds == {Party.SOURCE: ActionKind.COMMENT}
    assert rejected.action.reason == f"12315 平台退回了办结回写，编号{row['fkid']}"
    assert database.pass_of("feedback") == []


def test_a_row_the_platform_judges_days_later_is_still_read(database: Database) -> None:
    row = {"caseid": FINAL, "fkzt": "1", "fknr": "x", "fkr": "x", "fj": ""}
    early, late = datetime(2026, 3, 10, 9), datetime(2026, 3, 16, 9)  # noqa: DTZ001  # as the table holds them
    database.insert(
        exchange.FEEDBACK, {**row, "fkid": "late", "fksj": early, "clbz": "0"},
        {**row, "fkid": "prompt", "fksj": late, "clbz": "1"},
    )  # fmt: skip
    assert len(database.pass_of("feedback")) == 1
    with database.engine.begin() as connection:
        connection.execute(update(exchange.FEEDBACK).where(exchange.FEEDBACK.c.fkid == "late").values(clbz="2"))

    [reading] = database.pass_of("feedback")

    assert reading.kind == "feedback_rejected"
    with database.engine.begin() as connection:
        assert len(connection.execute(select(exchange.FEEDBACK)).all()) == 2


def test_a_row_that_is_there_already_is_ours() -> None:
    answer = Message(system="m", body=b'{"error":"duplicate"}', at=THAT_DAY, id=ID, status=409)

    assert SYSTEM.judge("fk_accept", answer)


def test_a_row_the_table_does_not_take_is_refused() -> None:
    answer = Message(system="m", body=json.dumps({"error": "data", "column": "fknr"}).encode(), at=THAT_DAY, id=ID,
                     content_type="application/json", status=422)  # fmt: skip

    with pytest.raises(Refused, match="回写表不收"):
        SYSTEM.judge("fk_close", answer)


@pytest.mark.parametrize("kind", KINDS)
def test_the_simulated_files_read_as_the_tables_do(tmp_path: Path, database: Database, kind: str) -> None:
    table, name = (exchange.VIEW, "registrations") if kind in IN_VIEW else (exchange.PENDING, "complaints")
    given = [row for one in matters(kind) for row in one.rows]
    [layout] = [one for one in feed.FEEDS if one.table is table]
    dropped = tmp_path / feed.dropped(tmp_path, layout, given, THAT_DAY)
    database.insert(table, *given)

    found = SYSTEM.read(inbound(dropped.read_bytes(), door=f"{name}_files", at=THAT_DAY))

    def told(readings: list[Any]) -> list[str]:
        return sorted(one.model_dump_json(exclude={"system"}) for one in readings)

    assert told(found) == told(database.pass_of(name))
