"""The simulated 12315 in SQLite, PostgreSQL and MariaDB, met by somebody who reads and writes with plain SQL."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text

from simulators import Behaviour, Setup, running
from storage.embedded import NAME as ADMINISTRATION
from storage.embedded import EmbeddedPostgres
from tests.connectors.servers.mariadb import MariaDb, missing

NAME = "market_supervision"
FOLDER = "market-supervision-exchange-table"
PICK_UP = "SELECT * FROM ywcl_shuntlist WHERE status = '0' AND state <> '1' ORDER BY updatedate DESC"


class Table12315:
    """What a test does in the exchange database, as the hub would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = create_engine(url)

    def rows(self, statement: str, **values: object) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]

    def write_back(self, caseid: str, fkzt: str, fknr: str = "已受理") -> str:
        """The hub's feedback; its fkid."""
        fkid = uuid4().hex
        statement = (
            "INSERT INTO ex_fkxx (fkid, caseid, fkzt, fknr, fkr, fksj, fj) "
            "VALUES (:fkid, :caseid, :fkzt, :fknr, '示例经办人', '2026-03-17 09:00:00', '')"
        )
        with self.engine.begin() as connection:
            connection.execute(text(statement), {"fkid": fkid, "caseid": caseid, "fkzt": fkzt, "fknr": fknr})
        return fkid

    def clbz(self, fkid: str) -> str:
        [row] = self.rows("SELECT clbz FROM ex_fkxx WHERE fkid = :fkid", fkid=fkid)
        return str(row["clbz"])


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table12315]:
    """A SQLite file of this test."""
    table = Table12315(f"sqlite:///{tmp_path / 'exchange.db'}")
    yield table
    table.engine.dispose()


@pytest.fixture
def side(start: Any, table: Table12315, until: Callable[..., None]) -> Any:
    """The platform on it, its tables there."""
    return ready(start(NAME, options={"url": table.url}), until)


def ready(side: Any, until: Callable[..., None]) -> Any:
    until(lambda: side.client.get("/_sim/exchange").json()["ready"])
    return side


def happened(side: Any, kind: str) -> str:
    id_: str = side.post("/_sim/happen", json={"kind": kind}).json()["id"]
    side.drained()
    return id_


def answered(table: Table12315, until: Callable[..., None], caseid: str, fkzt: str, fknr: str = "已受理") -> str:
    """What became of this feedback."""
    fkid = table.write_back(caseid, fkzt, fknr)
    until(lambda: table.clbz(fkid) != "0")
    return table.clbz(fkid)


@pytest.mark.parametrize(
    ("kind", "infotype", "limits"),
    [("complaint", "投诉", (True, True)), ("report", "举报", (False, True)), ("consultation", "咨询", (False, False))],
)
def test_a_pending_row_has_the_columns_and_limits_of_its_kind(
    side: Any,
    table: Table12315,
    sample: Callable[[str, str], bytes],
    kind: str,
    infotype: str,
    limits: tuple[bool, bool],
) -> None:
    caseid = happened(side, kind)
    header = sample(FOLDER, "02_shuntlist.csv").decode().splitlines()[0].split(",")
    [row] = table.rows(PICK_UP)
    assert list(row) == header
    assert (row["caseid"], row["infotype"], len(caseid)) == (caseid, infotype, 25)
    assert (row["firstblqx"] is not None, row["blqx"] is not None) == limits
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["updatedate"])
    assert (row["cwcs"].isdigit(), row["dubcs"].isdigit()) == (True, True)


def test_a_registration_is_a_view_row_whose_department_is_the_title(
    side: Any, table: Table12315, sample: Callable[[str, str], bytes]
) -> None:
    caseid = happened(side, "registration")
    header = sample(FOLDER, "01_anjianxx_view.gbk.csv").decode("gbk").splitlines()[0].split(",")
    [row] = table.rows("SELECT * FROM anjianxx")
    assert list(row) == header
    assert (row["AJID"], row["REGDEP"], len(caseid)) == (caseid, side.item(caseid)["title"], 21)
    assert re.fullmatch(r"\d{4}/\d\d/\d\d", row["REGTIME"])


def test_a_join_doubles_a_case_with_another_phone(side: Any, table: Table12315) -> None:
    caseid = happened(side, "doubled")
    first, second = table.rows("SELECT * FROM anjianxx")
    assert first["AJID"] == second["AJID"] == caseid
    assert {name for name in first if first[name] != second[name]} == {"ENTADDR", "ENTTEL"}


