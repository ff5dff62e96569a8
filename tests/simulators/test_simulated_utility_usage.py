"""The simulated utility companies, seen by somebody who looks into the folder."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators import Behaviour, Setup, running
from simulators.utility_usage import ALERTS, COLUMNS

NAME = "utility_usage"
START = {"start": "2026-03-16"}
UNITS = {"water": "立方米", "gas": "立方米", "power": "kWh"}


@pytest.fixture
def side(start: Any, tmp_path: Path) -> Any:
    """Companies that drop into this test's folder."""
    return start(NAME, options=START | {"folder": str(tmp_path)})


def happened(side: Any, kind: str) -> str:
    id_: str = side.post("/_sim/happen", json={"kind": kind}).json()["id"]
    return id_


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("gbk"), newline="")))


def test_a_day_is_a_complete_gbk_table_with_a_marker_beside_it(side: Any, tmp_path: Path) -> None:
    [name] = side.emit()
    side.drained()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["usage_20260316.csv", "usage_20260316.csv.ok"]
    assert (tmp_path / f"{name}.ok").read_bytes() == b""
    data = (tmp_path / name).read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") == 121
    rows = rows_of(tmp_path / name)
    assert tuple(rows[0]) == COLUMNS
    assert len({row["表号"] for row in rows}) == len(rows) == 120
    assert {(row["类别"], row["单位"]) for row in rows} == set(UNITS.items())
    assert {row["日期"] for row in rows} == {"2026-03-16"}
    assert all(float(row["用量"]) >= 0 and row["地址"] and "某某" in row["户名"] for row in rows)


def test_every_day_has_its_file_and_the_same_households(side: Any, tmp_path: Path) -> None:
    side.emit(3)
    side.drained()
    days = sorted(tmp_path.glob("*.csv"))
    assert [path.name for path in days] == ["usage_20260316.csv", "usage_20260317.csv", "usage_20260318.csv"]
    who = [[(row["表号"], row["户名"], row["地址"]) for row in rows_of(path)] for path in days]
    assert who[0] == who[1] == who[2]
    assert len({path.read_bytes() for path in days}) == 3


def test_a_file_grows_before_it_is_complete(start: Any, tmp_path: Path, until: Callable[..., None]) -> None:
    side = start(NAME, options=START | {"folder": str(tmp_path)}, pace=3600)
    [name] = side.emit()
    path = tmp_path / name
    until(lambda: side.item(name)["state"] == "growing")
    half = path.read_bytes()
    assert not (tmp_path / f"{name}.ok").exists()
    assert half.startswith("表号".encode("gbk"))
    with pytest.raises(UnicodeDecodeError):
        half.decode("gbk")


def test_half_a_file_stays_half_and_never_gets_a_marker(side: Any, tmp_path: Path) -> None:
    name = happened(side, "half")
    side.drained()
    assert side.item(name)["state"] == "left"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_again_drops_the_same_bytes_once_more(side: Any, tmp_path: Path) -> None:
    name = happened(side, "alert")
    side.drained()
    before = (tmp_path / name).read_bytes()
    (tmp_path / name).rename(tmp_path / "taken")
    assert happened(side, "again") == name
    assert side.drained()["dropped"] == 2
    assert (tmp_path / name).read_bytes() == before


def test_an_alert_is_a_code_of_the_companies_with_its_words(side: Any, tmp_path: Path) -> None:
    name = happened(side, "alert")
    side.drained()
    alerted = [row for row in rows_of(tmp_path / name) if row["预警代码"]]
    known = {(one.code, one.kind, one.text, one.usage) for one in ALERTS}
    told = {(row["预警代码"], row["类别"], row["预警说明"], float(row["用量"])) for row in alerted}
    assert told
    assert told <= known
    assert side.item(name)["alerts"] == str(len(alerted))


def test_the_share_of_alerts_and_the_households_are_settings(start: Any, tmp_path: Path) -> None:
    options = START | {"folder": str(tmp_path), "households": "7", "alerts": "1"}
    side = start(NAME, options=options)
    [name] = side.emit()
    side.drained()
    rows = rows_of(tmp_path / name)
    assert (len(rows), sum(bool(row["预警代码"]) for row in rows)) == (21, 7)


def test_a_broken_day_has_one_line_that_is_no_gbk(side: Any, tmp_path: Path) -> None:
    name = happened(side, "broken")
    side.drained()
    data = (tmp_path / name).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        data.decode("gbk")
    whole = data[: data.rindex(b"\r\n", 0, -2) + 2]
    assert len(whole.decode("gbk").splitlines()) == 121


def test_without_a_folder_a_temporary_one_is_told_and_goes_away(start: Any, hub: Any) -> None:
    setup = Setup(hub.url, "s", 7, Behaviour(rate=0, pace=0), quiet=True, options=START)
    with running(NAME, setup) as up:
        folder = Path(httpx.get(f"{up.url}/_sim/folder").json()["folder"])
        assert folder.is_dir()
    assert not folder.exists()
    assert folder.name.startswith("gridhub-usage-")


def test_the_same_seed_writes_the_same_bytes(start: Any, tmp_path: Path) -> None:
    def story(folder: str, seed: int) -> bytes:
        side = start(NAME, options=START | {"folder": str(tmp_path / folder)}, seed=seed)
        side.emit()
        side.drained()
        return (tmp_path / folder / "usage_20260316.csv").read_bytes()

    assert story("a", 1) == story("b", 1) != story("c", 2)
