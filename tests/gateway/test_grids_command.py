"""`gridhub grids`: the registry of the example city, and its crosswalk."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from tests.gateway.pushes import hotline, ticket
from tests.gateway.running import HubUnderTest

CLASS = "30428.2:P01-03"


def said(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["grids", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_the_registry_is_listed() -> None:
    sets = json.loads(said("list", "--json"))

    assert [(one["edition"], one["cells"]) for one in sets] == [("base@2026-01-01", 2770), ("landscape@2026-01-01", 4)]
    assert "base@2026-01-01  单元网格" in said("list")
    assert all(len(one) <= 80 for one in said("list").splitlines())


def test_the_crosswalk_is_whole_where_grids_are_put_together(tmp_path: Path) -> None:
    rows = json.loads(said("crosswalk", "landscape", "--day", "2026-07-01", "--json"))
    said("crosswalk", "landscape", "--day", "2026-07-01", "-o", str(tmp_path / "pairs.csv"))
    with (tmp_path / "pairs.csv").open(encoding="utf-8-sig", newline="") as opened:
        written = list(csv.DictReader(opened))

    assert rows
    assert all(one["of_unit_grid"] == pytest.approx(1, abs=0.01) for one in rows)
    assert [one["unit_grid"] for one in written] == [one["unit_grid"] for one in rows]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("crosswalk", "fire"), 5),
        (("crosswalk", "landscape", "--day", "2025-01-01"), 5),
        (("crosswalk", "landscape", "--day", "soon"), 2),
    ],
)
def test_what_is_not_there_is_told(words: tuple[str, ...], code: int) -> None:
    said(*words, code=code)


def test_cases_are_counted_where_they_lie(
    hub: HubUnderTest, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = json.loads(said("crosswalk", "landscape", "--json"))[0]
    from shapely import Point

    cell = hub.configuration.city.locator.registry.sets[0].index.cells[pair["unit_grid"]]
    inside: Point = cell.geometry.representative_point()
    assert hotline(ticket("1", rqstAreaCode="", rqstAddress="")).to(hub).status_code == 200
    number = hub.cases()[-1]["no"]
    hub.act(number, kind="file", class_code=CLASS, place={"lon": inside.x, "lat": inside.y})
    monkeypatch.setenv("GRIDHUB_DATABASE_URL", database_url)

    rows = json.loads(said("crosswalk", "landscape", "--cases", "1", "--json"))

    [one] = [one for one in rows if one["cases"]]
    assert (one["unit_grid"], one["industry_grid"], one["cases"], one["of_cases"]) == (
        pair["unit_grid"], pair["industry_grid"], 1, 1.0,
    )  # fmt: skip