def test_an_anonymous_reporter_is_a_word_without_a_phone(side: Any, table: Table12315) -> None:
    happened(side, "anonymous")
    [row] = table.rows("SELECT PNAME, PTEL, PADDR FROM anjianxx")
    assert row == {"PNAME": "匿名", "PTEL": "", "PADDR": ""}


def test_a_withdrawn_case_is_pending_first_and_then_void(
    start: Any, table: Table12315, until: Callable[..., None]
) -> None:
    side = ready(start(NAME, options={"url": table.url}, pace=3600), until)
    caseid = side.post("/_sim/happen", json={"kind": "withdrawn"}).json()["id"]
    until(lambda: table.rows(PICK_UP))
    assert side.item(caseid)["state"] == "0"


def test_a_void_row_stays_and_is_picked_up_no_more(side: Any, table: Table12315, until: Callable[..., None]) -> None:
    caseid = happened(side, "withdrawn")
    assert table.rows(PICK_UP) == []
    assert table.rows("SELECT caseid, state, status FROM ywcl_shuntlist") == [
        {"caseid": caseid, "state": "1", "status": "0"}
    ]
    assert (side.item(caseid)["state"], side.summary()["withdrawn"]) == ("void", 1)
    assert answered(table, until, caseid, "1") == "2"


def test_feedback_moves_the_case_and_is_marked_taken(side: Any, table: Table12315, until: Callable[..., None]) -> None:
    caseid = happened(side, "complaint")
    seen = []
    for letter, opinion in (("1", "已受理"), ("3", "申请延期"), ("9", "双方达成和解")):
        assert answered(table, until, caseid, letter, opinion) == "1"
        seen.append((side.item(caseid)["state"], side.item(caseid)["opinion"], len(table.rows(PICK_UP))))
    assert seen == [("1", "已受理", 1), ("3", "申请延期", 1), ("9", "双方达成和解", 0)]
    summary = side.summary()
    assert [summary[name] for name in ("signed", "delayed", "finished", "refusals")] == [1, 1, 1, 0]


def test_a_case_of_the_view_can_be_declined(side: Any, table: Table12315, until: Callable[..., None]) -> None:
    caseid = happened(side, "registration")
    assert answered(table, until, caseid, "2", "不属于职责范围") == "1"
    assert side.item(caseid)["state"] == "2"
    assert answered(table, until, caseid, "1") == "2"


@pytest.mark.parametrize(("known", "letter"), [(False, "1"), (True, "7"), (True, "0"), (True, "")])
def test_an_unknown_case_or_letter_is_rejected(
    side: Any, table: Table12315, until: Callable[..., None], known: bool, letter: str
) -> None:
    caseid = happened(side, "complaint")
    assert answered(table, until, caseid if known else "1340202002099010100000001", letter) == "2"
    assert (side.item(caseid)["state"], side.summary()["refusals"]) == ("0", 1)


def test_refusing_rejects_good_feedback_and_being_down_leaves_it_unread(
    side: Any, table: Table12315, until: Callable[..., None]
) -> None:
    caseid = happened(side, "complaint")
    side.behave(refuse=1)
    assert answered(table, until, caseid, "1") == "2"
    side.behave(refuse=0, down=True)
    fkid = table.write_back(caseid, "1")
    until(lambda: side.summary().get("missed_looks", 0) > 2)
    assert (table.clbz(fkid), side.item(caseid)["state"]) == ("0", "0")
    side.behave(down=False)
    until(lambda: table.clbz(fkid) == "1")


def test_files_carry_the_rows_once_each_in_its_own_encoding(
    start: Any, table: Table12315, tmp_path: Path, sample: Callable[[str, str], bytes], until: Callable[..., None]
) -> None:
    folder = tmp_path / "drop"
    side = ready(start(NAME, options={"url": table.url, "folder": str(folder)}), until)
    for kind in ("doubled", "registration", "complaint"):
        happened(side, kind)
    names = happened(side, "drop").split(";")
    assert [re.sub(r"\d{12}", "#", name) for name in names] == ["ANJIANXX_#.csv", "SHUNTLIST_#.csv"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, *(f"{name}.ok" for name in names)])
    view, pending = ((folder / name).read_bytes() for name in names)
    expected = (sample(FOLDER, "01_anjianxx_view.gbk.csv"), sample(FOLDER, "02_shuntlist.csv"))
    assert view.split(b"\r\n")[0] == expected[0].split(b"\r\n")[0]
    assert pending.split(b"\n")[0] == expected[1].split(b"\n")[0]
    rows = list(csv.DictReader(io.StringIO(view.decode("gbk"), newline="")))
    assert len(rows) == 3
    assert rows[0]["AJID"] == rows[2]["AJID"] != rows[1]["AJID"]
    assert [row["infotype"] for row in csv.DictReader(io.StringIO(pending.decode(), newline=""))] == ["投诉"]
    assert happened(side, "drop") == ""


