"""`gridhub grids reattribute`: cases follow a new set when somebody says so, with a diff, and not before."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
import shapely
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.hub import clock
from gateway.settings import example_city
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import ENVIRONMENT, HubUnderTest

CLASS = "30428.2:P01-03"


def said(*words: str | Path) -> str:
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result.output


class Town:
    """A hub with cases in cells of the example city, and a copy of its configuration with a new set."""

    def __init__(self, hub: HubUnderTest, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        document = orjson.loads((folder / "grids" / "unit-grids.geojson").read_bytes())
        self.features = document["features"]

    def case(self, **place: Any) -> str:
        """A filed case; returns its number."""
        number = len(self.hub.cases()) + 1
        assert hotline(ticket(str(number), rqstAreaCode="", rqstAddress="")).to(self.hub).status_code == 200
        no = str(self.hub.cases()[-1]["no"])
        self.hub.act(no, kind="file", class_code=CLASS, place=place)
        return no

    def place(self, no: str) -> dict[str, Any]:
        """Where it is."""
        found: dict[str, Any] = self.hub.case(no)["place"]
        return found

    def code(self, index: int) -> str:
        """Of a cell."""
        return str(self.features[index]["properties"]["code"])

    def inside(self, index: int) -> dict[str, float]:
        """A point in a cell."""
        shape = shapely.from_geojson(orjson.dumps(self.features[index]["geometry"]).decode())
        point = shapely.point_on_surface(shape)
        return {"lon": point.x, "lat": point.y}

    def new_set(self, first: str) -> None:
        """The first two cells change their codes, the third is given up."""
        one, two, _, *rest = self.features
        one["properties"]["code"], two["properties"]["code"] = self.code(1), self.code(0)
        path = self.folder.parent / "new.geojson"
        path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": [one, two, *rest]}))
        said("load", "grids", path, "--from", first, "-c", self.folder)


@pytest.fixture
def town(hub: HubUnderTest, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setenv("GRIDHUB_DATABASE_URL", database_url)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return Town(hub, Path(shutil.copytree(example_city(), tmp_path / "city")))


def test_cases_follow_a_new_set_when_somebody_says_so(town: Town, tmp_path: Path) -> None:
    first, second, third = town.code(0), town.code(1), town.code(2)
    pointed = town.case(**town.inside(0))
    coded = town.case(grid=second)
    gone = town.case(grid=third)
    chosen = town.case(**town.inside(1), grid=town.code(5))  # a person put it into another grid
    rest = town.case(**town.inside(5))
    today = clock().date().isoformat()
    town.new_set(today)
    before = {no: town.place(no) for no in (pointed, coded, gone, chosen, rest)}
    diff = tmp_path / "diff.csv"
    words = ("grids", "reattribute", "--by", "王工", "--reason", "2027 年网格", "-c", town.folder)

    dry = json.loads(said(*words, "--json"))
    assert {no: town.place(no) for no in before} == before
    done = json.loads(said(*words, "--apply", "-o", diff, "--json"))

    assert dry["verdicts"] == done["verdicts"]
    assert done["verdicts"] == {"moved": 1, "renewed": 2, "same": 0, "person": 1, "gone": 1, "unplaced": 0}
    assert done["moves"] == [{"before": first, "after": second, "cases": 1}]
    assert (town.place(pointed)["grid"], town.place(pointed)["grid_set"]) == (second, f"base@{today}")
    assert (town.place(coded)["grid"], town.place(coded)["grid_set"]) == (second, f"base@{today}")
    assert (town.place(rest)["grid"], town.place(rest)["grid_set"]) == (town.code(5), f"base@{today}")
    assert town.place(gone) == before[gone]
    assert town.place(chosen) == before[chosen]
    event = town.hub.case(pointed)["events"][-1]
    assert (event["action"]["kind"], event["action"]["reason"]) == ("reattribute", "2027 年网格 (王工)")
    assert event["action"]["editions"]["base"] == f"base@{today}"
    with diff.open(encoding="utf-8-sig", newline="") as opened:
        rows = {row["no"]: row for row in csv.DictReader(opened)}
    assert set(rows) == set(before)
    assert (rows[pointed]["grid_before"], rows[pointed]["grid_after"], rows[pointed]["verdict"]) == (
        first, second, "moved",
    )  # fmt: skip

    again = json.loads(said(*words, "--apply", "--json"))
    assert again["verdicts"] == {"moved": 0, "renewed": 0, "same": 3, "person": 1, "gone": 1, "unplaced": 0}
    back = json.loads(said(*words, "--apply", "--day", "2026-01-01", "--json"))
    assert back["verdicts"]["moved"] == 1
    assert {no: town.place(no) for no in before} == before


def test_ended_cases_are_moved_by_when_they_were_received(town: Town) -> None:
    no = town.case(**town.inside(0))
    town.hub.act(no, kind="cancel", reason="演示")
    today = clock().date().isoformat()
    town.new_set(today)
    words = ("grids", "reattribute", "--json", "-c", town.folder)

    assert json.loads(said(*words))["cases"] == 0
    assert json.loads(said(*words, "--since", "2020-01-01", "--until", "2020-12-31"))["cases"] == 0
    assert json.loads(said(*words, "--since", today, "--apply"))["verdicts"]["moved"] == 1
    assert town.place(no)["grid"] == town.code(0)  # the codes of the two were exchanged in the file


def test_it_is_told_in_eighty_columns(town: Town) -> None:
    town.case(**town.inside(0))
    town.new_set(clock().date().isoformat())

    output = said("grids", "reattribute", "-c", town.folder)

    assert "nothing was changed" in output
    assert "-> " in output
    assert all(len(one) <= 80 for one in output.splitlines())


@pytest.mark.parametrize(
    "words", [("--day", "soon"), ("--until", "2026-01-01"), ("--since", "2026-02-01", "--until", "2026-01-01")]
)
def test_days_that_cannot_be_are_said(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["grids", "reattribute", *words])
    assert result.exit_code == 2