def test_a_withdrawal_is_dropped_as_a_changed_row(
    start: Any, table: Table12315, tmp_path: Path, until: Callable[..., None]
) -> None:
    side = ready(start(NAME, options={"url": table.url, "folder": str(tmp_path), "every": "0.05"}), until)
    caseid = happened(side, "withdrawn")
    until(lambda: side.summary().get("dropped"))

    def states() -> list[str]:
        files = sorted(tmp_path.glob("SHUNTLIST_*.csv"))
        rows = [row for path in files for row in csv.DictReader(io.StringIO(path.read_text(), newline=""))]
        assert {row["caseid"] for row in rows} <= {caseid}
        return [row["state"] for row in rows]

    until(lambda: states() == ["0", "1"])


def test_the_story_is_the_same_for_the_same_seed_and_has_every_kind(start: Any, tmp_path: Path) -> None:
    def story(seed: int) -> list[tuple[str, str]]:
        side = start(NAME, options={"url": f"sqlite:///{tmp_path / uuid4().hex}"}, seed=seed)
        side.emit(40)
        side.drained()
        return [(item["id"], item["infotype"]) for item in side.items()]

    first = story(5)
    assert {infotype for _, infotype in first} == {"投诉", "举报", "咨询"}
    assert len({id_ for id_, _ in first}) == 40
    assert first == story(5) != story(6)


def test_without_a_url_it_keeps_a_file_of_its_own_that_goes_with_it(hub: Any, until: Callable[..., None]) -> None:
    setup = Setup(hub.url, "s", 7, Behaviour(rate=0, pace=0), quiet=True)
    with running(NAME, setup) as up:
        until(lambda: httpx.get(f"{up.url}/_sim/exchange").json()["ready"])
        path = Path(httpx.get(f"{up.url}/_sim/exchange").json()["url"].removeprefix("sqlite:///"))
        assert path.is_file()
    assert not path.parent.exists()


def test_a_database_that_is_not_there_yet_is_waited_for(start: Any, tmp_path: Path, until: Callable[..., None]) -> None:
    folder = tmp_path / "later"
    side = start(NAME, options={"url": f"sqlite:///{folder / 'exchange.db'}"})
    side.emit()
    until(lambda: side.summary().get("database_errors"))
    assert side.summary()["busy"] == 1
    folder.mkdir()
    assert side.drained()["inserted"] >= 1


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    """A private MariaDB."""
    if reason := missing():
        pytest.skip(reason)
    server = MariaDb()
    yield server
    server.remove()


@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_it_works_in_other_engines_with_a_password_nobody_is_told(
    request: pytest.FixtureRequest, start: Any, until: Callable[..., None], engine: str
) -> None:
    if engine == "postgres":
        server: EmbeddedPostgres = request.getfixturevalue("postgres")
        url = server.url_of(ADMINISTRATION).replace("+asyncpg", "+psycopg")
    else:
        url = request.getfixturevalue("mariadb").url()
    table = Table12315(url)
    try:
        side = ready(start(NAME, options={"url": url}), until)
        listed, doubled = happened(side, "complaint"), happened(side, "doubled")
        assert [row["caseid"] for row in table.rows(PICK_UP)] == [listed]
        assert len(table.rows("SELECT AJID, applidique FROM anjianxx WHERE AJID = :id", id=doubled)) == 2
        assert answered(table, until, listed, "9", "已办结") == "1"
        assert table.rows(PICK_UP) == []
        assert answered(table, until, "nobody", "9") == "2"
    finally:
        with table.engine.begin() as connection:
            for name in ("anjianxx", "ywcl_shuntlist", "ex_fkxx"):
                connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
        table.engine.dispose()


def test_a_password_in_the_url_is_not_shown(start: Any) -> None:
    side = start(NAME, options={"url": "postgresql+psycopg://hub:hidden@127.0.0.1:1/exchange"})
    assert "hidden" not in side.client.get("/_sim/exchange").text
    assert "hidden" not in side.client.get("/_sim/state").text
